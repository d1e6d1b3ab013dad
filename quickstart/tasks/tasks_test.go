package tasks

import (
	"encoding/json"
	"testing"

	"olmo/eval/score"
)

// TestVerifiers: of each exercise the first answer gets 1, and the others get 0.
func TestVerifiers(t *testing.T) {
	set := score.BuiltIn()
	questions := map[string]bool{}
	for i := range 2000 {
		x := Draw(7, i)
		questions[x.Question] = true
		truth, err := json.Marshal(x.Truth)
		if err != nil {
			t.Fatal(err)
		}
		r, err := set.Rewards([]string{x.Verifier}, []json.RawMessage{truth})
		if err != nil {
			t.Fatalf("%s: %v", x.Question, err)
		}
		for style, answer := range x.Answers {
			want := 0.0
			if style == 0 {
				want = 1
			}
			if got, err := r.Score(t.Context(), &score.Attempted{Text: answer}); err != nil || got.Sum != want {
				t.Errorf("%s %q: %v, %v, want %v", x.Question, answer, got.Sum, err, want)
			}
		}
	}
	if n := len(questions); n < 1500 {
		t.Errorf("of 2000 questions %d are different", n)
	}
	if a, b := Draw(7, 12), Draw(8, 12); a.Question == b.Question {
		t.Error("another seed gives the same exercise")
	}
}

// TestQuestions takes the first sentences of comments, and nothing that only looks like one.
func TestQuestions(t *testing.T) {
	text := `Package zip provides support for reading archives. See more.

Reader serves content from a ZIP archive. It is good.

Open opens the named file in the
archive, using rules.

ErrFormat is the error that is returned for a file of another kind.

Close closes:

the Writer closes nothing that anybody sees.
`
	want := []struct{ question, answer string }{
		{"What does zip.Reader do?", "Reader serves content from a ZIP archive."},
		{"What does zip.Open do?", "Open opens the named file in the archive, using rules."},
		{"What is zip.ErrFormat?", "ErrFormat is the error that is returned for a file of another kind."},
	}
	got := Questions("archive/zip", text)
	if len(got) != len(want) {
		t.Fatalf("%d questions, want %d: %+v", len(got), len(want), got)
	}
	for i, w := range want {
		if got[i].Question != w.question || got[i].Truth != w.answer || got[i].Answers[0] != w.answer {
			t.Errorf("%+v, want %+v", got[i], w)
		}
	}
}
