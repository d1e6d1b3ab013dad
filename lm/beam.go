package lm

import (
	"context"

	"olmo/generate"
)

// Continuation is what a beam has found.
type Continuation struct {
	generate.Sequence
	// Text is that of the ids as it stands behind the prompt, without special tokens; empty for a model
	// without a tokenizer.
	Text string
}

// Beams searches the continuations of a prompt with the highest scores, the best one first.
func (m *Model) Beams(ctx context.Context, q generate.BeamRequest) ([]Continuation, error) {
	e, err := m.engine(0)
	if err != nil {
		return nil, err
	}
	found, err := e.Beams(ctx, q)
	var out []Continuation
	for _, f := range found {
		text := newText(m.Tokenizer, Request{Prompt: q.Prompt})
		for _, id := range f.IDs {
			text.next(id)
		}
		text.end()
		out = append(out, Continuation{f, text.said.String()})
	}
	return out, err
}
