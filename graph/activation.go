package graph

import "math"

// SwiGLU is silu(gate)·up: In x (N, 2F), up first and the gate second, as the ai2
// package fuses them; Out (N, F).
var SwiGLU, swigluBackward *Def

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func init() {
	SwiGLU = define(&Def{
		Name: "swiglu", Doc: "y = silu(gate)·up",
		Shape: func(s *shaping) {
			if s.cols(0)%2 != 0 {
				s.fail("up and gate are not equally wide")
			}
			s.put(0, s.cols(0)/2)
		},
		Gradient: func(g *Graph, op *Op, d []Value) []Value {
			return g.op(swigluBackward, nil, d[0], op.In[0])
		},
		Reference: func(c *Call) {
			y := c.Out(0)
			for r := range y.Rows {
				x := c.In(0).Row(r)
				for i := range y.Cols {
					gate := x[y.Cols+i]
					y.Row(r)[i] = gate * sigmoid(gate) * x[i]
				}
			}
		},
		Cases: []Case{{"9 columns", func(g *Graph) Value { return g.SwiGLU(g.Linear(g.input(4), g.Param("w", 18, 4))) }, tokens(1, 5)}},
	})
	swigluBackward = define(&Def{
		Name: "swiglu.backward", Doc: "dx of swiglu",
		Shape: func(s *shaping) {
			s.rows(0, 1)
			s.want(s.cols(1), 2*s.cols(0), "the columns of up and gate")
			s.like(1)
		},
		Reference: func(c *Call) {
			dy := c.In(0)
			F := dy.Cols
			for r := range dy.Rows {
				x, dx := c.In(1).Row(r), c.Out(0).Row(r)
				for i, d := range dy.Row(r) {
					s := sigmoid(x[F+i])
					dx[i] = d * x[F+i] * s
					dx[F+i] = d * x[i] * s * (1 + x[F+i]*(1-s))
				}
			}
		},
	})
}

// SwiGLU appends the gated activation of a fused input.
func (g *Graph) SwiGLU(x Value) Value {
	return g.op(SwiGLU, nil, x)[0]
}
