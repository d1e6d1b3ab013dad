package generate

import (
	"context"
	"errors"
	"iter"
	"sync"
)

// Event is a new token of an answer.
type Event struct {
	ID      int32
	Logprob float64 // the model's own
}

// Handle is a request on its way.
type Handle struct {
	mu     sync.Mutex
	news   sync.Cond // there are more events, or it ended
	events []Event
	ended  bool
	result Result
	err    error
	cancel context.CancelFunc
}

// Submit takes a request in and returns at once. Many goroutines may submit; the answer to each has the
// bits that it has alone. The error is that of a request that makes no sense. When ctx ends, or Cancel is
// called, the request ends within a step.
func (e *Engine) Submit(ctx context.Context, q Request) (*Handle, error) {
	if q.Constraint != nil {
		return nil, errors.New("constraints are not ready")
	}
	if err := e.check(q); err != nil {
		return nil, err
	}
	h := &Handle{}
	h.news.L = &h.mu
	ctx, h.cancel = context.WithCancel(ctx)
	token := q.Token
	q.Token = func(id int32, logprob float64) bool {
		h.tell(Event{id, logprob})
		return token == nil || token(id, logprob)
	}
	go func() {
		e.one.Lock()
		defer e.one.Unlock()
		result, err := e.Generate(ctx, q)
		h.end(result, err)
	}()
	return h, nil
}

func (h *Handle) tell(v Event) {
	h.mu.Lock()
	h.events = append(h.events, v)
	h.mu.Unlock()
	h.news.Broadcast()
}

func (h *Handle) end(r Result, err error) {
	h.cancel()
	h.mu.Lock()
	h.result, h.err, h.ended = r, err, true
	h.mu.Unlock()
	h.news.Broadcast()
}

// Cancel ends the request within a step; its Result has what there is.
func (h *Handle) Cancel() { h.cancel() }

// Events waits for the tokens of the answer one by one, from the first on, until it ends.
func (h *Handle) Events() iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for n := 0; ; n++ {
			h.mu.Lock()
			for len(h.events) == n && !h.ended {
				h.news.Wait()
			}
			if len(h.events) == n {
				h.mu.Unlock()
				return
			}
			v := h.events[n]
			h.mu.Unlock()
			if !yield(v) {
				return
			}
		}
	}
}

// Wait waits for the end. When ctx of Submit has ended, the Result holds what there is, with its error.
func (h *Handle) Wait() (Result, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for !h.ended {
		h.news.Wait()
	}
	return h.result, h.err
}
