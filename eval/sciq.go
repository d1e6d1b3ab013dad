package eval

import "olmo/eval/python"

// SciQ: Welbl et al. 2017. The right answer comes last.
var _ = define(Task{
	Name: "sciq", Quoted: Accuracy, About: About{Data: "sciq", Source: "Welbl et al. 2017"},
	Each: rows("sciq", func(r struct {
		Question, Support, Distractor1, Distractor2, Distractor3 string
		Correct                                                  string `json:"correct_answer"`
	},
	) (Question, error) {
		return Question{
			Context: python.Strip(r.Support) + "\n" + answer(r.Question),
			Choices: []string{" " + r.Distractor1, " " + r.Distractor2, " " + r.Distractor3, " " + r.Correct}, Gold: 3,
		}, nil
	}),
})
