package graph

import "olmo/numeric"

// DropoutAttr is the attribute of dropout.
type DropoutAttr struct {
	P    float64 // the probability that an element is dropped
	Site int     // tells the places in a model apart
}

// Of returns the dropout of a batch, nil without.
func (a *DropoutAttr) Of(b *Batch) *numeric.Dropout {
	if b.Noise == nil || a.P == 0 {
		return nil
	}
	return numeric.NewDropout(a.P, b.Noise.Seed, b.Noise.Step, a.Site)
}

// Noise says which random numbers dropout and NEFTune draw: a function of the seed, the step, the row in the
// step's batch and the place in the model, so that micro-batches draw what the whole batch would.
// Without it nothing is dropped, and no noise added.
type Noise struct {
	Seed uint64
	Step int
	Row  int // tokens of the step's batch before this one
}

// Dropout zeroes elements at random and scales the others: In x (N, C); Out (N, C).
var Dropout *Def

func init() {
	Dropout = define(&Def{
		Name: "dropout", Doc: "y = x/(1−p) or, with probability p, 0",
		Shape: func(s *shaping) {
			s.perToken(0)
			s.like(0)
		},
		Gradient: func(g *Graph, op *Op, d []Value) []Value {
			return g.op(Dropout, op.Attr, d[0])
		},
		Reference: func(c *Call) {
			d := c.Op.Attr.(*DropoutAttr).Of(c.Batch)
			for r := range c.In(0).Rows {
				for i, k := range factors(d, c.In(0).Cols, uint64(c.Batch.row()+r)) {
					c.Out(0).Row(r)[i] = c.In(0).Row(r)[i] * k
				}
			}
		},
		Cases: []Case{
			{"a third of them", func(g *Graph) Value { return g.Dropout(g.input(9), DropoutAttr{P: 0.3, Site: 2}) }, noisy(tokens(2, 5))},
			{"none without noise", func(g *Graph) Value { return g.Dropout(g.input(4), DropoutAttr{P: 0.3}) }, tokens(1, 3)},
		},
	})
}

// noisy gives a test case's batch its random numbers.
func noisy(b func() *Batch) func() *Batch {
	return func() *Batch {
		x := b()
		x.Noise = &Noise{Seed: 7, Step: 3, Row: 12}
		return x
	}
}

// row is the number of the batch's first token in the step.
func (b *Batch) row() int {
	if b.Noise == nil {
		return 0
	}
	return b.Noise.Row
}

// factors are what dropout multiplies the first n elements of a row by.
func factors(d *numeric.Dropout, n int, row uint64) []float64 {
	one, k := make([]float32, n), make([]float64, n)
	for i := range one {
		one[i] = 1
	}
	if d != nil {
		d.Row(one, one, row, 0)
	}
	for i, v := range one {
		k[i] = float64(v)
	}
	return k
}

// Dropout appends dropout.
func (g *Graph) Dropout(x Value, a DropoutAttr) Value {
	return g.op(Dropout, &a, x)[0]
}
