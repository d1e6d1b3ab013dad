package lm

import (
	"context"
	"fmt"
	"slices"

	"olmo/generate"
)

// Writer continues many texts at once. A text has the bits that a Generator gives it.
type Writer struct {
	model  *Model
	memory int64
}

// WriterOptions are the sizes of a Writer; zero values take defaults.
type WriterOptions struct {
	Memory int64 // bytes of the keys and values; a quarter of what is free, 1 GiB at most
}

// Writer continues many texts with a model.
func (m *Model) Writer(o WriterOptions) *Writer { return &Writer{m, o.Memory} }

// Positions returns the longest text, prompt included, in tokens.
func (w *Writer) Positions() int { return w.model.Config.T }

// Write continues the prompts of requests, and tells each answer as it is complete, in any
// order. Answers do not depend on the other requests.
func (w *Writer) Write(ctx context.Context, requests []Request, each func(i int, a Answer) error) error {
	e, err := w.model.job(w.memory)
	if err != nil {
		return err
	}
	// Neighbours in the order of their ids share what they begin with.
	order := make([]int, len(requests))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int { return slices.Compare(requests[x].Prompt, requests[y].Prompt) })
	type written struct {
		i      int
		answer Answer
		err    error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan written, len(requests))
	n := 0 // on their way
	for _, i := range order {
		var wait func() (Answer, error)
		if wait, err = w.model.submit(ctx, e, requests[i]); err != nil {
			err = fmt.Errorf("request %d: %w", i, err)
			cancel()
			break
		}
		n++
		go func() {
			a, err := wait()
			done <- written{i, a, err}
		}()
	}
	for range n { // also after an error, so that nothing runs any more
		x := <-done
		if err == nil {
			if err = x.err; err == nil {
				err = each(x.i, x.answer)
			}
			if err != nil {
				cancel()
			}
		}
	}
	return err
}

// submit hands a request to an engine; wait waits for the answer.
func (m *Model) submit(ctx context.Context, e *generate.Engine, r Request) (wait func() (Answer, error), err error) {
	text := newText(m.Tokenizer, r)
	h, err := e.Submit(ctx, generate.Request{
		Prompt: r.Prompt, MaxTokens: r.MaxTokens, Sampling: r.Sampling, Stop: r.Stop, Fresh: r.Fresh, Constraint: r.Form.constraint(),
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
	return func() (Answer, error) {
		result, err := h.Wait()
		if err == nil || len(result.IDs) > 0 {
			text.end()
		}
		return Answer{result, text.said.String()}, r.Form.explain(err)
	}, nil
}
