package score

import (
	"regexp"
	"strings"
	"sync"

	"olmo/eval/python"
	"olmo/eval/score/algebra"
)

// Answers to problems of mathematics however they are asked for (MATH-500, AIME, word problems):
// what a response has in its last box, or else its last number, against the document's target or
// answer, or the box of its solution. Both lose units and spelling as Minerva's do, and are right
// when they are the same expression, tuple, interval or set. There is no reference: where a verdict
// must be another program's, minerva_math and hendrycks_math are it.
var _ = define(Scorer{
	Name: "math", Source: "our own, after Minerva's and Hendrycks'",
	Gives:    []string{"exact_match"},
	Verdicts: []string{"exact_match"},
	Each: func(r *Row) (Values, error) {
		response, err := r.Response()
		if err != nil {
			return nil, err
		}
		right, err := r.answers()
		if err != nil {
			boxed, err := boxedAnswer(r)
			if err != nil {
				return nil, err
			}
			right = []string{boxed}
		}
		found, err := mathAnswer(response)
		if err != nil || found == "" {
			return Values{"exact_match": 0.0}, err
		}
		for _, want := range right {
			if box, ok := lastBoxed(want); ok {
				if inner, ok := unbox(box); ok {
					want = inner
				}
			}
			even, err := mathSpelling(want)
			if err != nil {
				return nil, err
			}
			if hendrycksEqual(found, even) || algebra.Same(found, even) {
				return Values{"exact_match": 1.0}, nil
			}
		}
		return Values{"exact_match": 0.0}, nil
	},
	Answers: func(response string) (map[string]string, error) {
		found, err := mathAnswer(response)
		return map[string]string{"exact_match": found}, err
	},
})

var lastNumber = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`-?\$?(?:\d[\d,]*)?\.?\d+(?:/\d+)?`)
})

// mathAnswer is what a response has in its last box, or else its last number; "" for neither.
func mathAnswer(response string) (string, error) {
	if box, ok := lastBoxed(response); ok {
		if inner, ok := unbox(box); ok {
			return mathSpelling(inner)
		}
	}
	all := lastNumber().FindAllString(response, -1)
	if len(all) == 0 {
		return "", nil
	}
	return strings.NewReplacer("$", "", ",", "").Replace(all[len(all)-1]), nil
}

// mathSpelling evens out an answer's spelling.
func mathSpelling(s string) (string, error) {
	s, err := minervaSpelling(strings.TrimRight(python.Strip(s), "."))
	if strings.HasPrefix(s, ".") {
		s = "0" + s
	}
	return strings.ReplaceAll(s, `\%`, ""), err
}
