package generate

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
)

// Request asks for the continuation of a prompt, or for what the model says within it, or both.
type Request struct {
	Prompt    []int32
	MaxTokens int
	Sampling  Sampling
	// Adapter is the number of the one of Options.Adapters that the model has for this request, from 1; 0: none.
	Adapter int
	// Stop ends the text before any of these ids.
	Stop []int32
	// Constraint bounds the answer; nil: nothing does.
	Constraint Constraint
	// Rows are tokens of the prompt, ascending, and Logits is told the logits behind each of them: at the
	// same time as those of other rows, and in any order. They are lent for the call.
	Rows   []int
	Logits func(row int, logits []float32)
	// Echo asks for the log-probabilities of the prompt's tokens, in place of Rows.
	Echo bool
	// TopLogprobs asks for so many of the most probable tokens beside each that comes, and with Echo beside
	// each of the prompt; PostSampling for probabilities after the samplers.
	TopLogprobs  int
	PostSampling bool
	// Pooling asks for the prompt's embedding, and for nothing else.
	Pooling Pooling
	// Priority goes before lower ones that came less than so many steps earlier.
	Priority int
	// Fresh says that nothing is taken over from sequences that began alike. It changes no bit.
	Fresh bool
	// Token, if set, is told each new id; false ends the text. It is called between two steps of all
	// sequences, which wait for it.
	Token func(v Event) bool

	begun int // so many ids of the prompt are of the answer already, which random numbers count
}

// Result is a continuation.
type Result struct {
	IDs      []int32   `json:"ids"`
	Logprobs []float64 `json:"logprobs"`
	// Drawn are the log-probabilities at the request's temperature, before top-k and top-p: the
	// bits of the head of a graph with that temperature. At a temperature of 0 they are Logprobs.
	Drawn []float64 `json:"-"`
	// Odds are of each token, if Request.TopLogprobs or PostSampling ask.
	Odds []*Odds `json:"-"`
	// Prompt are the log-probabilities of the prompt's tokens behind the first one, and PromptTop the most
	// probable tokens in their places, if Request.Echo asks.
	Prompt    []float64       `json:"-"`
	PromptTop [][]Alternative `json:"-"`
	// Embedding is the prompt's, (C) of length 1, if Request.Pooling asks.
	Embedding []float32 `json:"-"`
	// Reason says why it ended: "stop" (an end-of-text id), "length" or
	// "cancelled".
	Reason string `json:"reason"`
	// Stop is the id of Request.Stop that ended it, which IDs leave out; −1 for none.
	Stop        int32   `json:"stop"`
	StopLogprob float64 `json:"stop_logprob"`
	StopDrawn   float64 `json:"-"`
	StopOdds    *Odds   `json:"-"`
	// Reused counts the tokens of the prompt whose keys and values were there already.
	Reused int `json:"-"`
	// Proposed counts the tokens that were guessed and run before it was known that they come, Accepted
	// those of them that came.
	Proposed int `json:"-"`
	Accepted int `json:"-"`
}

// ErrTooLong is returned for a prompt that leaves no room for a token.
var ErrTooLong = errors.New("the prompt is too long for the model")

var errNoPrompt = errors.New("the prompt has no tokens\nhint: give some text, or the end-of-text token to start from nothing")

// check refuses a request that makes no sense.
func (e *Engine) check(q Request) error {
	room := e.o.Positions
	if q.MaxTokens > 0 {
		room--
	}
	switch {
	case len(q.Prompt) == 0:
		return errNoPrompt
	case len(q.Prompt) > room:
		return fmt.Errorf("%w: %d tokens, there is room for %d and an answer", ErrTooLong, len(q.Prompt), e.o.Positions-1)
	}
	for _, id := range q.Prompt {
		if id < 0 || int(id) >= e.cfg.V {
			return fmt.Errorf("id %d is outside the model's vocabulary of %d\nhint: the tokenizer belongs to another model", id, e.cfg.V)
		}
	}
	if q.Echo && q.Rows != nil {
		panic("generate: Echo and Rows")
	}
	if q.Adapter < 0 || q.Adapter > len(e.o.Adapters) {
		return fmt.Errorf("there is no adapter %d, of %d", q.Adapter, len(e.o.Adapters))
	}
	for i, row := range q.Rows {
		if row < 0 || row >= len(q.Prompt) || i > 0 && row <= q.Rows[i-1] {
			panic("generate: rows that are not ascending tokens of the prompt")
		}
	}
	if err := e.room(min(e.o.Positions, len(q.Prompt)+max(q.MaxTokens, 0))); err != nil {
		return err
	}
	return errors.Join(q.Sampling.Check(), q.Sampling.checkIDs(e.cfg.V), CheckTopLogprobs(q.TopLogprobs),
		CheckTokens(q.Sampling.MinTokens, q.MaxTokens, e.o.Positions-len(q.Prompt)), q.checkPooling())
}

// Event is a new token of an answer.
type Event struct {
	ID      int32
	Logprob float64 // the model's own
	Odds    *Odds   // if Request.TopLogprobs or PostSampling ask
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

func newHandle(cancel context.CancelFunc) *Handle {
	h := &Handle{cancel: cancel}
	h.news.L = &h.mu
	return h
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

// stops reports whether an id ends the text.
func (q *Request) stops(id int32) bool { return slices.Contains(q.Stop, id) }
