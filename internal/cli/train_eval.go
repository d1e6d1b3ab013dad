package cli

import (
	"fmt"

	"olmo/eval"
	"olmo/train"
)

// newDownstream prepares the evaluators of type downstream; nil when there are none.
func newDownstream(cfg *train.Config, warn func(string)) (train.Evaluator, error) {
	jobs := eval.DownstreamJobs(cfg, warn)
	if len(jobs) == 0 {
		return nil, nil
	}
	tok, err := loadTokenizer(cfg.Tokenizer.Identifier)
	if err != nil {
		return nil, fmt.Errorf("evaluators of type downstream need the tokenizer: %w", err)
	}
	return &eval.Downstream{Jobs: jobs, Tokenizer: tok, BF16: cfg.Precision == train.AMPBF16}, nil
}
