package generate_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"olmo/generate"
)

// TestAdapters: a request with an adapter has the bits of a model that has it for everything, and one without
// those of a model without, though all of them begin alike and are in the same steps.
func TestAdapters(t *testing.T) {
	c, dev := tiny(t, 200)
	prompt := ids(90, 1)
	ask := func(e *generate.Engine, adapters ...int) []generate.Result {
		t.Helper()
		var all []generate.Request
		for _, a := range adapters {
			all = append(all, generate.Request{Prompt: prompt, MaxTokens: 30, Adapter: a, Sampling: generate.Sampling{Temperature: 1}})
		}
		out, err := e.GenerateAll(context.Background(), all, nil)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	want := []generate.Result{ask(engineOf(t, c, dev, generate.Options{}), 0)[0]}
	for i, a := range twoAdapters {
		with := *c
		with.Adapters = a
		dev := cpuDevice(t)
		e := engineOf(t, &with, dev, generate.Options{})
		write(t, c, a, dev, uint64(i+2), func(name string) string { return name })
		want = append(want, ask(e, 0)[0])
	}
	if slices.Equal(want[0].Logprobs, want[1].Logprobs) || slices.Equal(want[1].Logprobs, want[2].Logprobs) {
		t.Fatal("the adapters change nothing")
	}
	e := engineOf(t, c, cpuDevice(t), generate.Options{Adapters: twoAdapters})
	choices := []int{0, 1, 2, 1, 0, 2, 2}
	for range 2 { // with what the first round has left
		for i, got := range ask(e, choices...) {
			if w := want[choices[i]]; !slices.Equal(got.IDs, w.IDs) || !slices.Equal(got.Logprobs, w.Logprobs) {
				t.Errorf("request %d with adapter %d: %+v, want %+v", i, choices[i], got, w)
			}
		}
	}
	if e.Stats().Reused == 0 {
		t.Error("nothing was taken over")
	}
	if _, err := e.Submit(context.Background(), generate.Request{Prompt: prompt, MaxTokens: 1, Adapter: 3}); err == nil || !strings.Contains(err.Error(), "no adapter 3, of 2") {
		t.Errorf("an adapter that is not there: %v", err)
	}
}
