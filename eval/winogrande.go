package eval

import (
	"fmt"
	"strconv"
	"strings"

	"olmo/eval/python"
)

// WinoGrande: Sakaguchi et al. 2020. What differs is the context; the continuation
// is what follows the gap.
var _ = define(Task{
	Name: "winogrande", Quoted: Accuracy, About: About{Data: "winogrande", Source: "Sakaguchi et al. 2020"},
	Each: rows("winogrande", func(r struct{ Sentence, Option1, Option2, Answer string }) (Question, error) {
		n, err := strconv.Atoi(r.Answer)
		if err != nil {
			return Question{}, fmt.Errorf("answer: %w", err)
		}
		before, after, found := strings.Cut(r.Sentence, "_")
		if !found {
			return Question{}, fmt.Errorf("the sentence has no gap: %q", r.Sentence)
		}
		rest := " " + python.Strip(after)
		return Question{Contexts: []string{before + r.Option1, before + r.Option2}, Choices: []string{rest, rest}, Gold: n - 1}, nil
	}),
})
