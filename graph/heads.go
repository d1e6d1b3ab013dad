package graph

// WeaveAttr is the attribute of Unweave and Weave.
type WeaveAttr struct{ H, Parts, D int }

// Unweave takes apart what GPT-NeoX's query_key_value puts out, head by head its
// query, key and value: In x (N, H·Parts·D); Out (N, H·D) for each part. Weave puts
// them together again.
var Unweave, Weave *Def

func init() {
	move := func(c *Call, whole *Array, part func(i int) *Array, f func(whole, part []float64)) {
		a := c.Op.Attr.(*WeaveAttr)
		for r := range whole.Rows {
			for h := range a.H {
				for i := range a.Parts {
					f(whole.Row(r)[(h*a.Parts+i)*a.D:][:a.D], part(i).Row(r)[h*a.D:][:a.D])
				}
			}
		}
	}
	Weave = define(&Def{
		Name: "weave", Doc: "y = heads of x₁, x₂, … in turn",
		Reference: func(c *Call) { move(c, c.Out(0), c.In, func(w, p []float64) { copy(w, p) }) },
	})
	Unweave = define(&Def{
		Name: "unweave", Doc: "y₁, y₂, … = every other head of x",
		Gradient: func(g *Graph, op *Op, d []Value) []Value {
			return g.op(Weave, op.Attr, d, g.like(op.In[0]))
		},
		Reference: func(c *Call) { move(c, c.In(0), c.Out, func(w, p []float64) { copy(p, w) }) },
		Cases: []Case{{"2 heads of 3", func(g *Graph) Value {
			p := g.Unweave(g.Linear(g.input(4), g.Param("w", 18, 4)), WeaveAttr{H: 2, Parts: 3, D: 3})
			return g.Concat(p[2], g.Add(p[0], p[1]))
		}, tokens(1, 5)}},
	})
}

// Unweave appends the taking apart of x.
func (g *Graph) Unweave(x Value, a WeaveAttr) []Value {
	if g.Info(x).Cols() != a.H*a.Parts*a.D {
		panic("graph: unweave: the parts do not add up")
	}
	out := make([]Value, a.Parts)
	for i := range out {
		out[i] = g.activation(g.Info(x).Rows, a.H*a.D)
	}
	return g.op(Unweave, &a, []Value{x}, out...)
}
