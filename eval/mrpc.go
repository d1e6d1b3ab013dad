package eval

import (
	"regexp"
	"strings"
	"sync"
)

// MRPC, from GLUE: Dolan and Brockett 2005. Its label 1, the same meaning, is the
// first choice.
var _ = define(Task{
	Name: "mrpc", Quoted: F1, About: About{Data: "mrpc", Source: "Dolan and Brockett 2005"},
	Each: rows("mrpc", func(r struct {
		Sentence1, Sentence2 string
		Label                int
	},
	) (Question, error) {
		return Question{
			Context: "Sentence 1: " + detokenise(r.Sentence1) + "\nSentence 2: " + detokenise(r.Sentence2) + "\n" + answer("Do both sentences mean the same thing?"),
			Choices: []string{" yes", " no"}, Gold: 1 - r.Label,
		}, nil
	}),
})

var (
	loose       = strings.NewReplacer(" n't", "n't", " )", ")", "( ", "(")
	loosePoints = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(` (['.,])`)
	})
)

// detokenise joins what GLUE's files set apart: "does n't ( really ) ." As
// detokenisers of the field do (general_detokenize of lm-eval 0.4), one rule after
// the other.
func detokenise(s string) string {
	s = loose.Replace(s)
	s = strings.ReplaceAll(s, `" `, `"`)
	s = strings.ReplaceAll(s, ` "`, `"`)
	return loosePoints().ReplaceAllString(s, "$1")
}
