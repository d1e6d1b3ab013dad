package convert

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"olmo/model"
	"olmo/tensor"
	"olmo/tokenizer"
	"olmo/weights"
)

// TestVocabularies takes tokenizers of published models into the metadata of a GGUF file
// and back: the same ids.
func TestVocabularies(t *testing.T) {
	golden := os.Getenv("OLMO_GOLDEN")
	if golden == "" {
		t.Skip("OLMO_GOLDEN names no folder of reference fixtures")
	}
	if testing.Short() {
		t.Skip("the vocabularies are large")
	}
	texts := []string{
		"The quick brown fox's 12345 jumps,\n\n  over:\tthe lazy dog!  ", "func main() { fmt.Println(\"naïve café 東京 🙂\") }\r\n", "I'LL we've 3.14159 <|endoftext|> </s> x",
	}
	for _, c := range []struct {
		name, rule string
		V          int
	}{
		{"dolma2", "dbrx", 100352}, {"llama3", "llama-bpe", 128256}, {"neox-olmo-dolma-v1_5", "gpt-2", 50304}, {"smollm2", "smollm", 49152}, {"llama2", "default", 32000},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := os.Open(filepath.Join(golden, "tokenizer", "tokenizers", c.name+".json.gz"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			z, err := gzip.NewReader(f)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(z)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "tokenizer.json")
			if err := os.WriteFile(file, text, 0o666); err != nil {
				t.Fatal(err)
			}
			kv, err := ggufVocabulary(&model.Loaded{Config: &model.Config{V: c.V, BOS: 1, EOS: 2, PAD: -1}, Tokenizer: file})
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "v.gguf")
			if err := weights.WriteGGUF(path, kv, nil); err != nil {
				t.Fatal(err)
			}
			g, err := weights.OpenGGUF(path)
			if err != nil {
				t.Fatal(err)
			}
			defer g.Close()
			if v := tokenizer.ReadGGUF(g); v.Pre != c.rule {
				t.Errorf("words are split by %q, want %q", v.Pre, c.rule)
			}
			back, err := tokenizer.FromGGUF(tokenizer.ReadGGUF(g))
			if err != nil {
				t.Fatal(err)
			}
			want, err := tokenizer.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range texts {
				if got, want := encoded(t, back, s), encoded(t, want, s); !slices.Equal(got, want) {
					t.Errorf("%q: ids %v, want %v", s, got, want)
				}
			}
		})
	}
}

func encoded(t *testing.T, k *tokenizer.Tokenizer, text string) []int32 {
	t.Helper()
	e, err := k.Encode(text, true)
	if err != nil {
		t.Fatal(err)
	}
	return e.IDs
}

// TestLlamaCppVocabulary: what is written of a tokenizer is what llama.cpp's own converter
// writes of it (model/testdata/llamacpp.py names the commit), and the tokenizer made of
// that converter's file is the folder's own.
func TestLlamaCppVocabulary(t *testing.T) {
	texts := []string{"the cat's 1234 mats, THERE!\n\n  <tool>the<|endoftext|> é", " 12 at\r\nthe the"}
	for _, family := range []string{"gpt2", "gptneox", "llama", "llama_scaled", "mistral", "mixtral", "mpt", "olmo", "olmo2", "olmo3", "olmoe"} {
		t.Run(family, func(t *testing.T) {
			dir := filepath.Join("..", "model", "testdata", "llamacpp", family)
			from, err := model.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer from.Close()
			theirs, err := weights.OpenGGUF(filepath.Join(dir, "model.gguf"))
			if err != nil {
				t.Fatal(err)
			}
			defer theirs.Close()
			kv, err := ggufVocabulary(from)
			if err != nil {
				t.Fatal(err)
			}
			ours := map[string]any{}
			for _, x := range kv {
				ours[x.Key] = x.Value
			}
			for _, x := range tokenizerOf(theirs) {
				want := x.Value
				if want == "olmo" || want == "mpt" { // words are cut alike, the tokenizer.json does not tell
					want = "gpt-2"
				}
				if got := ours[x.Key]; !reflect.DeepEqual(got, want) {
					t.Errorf("%s is %.200v, want %.200v", x.Key, got, want)
				}
			}
			if got := ours["tokenizer.ggml.add_bos_token"]; got != false {
				t.Errorf("add_bos_token is %v", got)
			}
			read, err := tokenizer.FromGGUF(tokenizer.ReadGGUF(theirs))
			if err != nil {
				t.Fatal(err)
			}
			own, err := tokenizer.Load(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range texts {
				if got, want := encoded(t, read, s), encoded(t, own, s); !slices.Equal(got, want) {
					t.Errorf("%q: ids %v, want %v", s, got, want)
				}
			}
		})
	}
}

// TestRunFromLlamaCpp takes the converter's file to a Hugging Face folder: the numbers of
// the folder that it was made of, and its special tokens.
func TestRunFromLlamaCpp(t *testing.T) {
	for _, family := range []string{"olmo", "llama"} {
		t.Run(family, func(t *testing.T) {
			dir := filepath.Join("..", "model", "testdata", "llamacpp", family)
			out := filepath.Join(t.TempDir(), "hf")
			if _, err := Run(t.Context(), Options{From: filepath.Join(dir, "model.gguf"), To: model.HuggingFace, Out: out, DType: tensor.BF16}); err != nil {
				t.Fatal(err)
			}
			var digests [2][32]byte
			for i, path := range []string{dir, out} {
				set, err := weights.Open(path)
				if err != nil {
					t.Fatal(err)
				}
				if digests[i], err = set.Digest(); err != nil {
					t.Fatal(err)
				}
				set.Close()
			}
			if digests[0] != digests[1] {
				t.Error("the weights are not those of the folder")
			}
			settings, err := readObject(filepath.Join(out, "tokenizer_config.json"))
			if err != nil || settings["eos_token"] != "<|endoftext|>" || settings["pad_token"] != "<|padding|>" {
				t.Errorf("tokenizer_config.json is %v (%v)", settings, err)
			}
		})
	}
}

// TestSpecials: what tokenizer_config.json says of special tokens goes before the model's
// ids and before tokenizer.json, and a template beside it before the one inside.
func TestSpecials(t *testing.T) {
	const file = `{"version": "1.0",
		"added_tokens": [{"id": 0, "content": "<s>", "special": true}, {"id": 1, "content": "</s>", "special": true}, {"id": 4, "content": "<unk>", "special": true}],
		"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
		"post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]},
		"model": {"type": "BPE", "vocab": {"<s>": 0, "</s>": 1, "a": 2, "b": 3, "<unk>": 4}, "merges": []}}`
	for _, c := range []struct {
		name, settings, template string
		want                     map[string]any
	}{
		{"tokenizer.json alone", "", "", map[string]any{"bos_token_id": uint32(0), "eos_token_id": uint32(3), "padding_token_id": nil, "unknown_token_id": nil, "add_bos_token": true}},
		{
			"tokens as strings and objects", `{"bos_token": "</s>", "eos_token": {"content": "<s>"}, "pad_token": "</s>", "unk_token": "<unk>", "add_bos_token": false, "chat_template": "old"}`, "",
			map[string]any{"bos_token_id": uint32(1), "eos_token_id": uint32(0), "padding_token_id": uint32(1), "unknown_token_id": uint32(4), "add_bos_token": false, "chat_template": "old"},
		},
		{"a token that is not there, a template beside", `{"eos_token": "<end>", "chat_template": "old"}`, "new", map[string]any{"eos_token_id": uint32(3), "chat_template": "new", "bos_token_id": uint32(0)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range map[string]string{"tokenizer.json": file, "tokenizer_config.json": c.settings, "chat_template.jinja": c.template} {
				if text != "" {
					if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
						t.Fatal(err)
					}
				}
			}
			kv, err := ggufVocabulary(&model.Loaded{Config: &model.Config{V: 6, BOS: -1, EOS: 3, PAD: -1}, Tokenizer: filepath.Join(dir, "tokenizer.json")})
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]any{}
			for _, x := range kv {
				_, key, _ := strings.Cut(x.Key, "tokenizer.")
				got[strings.TrimPrefix(key, "ggml.")] = x.Value
			}
			for key, want := range c.want {
				if got[key] != want {
					t.Errorf("%s is %v, want %v", key, got[key], want)
				}
			}
		})
	}
}

// TestChatTemplates: a model's templates, in each of the forms in which folders have them, are those
// that gguf 0.19 of PyPI writes of a list, and come back as one.
func TestChatTemplates(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  map[string]any
		back  string
	}{
		{"one", map[string]string{"tokenizer_config.json": `{"chat_template": "D"}`}, map[string]any{"tokenizer.chat_template": "D"}, `"D"`},
		{
			"a list",
			map[string]string{"tokenizer_config.json": `{"chat_template": [{"name": "tool use", "template": "T"}, {"name": "default", "template": "D"}, {"name": "rag", "template": "R"}]}`},
			map[string]any{"tokenizer.chat_template": "D", "tokenizer.chat_template.rag": "R", "tokenizer.chat_template.tool_use": "T", "tokenizer.chat_templates": []string{"rag", "tool_use"}},
			`[{"name":"default","template":"D"},{"name":"rag","template":"R"},{"name":"tool_use","template":"T"}]`,
		},
		{
			"an object without a default",
			map[string]string{"tokenizer_config.json": `{"chat_template": {"rag": "R"}}`},
			map[string]any{"tokenizer.chat_template.rag": "R", "tokenizer.chat_templates": []string{"rag"}},
			`[{"name":"rag","template":"R"}]`,
		},
		{
			"files",
			map[string]string{"tokenizer_config.json": `{"chat_template": "old"}`, "chat_template.jinja": "D", "additional_chat_templates/rag.jinja": "R"},
			map[string]any{"tokenizer.chat_template": "D", "tokenizer.chat_template.rag": "R", "tokenizer.chat_templates": []string{"rag"}},
			`[{"name":"default","template":"D"},{"name":"rag","template":"R"}]`,
		},
		{"none", nil, map[string]any{}, "null"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range c.files {
				path := filepath.Join(dir, filepath.FromSlash(name))
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte(text), 0o666)); err != nil {
					t.Fatal(err)
				}
			}
			settings, err := readObject(filepath.Join(dir, "tokenizer_config.json"))
			if err != nil {
				t.Fatal(err)
			}
			list, err := chatTemplates(dir, settings)
			if err != nil {
				t.Fatal(err)
			}
			kv, err := appendTemplates(nil, list)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]any{}
			for _, x := range kv {
				got[x.Key] = x.Value
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
			back, err := json.Marshal(templatesOf(&weights.GGUF{KV: kv}))
			if err != nil || string(back) != c.back {
				t.Errorf("back in tokenizer_config.json: %s, %v, want %s", back, err, c.back)
			}
		})
	}
	for text, want := range map[string]string{
		`{"chat_template": 5}`:             "neither a text nor several by name",
		`{"chat_template": [{"name": 1}]}`: "neither a text nor several by name",
		`{"chat_template": [{"name": "a-b", "template": "1"}, {"name": "a b", "template": "2"}]}`: `would be called "a_b" in a GGUF file, as another is`,
	} {
		var settings map[string]any
		if err := json.Unmarshal([]byte(text), &settings); err != nil {
			t.Fatal(err)
		}
		list, err := chatTemplates(t.TempDir(), settings)
		if err == nil {
			_, err = appendTemplates(nil, list)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// TestSettingsFor: only special tokens are named, because AutoTokenizer leaves what is named out
// of texts, and padding is there wherever the end of text is.
func TestSettingsFor(t *testing.T) {
	const end, pad = `{"id": 0, "content": "<|end|>"}`, `{"id": 1, "content": "<pad>"}`
	for _, c := range []struct {
		name, added       string
		bos, eos, pad     int32
		wantEOS, wantPad  any
		told, wantNotTold string
	}{
		{"as the model says", end + "," + pad, -1, 0, 1, "<|end|>", "<pad>", "", "padding"},
		{"the end of text pads", end, -1, 0, 0, "<|end|>", "<|end|>", "", "padding"},
		{"an ordinary token pads", end, -1, 0, 5, "<|end|>", "<|end|>", "the model's padding, id 5", ""},
		{"an ordinary token pads, and there is padding", end + "," + pad, -1, 0, 5, "<|end|>", "<pad>", "pad_token is <pad>", ""},
		{"no padding", end, -1, 0, -1, "<|end|>", "<|end|>", "pad_token is <|end|>", ""},
		{"a newline ends", end, -1, 10, 1, nil, nil, "the end of text, id 10, is an ordinary token", "pad_token is"},
		{"no special tokens", "", -1, 0, 1, nil, nil, "tokenizer_config.json has no eos_token", "pad_token is"},
	} {
		t.Run(c.name, func(t *testing.T) {
			told := ""
			l := &model.Loaded{Config: &model.Config{BOS: c.bos, EOS: c.eos, PAD: c.pad, T: 99}}
			text, err := settingsFor(l, []byte(`{"added_tokens": [`+c.added+`]}`), func(what string) { told += what + "\n" })
			if err != nil {
				t.Fatal(err)
			}
			var m map[string]any
			if err := json.Unmarshal(text, &m); err != nil {
				t.Fatal(err)
			}
			if m["eos_token"] != c.wantEOS || m["pad_token"] != c.wantPad || m["bos_token"] != nil || m["model_max_length"] != 99.0 {
				t.Errorf("%s", text)
			}
			if !strings.Contains(told, c.told) || c.wantNotTold != "" && strings.Contains(told, c.wantNotTold) {
				t.Errorf("told %q", told)
			}
		})
	}
}
