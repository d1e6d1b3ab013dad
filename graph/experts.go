package graph

import "slices"

// ExpertsAttr is the attribute of Experts.
type ExpertsAttr struct{ E, K, C, F int }

// shape checks up, gate and down of each expert, from input first on, against x and the weights.
func (a *ExpertsAttr) shape(s *shaping, x, weights, first int) {
	s.want(s.cols(x), a.C, "the columns of x")
	s.want(s.cols(weights), a.E, "the columns of the weights")
	if a.K <= 0 || a.K > a.E {
		s.fail("%d experts of %d cannot be chosen", a.K, a.E)
	}
	for e := range a.E {
		s.table(first+3*e, a.F, a.C)
		s.table(first+3*e+1, a.F, a.C)
		s.table(first+3*e+2, a.C, a.F)
	}
}

// weightBytes counts the weights of the experts that n tokens can reach.
func (a *ExpertsAttr) weightBytes(n int) float64 {
	return 4 * 3 * float64(min(a.E, n*a.K)) * float64(a.F) * float64(a.C)
}

// Experts is a mixture of SwiGLU MLPs, each token through the K experts whose weight
// is not zero: In x (N, C), weights (N, E), then for each expert up (F, C), gate (F, C)
// and down (C, F); Out y (N, C) and, for the backward pass, up and gate of each token's
// experts (N, K·2F), ascending.
var Experts, expertsBackward *Def

func init() {
	flops := func(k float64) func(g *Graph, op *Op, b *Batch) float64 {
		return func(g *Graph, op *Op, b *Batch) float64 {
			a := op.Attr.(*ExpertsAttr)
			return k * float64(rowsOf(g, op.In[0], b)*a.K) * float64(a.C) * float64(a.F)
		}
	}
	mixture := func(E, K, C, F int, normalize, frozen bool) func(g *Graph) Value {
		return func(g *Graph) Value {
			x := g.input(C)
			var up, gate, down []Value
			for e := range E {
				name := string(rune('a' + e))
				up, gate, down = append(up, g.Param("up."+name, F, C)), append(gate, g.Param("gate."+name, F, C)), append(down, g.Param("down."+name, C, F))
			}
			for _, p := range slices.Concat(up, gate, down) {
				g.Info(p).Frozen = frozen
			}
			w := g.Router(g.Linear(x, g.Param("router", E, C)), RouterAttr{K: K, Normalize: normalize})
			return g.Experts(x, w, up, gate, down, K)
		}
	}
	Experts = define(&Def{
		Name: "experts", Doc: "y = Σ wₑ·downₑ·(silu(gateₑ·x)·(upₑ·x)), experts ascending", FLOPs: flops(6),
		Shape: func(s *shaping) {
			a := s.op.Attr.(*ExpertsAttr)
			s.rows(0, 1)
			a.shape(s, 0, 1, 2)
			s.like(0)
			s.put(0, a.K*2*a.F)
		},
		Bytes: func(g *Graph, op *Op, b *Batch) float64 {
			return g.elementBytes(b, op.In[:2], op.Out) + op.Attr.(*ExpertsAttr).weightBytes(rowsOf(g, op.In[0], b))
		},
		Gradient: func(g *Graph, op *Op, d []Value) []Value {
			in := append([]Value{d[0], op.In[0], op.In[1], op.Out[1]}, op.In[2:]...)
			var grads []Value
			for _, p := range op.In[2:] {
				if dp := g.gradOf(p); dp != None {
					grads = append(grads, dp)
				}
			}
			if n := len(grads); n > 0 && n < len(op.In)-2 {
				panic("graph: experts: some are frozen and others are not")
			}
			in = append(in, grads...)
			dx := g.op(expertsBackward, op.Attr, in...)
			return append(dx, slices.Repeat([]Value{None}, len(op.In)-2)...)
		},
		Reference: mix,
		Cases: []Case{
			{"2 of 5", mixture(5, 2, 6, 7, false, false), tokens(2, 8)},
			{"1 of 2, normalized, two pieces of tokens", mixture(2, 1, 3, 2, true, false), tokens(1, 260)},
			{"all of 3, wide", mixture(3, 3, 24, 40, true, false), tokens(3, 4)},
			{"frozen", mixture(5, 2, 6, 7, false, true), tokens(2, 8)},
		},
	})
	expertsBackward = define(&Def{
		Name: "experts.backward", Doc: "dx, dw and the gradients of the experts",
		FLOPs: func(g *Graph, op *Op, b *Batch) float64 {
			if len(op.In) == 4+3*op.Attr.(*ExpertsAttr).E { // the experts are frozen
				return flops(6)(g, op, b)
			}
			return flops(12)(g, op, b)
		},
		Shape: func(s *shaping) {
			a := s.op.Attr.(*ExpertsAttr)
			s.same(0, 1)
			s.rows(0, 2, 3)
			s.want(s.cols(3), a.K*2*a.F, "the columns of up and gate")
			a.shape(s, 1, 2, 4)
			if len(s.op.In) > 4+3*a.E { // the experts are not frozen
				a.shape(s, 1, 2, 4+3*a.E)
			}
			s.like(1)
			s.like(2)
		},
		Bytes: func(g *Graph, op *Op, b *Batch) float64 {
			times := 3. // the weights are read, their gradients read and written
			if len(op.In) == 4+3*op.Attr.(*ExpertsAttr).E {
				times = 1
			}
			return g.elementBytes(b, op.In[:4], op.Out) + times*op.Attr.(*ExpertsAttr).weightBytes(rowsOf(g, op.In[0], b))
		},
		Writes: func(op *Op) []int {
			var grads []int
			for i := 4 + 3*op.Attr.(*ExpertsAttr).E; i < len(op.In); i++ {
				grads = append(grads, i)
			}
			return grads
		},
		Reference: mixBackward,
	})
}

// mix runs each token through its experts, ascending.
func mix(c *Call) {
	a := c.Op.Attr.(*ExpertsAttr)
	x, w, y, h := c.In(0), c.In(1), c.Out(0), c.Out(1)
	for r := range x.Rows {
		slot := 0
		for e, we := range w.Row(r) {
			if we == 0 {
				continue
			}
			hidden := h.Row(r)[slot*2*a.F:][:2*a.F]
			slot++
			multiply(&Array{1, a.F, hidden[:a.F]}, &Array{1, a.C, x.Row(r)}, c.In(2+3*e), true)
			multiply(&Array{1, a.F, hidden[a.F:]}, &Array{1, a.C, x.Row(r)}, c.In(3+3*e), true)
			for j := range a.F {
				act := hidden[a.F+j] * sigmoid(hidden[a.F+j]) * hidden[j] * we
				for i := range a.C {
					y.Row(r)[i] += act * c.In(4 + 3*e).Row(i)[j]
				}
			}
		}
	}
}

// mixBackward is the gradient of mix, of which up and gate have been kept.
func mixBackward(c *Call) {
	a := c.Op.Attr.(*ExpertsAttr)
	dy, x, w, h, dx, dw := c.In(0), c.In(1), c.In(2), c.In(3), c.Out(0), c.Out(1)
	trained := len(c.Op.In) > 4+3*a.E
	for r := range x.Rows {
		slot := 0
		for e, we := range w.Row(r) {
			if we == 0 {
				continue
			}
			hidden := h.Row(r)[slot*2*a.F:][:2*a.F]
			slot++
			p, d := 4+3*e, 4+3*(a.E+e)
			for j := range a.F {
				u, gate := hidden[j], hidden[a.F+j]
				s := sigmoid(gate)
				act := gate * s * u
				var back float64 // dy·down
				for i, v := range dy.Row(r) {
					back += v * c.In(p + 2).Row(i)[j]
					if trained {
						c.In(d + 2).Row(i)[j] += we * v * act
					}
				}
				dw.Row(r)[e] += back * act
				du, dg := back*we*gate*s, back*we*u*s*(1+gate*(1-s))
				for i, v := range x.Row(r) {
					if trained {
						c.In(d).Row(j)[i] += du * v
						c.In(d + 1).Row(j)[i] += dg * v
					}
					dx.Row(r)[i] += du*c.In(p).Row(j)[i] + dg*c.In(p + 1).Row(j)[i]
				}
			}
		}
	}
}

// Experts appends a mixture of experts, k for each token.
func (g *Graph) Experts(x, weights Value, up, gate, down []Value, k int) Value {
	s := g.Info(up[0]).Shape
	in := []Value{x, weights}
	for e := range up {
		in = append(in, up[e], gate[e], down[e])
	}
	a := &ExpertsAttr{E: len(up), K: k, C: s[1], F: s[0]}
	return g.op(Experts, a, in...)[0]
}
