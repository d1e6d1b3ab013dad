package cli

import (
	"fmt"

	"olmo/lm"
	"olmo/train"
)

// sampleTokens is how long a sample is.
const sampleTokens = 48

// newSampler lets the model in training continue the config's prompts; it is nil when the
// config wants no samples.
func newSampler(cfg *train.Config, print func(string)) (train.Sampler, error) {
	if cfg.SampleInterval <= 0 || len(cfg.SamplePrompts) == 0 {
		return nil, nil
	}
	tok, err := loadTokenizer(cfg.Tokenizer.Identifier)
	if err != nil {
		return nil, fmt.Errorf("sample_prompts need the tokenizer: %w", err)
	}
	return &lm.Samples{
		Tokenizer: tok, Prompts: cfg.SamplePrompts, MaxTokens: sampleTokens, BF16: cfg.Precision == train.AMPBF16,
		Print: func(step int, prompt, text string) { print(fmt.Sprintf("step %d writes: %s%s", step, prompt, text)) },
	}, nil
}
