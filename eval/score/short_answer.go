package score

import (
	"strings"

	"olmo/eval/python"
)

// Short answers as oe-eval judges them, of SQuAD, Jeopardy, TriviaQA and CoQA: the best of the right
// answers by SQuAD's own measures of version 1, where texts without a word in common have the F1 0,
// and whether one of them stands in the response at all (recall).
var _ = define(Scorer{
	Name: "short_answer", Source: "oe-eval (allenai/olmes), metrics/metric.py, SQuADF1EMRecallMetric",
	Gives:    []string{"exact_match", "f1", "recall"},
	Verdicts: []string{"exact_match"},
	Each: func(r *Row) (Values, error) {
		answers, err := r.answers()
		if err != nil {
			return nil, err
		}
		response, err := r.Response()
		if err != nil {
			return nil, err
		}
		var exact, f1, recall float64
		whole := python.Lower(python.Strip(response))
		for _, a := range answers {
			exact = max(exact, squadExact(a, response))
			if len(squadWords(a)) > 0 {
				f1 = max(f1, squadF1(a, response))
			}
			recall = max(recall, number(strings.Contains(whole, python.Lower(python.Strip(a)))))
		}
		return Values{"exact_match": exact, "f1": f1, "recall": recall}, nil
	},
	Answers: func(response string) (map[string]string, error) {
		return map[string]string{"exact_match": strings.Join(squadWords(response), " ")}, nil
	},
})
