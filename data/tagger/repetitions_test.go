package tagger_test

import (
	"testing"

	"olmo/data"
	"olmo/data/tagger"
)

// What repeats, how often, and what that is of the whole text; within paragraphs when
// asked for.
func TestRepetitionTaggers(t *testing.T) {
	for _, c := range []struct{ tagger, text, want string }{
		{"repetitions_v1", "", "doc_max_score_repetition[0,0]0 doc_max_length_repetition[0,0]0 doc_frac_repetition[0,0]0"},
		{"repetitions_v1", "abc", "doc_max_score_repetition[0,3]0 doc_max_length_repetition[0,3]0 doc_frac_repetition[0,3]0"},
		{"repetitions_v1", "é ababababx", "repetition[2,10]4 doc_max_score_repetition[0,11]4 doc_max_length_repetition[0,11]8 doc_frac_repetition[0,11]0.727"},
		{"repetitions_v1", "aaaaa, bcbcbcbc", "repetition[0,5]5 repetition[7,15]4 doc_max_score_repetition[0,15]5 doc_max_length_repetition[0,15]8 doc_frac_repetition[0,15]0.867"},
		{"repetitions_v1", "so so\nso so", "repetition[0,11]4 doc_max_score_repetition[0,11]4 doc_max_length_repetition[0,11]11 doc_frac_repetition[0,11]1"},
		{"paragraph_repetitions_v1", "so so\nso so", "doc_max_score_repetition[0,11]0 doc_max_length_repetition[0,11]0 doc_frac_repetition[0,11]0"},
		{"paragraph_repetitions_v1", "é\naaaa\nbbbbb", "repetition[2,6]4 repetition[7,12]5 doc_max_score_repetition[0,12]5 doc_max_length_repetition[0,12]5 doc_frac_repetition[0,12]0.75"},
	} {
		if got := tag(t, c.tagger, data.Document{ID: "x", Text: c.text}, tagger.Options{}); got != c.want {
			t.Errorf("%s on %q:\n got %s\nwant %s", c.tagger, c.text, got, c.want)
		}
	}
}
