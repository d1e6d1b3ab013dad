package generate

import (
	"errors"
	"fmt"
	"slices"
)

// Continuation is the chain of one Request in a Batch: its prompt, then an id at a time.
type Continuation struct {
	Request
	// Result is what there is so far; whole when Done.
	Result Result
	Done   bool

	positions int
	sampler   *sampler
	ids       []int32 // prompt and answer
	newest    choice  // not yet taken
	begun     bool
}

// Continue prepares a request to run in the batch.
func (b *Batch) Continue(q Request) (*Continuation, error) {
	c := &Continuation{Request: q, Result: Result{IDs: []int32{}, Logprobs: []float64{}, Stop: -1}, positions: b.positions}
	if len(q.Prompt) == 0 {
		return nil, errNoPrompt
	}
	if len(q.Prompt) >= b.positions {
		return nil, fmt.Errorf("%w: %d tokens, there is room for %d and an answer", ErrTooLong, len(q.Prompt), b.positions-1)
	}
	if err := errors.Join(q.Sampling.Check(), q.Sampling.checkIDs(b.cfg.V)); err != nil {
		return nil, err
	}
	c.ids, c.sampler = slices.Clone(q.Prompt), newSampler(q.Sampling, q.Prompt, q.Stop)
	return c, nil
}

var errNoPrompt = errors.New("the prompt has no tokens\nhint: give some text, or the end-of-text token to start from nothing")

// Next takes the id that was drawn and asks for the one behind it.
func (c *Continuation) Next() (Stretch, bool, error) {
	if c.MaxTokens <= 0 {
		c.Result.Reason, c.Done = "length", true
	}
	if c.begun && !c.Done {
		if err := c.take(); err != nil {
			return Stretch{}, false, err
		}
	}
	if c.Done {
		return Stretch{}, false, nil
	}
	c.begun = true
	return Stretch{IDs: c.ids, Rows: []int{len(c.ids) - 1}, Logits: func(_ int, logits []float32) {
		c.newest = c.sampler.next(logits, len(c.Result.IDs), nil)
	}}, true, nil
}

// take adds the newest id, or ends the text.
func (c *Continuation) take() error {
	if err := c.newest.problem(len(c.ids)); err != nil {
		return err
	}
	c.sampler.accept(c.newest.id)
	r := &c.Result
	r.take(c.newest, c.Request)
	switch {
	case r.Reason != "":
		c.Done = true
	case len(r.IDs) >= c.MaxTokens || len(c.ids)+1 >= c.positions:
		r.Reason, c.Done = "length", true
	}
	c.ids = append(c.ids, c.newest.id)
	return nil
}
