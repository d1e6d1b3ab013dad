package graph

import (
	"fmt"
	"slices"
)

// part is a run of operations of the forward pass. The backward pass runs those that pick chooses
// once more.
type part struct {
	begin, end int
	pick       func(*Def) bool
}

// Recompute makes a part of the graph's last operations, from number begin on. What the operations
// of the part put out is not kept for the backward pass where pick chooses them: Backward appends
// them once more, right before the gradients that need it. The same operations give the same bits.
//
// Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost".
func (g *Graph) Recompute(begin int, pick func(*Def) bool) {
	g.parts = append(g.parts, part{begin, len(g.Ops), pick})
}

// Backward appends the gradients of the graph's loss: of every parameter that the
// head's loss depends on.
func (g *Graph) Backward() { g.backward(map[Value]Value{}) }

// BackwardSeeded appends the gradients of a loss that is a function of one number of each token,
// y (N, 1): Batch.Seed gives its derivatives.
func (g *Graph) BackwardSeeded(y Value) { g.BackwardFrom(y, g.op(Seed, nil, y)[0]) }

// BackwardFrom appends the gradients of Σ y·dy.
func (g *Graph) BackwardFrom(y, dy Value) { g.backward(map[Value]Value{y: dy}) }

// tape is a backward pass in the making. It goes through the forward pass from its last
// operation to its first, and appends to the same list:
//
//	forward:   a   b   c   loss         a and b are a part that is recomputed
//	backward:  a′  b′  ∂c  ∂b  ∂a       a′ and b′ are a and b once more
//
// The gradient ∂c of operation c reads what b puts out. It is given what b′ puts out instead, and
// the operations that this takes are appended right before it. So b's own output dies in the
// forward pass, as soon as c has read it, and the device's plan gives its storage to others.
type tape struct {
	*Graph
	grads map[Value]Value // the gradient of each value of the forward pass that has one so far
	// twin maps the values of the part that the pass is in, as the forward pass made them, to
	// the values that the same operations make when they run once more.
	twin map[Value]Value
	// maker is, for each twin that has not been made yet, the number of the operation that
	// makes it.
	maker map[Value]int
}

// enter begins with the gradients of a part: every operation that pick chooses gets twins for
// what it puts out. Which of them are made shows when gradients ask for them.
func (t *tape) enter(p part) {
	t.twin, t.maker = map[Value]Value{}, map[Value]int{}
	for i := p.begin; i < p.end; i++ {
		// A router's losses put out their gradient as they run; once more would count it twice.
		if op := t.Ops[i]; op.Def != RouterLoss && p.pick(op.Def) {
			for _, v := range op.Out {
				t.twin[v] = t.like(v)
				t.maker[t.twin[v]] = i
			}
		}
	}
}

// backward appends the gradients, given those of some values.
func (g *Graph) backward(grads map[Value]Value) {
	forward := len(g.Ops)
	g.differentiate(grads)
	g.prune(forward)
}

// prune takes off those operations from number begin on of which nothing comes: what only the
// gradient of a frozen parameter would have needed.
func (g *Graph) prune(begin int) {
	wanted := map[Value]bool{}
	for _, v := range g.Kept {
		wanted[v] = true
	}
	for i := len(g.Ops) - 1; i >= begin; i-- {
		op := g.Ops[i]
		if len(op.Writes()) == 0 && !slices.ContainsFunc(op.Out, func(v Value) bool { return wanted[v] }) {
			g.Ops = slices.Delete(g.Ops, i, i+1)
			continue
		}
		for _, v := range op.In {
			wanted[v] = true
		}
	}
}

func (g *Graph) differentiate(grads map[Value]Value) {
	t := &tape{Graph: g, grads: grads}
	parts := slices.Clone(g.parts)
	for i := len(g.Ops) - 1; i >= 0; i-- {
		if n := len(parts); n > 0 && i < parts[n-1].begin {
			t.twin, parts = nil, parts[:n-1]
		}
		if n := len(parts); n > 0 && i == parts[n-1].end-1 {
			t.enter(parts[n-1])
		}
		switch op := g.Ops[i]; op.Def {
		// The losses are not differentiated by operations of their own: they compute their
		// gradients in the forward pass, from what they hold then (the head never has all of
		// its logits at once). So these get the outputs and the sums of gradients that they lack.
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
			t.gradient(op)
		}
	}
}

// gradient appends the gradients of an operation of the forward pass, unless the loss does
// not depend on it.
func (t *tape) gradient(op *Op) {
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
	// Gradient appends operations that read twins. What makes these twins must come before, but
	// it is only known now: so the operations are taken off again, and each is appended after
	// what it needs. An operation may append several, which need different twins.
	n := len(t.Ops)
	dIn := op.Def.Gradient(t.Graph, t.withTwins(op), dOut)
	added := slices.Clone(t.Ops[n:])
	t.Ops = t.Ops[:n]
	for _, a := range added {
		t.supply(a.In)
		t.Ops = append(t.Ops, a)
	}
	for i, d := range dIn {
		if d != None {
			t.addGrad(op.In[i], d)
		}
	}
}

// withTwins returns an operation on the twins of its values, where they have such.
func (t *tape) withTwins(op *Op) *Op {
	replace := func(list []Value) []Value {
		list = slices.Clone(list)
		for i, v := range list {
			if w, ok := t.twin[v]; ok {
				list[i] = w
			}
		}
		return list
	}
	return &Op{Def: op.Def, In: replace(op.In), Out: replace(op.Out), Attr: op.Attr}
}

// supply appends the operations that make the twins among some values and have not run yet, and
// those that make the twins that these read, and so on, in the order of the forward pass. A
// value without a twin, or whose twin has been made, is there already and ends the search.
func (t *tape) supply(values []Value) {
	var missing []int
	for len(values) > 0 {
		var next []Value
		for _, v := range values {
			i, ok := t.maker[v]
			if !ok {
				continue
			}
			op := t.withTwins(t.Ops[i])
			for _, o := range op.Out { // all of its twins come at once
				delete(t.maker, o)
			}
			missing = append(missing, i)
			next = append(next, op.In...)
		}
		values = next
	}
	slices.Sort(missing)
	for _, i := range missing {
		t.Ops = append(t.Ops, t.withTwins(t.Ops[i]))
	}
}

// addGrad adds d to the gradient of v, which has one gradient for each operation that reads it.
func (t *tape) addGrad(v, d Value) {
	if old, ok := t.grads[v]; ok {
		d = t.Add(old, d)
	}
	t.grads[v] = d
}
