package graph

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// eachGraph builds the test cases of all operations, with their gradients and a loss, and calls
// f with each.
func eachGraph(t *testing.T, f func(t *testing.T, g *Graph, b *Batch)) {
	t.Helper()
	met := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(All)) {
		d := All[name]
		for _, c := range d.Cases {
			t.Run(name+"/"+c.Name, func(t *testing.T) {
				g := New()
				y := c.Build(g)
				if d.Gradient != nil {
					g.HeadLoss(y, g.Param("head", 12, g.Info(y).Cols()), 0.01)
					g.Backward()
				}
				b := c.Batch()
				b.LossScale = 0.5
				if b.Targets == nil {
					for i := range b.IDs {
						b.Targets = append(b.Targets, int32(i*5%13)-1)
					}
				}
				for _, op := range g.Ops {
					met[op.Def.Name] = true
				}
				f(t, g, b)
			})
		}
	}
	for name := range All {
		if !met[name] {
			t.Errorf("no test case has a %s", name)
		}
	}
}

// refusal returns what a shape rule says of an operation, empty when it takes it.
func refusal(g *Graph, op *Op) (message string) {
	defer func() {
		if r := recover(); r != nil {
			message = r.(string)
		}
	}()
	g.shapes(op)
	return ""
}

// TestShapes gives every input of every operation a column and a row too many: its rule refuses
// the operation and names it and all shapes. What it takes is listed, so that a rule that
// forgets something shows.
func TestShapes(t *testing.T) {
	type change struct {
		what string
		to   func(i Info) Info
	}
	changes := []change{
		{"column", func(i Info) Info {
			i.Shape = append(slices.Clone(i.Shape[:len(i.Shape)-1]), i.Cols()+1)
			return i
		}},
		{"row", func(i Info) Info {
			switch i.Rows {
			case Tokens:
				i.Rows = Selected
			case Selected:
				i.Rows = Tokens
			default:
				if len(i.Shape) == 1 {
					i.Shape = []int{1, i.Shape[0]}
				}
				i.Shape = append([]int{i.Shape[0] + 1}, i.Shape[1:]...)
			}
			return i
		}},
	}
	taken := map[string][]int{}
	try := func(t *testing.T, g *Graph, op *Op, i int, c change) {
		h := &Graph{Values: append(slices.Clone(g.Values), c.to(*g.Info(op.In[i])))}
		h.Values[len(g.Values)].Name = ""
		other := &Op{Def: op.Def, In: slices.Clone(op.In), Attr: op.Attr}
		other.In[i] = Value(len(g.Values))
		message := refusal(h, other)
		if message == "" {
			what := c.what + " of " + op.Def.Name
			if !slices.Contains(taken[what], i) {
				taken[what] = append(taken[what], i)
			}
			return
		}
		if !strings.HasPrefix(message, "graph: "+op.Def.Name+" of ") {
			t.Errorf("%q does not begin with the operation", message)
		}
		for _, w := range other.In {
			if !strings.Contains(message, h.describe(w)) {
				t.Errorf("%q does not name %s", message, h.describe(w))
			}
		}
	}
	eachGraph(t, func(t *testing.T, g *Graph, _ *Batch) {
		for _, op := range g.Ops {
			if got := refusal(g, op); got != "" {
				t.Fatalf("refused as it is: %s", got)
			}
			for i, v := range op.In {
				for _, c := range changes {
					if v != None {
						try(t, g, op, i, c)
					}
				}
			}
		}
	})
	want := map[string][]int{
		// Functions of one value take any, and so do lookups, choices and clearings.
		"column of clamp": {0}, "column of dropout": {0}, "column of neftune": {0}, "column of gelu": {0}, "column of gelu_tanh": {0}, "column of relu": {0}, "column of scale": {0}, "column of softcap": {0},
		"column of router": {0}, "column of select": {0}, "column of gather": {0}, "column of position": {0},
		"column of zero": {0}, "column of clip_gradient": {0}, "row of zero": {0}, "row of clip_gradient": {0}, "column of settle": {0}, "row of settle": {0},
		"row of clamp": {0}, "row of gelu": {0}, "row of gelu_tanh": {0}, "row of relu": {0}, "row of scale": {0}, "row of softcap": {0}, "row of router": {0},
		"row of split": {0}, "row of swiglu": {0}, "row of geglu": {0}, "row of deinterleave_heads": {0}, "row of gather": {0}, "row of position": {0},
		// A norm without weights takes any columns, and every norm, product and bias any rows.
		"column of layernorm": {0}, "row of layernorm": {0}, "row of rmsnorm": {0}, "row of bias": {0}, "row of bias.backward": {0},
		"column of rmsnorm": {0}, // two heads of 1
		"row of linear":     {0, 1}, "row of linear.dx": {0}, "column of linear.dx": {1},
		// A table has as many rows as there are ids.
		"row of gather.backward": {1}, "row of position.backward": {1}, "row of head_loss": {1}, "row of head": {1}, "row of head.backward": {2},
		"column of concat": {0, 1},
	}
	for what, inputs := range taken {
		slices.Sort(inputs)
		if !slices.Equal(inputs, want[what]) {
			t.Errorf("a %s too many is taken of inputs %v, want %v", what, inputs, want[what])
		}
	}
	for what := range want {
		if taken[what] == nil {
			t.Errorf("a %s too many is refused", what)
		}
	}
}

// TestMismatch shows what a mistake in building a graph says.
func TestMismatch(t *testing.T) {
	cases := []struct {
		name, want string
		build      func(g *Graph)
	}{
		{"a sum", "graph: add of N×3, N×5: the columns of input 1 are 5, want 3", func(g *Graph) {
			x := g.input(4)
			g.Add(g.Linear(x, g.Param("a", 3, 4)), g.Linear(x, g.Param("b", 5, 4)))
		}},
		{"a product", "graph: linear of N×4, w (3×5): the columns of x are 4, want 5", func(g *Graph) { g.Linear(g.input(4), g.Param("w", 3, 5)) }},
		{"rows", "graph: add of N×4, S×4: inputs 0 and 1 differ in their rows", func(g *Graph) {
			x := g.input(4)
			g.Add(x, g.Select(x))
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			defer func() {
				if got := recover(); got != c.want {
					t.Errorf("panic %v, want %v", got, c.want)
				}
			}()
			c.build(New())
		})
	}
}

// TestWrites runs the reference of every operation: of its inputs it changes those that the
// table lists, and no others. They all live between runs.
func TestWrites(t *testing.T) {
	listed, changed := map[string]bool{}, map[string]bool{}
	eachGraph(t, func(t *testing.T, g *Graph, b *Batch) {
		r := rand.New(rand.NewPCG(5, 6))
		mem := Memory{}
		for v := range g.Values {
			if i := &g.Values[v]; i.Space != Activation && i.Space != Const {
				a := g.NewArray(Value(v), b)
				for j := range a.Data {
					a.Data[j] = r.NormFloat64()
					if i.Space == State { // second moments are not negative
						a.Data[j] = math.Abs(a.Data[j])
					}
				}
				if i.Space == Grad { // of which a −0 may be made +0
					a.Data[0] = math.Copysign(0, -1)
				}
				mem[i.Name] = a
			}
		}
		vals := g.arrays(b, mem)
		for _, op := range g.Ops {
			before := make([][]float64, len(op.In))
			for i, v := range op.In {
				if v != None {
					before[i] = slices.Clone(vals[v].Data)
				}
			}
			op.eval(b, vals)
			writes := op.Writes()
			for i, v := range op.In {
				if v == None {
					continue
				}
				place := fmt.Sprintf("%s, input %d of %d", op.Def.Name, i, len(op.In))
				wrote := !slices.EqualFunc(before[i], vals[v].Data, func(x, y float64) bool { return math.Float64bits(x) == math.Float64bits(y) })
				if !slices.Contains(writes, v) {
					if wrote {
						t.Errorf("%s is written", place)
					}
					continue
				}
				listed[place], changed[place] = true, changed[place] || wrote
				if s := g.Info(v).Space; s == Activation || s == Const {
					t.Errorf("%s does not live between runs", place)
				}
			}
		}
	})
	for place := range listed {
		if !changed[place] {
			t.Errorf("%s is never written", place)
		}
	}
}

// TestBytes counts by hand, and wants no operation to move more than its inputs and outputs.
func TestBytes(t *testing.T) {
	const T = 6
	cases := []struct {
		name  string
		build func(g *Graph)
		want  int // numbers
	}{
		{"a lookup reads its rows", func(g *Graph) { g.input(5) }, T*5 + T*5},
		{"a product", func(g *Graph) { g.Linear(g.input(5), g.Param("w", 7, 5)) }, 2*T*5 + (T*5 + 7*5 + T*7)},
		{"parts of a split are views", func(g *Graph) { g.Split(g.input(5), 2, 3) }, 2 * T * 5},
		{"an update reads and writes", func(g *Graph) { g.Lion(g.Param("p", 4), g.GradNamed("g", 4), g.State("m", 4), LionAttr{}) }, 5 * 4},
		{"new keys are stored, and seen ones read", func(g *Graph) {
			q, k := g.input(6), g.Gather(g.Param("k", 16, 6))
			g.CachedAttention(q, k, k, g.State("kc", 40, 6), g.State("vc", 40, 6), AttentionAttr{H: 2, KV: 2, D: 3}, 10)
		}, 2*2*T*6 + 3*T*6 + 2*T*6 + (T*6 + T*4) + 2*T*6},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			g := New()
			c.build(g)
			if got := g.Bytes(tokens(2, T/2)()); got != 4*float64(c.want) {
				t.Errorf("%v bytes, want %d", got, 4*c.want)
			}
		})
	}
	eachGraph(t, func(t *testing.T, g *Graph, b *Batch) {
		for _, op := range g.Ops {
			if op.Def.Bytes == nil {
				continue
			}
			if got, most := op.Def.Bytes(g, op, b), g.elementBytes(b, op.In, op.Out, op.Writes()); got < 0 || got > most {
				t.Errorf("%s: %v bytes, its inputs and outputs have %v", op.Def.Name, got, most)
			}
		}
	})
}
