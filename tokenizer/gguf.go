package tokenizer

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"olmo/internal/pyjson"
)

// GGUFVocab is the vocabulary in the metadata of a GGUF file; the comments name
// the keys below tokenizer.ggml.
type GGUFVocab struct {
	Model  string    // model: "gpt2" for byte-level BPE, "llama" for SentencePiece's
	Pre    string    // pre: how gpt2 cuts text into words
	Tokens []string  // tokens, by id
	Types  []int32   // token_type, by id
	Scores []float32 // scores, by id; llama only
	Merges []string  // merges; gpt2 only
	BOS    int32     // bos_token_id, −1 for none
	EOS    int32     // eos_token_id, −1 for none
	AddBOS bool      // add_bos_token
	AddEOS bool      // add_eos_token
	// NoSpacePrefix is the opposite of add_space_prefix; llama only.
	NoSpacePrefix bool
}

// ggml's types of tokens.
const (
	ggufNormal      = 1
	ggufUnknown     = 2
	ggufControl     = 3
	ggufUserDefined = 4
	ggufUnused      = 5
	ggufByte        = 6
)

// ggufWords is the one table of how byte-level vocabularies cut text into words:
// tokenizer.json has an expression, a GGUF file a name (llama.cpp,
// src/llama-vocab.cpp). The first name of a row is the one that is written.
var ggufWords = []struct {
	names   []string
	digits  bool   // numbers are cut off digit by digit first
	pattern string // in tokenizer.json
	// whole says that a word which is a token stays one, whatever the merges say
	// (ignore_merges). Llama 3 differs from dbrx in nothing else.
	whole bool
}{
	{names: []string{"gpt-2", "olmo", "mpt", "gpt2"}, pattern: gpt2Pattern},
	{names: []string{"smollm", "starcoder", "refact", "command-r", "codeshell"}, digits: true, pattern: gpt2Pattern},
	{names: []string{"llama-bpe", "llama3", "llama-v3"}, pattern: cl100kPattern, whole: true},
	{names: []string{"dbrx", "smaug-bpe"}, pattern: cl100kPattern},
	{names: []string{"qwen2"}, pattern: qwen2Pattern},
}

const qwen2Pattern = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`

// sameWords respells expressions that are written in several ways as the table has
// them: tiktoken's files begin with the apostrophe.
func sameWords(pattern string) string {
	const theirs, ours = `'(?i:[sdmt]|ll|ve|re)|`, `(?i:'s|'t|'re|'ve|'m|'ll|'d)|`
	if rest, ok := strings.CutPrefix(pattern, theirs); ok {
		return ours + rest
	}
	return pattern
}

// ggufPre returns the name of a cutting, or an error that says what has none.
func ggufPre(p *wordCutter, whole bool) (string, error) {
	if p == nil {
		return "", errors.New("it has no pre-tokenizer")
	}
	parts := p.Pretokenizers
	if p.Type != "Sequence" {
		parts = []wordCutter{*p}
	}
	digits, pattern := false, ""
	for _, p := range parts {
		next := ""
		switch {
		case p.Type == "ByteLevel" && (p.AddPrefixSpace == nil || *p.AddPrefixSpace):
			return "", errors.New("llama.cpp puts no space before a text")
		case p.Type == "ByteLevel" && p.UseRegex != nil && !*p.UseRegex:
		case p.Type == "ByteLevel":
			next = gpt2Pattern
		case p.Type == "Digits" && p.IndividualDigits && pattern == "":
			digits = true
		case p.Type == "Split" && p.Pattern.Regex != "":
			next = sameWords(p.Pattern.Regex)
		default:
			return "", fmt.Errorf("llama.cpp has no name for the pre-tokenizer %s", p.Type)
		}
		if next != "" && pattern != "" {
			return "", fmt.Errorf("llama.cpp has no name for splitting words by %.120q, then %.120q", pattern, next)
		}
		pattern += next
	}
	for _, row := range ggufWords {
		// Only Llama 3's cutting comes with and without ignore_merges.
		if row.digits == digits && row.pattern == pattern && (row.pattern != cl100kPattern || row.whole == whole) {
			return row.names[0], nil
		}
	}
	return "", fmt.Errorf("llama.cpp has no name for splitting words by %.120q", pattern)
}

// wordCutter is as much of a pre_tokenizer as names can tell.
type wordCutter struct {
	Type             string       `json:"type"`
	Pretokenizers    []wordCutter `json:"pretokenizers"`
	AddPrefixSpace   *bool        `json:"add_prefix_space"` // true where it is not said
	UseRegex         *bool        `json:"use_regex"`        // the same
	IndividualDigits bool         `json:"individual_digits"`
	Pattern          struct {
		Regex string `json:"Regex"`
	} `json:"pattern"`
}

// textFrame is what a post_processor puts around a text.
type textFrame struct {
	Processors []textFrame `json:"processors"`
	Single     []struct {
		SpecialToken struct {
			ID string `json:"id"`
		} `json:"SpecialToken"`
	} `json:"single"`
}

// first returns the special token that a text begins with, or nothing.
func (p *textFrame) first() string {
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

// GGUFMetadata is what ReadGGUF asks of a GGUF file's metadata; *weights.GGUF has it.
type GGUFMetadata interface {
	Get(key string) (any, bool)
	Int(key string) (int, bool)
}

// ReadGGUF reads the vocabulary in a GGUF file's metadata. What is missing there is
// empty; FromGGUF and JSON say what they cannot do without.
func ReadGGUF(g GGUFMetadata) GGUFVocab {
	v := GGUFVocab{BOS: -1, EOS: -1}
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

// GGUFOf returns the vocabulary of a tokenizer.json as a GGUF file for a model of V ids
// holds it: ids without a token are filled up. BOS is the special token that the file
// itself puts before a text, or −1. An error means that GGUF cannot hold it.
func GGUFOf(data []byte, V int) (GGUFVocab, error) {
	var t struct {
		AddedTokens   []AddedToken `json:"added_tokens"`
		PreTokenizer  *wordCutter  `json:"pre_tokenizer"`
		PostProcessor *textFrame   `json:"post_processor"`
		Model         struct {
			Type         string            `json:"type"`
			Vocab        json.RawMessage   `json:"vocab"`
			Merges       []json.RawMessage `json:"merges"`
			ByteFallback bool              `json:"byte_fallback"`
			UnkToken     string            `json:"unk_token"`
			IgnoreMerges bool              `json:"ignore_merges"`
		} `json:"model"`
	}
	v := GGUFVocab{Model: "gpt2", BOS: -1, EOS: -1}
	if err := pyjson.Value(data, &t); err != nil {
		return v, err
	}
	if t.Model.Type != "BPE" {
		return v, fmt.Errorf("a GGUF file holds BPE, not %s", t.Model.Type)
	}
	if !t.Model.ByteFallback {
		var err error
		if v.Pre, err = ggufPre(t.PreTokenizer, t.Model.IgnoreMerges); err != nil {
			return v, err
		}
	} else if t.PreTokenizer != nil && t.PreTokenizer.Type != "Metaspace" {
		return v, fmt.Errorf("llama.cpp has no name for the pre-tokenizer %s of a vocabulary with bytes", t.PreTokenizer.Type)
	}
	vocab := map[string]int32{}
	if err := pyjson.Value(t.Model.Vocab, &vocab); err != nil {
		return v, fmt.Errorf("vocab: %w", err)
	}
	if err := v.setTokens(vocab, t.AddedTokens, V); err != nil {
		return v, err
	}
	v.Merges = make([]string, len(t.Model.Merges))
	for i, raw := range t.Model.Merges {
		// Files of before tokenizers 0.20 have "left right", later ones two strings.
		var pair []string
		if json.Unmarshal(raw, &v.Merges[i]) != nil {
			if err := pyjson.Value(raw, &pair); err != nil || len(pair) != 2 {
				return v, fmt.Errorf("merge %d is not two tokens", i)
			}
			v.Merges[i] = pair[0] + " " + pair[1]
		}
	}
	if t.Model.ByteFallback {
		v.Model, v.Pre = "llama", "default"
		v.scoreMerges(t.Model.UnkToken)
	}
	if first := t.PostProcessor.first(); first != "" {
		v.AddBOS = true
		if id, ok := v.Added(first); ok {
			v.BOS = id
		}
	}
	return v, nil
}

// setTokens fills Tokens and Types, V of them.
func (v *GGUFVocab) setTokens(vocab map[string]int32, added []AddedToken, V int) error {
	v.Tokens, v.Types = make([]string, V), make([]int32, V)
	for id := range V {
		v.Tokens[id], v.Types[id] = fmt.Sprintf("[PAD%d]", id), ggufUnused
	}
	set := func(id int32, s string, kind int32) error {
		if id < 0 || int(id) >= V {
			return fmt.Errorf("token %q has id %d, the model has %d ids", s, id, V)
		}
		v.Tokens[id], v.Types[id] = s, kind
		return nil
	}
	for s, id := range vocab {
		if err := set(id, s, ggufNormal); err != nil {
			return err
		}
	}
	for _, a := range added {
		kind := int32(ggufUserDefined)
		if a.Special {
			kind = ggufControl
		}
		if err := set(a.ID, a.Content, kind); err != nil {
			return err
		}
	}
	return nil
}

// scoreMerges puts SentencePiece's scores in place of merges: the earlier a token is
// made, the better. It also marks bytes and the unknown token.
func (v *GGUFVocab) scoreMerges(unknown string) {
	rank := map[string]float32{}
	for i, m := range v.Merges {
		made := strings.Replace(m, " ", "", 1)
		if _, ok := rank[made]; !ok {
			rank[made] = -float32(i + 1)
		}
	}
	v.Scores = make([]float32, len(v.Tokens))
	for id, s := range v.Tokens {
		switch {
		case s == unknown:
			v.Types[id] = ggufUnknown
		case v.Types[id] != ggufNormal:
		case len(s) == 6 && strings.HasPrefix(s, "<0x") && s[5] == '>':
			v.Types[id] = ggufByte
		default:
			var ok bool
			if v.Scores[id], ok = rank[s]; !ok {
				v.Scores[id] = -float32(len(v.Merges) + 1)
			}
		}
	}
	v.Merges = nil
}

// Added returns the id of a token that is found in a text before it is cut into words.
func (v *GGUFVocab) Added(content string) (int32, bool) {
	for id, s := range v.Tokens {
		if s == content && id < len(v.Types) && (v.Types[id] == ggufControl || v.Types[id] == ggufUserDefined || v.Types[id] == ggufUnknown) {
			return int32(id), true
		}
	}
	return -1, false
}

// FromGGUF makes a tokenizer of a GGUF file's vocabulary.
func FromGGUF(v GGUFVocab) (*Tokenizer, error) {
	data, err := v.JSON()
	if err != nil {
		return nil, err
	}
	t, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("GGUF vocabulary: %w", err)
	}
	return t, nil
}

type object = map[string]any

// JSON returns the vocabulary as tokenizer.json.
func (v GGUFVocab) JSON() ([]byte, error) {
	ids, added, unk, err := v.entries()
	if err != nil {
		return nil, fmt.Errorf("GGUF vocabulary: %w", err)
	}
	model := object{"type": "BPE", "vocab": ids}
	file := object{"version": "1.0", "added_tokens": added, "model": model}
	switch v.Model {
	case "gpt2":
		err = v.byteLevelJSON(file, model)
	case "llama":
		if len(v.Scores) != len(v.Tokens) {
			return nil, fmt.Errorf("GGUF vocabulary: %d scores for %d tokens", len(v.Scores), len(v.Tokens))
		}
		model["merges"] = mergesOfScores(v, ids)
		if unk != "" {
			model["unk_token"] = unk
		}
		v.sentencePieceJSON(file, model)
	default:
		return nil, fmt.Errorf("GGUF vocabulary: unknown model %q; known are gpt2 and llama", v.Model)
	}
	if err == nil && (v.AddBOS || v.AddEOS) {
		file["post_processor"], err = v.frameJSON()
	}
	if err != nil {
		return nil, fmt.Errorf("GGUF vocabulary: %w", err)
	}
	data, err := json.Marshal(file)
	if err != nil {
		return nil, fmt.Errorf("GGUF vocabulary: %w", err)
	}
	return data, nil
}

// entries sorts the tokens by their types.
func (v GGUFVocab) entries() (ids map[string]int32, added []AddedToken, unk string, err error) {
	if len(v.Types) != 0 && len(v.Types) != len(v.Tokens) {
		return nil, nil, "", fmt.Errorf("%d token types for %d tokens", len(v.Types), len(v.Tokens))
	}
	ids = make(map[string]int32, len(v.Tokens))
	added = []AddedToken{}
	for id, s := range v.Tokens {
		if len(v.Types) > 0 && v.Types[id] == ggufUnused {
			continue // it fills the rows of the embedding that no token has
		}
		if old, ok := ids[s]; ok {
			return nil, nil, "", fmt.Errorf("token %q has ids %d and %d", s, old, id)
		}
		ids[s] = int32(id)
		if len(v.Types) == 0 {
			continue
		}
		switch v.Types[id] {
		case ggufUnknown:
			unk = s
			added = append(added, AddedToken{ID: int32(id), Content: s, Special: true})
		case ggufControl:
			added = append(added, AddedToken{ID: int32(id), Content: s, Special: true})
		case ggufUserDefined:
			added = append(added, AddedToken{ID: int32(id), Content: s})
		}
	}
	return ids, added, unk, nil
}

// byteLevelJSON adds what is GPT-2's: bytes as characters, words by an expression.
func (v GGUFVocab) byteLevelJSON(file, model object) error {
	byteLevel := func(words bool) object {
		return object{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": words}
	}
	sequence := func(first, then object) object {
		return object{"type": "Sequence", "pretokenizers": []any{first, then}}
	}
	for _, row := range ggufWords {
		if !slices.Contains(row.names, v.Pre) {
			continue
		}
		model["merges"], model["ignore_merges"] = v.Merges, row.whole
		file["decoder"] = byteLevel(false)
		switch {
		case row.digits:
			file["pre_tokenizer"] = sequence(object{"type": "Digits", "individual_digits": true}, byteLevel(true))
		case row.pattern == gpt2Pattern: // which ByteLevel has of its own
			file["pre_tokenizer"] = byteLevel(true)
		default:
			file["pre_tokenizer"] = sequence(object{"type": "Split", "pattern": object{"Regex": row.pattern}, "behavior": "Isolated", "invert": false}, byteLevel(false))
		}
		return nil
	}
	return fmt.Errorf("unknown pre-tokenizer %q", v.Pre)
}

// sentencePieceJSON adds what is SentencePiece's: spaces as ▁, bytes of what has no piece.
func (v GGUFVocab) sentencePieceJSON(file, model object) {
	model["byte_fallback"], model["fuse_unk"] = true, true
	space := object{"type": "Replace", "pattern": object{"String": " "}, "content": "▁"}
	decoders := []any{object{"type": "Replace", "pattern": object{"String": "▁"}, "content": " "}, object{"type": "ByteFallback"}, object{"type": "Fuse"}}
	if v.NoSpacePrefix {
		file["normalizer"] = space
	} else {
		file["normalizer"] = object{"type": "Sequence", "normalizers": []any{object{"type": "Prepend", "prepend": "▁"}, space}}
		decoders = append(decoders, object{"type": "Strip", "content": " ", "start": 1, "stop": 0})
	}
	file["decoder"] = object{"type": "Sequence", "decoders": decoders}
}

// frameJSON returns the post_processor that puts BOS and EOS around a text.
func (v GGUFVocab) frameJSON() (object, error) {
	single := []any{object{"Sequence": object{"id": "A", "type_id": 0}}}
	specials := object{}
	piece := func(id int32) (any, error) {
		if id < 0 || int(id) >= len(v.Tokens) {
			return nil, errors.New("the token to add at the start or end has no id of the vocabulary")
		}
		s := v.Tokens[id]
		specials[s] = object{"id": s, "ids": []int32{id}, "tokens": []string{s}}
		return object{"SpecialToken": object{"id": s, "type_id": 0}}, nil
	}
	if v.AddBOS {
		p, err := piece(v.BOS)
		if err != nil {
			return nil, err
		}
		single = append([]any{p}, single...)
	}
	if v.AddEOS {
		p, err := piece(v.EOS)
		if err != nil {
			return nil, err
		}
		single = append(single, p)
	}
	return object{"type": "TemplateProcessing", "single": single, "special_tokens": specials}, nil
}

// mergesOfScores lists the ways to make each token of two others, those of the
// token with the best score first, as SentencePiece prefers them.
func mergesOfScores(v GGUFVocab, ids map[string]int32) [][2]string {
	type merge struct {
		made        int32
		left, right string
	}
	var list []merge
	for id, s := range v.Tokens {
		if len(v.Types) > 0 && v.Types[id] != ggufNormal && v.Types[id] != ggufUserDefined {
			continue
		}
		for i := range s {
			if i == 0 {
				continue
			}
			_, left := ids[s[:i]]
			_, right := ids[s[i:]]
			if left && right {
				list = append(list, merge{int32(id), s[:i], s[i:]})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b merge) int { return cmp.Compare(v.Scores[b.made], v.Scores[a.made]) })
	out := make([][2]string, len(list))
	for i, m := range list {
		out[i] = [2]string{m.left, m.right}
	}
	return out
}
