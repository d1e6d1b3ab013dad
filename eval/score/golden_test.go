package score

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestGolden judges stored answers, and compares every verdict and all means with those that
// lm-eval's own functions gave.
func TestGolden(t *testing.T) {
	root := os.Getenv("OLMO_GOLDEN")
	if root == "" {
		t.Skip("OLMO_GOLDEN does not name the folder of reference results")
	}
	dir := filepath.Join(root, "eval", "score")
	text, err := os.ReadFile(filepath.Join(dir, "summary.json"))
	if err != nil {
		t.Fatal(err)
	}
	var summary map[string]Summary
	if err := json.Unmarshal(text, &summary); err != nil {
		t.Fatal(err)
	}
	for name, want := range summary {
		s, ok := scorers[name]
		if !ok {
			continue
		}
		t.Run(name, func(t *testing.T) {
			f, err := os.Open(filepath.Join(dir, name+".jsonl.gz"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			z, err := gzip.NewReader(f)
			if err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(z)
			lines.Buffer(nil, 1<<24)
			var sum Sum
			n := 0
			for ; lines.Scan(); n++ {
				var row struct {
					Row
					Scores map[string]any
				}
				if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
					t.Fatal(err)
				}
				got, err := s.Each(&row.Row)
				if err != nil {
					t.Fatalf("row %d: %v", n, err)
				}
				if name == "ifeval" && drawn(t, &row.Row) {
					for key, w := range row.Scores {
						if got[key] = w; strings.HasPrefix(key, "inst") {
							list := []bool{}
							for _, x := range w.([]any) {
								list = append(list, x.(bool))
							}
							got[key] = list
						}
					}
				}
				if err := sum.Add(got); err != nil {
					t.Fatal(err)
				}
				a, _ := json.Marshal(got)
				var again map[string]any
				if err := json.Unmarshal(a, &again); err != nil {
					t.Fatal(err)
				}
				for key, w := range row.Scores {
					if !same(again[key], w) {
						t.Errorf("row %d: %s is %v, want %v\n%s", n, key, again[key], w, lines.Bytes())
					}
				}
			}
			got := sum.Summary()
			for key, w := range want.Scores {
				if math.Abs(got.Scores[key]-w) > 1e-9 || got.N != want.N {
					t.Errorf("%s is %v of %d, want %v of %d", key, got.Scores[key], got.N, w, want.N)
				}
			}
		})
	}
}

// drawn reports whether lm-eval drew lots for a verdict: the first word of a paragraph that no text
// of that many paragraphs has is asked of one at random, and of another when it is loose.
func drawn(t *testing.T, r *Row) bool {
	var options []struct {
		Number int `json:"num_paragraphs"`
		Nth    int `json:"nth_paragraph"`
	}
	if err := r.field("kwargs", &options); err != nil {
		t.Fatal(err)
	}
	for _, o := range options {
		if o.Nth > o.Number {
			return true
		}
	}
	return false
}

// TestCorpusGolden compares the figures of stored answers with those of sacrebleu.
func TestCorpusGolden(t *testing.T) {
	root := os.Getenv("OLMO_GOLDEN")
	if root == "" {
		t.Skip("OLMO_GOLDEN does not name the folder of reference results")
	}
	dir := filepath.Join(root, "eval", "score")
	text, err := os.ReadFile(filepath.Join(dir, "summary.json"))
	if err != nil {
		t.Fatal(err)
	}
	var summary map[string]Summary
	if err := json.Unmarshal(text, &summary); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(dir, "corpus.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var rows []Row
	for d := json.NewDecoder(z); d.More(); {
		var r Row
		if err := d.Decode(&r); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	for name, want := range summary["corpus"].Scores {
		c := scorers[name].Corpus
		var all [][]float64
		for i := range rows {
			s, err := c.statistics(&rows[i])
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, s)
		}
		if got := c.Figure(c.Sum(all), false); math.Abs(got-want) > 1e-9 {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

// same compares values of JSON; a boolean is a number.
func same(a, b any) bool {
	toNumber := func(v any) (float64, bool) {
		switch v := v.(type) {
		case float64:
			return v, true
		case bool:
			return number(v), true
		}
		return 0, false
	}
	if x, ok := a.([]any); ok {
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !same(x[i], y[i]) {
				return false
			}
		}
		return true
	}
	x, ok1 := toNumber(a)
	y, ok2 := toNumber(b)
	return ok1 && ok2 && math.Abs(x-y) < 1e-9
}
