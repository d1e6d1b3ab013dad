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
	o     WriterOptions
}

// WriterOptions are the sizes of a Writer; zero values take defaults.
type WriterOptions struct {
	Memory int64 // bytes of the keys and values; a quarter of what is free, 1 GiB at most
	Most   int   // texts at once; as many as there are
}

// Writer continues many texts with a model.
func (m *Model) Writer(o WriterOptions) *Writer { return &Writer{m, o} }

// Positions returns the longest text, prompt included, in tokens.
func (w *Writer) Positions() int { return w.model.Config.T }

// Write continues the prompts of requests, and tells each answer as it is complete, in any
// order. Answers do not depend on the other requests.
func (w *Writer) Write(ctx context.Context, requests []Request, each func(i int, a Answer) error) error {
	e, err := w.model.job(w.o.Memory)
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
	running := 0
	wait := func() {
		x := <-done
		running--
		if err == nil {
			if err = x.err; err == nil {
				err = each(x.i, x.answer)
			}
			if err != nil {
				cancel()
			}
		}
	}
	for _, i := range order {
		if w.o.Most > 0 && running == w.o.Most {
			wait()
		}
		if err != nil {
			break
		}
		answer, problem := w.model.submit(ctx, e, requests[i])
		if problem != nil {
			if err = problem; len(requests) > 1 {
				err = fmt.Errorf("text %d of %d: %w", i+1, len(requests), problem)
			}
			cancel()
			break
		}
		running++
		go func() {
			a, err := answer()
			done <- written{i, a, err}
		}()
	}
	for running > 0 { // also after an error, so that nothing runs any more
		wait()
	}
	return err
}

// submit hands a request to an engine; wait waits for the answer.
func (m *Model) submit(ctx context.Context, e *generate.Engine, r Request) (wait func() (Answer, error), err error) {
	adapter, err := m.AdapterNumber(r.Adapter)
	if err != nil {
		return nil, err
	}
	text := newText(m.Tokenizer, r)
	q := generate.Request{
		Prompt: r.Prompt, MaxTokens: r.MaxTokens, Adapter: adapter, Sampling: r.Sampling, Stop: r.Stop, Fresh: r.Fresh, Constraint: r.Form.constraint(),
		Echo: r.Echo, TopLogprobs: r.TopLogprobs, PostSampling: r.PostSampling,
		Token: func(v generate.Event) bool {
			if r.Token != nil && !r.Token(v) {
				return false
			}
			return text.next(v.ID)
		},
	}
	h, err := e.Submit(ctx, q)
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
