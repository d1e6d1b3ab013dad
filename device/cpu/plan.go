package cpu

import (
	"slices"

	"olmo/device"
	"olmo/device/cpu/kernel"
	"olmo/graph"
	"olmo/internal/parallel"
	"olmo/numeric"
)

// region is where a temporary value lies in the scratch area, in elements: row r, column c at
// offset + r·stride + c.
type region struct{ offset, stride int }

// plan says where the temporary values of a program lie.
type plan struct {
	at   []region          // of each value
	room map[*graph.Op]int // where an operation finds room for what it needs while it runs
	size int               // of the scratch area
}

// Needs returns what a device takes that runs these graphs, without compiling them.
// stepRows is the most tokens between two clearings of the gradients.
func Needs(o device.Options, stepRows int, graphs ...*graph.Graph) device.Memory {
	var m device.Memory
	known, sparse := map[string]bool{}, map[string]bool{}
	for _, g := range graphs {
		for v := range denseGrads(g) {
			sparse[g.Info(v).Name] = false
		}
	}
	for _, g := range graphs {
		for v := range g.Values {
			i := &g.Values[v]
			if known[i.Name] {
				continue
			}
			n := int64(i.Size(1))
			switch i.Space {
			case graph.Param:
				m.Params += 4 * n
			case graph.Grad:
				// A table's gradient as rows takes those that the step meets, up to twice as
				// many since it grows by doubling, and a number for each row of the table.
				if _, dense := sparse[i.Name]; !dense {
					n = min(n, int64(2*stepRows*i.Cols())) + n/int64(i.Cols())
				}
				m.Grads += 4 * n
			case graph.State:
				m.State += 4 * n
			default:
				continue
			}
			known[i.Name] = true
		}
		ops := fuse(g, o)
		m.Scratch = max(m.Scratch, 4*int64(planMemory(g, ops, o).size))
		m.Buffers = max(m.Buffers, buffers(g, ops, o))
	}
	return m
}

// buffers estimates what the kernels keep for themselves: what each thread works on, and
// the largest of what is packed or copied as a whole.
func buffers(g *graph.Graph, ops []*graph.Op, o device.Options) int64 {
	threads := parallel.Threads()
	// What a thread keeps is an estimate from measurements (benchmarks/2026-11-23-memory.md); a
	// packed element is one float32 or two bf16 values.
	thread, packed, numbers := 2<<20, 0, 1
	if o.Precision.Rounds() {
		thread = 6 << 20
	}
	if o.Precision == numeric.AMPBF16 {
		numbers = 2
	}
	for _, op := range ops {
		n := 0
		switch a := op.Attr.(type) {
		case *graph.HeadLossAttr, *graph.HeadAttr:
			n = min(o.Rows, 2*numeric.Cut) * g.Info(headWeight(op)).Cols()
			n += n / numbers // tokens that have a target, and they packed
		case *graph.LowRankAttr:
			n = min(o.Rows, 2*numeric.Cut) * g.Info(op.In[0]).Cols()
		case *graph.SegmentLowRankAttr:
			n = min(o.Rows, numeric.Cut) * (g.Info(op.In[0]).Cols() + g.Info(op.In[1]).Cols())
		case *graph.ExpertsAttr:
			n = 2 * o.Rows * a.K / a.E * (3*a.C + 6*a.F) // some experts get twice their share
		case *graph.MuonAttr:
			s := g.Info(op.In[0]).Shape
			rows, cols := min(s[0]/a.Blocks, s[1]), max(s[0]/a.Blocks, s[1])
			n = threads * rows * (2*cols + 3*rows)
		default:
			if op.Def == linearDW {
				n = o.Rows * g.Info(op.In[1]).Cols() / numbers
			}
		}
		packed = max(packed, n)
	}
	return int64(threads*thread) + 4*int64(packed+packed/8) // buffers grow by an eighth more than they need
}

// planMemory gives every temporary value a region of the scratch area, in three steps that each
// make it smaller and change no bit:
//
//   - view: the parts of a split or a concatenation are columns of the whole, so that neither
//     costs a copy;
//   - overlay: what an operation puts out may lie on an input that dies there;
//   - assign: values that do not live at the same time share storage.
//
// The first two only say which value lies in which; a value that lies in none is a root and gets
// storage in the third.
func planMemory(g *graph.Graph, ops []*graph.Op, o device.Options) plan {
	l := newLayout(g, ops)
	l.view()
	l.overlay()
	return l.assign(o)
}

// layout is a plan in the making: which values lie inside which, and how long they live.
type layout struct {
	g   *graph.Graph
	ops []*graph.Op
	// root[v] is the value in which v lies, from column col[v] on; itself for a value with
	// storage of its own.
	root []graph.Value
	col  []int
	// first and last are the numbers of the first and the last operation that reads or writes
	// the value: its life. A value that is kept lives on after the last operation.
	first, last []int
	temps       []graph.Value // that any operation has to do with
}

func newLayout(g *graph.Graph, ops []*graph.Op) *layout {
	n := len(g.Values)
	l := &layout{g: g, ops: ops, root: make([]graph.Value, n), col: make([]int, n), first: make([]int, n), last: make([]int, n)}
	for v := range n {
		l.root[v], l.first[v], l.last[v] = graph.Value(v), len(ops), -1
	}
	for i, op := range ops {
		for _, v := range slices.Concat(op.In, op.Out) {
			if l.temporary(v) {
				l.first[v], l.last[v] = min(l.first[v], i), i
			}
		}
	}
	for _, v := range g.Kept {
		l.last[v] = len(ops)
	}
	for v := range n {
		if l.last[v] >= 0 {
			l.temps = append(l.temps, graph.Value(v))
		}
	}
	return l
}

func (l *layout) temporary(v graph.Value) bool {
	return v != graph.None && l.g.Info(v).Space == graph.Activation
}

// resolve returns the value whose storage v lies in, and v's first column there.
func (l *layout) resolve(v graph.Value) (root graph.Value, col int) {
	for l.root[v] != v {
		col += l.col[v]
		v = l.root[v]
	}
	return v, col
}

// put lets x, which has storage of its own, lie in y from a column on.
func (l *layout) put(x, y graph.Value, col int) { l.root[x], l.col[x] = y, col }

// view puts the parts of splits and concatenations into the whole:
//
//	qkv, N×(q+k+v):  row 0 | q q q | k k | v v |
//	                 row 1 | q q q | k k | v v |
//
// q is the region at qkv's offset with qkv's stride. Kernels take matrices with a stride, so the
// operations that read or write a part need not know.
func (l *layout) view() {
	inside := make([]bool, len(l.root))
	for _, op := range l.ops {
		c := 0
		switch op.Def {
		case graph.Split:
			for _, v := range op.Out {
				l.put(v, op.In[0], c)
				inside[v] = true
				c += l.g.Info(v).Cols()
			}
		case graph.Concat:
			for _, v := range op.In {
				// A value can lie in one whole alone; a second concatenation copies it.
				if canView(l.g, op, v) && !inside[v] {
					l.put(v, op.Out[0], c)
					inside[v] = true
				}
				c += l.g.Info(v).Cols()
			}
		}
	}
}

// overwrites names the inputs that an operation's first output may lie on: its kernel
// reads an element there, or a row, before it writes it. Products and attention are not among
// them, since each of their outputs needs whole rows and columns of the inputs; nor is what reads
// an input a second time, such as the dy of relu.backward's kernel after it has cleared the output.
var overwrites = map[*graph.Def][]int{
	graph.Add:                       {0, 1},
	graph.Bias:                      {0},
	graph.Clamp:                     {0},
	graph.Scale:                     {0},
	graph.LowRank:                   {0},
	graph.SegmentLowRank:            {0},
	graph.Dropout:                   {0},
	graph.NEFTune:                   {0},
	graph.Rotary:                    {0},
	graph.RMSNorm:                   {0},
	graph.LayerNorm:                 {0},
	graph.GELU:                      {0},
	graph.GELUTanh:                  {0},
	graph.ReLU:                      {0},
	graph.Softcap:                   {0},
	graph.All["softcap.backward"]:   {0, 1},
	graph.All["geglu.backward"]:     {1},
	graph.All["clamp.backward"]:     {0, 1},
	graph.All["gelu.backward"]:      {0, 1},
	graph.All["gelu_tanh.backward"]: {0, 1},
	graph.All["relu.backward"]:      {1},
	graph.All["swiglu.backward"]:    {1},
}

// overlay puts what an operation puts out onto an input that dies there.
func (l *layout) overlay() {
	for i, op := range l.ops {
		for _, k := range overwrites[op.Def] {
			if x := op.In[k]; l.temporary(x) && l.canOverlay(i, k) {
				y := op.Out[0]
				rx, cx := l.resolve(x)
				if ry, cy := l.resolve(y); ry == y {
					l.put(y, rx, cx)
				} else { // y is a part of something: then x, which is a root, goes there
					l.put(x, ry, cy)
				}
				break
			}
		}
	}
}

// canOverlay reports whether the first output of operation i may lie on its input k: of
// what shares their columns, one side is not needed any more and the other not yet.
func (l *layout) canOverlay(i, k int) bool {
	op := l.ops[i]
	x, y := op.In[k], op.Out[0]
	rx, cx := l.resolve(x)
	ry, cy := l.resolve(y)
	cols := l.g.Info(x).Cols()
	// Only a root can be put somewhere, and only where a row has the same columns.
	if rx == ry || ry != y && rx != x || cols != l.g.Info(y).Cols() || l.g.Info(x).Rows != l.g.Info(y).Rows {
		return false
	}
	// The kernel may overwrite input k element by element, but no other input: that one may be
	// read at an element that has been written already.
	for j, v := range op.In {
		if j != k && l.temporary(v) {
			if r, _ := l.resolve(v); r == rx || r == ry {
				return false
			}
		}
	}
	// Whatever shares columns of x's storage with x must be dead after operation i, and whatever
	// shares columns of y's storage with y must not be alive before: a neighbour in other columns
	// does not matter. begin and end are the lives of the two storages as a whole.
	endX, endY, beginX, beginY := -1, -1, len(l.ops), len(l.ops)
	for _, w := range l.temps {
		r, c := l.resolve(w)
		switch shares := func(at int) bool { return c < at+cols && at < c+l.g.Info(w).Cols() }; r {
		case rx:
			if shares(cx) && l.last[w] > i {
				return false
			}
			endX, beginX = max(endX, l.last[w]), min(beginX, l.first[w])
		case ry:
			if shares(cy) && l.first[w] < i {
				return false
			}
			endY, beginY = max(endY, l.last[w]), min(beginY, l.first[w])
		}
	}
	// A part keeps the whole alive, which may be many times its size. So y may lie in a part of a
	// larger whole only if it dies no later than the whole does in any case, and x only if it is
	// not made before.
	if ry == y {
		return l.g.Info(rx).Cols() == cols || endY <= endX
	}
	return l.g.Info(ry).Cols() == cols || beginX >= beginY
}

// block is a piece of the scratch area that is taken from one operation to another.
type block struct {
	first, last, size int
	put               func(offset int)
}

// assign finds room in the scratch area. To pack blocks of given lives into the least memory is
// hard in general; largest first at the lowest free offset takes, for transformers of 2 and 12
// layers, trained with and without recomputation, just the largest sum of what lives at one time.
func (l *layout) assign(o device.Options) plan {
	p := plan{at: make([]region, len(l.root)), room: map[*graph.Op]int{}}
	var blocks []block
	at := map[graph.Value]int{} // of a root, its block, which all that lies in it shares
	for _, v := range l.temps {
		r, _ := l.resolve(v)
		i, ok := at[r]
		if !ok {
			info := l.g.Info(r)
			rows := o.Rows
			if info.Rows == graph.Selected {
				rows = o.Selected
			}
			i, at[r] = len(blocks), len(blocks)
			blocks = append(blocks, block{l.first[v], l.last[v], info.Size(rows), func(offset int) { p.at[r] = region{offset, info.Cols()} }})
		}
		b := &blocks[i]
		b.first, b.last = min(b.first, l.first[v]), max(b.last, l.last[v])
	}
	for i, op := range l.ops {
		if w := headWeight(op); w != graph.None {
			n := kernel.HeadRoom(o.Rows, l.g.Info(w).Shape[0])
			blocks = append(blocks, block{i, i, n, func(offset int) { p.room[op] = offset }})
		}
	}
	for i := range blocks {
		blocks[i].size = (blocks[i].size + 15) &^ 15 // whole cache lines
	}
	// Largest first, each at the lowest offset that is free for its whole life.
	slices.SortStableFunc(blocks, func(a, b block) int { return b.size - a.size })
	type placed struct {
		block
		offset int
	}
	var done []placed // by offset
	for _, b := range blocks {
		off := 0
		for _, d := range done {
			if d.last < b.first || b.last < d.first {
				continue // they do not live at the same time
			}
			if off+b.size <= d.offset {
				break // it fits into the gap before d
			}
			off = max(off, d.offset+d.size)
		}
		b.put(off)
		p.size = max(p.size, off+b.size)
		i, _ := slices.BinarySearchFunc(done, off, func(d placed, off int) int { return d.offset - off })
		done = slices.Insert(done, i, placed{b, off})
	}
	for v := range l.root {
		if r, c := l.resolve(graph.Value(v)); r != graph.Value(v) {
			p.at[v] = region{p.at[r].offset + c, p.at[r].stride}
		}
	}
	return p
}

// canView reports whether part v of a concatenation may be computed right where the
// whole lies: it is temporary, and a part only once. One column is a vector to the kernels,
// without gaps between its rows.
func canView(g *graph.Graph, op *graph.Op, v graph.Value) bool {
	if g.Info(v).Space != graph.Activation || g.Info(v).Cols() == 1 {
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
// same bits, one pass over memory less. y + r may be computed in the product that makes y when
// nobody else wants y, when r has been made before the product runs, and when the addition comes
// right after, so that nothing in between has written over r. AdamW clears its gradient.
//
// In a frozen program, whose weights nothing writes, the products of one left operand run together: one
// after the other, each of few rows, they would wait for all threads each time. Such an operation has a
// weight for each output.
func fuse(g *graph.Graph, o device.Options) []*graph.Op {
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
	clearGradients(g, dropped, replaced)
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
	if o.Frozen {
		return together(ops)
	}
	return ops
}

// together puts products of one left operand in the place of the first of them.
func together(ops []*graph.Op) []*graph.Op {
	first := map[graph.Value]*graph.Op{} // by the left operand
	var out []*graph.Op
	for _, op := range ops {
		if op.Def != graph.Linear || len(op.In) > 2 { // with a residual, which may be made in between
			out = append(out, op)
			continue
		}
		x := op.In[0]
		if f := first[x]; f != nil {
			f.In, f.Out = append(f.In, op.In[1]), append(f.Out, op.Out[0])
			continue
		}
		first[x] = &graph.Op{Def: op.Def, In: slices.Clone(op.In), Out: slices.Clone(op.Out)}
		out = append(out, first[x])
	}
	return out
}

// clearGradients lets AdamW clear the gradient that it has just read, where clearing it is all that
// happens to it afterwards: a fifth input is the gradient to clear.
func clearGradients(g *graph.Graph, dropped map[*graph.Op]bool, replaced map[*graph.Op]*graph.Op) {
	last, uses := map[graph.Value]*graph.Op{}, map[graph.Value]int{}
	for _, op := range g.Ops {
		for _, v := range op.In {
			last[v] = op
			uses[v]++
		}
	}
	for _, op := range g.Ops {
		if op.Def != graph.AdamW {
			continue
		}
		if grad := op.In[1]; last[grad].Def == graph.Zero && uses[grad] == 2 {
			replaced[op] = &graph.Op{Def: op.Def, In: append(slices.Clone(op.In), grad), Attr: op.Attr}
			dropped[last[grad]] = true
		}
	}
}

var (
	linearDX       = graph.All["linear.dx"]
	linearDW       = graph.All["linear.dw"]
	gatherBackward = graph.All["gather.backward"]
	headBackward   = graph.All["head.backward"]

	expertsBackward = graph.All["experts.backward"]

	lowRankBackward = graph.All["low_rank.backward"]
)

// headWeight returns the matrix of an operation that computes logits, None for any other.
func headWeight(op *graph.Op) graph.Value {
	switch op.Def {
	case graph.HeadLoss, graph.Head:
		return op.In[1]
	case headBackward:
		return op.In[2]
	}
	return graph.None
}

// storedInputs are the inputs of operations that may be kept as they are stored: right operands of
// products, and tables of ids.
var storedInputs = map[*graph.Def]func(op *graph.Op, i int) bool{
	graph.Linear:         func(_ *graph.Op, i int) bool { return i == 1 },
	linearDX:             func(_ *graph.Op, i int) bool { return i == 1 },
	graph.Gather:         func(_ *graph.Op, i int) bool { return i == 0 },
	graph.HeadLoss:       func(_ *graph.Op, i int) bool { return i == 1 },
	graph.Head:           func(_ *graph.Op, i int) bool { return i == 1 },
	headBackward:         func(_ *graph.Op, i int) bool { return i == 2 },
	graph.Experts:        func(_ *graph.Op, i int) bool { return i >= 2 },
	graph.SegmentLowRank: func(_ *graph.Op, i int) bool { return i >= 2 },
	expertsBackward:      func(op *graph.Op, i int) bool { return i >= 4 && i < 4+3*op.Attr.(*graph.ExpertsAttr).E },
}

// plainParams finds the parameters of which an operation wants the float32.
func plainParams(g *graph.Graph) map[graph.Value]bool {
	plain := map[graph.Value]bool{}
	for _, op := range g.Ops {
		for i, v := range op.In {
			if v != graph.None && g.Info(v).Space == graph.Param && (storedInputs[op.Def] == nil || !storedInputs[op.Def](op, i)) {
				plain[v] = true
			}
		}
	}
	return plain
}

// pagedStates finds the caches of keys and values, which are kept in pages, with their operations.
func pagedStates(g *graph.Graph) map[graph.Value]*graph.Op {
	paged := map[graph.Value]*graph.Op{}
	for _, op := range g.Ops {
		if op.Def == graph.CachedAttention {
			paged[op.In[3]], paged[op.In[4]] = op, op
		}
	}
	return paged
}

// denseGrads finds the gradients of which operations want all elements: all but
// lookups, the sum with another use's gradient, and clearing. The others are tables of which a
// step touches a few rows, and are kept as these rows; see sparse.
func denseGrads(g *graph.Graph) map[graph.Value]bool {
	dense := map[graph.Value]bool{}
	for _, op := range g.Ops {
		for i, v := range op.In {
			if v != graph.None && g.Info(v).Space == graph.Grad && op.Def != graph.Zero && (op.Def != gatherBackward && op.Def != graph.Accumulate || i != 1) {
				dense[v] = true
			}
		}
	}
	return dense
}

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
