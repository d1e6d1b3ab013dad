package generate

import (
	"math"
	"slices"

	"olmo/device/cpu"
)

// candidates are the ids that may still come, and their logits. They stand with ids ascending, until top-k or
// top-p ranks them: from the largest logit down, of equal ones the one that stood first.
type candidates struct {
	ids    []int32   // nil: all, from 0 up
	logits []float32 // of ids; those of the model itself until the first change, which are only read
	ranked bool      // from the largest logit down

	// weights are exp(logit − the largest): the softmax before its division, so that shares are taken of
	// sums of weights, never of rounded probabilities. total is their sum, lse the log-sum-exp of the logits.
	weights []float32
	total   float64
	lse     float32
	weighed bool

	owned        bool // logits is a buffer
	order        ranking
	keys         []float32
	places       []int32
	idBuffers    [2][]int32 // of ids, where that is not nil, and the next ones
	logitBuffers [2][]float32
	turn         int // of the buffers that are in use
}

func (c *candidates) reset(logits []float32) {
	c.ids, c.logits, c.owned, c.ranked, c.weighed = nil, logits, false, false, false
}

// id returns that of a place.
func (c *candidates) id(i int) int32 {
	if c.ids == nil {
		return int32(i)
	}
	return c.ids[i]
}

// best is the place of the largest logit, of equal ones the smallest id's.
func (c *candidates) best() int {
	best := 0
	for i, l := range c.logits {
		if l > c.logits[best] {
			best = i
		}
	}
	return best
}

// own makes the logits the candidates' own, to be changed.
func (c *candidates) own() []float32 {
	if !c.owned {
		c.logits = append(c.logitBuffers[c.turn][:0], c.logits...)
		c.logitBuffers[c.turn], c.owned = c.logits, true
	}
	c.weighed = false
	return c.logits
}

// weigh computes the weights. They are of no use, and it reports so, where no logit is finite or one is +Inf.
func (c *candidates) weigh() bool {
	if !c.weighed {
		c.weights = slices.Grow(c.weights[:0], len(c.logits))[:len(c.logits)]
		var sum float32
		sum, c.lse = cpu.Exponentials(c.weights, c.logits)
		c.total, c.weighed = float64(sum), true
		if c.ids != nil {
			c.total = 0
			for _, w := range c.weights {
				c.total += float64(w)
			}
		}
	}
	return c.lse-c.lse == 0
}

// filter keeps the candidates at the places that keep says, in their order.
func (c *candidates) filter(keep func(i int) bool) {
	ids, logits := c.other()
	for i, l := range c.logits {
		if keep(i) {
			ids, logits = append(ids, c.id(i)), append(logits, l)
		}
	}
	c.take(ids, logits)
}

// other returns the empty buffers that are not in use.
func (c *candidates) other() ([]int32, []float32) {
	return c.idBuffers[1-c.turn][:0], c.logitBuffers[1-c.turn][:0]
}

// take goes over to the other buffers.
func (c *candidates) take(ids []int32, logits []float32) {
	c.turn = 1 - c.turn
	if c.logitBuffers[c.turn] = logits; ids != nil {
		c.idBuffers[c.turn] = ids
	}
	c.ids, c.logits, c.owned, c.weighed = ids, logits, true, false
}

// divide divides the logits by a temperature. Where the largest quotient is not finite, or the temperature
// is 0, all of the probability is the largest logit's.
func (c *candidates) divide(temperature float32) {
	best := -1
	if temperature > 0 {
		before := c.logits
		ids, t := c.other()
		t = slices.Grow(t, len(before))[:len(before)]
		cpu.Divide(t, before, temperature)
		if c.ids != nil {
			c.ids = append(ids, c.ids...)
		}
		if c.take(c.ids, t); c.weigh() {
			return
		}
		for i, l := range before {
			if best < 0 || l > before[best] {
				best = i
			}
		}
	} else {
		best = c.best()
	}
	ids, logits := c.other()
	c.take(append(ids, c.id(best)), append(logits, c.logits[best]))
}

// topK keeps the k most probable candidates.
func (c *candidates) topK(k int) {
	switch {
	case k >= len(c.logits):
	case c.ranked:
		c.filter(func(i int) bool { return i < k })
	default:
		ids, logits := c.other()
		for _, i := range c.order.largest(c.logits, k) {
			ids, logits = append(ids, c.id(int(i))), append(logits, c.logits[i])
		}
		c.take(ids, logits)
		c.ranked = true
	}
}

// topP keeps the most probable candidates up to the one with which their share reaches p. Holtzman et
// al. 2020.
func (c *candidates) topP(p float64) {
	if !c.weigh() {
		return
	}
	if !c.ranked {
		// All candidates below the floor together have less than half of what may be left over, as long as that
		// is more than the sums' roundings.
		var floor float32
		if p < 0.999 {
			floor = float32((1 - p) * c.total / float64(2*len(c.logits)))
		}
		c.places = c.places[:0]
		for i, w := range c.weights {
			if w >= floor {
				c.places = append(c.places, int32(i))
			}
		}
		c.order.reset(c.logits, c.places)
	}
	ids, logits := c.other()
	var sum float64
	for n := 0; n < len(c.logits) && sum < p*c.total; n++ {
		i := n
		if !c.ranked {
			var ok bool
			if i, ok = c.order.pop(); !ok {
				break
			}
		}
		sum += float64(c.weights[i])
		ids, logits = append(ids, c.id(i)), append(logits, c.logits[i])
	}
	c.take(ids, logits)
	c.ranked = true
}

// minP keeps the candidates with at least the share p of the largest probability. Nguyen et al. 2024.
func (c *candidates) minP(p float64) {
	if !c.weigh() {
		return
	}
	c.filter(func(i int) bool { return c.weights[i] >= float32(p) })
}

// topNSigma keeps the candidates whose logit lies at most n standard deviations below the largest one.
// Tang et al. 2024.
func (c *candidates) topNSigma(n float64) {
	var count, sum, squares float64
	most := math.Inf(-1)
	for _, l := range c.logits {
		if x := float64(l); !math.IsInf(x, -1) {
			count++
			sum += x
			most = max(most, x)
		}
	}
	mean := sum / count
	for _, l := range c.logits {
		if x := float64(l); !math.IsInf(x, -1) {
			d := x - mean
			squares += float64(d * d)
		}
	}
	least := most - float64(n*math.Sqrt(squares/count))
	c.filter(func(i int) bool { return float64(c.logits[i]) >= least })
}

// typical keeps the candidates whose surprise is nearest to the expected one, up to the one with which their
// share reaches p. Meister et al. 2023.
func (c *candidates) typical(p float64) {
	if !c.weigh() {
		return
	}
	entropy := c.entropy()
	c.keys = slices.Grow(c.keys[:0], len(c.logits))[:len(c.logits)]
	for i, l := range c.logits {
		c.keys[i] = -float32(math.Abs(float64(c.lse-l) - entropy))
	}
	c.order.reset(c.keys, nil)
	var sum float64
	for sum < float64(p*c.total) {
		i, ok := c.order.pop()
		if !ok {
			break
		}
		sum += float64(c.weights[i])
		c.keys[i] = 1 // no other key is above 0
	}
	c.filter(func(i int) bool { return c.keys[i] == 1 })
}

// entropy is that of the candidates, in nats; they are weighed.
func (c *candidates) entropy() float64 {
	var sum float64 // times total
	for i, w := range c.weights {
		if w > 0 {
			sum += float64(float64(w) * float64(c.lse-c.logits[i]))
		}
	}
	return sum / c.total
}

// excludeTop cuts away all candidates with at least the share threshold but for the least probable of
// them, of equal ones the one that stands last.
func (c *candidates) excludeTop(threshold float64) {
	if !c.weigh() {
		return
	}
	least, limit := -1, threshold*c.total
	for i, w := range c.weights {
		if float64(w) >= limit && (least < 0 || c.logits[i] <= c.logits[least]) {
			least = i
		}
	}
	if least >= 0 {
		c.filter(func(i int) bool { return i == least || float64(c.weights[i]) < limit })
	}
}

// draw takes the id at the share u of the weights, counted in the order in which the candidates stand.
func (c *candidates) draw(u float64) int32 {
	if len(c.logits) == 1 || !c.weigh() {
		return c.id(c.best())
	}
	// The sum may have been made in another order than here, so u may still be left over at the end:
	// then the last one that has any weight is the one.
	u *= c.total
	last := 0
	for i, w := range c.weights {
		if w == 0 {
			continue
		}
		last = i
		if u -= float64(w); u < 0 {
			break
		}
	}
	return c.id(last)
}

// each changes the logits of the ids that a count is given for.
func (c *candidates) each(counts map[int32]int, change func(l float32, count int) float32) {
	if len(counts) == 0 {
		return
	}
	l := c.own()
	if c.ids == nil {
		for id, n := range counts {
			l[id] = change(l[id], n)
		}
		return
	}
	for i, id := range c.ids {
		if n := counts[id]; n > 0 {
			l[i] = change(l[i], n)
		}
	}
	c.ranked = false
}
