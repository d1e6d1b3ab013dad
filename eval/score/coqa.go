package score

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"olmo/eval/python"
)

// CoQA (Reddy et al. 2019) as lm-eval 0.4.13 judges it (tasks/coqa/utils.py): the response's first
// line against the answers to the last question by SQuAD's measures; where people gave several
// answers, each is left out once, as they were measured themselves.
var _ = define(Scorer{
	Name: "coqa", Source: "lm-eval 0.4.13, tasks/coqa/utils.py, process_results",
	Gives: []string{"em", "f1"},
	Each: func(r *Row) (Values, error) {
		gold, err := coqaAnswers(r)
		if err != nil {
			return nil, err
		}
		response, err := r.Response()
		if err != nil {
			return nil, err
		}
		response, _, _ = strings.Cut(python.Strip(response), "\n")
		var em, f1 float64
		for i := range gold {
			var best, bestF1 float64
			for k, g := range gold {
				if k != i || len(gold) == 1 {
					best, bestF1 = max(best, squadExact(g, response)), max(bestF1, squadF1(g, response))
				}
			}
			em, f1 = em+best, f1+bestF1
		}
		n := float64(len(gold))
		return Values{"em": em / n, "f1": f1 / n}, nil
	},
})

type coqaTurns struct {
	Texts []string `json:"input_text"`
}

// coqaAnswers are the answers to the last question, those that differ only in case once.
func coqaAnswers(r *Row) ([]string, error) {
	var questions, answers coqaTurns
	if err := errors.Join(r.field("questions", &questions), r.field("answers", &answers)); err != nil {
		return nil, err
	}
	last := len(questions.Texts) - 1
	if last < 0 || last >= len(answers.Texts) {
		return nil, fmt.Errorf("the document has %d questions and %d answers", last+1, len(answers.Texts))
	}
	gold := []string{answers.Texts[last]}
	var others map[string]coqaTurns
	if r.field("additional_answers", &others) != nil {
		return gold, nil
	}
	for _, key := range slices.Sorted(maps.Keys(others)) {
		texts := others[key].Texts
		if last >= len(texts) {
			return nil, fmt.Errorf("additional_answers.%s has %d answers to %d questions", key, len(texts), last+1)
		}
		if !slices.ContainsFunc(gold, func(g string) bool { return python.Lower(g) == python.Lower(texts[last]) }) {
			gold = append(gold, texts[last])
		}
	}
	return gold, nil
}
