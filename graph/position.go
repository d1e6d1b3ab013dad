package graph

// Position is the embedding of positions: In table (T, C); Out (N, C), the rows of
// the tokens' positions.
var Position, positionBackward *Def

func init() {
	Position = define(&Def{
		Name: "position", Doc: "y = table[position]",
		Shape: func(s *shaping) {
			s.height(0)
			s.tokens(s.cols(0))
		},
		Bytes: rowBytes,
		Gradient: func(g *Graph, op *Op, d []Value) []Value {
			g.op(positionBackward, nil, d[0], g.gradOf(op.In[0]))
			return []Value{None}
		},
		Reference: func(c *Call) {
			for r, p := range c.Batch.Positions() {
				copy(c.Out(0).Row(r), c.In(0).Row(int(p)))
			}
		},
		Cases: []Case{{"20 rows", func(g *Graph) Value {
			return g.Add(g.Position(g.Param("positions", 20, 6)), g.input(6))
		}, tokens(3, 14)}},
	})
	positionBackward = define(&Def{
		Name: "position.backward", Doc: "dtable[position] += dy",
		Shape:  tableGradient,
		Bytes:  rowBytes,
		Writes: writes(1),
		Reference: func(c *Call) {
			for r, p := range c.Batch.Positions() {
				for i, d := range c.In(0).Row(r) {
					c.In(1).Row(int(p))[i] += d
				}
			}
		},
	})
}

// Position appends the lookup of the tokens' positions in a table.
func (g *Graph) Position(table Value) Value {
	return g.op(Position, nil, table)[0]
}
