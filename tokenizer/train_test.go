package tokenizer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
)

func trainOn(t *testing.T, cfg TrainConfig, docs ...string) (vocab map[string]int, merges [][2]string, data []byte) {
	t.Helper()
	data, err := Train(t.Context(), func(yield func(string, error) bool) {
		for _, d := range docs {
			if !yield(d, nil) {
				return
			}
		}
	}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Model struct {
			Vocab  map[string]int
			Merges [][2]string
		}
	}
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	return f.Model.Vocab, f.Model.Merges, data
}

// TestTrainRules takes what tokenizers 0.23.3 answers on small texts.
func TestTrainRules(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  TrainConfig
		docs []string
		want [][2]string
	}{
		{"most frequent first", TrainConfig{VocabSize: 258}, []string{"abab abab cd"}, [][2]string{{"a", "b"}, {"ab", "ab"}}},
		{"of equals the smaller ids", TrainConfig{VocabSize: 257}, []string{"xy", "cd"}, [][2]string{{"c", "d"}}},
		{"frequency", TrainConfig{VocabSize: 300, MinFrequency: 3}, []string{"ab ab ab cd"}, [][2]string{{"a", "b"}}},
		{"runs from the left", TrainConfig{VocabSize: 258}, []string{"aaaaa"}, [][2]string{{"a", "a"}, {"aa", "a"}}},
		{"length", TrainConfig{VocabSize: 300, MaxTokenLength: 3}, []string{"abcd"}, [][2]string{{"a", "b"}, {"c", "d"}}},
		{"special token made again", TrainConfig{VocabSize: 260, SpecialTokens: []string{"ab"}}, []string{"abab abab"}, [][2]string{{"a", "b"}, {"ab", "ab"}, {"Ġ", "abab"}}},
		{"no text", TrainConfig{VocabSize: 300}, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, got, _ := trainOn(t, c.cfg, c.docs...); !slices.Equal(got, c.want) {
				t.Errorf("merges %q, want %q", got, c.want)
			}
		})
	}
}

func TestTrainSameForAnyThreads(t *testing.T) {
	var docs []string
	for range 50 {
		docs = append(docs, strings.Repeat("the cat sat on the mat; that's 1984 cats, été. ", 200))
	}
	_, _, one := trainOn(t, TrainConfig{VocabSize: 320, Threads: 1}, docs...)
	_, _, four := trainOn(t, TrainConfig{VocabSize: 320, Threads: 4}, docs...)
	if !bytes.Equal(one, four) {
		t.Error("the file depends on the number of threads")
	}
}

func TestTrainErrors(t *testing.T) {
	none := func(func(string, error) bool) {}
	for _, c := range []struct {
		cfg  TrainConfig
		want string
	}{
		{TrainConfig{VocabSize: 255}, "a vocabulary of 255 is too small: the bytes and special tokens take 256"},
		{TrainConfig{VocabSize: 257, SpecialTokens: []string{"x", "<a>", "<b>", "<a>"}}, "take 258"},
		{TrainConfig{VocabSize: 1 << 30}, "is too large"},
		{TrainConfig{VocabSize: 300, PreTokenizer: "gpt3"}, `unknown pre-tokenizer "gpt3"; known are gpt2 and cl100k`},
		{TrainConfig{VocabSize: 300, SpecialTokens: []string{""}}, "is empty or not UTF-8"},
	} {
		if _, err := Train(t.Context(), none, c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Train(%+v): error %v, want one with %q", c.cfg, err, c.want)
		}
	}
	broken := errors.New("broken")
	if _, err := Train(t.Context(), func(yield func(string, error) bool) { yield("", broken) }, TrainConfig{VocabSize: 300}); !errors.Is(err, broken) {
		t.Errorf("Train with a broken source: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := Train(ctx, func(yield func(string, error) bool) { yield("a", nil) }, TrainConfig{VocabSize: 300}); !errors.Is(err, context.Canceled) {
		t.Errorf("Train after the end of its context: %v", err)
	}
}
