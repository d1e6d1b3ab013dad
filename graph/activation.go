package graph

import "math"

// SwiGLU is silu(gate)·up, GeGLU the same with GELU's tanh form in silu's place: In x (N, 2F), up
// first and the gate second, as the ai2 package fuses them; Out (N, F).
//
// Shazeer 2020.
var SwiGLU, GeGLU *Def

// GatedAttr is the attribute of SwiGLU and GeGLU.
type GatedAttr struct {
	GateFirst bool // the gate stands in the first half of x, as Phi-3 fuses them
}

// halves returns the halves of a row that up and gate are.
func (a *GatedAttr) halves(x []float64) (up, gate []float64) {
	F := len(x) / 2
	if a.GateFirst {
		return x[F:], x[:F]
	}
	return x[:F], x[F:]
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func init() {
	SwiGLU, _ = gated("swiglu", "y = silu(gate)·up",
		func(x float64) float64 { return x * sigmoid(x) },
		func(x float64) float64 {
			s := sigmoid(x)
			return s * (1 + x*(1-s))
		})
	GeGLU, _ = gated("geglu", "y = gelu_tanh(gate)·up", geluTanh, geluTanhSlope)
}

// gated defines y = f(gate)·up and its backward pass.
func gated(name, doc string, f, slope func(x float64) float64) (forward, backward *Def) {
	attr := func(op *Op) *GatedAttr { return op.Attr.(*GatedAttr) }
	backward = define(&Def{
		Name: name + ".backward", Doc: "dx of " + name,
		Shape: func(s *shaping) {
			s.rows(0, 1)
			s.want(s.cols(1), 2*s.cols(0), "the columns of up and gate")
			s.like(1)
		},
		Reference: func(c *Call) {
			for r := range c.In(0).Rows {
				up, gate := attr(c.Op).halves(c.In(1).Row(r))
				dup, dgate := attr(c.Op).halves(c.Out(0).Row(r))
				for i, d := range c.In(0).Row(r) {
					dup[i] = d * f(gate[i])
					dgate[i] = d * up[i] * slope(gate[i])
				}
			}
		},
	})
	forward = define(&Def{
		Name: name, Doc: doc,
		Shape: func(s *shaping) {
			if s.cols(0)%2 != 0 {
				s.fail("up and gate are not equally wide")
			}
			s.put(0, s.cols(0)/2)
		},
		Gradient: func(g *Graph, op *Op, d []Value) []Value {
			return g.op(backward, op.Attr, d[0], op.In[0])
		},
		Reference: func(c *Call) {
			for r := range c.Out(0).Rows {
				up, gate := attr(c.Op).halves(c.In(0).Row(r))
				for i, v := range gate {
					c.Out(0).Row(r)[i] = f(v) * up[i]
				}
			}
		},
	})
	forward.Cases = []Case{
		{"9 columns", func(g *Graph) Value { return g.op(forward, &GatedAttr{}, g.Linear(g.input(4), g.Param("w", 18, 4)))[0] }, tokens(1, 5)},
		{"the gate first", func(g *Graph) Value {
			return g.op(forward, &GatedAttr{GateFirst: true}, g.Linear(g.input(4), g.Param("w", 34, 4)))[0]
		}, tokens(2, 5)},
	}
	return forward, backward
}

// SwiGLU appends the gated activation of a fused input.
func (g *Graph) SwiGLU(x Value) Value { return g.Gated(SwiGLU, x, GatedAttr{}) }

// Gated appends SwiGLU or GeGLU.
func (g *Graph) Gated(d *Def, x Value, a GatedAttr) Value { return g.op(d, &a, x)[0] }
