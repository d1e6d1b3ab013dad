package cli

import (
	"context"
	"fmt"

	"olmo/eval"
	"olmo/lm"
	"olmo/tokenizer"
	"olmo/train"
)

// downstream runs the multiple-choice tasks of a training config's evaluators in the
// middle of the run.
type downstream struct {
	tok       *tokenizer.Tokenizer
	tasks     []*eval.Task
	questions [][]eval.Question
	scorer    *lm.Scorer
}

// newDownstream prepares the evaluators of type downstream; nil when there are none. A
// task that is not known here, or whose data set is missing, is named by warn and left
// out: the training is worth more than its figure.
func newDownstream(cfg *train.Config, warn func(string)) (train.Evaluator, error) {
	d := &downstream{}
	for _, e := range cfg.Evaluators {
		if e.Type != "downstream" {
			continue
		}
		task, err := eval.LookupTask(e.Label)
		var questions []eval.Question
		if err == nil {
			questions, err = task.Questions(cfg.DownstreamData)
		}
		if err != nil {
			warn(fmt.Sprintf("without the evaluation of %s: %v", e.Label, err))
			continue
		}
		limit := cfg.EvalSubsetNumBatches * cfg.DeviceEvalBatchSize
		if n := e.SubsetNumBatches; n != nil {
			limit = *n * cfg.DeviceEvalBatchSize
		}
		if limit >= 0 {
			questions = questions[:min(limit, len(questions))]
		}
		d.tasks, d.questions = append(d.tasks, task), append(d.questions, questions)
	}
	if len(d.tasks) == 0 {
		return nil, nil
	}
	var err error
	if d.tok, err = loadTokenizer(cfg.Tokenizer.Identifier); err != nil {
		return nil, fmt.Errorf("evaluators of type downstream need the tokenizer: %w", err)
	}
	return d, nil
}

// Evaluate scores the tasks, under OLMo's names.
func (d *downstream) Evaluate(ctx context.Context, t *train.Trainer) (map[string]float64, error) {
	if d.scorer == nil {
		m, err := lm.OfTrainer(t, lm.Options{Tokenizer: d.tok, BF16: t.Config().Precision == train.AMPBF16})
		if err != nil {
			return nil, err
		}
		if d.scorer, err = m.Scorer(m.Config.T); err != nil {
			return nil, err
		}
	}
	scores := map[string]float64{}
	for i, task := range d.tasks {
		s, err := eval.Choose(ctx, d.scorer, d.tok.NewEncoder(), t.Model().T, task.Name, d.questions[i], func(eval.Request) error { return nil })
		if err != nil {
			return nil, err
		}
		scores["eval/downstream/"+task.Name+"_"+string(task.Metric)] = s.Value(task.Metric)
	}
	return scores, nil
}
