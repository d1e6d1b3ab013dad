package graph

// rowsOf counts the rows of a value in a batch.
func rowsOf(g *Graph, v Value, b *Batch) int {
	switch i := g.Info(v); i.Rows {
	case Tokens:
		return len(b.IDs)
	case Selected:
		return len(b.Select)
	default:
		return i.Size(1) / i.Cols()
	}
}

func productFLOPs(x, w int) func(g *Graph, op *Op, b *Batch) float64 {
	return func(g *Graph, op *Op, b *Batch) float64 {
		return 2 * float64(rowsOf(g, op.In[x], b)) * float64(g.Info(op.In[w]).Size(1))
	}
}

// Linear is x·Wᵀ: In x (N, C), W (F, C); Out (N, F).
var Linear, linearDX, linearDW *Def

func init() {
	Linear = define(&Def{
		Name: "linear", Doc: "y = x·Wᵀ", FLOPs: productFLOPs(0, 1),
		Shape: func(s *shaping) {
			s.want(s.cols(0), s.cols(1), "the columns of x")
			s.put(0, s.height(1))
		},
		Gradient: func(g *Graph, op *Op, d []Value) []Value {
			x, w := op.In[0], op.In[1]
			if dw := g.gradOf(w); dw != None {
				g.op(linearDW, nil, d[0], x, dw)
			}
			dx := g.op(linearDX, nil, d[0], w)[0]
			return []Value{dx, None}
		},
		Reference: func(c *Call) { multiply(c.Out(0), c.In(0), c.In(1), true) },
		Cases: []Case{
			{"3×5→7", func(g *Graph) Value { return g.Linear(g.input(5), g.Param("w", 7, 5)) }, tokens(1, 3)},
			{"more than one cut", func(g *Graph) Value { return g.Linear(g.input(530), g.Param("w", 40, 530)) }, tokens(2, 9)},
			{"one row", func(g *Graph) Value { return g.Linear(g.input(8), g.Param("w", 1, 8)) }, tokens(1, 1)},
		},
	})
	linearDX = define(&Def{
		Name: "linear.dx", Doc: "dx = dy·W", FLOPs: productFLOPs(0, 1),
		Shape: func(s *shaping) {
			s.want(s.cols(0), s.height(1), "the columns of dy")
			s.put(0, s.cols(1))
		},
		Reference: func(c *Call) { multiply(c.Out(0), c.In(0), c.In(1), false) },
	})
	linearDW = define(&Def{
		Name: "linear.dw", Doc: "dW += dyᵀ·x", FLOPs: productFLOPs(0, 2),
		Shape: func(s *shaping) {
			s.rows(0, 1)
			s.table(2, s.cols(0), s.cols(1))
		},
		Writes: writes(2),
		Reference: func(c *Call) {
			dy, x, dw := c.In(0), c.In(1), c.In(2)
			for r := range x.Rows {
				for f, d := range dy.Row(r) {
					for i, v := range x.Row(r) {
						dw.Row(f)[i] += d * v
					}
				}
			}
		},
	})
}

func multiply(out, x, w *Array, transposed bool) {
	for r := range out.Rows {
		for j := range out.Cols {
			var s float64
			for k, v := range x.Row(r) {
				if transposed {
					s += v * w.Row(j)[k]
				} else {
					s += v * w.Row(k)[j]
				}
			}
			out.Row(r)[j] = s
		}
	}
}

// Linear appends x·Wᵀ for a weight of shape (outputs, inputs).
func (g *Graph) Linear(x, w Value) Value {
	return g.op(Linear, nil, x, w)[0]
}

// Gather is the embedding: In table (V, C); Out (N, C), the rows of the batch's ids.
var Gather, gatherBackward *Def

func init() {
	Gather = define(&Def{
		Name: "gather", Doc: "y = table[id]",
		Shape: func(s *shaping) {
			s.height(0)
			s.tokens(s.cols(0))
		},
		Bytes: rowBytes,
		Gradient: func(g *Graph, op *Op, d []Value) []Value {
			if dtable := g.gradOf(op.In[0]); dtable != None {
				g.op(gatherBackward, nil, d[0], dtable)
			}
			return []Value{None}
		},
		Reference: func(c *Call) {
			for r, id := range c.Batch.IDs {
				copy(c.Out(0).Row(r), c.In(0).Row(int(id)))
			}
		},
		Cases: []Case{{"16 rows", func(g *Graph) Value { return g.Gather(g.Param("table", 16, 6)) }, tokens(2, 20)}},
	})
	gatherBackward = define(&Def{
		Name: "gather.backward", Doc: "dtable[id] += dy",
		Shape:  tableGradient,
		Bytes:  rowBytes,
		Writes: writes(1),
		Reference: func(c *Call) {
			for r, id := range c.Batch.IDs {
				for i, d := range c.In(0).Row(r) {
					c.In(1).Row(int(id))[i] += d
				}
			}
		},
	})
}

// tableGradient is the rule of lookups' gradients: In dy (N, C), the table's gradient (V, C).
func tableGradient(s *shaping) {
	s.height(1)
	s.perToken(0)
	s.want(s.cols(1), s.cols(0), "the columns of the table's gradient")
}

// rowBytes counts lookups, whose table is the last input: of it only the rows that are looked
// up, which the gradient reads and writes.
func rowBytes(g *Graph, op *Op, b *Batch) float64 {
	table := g.Info(op.In[len(op.In)-1])
	rows := 4 * float64(min(len(b.IDs)*table.Cols(), table.Size(1)))
	if len(op.Out) > 0 {
		return rows + g.elementBytes(b, op.Out)
	}
	return 2*rows + g.elementBytes(b, op.In[:1])
}

// Gather appends the lookup of the batch's ids in a table.
func (g *Graph) Gather(table Value) Value {
	return g.op(Gather, nil, table)[0]
}

// Select keeps the rows that Batch.Select names: In (N, C); Out (S, C).
var Select *Def

func init() {
	Select = define(&Def{
		Name: "select", Doc: "y[i] = x[select[i]]",
		Shape: func(s *shaping) {
			s.perToken(0)
			s.out = append(s.out, Info{Space: Activation, Rows: Selected, Shape: []int{s.cols(0)}})
		},
		Bytes: func(g *Graph, op *Op, b *Batch) float64 { return 2 * g.elementBytes(b, op.Out) },
		Reference: func(c *Call) {
			for i, r := range c.Batch.Select {
				copy(c.Out(0).Row(i), c.In(0).Row(int(r)))
			}
		},
		Cases: []Case{{"3 of 10 rows", func(g *Graph) Value { return g.Select(g.input(5)) }, func() *Batch {
			b := tokens(2, 5)()
			b.Select = []int32{9, 0, 4}
			return b
		}}},
	})
}

// Select appends the choice of the batch's selected rows.
func (g *Graph) Select(x Value) Value {
	return g.op(Select, nil, x)[0]
}

// Add is the sum of two values of one shape.
var Add *Def

func init() {
	Add = define(&Def{
		Name: "add", Doc: "y = a + b",
		Shape:    asBoth,
		Gradient: func(g *Graph, op *Op, d []Value) []Value { return []Value{d[0], d[0]} },
		Reference: func(c *Call) {
			for i := range c.Out(0).Data {
				c.Out(0).Data[i] = c.In(0).Data[i] + c.In(1).Data[i]
			}
		},
		Cases: []Case{{"5 columns", func(g *Graph) Value {
			x := g.input(5)
			return g.Add(x, g.Linear(x, g.Param("w", 5, 5)))
		}, tokens(1, 4)}},
	})
}

// Add appends a + b.
func (g *Graph) Add(a, b Value) Value { return g.op(Add, nil, a, b)[0] }

// SplitAttr is the attribute of Split.
type SplitAttr struct{ Cols []int } // of each part

// Split cuts the columns of a value: In (N, ΣC); Out (N, C) each. Devices give out
// views. Concat puts them together again.
var Split, Concat *Def

func init() {
	Split = define(&Def{
		Name: "split", Doc: "y₁, y₂, … = columns of x",
		Shape: func(s *shaping) {
			sum := 0
			for _, cols := range s.op.Attr.(*SplitAttr).Cols {
				s.put(0, cols)
				sum += cols
			}
			s.want(s.cols(0), sum, "the columns of the whole")
		},
		Bytes: func(*Graph, *Op, *Batch) float64 { return 0 }, // views
		Gradient: func(g *Graph, op *Op, d []Value) []Value {
			for _, v := range d {
				if v == None {
					panic("graph: split: a part has no gradient")
				}
			}
			return g.op(Concat, nil, d...)
		},
		Reference: func(c *Call) {
			off := 0
			for i := range c.Op.Out {
				o := c.Out(i)
				for r := range o.Rows {
					copy(o.Row(r), c.In(0).Row(r)[off:])
				}
				off += o.Cols
			}
		},
		Cases: []Case{{"2+3", func(g *Graph) Value {
			p := g.Split(g.Linear(g.input(4), g.Param("w", 5, 4)), 2, 3)
			return g.Add(g.Linear(p[0], g.Param("a", 3, 2)), p[1])
		}, tokens(1, 3)}},
	})
	Concat = define(&Def{
		Name: "concat", Doc: "y = x₁ | x₂ | …",
		Shape: func(s *shaping) {
			sum := 0
			for i := range s.op.In {
				s.rows(0, i)
				sum += s.cols(i)
			}
			s.put(0, sum)
		},
		Gradient: func(g *Graph, op *Op, d []Value) []Value {
			var cols []int
			for _, v := range op.In {
				cols = append(cols, g.Info(v).Cols())
			}
			return g.Split(d[0], cols...)
		},
		Cases: []Case{{"2+3", func(g *Graph) Value {
			x := g.input(4)
			return g.Concat(g.Linear(x, g.Param("a", 2, 4)), g.Linear(x, g.Param("b", 3, 4)))
		}, tokens(1, 3)}},
		Reference: func(c *Call) {
			off := 0
			for i := range c.Op.In {
				x := c.In(i)
				for r := range x.Rows {
					copy(c.Out(0).Row(r)[off:], x.Row(r))
				}
				off += x.Cols
			}
		},
	})
}

// Concat appends the values side by side.
func (g *Graph) Concat(x ...Value) Value {
	return g.op(Concat, nil, x...)[0]
}

// Split appends the division of x into columns.
func (g *Graph) Split(x Value, cols ...int) []Value {
	return g.op(Split, &SplitAttr{cols}, x)
}
