package graph

import "math"

// NormAttr is the attribute of norms. OnePlus, of RMSNorm alone, makes the factor of a column
// 1 + w in place of w.
type NormAttr struct {
	Eps     float32
	OnePlus bool
}

// RMSNorm is x·w/rms(x): In x (N, C), w (C), which may be a constant; Out y (N, C),
// 1/rms (N, 1). A shorter w (D), of a length that divides C, norms every D columns, a head, by
// themselves and all of them with the same w; 1/rms is then (N, C/D).
var RMSNorm, rmsNormBackward *Def

func init() {
	RMSNorm = define(&Def{
		Name: "rmsnorm", Doc: "y = x·w / sqrt(mean x² + eps), by heads where w is shorter than a row; or 1 + w in place of w",
		Shape: func(s *shaping) {
			D := s.in(1).Size(1)
			if D == 0 || s.cols(0)%D != 0 {
				s.fail("%d columns are not heads of %d", s.cols(0), D)
			}
			s.vector(1, D)
			s.like(0)
			s.put(0, s.cols(0)/D)
		},
		Gradient: func(g *Graph, op *Op, d []Value) []Value {
			dx := g.op(rmsNormBackward, op.Attr, d[0], op.In[0], op.Out[1], op.In[1], g.gradOf(op.In[1]))[0]
			return []Value{dx, None}
		},
		Reference: func(c *Call) {
			a := c.Op.Attr.(*NormAttr)
			x, w, y := c.In(0), a.factors(c.In(1)), c.Out(0)
			D := len(w)
			for r := range x.Rows {
				for h := range x.Cols / D {
					var ms float64
					head := x.Row(r)[h*D:][:D]
					for _, v := range head {
						ms += v * v
					}
					rs := 1 / math.Sqrt(ms/float64(D)+float64(a.Eps))
					c.Out(1).Row(r)[h] = rs
					for i, v := range head {
						y.Row(r)[h*D+i] = v * rs * w[i]
					}
				}
			}
		},
		Cases: []Case{
			{"37 columns", func(g *Graph) Value { return g.RMSNorm(g.input(37), g.Param("w", 37), 1e-6) }, tokens(2, 5)},
			{"constant weight", func(g *Graph) Value {
				return g.RMSNorm(g.input(5), g.Const("ones", []float32{1, 1, 1, 1, 1}, 5), 1e-6)
			}, tokens(1, 3)},
			{"1 column", func(g *Graph) Value { return g.RMSNorm(g.input(1), g.Param("w", 1), 1e-2) }, tokens(1, 3)},
			{"3 heads of 6", func(g *Graph) Value { return g.RMSNorm(g.input(18), g.Param("w", 6), 1e-6) }, tokens(2, 150)},
			{"one and w", func(g *Graph) Value { return g.OnePlusRMSNorm(g.input(12), g.Param("w", 4), 1e-6) }, tokens(2, 5)},
			{"two pieces of tokens", func(g *Graph) Value { return g.RMSNorm(g.input(16), g.Param("w", 16), 1e-6) }, tokens(1, 300)},
		},
	})
	rmsNormBackward = define(&Def{
		Name: "rmsnorm.backward", Doc: "dx, dw += of rmsnorm",
		Shape: func(s *shaping) {
			s.same(0, 1)
			s.rows(0, 2)
			D := s.in(3).Size(1)
			s.want(s.cols(2)*D, s.cols(0), "the columns of 1/rms, times the heads' size")
			s.vector(3, D)
			s.vector(4, D)
			s.like(1)
		},
		Writes: writes(4),
		Reference: func(c *Call) {
			w, dw := c.Op.Attr.(*NormAttr).factors(c.In(3)), c.In(4)
			D := len(w)
			for r := range c.In(1).Rows {
				for h, rs := range c.In(2).Row(r) {
					dy, x, dx := c.In(0).Row(r)[h*D:][:D], c.In(1).Row(r)[h*D:][:D], c.Out(0).Row(r)[h*D:][:D]
					var k float64
					for i, v := range x {
						k += dy[i] * w[i] * v * rs
					}
					k /= float64(D)
					for i, v := range x {
						if dw != nil {
							dw.Data[i] += dy[i] * v * rs
						}
						dx[i] = rs * (dy[i]*w[i] - v*rs*k)
					}
				}
			}
		},
	})
}

// factors returns what each column is multiplied by.
func (a *NormAttr) factors(w *Array) []float64 {
	if !a.OnePlus {
		return w.Data
	}
	f := make([]float64, len(w.Data))
	for i, v := range w.Data {
		f[i] = 1 + v
	}
	return f
}

// RMSNorm appends a norm with weight w: of whole rows, or of heads as long as w.
func (g *Graph) RMSNorm(x, w Value, eps float32) Value {
	return g.op(RMSNorm, &NormAttr{Eps: eps}, x, w)[0]
}

// OnePlusRMSNorm is RMSNorm with 1 + w in place of w.
func (g *Graph) OnePlusRMSNorm(x, w Value, eps float32) Value {
	return g.op(RMSNorm, &NormAttr{Eps: eps, OnePlus: true}, x, w)[0]
}
