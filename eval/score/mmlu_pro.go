package score

import (
	"regexp"
	"strings"
	"sync"
)

// MMLU-Pro (Wang et al. 2024) as lm-eval 0.4.13 judges it (tasks/mmlu_pro): the first letter that
// the answer is said to be, compared with case and punctuation left out.
var _ = define(Scorer{
	Name: "mmlu_pro", Source: "lm-eval 0.4.13, tasks/mmlu_pro/_default_template_yaml",
	Gives:    []string{"exact_match"},
	Verdicts: []string{"exact_match"},
	Each: func(r *Row) (Values, error) {
		var answer string
		if err := r.field("answer", &answer); err != nil {
			return nil, err
		}
		response, err := r.Response()
		if err != nil {
			return nil, err
		}
		right, err := mmluPro.Any(mmluProLetter(response), []string{answer})
		return Values{"exact_match": number(right)}, err
	},
	Answers: func(response string) (map[string]string, error) {
		return map[string]string{"exact_match": mmluProLetter(response)}, nil
	},
})

var (
	mmluPro       = &Exact{Case: true, Punctuation: true}
	mmluProAnswer = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`answer is \(?([ABCDEFGHIJ])\)?`)
	})
)

func mmluProLetter(response string) string {
	if m := mmluProAnswer().FindStringSubmatch(response); m != nil {
		return strings.TrimSpace(m[1])
	}
	return invalid
}
