package generate_test

import (
	"cmp"
	"math"
	"reflect"
	"slices"
	"sync"
	"testing"

	"olmo/device/cpu"
	"olmo/generate"
)

// ranked sorts all ids of a row of logits from the most probable one down.
func ranked(logits []float32) []generate.Alternative {
	lse := cpu.LSE(logits)
	var all []generate.Alternative
	for id, l := range logits {
		all = append(all, generate.Alternative{ID: int32(id), Logprob: -float64(lse - l)})
	}
	slices.SortStableFunc(all, func(a, b generate.Alternative) int { return cmp.Compare(logits[b.ID], logits[a.ID]) })
	return all
}

// TestOdds asks for the tokens beside those that come, and beside those of the same text as a prompt.
func TestOdds(t *testing.T) {
	e := engine(t, 64, generate.Options{})
	const k = 5
	prompt := ids(9, 1)
	q := generate.Request{
		Prompt: prompt, MaxTokens: 20, Sampling: generate.Sampling{Temperature: 0.7, TopK: 40, TopP: 0.8, Seed: 3}, Echo: true,
		TopLogprobs: k, PostSampling: true,
	}
	r := run(t, e, q)
	whole := slices.Concat(prompt, r.IDs)
	logits := make([][]float32, len(whole))
	scoring := generate.Request{Prompt: whole}
	for row := range whole {
		scoring.Rows = append(scoring.Rows, row)
	}
	var mu sync.Mutex
	scoring.Logits = func(row int, l []float32) {
		mu.Lock()
		defer mu.Unlock()
		logits[row] = slices.Clone(l)
	}
	run(t, e, scoring)
	for i, o := range r.Odds {
		l := logits[len(prompt)+i-1]
		all := ranked(l)
		if !slices.Equal(o.Top, all[:k]) {
			t.Errorf("token %d: %v, want %v", i, o.Top, all[:k])
		}
		// The samplers by their definitions, in float64: the temperature, then top-k, then top-p.
		var sum float64
		weights := make([]float64, 40)
		for j, a := range all[:40] {
			weights[j] = math.Exp(float64(l[a.ID]-l[all[0].ID]) / 0.7)
			sum += weights[j]
		}
		n, most := 0, 0.0
		for ; n < 40 && most < 0.8*sum; n++ {
			most += weights[n]
		}
		if want := min(n, k); len(o.Left) != want {
			t.Fatalf("token %d: %d tokens are left, want %d", i, len(o.Left), want)
		}
		for j, a := range o.Left {
			if want := weights[j] / most; a.ID != all[j].ID || math.Abs(a.Prob-want) > 1e-5 {
				t.Errorf("token %d: %v is left in place %d, want %d with %v", i, a, j, all[j].ID, want)
			}
		}
		at := slices.IndexFunc(all, func(a generate.Alternative) bool { return a.ID == r.IDs[i] })
		if want := weights[at] / most; math.Abs(o.Prob-want) > 1e-5 {
			t.Errorf("token %d was drawn with %v, want %v", i, o.Prob, want)
		}
	}
	for row := range len(prompt) - 1 {
		all := ranked(logits[row])
		if want := -float64(cpu.LSE(logits[row]) - logits[row][prompt[row+1]]); r.Prompt[row] != want || !slices.Equal(r.PromptTop[row], all[:k]) {
			t.Errorf("behind token %d of the prompt: %v, %v, want %v, %v", row, r.Prompt[row], r.PromptTop[row], want, all[:k])
		}
	}
	if len(r.Odds) != 20 || len(r.Prompt) != 8 {
		t.Errorf("%d odds and %d of the prompt, want 20 and 8", len(r.Odds), len(r.Prompt))
	}
	h, err := e.Submit(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for v := range h.Events() {
		if !reflect.DeepEqual(v.Odds, r.Odds[n]) {
			t.Errorf("event %d has %v, want %v", n, v.Odds, r.Odds[n])
		}
		n++
	}
	q.Stop = r.IDs[3:4]
	stopped := run(t, e, q)
	if first := slices.Index(r.IDs, r.IDs[3]); !reflect.DeepEqual(stopped.StopOdds, r.Odds[first]) {
		t.Errorf("of the end %v, want %v", stopped.StopOdds, r.Odds[first])
	}
	q.Echo, q.TopLogprobs, q.PostSampling = false, 0, false
	if plain := run(t, e, q); plain.Odds != nil || plain.StopOdds != nil || plain.Prompt != nil {
		t.Errorf("nothing is asked for, and there is %+v", plain)
	}
	// A greedy token is certain, however probable it is to the model, and so is one that had to come.
	for _, q := range []generate.Request{
		{Prompt: prompt, MaxTokens: 6, PostSampling: true, TopLogprobs: 3},
		{Prompt: prompt, MaxTokens: 12, PostSampling: true, TopLogprobs: 3, Constraint: &stub{of: 2}},
	} {
		r := run(t, e, q)
		for i, o := range r.Odds {
			if o.Prob != 1 || !slices.Equal(o.Left, []generate.Likely{{ID: r.IDs[i], Prob: 1}}) || len(o.Top) != 3 {
				t.Errorf("token %d of a greedy answer: %+v", i, o)
			}
		}
	}
}

// TestOddsOfEquals: a head of zeros makes all tokens equal, and the smallest ids come first.
func TestOddsOfEquals(t *testing.T) {
	c, dev := tiny(t, 32)
	e := engineOf(t, c, dev, generate.Options{})
	if err := dev.Write("transformer.ff_out.weight", make([]float32, c.V*c.C)); err != nil {
		t.Fatal(err)
	}
	for _, order := range [][]string{nil, {"top_k", "temperature"}, {"top_k", "penalties", "temperature"}} {
		q := generate.Request{Prompt: ids(3, 1), MaxTokens: 1, TopLogprobs: 3, PostSampling: true, Sampling: generate.Sampling{Temperature: 0.5, TopK: 8, Order: order}}
		if len(order) == 3 { // leaves logits that ascend with the ids
			q.Sampling.Penalties, q.Sampling.Bias = generate.Penalties{Presence: 2, LastN: -1}, map[int32]float64{5: 1}
			q.Prompt = []int32{5, 0}
		}
		o := run(t, e, q).Odds[0]
		for i, a := range o.Top {
			if a.ID != int32(i) || a.Logprob != o.Top[0].Logprob {
				t.Errorf("order %v: the first of equal tokens are %v", order, o.Top)
			}
		}
		want := []int32{0, 1, 2}
		if len(order) == 3 {
			want = []int32{1, 2, 3}
		}
		for i, a := range o.Left {
			if a.ID != want[i] {
				t.Errorf("order %v: of what is left, the first of equal tokens are %v, want %v", order, o.Left, want)
			}
		}
	}
}

func TestTooManyTopLogprobs(t *testing.T) {
	e := engine(t, 16, generate.Options{})
	for _, n := range []int{-1, 21} {
		if _, err := e.Submit(t.Context(), generate.Request{Prompt: ids(3, 1), MaxTokens: 1, TopLogprobs: n}); err == nil {
			t.Errorf("%d alternatives: no error", n)
		}
	}
}
