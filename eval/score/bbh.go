package score

// BIG-Bench Hard (Suzgun et al. 2022) as lm-eval 0.4.13 judges it after thoughts and shots
// (tasks/bbh/cot_fewshot): what follows "the answer is " without its last character, a full stop.
var _ = define(Scorer{
	Name: "bbh", Source: "lm-eval 0.4.13, tasks/bbh/cot_fewshot/_cot_fewshot_template_yaml",
	Gives:    []string{"exact_match"},
	Verdicts: []string{"exact_match"},
	Each: func(r *Row) (Values, error) {
		var target string
		if err := r.field("target", &target); err != nil {
			return nil, err
		}
		response, err := r.Response()
		if err != nil {
			return nil, err
		}
		found, err := extract(bbhAnswer(), false, response)
		return Values{"exact_match": number(found == target)}, err
	},
	Answers: func(response string) (map[string]string, error) {
		found, err := extract(bbhAnswer(), false, response)
		return map[string]string{"exact_match": found}, err
	},
})

var bbhAnswer = pattern(`(?<=the answer is )(.*)(?=.)`)
