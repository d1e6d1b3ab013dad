package graph

import "fmt"

// HeadsAttr is the attribute of DeinterleaveHeads and InterleaveHeads: Parts (query, key, value)
// of H heads of D.
type HeadsAttr struct{ H, Parts, D int }

// DeinterleaveHeads takes apart what GPT-NeoX's query_key_value puts out, head by head its
// query, key and value: In x (N, H·Parts·D); Out (N, H·D) for each part. InterleaveHeads puts
// them together again.
var DeinterleaveHeads, InterleaveHeads *Def

func init() {
	move := func(c *Call, whole *Array, part func(i int) *Array, f func(whole, part []float64)) {
		a := c.Op.Attr.(*HeadsAttr)
		for r := range whole.Rows {
			for h := range a.H {
				for i := range a.Parts {
					f(whole.Row(r)[(h*a.Parts+i)*a.D:][:a.D], part(i).Row(r)[h*a.D:][:a.D])
				}
			}
		}
	}
	InterleaveHeads = define(&Def{
		Name: "interleave_heads", Doc: "y = heads of x₁, x₂, … in turn",
		Shape: func(s *shaping) {
			a := s.op.Attr.(*HeadsAttr)
			s.want(len(s.op.In), a.Parts, "the parts")
			for i := range s.op.In {
				s.rows(0, i)
				s.want(s.cols(i), a.H*a.D, fmt.Sprintf("the columns of part %d", i))
			}
			s.put(0, a.H*a.Parts*a.D)
		},
		Reference: func(c *Call) { move(c, c.Out(0), c.In, func(w, p []float64) { copy(w, p) }) },
	})
	DeinterleaveHeads = define(&Def{
		Name: "deinterleave_heads", Doc: "y₁, y₂, … = every other head of x",
		Shape: func(s *shaping) {
			a := s.op.Attr.(*HeadsAttr)
			s.want(s.cols(0), a.H*a.Parts*a.D, "the columns of the whole")
			for range a.Parts {
				s.put(0, a.H*a.D)
			}
		},
		Gradient: func(g *Graph, op *Op, d []Value) []Value {
			return g.op(InterleaveHeads, op.Attr, d...)
		},
		Reference: func(c *Call) { move(c, c.In(0), c.Out, func(w, p []float64) { copy(p, w) }) },
		Cases: []Case{{"2 heads of 3", func(g *Graph) Value {
			p := g.DeinterleaveHeads(g.Linear(g.input(4), g.Param("w", 18, 4)), HeadsAttr{H: 2, Parts: 3, D: 3})
			return g.Concat(p[2], g.Add(p[0], p[1]))
		}, tokens(1, 5)}},
	})
}

// DeinterleaveHeads appends the division of x into its parts.
func (g *Graph) DeinterleaveHeads(x Value, a HeadsAttr) []Value {
	return g.op(DeinterleaveHeads, &a, x)
}
