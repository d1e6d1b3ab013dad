package lm_test

import (
	"fmt"
	"regexp"
	"slices"
	"testing"

	"olmo/constrain"
	"olmo/generate"
	"olmo/lm"
)

// TestForm holds answers to forms, alone and beside each other: they are complete, or ended by their
// length, and each is what it is alone.
func TestForm(t *testing.T) {
	m := openModel(t, models(t)["a checkpoint"], lm.Options{})
	g := generator(t, m)
	schema, err := constrain.Schema([]byte(`{"type":"object","properties":{"name":{"enum":["a","bc"]},"ok":{"type":"boolean"}},"required":["name","ok"],"additionalProperties":false}`))
	if err != nil {
		t.Fatal(err)
	}
	digits, err := constrain.Regexp(`No[.] [0-9]{4}(-[0-9])*`)
	if err != nil {
		t.Fatal(err)
	}
	forms := []struct {
		grammar *constrain.Grammar
		want    string
	}{
		{schema, `^\{\s*"name":\s*"(a|bc)",\s*"ok":\s*(true|false)\s*\}$`},
		{digits, `^No[.] [0-9]{4}(-[0-9])*$`},
	}
	var requests []lm.Request
	var want []*regexp.Regexp
	for i := range 12 {
		f, err := m.Form(forms[i%2].grammar)
		if err != nil {
			t.Fatal(err)
		}
		prompt, err := m.Encode(fmt.Sprintf("The cat number %d", i%3))
		if err != nil {
			t.Fatal(err)
		}
		r := lm.Request{Prompt: prompt, MaxTokens: 40, Stop: m.Stop, Form: f, Sampling: generate.Sampling{Temperature: float64(i % 3), Seed: uint64(i)}}
		if i == 11 {
			r.MaxTokens = 3
		}
		requests, want = append(requests, r), append(want, regexp.MustCompile(forms[i%2].want))
	}
	told := map[int]lm.Answer{}
	if err := m.Writer(lm.WriterOptions{}).Write(t.Context(), requests, func(i int, a lm.Answer) error {
		told[i] = a
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	complete := 0
	for i, r := range requests {
		alone := answer(t, g, r)
		got := told[i]
		if got.Text != alone.Text || !slices.Equal(got.IDs, alone.IDs) || !slices.Equal(got.Logprobs, alone.Logprobs) || got.Reason != alone.Reason {
			t.Errorf("request %d: %+v, alone %+v", i, got, alone)
		}
		switch got.Reason {
		case "stop":
			complete++
			if !want[i].MatchString(got.Text) {
				t.Errorf("request %d: the answer is %q, want %s", i, got.Text, want[i])
			}
		case "length":
			if len(got.IDs) != r.MaxTokens {
				t.Errorf("request %d: ended by its length after %d of %d tokens", i, len(got.IDs), r.MaxTokens)
			}
		default:
			t.Errorf("request %d ended by %q", i, got.Reason)
		}
	}
	if complete < 6 || told[11].Reason != "length" {
		t.Errorf("%d answers are complete, and the short one ended by %q", complete, told[11].Reason)
	}
}
