package generate_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"olmo/generate"
)

// TestSubmit submits from many goroutines: each answer is the one that Generate gives, told token by token.
func TestSubmit(t *testing.T) {
	e := engine(t, 64, generate.Options{})
	var wait sync.WaitGroup
	requests := make([]generate.Request, 12)
	got := make([]generate.Result, len(requests))
	for i := range requests {
		requests[i] = generate.Request{Prompt: ids(5+i, int32(i)), MaxTokens: 4 + i, Sampling: generate.Sampling{Temperature: 1, Seed: uint64(i)}}
		wait.Go(func() {
			h, err := e.Submit(t.Context(), requests[i])
			if err != nil {
				t.Error(err)
				return
			}
			var told []int32
			for v := range h.Events() {
				told = append(told, v.ID)
			}
			if got[i], err = h.Wait(); err != nil || !slices.Equal(told, got[i].IDs) {
				t.Errorf("told %v, answered %v, %v", told, got[i].IDs, err)
			}
		})
	}
	wait.Wait()
	for i, q := range requests {
		if want := run(t, e, q); !slices.Equal(got[i].IDs, want.IDs) || !slices.Equal(got[i].Logprobs, want.Logprobs) {
			t.Errorf("request %d: %v, want %v", i, got[i], want)
		}
	}
	h, err := e.Submit(t.Context(), generate.Request{Prompt: ids(3, 1), MaxTokens: 60})
	if err != nil {
		t.Fatal(err)
	}
	h.Cancel()
	if r, err := h.Wait(); !errors.Is(err, context.Canceled) || r.Reason != "cancelled" {
		t.Errorf("cancelled: %v, %v", r, err)
	}
	if _, err := e.Submit(t.Context(), generate.Request{MaxTokens: 1}); err == nil {
		t.Error("no prompt: no error")
	}
}
