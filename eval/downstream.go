package eval

import (
	"context"
	"fmt"

	"olmo/lm"
	"olmo/tokenizer"
	"olmo/train"
)

// Downstream judges the model in training by multiple-choice tasks. It is what a trainer
// wants as train.Options.Evaluate.
type Downstream struct {
	Jobs      []*Job
	Tokenizer *tokenizer.Tokenizer
	BF16      bool // see lm.Options
}

var _ train.Evaluator = (*Downstream)(nil)

// DownstreamJobs reads the questions of a config's evaluators of type downstream. A task that is
// not known here, or whose data set is missing, is named by warn and left out: the training is
// worth more than its figure.
func DownstreamJobs(cfg *train.Config, warn func(string)) (jobs []*Job) {
	for _, e := range cfg.Evaluators {
		if e.Type != "downstream" {
			continue
		}
		task, err := LookupTask(e.Label)
		var j *Job
		if err == nil {
			j, err = task.Job(Inputs{Data: dataFolders(cfg.DownstreamData)})
		}
		if err != nil {
			warn(fmt.Sprintf("without the evaluation of %s: %v", e.Label, err))
			continue
		}
		// OLMo counts batches of the evaluation, not questions; a negative number is all.
		limit := cfg.EvalSubsetNumBatches * cfg.DeviceEvalBatchSize
		if n := e.SubsetNumBatches; n != nil {
			limit = *n * cfg.DeviceEvalBatchSize
		}
		if limit >= 0 {
			j.limit(limit)
		}
		jobs = append(jobs, j)
	}
	return jobs
}

// Evaluate scores the jobs and returns the figure that each task is quoted with, under
// OLMo's names.
func (d *Downstream) Evaluate(ctx context.Context, t *train.Trainer) (map[string]float64, error) {
	m, err := lm.OfTrainer(t, lm.Options{Tokenizer: d.Tokenizer, BF16: d.BF16})
	if err != nil {
		return nil, err
	}
	run := Run{Jobs: d.Jobs}
	results, err := run.Do(ctx, &Local{Model: m})
	if err != nil {
		return nil, err
	}
	scores := map[string]float64{}
	for _, j := range d.Jobs {
		x, _ := results.Quoted(j)
		scores["eval/downstream/"+j.Task.Name+"_"+j.Task.Quoted] = x.Value
	}
	return scores, nil
}

// dataFolders is a config's one folder of data sets, which may be empty for none.
func dataFolders(folder string) []string {
	if folder == "" {
		return nil
	}
	return []string{folder}
}
