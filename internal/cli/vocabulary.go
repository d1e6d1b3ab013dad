package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"

	"olmo/model"
	"olmo/tokenizer"
	"olmo/weights"
)

// Vocabularies between tokenizer.json and the metadata of a GGUF file. Both hold
// byte-level BPE alike; what differs is how the splitting of a text into words is
// named: a pattern there, a name here (llama.cpp, src/llama-vocab.cpp). Of
// SentencePiece's BPE a GGUF file has scores where tokenizer.json has merges.

const (
	gpt2Pattern  = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	cl100kTail   = `|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	llama3Start  = `(?i:'s|'t|'re|'ve|'m|'ll|'d)`
	qwen2Pattern = llama3Start + `|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// ggml's kinds of tokens.
const (
	ggmlNormal      = 1
	ggmlUnknown     = 2
	ggmlControl     = 3
	ggmlUserDefined = 4
	ggmlUnused      = 5
	ggmlByte        = 6
)

type jsonObject = map[string]any

// ggufVocab reads the vocabulary in a GGUF file's metadata.
func ggufVocab(g *weights.GGUF) tokenizer.GGUFVocab {
	v := tokenizer.GGUFVocab{BOS: -1, EOS: -1}
	read := func(key string) any {
		x, _ := g.Get("tokenizer.ggml." + key)
		return x
	}
	v.Model, _ = read("model").(string)
	v.Pre, _ = read("pre").(string)
	v.Tokens, _ = read("tokens").([]string)
	v.Types, _ = read("token_type").([]int32)
	v.Scores, _ = read("scores").([]float32)
	v.Merges, _ = read("merges").([]string)
	v.AddBOS, _ = read("add_bos_token").(bool)
	v.AddEOS, _ = read("add_eos_token").(bool)
	if space, ok := read("add_space_prefix").(bool); ok {
		v.NoSpacePrefix = !space
	}
	for key, id := range map[string]*int32{"bos_token_id": &v.BOS, "eos_token_id": &v.EOS} {
		if n, ok := g.Int("tokenizer.ggml." + key); ok && n >= 0 && n <= math.MaxInt32 {
			*id = int32(n)
		}
	}
	return v
}

// ggufTokenizerConfig returns the tokenizer_config.json of a GGUF file's vocabulary.
func ggufTokenizerConfig(g *weights.GGUF) ([]byte, error) {
	m := jsonObject{"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": false}
	list, _ := g.Get("tokenizer.ggml.tokens")
	tokens, _ := list.([]string)
	for name, key := range map[string]string{"bos": "bos_token", "eos": "eos_token", "unknown": "unk_token", "padding": "pad_token"} {
		if id, ok := g.Int("tokenizer.ggml." + name + "_token_id"); ok && id >= 0 && id < len(tokens) {
			m[key] = tokens[id]
		}
	}
	if v, ok := g.Get("tokenizer.chat_template"); ok {
		m["chat_template"] = v
	}
	if v, ok := g.Get("tokenizer.ggml.add_bos_token"); ok {
		m["add_bos_token"] = v
	}
	return marshal(m)
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}

// hfTokenizer is as much of tokenizer.json as a GGUF file takes over.
type hfTokenizer struct {
	AddedTokens []struct {
		ID      int    `json:"id"`
		Content string `json:"content"`
		Special bool   `json:"special"`
	} `json:"added_tokens"`
	PreTokenizer  *hfSplitter      `json:"pre_tokenizer"`
	PostProcessor *hfPostProcessor `json:"post_processor"`
	Model         struct {
		Type         string            `json:"type"`
		Vocab        json.RawMessage   `json:"vocab"`
		Merges       []json.RawMessage `json:"merges"`
		ByteFallback bool              `json:"byte_fallback"`
		UnkToken     string            `json:"unk_token"`
		IgnoreMerges bool              `json:"ignore_merges"`
	} `json:"model"`
}

type hfSplitter struct {
	Type             string       `json:"type"`
	Pretokenizers    []hfSplitter `json:"pretokenizers"`
	UseRegex         *bool        `json:"use_regex"`
	IndividualDigits bool         `json:"individual_digits"`
	Pattern          struct {
		Regex string `json:"Regex"`
	} `json:"pattern"`
}

// rule names the splitting as llama.cpp does.
func (t *hfTokenizer) rule() (string, error) {
	if t.PreTokenizer == nil {
		return "", errors.New("it has no pre-tokenizer")
	}
	parts := t.PreTokenizer.Pretokenizers
	if t.PreTokenizer.Type != "Sequence" {
		parts = []hfSplitter{*t.PreTokenizer}
	}
	var said []string
	for _, p := range parts {
		switch {
		case p.Type == "ByteLevel" && (p.UseRegex == nil || *p.UseRegex):
			said = append(said, gpt2Pattern)
		case p.Type == "ByteLevel":
		case p.Type == "Digits" && p.IndividualDigits:
			said = append(said, "digits")
		case p.Type == "Split" && p.Pattern.Regex != "":
			said = append(said, p.Pattern.Regex)
		default:
			return "", fmt.Errorf("llama.cpp has no name for the pre-tokenizer %s", p.Type)
		}
	}
	switch rule := strings.Join(said, " then "); {
	case rule == gpt2Pattern:
		return "gpt-2", nil
	case rule == "digits then "+gpt2Pattern:
		return "smollm", nil
	case rule == qwen2Pattern:
		return "qwen2", nil
	case strings.HasSuffix(rule, cl100kTail) && len(said) == 1 && t.Model.IgnoreMerges:
		return "llama-bpe", nil
	case strings.HasSuffix(rule, cl100kTail) && len(said) == 1:
		return "dbrx", nil
	default:
		return "", fmt.Errorf("llama.cpp has no name for splitting words by %.120q", rule)
	}
}

// ggufVocabulary returns the metadata of the tokenizer beside a model, padded to the
// model's ids. An error means that a GGUF file cannot hold it.
func ggufVocabulary(l *model.Loaded) ([]weights.KV, error) {
	text, err := os.ReadFile(l.Tokenizer)
	if err != nil {
		return nil, err
	}
	var t hfTokenizer
	if err := json.Unmarshal(text, &t); err != nil {
		return nil, fmt.Errorf("%s: %w", l.Tokenizer, err)
	}
	if t.Model.Type != "BPE" {
		return nil, fmt.Errorf("a GGUF file holds BPE, not %s", t.Model.Type)
	}
	var rule string
	if !t.Model.ByteFallback {
		if rule, err = t.rule(); err != nil {
			return nil, err
		}
	} else if t.PreTokenizer != nil && t.PreTokenizer.Type != "Metaspace" {
		return nil, fmt.Errorf("llama.cpp has no name for the pre-tokenizer %s of a vocabulary with bytes", t.PreTokenizer.Type)
	}
	vocab := map[string]int{}
	if err := json.Unmarshal(t.Model.Vocab, &vocab); err != nil {
		return nil, fmt.Errorf("%s: vocab: %w", l.Tokenizer, err)
	}
	tokens, types := make([]string, l.Config.V), make([]int32, l.Config.V)
	for id := range tokens {
		tokens[id], types[id] = fmt.Sprintf("[PAD%d]", id), ggmlUnused
	}
	set := func(id int, s string, kind int32) error {
		if id < 0 || id >= len(tokens) {
			return fmt.Errorf("token %q has id %d, the model has %d ids", s, id, len(tokens))
		}
		tokens[id], types[id] = s, kind
		return nil
	}
	for s, id := range vocab {
		if err := set(id, s, ggmlNormal); err != nil {
			return nil, err
		}
	}
	ids := map[string]int{}
	for _, a := range t.AddedTokens {
		kind := int32(ggmlUserDefined)
		if a.Special {
			kind = ggmlControl
		}
		if err := set(a.ID, a.Content, kind); err != nil {
			return nil, err
		}
		ids[a.Content] = a.ID
	}
	merges := make([]string, len(t.Model.Merges))
	for i, raw := range t.Model.Merges {
		var pair []string
		if json.Unmarshal(raw, &merges[i]) != nil {
			if err := json.Unmarshal(raw, &pair); err != nil || len(pair) != 2 {
				return nil, fmt.Errorf("%s: merge %d is not two tokens", l.Tokenizer, i)
			}
			merges[i] = pair[0] + " " + pair[1]
		}
	}
	kv := []weights.KV{
		{Key: "tokenizer.ggml.model", Value: "gpt2"},
		{Key: "tokenizer.ggml.pre", Value: rule},
		{Key: "tokenizer.ggml.tokens", Value: tokens},
		{Key: "tokenizer.ggml.token_type", Value: types},
		{Key: "tokenizer.ggml.merges", Value: merges},
	}
	if t.Model.ByteFallback {
		kv = []weights.KV{
			{Key: "tokenizer.ggml.model", Value: "llama"},
			{Key: "tokenizer.ggml.pre", Value: "default"},
			{Key: "tokenizer.ggml.tokens", Value: tokens},
			{Key: "tokenizer.ggml.scores", Value: mergeScores(tokens, types, merges, t.Model.UnkToken)},
			{Key: "tokenizer.ggml.token_type", Value: types},
		}
	}
	return appendSpecials(kv, l, ids, t.PostProcessor.first())
}

// mergeScores gives SentencePiece's scores in place of merges: the earlier a token is
// made, the better. It also marks bytes and the unknown token.
func mergeScores(tokens []string, types []int32, merges []string, unknown string) []float32 {
	rank := map[string]float32{}
	for i, m := range merges {
		made := strings.Replace(m, " ", "", 1)
		if _, ok := rank[made]; !ok {
			rank[made] = -float32(i + 1)
		}
	}
	scores := make([]float32, len(tokens))
	for id, s := range tokens {
		switch {
		case s == unknown:
			types[id] = ggmlUnknown
		case types[id] != ggmlNormal:
		case len(s) == 6 && strings.HasPrefix(s, "<0x") && s[5] == '>':
			types[id] = ggmlByte
		default:
			var ok bool
			if scores[id], ok = rank[s]; !ok {
				scores[id] = -float32(len(merges) + 1)
			}
		}
	}
	return scores
}

// hfPostProcessor is what is put around a text.
type hfPostProcessor struct {
	Processors []hfPostProcessor `json:"processors"`
	Single     []struct {
		SpecialToken struct {
			ID string `json:"id"`
		} `json:"SpecialToken"`
	} `json:"single"`
}

// first returns the special token that a text begins with, or nothing.
func (p *hfPostProcessor) first() string {
	if p == nil {
		return ""
	}
	for i := range p.Processors {
		if s := p.Processors[i].first(); s != "" {
			return s
		}
	}
	if len(p.Single) == 0 {
		return ""
	}
	return p.Single[0].SpecialToken.ID
}

// appendSpecials adds the special ids, whether a text begins with one (tokenizer.json's
// word, unless tokenizer_config.json has another), and the chat template.
func appendSpecials(kv []weights.KV, l *model.Loaded, ids map[string]int, first string) ([]weights.KV, error) {
	dir := filepath.Dir(l.Tokenizer)
	settings, err := readObject(filepath.Join(dir, "tokenizer_config.json"))
	if err != nil {
		return nil, err
	}
	c := l.Config
	for _, s := range []struct {
		name, key string
		id        int32
	}{{"bos", "bos_token", c.BOS}, {"eos", "eos_token", c.EOS}, {"unknown", "unk_token", -1}, {"padding", "pad_token", c.PAD}} {
		id := int64(s.id)
		token := settings[s.key]
		if token == nil && s.name == "bos" && first != "" {
			token = first
		}
		if m, ok := token.(map[string]any); ok {
			token = m["content"]
		}
		if content, ok := token.(string); ok {
			if n, ok := ids[content]; ok {
				id = int64(n)
			}
		}
		if id >= 0 && id <= math.MaxUint32 {
			kv = append(kv, weights.KV{Key: "tokenizer.ggml." + s.name + "_token_id", Value: uint32(id)})
		}
	}
	addsBOS, ok := settings["add_bos_token"].(bool)
	kv = append(kv, weights.KV{Key: "tokenizer.ggml.add_bos_token", Value: addsBOS || !ok && first != ""})
	template, _ := settings["chat_template"].(string)
	if text, err := os.ReadFile(filepath.Join(dir, "chat_template.jinja")); err == nil {
		template = string(text)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if template != "" {
		kv = append(kv, weights.KV{Key: "tokenizer.chat_template", Value: template})
	}
	return kv, nil
}

// readObject reads a JSON object; of a missing file nothing.
func readObject(path string) (map[string]any, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}
