// Package generate turns prompts into text: key and value caches, sampling, and
// the loop that adds a token at a time.
package generate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"olmo/device"
	"olmo/graph"
	"olmo/model"
	"olmo/numeric"
)

// Engine continues sequences of ids with one model on one device.
type Engine struct {
	cfg       *model.Config
	dev       device.Device
	program   device.Program
	positions int
	rows      int
	held      []int32 // ids whose keys and values the cache holds
	heldAt    int     // Changes of the device when they were computed
	one       sync.Mutex
}

// Options are the sizes of an Engine; zero values take defaults.
type Options struct {
	Positions int               // longest sequence; the model's own
	Rows      int               // tokens of a prompt that are run at once; 256
	Precision numeric.Precision // of the run whose arithmetic this is
}

// New compiles the model for generation. Its parameters must be on the device
// already, or be written before the first call. They may change between two calls: the
// next answer is that of the new ones.
func New(cfg *model.Config, dev device.Device, o Options) (*Engine, error) {
	e := &Engine{cfg: cfg, dev: dev, positions: o.Positions, rows: o.Rows}
	if e.positions == 0 {
		e.positions = cfg.T
	}
	if e.rows == 0 {
		e.rows = 256
	}
	g := graph.New()
	cfg.Logits(g, model.Options{Slots: 1, Positions: e.positions})
	p, err := dev.Compile(g, device.Options{Rows: e.rows, Selected: 1, Precision: o.Precision, Frozen: true})
	if err != nil {
		return nil, fmt.Errorf("preparing the model for generation: %w", err)
	}
	e.program = p
	return e, nil
}

// Positions returns the longest sequence, prompt included.
func (e *Engine) Positions() int { return e.positions }

// Request asks for the continuation of a prompt.
type Request struct {
	Prompt    []int32
	MaxTokens int
	Sampling  Sampling
	// Stop ends the text before any of these ids.
	Stop []int32
	// Continue takes over from the request before what both prompts begin with,
	// answers included, instead of computing it again. The result has the same bits.
	Continue bool
	// Constraint bounds the answer; nil: nothing does.
	Constraint Constraint
	// Priority goes before lower ones; who waits long enough goes before all.
	Priority int
	// Token, if set, is told each new id; false ends the text.
	Token func(id int32, logprob float64) bool
}

// Result is a continuation.
type Result struct {
	IDs      []int32   `json:"ids"`
	Logprobs []float64 `json:"logprobs"`
	// Drawn are the log-probabilities at the request's temperature, before top-k and top-p: the
	// bits of the head of a graph with that temperature. At a temperature of 0 they are Logprobs.
	Drawn []float64 `json:"-"`
	// Reason says why it ended: "stop" (an end-of-text id), "length" or
	// "cancelled".
	Reason string `json:"reason"`
	// Stop is the id of Request.Stop that ended it, which IDs leave out; −1 for none.
	Stop        int32   `json:"stop"`
	StopLogprob float64 `json:"stop_logprob"`
	StopDrawn   float64 `json:"-"`
}

// take adds a choice, or ends the text before it, or after it where the request wants that.
func (r *Result) take(c choice, q Request) {
	if slices.Contains(q.Stop, c.id) {
		r.Reason, r.Stop, r.StopLogprob, r.StopDrawn = "stop", c.id, c.logprob, c.drawn
		return
	}
	r.IDs, r.Logprobs, r.Drawn = append(r.IDs, c.id), append(r.Logprobs, c.logprob), append(r.Drawn, c.drawn)
	if q.Token != nil && !q.Token(c.id, c.logprob) {
		r.Reason = "stop"
	}
}

// ErrTooLong is returned for a prompt that leaves no room for a token.
var ErrTooLong = errors.New("the prompt is too long for the model")

// Generate continues one prompt. When ctx ends, the Result holds what there is, with
// the error.
func (e *Engine) Generate(ctx context.Context, q Request) (Result, error) {
	res := Result{IDs: []int32{}, Logprobs: []float64{}, Stop: -1}
	if err := e.check(q); err != nil {
		return res, err
	}
	if q.MaxTokens <= 0 {
		res.Reason = "length"
		return res, nil
	}
	// Keys and values of other weights are of no use to these.
	if now := e.dev.Changes(); !q.Continue || now != e.heldAt {
		e.held, e.heldAt = e.held[:0], now
	}
	sampler := newSampler(q.Sampling, q.Prompt, q.Stop)
	logits, err := e.prefill(ctx, q.Prompt)
	// pos tokens are in the cache, and logits are those after the last of them. A token that
	// ends the text is never run: a request that continues the text may want another one.
	for pos := len(q.Prompt); ; pos++ {
		if err != nil {
			if ctx.Err() != nil {
				res.Reason = "cancelled"
			}
			return res, err
		}
		c := sampler.next(logits, len(res.IDs), nil)
		if err := c.problem(pos); err != nil {
			return res, err
		}
		sampler.accept(c.id)
		if res.take(c, q); res.Reason != "" {
			return res, nil
		}
		if len(res.IDs) >= q.MaxTokens || pos+1 >= e.positions {
			res.Reason = "length"
			return res, nil
		}
		if err = ctx.Err(); err == nil {
			logits, err = e.step([]int32{c.id}, true)
		}
	}
}

func (e *Engine) check(q Request) error {
	if len(q.Prompt) == 0 {
		return errNoPrompt
	}
	if len(q.Prompt) >= e.positions {
		return fmt.Errorf("%w: %d tokens, there is room for %d and an answer", ErrTooLong, len(q.Prompt), e.positions-1)
	}
	for _, id := range q.Prompt {
		if id < 0 || int(id) >= e.cfg.V {
			return fmt.Errorf("id %d is outside the model's vocabulary of %d", id, e.cfg.V)
		}
	}
	return errors.Join(q.Sampling.Check(), q.Sampling.checkIDs(e.cfg.V))
}

// prefill runs the part of a prompt that the cache does not hold, and returns the
// logits after its last token.
func (e *Engine) prefill(ctx context.Context, ids []int32) (logits []float32, err error) {
	// The last token runs in any case: its logits are not kept.
	same := 0
	for same < min(len(e.held), len(ids)-1) && e.held[same] == ids[same] {
		same++
	}
	e.held = e.held[:same]
	for pos := same; pos < len(ids); pos += e.rows {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		end := min(len(ids), pos+e.rows)
		if logits, err = e.step(ids[pos:end], end == len(ids)); err != nil {
			return nil, err
		}
	}
	return logits, nil
}

// step runs ids at the positions behind those that are held.
func (e *Engine) step(ids []int32, wantLogits bool) ([]float32, error) {
	b := &graph.Batch{IDs: ids, Segments: []graph.Segment{{Rows: len(ids), Pos: len(e.held)}}}
	if wantLogits {
		b.Select = []int32{int32(len(ids) - 1)}
	}
	if err := e.program.Run(b); err != nil {
		return nil, err
	}
	e.held = append(e.held, ids...)
	return e.program.Output("logits"), nil // of the selected row; nothing without one
}
