package score

import (
	"encoding/json"
	"regexp"
	"strings"
)

// MMLU-Pro (Wang et al. 2024) as lm-eval 0.4.13 judges it (tasks/mmlu_pro): the first letter that
// the answer is said to be, compared with case and punctuation left out.
var _ = define(Scorer{
	Name: "mmlu_pro", Source: "lm-eval 0.4.13, tasks/mmlu_pro/_default_template_yaml",
	Each: func(r *Row) (Values, error) {
		var doc struct{ Answer string }
		if err := json.Unmarshal(r.Doc, &doc); err != nil {
			return nil, err
		}
		response, err := r.Response()
		if err != nil {
			return nil, err
		}
		found := "[invalid]"
		if m := mmluProAnswer.FindStringSubmatch(response); m != nil {
			found = strings.TrimSpace(m[1])
		}
		return Values{"exact_match": number(bare(found) == bare(doc.Answer))}, nil
	},
})

var mmluProAnswer = regexp.MustCompile(`answer is \(?([ABCDEFGHIJ])\)?`)

// bare is a text in lower case without the punctuation of ASCII.
func bare(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", r) {
			return -1
		}
		return r
	}, strings.ToLower(s))
}
