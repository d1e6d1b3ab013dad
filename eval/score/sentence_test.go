package score

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// TestSentences compares sentences and words with NLTK's (testdata/sentences.py).
func TestSentences(t *testing.T) {
	text, err := os.ReadFile("testdata/sentences.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Text      string
		Sentences []string
		Words     [][]string
	}
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if got := sentences(r.Text); !slices.Equal(got, r.Sentences) {
			t.Errorf("sentences of %q:\n%q, want\n%q", r.Text, got, r.Sentences)
		}
		for i, s := range r.Sentences {
			got, err := treebankWords(s)
			if err != nil || !slices.Equal(got, r.Words[i]) {
				t.Errorf("words of %q:\n%q, want\n%q (%v)", s, got, r.Words[i], err)
			}
		}
	}
}
