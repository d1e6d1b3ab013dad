package graph

import "math"

// AttentionAttr is the attribute of attention.
type AttentionAttr struct {
	H, KV, D int
	Scale    float32
	Cap      float32   // scaled scores become Cap·tanh(s/Cap); 0: they stay
	Window   int       // 0: all keys before the query
	Slopes   []float32 // ALiBi, or nil
	Dropout  DropoutAttr
}

// shape checks queries, keys and values.
func (a *AttentionAttr) shape(s *shaping, q, k, v int) {
	s.perToken(q)
	s.want(s.cols(q), a.H*a.D, "the columns of the queries")
	s.want(s.cols(k), a.KV*a.D, "the columns of the keys")
	s.rows(q, k)
	s.same(k, v)
	if a.H%a.KV != 0 {
		s.fail("%d heads do not share %d key heads evenly", a.H, a.KV)
	}
	if a.Slopes != nil {
		s.want(len(a.Slopes), a.H, "the slopes")
	}
}

func (a *AttentionAttr) low(s Segment, i int) int {
	lo := 0
	if s.First != nil {
		lo = int(s.First[i])
	}
	if a.Window > 0 {
		lo = max(lo, s.Pos+i-a.Window+1)
	}
	return lo
}

// sees tells whether row i of a segment sees its key j.
func (s Segment) sees(j int) bool { return s.Padding == nil || !s.Padding[j] }

// pairs counts the pairs of query and key that a batch computes.
func (a *AttentionAttr) pairs(b *Batch) float64 {
	var n float64
	for _, s := range b.Segments {
		for i := range s.Rows {
			n += float64(s.Pos + i - a.low(s, i) + 1)
		}
	}
	return n
}

// Attention is causal attention: In q (N, H·D), k and v (N, KV·D), and for decoding
// the pages of keys and values (pages·positions, KV·D each); Out o (N, H·D) and
// each row's maximum and sum by head (N, 2·H).
var Attention, attentionBackward *Def

// cacheAttr is the attribute of CachedAttention: Page is the positions of a page.
type cacheAttr struct {
	AttentionAttr
	Page int
}

// table is a sequence's pages for the operation: with a window those of Segment.Recent.
func (a *cacheAttr) table(s Segment) []int32 {
	if a.Window > 0 {
		return s.Recent
	}
	return s.Pages
}

// CachedAttention is Attention that first brings the copies of the batch, and then the new keys and values, to
// the pages of sequences.
var CachedAttention *Def

func init() {
	flops := func(k float64) func(g *Graph, op *Op, b *Batch) float64 {
		return func(_ *Graph, op *Op, b *Batch) float64 {
			a := attentionAttr(op)
			return k * float64(a.H*a.D) * a.pairs(b)
		}
	}
	two := func(name string, a AttentionAttr, b func() *Batch) Case {
		return Case{name, func(g *Graph) Value {
			x := g.input(10)
			q := g.Linear(x, g.Param("q", a.H*a.D, 10))
			k := g.Linear(x, g.Param("k", a.KV*a.D, 10))
			v := g.Linear(x, g.Param("v", a.KV*a.D, 10))
			return g.Attention(q, k, v, a)
		}, b}
	}
	// Of page 3, 21 rows become those of page 1, whose sequence goes on; another one begins in page 0, and has
	// read on from page 4 into page 2.
	paged := func(name string, a AttentionAttr) Case {
		return Case{name, func(g *Graph) Value {
			x := g.input(10)
			q, k := g.Linear(x, g.Param("q", 24, 10)), g.Linear(x, g.Param("k", 12, 10))
			o := g.CachedAttention(q, k, k, g.State("keys", 5*32, 12), g.State("values", 5*32, 12), a, 32)
			return g.Select(o)
		}, func() *Batch {
			b := &Batch{IDs: []int32{1, 2, 3, 4, 5, 6}, Select: []int32{2, 3, 5}, Copies: []PageCopy{{From: 3, To: 1, Rows: 21, Recent: a.Window > 0}}}
			for i, table := range [][]int32{{1}, {0}, {4, 2}} {
				b.Segments = append(b.Segments, Segment{Rows: 3 - i, Pos: []int{21, 0, 60}[i], Pages: table, Recent: table})
			}
			return b
		}}
	}
	Attention = define(&Def{
		Name: "attention", Doc: "o = softmax(q·kᵀ·scale)·v, causal", FLOPs: flops(4),
		Shape: func(s *shaping) {
			a := s.op.Attr.(*AttentionAttr)
			a.shape(s, 0, 1, 2)
			s.like(0)
			s.put(0, 2*a.H)
		},
		Gradient: func(g *Graph, op *Op, d []Value) []Value {
			q, k, v := op.In[0], op.In[1], op.In[2]
			return g.op(attentionBackward, op.Attr, d[0], q, k, v, op.Out[0], op.Out[1])
		},
		Reference: func(c *Call) { attend(c, attentionAttr(c.Op), c.In(1), c.In(2), nil) },
		Cases: []Case{
			two("grouped queries", AttentionAttr{H: 4, KV: 2, D: 6, Scale: 0.4}, tokens(2, 7)),
			two("window", AttentionAttr{H: 2, KV: 2, D: 4, Scale: 0.5, Window: 3}, tokens(1, 9)),
			two("ALiBi", AttentionAttr{H: 2, KV: 1, D: 4, Scale: 0.5, Slopes: []float32{0.5, 0.25}}, tokens(2, 5)),
			two("capped", AttentionAttr{H: 4, KV: 2, D: 6, Scale: 0.4, Cap: 1.5, Window: 5}, tokens(2, 7)),
			two("documents", AttentionAttr{H: 1, KV: 1, D: 4, Scale: 0.5}, func() *Batch {
				b := tokens(1, 8)()
				b.Segments[0].First = []int32{0, 0, 0, 3, 3, 3, 6, 6}
				return b
			}),
			two("padding", AttentionAttr{H: 2, KV: 1, D: 4, Scale: 0.5}, func() *Batch {
				b := tokens(2, 5)()
				b.Segments[0].Padding = []bool{true, true, false, true, false} // rows 0 and 1 see nothing
				return b
			}),
			two("dropout", AttentionAttr{H: 4, KV: 2, D: 4, Scale: 0.5, Window: 6, Dropout: DropoutAttr{P: 0.4, Site: 5}}, noisy(tokens(2, 9))),
		},
	})
	CachedAttention = define(&Def{
		Name: "attention.cached", Doc: "attention over the keys and values in a sequence's pages, after adding to them", FLOPs: flops(4),
		Shape: func(s *shaping) {
			a := s.op.Attr.(*cacheAttr)
			a.shape(s, 0, 1, 2)
			s.same(3, 4)
			s.want(s.cols(3), a.KV*a.D, "the columns of pages")
			if s.height(3)%a.Page != 0 {
				s.fail("they are no pages of %d positions", a.Page)
			}
			s.like(0)
			s.put(0, 2*a.H)
		},
		Bytes: func(g *Graph, op *Op, b *Batch) float64 {
			a, keys := op.Attr.(*cacheAttr), 0.0 // that a sequence's queries see; each is read once for all of them
			for _, s := range b.Segments {
				if s.Rows > 0 {
					keys += float64(s.Pos + s.Rows - a.low(s, 0))
				}
			}
			return g.elementBytes(b, op.In[:3], op.In[1:3], op.Out) + 4*2*keys*float64(a.KV*a.D)
		},
		Writes: writes(3, 4),
		Cases: []Case{
			paged("pages", AttentionAttr{H: 4, KV: 2, D: 6, Scale: 0.4}),
			paged("pages and a window", AttentionAttr{H: 4, KV: 2, D: 6, Scale: 0.4, Window: 40}),
		},
		Reference: func(c *Call) {
			a := c.Op.Attr.(*cacheAttr)
			at := func(table []int32, pos int) int { return int(table[pos/a.Page])*a.Page + pos%a.Page }
			for _, p := range c.Batch.Copies {
				for i := range p.Rows {
					for j := 3; j <= 4 && p.Recent == (a.Window > 0); j++ {
						copy(c.In(j).Row(int(p.To)*a.Page+i), c.In(j).Row(int(p.From)*a.Page+i))
					}
				}
			}
			row := 0
			for _, s := range c.Batch.Segments {
				for i := range s.Rows {
					for j := range 2 {
						copy(c.In(3+j).Row(at(a.table(s), s.Pos+i)), c.In(1+j).Row(row))
					}
					row++
				}
			}
			attend(c, &a.AttentionAttr, c.In(3), c.In(4), func(s Segment, pos int) int { return at(a.table(s), pos) })
		},
	})
	attentionBackward = define(&Def{
		Name: "attention.backward", Doc: "dq, dk, dv of attention", FLOPs: flops(10),
		Shape: func(s *shaping) {
			a := s.op.Attr.(*AttentionAttr)
			a.shape(s, 1, 2, 3)
			s.same(1, 0, 4)
			s.rows(1, 5)
			s.want(s.cols(5), 2*a.H, "the columns of the maxima and sums")
			s.like(1)
			s.like(2)
			s.like(3)
		},
		Reference: attendBackward,
	})
}

func attentionAttr(op *Op) *AttentionAttr {
	if a, ok := op.Attr.(*cacheAttr); ok {
		return &a.AttentionAttr
	}
	return op.Attr.(*AttentionAttr)
}

// PagesOf returns an attention operation's attribute and, with pages, the positions of one (0 without) and how
// to find a sequence's table.
func PagesOf(op *Op) (a *AttentionAttr, page int, table func(s Segment) []int32) {
	if c, ok := op.Attr.(*cacheAttr); ok {
		return &c.AttentionAttr, c.Page, c.table
	}
	return op.Attr.(*AttentionAttr), 0, nil
}

// attend computes attention; at says in which row of k and v a position of a sequence is, nil: its own.
func attend(c *Call, a *AttentionAttr, k, v *Array, at func(s Segment, pos int) int) {
	q, o, st := c.In(0), c.Out(0), c.Out(1)
	row := 0
	for _, s := range c.Batch.Segments {
		place := func(pos int) int { return at(s, pos) }
		if base := row - s.Pos; at == nil {
			place = func(pos int) int { return base + pos }
		}
		for i := range s.Rows {
			for h := range a.H {
				kv := h / (a.H / a.KV) * a.D
				lo, p := a.low(s, i), s.Pos+i
				e := make([]float64, p+1)
				m := math.Inf(-1)
				for j := lo; j <= p; j++ {
					if !s.sees(j) {
						e[j] = math.Inf(-1)
						continue
					}
					var sc float64
					for d := range a.D {
						sc += q.Row(row)[h*a.D+d] * k.Row(place(j))[kv+d]
					}
					e[j], _ = softcap(sc*float64(a.Scale), a.Cap)
					if a.Slopes != nil {
						e[j] += float64(a.Slopes[h]) * float64(j-p)
					}
					m = max(m, e[j])
				}
				if math.IsInf(m, -1) {
					m = 0 // it sees nothing
				}
				var sum float64
				drop := factors(a.Dropout.Of(c.Batch), p+1, uint64((c.Batch.row()+row)*a.H+h))
				for j := lo; j <= p; j++ {
					e[j] = math.Exp(e[j] - m)
					sum += e[j]
					e[j] *= drop[j]
				}
				if sum == 0 {
					sum = 1
				}
				st.Row(row)[2*h], st.Row(row)[2*h+1] = m, sum
				for d := range a.D {
					var x float64
					for j := lo; j <= p; j++ {
						x += e[j] * v.Row(place(j))[kv+d]
					}
					o.Row(row)[h*a.D+d] = x / sum
				}
			}
			row++
		}
	}
}

// attendBackward is the gradient of attend, with the weights computed again from each row's
// maximum and sum; Δ = Σ do·o is what the softmax takes off.
func attendBackward(c *Call) {
	a := attentionAttr(c.Op)
	do, q, k, v, o, st := c.In(0), c.In(1), c.In(2), c.In(3), c.In(4), c.In(5)
	base := 0
	for _, s := range c.Batch.Segments {
		for h := range a.H {
			kv := h / (a.H / a.KV) * a.D
			for i := range s.Rows {
				r := base + i
				qr, or, dor := q.Row(r)[h*a.D:][:a.D], o.Row(r)[h*a.D:][:a.D], do.Row(r)[h*a.D:][:a.D]
				var delta float64
				for d := range a.D {
					delta += or[d] * dor[d]
				}
				drop := factors(a.Dropout.Of(c.Batch), i+1, uint64((c.Batch.row()+r)*a.H+h))
				for j := a.low(s, i); j <= i; j++ {
					if !s.sees(j) {
						continue
					}
					kr, vr := k.Row(base + j)[kv:][:a.D], v.Row(base + j)[kv:][:a.D]
					var sc, dp float64
					for d := range a.D {
						sc += qr[d] * kr[d]
						dp += dor[d] * vr[d]
					}
					sc, slope := softcap(sc*float64(a.Scale), a.Cap)
					if a.Slopes != nil {
						sc += float64(a.Slopes[h]) * float64(j-i)
					}
					p := math.Exp(sc-st.Row(r)[2*h]) / st.Row(r)[2*h+1]
					ds := p * (dp*drop[j] - delta) * float64(a.Scale) * slope
					for d := range a.D {
						c.Out(0).Row(r)[h*a.D+d] += ds * kr[d]
						c.Out(1).Row(base + j)[kv+d] += ds * qr[d]
						c.Out(2).Row(base + j)[kv+d] += p * drop[j] * dor[d]
					}
				}
			}
		}
		base += s.Rows
	}
}

// Attention appends causal attention within each segment, which starts at position 0.
func (g *Graph) Attention(q, k, v Value, a AttentionAttr) Value {
	return g.op(Attention, &a, q, k, v)[0]
}

// CachedAttention appends attention that keeps its keys and values in pages of so many positions, pages·page
// rows each.
func (g *Graph) CachedAttention(q, k, v, keys, values Value, a AttentionAttr, page int) Value {
	return g.op(CachedAttention, &cacheAttr{a, page}, q, k, v, keys, values)[0]
}
