package tokenizer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// TestOddFiles reads odd tokenizer.json files as Hugging Face tokenizers 0.23.3
// does (testdata/odd.py): the same ids, offsets and texts, an error where it has
// one. Files that only one of the two takes are named here.
func TestOddFiles(t *testing.T) {
	// What the reference takes and we refuse, and with which words.
	refused := map[string]string{
		"dropout 1.0": "model.dropout: 1: merges left out at random are not supported",
		`pre-tokenizer {"type": "FixedLength", "length": 0}`: "length 0 is not positive", // refuses every text
	}
	// Templates that drop the text, take it twice, or want a second one.
	const template = `post-processor {"type": "TemplateProcessing", `
	// What the reference refuses and we take, and why.
	taken := map[string]string{
		"byte order mark":     "Windows tools write it",
		"added tokens: id -1": "the number is not used",
		"added tokens: null":  "there are none",
		`pre-tokenizer {"type": "Metaspace", "replacement": "_", "add_prefix_space": false}`: "it is how never was written once",
		`decoder {"type": "Metaspace", "replacement": "▁", "add_prefix_space": false}`:       "the same",
	}
	lines := bufio.NewScanner(bytes.NewReader(readGzip(t, "testdata/odd.jsonl.gz")))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var row struct {
			Name, File, Error string
			Cases             []struct {
				Text, Error string
				IDs         []int32
				Offsets     [][2]int
			}
			Decoded []struct {
				IDs  []int32
				Text string
			}
		}
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		tok, err := Parse([]byte(row.File))
		words := refused[row.Name]
		if err != nil && strings.HasPrefix(row.Name, template) {
			words = "TemplateProcessing: single"
		}
		// A field that has a default need not be there.
		lacks := strings.Contains(row.Error, "missing field") || strings.Contains(row.Error, "did not match any variant")
		switch {
		case words != "":
			if err == nil || !strings.Contains(err.Error(), words) {
				t.Errorf("%s: error %v, want one with %q", row.Name, err, words)
			}
			continue
		case err != nil && row.Error == "":
			t.Errorf("%s: %v", row.Name, err)
			continue
		case err == nil && row.Error != "" && !lacks && taken[row.Name] == "":
			t.Errorf("%s is read, want an error: %s", row.Name, row.Error)
			continue
		case err != nil || row.Error != "":
			continue
		}
		for _, c := range row.Cases {
			e, err := tok.Encode(c.Text, true)
			if c.Error != "" {
				if err == nil {
					t.Errorf("%s: Encode(%q) = %v, want an error: %s", row.Name, c.Text, e.IDs, c.Error)
				}
				continue
			}
			if err != nil || !slices.Equal(e.IDs, c.IDs) || !slices.Equal(e.Offsets, c.Offsets) {
				t.Errorf("%s: Encode(%q) = %v, %v, %v, want %v, %v", row.Name, c.Text, e.IDs, e.Offsets, err, c.IDs, c.Offsets)
			}
		}
		for _, d := range row.Decoded {
			if got := tok.Decode(d.IDs, false); got != d.Text {
				t.Errorf("%s: Decode(%v) = %q, want %q", row.Name, d.IDs, got, d.Text)
			}
		}
	}
}
