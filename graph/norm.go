package graph

import "math"

// NormAttr is the attribute of norms.
type NormAttr struct{ Eps float32 }

// RMSNorm is x·w/rms(x): In x (N, C), w (C), which may be a constant; Out y (N, C),
// 1/rms (N, 1).
var RMSNorm, rmsNormBackward *Def

func init() {
	RMSNorm = define(&Def{
		Name: "rmsnorm", Doc: "y = x·w / sqrt(mean x² + eps)",
		Shape: func(s *shaping) {
			s.in(1)
			s.vector(1, s.cols(0))
			s.like(0)
			s.put(0, 1)
		},
		Gradient: func(g *Graph, op *Op, d []Value) []Value {
			dw := None
			if g.Info(op.In[1]).Space != Const {
				dw = g.gradOf(op.In[1])
			}
			dx := g.op(rmsNormBackward, op.Attr, d[0], op.In[0], op.Out[1], op.In[1], dw)[0]
			return []Value{dx, None}
		},
		Reference: func(c *Call) {
			eps := float64(c.Op.Attr.(*NormAttr).Eps)
			x, w, y := c.In(0), c.In(1), c.Out(0)
			for r := range x.Rows {
				var ms float64
				for _, v := range x.Row(r) {
					ms += v * v
				}
				rs := 1 / math.Sqrt(ms/float64(x.Cols)+eps)
				c.Out(1).Row(r)[0] = rs
				for i, v := range x.Row(r) {
					y.Row(r)[i] = v * rs * w.Data[i]
				}
			}
		},
		Cases: []Case{
			{"37 columns", func(g *Graph) Value { return g.RMSNorm(g.input(37), g.Param("w", 37), 1e-6) }, tokens(2, 5)},
			{"constant weight", func(g *Graph) Value {
				return g.RMSNorm(g.input(5), g.Const("ones", []float32{1, 1, 1, 1, 1}, 5), 1e-6)
			}, tokens(1, 3)},
			{"1 column", func(g *Graph) Value { return g.RMSNorm(g.input(1), g.Param("w", 1), 1e-2) }, tokens(1, 3)},
			{"two pieces of tokens", func(g *Graph) Value { return g.RMSNorm(g.input(16), g.Param("w", 16), 1e-6) }, tokens(1, 300)},
		},
	})
	rmsNormBackward = define(&Def{
		Name: "rmsnorm.backward", Doc: "dx, dw += of rmsnorm",
		Shape: func(s *shaping) {
			s.same(0, 1)
			s.rows(0, 2)
			s.want(s.cols(2), 1, "the columns of 1/rms")
			s.in(3)
			s.vector(3, s.cols(0))
			s.vector(4, s.cols(0))
			s.like(1)
		},
		Writes: writes(4),
		Reference: func(c *Call) {
			dy, x, rstd, w, dw, dx := c.In(0), c.In(1), c.In(2), c.In(3), c.In(4), c.Out(0)
			for r := range x.Rows {
				rs := rstd.Row(r)[0]
				var k float64
				for i, v := range x.Row(r) {
					k += dy.Row(r)[i] * w.Data[i] * v * rs
				}
				k /= float64(x.Cols)
				for i, v := range x.Row(r) {
					if dw != nil {
						dw.Data[i] += dy.Row(r)[i] * v * rs
					}
					dx.Row(r)[i] = rs * (dy.Row(r)[i]*w.Data[i] - v*rs*k)
				}
			}
		},
	})
}

// RMSNorm appends a norm with weight w.
func (g *Graph) RMSNorm(x, w Value, eps float32) Value {
	return g.op(RMSNorm, &NormAttr{eps}, x, w)[0]
}
