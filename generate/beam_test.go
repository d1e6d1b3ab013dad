package generate

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/device/cpu"
	"olmo/model"
)

// TestBeamsAgainstOthers searches with the tiny models of the reference results as OLMo's and Transformers' own
// programs did.
func TestBeamsAgainstOthers(t *testing.T) {
	root := os.Getenv("OLMO_GOLDEN")
	if root == "" {
		t.Skip("OLMO_GOLDEN does not name the folder of reference results")
	}
	content, err := os.ReadFile("testdata/beams/beams.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Model, By string
		Settings  struct {
			Beams, Returns, Ngram int
			PerNode               int      `json:"per_node"`
			MinTokens             int      `json:"min_tokens"`
			MaxTokens             int      `json:"max_tokens"`
			LengthPenalty         *float64 `json:"length_penalty"`
			Penalty               float64
			Early                 Early
		}
		Prompt, Ends []int32
		Sequences    [][]int32
		Scores       []float64
	}
	if err := json.Unmarshal(content, &cases); err != nil {
		t.Fatal(err)
	}
	engines := map[string]*Engine{}
	for _, c := range cases {
		if engines[c.Model] == nil {
			engines[c.Model] = goldenEngine(t, filepath.Join(root, "reference", "inference", c.Model))
		}
		s := c.Settings
		q := BeamRequest{
			Prompt: c.Prompt, Stop: c.Ends, Beams: s.Beams, LikeHF: c.By == "hf", PerNode: s.PerNode, MaxTokens: s.MaxTokens, MinTokens: s.MinTokens,
			LengthPenalty: s.LengthPenalty, NoRepeatNGram: s.Ngram, RepetitionPenalty: s.Penalty, EarlyStopping: s.Early, Return: s.Returns,
		}
		if q.MaxTokens == 0 {
			q.MaxTokens = 9
		}
		got, err := engines[c.Model].Beams(context.Background(), q)
		if err != nil {
			t.Errorf("%s, %s, %+v: %v", c.Model, c.By, s, err)
			continue
		}
		if len(got) != len(c.Sequences) {
			t.Errorf("%s, %s, %+v: %d sequences, want %d", c.Model, c.By, s, len(got), len(c.Sequences))
			continue
		}
		for i, g := range got {
			if !slices.Equal(g.IDs, c.Sequences[i]) || math.Abs(g.Score-c.Scores[i]) > 1e-4 {
				t.Errorf("%s, %s, %+v, prompt %v, ends %v: sequence %d is %v with %.6f\nwant %v with %.6f", c.Model, c.By, s, c.Prompt, c.Ends, i, g.IDs, g.Score, c.Sequences[i], c.Scores[i])
			}
		}
	}
}

func goldenEngine(t *testing.T, path string) *Engine {
	l, err := model.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dev, err := cpu.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dev.Close)
	b, err := New(l.Config, dev, Options{Positions: 32})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Each(func(p model.Param, w []float32) error { return dev.Write(p.Name, w) }); err != nil {
		t.Fatal(err)
	}
	return b
}

// chances are the logits of a model that knows the last two ids alone.
func chances(V int, seed uint64) forward {
	r := rand.New(rand.NewPCG(seed, 7))
	table := make([][]float32, V*V)
	for i := range table {
		for range V {
			table[i] = append(table[i], float32(r.NormFloat64()*2))
		}
	}
	return func(sequences [][]int32, each func(i int, logits []float32)) error {
		for i, s := range sequences {
			before := int32(0)
			if len(s) > 1 {
				before = s[len(s)-2]
			}
			each(i, table[int(before)*V+int(s[len(s)-1])])
		}
		return nil
	}
}

// TestBeamsFindTheBest: a beam as wide as there are sequences finds the best of all, under each scorer.
func TestBeamsFindTheBest(t *testing.T) {
	const V, most = 4, 4
	for seed := range uint64(6) {
		run := chances(V, seed)
		for _, penalty := range []float64{0, 0.5, 1, 2} {
			// All sequences: until 3, or of four ids.
			best, bestIDs := math.Inf(-1), []int32(nil)
			var walk func(ids []int32, sum float64)
			walk = func(ids []int32, sum float64) {
				if n := len(ids); n > 0 && (ids[n-1] == 3 || n == most) {
					if score := sum / math.Pow(float64(n), penalty); score > best {
						best, bestIDs = score, slices.Clone(ids)
					}
					return
				}
				run([][]int32{append([]int32{1}, ids...)}, func(_ int, logits []float32) {
					for id, l := range logits {
						walk(append(slices.Clip(ids), int32(id)), sum-float64(cpu.LSE(logits)-l))
					}
				})
			}
			walk(nil, 0)
			for _, hf := range []bool{false, true} {
				// All of 108 hypotheses of three ids go on; there are no more than four ids to begin with.
				q := BeamRequest{Prompt: []int32{1}, MaxTokens: most, Stop: []int32{3}, Beams: 300, LikeHF: hf, LengthPenalty: &penalty, EarlyStopping: EarlyGuess}
				s := &search{BeamRequest: &q, run: run, nodes: make([]node, q.Beams)}
				find := s.likeOLMo
				if hf {
					find = s.likeHF
				}
				found, err := find()
				if err != nil {
					t.Fatal(err)
				}
				if len(found) == 0 || !slices.Equal(found[0].IDs, bestIDs) || math.Abs(found[0].Score-best) > 1e-5 {
					t.Errorf("seed %d, penalty %g, like Transformers %v: %+v, want %v with %v", seed, penalty, hf, found[0], bestIDs, best)
				}
			}
		}
	}
}

// TestBeamOfOne is greedy.
func TestBeamOfOne(t *testing.T) {
	run := chances(50, 3)
	var want []int32
	logprobs := []float64{}
	for ids := []int32{7}; len(want) < 12; ids = append(ids, want[len(want)-1]) {
		run([][]int32{ids}, func(_ int, logits []float32) {
			c := newSampler(Sampling{}, nil, nil).next(logits, 0, nil)
			want, logprobs = append(want, c.id), append(logprobs, c.logprob)
		})
	}
	for _, hf := range []bool{false, true} {
		q := BeamRequest{Prompt: []int32{7}, MaxTokens: 12, Beams: 1, LikeHF: hf}
		got, err := q.search(50, run)
		if err != nil || len(got) != 1 || !slices.Equal(got[0].IDs, want) || !slices.Equal(got[0].Logprobs, logprobs) {
			t.Errorf("like Transformers %v: %+v, %v, want %v", hf, got, err, want)
		}
	}
}

func TestBeamRefusals(t *testing.T) {
	penalty := math.NaN()
	for want, q := range map[string]BeamRequest{
		"beams is 0":          {MaxTokens: 3},
		"max-tokens is 0":     {Beams: 2},
		"per-node-beams is":   {Beams: 2, MaxTokens: 3, PerNode: -1},
		"per-node-beams: Tra": {Beams: 2, MaxTokens: 3, PerNode: 2, LikeHF: true},
		"min-tokens is 4":     {Beams: 2, MaxTokens: 3, MinTokens: 4},
		"length-penalty is":   {Beams: 2, MaxTokens: 3, LengthPenalty: &penalty},
		"no-repeat-ngram is":  {Beams: 2, MaxTokens: 3, NoRepeatNGram: -1},
		"repetition-penalty:": {Beams: 2, MaxTokens: 3, RepetitionPenalty: 1.1},
		"repetition-penalty ": {Beams: 2, MaxTokens: 3, RepetitionPenalty: -1, LikeHF: true},
		"early-stopping:":     {Beams: 2, MaxTokens: 3, EarlyStopping: EarlyTrue},
		"early-stopping is":   {Beams: 2, MaxTokens: 3, EarlyStopping: "maybe", LikeHF: true},
		"return is 3":         {Beams: 2, MaxTokens: 3, Return: 3},
		"60 beams are more":   {Beams: 60, MaxTokens: 3},
	} {
		q.Prompt = []int32{1}
		if _, err := q.search(50, chances(50, 1)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", q, err, want)
		}
	}
	// Ids that may not come twice run out.
	q := BeamRequest{Prompt: []int32{1}, MaxTokens: 9, Beams: 2, NoRepeatNGram: 1}
	if got, err := q.search(4, chances(4, 1)); !errors.Is(err, ErrNothingLeft) {
		t.Errorf("%v, %v, want %v", got, err, ErrNothingLeft)
	}
	nan := func(s [][]int32, each func(int, []float32)) error {
		each(0, []float32{0, float32(math.NaN())})
		return nil
	}
	q = BeamRequest{Prompt: []int32{1}, MaxTokens: 9, Beams: 2}
	if _, err := q.search(2, nan); err == nil || !strings.Contains(err.Error(), "not numbers") {
		t.Errorf("%v of logits that are no numbers", err)
	}
}
