package cpu

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"olmo/device"
	"olmo/device/cpu/kernel"
	"olmo/graph"
)

// graphs are the test cases of every operation with their gradients, and a small
// transformer.
func graphs() map[string]func(g *graph.Graph) *graph.Batch {
	all := map[string]func(g *graph.Graph) *graph.Batch{}
	withLoss := func(b *graph.Batch) *graph.Batch {
		b.LossScale = 0.5
		if b.Targets == nil {
			for i := range b.IDs {
				b.Targets = append(b.Targets, int32(i*5%13)-1)
			}
		}
		return b
	}
	for name, d := range graph.All {
		for _, c := range d.Cases {
			for _, backward := range []bool{false, true} {
				if backward && d.Gradient == nil {
					continue
				}
				all[fmt.Sprintf("%s/%s/%v", name, c.Name, backward)] = func(g *graph.Graph) *graph.Batch {
					y := c.Build(g)
					if y != graph.None {
						g.Keep(y, "y")
					}
					if backward {
						g.HeadLoss(y, g.Param("head", 12, g.Info(y).Cols()), 0.01)
						g.Backward()
					}
					return withLoss(c.Batch())
				}
			}
		}
	}
	every := func(*graph.Def) bool { return true }
	none := func(*graph.Def) bool { return false }
	for name, pick := range map[string]func(*graph.Def) bool{"kept": none, "again": every} {
		for _, backward := range []bool{false, true} {
			all[fmt.Sprintf("transformer/%s/%v", name, backward)] = func(g *graph.Graph) *graph.Batch {
				const C, V, H = 12, 16, 2
				table := g.Param("table", V, C)
				cos, sin := make([]float32, 20*3), make([]float32, 20*3)
				for i := range cos {
					s, c := math.Sincos(float64(i) / 7)
					cos[i], sin[i] = float32(c), float32(s)
				}
				tc, ts := g.Const("cos", cos, 20, 3), g.Const("sin", sin, 20, 3)
				x := g.Gather(table)
				for l := range 3 {
					begin := len(g.Ops)
					w := func(name string, rows, cols int) graph.Value {
						return g.Param(fmt.Sprintf("%d.%s", l, name), rows, cols)
					}
					n := g.LayerNorm(x, graph.None, graph.None, 1e-5)
					qkv := g.Split(g.Clamp(g.Linear(n, w("qkv", 3*C, C)), 0.9), C, C, C)
					a := g.Attention(g.Rotary(qkv[0], tc, ts, C/H), g.Rotary(qkv[1], tc, ts, C/H), qkv[2], graph.AttentionAttr{H: H, KV: H, D: C / H, Scale: 0.4})
					x = g.Add(x, g.Linear(a, w("out", C, C)))
					n = g.RMSNorm(x, w("norm", 1, C), 1e-5)
					x = g.Add(x, g.Linear(g.SwiGLU(g.Concat(g.Linear(n, w("up", 10, C)), g.Linear(n, w("gate", 10, C)))), w("down", C, 10)))
					g.Recompute(begin, pick)
				}
				g.Keep(x, "x")
				ce, lse := g.HeadLoss(x, table, 0.01)
				g.Keep(ce, "ce")
				g.Keep(lse, "lse")
				if backward {
					g.Backward()
				}
				return withLoss(graph.Sequence([]int32{3, 7, 1, 15, 4, 4, 0, 9, 12, 2, 5, 11, 7, 7}, 2))
			}
		}
	}
	return all
}

// TestPlan follows what every element of the scratch area holds from operation to
// operation: each finds its inputs as they were made.
func TestPlan(t *testing.T) {
	for name, build := range graphs() {
		t.Run(name, func(t *testing.T) {
			g := graph.New()
			b := build(g)
			for _, frozen := range []bool{false, true} {
				o := device.Options{Rows: len(b.IDs), Selected: len(b.Select), Frozen: frozen}
				ops := fuse(g, o)
				checkPlan(t, g, ops, planMemory(g, ops, o), o)
			}
		})
	}
}

// element is one number of a value.
type element struct {
	v        graph.Value
	row, col int
}

func checkPlan(t *testing.T, g *graph.Graph, ops []*graph.Op, p plan, o device.Options) {
	t.Helper()
	holds := make([]element, p.size)
	same := map[element]element{} // the parts of splits and concatenations
	identity := func(e element) element {
		for {
			f, ok := same[e]
			if !ok {
				return e
			}
			e = f
		}
	}
	each := func(v graph.Value, f func(at int, e element)) {
		if v == graph.None || g.Info(v).Space != graph.Activation {
			return
		}
		rows := o.Rows
		if g.Info(v).Rows == graph.Selected {
			rows = o.Selected
		}
		for r := range rows {
			for c := range g.Info(v).Cols() {
				f(p.at[v].offset+r*p.at[v].stride+c, element{v, r, c})
			}
		}
	}
	check := func(v graph.Value, when string) {
		each(v, func(at int, e element) {
			if got := holds[at]; got != identity(e) {
				t.Fatalf("%s: row %d, column %d of value %d is gone: value %d lies there", when, e.row, e.col, v, got.v)
			}
		})
	}
	for i, op := range ops {
		when := fmt.Sprintf("operation %d, %s", i, op.Def.Name)
		for _, v := range op.In {
			check(v, when)
		}
		if op.Def == graph.Split || op.Def == graph.Concat {
			whole, parts := op.In, op.Out
			if op.Def == graph.Concat {
				whole, parts = op.Out, op.In
			}
			from := 0
			for _, part := range parts {
				each(part, func(at int, e element) {
					w := element{whole[0], e.row, from + e.col}
					place := p.at[w.v].offset + w.row*p.at[w.v].stride + w.col
					switch {
					case op.Def == graph.Split:
						same[e] = identity(w)
					case place == at:
						same[w] = identity(e)
					default:
						holds[place] = w
					}
				})
				from += g.Info(part).Cols()
			}
			continue
		}
		written := map[int]bool{}
		if room, ok := p.room[op]; ok {
			for at := room; at < room+kernel.HeadRoom(o.Rows, g.Info(headWeight(op)).Shape[0]); at++ {
				holds[at] = element{v: graph.None}
			}
			for _, v := range op.In {
				check(v, when+", after what it needs while it runs")
			}
		}
		for _, v := range op.Out {
			each(v, func(at int, e element) {
				if written[at] {
					t.Fatalf("%s: two outputs share a place", when)
				}
				if room, ok := p.room[op]; ok && at >= room && at < room+kernel.HeadRoom(o.Rows, g.Info(headWeight(op)).Shape[0]) {
					t.Fatalf("%s: an output lies where it works", when)
				}
				written[at], holds[at] = true, e
			})
		}
		if len(overwrites[op.Def]) == 0 {
			for _, v := range op.In {
				check(v, when+", which may not write on its inputs")
			}
		}
	}
	for _, v := range g.Kept {
		check(v, "at the end")
	}
}

// TestOverlay compares the bits with those of plans in which no output lies on an input,
// and says how much of the memory that saves.
func TestOverlay(t *testing.T) {
	var apart, over int
	for name, build := range graphs() {
		run := func() (map[string][]float32, int) {
			g := graph.New()
			b := build(g)
			d, err := New()
			if err != nil {
				t.Fatal(err)
			}
			p, err := d.Compile(g, device.Options{Rows: len(b.IDs), Selected: len(b.Select)})
			if err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(1, 2))
			for _, name := range slices.Sorted(maps.Keys(d.values)) {
				if v := d.values[name]; v.space == graph.Param {
					for i := range v.data {
						v.data[i] = float32(r.NormFloat64())
					}
				}
			}
			for i := range d.scratch { // what is not written must not be read
				d.scratch[i] = float32(math.NaN())
			}
			if err := p.Run(b); err != nil {
				t.Fatal(err)
			}
			got := map[string][]float32{}
			for _, v := range g.Kept {
				got[g.Info(v).Name] = p.Output(g.Info(v).Name)
			}
			for name, v := range d.values {
				if err := d.fill(v); err != nil {
					t.Fatal(err)
				}
				got[name] = v.data
			}
			return got, len(d.scratch)
		}
		got, n := run()
		over += n
		saved := overwrites
		overwrites = nil
		want, n := run()
		overwrites = saved
		apart += n
		for v, w := range want {
			for i := range w {
				if math.Float32bits(got[v][i]) != math.Float32bits(w[i]) {
					t.Fatalf("%s: %s[%d] = %v, in storage of its own %v", name, v, i, got[v][i], w[i])
				}
			}
		}
	}
	if over >= apart {
		t.Errorf("plans take %d elements, without outputs on inputs %d", over, apart)
	}
}

// TestSparse trains a tied table on micro-batches: the gradient of its lookups as rows has
// the bits of the whole one, and takes the memory of the rows.
func TestSparse(t *testing.T) {
	const V, C = 5000, 24
	batches := [][]int32{{3, 7, 7, 4999}, {7, 0, 12, 3}, {1, 2, 3, 4}}
	run := func(dense bool) ([]float32, int64) {
		d, err := New()
		if err != nil {
			t.Fatal(err)
		}
		g := graph.New()
		table := g.Param("table", V, C)
		g.HeadLoss(g.Gather(table), table, 0)
		g.Backward()
		p, err := d.Compile(g, device.Options{Rows: 4})
		if err != nil {
			t.Fatal(err)
		}
		sum, clear := graph.New(), graph.New()
		first, second := graph.GradName("table", 0), graph.GradName("table", 1)
		sum.Accumulate(sum.GradNamed(first, V, C), sum.GradNamed(second, V, C))
		for _, name := range []string{first, second} {
			clear.Zero(clear.GradNamed(name, V, C))
		}
		add, err := d.Compile(sum, device.Options{})
		if err != nil {
			t.Fatal(err)
		}
		zero, err := d.Compile(clear, device.Options{})
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(3, 4))
		w := make([]float32, V*C)
		for i := range w {
			w[i] = float32(r.NormFloat64())
		}
		if err := d.Write("table", w); err != nil {
			t.Fatal(err)
		}
		if dense {
			if _, err := d.Read(second); err != nil { // whoever wants all of it gets it
				t.Fatal(err)
			}
		}
		var total []float32
		for step := range 2 {
			for i := range 3 - step {
				ids := batches[(i+step)%3]
				if err := p.Run(&graph.Batch{IDs: ids, Targets: []int32{1, 2, 3, -1}, Segments: []graph.Segment{{Rows: 3}, {Rows: 1}}, LossScale: 1}); err != nil {
					t.Fatal(err)
				}
			}
			if !dense && step == 1 {
				v := d.values[second]
				if got := len(v.sparse.ids); got != 7 {
					t.Errorf("%d rows, want the 7 that the step has met", got)
				}
			}
			// −0 and +0 make +0, also where the step has no token.
			d.values[first].data[100*C] = float32(math.Copysign(0, -1))
			if err := add.Run(&graph.Batch{}); err != nil {
				t.Fatal(err)
			}
			g, err := d.Read(first)
			if err != nil {
				t.Fatal(err)
			}
			total = append(total, g...)
			if err := zero.Run(&graph.Batch{}); err != nil {
				t.Fatal(err)
			}
		}
		return total, d.Memory().Grads
	}
	want, whole := run(true)
	got, rows := run(false)
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("element %d of row %d: %v, with the whole gradient %v", i%C, i/C%V, got[i], want[i])
		}
	}
	if saved := whole - rows; saved < V*C*4*9/10 {
		t.Errorf("%d bytes of gradients, %d with the whole one", rows, whole)
	}
}

// TestClearGradients: AdamW clears the gradient where clearing it comes next, and leaves it where
// something else reads it before.
func TestClearGradients(t *testing.T) {
	for _, c := range []struct {
		name  string
		read  bool
		clear bool
	}{{"cleared", false, true}, {"read before", true, false}} {
		g := graph.New()
		p, d, m, v := g.Param("p", 3, 2), g.GradNamed("grad/p", 3, 2), g.State("m", 3, 2), g.State("v", 3, 2)
		g.AdamW(p, d, m, v, graph.AdamWAttr{})
		if c.read {
			g.Accumulate(g.GradNamed("grad/q", 3, 2), d)
		}
		g.Zero(d)
		ops := fuse(g, device.Options{})
		if got := len(ops[0].In) == 5 && ops[len(ops)-1].Def != graph.Zero; got != c.clear {
			t.Errorf("%s: AdamW clears: %v, want %v", c.name, got, c.clear)
		}
	}
}

// TestTogether: products of one left operand are one operation of a frozen program, and each is one of its own in
// another, and where it adds a residual.
func TestTogether(t *testing.T) {
	g := graph.New()
	x := g.Gather(g.Param("table", 5, 4))
	w := func(name string) graph.Value { return g.Param(name, 4, 4) }
	q, k := g.Linear(x, w("q")), g.Bias(g.Linear(x, w("k")), g.Param("bias", 4))
	y := g.Add(q, g.Linear(x, w("v")))
	g.Keep(g.Add(k, g.Linear(y, w("o"))), "y")
	for frozen, want := range map[bool][]int{false: {1, 1, 1, 1}, true: {2, 1, 1}} {
		var got []int
		for _, op := range fuse(g, device.Options{Frozen: frozen}) {
			if op.Def == graph.Linear {
				got = append(got, len(op.Out))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("frozen %v: products with %v outputs, want %v", frozen, got, want)
		}
	}
}
