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

// TestValue: the figure that a task is quoted with; accuracy for a metric without one.
func TestValue(t *testing.T) {
	s := ChoiceScore{Accuracy: 1, LenNorm: 2, F1: 3, CrossEntropy: 4, BPB: 5}
	for m, want := range map[Metric]float64{Accuracy: 1, LenNorm: 2, F1: 3, CrossEntropy: 4, BPB: 5, "": 1} {
		if got := s.Value(m); got != want {
			t.Errorf("%q is %v, want %v", m, got, want)
		}
	}
}

// TestStandardError: the spread of a share of n, with n−1 as lm-eval has it. Of one question
// there is no spread to divide by nothing.
func TestStandardError(t *testing.T) {
	for _, c := range []struct {
		share float64
		n     int
		want  float64
	}{{0.5, 26, 0.1}, {0.2, 5, 0.2}, {0, 10, 0}, {1, 10, 0}, {1, 1, 0}, {0.5, 1, 0.5}, {0.5, 0, 0.5}} {
		if got := standardError(c.share, c.n); math.Abs(got-c.want) > 1e-15 {
			t.Errorf("of %v in %d: %v, want %v", c.share, c.n, got, c.want)
		}
	}
}

// TestScores computes every figure of two questions by hand.
func TestScores(t *testing.T) {
	s := ChoiceScore{Questions: 2}
	// "é" is one character and two bytes; each length has the space.
	s.add([]Request{{Logprob: -2, Chars: 2, Bytes: 3}, {Logprob: -3, Chars: 6, Bytes: 6}}, 0)
	s.add([]Request{{Logprob: -4, Chars: 5, Bytes: 5}, {Logprob: -6, Chars: 4, Bytes: 4}, {Logprob: -8, Chars: 2, Bytes: 2}}, 1)
	s.finish()
	for name, c := range map[string][2]float64{
		"acc": {s.Accuracy, 0.5}, "len_norm": {s.LenNorm, 0}, "len_norm_v1": {s.LenNormV1, 0}, "chance": {s.Chance, (0.5 + 1.0/3) / 2},
		"f1":      {s.F1, 2.0 / 3}, // one right answer is the first choice, and two picks are
		"ce_loss": {s.CrossEntropy, (2.0/2 + 6.0/4) / 2}, "ce_loss_v1": {s.CrossEntropyV1, (2.0/1 + 6.0/3) / 2},
		"bpb": {s.BPB, (2.0/3 + 6.0/4) / 2 / math.Ln2}, "bpb_v1": {s.BPBV1, (2.0/2 + 6.0/3) / 2 / math.Ln2},
		"soft_log": {s.SoftLog, (-math.Log(1+math.Exp(-1)) - 2 - math.Log(1+math.Exp(-2)+math.Exp(-4))) / 2},
	} {
		if math.Abs(c[0]-c[1]) > 1e-12 {
			t.Errorf("%s = %v, want %v", name, c[0], c[1])
		}
	}
	// A continuation of its space alone has no length to divide by but one.
	one := ChoiceScore{Questions: 1}
	one.add([]Request{{Logprob: -2, Chars: 1, Bytes: 1}, {Logprob: -3}}, 0)
	one.finish()
	if one.CrossEntropyV1 != 2 || one.BPBV1 != 2/math.Ln2 || one.F1 != 1 {
		t.Errorf("of a space alone %+v", one)
	}
	none := ChoiceScore{}
	none.finish()
	if none.Accuracy != 0 || none.F1 != 0 {
		t.Errorf("of nothing %+v", none)
	}
}
