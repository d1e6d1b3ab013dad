package lm_test

import (
	"slices"
	"strings"
	"testing"

	"olmo/generate"
	"olmo/lm"
	"olmo/lm/lmtest"
)

// TestWords: texts come to the tokens in which a model writes them.
func TestWords(t *testing.T) {
	dir := t.TempDir()
	if err := lmtest.Write(dir); err != nil {
		t.Fatal(err)
	}
	m := openModel(t, dir, lm.Options{})
	encode := func(text string) []int32 {
		ids, err := m.Tokenizer.AppendEncode(nil, text)
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}
	s := generate.Sampling{Bias: map[int32]float64{encode("xz")[0]: 1}}
	given := s.Bias
	if err := (lm.Words{Bias: map[string]float64{"xz": 2}, BadWords: []string{"cat", " dog"}}).AddTo(&s, m); err != nil {
		t.Fatal(err)
	}
	for i, id := range encode("xz") {
		if want := float64(2 + max(0, 1-i)); s.Bias[id] != want {
			t.Errorf("token %d of xz has the bias %g, want %g", i, s.Bias[id], want)
		}
	}
	if len(given) != 1 || given[encode("xz")[0]] != 1 {
		t.Errorf("the biases that were given are %v now", given)
	}
	if want := [][]int32{encode("cat"), encode(" cat"), encode(" dog")}; !slices.EqualFunc(s.BadWords, want, slices.Equal) {
		t.Errorf("bad words are %v, want %v", s.BadWords, want)
	}

	// Every way to write a breaker with a token that begins before it has one as its beginning.
	for _, breaker := range []string{"\n", "cat", "at on"} {
		var s generate.Sampling
		if err := (lm.Words{Breakers: []string{breaker}}).AddTo(&s, m); err != nil {
			t.Fatal(err)
		}
		if len(s.DRY.Breakers) == 0 {
			t.Fatalf("%q has no tokens", breaker)
		}
		for _, ids := range s.DRY.Breakers {
			if text := m.Tokenizer.Decode(ids, false); !strings.Contains(text, breaker) {
				t.Errorf("%v, %q, is no %q", ids, text, breaker)
			}
		}
		ids := encode("The cat sat on the mat\n")
		found := false
		for i := range ids {
			for _, b := range s.DRY.Breakers {
				found = found || len(b) <= len(ids)-i && slices.Equal(ids[i:i+len(b)], b)
			}
		}
		if !found {
			t.Errorf("%q is not found in a text that has it: %v, %v", breaker, ids, s.DRY.Breakers)
		}
	}
	if err := (lm.Words{BadWords: []string{""}}).AddTo(&s, m); err == nil || !strings.Contains(err.Error(), `"" has no tokens`) {
		t.Errorf("an empty word: %v", err)
	}
	if err := (lm.Words{Breakers: []string{""}}).AddTo(&s, m); err == nil {
		t.Error("an empty breaker is taken")
	}
}

// TestBeams: a beam of one is the greedy answer, with its text, and the log-probabilities have its bits; the best of
// four has a sum that is no lower.
func TestBeams(t *testing.T) {
	dir := t.TempDir()
	if err := lmtest.Write(dir); err != nil {
		t.Fatal(err)
	}
	m := openModel(t, dir, lm.Options{})
	prompt, err := m.Encode("The cat")
	if err != nil {
		t.Fatal(err)
	}
	greedy := answer(t, generator(t, m), lm.Request{Prompt: prompt, MaxTokens: 12})
	q := generate.BeamRequest{Prompt: prompt, MaxTokens: 12, Beams: 1}
	one, err := m.Beams(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if len(one) != 1 || !slices.Equal(one[0].IDs, greedy.IDs) || !slices.Equal(one[0].Logprobs, greedy.Logprobs) || one[0].Text != greedy.Text {
		t.Errorf("a beam of one gives %+v, want %+v", one, greedy)
	}
	q.Beams = 4
	four, err := m.Beams(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if len(four) != 4 || four[0].Score < one[0].Score {
		t.Errorf("four beams give %+v", four)
	}
	for i, s := range four {
		var sum float64
		for _, p := range s.Logprobs {
			sum += p
		}
		if sum != s.Score || i > 0 && s.Score > four[i-1].Score {
			t.Errorf("sequence %d has the score %v, its log-probabilities sum to %v", i, s.Score, sum)
		}
	}
	q.Prompt = nil
	if _, err := m.Beams(t.Context(), q); err == nil || !strings.Contains(err.Error(), "the prompt has no tokens") {
		t.Errorf("an empty prompt: %v", err)
	}
	// The model's positions end the sequences.
	q = generate.BeamRequest{Prompt: slices.Repeat(prompt, 60), MaxTokens: 500, Beams: 2, LikeHF: true}
	q.Prompt = q.Prompt[:60]
	if long, err := m.Beams(t.Context(), q); err != nil || len(long) != 1 || len(long[0].IDs) > 4 {
		t.Errorf("%+v, %v of 60 tokens in a model of 64", long, err)
	}
}
