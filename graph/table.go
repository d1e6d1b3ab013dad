package graph

// Def is one row of the table of operations.
type Def struct {
	Name string
	Doc  string // formula, in one line; docs/numerics.md has the roundings
	// Gradient appends the operations that compute the gradients of an
	// operation's inputs from those of its outputs (None where there is none),
	// and returns them (None for parameters and what has none). Nil: not
	// differentiable, or a backward operation.
	Gradient func(g *Graph, op *Op, dOut []Value) []Value
	// Shape checks the inputs and puts out the shapes of the outputs.
	Shape func(s *shaping)
	// Writes lists the inputs that the operation writes where they lie; nil: none.
	Writes func(op *Op) []int
	// FLOPs counts the floating point operations of products for a run of b: a
	// multiplication and an addition are two.
	FLOPs func(g *Graph, op *Op, b *Batch) float64
	// Bytes counts what it reads and writes in a run of b; nil: its inputs and outputs as a
	// whole, see Graph.Bytes.
	Bytes func(g *Graph, op *Op, b *Batch) float64
	// Reference computes the outputs in float64, as plainly as possible.
	Reference func(c *Call)
	// Tolerance is the relative error that a float32 device may have against
	// Reference, measured by the largest element.
	Tolerance float64
	// Cases build one small graph each for tests.
	Cases []Case
}

// Case builds a graph with one operation of interest and returns its output, None where it has
// none. Tests keep it as "y" and differentiate Σ y·r for random r where it has a gradient.
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
	if d.Shape == nil {
		panic("graph: operation without a shape rule: " + d.Name)
	}
	if d.Tolerance == 0 {
		d.Tolerance = 2e-5
	}
	All[d.Name] = d
	return d
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
