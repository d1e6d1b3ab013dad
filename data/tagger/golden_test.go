package tagger_test

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/data"
	"olmo/data/tagger"
)

// goldenData is the folder of Dolma's own outputs; the test is skipped where
// it is not at hand.
func goldenData(t *testing.T) string {
	root := os.Getenv("OLMO_GOLDEN")
	if root == "" {
		t.Skip("OLMO_GOLDEN is not set: no outputs of Dolma to compare with")
	}
	return filepath.Join(root, "data")
}

// copyDocuments links the golden documents below a folder of the test's own.
func copyDocuments(t *testing.T, from string) string {
	base := t.TempDir()
	for _, f := range []string{"a-0000.jsonl.gz", "a-0001.jsonl.gz", "sub/b.json.gz", "short.jsonl.gz", "q.jsonl.gz"} {
		b, err := os.ReadFile(filepath.Join(from, "documents", f))
		if err != nil {
			continue
		}
		to := filepath.Join(base, "documents", f)
		os.MkdirAll(filepath.Dir(to), 0o777)
		if err := os.WriteFile(to, b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return base
}

// compareAttributes compares two attribute files row by row and returns how
// many rows it compared.
func compareAttributes(t *testing.T, got, want string, tolerance float64) (rows int) {
	t.Helper()
	g, err := data.OpenReader(got)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer g.Close()
	w, err := data.OpenReader(want)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer w.Close()
	bad := 0
	for ; bad < 500; rows++ {
		wl, werr := w.NextLine()
		gl, gerr := g.NextLine()
		if gerr == io.EOF && werr == io.EOF {
			return rows
		}
		if gerr != nil || werr != nil {
			t.Errorf("%s: row %d: got %v, want %v", got, rows+1, gerr, werr)
			return rows
		}
		var a, b data.AttributeRow
		if err := data.ParseAttributes(gl.Bytes, &a); err != nil {
			t.Error(err)
			return rows
		}
		if err := data.ParseAttributes(wl.Bytes, &b); err != nil {
			t.Error(err)
			return rows
		}
		if diff := diffRows(a, b, tolerance); diff != "" {
			t.Errorf("%s: row %d (%s): %s", got, rows+1, b.ID, diff)
			bad++
		}
	}
	return rows
}

func diffRows(got, want data.AttributeRow, tolerance float64) string {
	if got.ID != want.ID || got.Source != want.Source {
		return fmt.Sprintf("id and source are %q %q, want %q %q", got.ID, got.Source, want.ID, want.Source)
	}
	have := map[string][]data.Span{}
	for _, a := range got.Attributes {
		have[a.Name] = a.Spans
	}
	for _, w := range want.Attributes {
		g, ok := have[w.Name]
		if !ok {
			return w.Name + " is missing"
		}
		delete(have, w.Name)
		if len(g) != len(w.Spans) {
			return fmt.Sprintf("%s has %d spans, want %d\n got %v\nwant %v", w.Name, len(g), len(w.Spans), g, w.Spans)
		}
		for i, s := range g {
			v := w.Spans[i]
			if s.Start != v.Start || s.End != v.End || math.Abs(s.Score-v.Score) > tolerance {
				return fmt.Sprintf("%s[%d] = %v, want %v", w.Name, i, s, v)
			}
		}
	}
	for name := range have {
		return name + " is too much"
	}
	return ""
}

// Every tagger gives what Dolma 1.2.1 gave on the golden documents.
func TestGolden(t *testing.T) {
	golden := goldenData(t)
	for _, c := range []struct {
		from      string // below the golden folder
		taggers   []string
		tolerance float64
		slow      bool
	}{
		{"in", []string{"gopher_v1", "gopher_v2"}, 1e-9, false},
		{"in", []string{"c4_v1", "c4_v2"}, 1e-9, false},
		{"in", []string{"pii_regex_v2", "pii_regex_with_counts_fast_v2"}, 1e-9, false},
		{"extra/q", []string{"pii_regex_with_counts_fast_v2"}, 1e-9, false},
		{"in", []string{
			"bytes_length_v1", "char_length_v1", "char_length_strip_ws_v1", "char_length_with_paragraphs_v1", "doc_count_v1",
			"whitespace_tokenizer_v1", "whitespace_tokenizer_with_paragraphs_v1", "uniseg_length_paragraphs_with_doc_length_v1",
			"olmo_pretokenizer_v1", "olmo_pretokenizer_with_paragraphs_v1", "not_alphanum_paragraph_v1",
		}, 1e-9, false},
		{"extra", []string{"uniseg_length_v1", "uniseg_length_paragraphs_v1", "uniseg_length_paragraphs_with_empty_v1"}, 1e-9, false},
		{"in", []string{"code_copyright_comments_v1", "code_redpajama_taggers_v1"}, 1e-9, false},
		{"in", []string{"code_starcoder_taggers_v1", "code_starcoder_taggers_v2"}, 1e-9, false},
		{"extra", []string{"repetitions_v1", "paragraph_repetitions_v1"}, 1e-9, false},
		{"in", []string{"tokenizer_repetitions_v1", "tokenizer_repetitions_v2r2", "paragraph_tokenizer_repetitions_v1", "tokenizers_AI2_OLMo_v1"}, 1e-9, true},
		{"in", []string{
			"ft_lang_id_doc_v1", "ft_lang_id_1e2", "ft_lang_id_en_doc_v2", "ft_lang_id_en_paragraph_v2",
			"ft_lang_id_en_paragraph_with_doc_score_v2",
		}, 1e-5 + 1e-12, true},
	} {
		t.Run(strings.Join(c.taggers, " "), func(t *testing.T) {
			if c.slow && testing.Short() {
				t.Skip("slow")
			}
			for _, name := range c.taggers {
				if _, err := tagger.Get(name, tagger.Options{Models: []string{golden}}); err != nil {
					t.Skip(err)
				}
			}
			base := copyDocuments(t, filepath.Join(golden, c.from))
			cfg := tagger.Config{
				Documents: []string{filepath.Join(base, "documents/**")}, Taggers: c.taggers,
				Models: []string{golden}, Execution: data.Execution{Compat: true, Processes: 2},
			}
			if _, err := tagger.Run(context.Background(), cfg); err != nil {
				t.Fatal(err)
			}
			for _, name := range c.taggers {
				want := filepath.Join(golden, c.from, "attributes", name)
				files := 0
				filepath.WalkDir(want, func(path string, d os.DirEntry, err error) error {
					if err != nil || d.IsDir() {
						return err
					}
					rel, _ := filepath.Rel(want, path)
					files++
					n := compareAttributes(t, filepath.Join(base, "attributes", name, rel), path, c.tolerance)
					if n == 0 {
						t.Errorf("%s: no rows were compared", path)
					}
					return nil
				})
				if files == 0 {
					t.Errorf("no golden attributes of %s", name)
				}
			}
		})
	}
}

// An experiment puts all taggers' attributes into one row.
func TestGoldenExperiment(t *testing.T) {
	golden := goldenData(t)
	base := copyDocuments(t, filepath.Join(golden, "in"))
	_, err := tagger.Run(context.Background(), tagger.Config{
		Documents: []string{filepath.Join(base, "documents/*.gz")}, Taggers: []string{"gopher_v2", "c4_v2", "char_length_v1"},
		Experiment: "exp-1.x", Execution: data.Execution{Compat: true, Processes: 2},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"a-0000.jsonl.gz", "a-0001.jsonl.gz"} {
		if compareAttributes(t, filepath.Join(base, "attributes/exp-1.x", f), filepath.Join(golden, "in/attributes/exp-1.x", f), 1e-9) == 0 {
			t.Error("no rows were compared")
		}
	}
}
