package eval

// Natural Questions without the articles: Lee et al. 2019. The first answer counts.
var _ = define(Task{
	Name: "natural_qs_open_ppl", Quoted: CrossEntropy, About: About{Data: "natural_qs_open", Source: "Lee et al. 2019"},
	Each: rows("natural_qs_open", func(r struct {
		Question string
		Answer   []string
	},
	) (Question, error) {
		if len(r.Answer) == 0 {
			return Question{}, errNoAnswer
		}
		return Question{Context: "\n" + answer(r.Question), Choices: []string{" " + r.Answer[0]}}, nil
	}),
})
