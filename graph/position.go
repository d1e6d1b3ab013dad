package graph

// Position is the embedding of positions: In table (T, C); Out (N, C), the rows of
// the tokens' positions.
var Position, positionBackward *Def

func init() {
	Position = define(&Def{
		Name: "position", Doc: "y = table[position]",
		Gradient: func(g *Graph, op *Op, d []Value) []Value {
			g.op(positionBackward, nil, []Value{d[0], g.gradOf(op.In[0])})
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
	return g.op(Position, nil, []Value{table}, g.activation(Tokens, g.Info(table).Cols()))[0]
}
