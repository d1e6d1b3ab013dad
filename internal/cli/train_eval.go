package cli

import (
	"fmt"

	"olmo/eval"
	"olmo/train"
)

// newDownstream prepares the evaluators of type downstream; nil when there are none. A
// task that is not known here, or whose data set is missing, is named by warn and left
// out: the training is worth more than its figure.
func newDownstream(cfg *train.Config, warn func(string)) (train.Evaluator, error) {
	d := &eval.Downstream{BF16: cfg.Precision == train.AMPBF16}
	for _, e := range cfg.Evaluators {
		if e.Type != "downstream" {
			continue
		}
		task, err := eval.LookupTask(e.Label)
		var job *eval.Job
		if err == nil {
			job, err = task.Job(eval.Inputs{Data: cfg.DownstreamData})
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
			job.Questions = job.Questions[:min(limit, len(job.Questions))]
		}
		d.Jobs = append(d.Jobs, job)
	}
	if len(d.Jobs) == 0 {
		return nil, nil
	}
	var err error
	if d.Tokenizer, err = loadTokenizer(cfg.Tokenizer.Identifier); err != nil {
		return nil, fmt.Errorf("evaluators of type downstream need the tokenizer: %w", err)
	}
	return d, nil
}
