package graph

import "math"

// Zero clears a gradient. In: the gradient.
var Zero *Def

func init() {
	Zero = define(&Def{
		Name: "zero", Doc: "g = 0",
		Shape:     func(s *shaping) { s.height(0) },
		Bytes:     func(g *Graph, op *Op, b *Batch) float64 { return g.elementBytes(b, op.In) }, // only written
		Writes:    writes(0),
		Reference: func(c *Call) { clear(c.In(0).Data) },
		Cases:     []Case{updates("5×9", 5, 9, func(g *Graph, _, grad Value) { g.Zero(grad) })},
	})
}

// Zero appends the clearing of a gradient.
func (g *Graph) Zero(v Value) { g.op(Zero, nil, v) }

// Accumulate adds the gradient of a parameter's second use. In: total, part.
var Accumulate *Def

func init() {
	Accumulate = define(&Def{
		Name: "accumulate", Doc: "a += b",
		Shape:  func(s *shaping) { s.same(0, 1) },
		Writes: writes(0),
		Reference: func(c *Call) {
			for i, v := range c.In(1).Data {
				c.In(0).Data[i] += v
			}
		},
		Cases: []Case{updates("5×9", 5, 9, func(g *Graph, _, grad Value) { g.Accumulate(grad, g.GradNamed("grad/p#2", 5, 9)) })},
	})
}

// Accumulate appends a += b for gradients.
func (g *Graph) Accumulate(a, b Value) { g.op(Accumulate, nil, a, b) }

// Settle ends the sum of a gradient under amp_bf16_tile. In: the gradient.
var Settle *Def

func init() {
	Settle = define(&Def{
		Name: "settle", Doc: "g = g + (+0), so that no zero is negative",
		Shape:  func(s *shaping) { s.height(0) },
		Writes: writes(0),
		Reference: func(c *Call) {
			for i := range c.In(0).Data {
				c.In(0).Data[i] += 0
			}
		},
		Cases: []Case{updates("5×9", 5, 9, func(g *Graph, _, grad Value) { g.Settle(grad) })},
	})
}

// Settle appends g += +0 for a gradient.
func (g *Graph) Settle(v Value) { g.op(Settle, nil, v) }

// AdamWAttr is the attribute of AdamW.
type AdamWAttr struct {
	Group                     int // of Update.LR
	WeightDecay, Beta1, Beta2 float64
	Eps                       float64
	Selective                 bool // elements without a gradient stay as they are
}

// AdamW updates a parameter. In: p, gradient, m, v.
var AdamW *Def

func init() {
	AdamW = define(&Def{
		Name: "adamw", Doc: "one step of AdamW on p, m, v",
		Shape:  func(s *shaping) { s.same(0, 1, 2, 3) },
		Writes: writes(0, 2, 3),
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
		Cases: []Case{
			updates("5×9", 5, 9, func(g *Graph, p, grad Value) {
				g.AdamW(p, grad, g.State("m", 5, 9), g.State("v", 5, 9), AdamWAttr{WeightDecay: 0.1, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8})
			}),
			updates("selective", 2, 30, func(g *Graph, p, grad Value) {
				g.AdamW(p, grad, g.State("m", 2, 30), g.State("v", 2, 30), AdamWAttr{WeightDecay: 0.1, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Selective: true})
			}),
		},
	})
}

// AdamW appends an update of p.
func (g *Graph) AdamW(p, grad, m, v Value, a AdamWAttr) { g.op(AdamW, &a, p, grad, m, v) }

// LionAttr is the attribute of Lion.
type LionAttr struct {
	Group                     int // of Update.LR
	WeightDecay, Beta1, Beta2 float64
	Selective                 bool // elements without a gradient stay as they are
}

// Lion updates a parameter. In: p, gradient, momentum.
var Lion *Def

func init() {
	Lion = define(&Def{
		Name: "lion", Doc: "one step of LionW on p and its momentum",
		Shape:  func(s *shaping) { s.same(0, 1, 2) },
		Writes: writes(0, 2),
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
		Cases: []Case{updates("3×5", 3, 5, func(g *Graph, p, grad Value) {
			g.Lion(p, grad, g.State("m", 3, 5), LionAttr{WeightDecay: 0.1, Beta1: 0.9, Beta2: 0.99})
		})},
	})
}

// Lion appends an update of p.
func (g *Graph) Lion(p, grad, m Value, a LionAttr) { g.op(Lion, &a, p, grad, m) }

// ClipAttr is the attribute of Clip.
type ClipAttr struct{ Index int } // of Update.Clips

// Clip scales one gradient, for clipping by parameter. In: the gradient.
var Clip *Def

func init() {
	Clip = define(&Def{
		Name: "clip_gradient", Doc: "g = g·k, each gradient with its own k",
		Shape:  func(s *shaping) { s.height(0) },
		Writes: writes(0),
		Reference: func(c *Call) {
			k := c.Batch.Update.Clips[c.Op.Attr.(*ClipAttr).Index]
			for i := range c.In(0).Data {
				c.In(0).Data[i] *= k
			}
		},
		Cases: []Case{updates("by 0.25", 5, 9, func(g *Graph, _, grad Value) { g.Clip(grad, 1) })},
	})
}

// Clip appends the scaling of a gradient by number index of Update.Clips.
func (g *Graph) Clip(grad Value, index int) { g.op(Clip, &ClipAttr{index}, grad) }

// AdjustLR says how the size of an orthogonal update goes with the shape of the matrix.
type AdjustLR string

// The sizes: that of AdamW's updates (0.2·sqrt(max(rows, columns)), Liu et al. 2025), an RMS
// operator norm of 1 (sqrt(rows/columns)), or the learning rate alone.
const (
	AdamWSize    AdjustLR = "rms_norm"
	SpectralNorm AdjustLR = "spectral_norm"
	NoAdjustment AdjustLR = "none"
)

// Factor returns what the learning rate is multiplied by for a matrix of rows×cols.
func (a AdjustLR) Factor(rows, cols int) float64 {
	switch a {
	case SpectralNorm:
		return math.Sqrt(float64(rows) / float64(cols))
	case NoAdjustment:
		return 1
	}
	return 0.2 * math.Sqrt(float64(max(rows, cols)))
}

// MuonAttr is the attribute of Muon.
type MuonAttr struct {
	Group                 int
	WeightDecay, Momentum float64
	Blocks                int  // equal blocks of rows, each made orthogonal by itself
	Heavy                 bool // plain momentum, not Nesterov's
	Adjust                AdjustLR
	Cautious              bool    // only weights that the update makes smaller decay
	Beta2                 float64 // of NorMuon, 0 without
}

// Muon updates a matrix. In: p, gradient (overwritten), momentum, and NorMuon's average of
// each row.
var Muon *Def

func init() {
	Muon = define(&Def{
		Name: "muon", Doc: "one step of Muon or NorMuon on p and its momentum",
		Shape: func(s *shaping) {
			s.same(0, 1, 2)
			if n := s.op.Attr.(*MuonAttr).Blocks; s.height(0)%n != 0 {
				s.fail("%d blocks do not divide the rows", n)
			}
			if s.has(3) {
				s.table(3, s.height(0), 1)
			}
		},
		Writes: writes(0, 1, 2, 3),
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
				if g.Data[i] = m.Data[i]; !a.Heavy {
					g.Data[i] = m.Data[i]*a.Momentum + d
				}
			}
			lr, rows := u.LR[a.Group], p.Rows/a.Blocks
			rate := lr * a.Adjust.Factor(rows, p.Cols)
			for b := range a.Blocks {
				lo, hi := b*rows*p.Cols, (b+1)*rows*p.Cols
				o := &Array{rows, p.Cols, g.Data[lo:hi]}
				if a.Beta2 == 0 {
					o = orthogonal(o, 1, 1e-7, [3]float64{3.4445, -4.7750, 2.0315})
				} else {
					o = orthogonal(o, 1.02, 1e-8, polarExpress[:]...)
					normalizeRows(o, c.In(3).Data[b*rows:(b+1)*rows], a.Beta2)
				}
				for i, v := range o.Data {
					if !a.Cautious || p.Data[lo+i]*v >= 0 {
						p.Data[lo+i] *= 1 - lr*a.WeightDecay
					}
					p.Data[lo+i] -= rate * v
				}
				copy(g.Data[lo:hi], o.Data)
			}
		},
		Tolerance: 1e-4,
		Cases: []Case{
			updates("3 blocks", 12, 7, func(g *Graph, p, grad Value) {
				g.Muon(p, grad, g.State("b", 12, 7), None, MuonAttr{Group: 1, WeightDecay: 0.1, Momentum: 0.95, Blocks: 3, Adjust: AdamWSize})
			}),
			updates("NorMuon, cautious, 2 blocks", 14, 6, func(g *Graph, p, grad Value) {
				g.Muon(p, grad, g.State("b", 14, 6), g.State("v", 14, 1), MuonAttr{Group: 1, WeightDecay: 0.1, Momentum: 0.9, Blocks: 2, Heavy: true, Adjust: SpectralNorm, Cautious: true, Beta2: 0.95})
			}),
		},
	})
}

// polarExpress are the polynomials of Amsel et al. 2025, in the dion package's version.
var polarExpress = [5][3]float64{
	{8.156554524902461, -22.48329292557795, 15.878769915207462},
	{4.042929935166739, -2.808917465908714, 0.5000178451051316},
	{3.8916678022926607, -2.772484153217685, 0.5060648178503393},
	{3.285753657755655, -2.3681294933425376, 0.46449024233003106},
	{2.3465413258596377, -1.7097828382687081, 0.42323551169305323},
}

// normalizeRows divides rows by the root of the running average of their mean square and
// gives the whole its old norm back.
func normalizeRows(x *Array, v []float64, beta2 float64) {
	var before, after float64
	for r := range x.Rows {
		var sum float64
		for _, u := range x.Row(r) {
			sum += u * u
		}
		before += sum
		v[r] = v[r]*beta2 + sum/float64(x.Cols)*(1-beta2)
		for i := range x.Row(r) {
			x.Row(r)[i] /= math.Sqrt(v[r]) + 1e-8
			after += x.Row(r)[i] * x.Row(r)[i]
		}
	}
	for i := range x.Data {
		x.Data[i] *= math.Sqrt(before) / max(math.Sqrt(after), 1e-8)
	}
}

// orthogonal makes the singular values of x about one, by five polynomials or one five
// times.
func orthogonal(x *Array, safety, eps float64, k ...[3]float64) *Array {
	var norm float64
	for _, v := range x.Data {
		norm += v * v
	}
	y := &Array{x.Rows, x.Cols, make([]float64, len(x.Data))}
	for i, v := range x.Data {
		y.Data[i] = v / (math.Sqrt(norm)*safety + eps)
	}
	if x.Rows > x.Cols {
		return transposed(orthogonalWide(transposed(y), k))
	}
	return orthogonalWide(y, k)
}

func orthogonalWide(y *Array, k [][3]float64) *Array {
	m := y.Rows
	square := func() *Array { return &Array{m, m, make([]float64, m*m)} }
	for step := range 5 {
		k := k[min(step, len(k)-1)]
		a, a2, z := square(), square(), &Array{m, y.Cols, make([]float64, len(y.Data))}
		multiply(a, y, y, true)
		multiply(a2, a, a, false)
		for i := range a.Data {
			a.Data[i] = k[1]*a.Data[i] + k[2]*a2.Data[i]
		}
		multiply(z, a, y, false)
		for i := range z.Data {
			z.Data[i] += k[0] * y.Data[i]
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

// Muon appends an update of the matrix p; averages, one for each row, make it NorMuon.
func (g *Graph) Muon(p, grad, momentum, averages Value, a MuonAttr) {
	in := []Value{p, grad, momentum}
	if averages != None {
		in = append(in, averages)
	}
	g.op(Muon, &a, in...)
}

// DionAttr is the attribute of Dion.
type DionAttr struct {
	Group                 int
	WeightDecay, Momentum float64
	Blocks                int // equal blocks of rows, each a matrix by itself
	Rank                  int // of an update of a block
}

// Dion updates a matrix. In: p, gradient, momentum, and the directions of the step before
// (Blocks·Rank, min(rows, columns) of a block).
var Dion *Def

func init() {
	Dion = define(&Def{
		Name: "dion", Doc: "one step of Dion on p, its momentum and its directions",
		Shape: func(s *shaping) {
			a := s.op.Attr.(*DionAttr)
			s.same(0, 1, 2)
			if s.height(0)%a.Blocks != 0 {
				s.fail("%d blocks do not divide the rows", a.Blocks)
			}
			s.table(3, a.Blocks*a.Rank, min(s.height(0)/a.Blocks, s.cols(0)))
		},
		Writes: writes(0, 2, 3),
		FLOPs: func(g *Graph, op *Op, _ *Batch) float64 {
			a := op.Attr.(*DionAttr)
			r, n := float64(a.Rank), float64(g.Info(op.In[0]).Size(1))
			return 8*r*n + 4*r*r*n/float64(min(g.Info(op.In[0]).Shape[0]/a.Blocks, g.Info(op.In[0]).Shape[1]))
		},
		Reference: func(c *Call) {
			a, u := c.Op.Attr.(*DionAttr), c.Batch.Update
			p, g, m, q := c.In(0), c.In(1), c.In(2), c.In(3)
			for i, d := range g.Data {
				m.Data[i] += d * u.Clip
			}
			rows, lr := p.Rows/a.Blocks, u.LR[a.Group]
			for b := range a.Blocks {
				lo, hi := b*rows*p.Cols, (b+1)*rows*p.Cols
				part, dirs := &Array{rows, p.Cols, m.Data[lo:hi]}, &Array{a.Rank, q.Cols, q.Data[b*a.Rank*q.Cols : (b+1)*a.Rank*q.Cols]}
				tall := part
				if rows < p.Cols {
					tall = transposed(part)
				}
				left := &Array{a.Rank, tall.Rows, make([]float64, a.Rank*tall.Rows)}
				multiply(left, dirs, tall, true)
				orthonormalRows(left)
				right := &Array{a.Rank, tall.Cols, make([]float64, a.Rank*tall.Cols)}
				multiply(right, left, tall, false)
				outer := func(k *Array) *Array {
					t := &Array{tall.Rows, tall.Cols, make([]float64, len(tall.Data))}
					multiply(t, transposed(left), k, false)
					if rows < p.Cols {
						return transposed(t)
					}
					return t
				}
				for i, v := range outer(right).Data {
					part.Data[i] -= (1 - a.Momentum) * v
				}
				for j := range a.Rank {
					var norm float64
					for _, v := range right.Row(j) {
						norm += v * v
					}
					if norm > 0 {
						for i, v := range right.Row(j) {
							dirs.Row(j)[i] = v / (math.Sqrt(norm) + 1e-8)
						}
					}
				}
				rate := lr * math.Sqrt(float64(rows)/float64(p.Cols))
				for i, v := range outer(dirs).Data {
					p.Data[lo+i] = p.Data[lo+i]*(1-lr*a.WeightDecay) - rate*v
				}
			}
		},
		Tolerance: 1e-4,
		Cases:     []Case{dionCase("wide", 6, 11), dionCase("tall", 16, 5)},
	})
}

func dionCase(name string, rows, cols int) Case {
	return updates(name, rows, cols, func(g *Graph, p, grad Value) {
		q := g.State("q", 2*3, min(rows/2, cols))
		g.Dion(p, grad, g.State("b", rows, cols), q, DionAttr{Group: 1, WeightDecay: 0.1, Momentum: 0.95, Blocks: 2, Rank: 3})
	})
}

// orthonormalRows is Gram's and Schmidt's method, twice.
func orthonormalRows(x *Array) {
	dot := func(a, b []float64) (s float64) {
		for i := range a {
			s += a[i] * b[i]
		}
		return s
	}
	for j := range x.Rows {
		row := x.Row(j)
		for range 2 {
			for i := range j {
				c := dot(x.Row(i), row)
				for k, v := range x.Row(i) {
					row[k] -= c * v
				}
			}
		}
		if n := math.Sqrt(dot(row, row)); n > 0 {
			for k := range row {
				row[k] /= n
			}
		}
	}
}

// Dion appends an update of the matrix p.
func (g *Graph) Dion(p, grad, momentum, directions Value, a DionAttr) {
	g.op(Dion, &a, p, grad, momentum, directions)
}
