package lm_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/generate"
	"olmo/lm"
	"olmo/lm/lmtest"
)

// TestDraft: a model with a draft model writes what it writes alone; one with other tokens is refused.
func TestDraft(t *testing.T) {
	paths := models(t)
	path := paths["a Hugging Face folder"]
	alone := openModel(t, path, lm.Options{})
	drafted := openModel(t, path, lm.Options{Draft: openModel(t, paths["a GGUF file"], lm.Options{})})
	r := lm.Request{Prompt: []int32{3, 1, 4}, MaxTokens: 40, Sampling: generate.Sampling{Temperature: 1, Seed: 2}}
	want, got := answer(t, generator(t, alone), r), answer(t, generator(t, drafted), r)
	if !slices.Equal(got.IDs, want.IDs) || !slices.Equal(got.Logprobs, want.Logprobs) {
		t.Errorf("%v, want %v", got.IDs, want.IDs)
	}

	other := t.TempDir()
	if err := lmtest.Write(other); err != nil {
		t.Fatal(err)
	}
	tok, err := os.ReadFile(filepath.Join(other, "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.ReplaceAll(tok, []byte(`"Z"`), []byte(`"日本語"`))
	if bytes.Equal(changed, tok) {
		t.Fatal("the tokenizer has no Z")
	}
	write(t, filepath.Join(other, "tokenizer.json"), changed)
	for _, want := range []string{"has another tokenizer than", "has no tokenizer"} {
		_, err := lm.Open(path, lm.Options{Draft: openModel(t, other, lm.Options{})})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), other) {
			t.Errorf("%v, want that it %s", err, want)
		}
		os.Remove(filepath.Join(other, "tokenizer.json"))
	}
}
