package tensor

import "fmt"

// Feedback rounds one block after the other of rows of a matrix, so that a number makes up for what
// rounding has done to those before it. Scales are found as by ConvertWeighted.
//
// Frantar et al. 2022 (GPTQ), in the form of Chee et al. 2023 (LDLQ, section 3.1).
type Feedback struct {
	d     DType
	s     search
	found [256]byte
	grid  grid
}

// NewFeedback is for blocks of d.
func NewFeedback(d DType) *Feedback {
	if !d.IsQuantized() || d == Q8_0 {
		panic(fmt.Sprintf("tensor: no feedback in blocks of %v", d))
	}
	return &Feedback{d: d}
}

// Block writes a block of numbers to b and what rounding takes from each to lost. aims are the numbers with what
// they make up for of earlier blocks, by which the scales are chosen, weighed by importance. Within the block,
// order has the places as they are rounded, and the one at order[i] makes up for share[i·n+j] times
// what is lost at order[j], j < i, n the length of the block.
func (f *Feedback) Block(b []byte, v, aims, importance []float32, order []int, share, lost []float32) error {
	if err := quantize(b, f.d, aims); err != nil {
		return err
	}
	s, n := &f.s, len(v)
	if s.weigh(aims, importance) {
		found := f.found[:len(b)]
		if s.block(f.d, found) && s.loss(f.d, found) < s.loss(f.d, b) {
			copy(b, found)
		}
	}
	f.grid.of(f.d, b)
	for i, at := range order {
		aim := aims[at]
		for j, before := range order[:i] {
			aim += float32(share[i*n+j] * lost[before])
		}
		l, x := f.grid.nearest(at, aim)
		s.best[at], lost[at] = l, v[at]-x
	}
	s.pack(f.d, b)
	return nil
}

// grid has the numbers that a block with given scales can hold: level·scale − minimum, by parts.
type grid struct {
	part        int // numbers in one
	lo, hi      int
	scale, less [16]float32
}

// of takes the scales of a block.
func (g *grid) of(d DType, b []byte) {
	g.part = 32
	g.less = [16]float32{}
	switch d {
	case Q4_0, Q5_0:
		g.lo, g.hi = -8, 7
		if d == Q5_0 {
			g.lo, g.hi = -16, 15
		}
		g.scale[0] = half(b)
	case Q4_1, Q5_1:
		g.lo, g.hi = 0, 15
		if d == Q5_1 {
			g.hi = 31
		}
		g.scale[0], g.less[0] = half(b), -half(b[2:])
	case Q4_K, Q5_K:
		g.lo, g.hi = 0, 15
		if d == Q5_K {
			g.hi = 31
		}
		for j := range 8 {
			scale, least := scaleMin(j, b[4:16])
			g.scale[j], g.less[j] = half(b)*float32(scale), half(b[2:])*float32(least)
		}
	case Q6_K:
		g.part, g.lo, g.hi = 16, -32, 31
		for j := range 16 {
			g.scale[j] = half(b[208:]) * float32(int8(b[192+j]))
		}
	}
}

// nearest is the level at a place that is nearest to x, and the number that it is read as.
func (g *grid) nearest(at int, x float32) (l int8, read float32) {
	scale, less := g.scale[at/g.part], g.less[at/g.part]
	l = level(float32(inverse(scale)*(x+less)), g.lo, g.hi)
	return l, float32(scale*float32(l)) - less
}
