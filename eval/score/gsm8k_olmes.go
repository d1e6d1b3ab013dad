package score

import (
	"strings"

	"olmo/eval/python"
)

// GSM8K as oe-eval judges it: the last number of the response, without commas between digits,
// against that of the answer after the four hashes, or of short_answer.
var _ = define(Scorer{
	Name: "gsm8k_olmes", Source: "oe-eval (allenai/olmes), tasks/oe_eval_tasks/gsm8k.py, _extract_answer",
	Gives:    []string{"exact_match"},
	Verdicts: []string{"exact_match"},
	Each: func(r *Row) (Values, error) {
		var answer string
		if r.field("short_answer", &answer) != nil {
			if err := r.field("answer", &answer); err != nil {
				return nil, err
			}
			if i := strings.LastIndex(answer, "####"); i >= 0 {
				answer = answer[i+len("####"):]
			}
			answer = python.Strip(answer)
		}
		response, err := r.Response()
		if err != nil {
			return nil, err
		}
		want, err := gsm8kNumber(answer)
		if err != nil {
			return nil, err
		}
		got, err := gsm8kNumber(response)
		if err != nil {
			return nil, err
		}
		right, err := gsm8kExact().Any(got, []string{want})
		return Values{"exact_match": number(right)}, err
	},
	Answers: func(response string) (map[string]string, error) {
		found, err := gsm8kNumber(response)
		return map[string]string{"exact_match": found}, err
	},
})

var (
	groupedDigits = pattern(`(\d),(\d)`)
	anyNumber     = pattern(`[-+]?\d*\.\d+|\d+`)
)

// gsm8kNumber is the last number of a text, or the text where there is none; of whole numbers
// without a sign.
func gsm8kNumber(text string) (string, error) {
	text, err := groupedDigits().Sub(`\1\2`, text, 0)
	if err != nil {
		return "", err
	}
	found, err := anyNumber().FindAll(text)
	if err != nil || len(found) == 0 {
		return text, err
	}
	return found[len(found)-1][0].Text, nil
}
