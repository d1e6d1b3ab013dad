package graph

import "math"

// GELU is x·Φ(x) by the error function, GELUTanh its approximation by a tanh, ReLU
// max(x, 0): In x (N, F); Out (N, F).
//
// Hendrycks and Gimpel 2016.
var GELU, GELUTanh, ReLU *Def

func init() {
	GELU, _ = elementwise("gelu", "y = x·Φ(x), Φ by erf",
		func(x float64) float64 { return x * math.Erfc(-x/math.Sqrt2) / 2 },
		func(x float64) float64 {
			return math.Erfc(-x/math.Sqrt2)/2 + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
		})
	GELUTanh, _ = elementwise("gelu_tanh", "y = x·sigmoid(2·sqrt(2/π)·(x + 0.044715·x³))",
		geluTanh, geluTanhSlope)
	ReLU, _ = elementwise("relu", "y = max(x, 0)",
		func(x float64) float64 { return max(x, 0) },
		func(x float64) float64 {
			if x > 0 {
				return 1
			}
			return 0
		})
}

func geluTanh(x float64) float64 { return x * sigmoid(tanhGate(x)) }

func geluTanhSlope(x float64) float64 {
	s := sigmoid(tanhGate(x))
	return s + x*s*(1-s)*math.Sqrt(8/math.Pi)*(1+3*0.044715*x*x)
}

func tanhGate(x float64) float64 { return math.Sqrt(8/math.Pi) * (x + 0.044715*x*x*x) }

// elementwise defines y = f(x) and its backward pass dx = dy·f′(x).
func elementwise(name, doc string, f, slope func(x float64) float64) (forward, backward *Def) {
	backward = define(&Def{
		Name: name + ".backward", Doc: "dx of " + name,
		Shape: asBoth,
		Reference: func(c *Call) {
			for i, d := range c.In(0).Data {
				c.Out(0).Data[i] = d * slope(c.In(1).Data[i])
			}
		},
	})
	forward = define(&Def{
		Name: name, Doc: doc,
		Shape: asInput,
		Gradient: func(g *Graph, op *Op, d []Value) []Value {
			return g.op(backward, nil, d[0], op.In[0])
		},
		Reference: func(c *Call) {
			for i, x := range c.In(0).Data {
				c.Out(0).Data[i] = f(x)
			}
		},
	})
	forward.Cases = []Case{
		{"17 columns", func(g *Graph) Value {
			x := g.input(17)
			return g.op(forward, nil, x)[0]
		}, tokens(2, 5)},
		{"large values", func(g *Graph) Value {
			x := g.Scale(g.input(33), 4)
			return g.op(forward, nil, x)[0]
		}, tokens(1, 16)},
	}
	return forward, backward
}

// Activate appends one of GELU, GELUTanh and ReLU.
func (g *Graph) Activate(d *Def, x Value) Value { return g.op(d, nil, x)[0] }
