package eval

import (
	"unicode"
	"unicode/utf8"

	"olmo/eval/python"
)

// COPA: Roemmele et al. 2011. The premise loses its full stop, the choices their
// capital.
var _ = define(Task{
	Name: "copa", Quoted: Accuracy, About: About{Data: "copa", Source: "Roemmele et al. 2011"},
	Each: rows("copa", func(r struct {
		Premise, Choice1, Choice2, Question string
		Label                               int
	},
	) (Question, error) {
		premise := python.Strip(r.Premise)
		_, n := utf8.DecodeLastRuneInString(premise)
		link := " therefore"
		if r.Question == "cause" {
			link = " because"
		}
		choice := func(s string) string {
			first, n := utf8.DecodeRuneInString(s)
			return " " + string(unicode.ToLower(first)) + s[n:]
		}
		return Question{Context: premise[:len(premise)-n] + link, Choices: []string{choice(r.Choice1), choice(r.Choice2)}, Gold: r.Label}, nil
	}),
})
