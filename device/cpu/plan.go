package cpu

import (
	"slices"

	"olmo/device"
	"olmo/graph"
)

// place is where a temporary value lies in the scratch area, in elements.
type place struct{ offset, stride int }

type plan struct {
	at   []place
	size int
}

// Scratch returns the bytes of temporary values that a graph needs, without
// compiling it.
func Scratch(g *graph.Graph, o device.Options) int64 {
	return int64(planMemory(g, fuse(g), o).size) * 4
}

// planMemory gives every temporary value a place. Values that do not live at the
// same time share storage; the parts of a split or a concatenation are columns of
// the whole.
func planMemory(g *graph.Graph, ops []*graph.Op, o device.Options) plan {
	n := len(g.Values)
	root := make([]graph.Value, n)
	col := make([]int, n)
	for v := range root {
		root[v] = graph.Value(v)
	}
	inside := make([]bool, n) // part of a concatenation or a split
	for _, op := range ops {
		switch op.Def {
		case graph.Split:
			c := 0
			for _, v := range op.Out {
				root[v], col[v], inside[v] = op.In[0], c, true
				c += g.Info(v).Cols()
			}
		case graph.Concat:
			c := 0
			for _, v := range op.In {
				if canPlace(g, op, v) && !inside[v] {
					root[v], col[v], inside[v] = op.Out[0], c, true
				}
				c += g.Info(v).Cols()
			}
		}
	}
	resolve := func(v graph.Value) (graph.Value, int) {
		c := 0
		for root[v] != v {
			c += col[v]
			v = root[v]
		}
		return v, c
	}
	first, last := make([]int, n), make([]int, n)
	for v := range first {
		first[v] = -1
	}
	touch := func(v graph.Value, i int) {
		if v == graph.None || g.Info(v).Space != graph.Activation {
			return
		}
		r, _ := resolve(v)
		if first[r] < 0 {
			first[r] = i
		}
		last[r] = i
	}
	for i, op := range ops {
		for _, v := range op.In {
			touch(v, i)
		}
		for _, v := range op.Out {
			touch(v, i)
		}
	}
	for _, v := range g.Kept {
		r, _ := resolve(v)
		last[r] = len(ops)
	}
	size := func(v graph.Value) int {
		i := g.Info(v)
		rows := o.Rows
		if i.Rows == graph.Selected {
			rows = o.Selected
		}
		return (i.Size(rows) + 15) &^ 15
	}
	var live []graph.Value
	for v := range n {
		if first[v] >= 0 && root[v] == graph.Value(v) {
			live = append(live, graph.Value(v))
		}
	}
	// Largest first, each at the lowest offset that is free for its whole life.
	slices.SortStableFunc(live, func(a, b graph.Value) int { return size(b) - size(a) })
	p := plan{at: make([]place, n)}
	var placed []graph.Value // by offset
	for _, v := range live {
		off := 0
		for _, w := range placed {
			if last[w] < first[v] || last[v] < first[w] {
				continue
			}
			if begin := p.at[w].offset; off+size(v) <= begin {
				break
			} else {
				off = max(off, begin+size(w))
			}
		}
		p.at[v] = place{off, g.Info(v).Cols()}
		p.size = max(p.size, off+size(v))
		i, _ := slices.BinarySearchFunc(placed, off, func(w graph.Value, off int) int { return p.at[w].offset - off })
		placed = slices.Insert(placed, i, v)
	}
	for v := range n {
		if r, c := resolve(graph.Value(v)); r != graph.Value(v) {
			p.at[v] = place{p.at[r].offset + c, p.at[r].stride}
		}
	}
	return p
}

// canPlace reports whether part v of a concatenation may be computed right where the
// whole lies: it is temporary, and a part only once.
func canPlace(g *graph.Graph, op *graph.Op, v graph.Value) bool {
	if g.Info(v).Space != graph.Activation {
		return false
	}
	n := 0
	for _, w := range op.In {
		if w == v {
			n++
		}
	}
	return n == 1
}

// fuse lets products add the residual that an addition right after would add: the
// same bits, one pass over memory less.
func fuse(g *graph.Graph) []*graph.Op {
	uses, made := map[graph.Value]int{}, map[graph.Value]int{}
	for i, op := range g.Ops {
		for _, v := range op.In {
			uses[v]++
		}
		for _, v := range op.Out {
			made[v] = i
		}
	}
	for _, v := range g.Kept {
		uses[v]++
	}
	dropped := map[*graph.Op]bool{}
	replaced := map[*graph.Op]*graph.Op{}
	for i, op := range g.Ops {
		if op.Def != graph.Add || dropped[op] {
			continue
		}
		for side := range 2 {
			y, r := op.In[side], op.In[1-side]
			j, ok := made[y]
			if !ok || y == r || uses[y] != 1 || i != j+1 || made[r] > j {
				continue
			}
			if p := g.Ops[j]; p.Def == graph.Linear || p.Def == linearDX {
				in := append(slices.Clone(p.In), r)
				replaced[p] = &graph.Op{Def: p.Def, In: in, Out: op.Out}
				dropped[op] = true
				break
			}
		}
	}
	var ops []*graph.Op
	for _, op := range g.Ops {
		switch {
		case dropped[op]:
		case replaced[op] != nil:
			ops = append(ops, replaced[op])
		default:
			ops = append(ops, op)
		}
	}
	return ops
}

var linearDX = graph.All["linear.dx"]

// groupMuon finds updates by Muon that can run as one step, at the place of the first:
// those whose values no operation in between has to do with. It returns the groups by
// their first operation, and the operations that go with another.
func groupMuon(ops []*graph.Op) (groups map[*graph.Op][]*graph.Op, later map[*graph.Op]bool) {
	groups, later = map[*graph.Op][]*graph.Op{}, map[*graph.Op]bool{}
	var first *graph.Op
	between := map[graph.Value]bool{}
	for _, op := range ops {
		if op.Def == graph.Muon && !slices.ContainsFunc(op.In, func(v graph.Value) bool { return between[v] }) {
			if first == nil {
				first = op
			} else {
				later[op] = true
			}
			groups[first] = append(groups[first], op)
			continue
		}
		if first != nil {
			for _, v := range slices.Concat(op.In, op.Out) {
				between[v] = true
			}
		}
	}
	return groups, later
}
