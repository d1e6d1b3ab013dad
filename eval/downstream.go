package eval

import (
	"context"

	"olmo/lm"
	"olmo/tokenizer"
	"olmo/train"
)

// Downstream judges the model in training by jobs of multiple-choice tasks. It is what a
// trainer wants as train.Options.Evaluate.
type Downstream struct {
	Jobs      []*Job
	Tokenizer *tokenizer.Tokenizer
	BF16      bool // see lm.Options
}

var _ train.Evaluator = (*Downstream)(nil)

// Evaluate scores the jobs and returns the figure that each task is quoted with, under
// OLMo's names.
func (d *Downstream) Evaluate(ctx context.Context, t *train.Trainer) (map[string]float64, error) {
	m, err := lm.OfTrainer(t, lm.Options{Tokenizer: d.Tokenizer, BF16: d.BF16})
	if err != nil {
		return nil, err
	}
	run := Run{Jobs: d.Jobs}
	results, err := run.Do(ctx, m)
	if err != nil {
		return nil, err
	}
	scores := map[string]float64{}
	for _, j := range d.Jobs {
		scores["eval/downstream/"+j.Task.Name+"_"+string(j.Task.Metric)] = results.Scores[j.Name].Choices.Value(j.Task.Metric)
	}
	return scores, nil
}
