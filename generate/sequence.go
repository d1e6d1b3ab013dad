package generate

import (
	"context"
	"fmt"
	"math"
	"slices"

	"olmo/device/cpu"
)

// sequence is a request on its way through the engine.
type sequence struct {
	Request
	ctx    context.Context
	handle *Handle
	result Result
	turn   int // who has a lower one goes first
	limit  int // tokens that it can have

	ids     []int32 // prompt and answer, and what is forced to come next
	entered bool    // it has looked for a beginning
	planned bool    // it has tokens in the step that is being planned
	told    bool    // its first token is there
	row     int     // index of the next of Rows
	sampler *sampler
	allowed []uint64
	states  []float64 // the sum of those that Pooling wants

	// The ids that were known when the step was planned, and those that are guessed to follow them.
	known   int
	guesses []int32
	lookup  lookup
	drafts  drafts
	drafted []int32 // by the draft model

	// What the pages know of it: how many ids have been run, its way, the numbers of these pages, and the
	// first of them that layers with a window see.
	ran          int
	way          []*page
	full, recent []int32
	seen         int
}

// needs is how many ids must be run for what is wanted next.
func (s *sequence) needs() int {
	if s.MaxTokens > 0 {
		return len(s.ids)
	}
	return s.Rows[len(s.Rows)-1] + 1
}

// answers reports whether its answer goes on.
func (s *sequence) answers() bool { return s.told && s.entered }

// first is the first row whose logits are still wanted.
func (s *sequence) first() int {
	if s.row < len(s.Rows) {
		return s.Rows[s.row]
	}
	return s.drawn()
}

// drawn is the row behind which the next token is drawn.
func (s *sequence) drawn() int { return len(s.Prompt) + len(s.result.IDs) - 1 }

// at is the id that is run in a row.
func (s *sequence) at(row int) int32 {
	if row < s.known {
		return s.ids[row]
	}
	return s.guesses[row-s.known]
}

// true reports whether the id that is run in a row is the sequence's, as far as it is known by now.
func (s *sequence) true(row int) bool {
	return row < s.known || row < len(s.ids) && s.ids[row] == s.at(row)
}

// wants reports whether the logits behind a row are wanted, which are those from first on.
func (s *sequence) wants(row int) bool {
	if s.MaxTokens > 0 && row >= s.drawn() {
		return true
	}
	if s.Pooling != "" {
		return false
	}
	_, found := slices.BinarySearch(s.Rows[s.row:], row)
	return found
}

// read takes the logits behind a row, and goes on by what is drawn there. It is called at the same time as for
// other sequences, and for other rows where no answer is wanted; for those of an answer one after the other.
func (s *sequence) read(row int, logits []float32) choice {
	if _, found := slices.BinarySearch(s.Rows, row); found {
		s.Logits(row, logits)
	}
	if s.MaxTokens <= 0 || row < s.drawn() {
		return choice{}
	}
	var c choice
	if row+1 < len(s.ids) { // it is known what comes
		c.id = s.ids[row+1]
		c.logprob = -float64(cpu.LSE(logits) - logits[c.id])
		s.sampler.known = false
		c.drawn = s.sampler.tempered(logits, c.id, c.logprob)
		c.odds = s.odds(logits, c.id, false)
		c.err = c.problem(row + 1)
	} else {
		c = s.draw(row, logits)
	}
	if c.err != nil || c.stop {
		return c
	}
	s.sampler.accept(c.id)
	c.over = s.Constraint != nil && row+2 == len(s.ids) && s.Constraint.Ended()
	return c
}

// draw chooses the id behind a row, and adds it to the sequence unless it is one that ends the text.
func (s *sequence) draw(row int, logits []float32) choice {
	var allowed []uint64
	if s.Constraint != nil {
		s.allowed = slices.Grow(s.allowed[:0], (len(logits)+63)/64)[:(len(logits)+63)/64]
		clear(s.allowed)
		s.Constraint.Allowed(s.allowed)
		if s.Constraint.Complete() {
			for _, id := range s.Stop {
				if id >= 0 && int(id) < len(logits) {
					s.allowed[id/64] |= 1 << (id % 64)
				}
			}
		}
		allowed = s.allowed
	}
	c := s.sampler.next(logits, row+1-len(s.Prompt)+s.begun, allowed)
	if c.err = c.problem(row + 1); c.err != nil {
		return c
	}
	c.odds = s.odds(logits, c.id, true)
	if s.stops(c.id) {
		c.stop, c.over = true, true
		return c
	}
	s.ids = append(s.ids, c.id)
	if s.Constraint != nil {
		c.err = s.obey(c.id)
	}
	return c
}

// take tells what was read behind a row, and reports whether the text ends.
func (s *sequence) take(row int, c choice) (ended bool, err error) {
	if s.row < len(s.Rows) && s.Rows[s.row] == row {
		if s.row++; s.Echo && math.IsNaN(s.result.Prompt[row]) {
			return false, choice{logprob: math.NaN()}.problem(row + 1)
		}
	}
	if s.MaxTokens <= 0 {
		return s.row == len(s.Rows), nil
	}
	if row < s.drawn() {
		return false, nil
	}
	r := &s.result
	s.told = true
	if c.err != nil {
		return false, c.err
	}
	if c.stop {
		r.Reason, r.Stop, r.StopLogprob, r.StopDrawn, r.StopOdds = "stop", c.id, c.logprob, c.drawn, c.odds
		return true, nil
	}
	r.IDs, r.Logprobs, r.Drawn = append(r.IDs, c.id), append(r.Logprobs, c.logprob), append(r.Drawn, c.drawn)
	if c.odds != nil {
		r.Odds = append(r.Odds, c.odds)
	}
	v := Event{c.id, c.logprob, c.odds}
	s.handle.tell(v)
	switch {
	case s.Token != nil && !s.Token(v):
		r.Reason = "stop"
	case len(r.IDs) >= s.MaxTokens || len(s.Prompt)+len(r.IDs) >= s.limit:
		r.Reason = "length"
	case c.over:
		r.Reason = "stop"
	}
	return r.Reason != "", nil
}

// obey tells the constraint an id that was drawn, and takes what it forces: all that is known is told before
// the logits behind it are read, as they are in one piece.
func (s *sequence) obey(id int32) error {
	if !s.Constraint.Accept(id) {
		return fmt.Errorf("the constraint allows token %d, and does not take it", id)
	}
	return s.force()
}

// force adds the ids that must come, as far as there is room for them. One that the settings exclude is left to
// the sampler: the text that must come may have other tokens.
func (s *sequence) force() error {
	for {
		forced := s.Constraint.Forced()
		for _, id := range forced {
			if len(s.ids) >= min(len(s.Prompt)+s.MaxTokens, s.limit) {
				return nil
			}
			if s.sampler.excludes(s.ids, id) {
				return nil
			}
			if !s.Constraint.Accept(id) {
				return fmt.Errorf("the constraint forces token %d, and does not take it", id)
			}
			s.ids = append(s.ids, id)
		}
		if len(forced) == 0 {
			return nil
		}
	}
}
