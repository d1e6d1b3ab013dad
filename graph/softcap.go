package graph

import "math"

// Softcap bends a value so that it stays within ±cap: In x (N, C); Out (N, C).
//
// Gemma team 2024 (Gemma 2), section 2; Bello et al. 2016.
var Softcap *Def

// SoftcapAttr is the attribute of Softcap.
type SoftcapAttr struct{ Cap float32 }

// softcap returns cap·tanh(x/cap), and its slope; x and 1 without a cap.
func softcap(x float64, limit float32) (y, slope float64) {
	if limit == 0 {
		return x, 1
	}
	t := math.Tanh(x / float64(limit))
	return float64(limit) * t, 1 - t*t
}

func init() {
	backward := define(&Def{
		Name: "softcap.backward", Doc: "dx = dy·(1 − tanh²(x/cap))",
		Shape: asBoth,
		Reference: func(c *Call) {
			for i, d := range c.In(0).Data {
				_, slope := softcap(c.In(1).Data[i], c.Op.Attr.(*SoftcapAttr).Cap)
				c.Out(0).Data[i] = d * slope
			}
		},
	})
	Softcap = define(&Def{
		Name: "softcap", Doc: "y = cap·tanh(x/cap)",
		Shape: asInput,
		Gradient: func(g *Graph, op *Op, d []Value) []Value {
			return g.op(backward, op.Attr, d[0], op.In[0])
		},
		Reference: func(c *Call) {
			for i, x := range c.In(0).Data {
				c.Out(0).Data[i], _ = softcap(x, c.Op.Attr.(*SoftcapAttr).Cap)
			}
		},
		Cases: []Case{
			{"at 0.7", func(g *Graph) Value { return g.Softcap(g.input(17), 0.7) }, tokens(2, 5)},
			{"at 30", func(g *Graph) Value { return g.Softcap(g.input(9), 30) }, tokens(1, 16)},
		},
	})
}

// Softcap appends cap·tanh(x/cap).
func (g *Graph) Softcap(x Value, limit float32) Value {
	return g.op(Softcap, &SoftcapAttr{limit}, x)[0]
}
