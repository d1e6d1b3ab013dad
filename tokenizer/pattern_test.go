package tokenizer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// TestPatternTable compares expressions with what Hugging Face tokenizers 0.23.3
// makes of them (testdata/patterns.py): the same pieces and replacements, and an
// error where it has one. What is left out here must say so.
func TestPatternTable(t *testing.T) {
	type patternCase struct {
		Text     int
		Behavior string
		Invert   bool
		Pieces   []string
		Replaced *string
	}
	type row struct {
		Pattern string
		Error   string
		Cases   []patternCase
		Texts   []string
	}
	var rows []row
	lines := bufio.NewScanner(bytes.NewReader(readGzip(t, "testdata/patterns.jsonl.gz")))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r row
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	texts := rows[len(rows)-1].Texts
	behaviors := map[string]splitBehavior{
		"removed": splitRemoved, "isolated": splitIsolated, "contiguous": splitContiguous,
		"merged_with_previous": splitMergedWithPrevious, "merged_with_next": splitMergedWithNext,
	}
	leftOut := 0
	for _, r := range rows[:len(rows)-1] {
		m, err := compilePattern(r.Pattern)
		switch {
		case r.Error != "" && err == nil:
			t.Errorf("%q is taken, want an error: %s", r.Pattern, r.Error)
			continue
		case r.Error != "":
			continue
		case err != nil && strings.Contains(err.Error(), "supported"):
			leftOut++
			continue
		case err != nil:
			t.Errorf("%q: %v", r.Pattern, err)
			continue
		}
		for _, c := range r.Cases {
			text := texts[c.Text]
			p := newPiece(text)
			var pieces []string
			preSequence{splitOn{m, behaviors[c.Behavior], c.Invert}}.cut(p, func(q piece) {
				if q.text != "" {
					pieces = append(pieces, q.text)
				}
			})
			if !slices.Equal(pieces, c.Pieces) {
				t.Errorf("%q %s, invert %t, on %q: %q, want %q", r.Pattern, c.Behavior, c.Invert, text, pieces, c.Pieces)
				break
			}
			replaceNormalizer{m, "‹›"}.normalize(&p)
			if p.text != *c.Replaced {
				t.Errorf("%q replaced in %q: %q, want %q", r.Pattern, text, p.text, *c.Replaced)
				break
			}
		}
	}
	if most := 25; leftOut > most {
		t.Errorf("%d expressions are not supported, at most %d were left out", leftOut, most)
	}
}
