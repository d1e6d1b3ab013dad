package graph

import "math"

// Zero clears a gradient. In: the gradient.
var Zero = define(&Def{
	Name: "zero", Doc: "g = 0",
	Reference: func(c *Call) { clear(c.In(0).Data) },
})

// Zero appends the clearing of a gradient.
func (g *Graph) Zero(v Value) { g.op(Zero, nil, []Value{v}) }

// Accumulate adds the gradient of a parameter's second use. In: total, part.
var Accumulate = define(&Def{
	Name: "accumulate", Doc: "a += b",
	Reference: func(c *Call) {
		for i, v := range c.In(1).Data {
			c.In(0).Data[i] += v
		}
	},
})

// Accumulate appends a += b for gradients.
func (g *Graph) Accumulate(a, b Value) { g.op(Accumulate, nil, []Value{a, b}) }

// AdamWAttr is the attribute of AdamW.
type AdamWAttr struct {
	Group                     int // of Update.LR
	WeightDecay, Beta1, Beta2 float64
	Eps                       float64
	Selective                 bool // elements without a gradient stay as they are
}

// AdamW updates a parameter. In: p, gradient, m, v.
var AdamW = define(&Def{
	Name: "adamw", Doc: "one step of AdamW on p, m, v",
	Reference: func(c *Call) {
		a, u := c.Op.Attr.(*AdamWAttr), c.Batch.Update
		p, g, m, v := c.In(0).Data, c.In(1).Data, c.In(2).Data, c.In(3).Data
		lr, t := u.LR[a.Group], float64(u.Step)
		for i := range p {
			d := g[i] * u.Clip
			if a.Selective && d == 0 {
				continue
			}
			p[i] *= 1 - lr*a.WeightDecay
			m[i] = m[i]*a.Beta1 + d*(1-a.Beta1)
			v[i] = v[i]*a.Beta2 + d*d*(1-a.Beta2)
			p[i] -= lr / (1 - math.Pow(a.Beta1, t)) * m[i] / (math.Sqrt(v[i])/math.Sqrt(1-math.Pow(a.Beta2, t)) + a.Eps)
		}
	},
})

// AdamW appends an update of p.
func (g *Graph) AdamW(p, grad, m, v Value, a AdamWAttr) { g.op(AdamW, &a, []Value{p, grad, m, v}) }

// LionAttr is the attribute of Lion.
type LionAttr struct {
	Group                     int // of Update.LR
	WeightDecay, Beta1, Beta2 float64
	Selective                 bool // elements without a gradient stay as they are
}

// Lion updates a parameter. In: p, gradient, momentum.
var Lion = define(&Def{
	Name: "lion", Doc: "one step of LionW on p and its momentum",
	Reference: func(c *Call) {
		a, u := c.Op.Attr.(*LionAttr), c.Batch.Update
		p, g, m := c.In(0).Data, c.In(1).Data, c.In(2).Data
		lr := u.LR[a.Group]
		for i := range p {
			d := g[i] * u.Clip
			if a.Selective && d == 0 {
				continue
			}
			p[i] *= 1 - lr*a.WeightDecay
			switch v := m[i]*a.Beta1 + d*(1-a.Beta1); {
			case v > 0:
				p[i] -= lr
			case v < 0:
				p[i] += lr
			}
			m[i] = m[i]*a.Beta2 + d*(1-a.Beta2)
		}
	},
})

// Lion appends an update of p.
func (g *Graph) Lion(p, grad, m Value, a LionAttr) { g.op(Lion, &a, []Value{p, grad, m}) }

// ClipAttr is the attribute of Clip.
type ClipAttr struct{ Index int } // of Update.Clips

// Clip scales one gradient, for clipping by parameter. In: the gradient.
var Clip = define(&Def{
	Name: "clip_gradient", Doc: "g = g·k, each gradient with its own k",
	Reference: func(c *Call) {
		k := c.Batch.Update.Clips[c.Op.Attr.(*ClipAttr).Index]
		for i := range c.In(0).Data {
			c.In(0).Data[i] *= k
		}
	},
})

// Clip appends the scaling of a gradient by number index of Update.Clips.
func (g *Graph) Clip(grad Value, index int) { g.op(Clip, &ClipAttr{index}, []Value{grad}) }

// MuonAttr is the attribute of Muon.
type MuonAttr struct {
	Group                 int
	WeightDecay, Momentum float64
	Blocks                int // equal blocks of rows, each made orthogonal by itself
}

// Muon updates a matrix. In: p, gradient (overwritten), momentum.
var Muon = define(&Def{
	Name: "muon", Doc: "one step of Muon on p and its momentum",
	FLOPs: func(g *Graph, op *Op, _ *Batch) float64 {
		s, n := g.Info(op.In[0]).Shape, op.Attr.(*MuonAttr).Blocks
		r, c := float64(s[0]/n), float64(s[1])
		if r > c {
			r, c = c, r
		}
		return float64(n) * 5 * (4*r*r*c + 2*r*r*r)
	},
	Reference: func(c *Call) {
		a, u := c.Op.Attr.(*MuonAttr), c.Batch.Update
		p, g, m := c.In(0), c.In(1), c.In(2)
		for i := range g.Data {
			d := g.Data[i] * u.Clip
			m.Data[i] = m.Data[i]*a.Momentum + d
			g.Data[i] = m.Data[i]*a.Momentum + d
		}
		lr, rows := u.LR[a.Group], p.Rows/a.Blocks
		rate := lr * 0.2 * math.Sqrt(float64(max(rows, p.Cols)))
		for b := range a.Blocks {
			lo, hi := b*rows*p.Cols, (b+1)*rows*p.Cols
			o := newtonSchulz(&Array{rows, p.Cols, g.Data[lo:hi]})
			for i := range o.Data {
				p.Data[lo+i] = p.Data[lo+i]*(1-lr*a.WeightDecay) - rate*o.Data[i]
			}
			copy(g.Data[lo:hi], o.Data)
		}
	},
	Tolerance: 1e-4,
})

func newtonSchulz(x *Array) *Array {
	var norm float64
	for _, v := range x.Data {
		norm += v * v
	}
	y := &Array{x.Rows, x.Cols, make([]float64, len(x.Data))}
	for i, v := range x.Data {
		y.Data[i] = v / (math.Sqrt(norm) + 1e-7)
	}
	if x.Rows > x.Cols {
		return transposed(newtonSchulzWide(transposed(y)))
	}
	return newtonSchulzWide(y)
}

func newtonSchulzWide(y *Array) *Array {
	m := y.Rows
	square := func() *Array { return &Array{m, m, make([]float64, m*m)} }
	for range 5 {
		a, a2, z := square(), square(), &Array{m, y.Cols, make([]float64, len(y.Data))}
		multiply(a, y, y, true)
		multiply(a2, a, a, false)
		for i := range a.Data {
			a.Data[i] = -4.7750*a.Data[i] + 2.0315*a2.Data[i]
		}
		multiply(z, a, y, false)
		for i := range z.Data {
			z.Data[i] += 3.4445 * y.Data[i]
		}
		y = z
	}
	return y
}

func transposed(x *Array) *Array {
	y := &Array{x.Cols, x.Rows, make([]float64, len(x.Data))}
	for r := range x.Rows {
		for c, v := range x.Row(r) {
			y.Row(c)[r] = v
		}
	}
	return y
}

// Muon appends an update of the matrix p.
func (g *Graph) Muon(p, grad, momentum Value, a MuonAttr) {
	if g.Info(p).Shape[0]%a.Blocks != 0 {
		panic("graph: muon: blocks do not divide the rows")
	}
	g.op(Muon, &a, []Value{p, grad, momentum})
}
