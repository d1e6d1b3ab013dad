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
		Reference: route,
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
			{"2 of 5 with a loss over all sequences", func(g *Graph) Value {
				l := g.Linear(g.input(4), g.Param("w", 5, 4))
				w, p := g.RouterSoftmax(l, RouterAttr{K: 2})
				g.RouterLoss(l, w, p, RouterLossAttr{Pooled: true})
				return w
			}, balanced(tokens(2, 6))},
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
		Reference: routeBackward,
	})
}

// balanced gives a test case's batch factors of its 5 experts.
func balanced(b func() *Batch) func() *Batch {
	return func() *Batch {
		x := b()
		for i := range x.Segments {
			x.Balance = append(x.Balance, []float32{0.1, 0.4 * float32(i), 0, 0.7, 0.2})
		}
		return x
	}
}

// route weighs the experts, token by token.
func route(c *Call) {
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
}

// routeBackward is the gradient of a softmax, over all experts or over the chosen ones, whose other
// outputs have been set to 0.
func routeBackward(c *Call) {
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

// RouterLossAttr is the attribute of RouterLoss.
type RouterLossAttr struct {
	K              int
	Balance, ZLoss float64 // weights of the two losses
	Backward       bool    // also compute the gradient of the logits
	// Pooled says that the experts' shares, by which their probabilities count, are not those of the
	// sequence: Batch.Balance has them, and all factors. K, Balance and ZLoss have no meaning then.
	Pooled bool
}

// RouterLoss measures how evenly a router uses its experts and how large its logits are:
// In logits (N, E), weights (N, E), softmax (N, E); Out balance (N, 1), z (N, 1) and, with
// Backward, the gradient of the logits.
var RouterLoss = define(&Def{
	Name: "router_loss", Doc: "balance = E/K·Σ f·p, f the experts' shares of the sequence's tokens; z = lse²; with backward dl of scale·Σ(balance and z by their weights). Pooled: balance = Σ f·p with the batch's own f, and dl of its sum",
	Shape: func(s *shaping) {
		s.perToken(0)
		s.same(0, 1, 2)
		s.put(0, 1)
		s.put(0, 1)
		if s.op.Attr.(*RouterLossAttr).Backward {
			s.like(0)
		}
	},
	Reference: routerLoss,
})

// RouterLoss appends the losses of a router and returns them for each token; in a graph
// with Backward their gradients join the loss's.
func (g *Graph) RouterLoss(logits, weights, softmax Value, a RouterLossAttr) (balance, z Value) {
	out := g.op(RouterLoss, &a, logits, weights, softmax)
	return out[0], out[1]
}

// routerLoss computes the router's losses sequence by sequence: the shares of the experts are the
// sequence's.
func routerLoss(c *Call) {
	a := c.Op.Attr.(*RouterLossAttr)
	l, w, p := c.In(0), c.In(1), c.In(2)
	ratio, balance, zLoss := float64(l.Cols)/float64(a.K), float64(c.Batch.LossScale)*a.Balance, float64(c.Batch.LossScale)*a.ZLoss
	if a.Pooled {
		ratio, balance, zLoss = 1, 1, 0
	}
	row := 0
	for i, s := range c.Batch.Segments {
		f := make([]float64, l.Cols)
		for r := row; r < row+s.Rows; r++ {
			for e, v := range w.Row(r) {
				if v != 0 {
					f[e] += 1 / float64(s.Rows)
				}
			}
		}
		if a.Pooled {
			for e, v := range c.Batch.Balance[i] {
				f[e] = float64(v)
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
					c.Out(2).Row(row)[e] = v * (balance*ratio*(f[e]-u) + zLoss*2*lse)
				}
			}
			row++
		}
	}
}
