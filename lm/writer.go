package lm

import (
	"context"
	"fmt"
	"slices"

	"olmo/generate"
)

// Writer continues many texts at once. A text has the bits that a Generator gives it.
type Writer struct {
	model *Model
	batch *generate.Batch
}

// WriterOptions are the sizes of a Writer; zero values take defaults.
type WriterOptions struct {
	Positions int   // longest text, prompt included; the model's own
	Memory    int64 // bytes of the caches; 1 GiB
	Slots     int   // most texts at once; 64
}

// Writer prepares a model to continue many texts. It takes the caches of the one before.
func (m *Model) Writer(o WriterOptions) (*Writer, error) {
	if o.Slots == 0 {
		o.Slots = 64
	}
	b, err := generate.NewBatch(m.Config, m.Device, generate.BatchOptions{Positions: o.Positions, Memory: o.Memory, Slots: o.Slots, Cache: "writer", BF16: m.bf16})
	if err != nil {
		return nil, err
	}
	return &Writer{m, b}, m.fill()
}

// Positions returns the longest text, prompt included, in tokens.
func (w *Writer) Positions() int { return w.batch.Positions() }

// Write continues the prompts of requests, and tells each answer as it is complete, in any
// order. Answers do not depend on the other requests; Continue says nothing here.
func (w *Writer) Write(ctx context.Context, requests []Request, each func(i int, a Answer) error) error {
	// Neighbours in the order of their ids share what they begin with.
	order := make([]int, len(requests))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int { return slices.Compare(requests[x].Prompt, requests[y].Prompt) })
	var failed error
	next := func() generate.Chain {
		if len(order) == 0 {
			return nil
		}
		i := order[0]
		order = order[1:]
		c, err := w.chain(requests[i], func(a Answer) error { return each(i, a) })
		if err != nil {
			failed, order = fmt.Errorf("request %d: %w", i, err), nil
			return nil
		}
		return c
	}
	if err := w.batch.Run(ctx, 0, next); err != nil {
		return err
	}
	return failed
}

// chain is a request on its way.
func (w *Writer) chain(r Request, done func(a Answer) error) (generate.Chain, error) {
	text := newText(w.model.Tokenizer, r)
	c, err := w.batch.Continue(generate.Request{
		Prompt: r.Prompt, MaxTokens: r.MaxTokens, Sampling: r.Sampling, Stop: r.Stop,
		Token: func(id int32, logprob float64) bool {
			if r.Token != nil && !r.Token(id, logprob) {
				return false
			}
			return text.next(id)
		},
	})
	if err != nil {
		return nil, err
	}
	return &written{c, func() error {
		text.end()
		return done(Answer{c.Result, text.said.String()})
	}}, nil
}

// written is a continuation that tells when it is done.
type written struct {
	*generate.Continuation
	done func() error
}

func (w *written) Next() (generate.Stretch, bool, error) {
	s, ok, err := w.Continuation.Next()
	if err == nil && !ok {
		err = w.done()
	}
	return s, ok, err
}
