package graph

import "fmt"

// Def is one row of the table of operations.
type Def struct {
	Name string
	Doc  string // formula, in one line; docs/numerics.md has the roundings
	// Gradient appends the operations that compute the gradients of an
	// operation's inputs from those of its outputs (None where there is none),
	// and returns them (None for parameters and what has none). Nil: not
	// differentiable, or a backward operation.
	Gradient func(g *Graph, op *Op, dOut []Value) []Value
	// FLOPs counts the floating point operations of products for a run of b: a
	// multiplication and an addition are two.
	FLOPs func(g *Graph, op *Op, b *Batch) float64
	// Reference computes the outputs in float64, as plainly as possible.
	Reference func(c *Call)
	// Tolerance is the relative error that a float32 device may have against
	// Reference, measured by the largest element.
	Tolerance float64
	// Cases build one small graph each for tests.
	Cases []Case
}

// Case builds a graph with one operation of interest and keeps its output as "y".
// The test differentiates Σ y·r for random r.
type Case struct {
	Name  string
	Build func(g *Graph) Value
	Batch func() *Batch
}

// All is the table of operations, by name.
var All = map[string]*Def{}

func define(d *Def) *Def {
	if _, ok := All[d.Name]; ok {
		panic("graph: operation defined twice: " + d.Name)
	}
	if d.Tolerance == 0 {
		d.Tolerance = 2e-5
	}
	All[d.Name] = d
	return d
}

// Backward appends the gradients of the graph's loss: of every parameter that the
// head's loss depends on.
func (g *Graph) Backward() {
	n := len(g.Ops)
	grads := map[Value]Value{}
	for i := n - 1; i >= 0; i-- {
		op := g.Ops[i]
		if op.Def == HeadLoss {
			a := op.Attr.(*HeadLossAttr)
			if a.Backward {
				panic("graph: Backward called twice")
			}
			a.Backward = true
			dx := g.like(op.In[0])
			op.Out = append(op.Out, dx)
			for _, p := range op.In[1:] {
				op.In = append(op.In, g.gradOf(p))
			}
			g.addGrad(grads, op.In[0], dx)
			continue
		}
		if op.Def == RouterLoss {
			op.Attr.(*RouterLossAttr).Backward = true
			dl := g.like(op.In[0])
			op.Out = append(op.Out, dl)
			g.addGrad(grads, op.In[0], dl)
			continue
		}
		g.differentiate(op, grads)
	}
}

// BackwardFrom appends the gradients of Σ y·dy; tests use it.
func (g *Graph) BackwardFrom(y, dy Value) {
	grads := map[Value]Value{y: dy}
	for i := len(g.Ops) - 1; i >= 0; i-- {
		g.differentiate(g.Ops[i], grads)
	}
}

func (g *Graph) differentiate(op *Op, grads map[Value]Value) {
	dOut := make([]Value, len(op.Out))
	any := false
	for i, o := range op.Out {
		dOut[i] = None
		if d, ok := grads[o]; ok {
			dOut[i], any = d, true
		}
	}
	if !any {
		return
	}
	if op.Def.Gradient == nil {
		panic(fmt.Sprintf("graph: %s has no gradient", op.Def.Name))
	}
	for i, d := range op.Def.Gradient(g, op, dOut) {
		if d != None {
			g.addGrad(grads, op.In[i], d)
		}
	}
}

func (g *Graph) addGrad(grads map[Value]Value, v, d Value) {
	if old, ok := grads[v]; ok {
		d = g.Add(old, d)
	}
	grads[v] = d
}

// FLOPs counts the products of a run of b.
func (g *Graph) FLOPs(b *Batch) float64 {
	var sum float64
	for _, op := range g.Ops {
		if op.Def.FLOPs != nil {
			sum += op.Def.FLOPs(g, op, b)
		}
	}
	return sum
}
