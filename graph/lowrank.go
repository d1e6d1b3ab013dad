package graph

// LowRankAttr is the attribute of LowRank.
type LowRankAttr struct{ Scale float32 }

// LowRank adds a product with a matrix of low rank to another product: In y (N, F), x (N, C), A (r, C),
// B (F, r); Out y + (x·Aᵀ·Bᵀ)·scale (N, F) and, for the backward pass, x·Aᵀ (N, r).
//
// Hu et al. 2021, "LoRA", eq. 3; scale is their α/r.
var LowRank, lowRankBackward *Def

func init() {
	flops := func(factor float64, x, a, b int) func(g *Graph, op *Op, batch *Batch) float64 {
		return func(g *Graph, op *Op, batch *Batch) float64 {
			return factor * float64(rowsOf(g, op.In[x], batch)) * float64(g.Info(op.In[a]).Size(1)+g.Info(op.In[b]).Size(1))
		}
	}
	LowRank = define(&Def{
		Name: "low_rank", Doc: "z = y + ((x·Aᵀ)·Bᵀ)·scale", FLOPs: flops(2, 1, 2, 3),
		Shape: func(s *shaping) {
			s.rows(0, 1)
			s.want(s.cols(1), s.cols(2), "the columns of x")
			s.table(3, s.cols(0), s.height(2))
			s.like(0)
			s.put(0, s.height(2))
		},
		Gradient: func(g *Graph, op *Op, d []Value) []Value {
			x, a, b := op.In[1], op.In[2], op.In[3]
			dx := g.op(lowRankBackward, op.Attr, d[0], x, op.Out[1], a, b, g.gradOf(a), g.gradOf(b))[0]
			return []Value{d[0], dx, None, None}
		},
		Reference: func(c *Call) {
			scale := float64(c.Op.Attr.(*LowRankAttr).Scale)
			y, out, h := c.In(0), c.Out(0), c.Out(1)
			multiply(h, c.In(1), c.In(2), true)
			multiply(out, h, c.In(3), true)
			for i, v := range out.Data {
				out.Data[i] = y.Data[i] + v*scale
			}
		},
		Cases: []Case{
			lowRankCase("rank 3 beside a product", 5, 7, 3, 0, false),
			lowRankCase("beside a frozen product, dropped", 300, 40, 16, 0.3, true),
			{"of a part", func(g *Graph) Value {
				x := g.input(6)
				parts := g.Split(g.Linear(x, g.Param("w", 9, 6)), 4, 5)
				return g.Concat(g.LowRank(parts[0], x, g.Param("a", 2, 6), g.Param("b", 4, 2), 1.5), parts[1])
			}, tokens(2, 5)},
		},
	})
	lowRankBackward = define(&Def{
		Name: "low_rank.backward", Doc: "dx, dA += and dB += of low_rank", FLOPs: flops(4, 1, 3, 4),
		Shape: func(s *shaping) {
			s.rows(1, 0, 2)
			r := s.height(3)
			s.want(s.cols(1), s.cols(3), "the columns of x")
			s.want(s.cols(2), r, "the columns of x·Aᵀ")
			s.table(4, s.cols(0), r)
			s.optionalTable(5, r, s.cols(1))
			s.optionalTable(6, s.cols(0), r)
			s.like(1)
		},
		Writes: writes(5, 6),
		Reference: func(c *Call) {
			scale := float64(c.Op.Attr.(*LowRankAttr).Scale)
			dz, x, h, a, b, da, db, dx := c.In(0), c.In(1), c.In(2), c.In(3), c.In(4), c.In(5), c.In(6), c.Out(0)
			dh := make([]float64, a.Rows)
			for n := range x.Rows {
				clear(dh)
				for f, v := range dz.Row(n) {
					for r := range dh {
						dh[r] += v * scale * b.Row(f)[r]
						if db != nil {
							db.Row(f)[r] += v * scale * h.Row(n)[r]
						}
					}
				}
				for r, v := range dh {
					for i := range dx.Row(n) {
						dx.Row(n)[i] += v * a.Row(r)[i]
						if da != nil {
							da.Row(r)[i] += v * x.Row(n)[i]
						}
					}
				}
			}
		},
	})
}

// lowRankCase makes a test case of a linear layer with an addition; frozen: its own weight and
// the input have no gradients.
func lowRankCase(name string, C, F, rank int, dropout float64, frozen bool) Case {
	return Case{name, func(g *Graph) Value {
		x, w := g.input(C), g.Param("w", F, C)
		if table, _ := g.Lookup("input"); frozen {
			g.Freeze(table)
			g.Freeze(w)
		}
		dropped := x
		if dropout > 0 {
			dropped = g.Dropout(x, DropoutAttr{P: dropout, Site: 4})
		}
		return g.LowRank(g.Linear(x, w), dropped, g.Param("a", rank, C), g.Param("b", F, rank), 0.75)
	}, noisy(tokens(2, 9))}
}

// LowRank appends the addition of (x·aᵀ·bᵀ)·scale to y.
func (g *Graph) LowRank(y, x, a, b Value, scale float32) Value {
	return g.op(LowRank, &LowRankAttr{scale}, y, x, a, b)[0]
}

// SegmentLowRankAttr is the attribute of SegmentLowRank: of each pair of matrices the adapter whose rows it is
// for, as Segment.Adapter has it, and the factor.
type SegmentLowRankAttr struct {
	Adapters []int
	Scales   []float32
}

// SegmentLowRank is LowRank of matrices that each segment chooses: In y (N, F), x (N, C), and A (r, C),
// B (F, r) of every adapter, whose ranks may differ; Out z (N, F). Rows of segments without an adapter, or of
// one that is not among them, are y's. It has no gradient.
var SegmentLowRank *Def

func init() {
	SegmentLowRank = define(&Def{
		Name: "segment_low_rank", Doc: "z = y + ((x·Aₐᵀ)·Bₐᵀ)·scaleₐ, a the adapter of the row's segment",
		FLOPs: func(g *Graph, op *Op, batch *Batch) float64 {
			var n float64
			for i, a := range op.Attr.(*SegmentLowRankAttr).Adapters {
				n += 2 * float64(len(batch.RowsOf(a))) * float64(g.Info(op.In[2+2*i]).Size(1)+g.Info(op.In[3+2*i]).Size(1))
			}
			return n
		},
		Shape: func(s *shaping) {
			s.perToken(0)
			s.perToken(1)
			for i := range s.op.Attr.(*SegmentLowRankAttr).Adapters {
				s.want(s.cols(1), s.cols(2+2*i), "the columns of x")
				s.table(3+2*i, s.cols(0), s.height(2+2*i))
			}
			s.like(0)
		},
		Reference: func(c *Call) {
			attr := c.Op.Attr.(*SegmentLowRankAttr)
			y, x, out := c.In(0), c.In(1), c.Out(0)
			copy(out.Data, y.Data)
			for i, adapter := range attr.Adapters {
				a, b := c.In(2+2*i), c.In(3+2*i)
				for _, r := range c.Batch.RowsOf(adapter) {
					for k := range a.Rows {
						var h float64
						for j, v := range x.Row(int(r)) {
							h += v * a.Row(k)[j]
						}
						for f := range out.Row(int(r)) {
							out.Row(int(r))[f] += h * b.Row(f)[k] * float64(attr.Scales[i])
						}
					}
				}
			}
		},
		Cases: []Case{
			{"two adapters and none", func(g *Graph) Value {
				x := g.input(40)
				return g.SegmentLowRank(g.Linear(x, g.Param("w", 9, 40)), x, SegmentLowRankAttr{[]int{1, 3}, []float32{0.75, 2}},
					g.Param("a1", 3, 40), g.Param("b1", 9, 3), g.Param("a3", 5, 40), g.Param("b3", 9, 5))
			}, func() *Batch {
				b := tokens(7, 5)()
				for i, a := range []int{0, 1, 3, 1, 2, 3, 3} {
					b.Segments[i].Adapter = a
				}
				return b
			}},
			{"of a part, many rows", func(g *Graph) Value {
				x := g.input(6)
				parts := g.Split(g.Linear(x, g.Param("w", 9, 6)), 4, 5)
				return g.Concat(g.SegmentLowRank(parts[0], x, SegmentLowRankAttr{[]int{1}, []float32{1.5}}, g.Param("a", 2, 6), g.Param("b", 4, 2)), parts[1])
			}, func() *Batch {
				b := tokens(3, 150)()
				b.Segments[0].Adapter, b.Segments[2].Adapter = 1, 1
				return b
			}},
		},
	})
}

// SegmentLowRank appends the additions of (x·aᵀ·bᵀ)·scale to y, with the matrices of each adapter.
func (g *Graph) SegmentLowRank(y, x Value, attr SegmentLowRankAttr, matrices ...Value) Value {
	return g.op(SegmentLowRank, &attr, append([]Value{y, x}, matrices...)...)[0]
}
