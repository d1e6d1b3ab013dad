package graph

import (
	"fmt"
	"slices"
)

// part is a run of operations of the forward pass of which pick chooses those that run
// again.
type part struct {
	begin, end int
	pick       func(*Def) bool
}

// Recompute makes the operations from number begin on, so far, a part of the graph of
// which pick chooses operations that Backward appends once more, before the gradients of
// the part that need what they put out, so that it need not be kept. The same operations
// give the same bits.
//
// Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost".
func (g *Graph) Recompute(begin int, pick func(*Def) bool) {
	g.parts = append(g.parts, part{begin, len(g.Ops), pick})
}

// Backward appends the gradients of the graph's loss: of every parameter that the
// head's loss depends on.
func (g *Graph) Backward() { g.backward(map[Value]Value{}) }

// BackwardFrom appends the gradients of Σ y·dy; tests use it.
func (g *Graph) BackwardFrom(y, dy Value) { g.backward(map[Value]Value{y: dy}) }

// tape is a backward pass in the making.
type tape struct {
	*Graph
	grads map[Value]Value // of the forward pass's values
	// again are the values of the present part that operations put out when they run again,
	// in place of those that they put out the first time; maker is the number of that
	// operation, until it has been appended.
	again map[Value]Value
	maker map[Value]int
}

// enter begins with the gradients of a part.
func (t *tape) enter(p part) {
	t.again, t.maker = map[Value]Value{}, map[Value]int{}
	for i := p.begin; i < p.end; i++ {
		// The losses of a router differentiate themselves as they go.
		if op := t.Ops[i]; op.Def != RouterLoss && p.pick(op.Def) {
			for _, v := range op.Out {
				t.again[v] = t.like(v)
				t.maker[t.again[v]] = i
			}
		}
	}
}

func (g *Graph) backward(grads map[Value]Value) {
	t := &tape{Graph: g, grads: grads}
	parts := slices.Clone(g.parts)
	for i := len(g.Ops) - 1; i >= 0; i-- {
		if n := len(parts); n > 0 && i < parts[n-1].begin {
			t.again, parts = nil, parts[:n-1]
		}
		if n := len(parts); n > 0 && i == parts[n-1].end-1 {
			t.enter(parts[n-1])
		}
		switch op := g.Ops[i]; op.Def {
		case HeadLoss:
			a := op.Attr.(*HeadLossAttr)
			if a.Backward {
				panic("graph: Backward called twice")
			}
			a.Backward = true
			for _, p := range op.In[1:] {
				op.In = append(op.In, g.gradOf(p))
			}
			g.putOut(op)
			t.addGrad(op.In[0], op.Out[2])
		case RouterLoss:
			op.Attr.(*RouterLossAttr).Backward = true
			g.putOut(op)
			t.addGrad(op.In[0], op.Out[2])
		default:
			t.differentiate(op)
		}
	}
}

// differentiate appends the gradients of an operation of the forward pass.
func (t *tape) differentiate(op *Op) {
	dOut := make([]Value, len(op.Out))
	any := false
	for i, o := range op.Out {
		dOut[i] = None
		if d, ok := t.grads[o]; ok {
			dOut[i], any = d, true
		}
	}
	if !any {
		return
	}
	if op.Def.Gradient == nil {
		panic(fmt.Sprintf("graph: %s has no gradient", op.Def.Name))
	}
	n := len(t.Ops)
	dIn := op.Def.Gradient(t.Graph, t.now(op), dOut)
	added := slices.Clone(t.Ops[n:])
	t.Ops = t.Ops[:n]
	for _, a := range added {
		t.repeat(a.In)
		t.Ops = append(t.Ops, a)
	}
	for i, d := range dIn {
		if d != None {
			t.addGrad(op.In[i], d)
		}
	}
}

// now returns an operation with the values that the backward pass has in place of those
// of the forward pass.
func (t *tape) now(op *Op) *Op {
	replace := func(list []Value) []Value {
		list = slices.Clone(list)
		for i, v := range list {
			if w, ok := t.again[v]; ok {
				list[i] = w
			}
		}
		return list
	}
	return &Op{Def: op.Def, In: replace(op.In), Out: replace(op.Out), Attr: op.Attr}
}

// repeat appends the operations that put out values of the backward pass, and those
// that these need in turn, in the order of the forward pass.
func (t *tape) repeat(values []Value) {
	var missing []int
	for len(values) > 0 {
		var next []Value
		for _, v := range values {
			i, ok := t.maker[v]
			if !ok {
				continue
			}
			op := t.now(t.Ops[i])
			for _, o := range op.Out {
				delete(t.maker, o)
			}
			missing = append(missing, i)
			next = append(next, op.In...)
		}
		values = next
	}
	slices.Sort(missing)
	for _, i := range missing {
		t.Ops = append(t.Ops, t.now(t.Ops[i]))
	}
}

func (t *tape) addGrad(v, d Value) {
	if old, ok := t.grads[v]; ok {
		d = t.Add(old, d)
	}
	t.grads[v] = d
}
