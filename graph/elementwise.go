package graph

// Bias adds a row to every row: In x (N, C), b (C); Out (N, C).
var Bias, biasBackward *Def

// Clamp cuts values off at ±limit: In x (N, C); Out (N, C).
var Clamp, clampBackward *Def

// Scale multiplies by a number: In x (N, C); Out (N, C).
var Scale *Def

// ClampAttr is the attribute of Clamp.
type ClampAttr struct{ Limit float32 }

// ScaleAttr is the attribute of Scale.
type ScaleAttr struct{ Factor float32 }

func init() {
	Bias = define(&Def{
		Name: "bias", Doc: "y = x + b",
		Shape: func(s *shaping) {
			s.vector(1, s.cols(0))
			s.like(0)
		},
		Gradient: func(g *Graph, op *Op, d []Value) []Value {
			if db := g.gradOf(op.In[1]); db != None {
				g.op(biasBackward, nil, d[0], db)
			}
			return []Value{d[0], None}
		},
		Reference: func(c *Call) {
			x, b := c.In(0), c.In(1)
			for r := range x.Rows {
				for i, v := range x.Row(r) {
					c.Out(0).Row(r)[i] = v + b.Data[i]
				}
			}
		},
		Cases: []Case{{"5 columns", func(g *Graph) Value { return g.Bias(g.input(5), g.Param("b", 5)) }, tokens(2, 4)}},
	})
	biasBackward = define(&Def{
		Name: "bias.backward", Doc: "db += Σ dy",
		Shape:  func(s *shaping) { s.vector(1, s.cols(0)) },
		Writes: writes(1),
		Reference: func(c *Call) {
			for r := range c.In(0).Rows {
				for i, v := range c.In(0).Row(r) {
					c.In(1).Data[i] += v
				}
			}
		},
	})
	Clamp = define(&Def{
		Name: "clamp", Doc: "y = min(max(x, −limit), limit)",
		Shape: asInput,
		Gradient: func(g *Graph, op *Op, d []Value) []Value {
			return g.op(clampBackward, op.Attr, d[0], op.In[0])
		},
		Reference: func(c *Call) {
			l := float64(c.Op.Attr.(*ClampAttr).Limit)
			for i, v := range c.In(0).Data {
				c.Out(0).Data[i] = min(max(v, -l), l)
			}
		},
		Cases: []Case{{"at 0.8", func(g *Graph) Value { return g.Clamp(g.input(9), 0.8) }, tokens(2, 5)}},
	})
	clampBackward = define(&Def{
		Name: "clamp.backward", Doc: "dx = dy where |x| ≤ limit, else 0",
		Shape: asBoth,
		Reference: func(c *Call) {
			l := float64(c.Op.Attr.(*ClampAttr).Limit)
			for i, v := range c.In(1).Data {
				if v >= -l && v <= l {
					c.Out(0).Data[i] = c.In(0).Data[i]
				}
			}
		},
	})
	Scale = define(&Def{
		Name: "scale", Doc: "y = x·factor",
		Shape: asInput,
		Gradient: func(g *Graph, op *Op, d []Value) []Value {
			return g.op(Scale, op.Attr, d[0])
		},
		Reference: func(c *Call) {
			f := float64(c.Op.Attr.(*ScaleAttr).Factor)
			for i, v := range c.In(0).Data {
				c.Out(0).Data[i] = v * f
			}
		},
		Cases: []Case{{"by 0.125", func(g *Graph) Value { return g.Scale(g.input(6), 0.125) }, tokens(1, 4)}},
	})
}

// Bias appends x + b for a vector b.
func (g *Graph) Bias(x, b Value) Value { return g.op(Bias, nil, x, b)[0] }

// Clamp appends min(max(x, −limit), limit).
func (g *Graph) Clamp(x Value, limit float32) Value {
	return g.op(Clamp, &ClampAttr{limit}, x)[0]
}

// Scale appends x·factor.
func (g *Graph) Scale(x Value, factor float32) Value {
	return g.op(Scale, &ScaleAttr{factor}, x)[0]
}
