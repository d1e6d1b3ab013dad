package generate_test

import (
	"fmt"
	"slices"
	"testing"

	"olmo/generate"
	"olmo/numeric"
)

// TestShare: what several answers begin with is computed once, and each has the bits that it has alone, in
// few slots and in many, in more tokens than a pass takes, and with what slots hold from before.
func TestShare(t *testing.T) {
	const prompts, samples, positions = 30, 5, 64
	var requests []generate.Request
	long := 0
	for i := range int32(prompts * samples) {
		p := int(i) / samples
		// Some prompts begin like the one before; two lengths, so that slots are at different places.
		prompt := slices.Concat(ids(20, int32(p/2)), ids(20+p%7, int32(p)))
		if i%samples == 0 {
			long += len(prompt)
		}
		requests = append(requests, generate.Request{Prompt: prompt, MaxTokens: 3 + int(i*7%13), Stop: []int32{int32(p % 9)}, Sampling: generate.Sampling{Temperature: 1, Seed: uint64(i)}})
	}
	for _, precision := range numeric.Precisions() {
		var want []generate.Result
		for _, c := range []struct {
			share bool
			slots int
		}{{false, 40}, {true, 150}, {true, 40}, {true, 3}, {true, 1}} {
			name := fmt.Sprintf("%v, shared %v, %d slots", precision, c.share, c.slots)
			m, dev := tiny(t, positions)
			b, err := generate.NewBatch(m, dev, generate.BatchOptions{Slots: c.slots, Precision: precision, Share: c.share})
			if err != nil {
				t.Fatal(err)
			}
			fill(t, m, dev, 1)
			for again := range 2 {
				ran := b.Ran()
				var chains []*generate.Continuation
				for _, q := range requests {
					x, err := b.Continue(q)
					if err != nil {
						t.Fatal(err)
					}
					chains = append(chains, x)
				}
				n, drawn := 0, 0
				if err := b.Run(t.Context(), 0, func() generate.Chain {
					if n == len(chains) {
						return nil
					}
					n++
					return chains[n-1]
				}); err != nil {
					t.Fatal(err)
				}
				if want == nil {
					for _, x := range chains {
						want = append(want, x.Result)
					}
				}
				for i, x := range chains {
					drawn += len(x.Result.IDs)
					if w := want[i]; !slices.Equal(x.Result.IDs, w.IDs) || !slices.Equal(x.Result.Drawn, w.Drawn) || x.Result.StopDrawn != w.StopDrawn {
						t.Errorf("%s, time %d: answer %d is %v, want %v", name, again, i, x.Result, w)
					}
				}
				// A prompt, its answers, and of each answer the row behind which its first token is drawn.
				if ran = b.Ran() - ran; c.share && c.slots > samples && ran > int64(long+drawn+2*len(requests)) {
					t.Errorf("%s, time %d: %d tokens were run, for prompts of %d and %d that were drawn", name, again, ran, long, drawn)
				}
			}
		}
	}
}
