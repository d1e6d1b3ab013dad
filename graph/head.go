package graph

import "math"

// headRows are rows of logits as references compute them, one at a time.
type headRows struct {
	x, w, bias       *Array  // bias: nil without
	cap, temperature float32 // 0: none
	l, slope         []float64
	lse              float64
}

// at computes row r: its log-sum-exp and the cross entropy of its target, 0 without one.
func (h *headRows) at(r int, target int32) (ce, lse float64) {
	h.l, h.slope = make([]float64, h.w.Rows), make([]float64, h.w.Rows)
	m := math.Inf(-1)
	for j := range h.l {
		if h.bias != nil {
			h.l[j] = h.bias.Data[j]
		}
		for i, v := range h.x.Row(r) {
			h.l[j] += v * h.w.Row(j)[i]
		}
		h.l[j], h.slope[j] = softcap(h.l[j], h.cap)
		if h.temperature > 0 {
			h.l[j] /= float64(h.temperature)
			h.slope[j] /= float64(h.temperature)
		}
		m = max(m, h.l[j])
	}
	var sum float64
	for _, v := range h.l {
		sum += math.Exp(v - m)
	}
	h.lse = m + math.Log(sum)
	if target < 0 {
		return 0, 0
	}
	return h.lse - h.l[target], h.lse
}

// differentiate gives the gradients of dlse·lse − dl·l[target] of row r, which at has computed: dx
// is set, dw and db are added to unless nil.
func (h *headRows) differentiate(r int, target int32, dlse, dl float64, dx, dw, db *Array) {
	for j := range h.l {
		d := math.Exp(h.l[j]-h.lse) * dlse
		if j == int(target) {
			d -= dl
		}
		d *= h.slope[j]
		if db != nil {
			db.Data[j] += d
		}
		for i, v := range h.x.Row(r) {
			if dw != nil {
				dw.Row(j)[i] += d * v
			}
			dx.Row(r)[i] += d * h.w.Row(j)[i]
		}
	}
}

// HeadLossAttr is the attribute of the head's loss.
type HeadLossAttr struct {
	ZMul     float32 // factor of the squared log of the sum of exponentials
	Cap      float32 // logits become Cap·tanh(l/Cap); 0: they stay
	Bias     bool    // a vector is added to the logits
	Backward bool    // also compute the gradients of x and W
}

// params counts the parameters: W and, with a bias, b.
func (a *HeadLossAttr) params() int {
	if a.Bias {
		return 2
	}
	return 1
}

// HeadLoss is the language-model head with cross entropy: In x (N, C), W (V, C), with
// Bias b (V), and with Backward dW and db; Out cross entropy (N, 1), lse (N, 1) and,
// with Backward, dx.
var HeadLoss *Def

func init() {
	HeadLoss = define(&Def{
		Name: "head_loss", Doc: "ce = lse(x·Wᵀ) − logit of the target; with backward also dx and dW += of scale·Σ(ce + zmul·lse²)",
		Shape: func(s *shaping) {
			a := s.op.Attr.(*HeadLossAttr)
			s.perToken(0)
			s.want(s.cols(0), s.cols(1), "the columns of x")
			V := s.height(1)
			if a.Bias {
				s.in(2)
				s.vector(2, V)
			}
			s.put(0, 1)
			s.put(0, 1)
			if a.Backward {
				dw := a.params() + 1
				s.optionalTable(dw, V, s.cols(1))
				s.vector(dw+1, V)
				s.like(0)
			}
		},
		Writes: func(op *Op) []int {
			if a := op.Attr.(*HeadLossAttr); a.Backward {
				return []int{a.params() + 1, a.params() + 2}
			}
			return nil
		},
		FLOPs: func(g *Graph, op *Op, b *Batch) float64 {
			f := productFLOPs(0, 1)(g, op, b)
			switch a := op.Attr.(*HeadLossAttr); {
			case !a.Backward:
				return f
			case op.In[a.params()+1] == None:
				return 2 * f
			}
			return 3 * f
		},
		Reference: func(c *Call) {
			a := c.Op.Attr.(*HeadLossAttr)
			h := &headRows{x: c.In(0), w: c.In(1), cap: a.Cap}
			if a.Bias {
				h.bias = c.In(2)
			}
			at := a.params() + 1 // of dW
			for r := range h.x.Rows {
				ce, lse := h.at(r, c.Batch.Targets[r])
				c.Out(0).Row(r)[0], c.Out(1).Row(r)[0] = ce, lse
				if a.Backward && c.Batch.Targets[r] >= 0 {
					scale := float64(c.Batch.Scale(r))
					dw, db := c.In(at), (*Array)(nil)
					if a.Bias {
						db = c.In(at + 1)
					}
					h.differentiate(r, c.Batch.Targets[r], scale*(1+2*float64(a.ZMul)*lse), scale, c.Out(2), dw, db)
				}
			}
		},
		Cases: []Case{
			{"forward alone", func(g *Graph) Value {
				ce, lse := g.HeadLoss(g.input(6), g.Param("w", 12, 6), 0.01)
				return g.Concat(ce, lse)
			}, tokens(2, 5)},
			{"capped", func(g *Graph) Value {
				ce, _ := g.CappedHeadLoss(g.input(6), g.Param("w", 12, 6), 1.5, 0.01)
				g.Backward()
				return ce
			}, tokens(2, 5)},
			{"with a bias", func(g *Graph) Value {
				ce, _ := g.BiasedHeadLoss(g.input(6), g.Param("w", 12, 6), g.Param("b", 12), 0.01)
				g.Backward()
				return ce
			}, tokens(2, 5)},
			{"of a frozen matrix", func(g *Graph) Value {
				w := g.Param("w", 12, 6)
				g.Freeze(w)
				ce, _ := g.HeadLoss(g.input(6), w, 0.01)
				g.Backward()
				return ce
			}, tokens(2, 5)},
			{"a factor for each token", func(g *Graph) Value {
				ce, _ := g.HeadLoss(g.input(6), g.Param("w", 12, 6), 0.01)
				g.Backward()
				return ce
			}, func() *Batch {
				b := tokens(2, 3)()
				b.LossScales = []float32{0.5, 0, 2, -1, 0.25, 1}
				return b
			}},
		},
	})
}

// HeadLoss appends the head's loss and returns cross entropy and lse of each token, 0
// without a target.
func (g *Graph) HeadLoss(x, w Value, zmul float32) (ce, lse Value) {
	return g.headLoss(HeadLossAttr{ZMul: zmul}, x, w)
}

// CappedHeadLoss is HeadLoss of the logits limit·tanh(l/limit).
func (g *Graph) CappedHeadLoss(x, w Value, limit, zmul float32) (ce, lse Value) {
	return g.headLoss(HeadLossAttr{ZMul: zmul, Cap: limit}, x, w)
}

// BiasedHeadLoss is HeadLoss with a vector that is added to the logits.
func (g *Graph) BiasedHeadLoss(x, w, b Value, zmul float32) (ce, lse Value) {
	return g.headLoss(HeadLossAttr{ZMul: zmul, Bias: true}, x, w, b)
}

func (g *Graph) headLoss(a HeadLossAttr, in ...Value) (ce, lse Value) {
	out := g.op(HeadLoss, &a, in...)
	return out[0], out[1]
}

// HeadAttr is the attribute of the head whose loss is computed elsewhere.
type HeadAttr struct {
	Cap         float32 // logits become Cap·tanh(l/Cap); 0: they stay
	Temperature float32 // which divides the logits, after the cap; 0: they stay
}

// Head is the language-model head with each token's cross entropy, for losses that are no sum of
// these: In x (N, C), W (V, C) and the bias b (V) or None; Out cross entropy (N, 1), which is
// minus the target's log-probability at the temperature, and lse (N, 1). Its gradient is given
// for each token's cross entropy, and computes the logits again.
var Head, headBackward *Def

func init() {
	Head = define(&Def{
		Name: "head", Doc: "ce = lse(l) − l of the target, l = x·Wᵀ / temperature", FLOPs: productFLOPs(0, 1),
		Shape: func(s *shaping) {
			s.perToken(0)
			s.want(s.cols(0), s.cols(1), "the columns of x")
			s.vector(2, s.height(1))
			s.put(0, 1)
			s.put(0, 1)
		},
		Gradient: func(g *Graph, op *Op, d []Value) []Value {
			if d[1] != None {
				panic("graph: head: lse has no gradient")
			}
			dx := g.op(headBackward, op.Attr, d[0], op.In[0], op.In[1], op.In[2], g.gradOf(op.In[1]), g.gradOf(op.In[2]))[0]
			return []Value{dx, None, None}
		},
		Reference: func(c *Call) {
			a := c.Op.Attr.(*HeadAttr)
			h := &headRows{x: c.In(0), w: c.In(1), bias: c.In(2), cap: a.Cap, temperature: a.Temperature}
			for r, t := range c.Batch.Targets {
				c.Out(0).Row(r)[0], c.Out(1).Row(r)[0] = h.at(r, t)
			}
		},
		Cases: []Case{
			headCase("plain", HeadAttr{}, false),
			headCase("with a bias, at 0.7", HeadAttr{Temperature: 0.7}, true),
			headCase("capped, at 1.3", HeadAttr{Cap: 1.5, Temperature: 1.3}, false),
		},
	})
	headBackward = define(&Def{
		Name: "head.backward", Doc: "dx, dW and db of head, from dce of each token",
		FLOPs: func(g *Graph, op *Op, b *Batch) float64 {
			products := 3. // the logits, dx and dW
			if op.In[4] == None {
				products = 2
			}
			return products * productFLOPs(1, 2)(g, op, b)
		},
		Shape: func(s *shaping) {
			s.perToken(1)
			s.rows(1, 0)
			s.want(s.cols(0), 1, "the columns of dce")
			s.want(s.cols(1), s.cols(2), "the columns of x")
			V := s.height(2)
			s.vector(3, V)
			s.optionalTable(4, V, s.cols(2))
			s.vector(5, V)
			s.like(1)
		},
		Writes: writes(4, 5),
		Reference: func(c *Call) {
			a := c.Op.Attr.(*HeadAttr)
			h := &headRows{x: c.In(1), w: c.In(2), bias: c.In(3), cap: a.Cap, temperature: a.Temperature}
			for r, t := range c.Batch.Targets {
				if t >= 0 {
					d := c.In(0).Row(r)[0]
					h.at(r, t)
					h.differentiate(r, t, d, d, c.Out(0), c.In(4), c.In(5))
				}
			}
		},
	})
}

// headCase makes a test case of the head, with some tokens that have no target.
func headCase(name string, a HeadAttr, bias bool) Case {
	return Case{name, func(g *Graph) Value {
		b := None
		if bias {
			b = g.Param("b", 12)
		}
		ce, _ := g.Head(g.input(6), g.Param("w", 12, 6), b, a)
		return ce
	}, func() *Batch {
		b := tokens(2, 5)()
		b.Targets = []int32{0, 3, -1, 11, 4, 4, -1, 7, 2, 9}
		return b
	}}
}

// Head appends the head and returns cross entropy and lse of each token, 0 without a
// target. A gradient of lse is not built. A temperature of 1 changes nothing.
func (g *Graph) Head(x, w, bias Value, a HeadAttr) (ce, lse Value) {
	if a.Temperature == 1 {
		a.Temperature = 0 // a division less
	}
	out := g.op(Head, &a, x, w, bias)
	return out[0], out[1]
}

// Seed is where a loss of the caller's own enters the backward pass: In y (N, 1); Out its
// derivative by each of them, as Batch.Seed computes it from all of y.
var Seed *Def

func init() {
	Seed = define(&Def{
		Name: "seed", Doc: "dy = ∂loss/∂y by the batch's own function of all y",
		Shape: func(s *shaping) {
			s.perToken(0)
			s.want(s.cols(0), 1, "the columns of y")
			s.like(0)
		},
		Reference: func(c *Call) {
			y, dy := make([]float32, c.In(0).Rows), make([]float32, c.In(0).Rows)
			for i, v := range c.In(0).Data {
				y[i] = float32(v)
			}
			c.Batch.Seed(y, dy)
			for i, v := range dy {
				c.Out(0).Data[i] = float64(v)
			}
		},
		Cases: []Case{seedCase("the square of a sum", false), seedCase("of a frozen head", true)},
	})
}

// seedCase makes a test case of a loss of its own: the square of the sum of cross entropies.
func seedCase(name string, frozen bool) Case {
	return Case{name, func(g *Graph) Value {
		w := g.Param("w", 12, 6)
		if frozen {
			g.Freeze(w)
		}
		ce, _ := g.Head(g.input(6), w, None, HeadAttr{})
		g.BackwardSeeded(ce)
		return ce
	}, func() *Batch {
		b := tokens(2, 5)()
		b.Seed = func(y, dy []float32) {
			var sum float32
			for _, v := range y {
				sum += v
			}
			for i := range dy {
				dy[i] = 2 * sum
			}
		}
		return b
	}}
}
