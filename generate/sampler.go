package generate

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"olmo/device/cpu"
	"olmo/numeric"
)

// sampler chooses the tokens of one answer. A choice is a function of the logits, the settings, the
// tokens before it and its number.
type sampler struct {
	Sampling
	stream  numeric.Stream
	steps   []step
	stops   []int32
	history []int32       // prompt and answer; nothing where no setting looks back
	counts  map[int32]int // of the ids in the penalties' window
	allowed []uint64      // Sampling.Allowed as a bit set; nil: all
	left    candidates
	drawn   float32 // log-sum-exp of the model's logits at the temperature, if known
	known   bool
	divided []float32 // by the temperature
	repeats repeats
	bound   float64 // of Mirostat, in bits
}

// newSampler returns the sampler of an answer to a prompt, which an id of stops ends.
func newSampler(s Sampling, prompt, stops []int32) *sampler {
	p := &sampler{Sampling: s, stream: numeric.NewStream(s.Seed, "sample"), steps: s.order(), stops: stops, bound: s.Mirostat.start()}
	if s.Penalties.set() {
		p.counts = map[int32]int{}
	}
	if len(s.Allowed) > 0 {
		p.allowed = make([]uint64, slices.Max(s.Allowed)/64+1)
		for _, id := range s.Allowed {
			p.allowed[id/64] |= 1 << (id % 64)
		}
	}
	for _, id := range prompt {
		p.accept(id)
	}
	return p
}

// accept adds a token to the history: one that was chosen, or had to come.
func (s *sampler) accept(id int32) {
	if s.counts == nil && s.DRY.Multiplier == 0 && s.NoRepeatNGram == 0 && len(s.BadWords) == 0 {
		return
	}
	s.history = append(s.history, id)
	if s.counts == nil {
		return
	}
	s.counts[id]++
	n := s.Penalties.LastN
	if n == 0 {
		n = 64
	}
	if n > 0 && len(s.history) > n {
		old := s.history[len(s.history)-1-n]
		if s.counts[old]--; s.counts[old] == 0 {
			delete(s.counts, old)
		}
	}
}

// choice is an id with its log-probabilities.
type choice struct {
	id int32 // −1: none may come
	// logprob is that under the model itself, before all else: the bits of a Scorer's.
	logprob float64
	// drawn is that at the temperature, before all else: the bits of a graph's head at this
	// temperature, so that the same number trains. It is logprob at a temperature of 0.
	drawn float64
	odds  *Odds // if they are asked for
	stop  bool  // it ends the text, as an id of Request.Stop that was drawn
	over  bool  // the text ends with it
	err   error // why there is none
}

// problem says why a choice behind so many tokens is none.
func (c choice) problem(tokens int) error {
	switch {
	case math.IsNaN(c.logprob):
		return fmt.Errorf("the model gives no probabilities after %d tokens: its logits are not numbers\nhint: the weights are damaged, or training diverged", tokens)
	case c.id < 0:
		return fmt.Errorf("after %d tokens %w", tokens, ErrNothingLeft)
	}
	return nil
}

// ErrNothingLeft is returned where the settings leave no token that may come.
var ErrNothingLeft = errors.New("no token may come: the settings exclude all of them, or all that the form of the answer allows")

// next chooses token n of the answer. allowed has a bit for each id that may come; nil: all. The logits
// are read only.
func (s *sampler) next(logits []float32, n int, allowed []uint64) choice {
	c := &s.left
	c.reset(logits)
	if !c.weigh() {
		return choice{logprob: math.NaN()}
	}
	lse := c.lse
	s.edit(n, allowed)
	if c.owned && math.IsInf(float64(c.logits[c.best()]), -1) {
		return choice{id: -1}
	}
	s.known = false
	for _, t := range s.steps {
		t.apply(s, n)
	}
	id := c.draw(s.stream.Uniform(uint64(n), 0))
	if s.Mirostat.Version > 0 {
		s.observe(id)
	}
	r := choice{id: id, logprob: -float64(lse - logits[id])}
	r.drawn = s.tempered(logits, id, r.logprob)
	return r
}

// tempered is the log-probability of an id at the temperature, before all else.
func (s *sampler) tempered(logits []float32, id int32, logprob float64) float64 {
	temperature := float32(s.Temperature)
	if s.Temperature == 0 || temperature == 1 {
		return logprob
	}
	if !s.known {
		s.divided = slices.Grow(s.divided[:0], len(logits))[:len(logits)]
		cpu.Divide(s.divided, logits, temperature)
		s.drawn = cpu.LSE(s.divided)
	}
	if s.drawn-s.drawn != 0 { // the quotients are not finite
		return 0
	}
	return -float64(s.drawn - logits[id]/temperature)
}

// temper divides the logits by the temperature.
func (s *sampler) temper(int) {
	if d := s.DynaTemp; d.Range > 0 {
		s.left.divide(float32(d.dynamic(&s.left, s.Temperature)))
		return
	}
	untouched := !s.left.owned
	s.left.divide(float32(s.Temperature))
	if s.known = untouched && s.left.ids == nil && s.left.weigh(); s.known {
		s.drawn = s.left.lse
	}
}

func (s *sampler) excludeTop(n int) {
	if s.stream.Uniform(uint64(n), 1) < s.XTC.Probability {
		threshold := s.XTC.Threshold
		if threshold == 0 {
			threshold = 0.1
		}
		s.left.excludeTop(threshold)
	}
}

// penalise lowers the logits of ids in the window. Keskar et al. 2019 for the repetition; OpenAI's API for
// presence and frequency.
func (s *sampler) penalise(int) {
	p := s.Penalties
	r := float32(p.Repetition)
	if r == 0 {
		r = 1
	}
	s.left.each(s.counts, func(l float32, count int) float32 {
		if l > 0 {
			l /= r
		} else {
			l *= r
		}
		return float32(l) - (float32(float32(count)*float32(p.Frequency)) + float32(p.Presence))
	})
}

var never = float32(math.Inf(-1))

// edit adds the biases and takes out what may not come.
func (s *sampler) edit(n int, allowed []uint64) {
	c := &s.left
	for _, bits := range [][]uint64{s.allowed, allowed} {
		if bits == nil {
			continue
		}
		for i, l := 0, c.own(); i < len(l); i++ {
			if i/64 >= len(bits) || bits[i/64]>>(i%64)&1 == 0 {
				l[i] = never
			}
		}
	}
	for id, b := range s.Bias {
		c.own()[id] += float32(b)
	}
	for _, id := range s.Banned {
		c.own()[id] = never
	}
	if n < s.MinTokens {
		for _, id := range s.stops {
			if int(id) < len(c.logits) {
				c.own()[id] = never
			}
		}
	}
	for _, w := range s.BadWords {
		if last := len(w) - 1; endsWith(s.history, w[:last]) {
			c.own()[w[last]] = never
		}
	}
	repeated(s.history, s.NoRepeatNGram, func(id int32) { c.own()[id] = never })
}

// excludes reports whether edit takes an id out behind a text, which ids of stops aside.
func (s *sampler) excludes(text []int32, id int32) bool {
	out := s.allowed != nil && (int(id/64) >= len(s.allowed) || s.allowed[id/64]>>(id%64)&1 == 0)
	out = out || slices.Contains(s.Banned, id) || math.IsInf(s.Bias[id], -1)
	out = out || slices.ContainsFunc(s.BadWords, func(w []int32) bool { return w[len(w)-1] == id && endsWith(text, w[:len(w)-1]) })
	repeated(text, s.NoRepeatNGram, func(other int32) { out = out || other == id })
	return out
}

// endsWith reports whether a sequence ends with the other.
func endsWith(ids, tail []int32) bool {
	return len(ids) >= len(tail) && slices.Equal(ids[len(ids)-len(tail):], tail)
}

// repeated tells each id that would make the last n ids of the sequence ones that it has already; n 0: none.
func repeated(ids []int32, n int, tell func(id int32)) {
	if n == 0 || len(ids) < n {
		return
	}
	tail := ids[len(ids)-n+1:]
	for i := range len(ids) - n + 1 {
		if slices.Equal(ids[i:i+n-1], tail) {
			tell(ids[i+n-1])
		}
	}
}
