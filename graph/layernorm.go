package graph

import "math"

// LayerNorm is (x − mean)/sqrt(var + eps), times w and plus b where there are such:
// In x (N, C), w (C) or None, b (C) or None; Out y (N, C), mean (N, 1), 1/std (N, 1).
var LayerNorm, layerNormBackward *Def

func init() {
	LayerNorm = define(&Def{
		Name: "layernorm", Doc: "y = (x − mean) / sqrt(var + eps), ·w, + b",
		Shape: func(s *shaping) {
			s.vector(1, s.cols(0))
			s.vector(2, s.cols(0))
			s.like(0)
			s.put(0, 1)
			s.put(0, 1)
		},
		Gradient: func(g *Graph, op *Op, d []Value) []Value {
			dx := g.op(layerNormBackward, nil, d[0], op.In[0], op.Out[1], op.Out[2], op.In[1], g.gradOf(op.In[1]), g.gradOf(op.In[2]))[0]
			return []Value{dx, None, None}
		},
		Reference: func(c *Call) {
			eps := float64(c.Op.Attr.(*NormAttr).Eps)
			x, w, b, y := c.In(0), c.In(1), c.In(2), c.Out(0)
			n := float64(x.Cols)
			for r := range x.Rows {
				var mean, variance float64
				for _, v := range x.Row(r) {
					mean += v / n
				}
				for _, v := range x.Row(r) {
					variance += (v - mean) * (v - mean) / n
				}
				rs := 1 / math.Sqrt(variance+eps)
				c.Out(1).Row(r)[0], c.Out(2).Row(r)[0] = mean, rs
				for i, v := range x.Row(r) {
					v = (v - mean) * rs
					if w != nil {
						v *= w.Data[i]
					}
					if b != nil {
						v += b.Data[i]
					}
					y.Row(r)[i] = v
				}
			}
		},
		Cases: []Case{
			{"without weights", func(g *Graph) Value { return g.LayerNorm(g.input(19), None, None, 1e-5) }, tokens(2, 5)},
			{"weight", func(g *Graph) Value { return g.LayerNorm(g.input(37), g.Param("w", 37), None, 1e-5) }, tokens(1, 4)},
			{"weight and bias", func(g *Graph) Value { return g.LayerNorm(g.input(16), g.Param("w", 16), g.Param("b", 16), 1e-5) }, tokens(1, 300)},
		},
	})
	layerNormBackward = define(&Def{
		Name: "layernorm.backward", Doc: "dx, dw +=, db += of layernorm",
		Shape: func(s *shaping) {
			s.same(0, 1)
			for _, i := range []int{2, 3} {
				s.rows(0, i)
				s.want(s.cols(i), 1, "the columns of mean and 1/std")
			}
			for _, i := range []int{4, 5, 6} {
				s.vector(i, s.cols(0))
			}
			s.like(1)
		},
		Writes: writes(5, 6),
		Reference: func(c *Call) {
			dy, x, mean, rstd, w, dw, db, dx := c.In(0), c.In(1), c.In(2), c.In(3), c.In(4), c.In(5), c.In(6), c.Out(0)
			n := float64(x.Cols)
			hat, d := make([]float64, x.Cols), make([]float64, x.Cols)
			for r := range x.Rows {
				rs := rstd.Row(r)[0]
				var a, k float64
				for i, v := range x.Row(r) {
					hat[i], d[i] = (v-mean.Row(r)[0])*rs, dy.Row(r)[i]
					if dw != nil {
						dw.Data[i] += d[i] * hat[i]
					}
					if db != nil {
						db.Data[i] += d[i]
					}
					if w != nil {
						d[i] *= w.Data[i]
					}
					a += d[i] / n
					k += d[i] * hat[i] / n
				}
				for i := range hat {
					dx.Row(r)[i] = rs * (d[i] - a - hat[i]*k)
				}
			}
		},
	})
}

// LayerNorm appends a norm with weight w and bias b, each None where there is none.
func (g *Graph) LayerNorm(x, w, b Value, eps float32) Value {
	return g.op(LayerNorm, &NormAttr{Eps: eps}, x, w, b)[0]
}
