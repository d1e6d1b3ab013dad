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
		q := Question{ID: r.ID, Context: answer(r.Text), Gold: r.Answer}
		for _, c := range r.Choices {
			q.Choices = append(q.Choices, " "+c)
		}
		questions[i] = q
	}
	return questions, nil
}

var (
	_ = define(Task{Name: "arc_easy", Metric: Accuracy, questions: arcEasy})
	// The reference takes the first choice for the right one in every question
	// (ArcEasyCELoss.doc_to_label in ai2-olmo 0.6.0 and ai2-olmo-eval 0.8.5), and so
	// do the curves that this one is compared with.
	_ = define(Task{Name: "arc_easy_ppl", Metric: CrossEntropy, questions: func(t *Task, dir string) ([]Question, error) {
		questions, err := arcEasy(t, dir)
		for i := range questions {
			questions[i].Gold = 0
		}
		return gold(questions), err
	}})
)

func arcEasy(*Task, string) ([]Question, error) { return ARCEasy() }
