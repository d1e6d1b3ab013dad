package lm_test

import (
	"fmt"
	"slices"
	"testing"

	"olmo/generate"
	"olmo/lm"
)

// TestWriter holds texts that are written together against those of a Generator.
func TestWriter(t *testing.T) {
	m := openModel(t, models(t)["a checkpoint"], lm.Options{})
	g := generator(t, m)
	var requests []lm.Request
	for i := range 12 {
		prompt, err := m.Encode(fmt.Sprintf("The cat number %d sat", i%4))
		if err != nil {
			t.Fatal(err)
		}
		r := lm.Request{Prompt: prompt, MaxTokens: 3 + i, Stop: m.Stop, StopTexts: []string{"at", "."}[:i%3%2+i%2]}
		if i%2 == 1 {
			r.Sampling = generate.Sampling{Temperature: 1, Seed: uint64(i)}
		}
		requests = append(requests, r)
	}
	w := m.Writer(lm.WriterOptions{})
	told := map[int]lm.Answer{}
	if err := w.Write(t.Context(), requests, func(i int, a lm.Answer) error {
		told[i] = a
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for i, r := range requests {
		want := answer(t, g, r)
		if got, ok := told[i]; !ok || got.Text != want.Text || !slices.Equal(got.IDs, want.IDs) || !slices.Equal(got.Logprobs, want.Logprobs) || got.Reason != want.Reason {
			t.Errorf("request %d: %+v, want %+v", i, got, want)
		}
	}
	if err := w.Write(t.Context(), []lm.Request{{MaxTokens: 1}}, func(int, lm.Answer) error { return nil }); err == nil {
		t.Error("no prompt: no error")
	}
}
