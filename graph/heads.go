package graph

import "fmt"

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
		Shape: func(s *shaping) {
			a := s.op.Attr.(*WeaveAttr)
			s.want(len(s.op.In), a.Parts, "the parts")
			for i := range s.op.In {
				s.rows(0, i)
				s.want(s.cols(i), a.H*a.D, fmt.Sprintf("the columns of part %d", i))
			}
			s.put(0, a.H*a.Parts*a.D)
		},
		Reference: func(c *Call) { move(c, c.Out(0), c.In, func(w, p []float64) { copy(w, p) }) },
	})
	Unweave = define(&Def{
		Name: "unweave", Doc: "y₁, y₂, … = every other head of x",
		Shape: func(s *shaping) {
			a := s.op.Attr.(*WeaveAttr)
			s.want(s.cols(0), a.H*a.Parts*a.D, "the columns of the whole")
			for range a.Parts {
				s.put(0, a.H*a.D)
			}
		},
		Gradient: func(g *Graph, op *Op, d []Value) []Value {
			return g.op(Weave, op.Attr, d...)
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
	return g.op(Unweave, &a, x)
}
