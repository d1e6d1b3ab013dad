package cli

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/store"
)

// TestTokenizerOutputsFail: whatever fails while a verb writes its output, the earlier
// one is there, whole and alone.
func TestTokenizerOutputsFail(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	corpus := `{"id":"x","text":"the cat and the other cat, that's all"}` + "\n"
	if err := os.WriteFile("corpus.jsonl", []byte(corpus), 0o666); err != nil {
		t.Fatal(err)
	}
	olmo := func(line string) error {
		c := newRootCommand()
		c.SetArgs(strings.Fields(line))
		c.SetOut(io.Discard)
		c.SetErr(io.Discard)
		return c.Execute()
	}
	full := errors.New("no space left on device")
	for _, c := range []struct{ output, first, again string }{
		{"tokenizer.json", "tokenizer train --input corpus.jsonl --vocab-size 262 --output tokenizer.json", "tokenizer train --input corpus.jsonl --vocab-size 264 --output tokenizer.json"},
		{"ids.jsonl.zst", "tokenizer encode --tokenizer tokenizer.json --input corpus.jsonl --output ids.jsonl.zst", "tokenizer encode --tokenizer tokenizer.json --input corpus.jsonl --offsets --output ids.jsonl.zst"},
		{"text.jsonl.gz", "tokenizer decode --tokenizer tokenizer.json --input ids.jsonl.zst --output text.jsonl.gz", "tokenizer decode --tokenizer tokenizer.json --input ids.jsonl.zst --skip-special-tokens --output text.jsonl.gz"},
	} {
		if err := olmo(c.first); err != nil {
			t.Fatalf("%s: %v", c.first, err)
		}
		want, err := os.ReadFile(c.output)
		if err != nil {
			t.Fatal(err)
		}
		before := listing(t, dir)
		for _, op := range []store.Op{store.OpCreate, store.OpWrite, store.OpSync, store.OpRename} {
			undo := store.InjectFaults(func(o store.Op, _ string) error {
				if o == op {
					return full
				}
				return nil
			})
			err := olmo(c.again)
			undo()
			got, _ := os.ReadFile(c.output)
			if !errors.Is(err, full) || !strings.Contains(err.Error(), c.output) || string(got) != string(want) || !slices.Equal(listing(t, dir), before) {
				t.Errorf("%s: %s fails: error %v, there are %v, and the earlier output is the same: %v", c.again, op, err, listing(t, dir), string(got) == string(want))
			}
		}
	}
	// The same for an input that is gone, and with --strict one that is damaged at its end.
	want, _ := os.ReadFile("tokenizer.json")
	for _, text := range []string{"", corpus + `{"text":"x`} {
		if err := os.Remove("corpus.jsonl"); err != nil {
			t.Fatal(err)
		}
		if text != "" {
			if err := os.WriteFile("corpus.jsonl", []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		err := olmo("tokenizer train --strict --input corpus.jsonl --vocab-size 270 --output tokenizer.json")
		if got, _ := os.ReadFile("tokenizer.json"); err == nil || !strings.Contains(err.Error(), "corpus.jsonl") || string(got) != string(want) {
			t.Errorf("with a corpus of %q: error %v, the earlier tokenizer is the same: %v", text, err, string(got) == string(want))
		}
		if text == "" {
			if err := os.WriteFile("corpus.jsonl", nil, 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// listing names the files of a folder, hidden ones too.
func listing(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, filepath.Base(e.Name()))
	}
	return names
}
