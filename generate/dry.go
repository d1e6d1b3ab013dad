package generate

import (
	"math"
	"slices"
)

// repeats finds how long the end of a text has come before (DRY, by its author p-e-w; the rules for
// breakers are llama.cpp's, llama_sampler_dry_apply of build 11434).
type repeats struct {
	longest map[int32]int // by the id that would carry it on
	same    []int
}

// find looks at the newest tokens of a history.
func (r *repeats) find(history []int32, d DRY) {
	if r.longest == nil {
		r.longest = map[int32]int{}
	}
	clear(r.longest)
	n := len(history)
	if d.LastN > 0 {
		n = min(n, d.LastN)
	}
	history = history[len(history)-n:]
	if n <= d.AllowedLength {
		return
	}
	most := sinceBreaker(history, d.Breakers)
	// same[k] counts the ids that history and history without its last k end with in common. A stretch
	// [left, right) of what was compared last says it for the k inside of it (the Z algorithm, from the end).
	r.same = slices.Grow(r.same[:0], n)[:n]
	back := func(i int) int32 { return history[n-1-i] }
	left, right := 0, 0
	for k := 1; k < n; k++ {
		m := 0
		if k < right {
			m = min(right-k, r.same[k-left])
		}
		for k+m < n && back(m) == back(k+m) {
			m++
		}
		r.same[k] = m
		if k+m > right {
			left, right = k, k+m
		}
		if m = min(m, most); m >= d.AllowedLength {
			id := back(k - 1)
			r.longest[id] = max(r.longest[id], m)
		}
	}
}

// sinceBreaker counts the ids behind the newest breaker: the one that begins last, of several that begin
// there the longest.
func sinceBreaker(history []int32, breakers [][]int32) int {
	n := len(history)
	for i := n - 1; i >= 0; i-- {
		longest := 0
		for _, b := range breakers {
			if len(b) > longest && len(b) <= n-i && slices.Equal(history[i:i+len(b)], b) {
				longest = len(b)
			}
		}
		if longest > 0 {
			return n - i - longest
		}
	}
	return n
}

// penaliseRepeats lowers the logits of ids that would carry a repetition on.
func (s *sampler) penaliseRepeats(int) {
	d := s.DRY
	if d.Base == 0 {
		d.Base = 1.75
	}
	if d.AllowedLength == 0 {
		d.AllowedLength = 2
	}
	s.repeats.find(s.history, d)
	for _, b := range d.Breakers {
		if len(b) == 1 {
			delete(s.repeats.longest, b[0])
		}
	}
	s.left.each(s.repeats.longest, func(l float32, n int) float32 {
		p := d.Multiplier
		for range n - d.AllowedLength {
			if p *= d.Base; p > math.MaxFloat32/4 { // so that a logit stays one
				p = math.MaxFloat32 / 4
				break
			}
		}
		return l - float32(p)
	})
}
