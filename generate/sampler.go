package generate

import (
	"fmt"

	"olmo/internal/kernel"
)

// Sampling says how the next token is chosen. The zero value takes the most
// probable one, of equals the one with the smallest id.
type Sampling struct {
	Temperature float64 // divides the logits; 0: the most probable token
	TopK        int     // only so many of the most probable tokens; 0: all
	TopP        float64 // only the most probable tokens that together reach this probability; 0 or 1: all
	Seed        uint64
}

// Check reports settings that make no sense.
func (s Sampling) Check() error {
	switch {
	case !(s.Temperature >= 0):
		return fmt.Errorf("the temperature is %g, it must be 0 or more", s.Temperature)
	case s.TopK < 0:
		return fmt.Errorf("top-k is %d, it must be 0 (all) or more", s.TopK)
	case !(s.TopP >= 0 && s.TopP <= 1):
		return fmt.Errorf("top-p is %g, it must lie between 0 and 1", s.TopP)
	}
	return nil
}

// sampler chooses tokens. A choice is a function of the logits, the settings and the
// number of the token alone.
type sampler struct {
	Sampling
	stream kernel.Stream
	order  ranking
	kept   []float64 // weights of the most probable ids, so far
}

func newSampler(s Sampling) *sampler {
	return &sampler{Sampling: s, stream: kernel.NewStream(s.Seed, "sample")}
}

// next returns the chosen id and its log-probability under the model itself, before
// temperature and cuts: the bits of a Scorer's. n counts the tokens of the
// continuation.
func (s *sampler) next(logits []float32, n int) (id int32, logprob float64) {
	best := 0
	for i, l := range logits {
		if l > logits[best] {
			best = i
		}
	}
	id = int32(best)
	if s.Temperature > 0 {
		id = s.draw(logits, float64(logits[best]), s.stream.Uniform(uint64(n), 0))
	}
	return id, -float64(kernel.LSE(logits) - logits[id])
}

// draw takes the id at the share u of the weight that temperature, top-k and top-p
// leave, counted from the most probable id down. Ids are ranked only as far as
// that needs.
func (s *sampler) draw(logits []float32, top, u float64) int32 {
	s.order.reset(logits)
	s.kept = s.kept[:0]
	weight := func(l float32) float64 { return kernel.Exp((float64(l) - top) / s.Temperature) }
	// ranked returns the weight of the id at a rank.
	ranked := func(i int) float64 {
		for len(s.kept) <= i {
			s.kept = append(s.kept, weight(logits[s.order.pop()]))
		}
		return s.kept[i]
	}
	n, total := len(logits), 0.0
	if s.TopK > 0 && s.TopK < n {
		n = s.TopK
		for i := range n {
			total += ranked(i)
		}
	} else {
		for _, l := range logits {
			total += weight(l)
		}
	}
	if s.TopP > 0 && s.TopP < 1 {
		var c float64
		for i := range n {
			if c += ranked(i); c >= s.TopP*total {
				n, total = i+1, c
				break
			}
		}
	}
	u *= total
	for i := range n {
		if u -= ranked(i); u < 0 {
			return s.order.at(i)
		}
	}
	return s.order.at(n - 1)
}

// ranking gives ids from the most probable one down: a heap at the front of ids,
// and behind it the ids taken from it, the first one last.
type ranking struct {
	logits []float32
	ids    []int32
	left   int // ids in the heap
}

func (r *ranking) reset(logits []float32) {
	r.logits, r.left = logits, len(logits)
	r.ids = r.ids[:0]
	for i := range logits {
		r.ids = append(r.ids, int32(i))
	}
	for i := r.left/2 - 1; i >= 0; i-- {
		r.sink(i)
	}
}

// pop takes the most probable id of the heap.
func (r *ranking) pop() int32 {
	r.left--
	r.ids[0], r.ids[r.left] = r.ids[r.left], r.ids[0]
	r.sink(0)
	return r.ids[r.left]
}

// at returns the id of a rank that was taken.
func (r *ranking) at(rank int) int32 { return r.ids[len(r.ids)-1-rank] }

// sink moves element i down to its place.
func (r *ranking) sink(i int) {
	for {
		child := 2*i + 1
		if child >= r.left {
			return
		}
		if child+1 < r.left && r.before(child+1, child) {
			child++
		}
		if !r.before(child, i) {
			return
		}
		r.ids[i], r.ids[child] = r.ids[child], r.ids[i]
		i = child
	}
}

func (r *ranking) before(i, j int) bool {
	a, b := r.ids[i], r.ids[j]
	if r.logits[a] != r.logits[b] {
		return r.logits[a] > r.logits[b]
	}
	return a < b
}
