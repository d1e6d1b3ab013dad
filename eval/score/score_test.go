package score

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"
)

// unpack opens a packed file of testdata.
func unpack(t *testing.T, name string) *gzip.Reader {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// TestVerdicts compares every verdict with that of the reference programs (testdata/score.py).
func TestVerdicts(t *testing.T) {
	lines := bufio.NewScanner(unpack(t, "score.jsonl.gz"))
	lines.Buffer(nil, 1<<20)
	seen := map[string]bool{}
	for n := 1; lines.Scan(); n++ {
		var row struct {
			Row
			Scorer string
			Scores map[string]any
		}
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		s, err := Lookup(row.Scorer)
		if err != nil {
			t.Fatal(err)
		}
		seen[s[0].Name] = true
		got, err := s[0].Each(&row.Row)
		if err != nil {
			t.Errorf("row %d: %v\n%s", n, err, lines.Bytes())
			continue
		}
		for key, w := range row.Scores {
			if !same(got[key], w) {
				t.Errorf("row %d: %s is %v, want %v\n%s", n, key, got[key], w, lines.Bytes())
			}
		}
	}
	if len(seen) != 10 {
		t.Errorf("the rows are of %d scorers", len(seen))
	}
}

// TestCorpus compares figures of all rows and of single rows with sacrebleu's (testdata/score.py).
func TestCorpus(t *testing.T) {
	var corpora []struct {
		Rows            [][2]json.RawMessage
		BLEU, ChrF, TER float64
		ChrFPP          float64 `json:"chrf++"`
		Alone           []map[string]float64
	}
	if err := json.NewDecoder(unpack(t, "corpus.json.gz")).Decode(&corpora); err != nil {
		t.Fatal(err)
	}
	for n, c := range corpora {
		for name, want := range map[string]float64{"bleu": c.BLEU, "chrf": c.ChrF, "chrf++": c.ChrFPP, "ter": c.TER} {
			m := scorers[name].Corpus
			var all [][]float64
			for i, pair := range c.Rows {
				r := Row{Doc: json.RawMessage(`{"answers":` + string(pair[1]) + `}`), Responses: make([]string, 1)}
				if err := json.Unmarshal(pair[0], &r.Responses[0]); err != nil {
					t.Fatal(err)
				}
				s, err := m.statistics(&r)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, s)
				if got := m.Figure(s, true); math.Abs(got-c.Alone[i][name]) > 1e-9 {
					t.Errorf("corpus %d: %s of row %d alone is %v, want %v: %s", n, name, i, got, c.Alone[i][name], pair)
				}
			}
			if got := m.Figure(m.Sum(all), false); math.Abs(got-want) > 1e-9 {
				t.Errorf("corpus %d: %s is %v, want %v", n, name, got, want)
			}
		}
	}
}

// TestLookup: what is not there is named with what is meant.
func TestLookup(t *testing.T) {
	for name, want := range map[string]string{
		"gsm9k": "did you mean gsm8k?", "gsm8k,gsm8k": "named twice", "gsm8k:ignore_case": "no options", "exact_match:ignorecase": "did you mean ignore_case?", "": "there are",
	} {
		if _, err := Lookup(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Lookup(%q): %v, want %q", name, err, want)
		}
	}
}
