package graph

import "math"

// RotaryAttr is the attribute of rotary embeddings.
type RotaryAttr struct {
	D       int  // size of a head
	Inverse bool // the backward pass
}

// Rotary rotates the first R elements of heads by the angles of their positions: In
// x (N, H·D), cosines and sines (positions, R/2); Out (N, H·D).
var Rotary *Def

func init() {
	Rotary = define(&Def{
		Name: "rotary", Doc: "y₁ = x₁·cos − x₂·sin, y₂ = x₂·cos + x₁·sin (half rotation)",
		Shape: func(s *shaping) {
			D := s.op.Attr.(*RotaryAttr).D
			s.perToken(0)
			if s.cols(0)%D != 0 || 2*s.cols(1) > D {
				s.fail("they are not heads of %d", D)
			}
			s.table(2, s.height(1), s.cols(1))
			s.like(0)
		},
		Bytes: func(g *Graph, op *Op, b *Batch) float64 { // of the tables a row for each token
			table := g.Info(op.In[1])
			return g.elementBytes(b, op.In[:1], op.Out) + 4*2*float64(min(len(b.IDs)*table.Cols(), table.Size(1)))
		},
		Gradient: func(g *Graph, op *Op, d []Value) []Value {
			a := *op.Attr.(*RotaryAttr)
			a.Inverse = !a.Inverse
			return []Value{g.op(Rotary, &a, d[0], op.In[1], op.In[2])[0], None, None}
		},
		Reference: func(c *Call) {
			a := c.Op.Attr.(*RotaryAttr)
			x, y, h := c.In(0), c.Out(0), c.In(1).Cols
			for r, p := range c.Batch.Positions() {
				for o := 0; o < x.Cols; o += a.D {
					for i := range h {
						cos, sin := c.In(1).Row(int(p))[i], c.In(2).Row(int(p))[i]
						if a.Inverse {
							sin = -sin
						}
						u, v := x.Row(r)[o+i], x.Row(r)[o+h+i]
						y.Row(r)[o+i], y.Row(r)[o+h+i] = u*cos-v*sin, v*cos+u*sin
					}
					copy(y.Row(r)[o+2*h:o+a.D], x.Row(r)[o+2*h:])
				}
			}
		},
		Cases: []Case{
			{"2 heads of 6", func(g *Graph) Value { return g.rotated(12, 6) }, tokens(2, 14)},
			{"6 of 9 elements", func(g *Graph) Value { return g.rotated(18, 9) }, tokens(1, 14)},
		},
	})
}

// rotated is a test case that rotates 6 elements of each head.
func (g *Graph) rotated(cols, D int) Value {
	cos, sin := make([]float32, 20*3), make([]float32, 20*3)
	for i := range cos {
		s, c := math.Sincos(float64(i/3) / float64(1+i%3))
		cos[i], sin[i] = float32(c), float32(s)
	}
	return g.Rotary(g.input(cols), g.Const("cos", cos, 20, 3), g.Const("sin", sin, 20, 3), D)
}

// Rotary appends the rotation of heads of size D, as far as the tables go.
func (g *Graph) Rotary(x, cos, sin Value, D int) Value {
	return g.op(Rotary, &RotaryAttr{D: D}, x, cos, sin)[0]
}
