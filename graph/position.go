package graph

// Position is the embedding of positions: In table (T, C); Out (N, C), the rows of
// the tokens' positions.
var Position, positionBackward *Def

// PositionAttr is the attribute of Position: Ahead rows of the table stand before that of position 0.
type PositionAttr struct{ Ahead int }

func init() {
	Position = define(&Def{
		Name: "position", Doc: "y = table[ahead + position]",
		Shape: func(s *shaping) {
			s.height(0)
			s.tokens(s.cols(0))
		},
		Bytes: rowBytes,
		Gradient: func(g *Graph, op *Op, d []Value) []Value {
			if dtable := g.gradOf(op.In[0]); dtable != None {
				g.op(positionBackward, op.Attr, d[0], dtable)
			}
			return []Value{None}
		},
		Reference: func(c *Call) {
			ahead := c.Op.Attr.(*PositionAttr).Ahead
			for r, p := range c.Batch.Positions() {
				copy(c.Out(0).Row(r), c.In(0).Row(ahead+int(p)))
			}
		},
		Cases: []Case{
			{"20 rows", func(g *Graph) Value {
				return g.Add(g.Position(g.Param("positions", 20, 6), PositionAttr{}), g.input(6))
			}, tokens(3, 14)},
			{"2 rows ahead", func(g *Graph) Value {
				return g.Add(g.Position(g.Param("positions", 16, 6), PositionAttr{Ahead: 2}), g.input(6))
			}, tokens(2, 14)},
		},
	})
	positionBackward = define(&Def{
		Name: "position.backward", Doc: "dtable[ahead + position] += dy",
		Shape:  tableGradient,
		Bytes:  rowBytes,
		Writes: writes(1),
		Reference: func(c *Call) {
			ahead := c.Op.Attr.(*PositionAttr).Ahead
			for r, p := range c.Batch.Positions() {
				for i, d := range c.In(0).Row(r) {
					c.In(1).Row(ahead + int(p))[i] += d
				}
			}
		},
	})
}

// Position appends the lookup of the tokens' positions in a table.
func (g *Graph) Position(table Value, a PositionAttr) Value {
	return g.op(Position, &a, table)[0]
}
