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
	slots slots
}

// WriterOptions are the sizes of a Writer; zero values take defaults.
type WriterOptions struct {
	Positions int   // longest text, prompt included; the model's own
	Memory    int64 // bytes of the caches; a quarter of what is free
	Slots     int   // most texts at once; 64
}

// Writer continues many texts with a model. It takes the caches of the one before.
func (m *Model) Writer(o WriterOptions) *Writer {
	if o.Positions == 0 {
		o.Positions = m.Config.T
	}
	if o.Slots == 0 {
		o.Slots = 64
	}
	return &Writer{m, slots{model: m, cache: "writer", memory: o.Memory, most: o.Slots, limit: o.Positions, share: true}}
}

// Positions returns the longest text, prompt included, in tokens.
func (w *Writer) Positions() int { return w.slots.limit }

// Write continues the prompts of requests, and tells each answer as it is complete, in any
// order. Answers do not depend on the other requests; Continue says nothing here.
func (w *Writer) Write(ctx context.Context, requests []Request, each func(i int, a Answer) error) error {
	// Neighbours in the order of their ids share what they begin with, in one slot or side by side.
	order := make([]int, len(requests))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int { return slices.Compare(requests[x].Prompt, requests[y].Prompt) })
	// The caches are as long as these requests need: that many more of them fit.
	longest := 1
	for _, r := range requests {
		longest = max(longest, len(r.Prompt)+max(1, min(r.MaxTokens, w.slots.limit)))
	}
	b, err := w.slots.of(min(longest, w.slots.limit))
	if err != nil {
		return err
	}
	var failed error
	next := func() generate.Chain {
		if len(order) == 0 {
			return nil
		}
		i := order[0]
		order = order[1:]
		c, err := w.chain(b, requests[i], func(a Answer) error { return each(i, a) })
		if err != nil {
			failed, order = fmt.Errorf("request %d: %w", i, err), nil
			return nil
		}
		return c
	}
	if err := b.Run(ctx, 0, next); err != nil {
		return err
	}
	return failed
}

// chain is a request on its way.
func (w *Writer) chain(b *generate.Batch, r Request, done func(a Answer) error) (generate.Chain, error) {
	text := newText(w.model.Tokenizer, r)
	c, err := b.Continue(generate.Request{
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
