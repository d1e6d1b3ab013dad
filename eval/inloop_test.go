package eval

import (
	"compress/gzip"
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
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
			f := figures{task: task}
			for rest := want.Requests; len(rest) > 0; {
				n := slices.IndexFunc(rest, func(r [5]float64) bool { return r[0] != rest[0][0] })
				if n < 0 {
					n = len(rest)
				}
				f.add(values(t, task, rest[:n], int(rest[0][1])))
				rest = rest[n:]
			}
			checkMetrics(t, task, f.all(), want.goldenSummary)
		})
	}
}

// values are those of a question whose choices have so many characters, bytes and such
// log-probabilities: the last three of each request.
func values(t *testing.T, task *Task, requests [][5]float64, gold int) judged {
	t.Helper()
	d := &Document{Gold: []int{gold}}
	var answers []Answer
	for _, r := range requests {
		wide := int(r[3] - r[2])
		text := strings.Repeat("é", wide) + strings.Repeat("a", int(r[2])-wide)
		d.Choices, d.Requests = append(d.Choices, text), append(d.Requests, Request{Continuation: text})
		answers = append(answers, Answer{Logprob: r[4]})
	}
	j, err := task.judge(d, answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// choices is a task with the figures of OLMo's in-loop evaluation.
var choices = &Task{Name: "choices", Kind: Choices, Quoted: Accuracy, Metrics: inLoop}

// TestSoft: probabilities of choices whose scores are logits, also where they are
// so far apart that their exponentials alone would be 0.
func TestSoft(t *testing.T) {
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
		var requests [][5]float64
		for _, s := range c.scores {
			requests = append(requests, [5]float64{0, 0, 1, 1, s})
		}
		scores := values(t, choices, requests, c.gold).scores
		if p, log := scores["soft"].(float64), scores["soft_log"].(float64); math.Abs(p-c.p) > c.closeTo || math.Abs(log-c.log) > c.closeTo*1e3 {
			t.Errorf("%s: probability %v, logarithm %v; want %v, %v", c.name, p, log, c.p, c.log)
		}
	}
}

// TestTies: of equal scores the first choice is picked.
func TestTies(t *testing.T) {
	scores := values(t, choices, [][5]float64{{0, 0, 4, 4, -2}, {0, 0, 2, 2, -1}, {0, 0, 2, 2, -1}}, 1).scores
	if scores[Accuracy] != 1.0 || scores[LenNorm] != 0.0 {
		t.Errorf("scores %v: want the second choice by probability, the first by its share of a character", scores)
	}
}

// TestMeanStdErr: the spread of a sample of n, with n−1 as lm-eval has it. Of one value there is
// no spread to divide by nothing.
func TestMeanStdErr(t *testing.T) {
	for _, c := range []struct {
		ones, n int
		want    float64
	}{{13, 26, 0.1}, {1, 5, 0.2}, {0, 10, 0}, {10, 10, 0}, {1, 1, 0}} {
		v := make([]any, c.n)
		for i := range v {
			v[i] = number(i < c.ones)
		}
		if got := meanStdErr(v); math.Abs(got-c.want) > 1e-15 {
			t.Errorf("of %d in %d: %v, want %v", c.ones, c.n, got, c.want)
		}
	}
}

// TestScores computes every figure of two questions by hand.
func TestScores(t *testing.T) {
	f := figures{task: choices}
	// "é" is one character and two bytes; each length has the space.
	f.add(values(t, choices, [][5]float64{{0, 0, 2, 3, -2}, {0, 0, 6, 6, -3}}, 0))
	f.add(values(t, choices, [][5]float64{{0, 0, 5, 5, -4}, {0, 0, 4, 4, -6}, {0, 0, 2, 2, -8}}, 1))
	all := f.all()
	for name, want := range map[string]float64{
		"acc": 0.5, "len_norm": 0, "len_norm_v1": 0,
		"f1":      2.0 / 3, // one right answer is the first choice, and two picks are
		"ce_loss": (2.0/2 + 6.0/4) / 2, "ce_loss_v1": (2.0/1 + 6.0/3) / 2,
		"bpb": (2.0/3 + 6.0/4) / 2 / math.Ln2, "bpb_v1": (2.0/2 + 6.0/3) / 2 / math.Ln2,
		"soft_log": (-math.Log(1+math.Exp(-1)) - 2 - math.Log(1+math.Exp(-2)+math.Exp(-4))) / 2,
	} {
		if got := all[name].Value; math.Abs(got-want) > 1e-12 {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
	// A continuation of its space alone has no length to divide by but one.
	one := figures{task: choices}
	one.add(values(t, choices, [][5]float64{{0, 0, 1, 1, -2}, {0, 0, 0, 0, -3}}, 0))
	if all := one.all(); all["ce_loss_v1"].Value != 2 || all["bpb_v1"].Value != 2/math.Ln2 || all["f1"].Value != 1 {
		t.Errorf("of a space alone %+v", all)
	}
}
