package eval

// BoolQ: Clark et al. 2019.
var _ = define(Task{
	Name: "boolq", Quoted: Accuracy, About: About{Data: "boolq", Source: "Clark et al. 2019"},
	Each: rows("boolq", func(r struct {
		Question, Passage string
		Answer            bool
	},
	) (Question, error) {
		q := Question{Context: r.Passage + "\n" + answer(r.Question+"?"), Choices: []string{" yes", " no"}}
		if !r.Answer {
			q.Gold = 1
		}
		return q, nil
	}),
})
