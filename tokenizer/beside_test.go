package tokenizer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestLoadFolder reads folders whose special tokens stand beside tokenizer.json,
// as AutoTokenizer of Transformers 5.23 does (testdata/beside.py).
func TestLoadFolder(t *testing.T) {
	text, err := os.ReadFile("testdata/beside.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Name, Text, Plain, Error string
		Files                    map[string]json.RawMessage
		IDs                      []int32
		Size                     int
	}
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		t.Run(r.Name, func(t *testing.T) {
			dir := t.TempDir()
			for name, content := range r.Files {
				if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			tok, err := Load(dir)
			if err != nil {
				t.Fatal(err)
			}
			e, err := tok.Encode(r.Text, true)
			if err != nil || !slices.Equal(e.IDs, r.IDs) {
				t.Errorf("Encode(%q) = %v, %v, want %v", r.Text, e.IDs, err, r.IDs)
			}
			if got := tok.Decode(r.IDs, true); got != r.Plain {
				t.Errorf("Decode(%v) = %q, want %q", r.IDs, got, r.Plain)
			}
			if got := tok.VocabSize(); got != r.Size {
				t.Errorf("VocabSize() = %d, want %d", got, r.Size)
			}
			alone, err := Load(filepath.Join(dir, "tokenizer.json"))
			if err != nil {
				t.Fatal(err)
			}
			if more := len(tok.added) > len(alone.added); more != (tok.Fingerprint() != alone.Fingerprint()) && more {
				t.Error("the folder and the file alone have one fingerprint, and other tokens")
			}
		})
	}
}
