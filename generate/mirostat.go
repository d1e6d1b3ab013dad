package generate

import (
	"math"

	"olmo/numeric"
)

// Mirostat keeps the surprise of an answer's tokens near a target: what is too surprising is cut away, by a bound
// that every drawn token moves. Basu et al. 2021; the two versions are llama.cpp's.
type Mirostat struct {
	Version int     // 1 or 2; 0: none
	Rate    float64 // how far a token moves the bound; 0: 0.1
	Entropy float64 // the target in bits; 0: 5
}

// DynaTemp makes the temperature follow the entropy of what is left: from Temperature − Range (at least 0), where one
// token has it all, to Temperature + Range, where all are equally probable.
type DynaTemp struct {
	Range    float64 // 0: none
	Exponent float64 // of the entropy as a share of the largest possible; 0: 1
}

// mirostatTokens is how many tokens the first version estimates their distribution by.
const mirostatTokens = 100

// bound is the surprise, in bits, above which Mirostat cuts: at the start twice the target.
func (m Mirostat) start() float64 { return 2 * m.target() }

func (m Mirostat) target() float64 {
	if m.Entropy == 0 {
		return 5
	}
	return m.Entropy
}

func (m Mirostat) rate() float64 {
	if m.Rate == 0 {
		return 0.1
	}
	return m.Rate
}

// bits is the surprise of candidate i among those that are left.
func (c *candidates) bits(i int) float64 {
	return -numeric.Log(float64(c.weights[i])/c.total) / math.Ln2
}

// unsurprising keeps the candidates of at most so many bits, and the most probable one.
func (c *candidates) unsurprising(bits float64) {
	if !c.weigh() {
		return
	}
	best := c.best()
	c.filter(func(i int) bool { return i == best || c.bits(i) <= bits })
}

// zipf keeps so many of the most probable candidates that the surprise of the last one is the given one, by Zipf's
// law with the exponent that the most probable ones suggest; V are all ids.
func (c *candidates) zipf(bits float64, V int) {
	if !c.weigh() {
		return
	}
	// The exponent is the slope of the logits over the logarithms of their ranks.
	var products, squares float64
	top := c.order.largest(c.logits, min(mirostatTokens, len(c.logits)))
	for i := range len(top) - 1 {
		next := top[i+1]
		if c.weights[next] == 0 {
			break
		}
		t := numeric.Log(float64(i+2) / float64(i+1))
		products += float64(t * float64(c.logits[top[i]]-c.logits[next]))
		squares += float64(t * t)
	}
	s := products / squares
	e := s - 1
	k := numeric.Pow(float64(e*numeric.Exp(bits*math.Ln2))/(1-numeric.Exp(-e*numeric.Log(float64(V)))), 1/s)
	switch {
	case !(k >= 2): // which it is not where it is no number either
		c.topK(1)
	case k < float64(len(c.logits)):
		c.topK(int(k))
	}
}

// keepSurprise is Mirostat's cut. What is drawn then moves the bound.
func (s *sampler) keepSurprise(int) {
	if s.Mirostat.Version == 1 {
		s.left.zipf(s.bound, len(s.left.logits))
	} else {
		s.left.unsurprising(s.bound)
	}
}

// observe moves the bound by an id that was drawn from what Mirostat has left.
func (s *sampler) observe(id int32) {
	c := &s.left
	if !c.weigh() {
		return
	}
	for i := range c.logits {
		if c.id(i) == id {
			s.bound -= float64(s.Mirostat.rate() * (c.bits(i) - s.Mirostat.target()))
			return
		}
	}
}

// dynamic is the temperature of what is left.
func (d DynaTemp) dynamic(c *candidates, temperature float64) float64 {
	n := 0
	for _, l := range c.logits {
		if !math.IsInf(float64(l), -1) {
			n++
		}
	}
	if n < 2 || !c.weigh() {
		return temperature
	}
	exponent := d.Exponent
	if exponent == 0 {
		exponent = 1
	}
	low, high := max(0, temperature-d.Range), temperature+d.Range
	share := c.entropy() / numeric.Log(float64(n))
	if share <= 0 {
		return low
	}
	return low + float64((high-low)*numeric.Pow(share, exponent))
}
