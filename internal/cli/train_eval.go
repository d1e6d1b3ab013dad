package cli

import (
	"fmt"

	"olmo/eval"
	"olmo/tokenizer"
	"olmo/train"
)

// newDownstream prepares the evaluators of type downstream; nil when there are none. tok is
// the tokenizer, nil for the one that the config names. Reading the questions of a suite takes
// seconds, of which say tells.
func newDownstream(cfg *train.Config, tok *tokenizer.Tokenizer, say, warn func(string)) (train.Evaluator, error) {
	if n := eval.CountDownstream(cfg); n > 0 {
		say(fmt.Sprintf("olmo train: reading the questions of %d evaluation tasks", n))
	}
	jobs := eval.DownstreamJobs(cfg, evalData(nil), warn)
	if len(jobs) == 0 {
		return nil, nil
	}
	if tok == nil {
		var err error
		if tok, err = loadTokenizer(cfg.Tokenizer.Identifier); err != nil {
			return nil, fmt.Errorf("evaluators of type downstream need the tokenizer: %w", err)
		}
	}
	return &eval.Downstream{Jobs: jobs, Tokenizer: tok, Precision: cfg.Precision}, nil
}
