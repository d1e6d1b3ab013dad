package score

import "olmo/eval/python"

// TriviaQA (Joshi et al. 2017) as lm-eval 0.4.13 judges it (tasks/triviaqa): the response, without
// the space around it, is one of the answer's names, case and punctuation left out.
var _ = define(Scorer{
	Name: "triviaqa", Source: "lm-eval 0.4.13, tasks/triviaqa/default.yaml",
	Gives:    []string{"exact_match"},
	Verdicts: []string{"exact_match"},
	Each: func(r *Row) (Values, error) {
		var names []string
		if err := r.field("answer.aliases", &names); err != nil {
			return nil, err
		}
		response, err := r.Response()
		if err != nil {
			return nil, err
		}
		right, err := triviaQA.Any(python.Strip(response), names)
		return Values{"exact_match": number(right)}, err
	},
	Answers: func(response string) (map[string]string, error) {
		text, err := triviaQA.Normal(python.Strip(response))
		return map[string]string{"exact_match": text}, err
	},
})

var triviaQA = &Exact{Case: true, Punctuation: true}
