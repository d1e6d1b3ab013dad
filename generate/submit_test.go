package generate_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"testing"

	"olmo/generate"
)

// TestForced: ids that a constraint forces come, but for those that the settings exclude.
func TestForced(t *testing.T) {
	e := engine(t, 64, generate.Options{})
	for name, settings := range map[string]generate.Sampling{
		"allowed":   {Allowed: []int32{5, 9, 10, 12}},
		"banned":    {Banned: []int32{9}},
		"biased":    {Bias: map[int32]float64{9: math.Inf(-1)}},
		"bad word":  {BadWords: [][]int32{{2, 9}}},
		"no n-gram": {NoRepeatNGram: 1},
	} {
		settings.Temperature = 1
		excluded := 0
		for seed := range uint64(20) {
			q := generate.Request{Prompt: []int32{1, 2}, MaxTokens: 30, Sampling: settings, Constraint: &stub{of: 1, force: 2}} // which are 2 and 9
			if name == "no n-gram" {
				q.Prompt = []int32{1, 9}
			}
			q.Sampling.Seed = seed
			got, err := e.Generate(t.Context(), q)
			if err != nil && !errors.Is(err, generate.ErrNothingLeft) {
				t.Fatal(err)
			}
			text := slices.Concat(q.Prompt, got.IDs)
			for i, id := range got.IDs {
				at := len(q.Prompt) + i
				if id == 9 && (name != "bad word" || text[at-1] == 2) && name != "allowed" || name == "allowed" && !slices.Contains(settings.Allowed, id) ||
					name == "no n-gram" && slices.Contains(text[:at], id) {
					t.Errorf("%s: %v has an id that is excluded", name, got.IDs)
				}
			}
			if len(got.IDs) > 0 && got.IDs[0] != 2 {
				excluded++
			}
		}
		if first := name == "allowed"; (excluded > 0) != first {
			t.Errorf("%s: the first forced id is missing %d times of 20", name, excluded)
		}
	}
}

// TestDraft: a draft model that is the model itself guesses all of an answer, drawn or not, within a form or not;
// and the bits are those without.
func TestDraft(t *testing.T) {
	plain := engine(t, 64, generate.Options{NoGuesses: true})
	drafted := engine(t, 64, generate.Options{Draft: engine(t, 64, generate.Options{NoGuesses: true})})
	drafted.AlwaysGuess()
	for seed := range uint64(8) {
		q := generate.Request{Prompt: ids(7, int32(seed)), MaxTokens: 40, Sampling: generate.Sampling{Temperature: 1.5, Seed: seed, Penalties: generate.Penalties{Repetition: 1.3}}}
		held := func() generate.Request {
			if seed%2 == 1 {
				q.Constraint = &stub{of: 2}
			}
			return q
		}
		want, got := run(t, plain, held()), run(t, drafted, held())
		if !slices.Equal(got.IDs, want.IDs) || !slices.Equal(got.Logprobs, want.Logprobs) {
			t.Errorf("seed %d: %v, want %v", seed, got.IDs, want.IDs)
		}
		if got.Accepted == 0 || seed%2 == 0 && got.Accepted < len(got.IDs)/2 {
			t.Errorf("seed %d: %d of %d tokens that were guessed came, of %d", seed, got.Accepted, got.Proposed, len(got.IDs))
		}
	}
}

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
