package tokens_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"olmo/data"
	"olmo/data/tokens"
	"olmo/store"
	"olmo/tokenizer"
)

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestTrainTokenizer(t *testing.T) {
	t.Chdir(t.TempDir())
	writeFile(t, "a.jsonl", "{\"text\":\"low lower lowest\"}\nbad\n{\"text\":\"low low\"}\n")
	cfg := tokens.TokenizerConfig{Inputs: []string{"a.jsonl"}, Output: "t.json", TrainConfig: tokenizer.TrainConfig{VocabSize: 260, PreTokenizer: "gpt2"}}
	text, err := tokens.TrainTokenizer(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile("t.json"); err != nil || string(got) != string(text) {
		t.Errorf("the file differs from what was returned: %v", err)
	}
	if rejects, err := os.ReadFile("rejects/tokenizer/a.jsonl.rejects.jsonl"); err != nil || !strings.Contains(string(rejects), `"line":2`) {
		t.Errorf("the rejects are %s, %v", rejects, err)
	}

	for _, c := range []struct {
		name, input, output, want string
		is                        error
	}{
		{"no text", "{\"text\":\"\"}\n", "t.json", "there is no text to learn from", data.ErrNothing},
		{"bad lines only", "{\"id\":\"1\"}\n", "t.json", `no field "text"`, data.ErrNothing},
		{"onto its input", "{\"text\":\"a b\"}\n", "b.jsonl", "b.jsonl", store.ErrClash},
	} {
		t.Run(c.name, func(t *testing.T) {
			writeFile(t, "b.jsonl", c.input)
			cfg := cfg
			cfg.Inputs, cfg.Output = []string{"b.jsonl"}, c.output
			for range 2 { // run again it fails again
				_, err := tokens.TrainTokenizer(context.Background(), cfg)
				if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want %v with %q", err, c.is, c.want)
				}
			}
			if got, err := os.ReadFile("t.json"); err != nil || string(got) != string(text) {
				t.Errorf("the earlier tokenizer is not what it was: %v", err)
			}
			if got, err := os.ReadFile("b.jsonl"); err != nil || string(got) != c.input {
				t.Errorf("the input is not what it was: %v", err)
			}
		})
	}
}
