package graph

import "math"

// HeadLossAttr is the attribute of the head's loss.
type HeadLossAttr struct {
	ZMul     float32 // factor of the squared log of the sum of exponentials
	Bias     bool    // a vector is added to the logits
	Backward bool    // also compute the gradients of x and W
}

// HeadLoss is the language-model head with cross entropy: In x (N, C), W (V, C), with
// Bias b (V), and with Backward dW and db; Out cross entropy (N, 1), lse (N, 1) and,
// with Backward, dx.
var HeadLoss = define(&Def{
	Name: "head_loss", Doc: "ce = lse(x·Wᵀ) − logit of the target; with backward also dx and dW += of scale·Σ(ce + zmul·lse²)",
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
		at := 2 // of dW
		if a.Bias {
			at = 3
		}
		scale, z := float64(c.Batch.LossScale), float64(a.ZMul)
		l := make([]float64, w.Rows)
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
})

// HeadLoss appends the head's loss and returns cross entropy and lse of each token.
func (g *Graph) HeadLoss(x, w Value, zmul float32) (ce, lse Value) {
	return g.headLoss(HeadLossAttr{ZMul: zmul}, x, w)
}

// BiasedHeadLoss is HeadLoss with a vector that is added to the logits.
func (g *Graph) BiasedHeadLoss(x, w, b Value, zmul float32) (ce, lse Value) {
	return g.headLoss(HeadLossAttr{ZMul: zmul, Bias: true}, x, w, b)
}

func (g *Graph) headLoss(a HeadLossAttr, in ...Value) (ce, lse Value) {
	r := g.Info(in[0]).Rows
	out := g.op(HeadLoss, &a, in, g.activation(r, 1), g.activation(r, 1))
	return out[0], out[1]
}
