package graph

import "math"

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
				s.table(dw, V, s.cols(1))
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
			if op.Attr.(*HeadLossAttr).Backward {
				f *= 3
			}
			return f
		},
		Reference: func(c *Call) {
			a := c.Op.Attr.(*HeadLossAttr)
			x, w := c.In(0), c.In(1)
			at := a.params() + 1 // of dW
			scale, z := float64(c.Batch.LossScale), float64(a.ZMul)
			l, slope := make([]float64, w.Rows), make([]float64, w.Rows)
			for r := range x.Rows {
				m := math.Inf(-1)
				for j := range l {
					l[j] = 0
					if a.Bias {
						l[j] = c.In(2).Data[j]
					}
					for i, v := range x.Row(r) {
						l[j] += v * w.Row(j)[i]
					}
					l[j], slope[j] = softcap(l[j], a.Cap)
					m = max(m, l[j])
				}
				var sum float64
				for _, v := range l {
					sum += math.Exp(v - m)
				}
				lse := m + math.Log(sum)
				c.Out(1).Row(r)[0] = lse
				t := c.Batch.Targets[r]
				if t < 0 {
					continue
				}
				c.Out(0).Row(r)[0] = lse - l[t]
				if !a.Backward {
					continue
				}
				for j := range l {
					d := math.Exp(l[j]-lse) * scale * (1 + 2*z*lse)
					if j == int(t) {
						d -= scale
					}
					d *= slope[j]
					if a.Bias {
						c.In(at + 1).Data[j] += d
					}
					for i, v := range x.Row(r) {
						c.In(at).Row(j)[i] += d * v
						c.Out(2).Row(r)[i] += d * w.Row(j)[i]
					}
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
		},
	})
}

// HeadLoss appends the head's loss and returns cross entropy and lse of each token.
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
