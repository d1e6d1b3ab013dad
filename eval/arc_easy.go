package eval

import evaldata "olmo/eval/data"

// ARCEasy returns the validation questions of ARC-Easy (Clark et al. 2018) with the
// prompt of OLMo's in-loop evaluation.
func ARCEasy() ([]Question, error) {
	rows, err := evaldata.ARCEasy()
	if err != nil {
		return nil, err
	}
	questions := make([]Question, len(rows))
	for i, r := range rows {
		q := Question{ID: r.ID, Context: "Question: " + r.Text + "\nAnswer:", Gold: r.Answer}
		for _, c := range r.Choices {
			q.Choices = append(q.Choices, " "+c)
		}
		questions[i] = q
	}
	return questions, nil
}
