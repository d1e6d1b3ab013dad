package eval

import (
	"compress/gzip"
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"
)

// olmes is what testdata/olmes.py keeps of the references' results.
type olmes struct {
	Tasks map[string]struct {
		goldenSummary
		// Document, right choice, characters, bytes, log-probability of each request.
		Requests [][5]float64
	}
	Paloma struct {
		Size    int                `json:"max_seq_len"`
		Overall map[string]float64 `json:"overall"`
		// Windows are tokens of context and scored tokens.
		Documents []struct {
			Tokens, Words, Chars, Bytes int
			Sum                         float64
			Windows                     [][2]int
		}
	}
}

func readOLMES(t *testing.T) olmes {
	t.Helper()
	f, err := os.Open("testdata/olmes.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var o olmes
	if err := json.NewDecoder(z).Decode(&o); err != nil {
		t.Fatal(err)
	}
	return o
}

// TestOLMESMetrics computes every metric of every task from the references'
// log-probabilities.
func TestOLMESMetrics(t *testing.T) {
	for name, want := range readOLMES(t).Tasks {
		t.Run(name, func(t *testing.T) {
			task, err := LookupTask(name)
			if err != nil {
				t.Fatal(err)
			}
			score := ChoiceScore{Questions: want.Docs}
			for rest := want.Requests; len(rest) > 0; {
				n := slices.IndexFunc(rest, func(r [5]float64) bool { return r[0] != rest[0][0] })
				if n < 0 {
					n = len(rest)
				}
				choices := make([]Request, n)
				for i, r := range rest[:n] {
					choices[i] = Request{Choice: i, Chars: int(r[2]), Bytes: int(r[3]), Logprob: r[4]}
				}
				score.add(choices, int(rest[0][1]))
				rest = rest[n:]
			}
			score.finish()
			checkMetrics(t, task, &score, want.goldenSummary)
		})
	}
}

// TestSoft: probabilities of choices whose scores are logits, also where they are
// so far apart that their exponentials alone would be 0.
func TestSoft(t *testing.T) {
	logprob := func(r *Request) float64 { return r.Logprob }
	for _, c := range []struct {
		name    string
		scores  []float64
		gold    int
		p, log  float64
		closeTo float64
	}{
		{"equal", []float64{-3, -3, -3, -3}, 2, 0.25, -math.Log(4), 1e-15},
		{"one to three", []float64{0, math.Log(3)}, 0, 0.25, -math.Log(4), 1e-15},
		{"far below", []float64{-2000, -1000}, 1, 1, 0, 1e-15},
		{"the one far below", []float64{-2000, -1000}, 0, 0, -1000, 1e-12},
	} {
		choices := make([]Request, len(c.scores))
		for i, s := range c.scores {
			choices[i].Logprob = s
		}
		p, log := soft(choices, c.gold, logprob)
		if math.Abs(p-c.p) > c.closeTo || math.Abs(log-c.log) > c.closeTo*1e3 {
			t.Errorf("%s: probability %v, logarithm %v; want %v, %v", c.name, p, log, c.p, c.log)
		}
	}
}

// TestTies: of equal scores the first choice is picked.
func TestTies(t *testing.T) {
	choices := []Request{{Logprob: -2, Chars: 4}, {Logprob: -1, Chars: 2}, {Logprob: -1, Chars: 2}}
	s := ChoiceScore{Questions: 1}
	s.add(choices, 1)
	s.finish()
	if !choices[1].Picked || choices[0].Picked || choices[2].Picked || s.Accuracy != 1 || s.LenNorm != 0 {
		t.Errorf("picked %v %v %v, accuracy %v, per character %v", choices[0].Picked, choices[1].Picked, choices[2].Picked, s.Accuracy, s.LenNorm)
	}
}
