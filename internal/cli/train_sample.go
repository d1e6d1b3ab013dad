package cli

import (
	"context"
	"fmt"

	"olmo/generate"
	"olmo/tokenizer"
	"olmo/train"
)

// sampler lets the model in training continue the config's prompts.
type sampler struct {
	tok     *tokenizer.Tokenizer
	prompts []string
	print   func(string)
}

// sampleTokens is how long a sample is.
const sampleTokens = 48

// newSampler returns nil when the config wants no samples.
func newSampler(cfg *train.Config, print func(string)) (train.Sampler, error) {
	if cfg.SampleInterval <= 0 || len(cfg.SamplePrompts) == 0 {
		return nil, nil
	}
	tok, err := loadTokenizer(cfg.Tokenizer.Identifier)
	if err != nil {
		return nil, fmt.Errorf("sample_prompts need the tokenizer: %w", err)
	}
	return &sampler{tok, cfg.SamplePrompts, print}, nil
}

// Sample prints the most probable continuation of each prompt and keeps it in
// samples.jsonl.
func (s *sampler) Sample(ctx context.Context, t *train.Trainer) error {
	// An engine holds the weights as they were when it was made.
	e, err := generate.New(t.Model(), t.Device(), generate.Options{BF16: t.Config().Precision == train.AMPBF16})
	if err != nil {
		return err
	}
	for _, prompt := range s.prompts {
		r, err := e.Generate(ctx, generate.Request{
			Prompt: s.tok.AppendEncode(nil, prompt), MaxTokens: sampleTokens, Stop: []int32{int32(t.Config().Model.EOSTokenID)},
		})
		if err != nil {
			return err
		}
		text := s.tok.Decode(r.IDs, true)
		s.print(fmt.Sprintf("step %d writes: %s%s", t.State().Step, prompt, text))
		if err := t.LogSample(prompt, text); err != nil {
			return err
		}
	}
	return nil
}
