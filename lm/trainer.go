package lm

import (
	"context"
	"fmt"

	"olmo/numeric"
	"olmo/tokenizer"
	"olmo/train"
)

// OfTrainer makes a model of the weights that a trainer holds, on its device.
func OfTrainer(t *train.Trainer, o Options) (*Model, error) {
	o.Device = t.Device()
	return New(t.Model(), o)
}

// Samples lets the model in training continue texts, greedily. It is what a trainer
// wants as train.Options.Sample.
type Samples struct {
	Tokenizer *tokenizer.Tokenizer
	Prompts   []string
	MaxTokens int
	Precision numeric.Precision // see Options
	Print     func(step int, prompt, text string)
}

var _ train.Sampler = (*Samples)(nil)

// Sample prints the continuation of each prompt and keeps it in the run's samples.jsonl.
func (s *Samples) Sample(ctx context.Context, t *train.Trainer) error {
	// A generator of its own for each call: what it packs is memory that the training
	// may need until the next one.
	m, err := OfTrainer(t, Options{Tokenizer: s.Tokenizer, Precision: s.Precision})
	if err != nil {
		return err
	}
	g, err := m.Generator()
	if err != nil {
		return err
	}
	defer g.engine.Close()
	for _, prompt := range s.Prompts {
		ids, err := s.Tokenizer.AppendEncode(nil, prompt)
		if err != nil {
			return fmt.Errorf("the prompt %q: %w", prompt, err)
		}
		a, err := g.Generate(ctx, Request{Prompt: ids, MaxTokens: s.MaxTokens, Stop: m.Stop})
		if err != nil {
			return err
		}
		s.Print(t.State().Step, prompt, a.Text)
		if err := t.LogSample(prompt, a.Text); err != nil {
			return err
		}
	}
	return nil
}
