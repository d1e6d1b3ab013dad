package generate

import (
	"fmt"
	"slices"

	"olmo/device/cpu"
	"olmo/numeric"
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
	stream  numeric.Stream
	divided []float32 // logits
	weights []float32
	order   ranking
}

func newSampler(s Sampling) *sampler {
	return &sampler{Sampling: s, stream: numeric.NewStream(s.Seed, "sample")}
}

// choice is an id with its log-probabilities.
type choice struct {
	id int32
	// logprob is that under the model itself, before temperature and cuts: the bits of a Scorer's.
	logprob float64
	// drawn is that at the temperature, before cuts: the bits of a graph's head at this
	// temperature, so that the same number trains. It is logprob at a temperature of 0.
	drawn float64
}

// next chooses an id. n counts the tokens of the continuation.
func (s *sampler) next(logits []float32, n int) choice {
	best := 0
	for i, l := range logits {
		if l > logits[best] {
			best = i
		}
	}
	temperature := float32(s.Temperature)
	t := logits
	if s.Temperature > 0 && temperature != 1 {
		s.divided = slices.Grow(s.divided[:0], len(logits))[:len(logits)]
		t = s.divided
		cpu.Divide(t, logits, temperature)
	}
	c := choice{id: int32(best)}
	// A temperature so small that the quotient has no finite value leaves all of the probability
	// to the largest logit.
	if top := t[best]; s.Temperature > 0 && top-top == 0 {
		var lse float32
		c.id, lse = s.draw(t, s.stream.Uniform(uint64(n), 0))
		c.drawn = -float64(lse - t[c.id])
		if temperature == 1 {
			c.logprob = c.drawn
			return c
		}
	}
	c.logprob = -float64(cpu.LSE(logits) - logits[c.id])
	if s.Temperature == 0 {
		c.drawn = c.logprob
	}
	return c
}

// draw takes the id at the share u of the weight that top-k and top-p leave of the divided
// logits: counted through the ids when all are left, else from the most probable one
// down, ranking them only as far as that needs. It also returns the log-sum-exp of all.
func (s *sampler) draw(logits []float32, u float64) (id int32, lse float32) {
	// The weight of an id is exp(l − max l): the softmax before its division, so
	// that shares are taken of sums of weights, never of rounded probabilities.
	s.weights = slices.Grow(s.weights[:0], len(logits))[:len(logits)]
	sum, lse := cpu.Exponentials(s.weights, logits)
	return s.share(logits, float64(sum), u), lse
}

// share is draw, once the weights are there; total is their sum.
func (s *sampler) share(logits []float32, total, u float64) int32 {
	w := s.weights
	n := len(logits)
	topK, topP := s.TopK > 0 && s.TopK < n, s.TopP > 0 && s.TopP < 1
	if !topK && !topP {
		// total was summed in another order than here, so u may still be left over at the end:
		// then the last id that has any weight is the one.
		u *= total
		last := int32(0)
		for i, p := range w {
			if p == 0 {
				continue
			}
			last = int32(i)
			if u -= float64(p); u < 0 {
				break
			}
		}
		return last
	}
	s.order.reset(logits)
	if topK {
		n, total = s.TopK, 0
		for range n {
			total += float64(w[s.order.pop()])
		}
	}
	if topP {
		// The share is one of what top-k left, and the id that reaches it still belongs to it.
		var c float64
		for i := range n {
			if i == s.order.taken() { // without top-k nothing is ranked yet
				s.order.pop()
			}
			if c += float64(w[s.order.at(i)]); c >= s.TopP*total {
				n = i + 1
				break
			}
		}
		total = c
	}
	u *= total
	for i := range n {
		if u -= float64(w[s.order.at(i)]); u < 0 {
			return s.order.at(i)
		}
	}
	return s.order.at(n - 1)
}

// ranking gives ids from the most probable one down: a heap at the front of ids,
// and behind it the ids taken from it, the first one last. Sorting all of a vocabulary for
// each token would take longer than many a model takes to compute it.
//
//	ids:  heap, the largest logit first | … rank 1 | rank 0
//	      0                         left             len(ids)
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

// taken counts the ids that were taken.
func (r *ranking) taken() int { return len(r.ids) - r.left }

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
