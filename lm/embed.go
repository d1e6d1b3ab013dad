package lm

import (
	"context"
	"fmt"

	"olmo/generate"
)

// Embed makes one vector of length 1 of each prompt, from its hidden states after the final norm, and tells them
// in order. A prompt's bits do not depend on the others.
func (m *Model) Embed(ctx context.Context, prompts [][]int32, pooling generate.Pooling, each func(i int, embedding []float32) error) error {
	e, err := m.job(0)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	handles := make([]*generate.Handle, 0, len(prompts))
	for i, p := range prompts {
		h, problem := e.Submit(ctx, generate.Request{Prompt: p, Pooling: pooling})
		if problem != nil {
			err = fmt.Errorf("text %d: %w", i+1, problem)
			cancel()
			break
		}
		handles = append(handles, h)
	}
	for i, h := range handles { // also after an error, so that nothing runs any more
		r, problem := h.Wait()
		if err != nil {
			continue
		}
		if err = problem; err == nil {
			err = each(i, r.Embedding)
		}
		if err != nil {
			cancel()
		}
	}
	return err
}
