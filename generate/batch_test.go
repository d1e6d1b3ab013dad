package generate_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"olmo/generate"
	"olmo/numeric"
)

// TestBatchIsEngine continues many prompts at once, of which some begin alike, in few slots and
// in many: each answer has the bits that it has alone.
func TestBatchIsEngine(t *testing.T) {
	for _, precision := range numeric.Precisions() {
		e := engine(t, 48, generate.Options{Precision: precision})
		var requests []generate.Request
		for i := range int32(23) {
			q := generate.Request{Prompt: slices.Concat(ids(7+int(i%3)*9, i%2), ids(int(i%5), i)), MaxTokens: int(i * 5 % 31), Stop: []int32{int32(i % 7)}}
			if i%3 == 1 {
				q.Sampling = generate.Sampling{Temperature: 0.9, TopP: 0.95, Seed: uint64(i)}
			}
			requests = append(requests, q)
		}
		var want []generate.Result
		for _, q := range requests {
			want = append(want, run(t, e, q))
		}
		for _, slots := range []int{1, 4, 64} {
			c, dev := tiny(t, 48)
			b, err := generate.NewBatch(c, dev, generate.BatchOptions{Slots: slots, Precision: precision})
			if err != nil {
				t.Fatal(err)
			}
			fill(t, c, dev, 1)
			if b.Slots() != slots || b.Positions() != 48 {
				t.Fatalf("%d slots of %d positions, want %d of 48", b.Slots(), b.Positions(), slots)
			}
			for again := range 2 { // the second time the slots hold what the first left
				var chains []*generate.Continuation
				for _, q := range requests {
					x, err := b.Continue(q)
					if err != nil {
						t.Fatal(err)
					}
					chains = append(chains, x)
				}
				n := 0
				if err := b.Run(t.Context(), 0, func() generate.Chain {
					if n == len(chains) {
						return nil
					}
					n++
					return chains[n-1]
				}); err != nil {
					t.Fatal(err)
				}
				for i, x := range chains {
					if w := want[i]; !x.Done || !slices.Equal(x.Result.IDs, w.IDs) || !slices.Equal(x.Result.Logprobs, w.Logprobs) || x.Result.Reason != w.Reason || x.Result.Stop != w.Stop || x.Result.StopLogprob != w.StopLogprob {
						t.Errorf("%v, %d slots, time %d, request %d: %+v, want %+v", precision, slots, again, i, x.Result, w)
					}
				}
			}
		}
	}
}

// TestBatchErrors: what cannot run is an error; memory bounds the slots.
func TestBatchErrors(t *testing.T) {
	c, dev := tiny(t, 16)
	b, err := generate.NewBatch(c, dev, generate.BatchOptions{Memory: 1})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, c, dev, 1)
	if b.Slots() != 1 {
		t.Errorf("no memory gives %d slots, want one", b.Slots())
	}
	if _, err := b.Continue(generate.Request{MaxTokens: 1}); err == nil {
		t.Error("no prompt: no error")
	}
	if _, err := b.Continue(generate.Request{Prompt: ids(16, 1), MaxTokens: 1}); !errors.Is(err, generate.ErrTooLong) {
		t.Errorf("a prompt without room for an answer: %v", err)
	}
	x, err := b.Continue(generate.Request{Prompt: []int32{64}, MaxTokens: 1})
	if err != nil {
		t.Fatal(err)
	}
	once := func(c generate.Chain) func() generate.Chain {
		return func() generate.Chain {
			defer func() { c = nil }()
			return c
		}
	}
	if b.Run(t.Context(), 0, once(x)) == nil {
		t.Error("an id outside the vocabulary: no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if x, err = b.Continue(generate.Request{Prompt: ids(3, 1), MaxTokens: 1}); err == nil {
		err = b.Run(ctx, 0, once(x))
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
