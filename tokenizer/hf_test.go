package tokenizer

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"
)

// TestReference runs random tokenizers of all kinds against what Hugging Face
// tokenizers 0.23.3 answered (testdata/hf_cases.py).
func TestReference(t *testing.T) {
	files, err := filepath.Glob("testdata/hf/*.json.gz")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in testdata/hf: %v", err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			var f struct {
				Tokenizer json.RawMessage
				Cases     []struct {
					Text          string
					IDs           []int32
					Offsets       [][2]int
					SpecialIDs    []int32  `json:"ids2"`
					SpecialPlaces [][2]int `json:"offsets2"`
					Decoded       *string
					Skip          string
					RandomIDs     []int32 `json:"rids"`
					RandomText    string  `json:"rdec"`
				}
			}
			if err := json.Unmarshal(readGzip(t, path), &f); err != nil {
				t.Fatal(err)
			}
			tok, err := Parse(f.Tokenizer)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range f.Cases {
				if e := must(tok.Encode(c.Text, false)); !slices.Equal(e.IDs, c.IDs) || !slices.Equal(e.Offsets, c.Offsets) {
					t.Errorf("Encode(%q) = %v, %v, want %v, %v", c.Text, e.IDs, e.Offsets, c.IDs, c.Offsets)
				}
				if ids, want := must(tok.AppendEncode(nil, c.Text)), must(tok.EncodeText(c.Text)).IDs; !slices.Equal(ids, want) {
					t.Errorf("AppendEncode(%q) = %v, want %v", c.Text, ids, want)
				}
				if e := must(tok.Encode(c.Text, true)); !slices.Equal(e.IDs, c.SpecialIDs) || !slices.Equal(e.Offsets, c.SpecialPlaces) {
					t.Errorf("Encode(%q, addSpecial) = %v, %v, want %v, %v", c.Text, e.IDs, e.Offsets, c.SpecialIDs, c.SpecialPlaces)
				}
				if c.Decoded != nil {
					if got := tok.Decode(c.SpecialIDs, false); got != *c.Decoded {
						t.Errorf("Decode(%v) = %q, want %q", c.SpecialIDs, got, *c.Decoded)
					}
					if got := tok.Decode(c.SpecialIDs, true); got != c.Skip {
						t.Errorf("Decode(%v, skipSpecial) = %q, want %q", c.SpecialIDs, got, c.Skip)
					}
				}
				if c.RandomIDs != nil {
					if got := tok.Decode(c.RandomIDs, false); got != c.RandomText {
						t.Errorf("Decode(%v) = %q, want %q", c.RandomIDs, got, c.RandomText)
					}
				}
			}
		})
	}
}
