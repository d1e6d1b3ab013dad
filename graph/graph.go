// Package graph holds a model as data: a list of operations on named values, with
// their shapes, gradients and costs.
//
// A value is a matrix. Its rows are the tokens of a batch, rows selected from them,
// or fixed (parameters, their gradients, optimiser state, caches). The table of
// operations is All; tests, gradient checks and docs/ops.md come from it.
package graph

import (
	"fmt"
	"slices"
)

// Value names one value of a Graph.
type Value int32

// None is the absence of a value, such as a norm's missing weight.
const None Value = -1

// Space says who owns a value's storage.
type Space uint8

const (
	Activation Space = iota // lives within one run
	Param                   // a model's parameter
	Grad                    // the sum of a parameter's gradient over micro-batches
	State                   // optimiser moments, key and value caches
	Const                   // tables fixed when the graph is built
)

// Rows says what the rows of a value are.
type Rows uint8

const (
	Fixed    Rows = iota
	Tokens        // one row for each token of the batch
	Selected      // one row for each token in Batch.Select
)

// Info describes a value. Shape is the whole shape of a Fixed value, and the
// number of columns alone of the others.
type Info struct {
	Name  string
	Space Space
	Rows  Rows
	Shape []int
	Data  []float32 // of a Const
	// Frozen says that a Param has no gradient.
	Frozen bool
}

// Cols returns the length of a row.
func (i *Info) Cols() int { return i.Shape[len(i.Shape)-1] }

// Size returns the number of elements, for a value with n rows of its kind.
func (i *Info) Size(n int) int {
	s := 1
	for _, d := range i.Shape {
		s *= d
	}
	if i.Rows != Fixed {
		s *= n
	}
	return s
}

// Op is one operation of a graph. What it adds to (gradients, caches, parameters)
// stands among its inputs; see Writes.
type Op struct {
	Def  *Def
	In   []Value
	Out  []Value
	Attr any
}

// Graph is a list of operations in the order in which they run.
type Graph struct {
	Values []Info
	Ops    []*Op
	Kept   []Value // activations that can be read after a run
	byName map[string]Value
	grads  map[Value][]Value // gradients of a parameter, one for each use
	parts  []part            // of which Backward computes values again
}

// New returns an empty graph.
func New() *Graph {
	return &Graph{byName: map[string]Value{}, grads: map[Value][]Value{}}
}

func (g *Graph) value(i Info) Value {
	v := Value(len(g.Values))
	if i.Name != "" {
		if _, ok := g.byName[i.Name]; ok {
			panic(fmt.Sprintf("graph: two values are called %q", i.Name))
		}
		g.byName[i.Name] = v
	}
	g.Values = append(g.Values, i)
	return v
}

// Param adds a parameter, or returns the one of that name.
func (g *Graph) Param(name string, shape ...int) Value { return g.fixed(name, Param, shape) }

// Freeze leaves a parameter out of the backward pass. What only its gradient would need is not
// computed.
func (g *Graph) Freeze(p Value) { g.Values[p].Frozen = true }

// State adds a value that stays on the device between runs.
func (g *Graph) State(name string, shape ...int) Value { return g.fixed(name, State, shape) }

// GradNamed adds a parameter's gradient by its full name, for graphs that only update.
func (g *Graph) GradNamed(name string, shape ...int) Value { return g.fixed(name, Grad, shape) }

func (g *Graph) fixed(name string, space Space, shape []int) Value {
	if v, ok := g.byName[name]; ok {
		if i := g.Values[v]; i.Space != space || !slices.Equal(i.Shape, shape) {
			panic(fmt.Sprintf("graph: %s has shape %v, and %v elsewhere", name, i.Shape, shape))
		}
		return v
	}
	return g.value(Info{Name: name, Space: space, Shape: shape})
}

// Const adds a table of numbers.
func (g *Graph) Const(name string, data []float32, shape ...int) Value {
	if v, ok := g.byName[name]; ok {
		return v
	}
	return g.value(Info{Name: name, Space: Const, Shape: shape, Data: data})
}

// Lookup returns the value of a name.
func (g *Graph) Lookup(name string) (Value, bool) {
	v, ok := g.byName[name]
	return v, ok
}

// Keep names an activation and keeps it readable after a run.
func (g *Graph) Keep(v Value, name string) Value {
	i := &g.Values[v]
	if i.Name == "" {
		if _, ok := g.byName[name]; ok {
			panic(fmt.Sprintf("graph: two values are called %q", name))
		}
		i.Name = name
		g.byName[name] = v
	}
	if !slices.Contains(g.Kept, v) {
		g.Kept = append(g.Kept, v)
	}
	return v
}

// Info returns the description of v.
func (g *Graph) Info(v Value) *Info { return &g.Values[v] }

// Params returns the parameters in the order in which the model made them.
func (g *Graph) Params() []Value {
	var p []Value
	for v := range g.Values {
		if g.Values[v].Space == Param {
			p = append(p, Value(v))
		}
	}
	return p
}

// like adds a temporary value like another.
func (g *Graph) like(v Value) Value {
	return g.value(Info{Space: Activation, Rows: g.Values[v].Rows, Shape: g.Values[v].Shape})
}

// op appends an operation, with the outputs that its shape rule gives it.
func (g *Graph) op(d *Def, attr any, in ...Value) []Value {
	op := &Op{Def: d, In: in, Attr: attr}
	g.putOut(op)
	g.Ops = append(g.Ops, op)
	return op.Out
}

// putOut adds the outputs that the operation does not have yet.
func (g *Graph) putOut(op *Op) {
	for _, i := range g.shapes(op)[len(op.Out):] {
		op.Out = append(op.Out, g.value(i))
	}
}

// gradOf adds the gradient of one more use of a parameter; None when it is frozen, or no parameter.
func (g *Graph) gradOf(p Value) Value {
	if p == None || g.Values[p].Frozen || g.Values[p].Space != Param {
		return None
	}
	name := GradName(g.Values[p].Name, len(g.grads[p]))
	d := g.fixed(name, Grad, g.Values[p].Shape)
	g.grads[p] = append(g.grads[p], d)
	return d
}

// Grads returns the gradients of p, one for each use, in the order in which they
// are added: the head's before the embedding's.
func (g *Graph) Grads(p Value) []Value { return g.grads[p] }

// GradName names the gradient of use number use of a parameter.
func GradName(param string, use int) string {
	if use == 0 {
		return "grad/" + param
	}
	return fmt.Sprintf("grad/%s#%d", param, use+1)
}

// Batch is the input of one run: sequences of tokens, one after the other.
type Batch struct {
	IDs      []int32
	Targets  []int32 // the id to predict at each token, negative for none; nil without a loss
	Segments []Segment
	Select   []int32 // rows that Select picks
	// Copies are made one after the other before the segments are run.
	Copies []PageCopy
	// LossScale multiplies the sum of the losses before it is differentiated.
	LossScale float32
	// LossScales are factors of single tokens' losses in the place of LossScale; nil: none. The
	// losses of routers know LossScale alone.
	LossScales []float32
	// Balance has for each segment what an expert's probability adds to the loss, one number for each expert:
	// what RouterLoss takes with Pooled.
	Balance [][]float32
	// Seed writes the derivative of the caller's loss by each token's y to dy, in a graph with
	// BackwardSeeded: a run calls it once, when all of y is known.
	Seed func(y, dy []float32)
	// Update holds the numbers of an optimiser step.
	Update *Update
	Noise  *Noise // of dropout and NEFTune; nil: nothing is dropped, and no noise added
	// Stop is asked between operations; true ends the run there: what was written of keys and values is of
	// no use then, and there is no output. nil: it runs to its end. A graph that updates parameters is not stopped.
	Stop func() bool
}

// Segment is a run of tokens of one sequence.
type Segment struct {
	Rows  int
	Pos   int     // position of the first of them
	First []int32 // first position that each row may see (document mask); nil: 0
	// Pages are those in which the sequence's keys and values are kept, in order; Recent those of the layers
	// with a window, where a number below 0 stands for a page that no row of the segment sees.
	Pages, Recent []int32
	// Padding is the padding mask: which rows no query sees as keys; nil: none. Only segments
	// from position 0 on have one.
	Padding []bool
	// Adapter is the number of the adapter that SegmentLowRank adds to the rows, from 1; 0: none.
	Adapter int
}

// PageCopy brings the keys and values of the first rows of a page to another; Recent: of the layers with a
// window.
type PageCopy struct {
	From, To int32
	Rows     int
	Recent   bool
}

// Update holds one optimiser step's numbers, by parameter group.
type Update struct {
	LR   []float64
	Step int     // from 1
	Clip float64 // factor of all gradients
	// Clips are factors of single gradients, by the index of their Clip operation.
	Clips []float64
}

// Sequence returns a batch of n equally long sequences.
func Sequence(ids []int32, n int) *Batch {
	b := &Batch{IDs: ids}
	for range n {
		b.Segments = append(b.Segments, Segment{Rows: len(ids) / n})
	}
	return b
}

// Scale is the factor of a token's loss.
func (b *Batch) Scale(row int) float32 {
	if b.LossScales != nil {
		return b.LossScales[row]
	}
	return b.LossScale
}

// Positions returns the position of every token.
func (b *Batch) Positions() []int32 {
	p := make([]int32, 0, len(b.IDs))
	for _, s := range b.Segments {
		for i := range s.Rows {
			p = append(p, int32(s.Pos+i))
		}
	}
	return p
}

// RowsOf returns the rows of an adapter's segments, ascending.
func (b *Batch) RowsOf(adapter int) (rows []int32) {
	row := int32(0)
	for _, s := range b.Segments {
		for range s.Rows {
			if s.Adapter == adapter {
				rows = append(rows, row)
			}
			row++
		}
	}
	return rows
}

// Ends returns the row after each piece of at most cut tokens of a sequence.
func (b *Batch) Ends(cut int) []int {
	var e []int
	row := 0
	for _, s := range b.Segments {
		for n := s.Rows; n > 0; {
			k := min(n, cut)
			row, n = row+k, n-k
			e = append(e, row)
		}
	}
	return e
}
