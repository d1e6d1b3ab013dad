package score

// Natural Questions as oe-eval judges them: DROP's measures, of answers that are one span each.
var _ = define(Scorer{
	Name: "naturalqs", Source: "oe-eval (allenai/olmes), dependencies/drop/process_results.py",
	Gives:    []string{"exact_match", "f1"},
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
		spans := make([][]string, len(answers))
		for i, a := range answers {
			spans[i] = []string{a}
		}
		em, f1 := dropScore(spans, response)
		return Values{"exact_match": em, "f1": f1}, nil
	},
	Answers: func(response string) (map[string]string, error) {
		return map[string]string{"exact_match": dropNormal(response)}, nil
	},
})
