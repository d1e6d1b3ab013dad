package generate_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"olmo/device"
	"olmo/generate"
	"olmo/graph"
	"olmo/internal/parallel"
	"olmo/model"
	"olmo/numeric"
)

// scores returns minus the log-probability of every target of sequences at a temperature, as a
// training program computes it: all sequences in one batch.
func scores(t *testing.T, adapters *model.Adapters, sequences [][]int32, temperature float32, precision numeric.Precision) [][]float32 {
	t.Helper()
	c, dev := tiny(t, 64)
	c.Adapters = adapters
	g := graph.New()
	c.ScoresAndGradients(g, temperature, model.WholeLayer)
	b := &graph.Batch{Seed: func(_, d []float32) { clear(d) }}
	for _, s := range sequences {
		b.IDs, b.Targets = append(b.IDs, s...), append(append(b.Targets, s[1:]...), -1)
		b.Segments = append(b.Segments, graph.Segment{Rows: len(s)})
	}
	p, err := dev.Compile(g, device.Options{Rows: len(b.IDs), Precision: precision})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, c, dev, 1)
	if err := p.Run(b); err != nil {
		t.Fatal(err)
	}
	ce := p.Output("ce")
	var out [][]float32
	for _, s := range sequences {
		out = append(out, ce[:len(s)])
		ce = ce[len(s):]
	}
	return out
}

// TestDrawnIsTrained: the log-probability with which a token was drawn has the bits that a
// training program gives it, at every temperature, in any batch, with any number of threads, in
// every precision: the ratio of a first update of reinforcement learning is exactly 1.
func TestDrawnIsTrained(t *testing.T) {
	adapters := &model.Adapters{Rank: 3, Alpha: 2.1, Targets: []string{"q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "gate_proj", "down_proj"}}
	for i, temperature := range []float64{1, 0.7, 1.3} {
		for _, precision := range numeric.Precisions() {
			for _, threads := range []int{1, 2} {
				for _, n := range []int{1, 5} {
					t.Run(fmt.Sprintf("%v,%v,threads=%d,batch=%d", temperature, precision, threads, n), func(t *testing.T) {
						defer parallel.SetThreads(parallel.SetThreads(threads))
						drawnIsTrained(t, nil, temperature, precision, n)
					})
				}
			}
		}
		t.Run(fmt.Sprintf("%v,adapted", temperature), func(t *testing.T) { drawnIsTrained(t, adapters, temperature, numeric.Precisions()[i], 5) })
	}
}

// drawnIsTrained draws n sequences, and scores them together and alone.
func drawnIsTrained(t *testing.T, adapters *model.Adapters, temperature float64, precision numeric.Precision, n int) {
	var requests []generate.Request
	for i := range int32(n) {
		requests = append(requests, generate.Request{
			Prompt: ids(3+4*int(i), i%2), MaxTokens: 20, Stop: []int32{7, 11, 19, 23, 42},
			Sampling: generate.Sampling{Temperature: temperature, Seed: uint64(i)},
		})
	}
	var sequences [][]int32
	var drawn [][]float64
	for i, r := range batched(t, adapters, requests, precision) {
		s, d := slices.Concat(requests[i].Prompt, r.IDs), r.Drawn
		if r.Stop >= 0 {
			s, d = append(s, r.Stop), append(slices.Clone(d), r.StopDrawn)
		}
		sequences, drawn = append(sequences, s), append(drawn, d)
	}
	compare := func(what string, ce [][]float32) {
		for i, s := range sequences {
			for k, d := range drawn[i] {
				at := len(s) - len(drawn[i]) + k
				if got := -float64(ce[i][at-1]); math.Float64bits(got) != math.Float64bits(d) {
					t.Errorf("%s: token %d of sequence %d was drawn with %v, trained with %v", what, k, i, d, got)
				}
			}
		}
	}
	compare("together", scores(t, adapters, sequences, float32(temperature), precision))
	var alone [][]float32
	for _, s := range sequences {
		alone = append(alone, scores(t, adapters, [][]int32{s}, float32(temperature), precision)[0])
	}
	compare("alone", alone)
}

// batched runs requests together, and each by itself in another engine, which gives the same.
func batched(t *testing.T, adapters *model.Adapters, requests []generate.Request, precision numeric.Precision) []generate.Result {
	t.Helper()
	c, dev := tiny(t, 64)
	c.Adapters = adapters
	e, err := generate.New(c, dev, generate.Options{Precision: precision})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, c, dev, 1)
	out := together(t, e, requests)
	own, other := tiny(t, 64)
	own.Adapters = adapters
	e = engineOf(t, own, other, generate.Options{Precision: precision})
	for i, x := range out {
		if alone := run(t, e, requests[i]); !slices.Equal(alone.Drawn, x.Drawn) || alone.StopDrawn != x.StopDrawn {
			t.Errorf("sequence %d was drawn with %v beside others, with %v alone", i, x.Drawn, alone.Drawn)
		}
	}
	return out
}
