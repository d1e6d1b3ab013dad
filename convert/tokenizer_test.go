package convert

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"olmo/model"
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
				got, want := back.Encode(s, true).IDs, want.Encode(s, true).IDs
				if !slices.Equal(got, want) {
					t.Errorf("%q: ids %v, want %v", s, got, want)
				}
			}
		})
	}
}
