package convert

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"olmo/internal/pyjson"
	"olmo/model"
	"olmo/store"
	"olmo/tokenizer"
	"olmo/weights"
)

// tokenizerFiles go along into a folder.
var tokenizerFiles = []string{
	"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", templateFile, "vocab.json", "merges.txt", "tokenizer.model",
}

// tokenizerDelivered is an error when Git or a server left something else in the place of a
// file of the tokenizer's, which would be copied as it is.
func tokenizerDelivered(from *model.Loaded) error {
	if from.GGUF != nil {
		return nil
	}
	for _, name := range tokenizerFiles {
		path := filepath.Join(from.Path, name)
		text, err := store.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		// A template, and a list of merges, may well be empty.
		if err == nil && (len(text) > 0 || filepath.Ext(name) == ".json") {
			err = store.Mistaken(text)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// TokenizerFiles are the files of a checkpoint's tokenizer, as a Hugging Face folder has
// them, by name: those beside the weights, or made from a GGUF file's vocabulary, where it
// has one that tokenizer.json can hold. warn is told what is left out.
func TokenizerFiles(from *model.Loaded, warn func(string)) (map[string][]byte, error) {
	if from.GGUF != nil {
		text, err := tokenizer.ReadGGUF(from.GGUF).JSON()
		if err != nil {
			// There is no vocabulary, or one that only llama.cpp knows.
			if _, ok := from.GGUF.Get("tokenizer.ggml.tokens"); ok {
				warn(fmt.Sprintf("the folder has no tokenizer: %v", err))
			}
			return nil, nil
		}
		settings, err := settingsOf(from.GGUF, from.Config.T)
		if err != nil {
			return nil, err
		}
		return map[string][]byte{"tokenizer.json": text, "tokenizer_config.json": settings}, nil
	}
	files := map[string][]byte{}
	for _, name := range tokenizerFiles {
		text, err := store.ReadFile(filepath.Join(from.Path, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		files[name] = text
	}
	others, err := templateFiles(from.Path)
	if err != nil {
		return nil, err
	}
	for _, path := range others {
		if files[filepath.Join(templateFolder, filepath.Base(path))], err = store.ReadFile(path); err != nil {
			return nil, err
		}
	}
	// A run keeps tokenizer.json alone and its special ids in config.yaml. Hugging Face's
	// AutoTokenizer looks for the tokens in files beside it, and without them knows no end
	// of text.
	if files["tokenizer.json"] == nil || files["tokenizer_config.json"] != nil || files["special_tokens_map.json"] != nil {
		return files, nil
	}
	settings, err := settingsFor(from, files["tokenizer.json"], warn)
	if err != nil {
		warn(fmt.Sprintf("the folder has no tokenizer_config.json: %v", err))
		return files, nil
	}
	files["tokenizer_config.json"] = settings
	return files, nil
}

// writeTokenizer writes the files of the tokenizer: those beside the first adapter that is merged, and the
// model's where that folder has no tokenizer.
func writeTokenizer(dir string, from *model.Loaded, adapters []Adapter, warn func(string)) (err error) {
	adapter := ""
	if len(adapters) > 0 {
		adapter = adapters[0].Folder
	}
	var files map[string][]byte
	if adapter == "" || !exists(filepath.Join(adapter, "tokenizer.json")) {
		files, err = TokenizerFiles(from, warn)
	}
	if files == nil {
		files = map[string][]byte{}
	}
	for _, name := range tokenizerFiles {
		text, missing := store.ReadFile(filepath.Join(adapter, name))
		if adapter == "" || errors.Is(missing, fs.ErrNotExist) {
			continue
		}
		files[name], err = text, errors.Join(err, missing)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		err = errors.Join(err, store.WriteFile(filepath.Join(dir, name), files[name]))
	}
	return err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// newSettings begins a tokenizer_config.json.
func newSettings() map[string]any {
	return map[string]any{"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": false}
}

// settingsFor makes the tokenizer_config.json of a tokenizer.json that has none, from the
// model's special ids. Hugging Face takes every token that is named there for a special one: it
// splits texts at it, and leaves it out of decoded ones. An id that is an ordinary token, as a
// newline or the first byte, is therefore not named. Padding, which nearly every script asks for,
// is then a token that says so, or the end of text.
func settingsFor(from *model.Loaded, text []byte, warn func(string)) ([]byte, error) {
	var t struct {
		Added []struct {
			ID      int32
			Content string
		} `json:"added_tokens"`
	}
	if err := pyjson.Unmarshal(text, &t); err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	added, padding := map[int32]string{}, ""
	for _, a := range t.Added {
		added[a.ID] = a.Content
		if padding == "" && isPadding().MatchString(a.Content) {
			padding = a.Content
		}
	}
	m, c := newSettings(), from.Config
	for _, s := range []struct {
		key, what string
		id        int32
	}{{"bos_token", "beginning of text", c.BOS}, {"eos_token", "end of text", c.EOS}, {"pad_token", "padding", c.PAD}} {
		switch token, ok := added[s.id]; {
		case ok:
			m[s.key] = token
		case s.id >= 0 && s.key != "pad_token":
			warn(fmt.Sprintf("the %s, id %d, is an ordinary token of the tokenizer, which Hugging Face would leave out of texts: tokenizer_config.json has no %s", s.what, s.id, s.key))
		}
	}
	if m["pad_token"] == nil {
		if eos, _ := m["eos_token"].(string); padding == "" {
			padding = eos
		}
		if padding != "" {
			m["pad_token"] = padding
			warn(fmt.Sprintf("the model's padding, id %d, is no special token of the tokenizer: pad_token is %s", c.PAD, padding))
		}
	}
	m["model_max_length"] = c.T
	return pyjson.Indented(m)
}

// isPadding knows the usual names of padding.
var isPadding = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)^[<\[|]*pad(ding)?[|\]>]*$`)
})

// settingsOf returns the tokenizer_config.json of a GGUF file's vocabulary.
func settingsOf(g *weights.GGUF, context int) ([]byte, error) {
	m := newSettings()
	m["model_max_length"] = context
	list, _ := g.Get("tokenizer.ggml.tokens")
	tokens, _ := list.([]string)
	for name, key := range map[string]string{"bos": "bos_token", "eos": "eos_token", "unknown": "unk_token", "padding": "pad_token"} {
		if id, ok := g.Int("tokenizer.ggml." + name + "_token_id"); ok && id >= 0 && id < len(tokens) {
			m[key] = tokens[id]
		}
	}
	if v := templatesOf(g); v != nil {
		m["chat_template"] = v
	}
	if v, ok := g.Get("tokenizer.ggml.add_bos_token"); ok {
		m["add_bos_token"] = v
	}
	return pyjson.Indented(m)
}

// tokenizerOf returns the part of a file's metadata that is the tokenizer's.
func tokenizerOf(g *weights.GGUF) []weights.KV {
	var out []weights.KV
	for _, kv := range g.KV {
		if strings.HasPrefix(kv.Key, "tokenizer.") {
			out = append(out, kv)
		}
	}
	return out
}

// ggufVocabulary returns the metadata of the tokenizer beside a model, padded to the
// model's ids. An error means that a GGUF file cannot hold it.
func ggufVocabulary(l *model.Loaded) ([]weights.KV, error) {
	text, err := tokenizer.ReadFile(l.Tokenizer)
	if err != nil {
		return nil, err
	}
	v, err := tokenizer.GGUFOf(text, l.Config.V)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.Tokenizer, err)
	}
	kv := []weights.KV{
		{Key: "tokenizer.ggml.model", Value: v.Model},
		{Key: "tokenizer.ggml.pre", Value: v.Pre},
		{Key: "tokenizer.ggml.tokens", Value: v.Tokens},
	}
	if v.Scores != nil {
		kv = append(kv, weights.KV{Key: "tokenizer.ggml.scores", Value: v.Scores})
	}
	kv = append(kv, weights.KV{Key: "tokenizer.ggml.token_type", Value: v.Types})
	if v.Merges != nil {
		kv = append(kv, weights.KV{Key: "tokenizer.ggml.merges", Value: v.Merges})
	}
	return appendSpecials(kv, l, v)
}

// appendSpecials adds the special ids, whether a text begins with one (tokenizer.json's
// word, unless tokenizer_config.json has another), and the chat template.
func appendSpecials(kv []weights.KV, l *model.Loaded, v tokenizer.GGUFVocab) ([]weights.KV, error) {
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
		id := s.id
		token := settings[s.key]
		if token == nil && s.name == "bos" && v.BOS >= 0 {
			id = v.BOS
		}
		if m, ok := token.(map[string]any); ok {
			token = m["content"]
		}
		if content, ok := token.(string); ok {
			if n, ok := v.Added(content); ok {
				id = n
			}
		}
		if id >= 0 {
			kv = append(kv, weights.KV{Key: "tokenizer.ggml." + s.name + "_token_id", Value: uint32(id)})
		}
	}
	addsBOS, ok := settings["add_bos_token"].(bool)
	kv = append(kv, weights.KV{Key: "tokenizer.ggml.add_bos_token", Value: addsBOS || !ok && v.AddBOS})
	if addsEOS, ok := settings["add_eos_token"].(bool); ok {
		kv = append(kv, weights.KV{Key: "tokenizer.ggml.add_eos_token", Value: addsEOS})
	}
	templates, err := chatTemplates(dir, settings)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, "tokenizer_config.json"), err)
	}
	return appendTemplates(kv, templates)
}

// readObject reads a JSON object; of a missing file nothing.
func readObject(path string) (map[string]any, error) {
	m, err := pyjson.ReadObject(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return m, err
}
