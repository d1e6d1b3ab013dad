package graph

import (
	"math"
	"slices"
)

// RouterAttr is the attribute of Router.
type RouterAttr struct {
	K         int
	Normalize bool // the chosen experts' weights are divided by their sum
}

// Router weighs experts: In logits (N, E); Out weights (N, E), zero for all but the K
// largest of the softmax (of equal ones the first), and the whole softmax (N, E).
var Router, routerBackward *Def

// RouterLossAttr is the attribute of RouterLoss.
type RouterLossAttr struct {
	K              int
	Balance, ZLoss float64 // weights of the two losses
	Backward       bool    // also compute the gradient of the logits
}

// RouterLoss measures how evenly a router uses its experts and how large its logits are:
// In logits (N, E), weights (N, E), softmax (N, E); Out balance (N, 1), z (N, 1) and, with
// Backward, the gradient of the logits.
var RouterLoss = define(&Def{
	Name: "router_loss", Doc: "balance = E/K·Σ f·p, f the experts' shares of the sequence's tokens; z = lse²; with backward dl of scale·Σ(balance and z by their weights)",
	Shape: func(s *shaping) {
		s.perToken(0)
		s.same(0, 1, 2)
		s.put(0, 1)
		s.put(0, 1)
		if s.op.Attr.(*RouterLossAttr).Backward {
			s.like(0)
		}
	},
	Reference: func(c *Call) {
		a := c.Op.Attr.(*RouterLossAttr)
		l, w, p := c.In(0), c.In(1), c.In(2)
		ratio := float64(l.Cols) / float64(a.K)
		row := 0
		for _, s := range c.Batch.Segments {
			f := make([]float64, l.Cols)
			for r := row; r < row+s.Rows; r++ {
				for e, v := range w.Row(r) {
					if v != 0 {
						f[e] += 1 / float64(s.Rows)
					}
				}
			}
			for ; s.Rows > 0; s.Rows-- {
				var u, sum float64
				for e, v := range p.Row(row) {
					u += f[e] * v
					sum += math.Exp(l.Row(row)[e])
				}
				lse := math.Log(sum)
				c.Out(0).Row(row)[0], c.Out(1).Row(row)[0] = ratio*u, lse*lse
				if a.Backward {
					for e, v := range p.Row(row) {
						c.Out(2).Row(row)[e] = float64(c.Batch.LossScale) * v * (a.Balance*ratio*(f[e]-u) + a.ZLoss*2*lse)
					}
				}
				row++
			}
		}
	},
})

// RouterLoss appends the losses of a router and returns them for each token; in a graph
// with Backward their gradients join the loss's.
func (g *Graph) RouterLoss(logits, weights, softmax Value, a RouterLossAttr) (balance, z Value) {
	out := g.op(RouterLoss, &a, logits, weights, softmax)
	return out[0], out[1]
}

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
	Router = define(&Def{
		Name: "router", Doc: "w = the K largest of softmax(l), else 0; divided by their sum if wanted",
		Shape: func(s *shaping) {
			if k := s.op.Attr.(*RouterAttr).K; k <= 0 || k > s.cols(0) {
				s.fail("%d experts of so many cannot be chosen", k)
			}
			s.like(0)
			s.like(0)
		},
		Gradient: func(g *Graph, op *Op, d []Value) []Value {
			return g.op(routerBackward, op.Attr, d[0], op.Out[0], op.Out[1])
		},
		Reference: func(c *Call) {
			a := c.Op.Attr.(*RouterAttr)
			for r := range c.In(0).Rows {
				l, w, p := c.In(0).Row(r), c.Out(0).Row(r), c.Out(1).Row(r)
				m, sum := slices.Max(l), 0.0
				for i, v := range l {
					p[i] = math.Exp(v - m)
					sum += p[i]
				}
				chosen := 0.0
				for i := range p {
					p[i] /= sum
				}
				for range a.K {
					best := -1
					for i, v := range p {
						if w[i] == 0 && (best < 0 || v > p[best]) {
							best = i
						}
					}
					w[best] = p[best]
					chosen += p[best]
				}
				if a.Normalize {
					for i := range w {
						w[i] /= chosen
					}
				}
			}
		},
		Cases: []Case{
			{"2 of 5", func(g *Graph) Value {
				return g.Router(g.Linear(g.input(4), g.Param("w", 5, 4)), RouterAttr{K: 2})
			}, tokens(2, 6)},
			{"2 of 5 with its losses", func(g *Graph) Value {
				l := g.Linear(g.input(4), g.Param("w", 5, 4))
				w, p := g.RouterSoftmax(l, RouterAttr{K: 2})
				g.RouterLoss(l, w, p, RouterLossAttr{K: 2, Balance: 0.3, ZLoss: 0.1})
				return w
			}, tokens(2, 6)},
			{"3 of 4, normalized", func(g *Graph) Value {
				return g.Router(g.Linear(g.input(4), g.Param("w", 4, 4)), RouterAttr{K: 3, Normalize: true})
			}, tokens(1, 9)},
		},
	})
	routerBackward = define(&Def{
		Name: "router.backward", Doc: "dl of router",
		Shape: func(s *shaping) {
			s.same(0, 1, 2)
			s.like(0)
		},
		Reference: func(c *Call) {
			a := c.Op.Attr.(*RouterAttr)
			for r := range c.In(0).Rows {
				dw, w, p, dl := c.In(0).Row(r), c.In(1).Row(r), c.In(2).Row(r), c.Out(0).Row(r)
				if a.Normalize { // a softmax over the chosen
					p = w
				}
				var sum float64
				for i, v := range w {
					if v != 0 {
						sum += dw[i] * p[i]
					}
				}
				for i, v := range w {
					if v != 0 {
						dl[i] = dw[i] * p[i]
					}
					dl[i] -= p[i] * sum
				}
			}
		},
	})
	flops := func(k float64) func(g *Graph, op *Op, b *Batch) float64 {
		return func(g *Graph, op *Op, b *Batch) float64 {
			a := op.Attr.(*ExpertsAttr)
			return k * float64(rowsOf(g, op.In[0], b)*a.K) * float64(a.C) * float64(a.F)
		}
	}
	mixture := func(E, K, C, F int, normalize bool) func(g *Graph) Value {
		return func(g *Graph) Value {
			x := g.input(C)
			var up, gate, down []Value
			for e := range E {
				name := string(rune('a' + e))
				up, gate, down = append(up, g.Param("up."+name, F, C)), append(gate, g.Param("gate."+name, F, C)), append(down, g.Param("down."+name, C, F))
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
			for _, p := range op.In[2:] {
				in = append(in, g.gradOf(p))
			}
			dx := g.op(expertsBackward, op.Attr, in...)
			return append(dx, slices.Repeat([]Value{None}, len(op.In)-2)...)
		},
		Reference: func(c *Call) {
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
		},
		Cases: []Case{
			{"2 of 5", mixture(5, 2, 6, 7, false), tokens(2, 8)},
			{"1 of 2, normalized, two pieces of tokens", mixture(2, 1, 3, 2, true), tokens(1, 260)},
			{"all of 3, wide", mixture(3, 3, 24, 40, true), tokens(3, 4)},
		},
	})
	expertsBackward = define(&Def{
		Name: "experts.backward", Doc: "dx, dw and the gradients of the experts", FLOPs: flops(12),
		Shape: func(s *shaping) {
			a := s.op.Attr.(*ExpertsAttr)
			s.same(0, 1)
			s.rows(0, 2, 3)
			s.want(s.cols(3), a.K*2*a.F, "the columns of up and gate")
			a.shape(s, 1, 2, 4)
			a.shape(s, 1, 2, 4+3*a.E)
			s.like(1)
			s.like(2)
		},
		Bytes: func(g *Graph, op *Op, b *Batch) float64 { // their gradients are read and written
			return g.elementBytes(b, op.In[:4], op.Out) + 3*op.Attr.(*ExpertsAttr).weightBytes(rowsOf(g, op.In[0], b))
		},
		Writes: func(op *Op) []int {
			var grads []int
			for i := 4 + 3*op.Attr.(*ExpertsAttr).E; i < len(op.In); i++ {
				grads = append(grads, i)
			}
			return grads
		},
		Reference: func(c *Call) {
			a := c.Op.Attr.(*ExpertsAttr)
			dy, x, w, h, dx, dw := c.In(0), c.In(1), c.In(2), c.In(3), c.Out(0), c.Out(1)
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
							c.In(d + 2).Row(i)[j] += we * v * act
						}
						dw.Row(r)[e] += back * act
						du, dg := back*we*gate*s, back*we*u*s*(1+gate*(1-s))
						for i, v := range x.Row(r) {
							c.In(d).Row(j)[i] += du * v
							c.In(d + 1).Row(j)[i] += dg * v
							dx.Row(r)[i] += du*c.In(p).Row(j)[i] + dg*c.In(p + 1).Row(j)[i]
						}
					}
				}
			}
		},
	})
}

// Router appends the choice of experts, and returns their weights.
func (g *Graph) Router(logits Value, a RouterAttr) Value {
	weights, _ := g.RouterSoftmax(logits, a)
	return weights
}

// RouterSoftmax appends the choice of experts, and returns their weights and the softmax
// of all.
func (g *Graph) RouterSoftmax(logits Value, a RouterAttr) (weights, softmax Value) {
	out := g.op(Router, &a, logits)
	return out[0], out[1]
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
