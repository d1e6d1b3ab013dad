package score

import (
	"fmt"
	"slices"
	"strings"

	"olmo/config"
	"olmo/eval/python"
)

// Whether the response is the right answer, or one of them, as lm-eval 0.4.13's exact_match
// compares (api/metrics.py, exact_match_hf_evaluate): as they are, or with the options
// ignore_case, ignore_punctuation and ignore_numbers. The option remove_whitespace is its filter
// of that name: without it a space before the response counts.
var _ = define(exactMatch(&Exact{}, false))

func exactMatch(x *Exact, strip bool) Scorer {
	answer := func(response string) string {
		if strip {
			return python.Strip(response)
		}
		return response
	}
	return Scorer{
		Name: "exact_match", Source: "lm-eval 0.4.13, api/metrics.py, exact_match_hf_evaluate",
		Gives:    []string{"exact_match"},
		Verdicts: []string{"exact_match"},
		Each: func(r *Row) (Values, error) {
			response, err := r.Response()
			if err != nil {
				return nil, err
			}
			answers, err := r.answers()
			if err != nil {
				return nil, err
			}
			right, err := x.Any(answer(response), answers)
			return Values{"exact_match": number(right)}, err
		},
		Answers: func(response string) (map[string]string, error) {
			text, err := x.Normal(answer(response))
			return map[string]string{"exact_match": text}, err
		},
		With: func(options []string) (*Scorer, error) {
			known := []string{"ignore_case", "ignore_punctuation", "ignore_numbers", "remove_whitespace"}
			for _, o := range options {
				if !slices.Contains(known, o) {
					hint := "there are " + strings.Join(known, ", ")
					if near, ok := config.Nearest(o, known); ok {
						hint = "did you mean " + near + "?"
					}
					return nil, fmt.Errorf("no option is called %q\nhint: %s", o, hint)
				}
			}
			has := func(name string) bool { return slices.Contains(options, name) }
			s := exactMatch(&Exact{Case: has("ignore_case"), Punctuation: has("ignore_punctuation"), Numbers: has("ignore_numbers")}, has("remove_whitespace"))
			return &s, nil
		},
	}
}

// Exact says what does not count when texts are compared.
type Exact struct {
	// Patterns are taken from both texts first, in this order.
	Patterns []*python.Regexp
	// Case, Punctuation and Numbers (of ASCII) are left out of account.
	Case, Punctuation, Numbers bool
}

// Normal is the text without what does not count. Where lower case is longer, as that of İ, it is
// kept whole; NumPy, in which lm-eval does this, cuts it to the longest of the texts before.
func (x *Exact) Normal(s string) (string, error) {
	for _, re := range x.Patterns {
		var err error
		if s, err = re.Sub("", s, 0); err != nil {
			return "", err
		}
	}
	if x.Case {
		s = python.Lower(s)
	}
	if x.Punctuation {
		s = without(s, punctuation)
	}
	if x.Numbers {
		s = without(s, "0123456789")
	}
	return s, nil
}

// Any reports whether the text is one of the answers.
func (x *Exact) Any(text string, answers []string) (bool, error) {
	text, err := x.Normal(text)
	if err != nil {
		return false, err
	}
	for _, a := range answers {
		a, err := x.Normal(a)
		if err != nil || a == text {
			return err == nil, err
		}
	}
	return false, nil
}

// punctuation is string.punctuation.
const punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

// without is a text without some characters.
func without(s, drop string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(drop, r) {
			return -1
		}
		return r
	}, s)
}
