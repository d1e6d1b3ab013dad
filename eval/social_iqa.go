package eval

import (
	"fmt"
	"strconv"
)

// Social IQa: Sap et al. 2019. Labels count from 1.
var _ = define(Task{
	Name: "social_iqa", Quoted: LenNorm, About: About{Data: "social_iqa", Source: "Sap et al. 2019"},
	Each: rows("social_iqa", func(r struct {
		Context, Question, AnswerA, AnswerB, AnswerC, Label string
	},
	) (Question, error) {
		n, err := strconv.Atoi(r.Label)
		if err != nil {
			return Question{}, fmt.Errorf("label: %w", err)
		}
		return Question{
			Context: answer(r.Context + " " + r.Question),
			Choices: []string{" " + r.AnswerA, " " + r.AnswerB, " " + r.AnswerC}, Gold: n - 1,
		}, nil
	}),
})
