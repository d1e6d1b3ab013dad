// Package devicetest is the suite that every device passes: each operation of the
// table, forward and backward, against its float64 reference.
package devicetest

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"olmo/device"
	"olmo/graph"
)

// Run tests a device. open returns a new, empty one.
func Run(t *testing.T, open func(t *testing.T) device.Device) {
	for _, name := range slices.Sorted(maps.Keys(graph.All)) {
		d := graph.All[name]
		for _, c := range d.Cases {
			t.Run(name+"/"+c.Name, func(t *testing.T) {
				g := graph.New()
				y := g.Keep(c.Build(g), "y")
				if d.Gradient != nil {
					// The head gives every operation a gradient to work on.
					g.HeadLoss(y, g.Param("head", 12, g.Info(y).Cols()), 0.01)
					g.Backward()
				}
				b := c.Batch()
				b.LossScale = 0.5
				for i := range b.IDs {
					b.Targets = append(b.Targets, int32(i*5%13)-1)
				}
				Compare(t, open(t), g, b, d.Tolerance)
			})
		}
	}
	for _, name := range []string{"linear", "experts"} { // whose parameters a device may pack
		t.Run("changed parameters/"+name, func(t *testing.T) { changed(t, open(t), graph.All[name].Cases[0]) })
	}
	t.Run("optimisers", func(t *testing.T) {
		g := graph.New()
		p, q := g.Param("p", 12, 7), g.Param("q", 5, 9)
		gp, gq := g.GradNamed("grad/p", 12, 7), g.GradNamed("grad/q", 5, 9)
		gq2 := g.GradNamed("grad/q#2", 5, 9)
		g.Accumulate(gq, gq2)
		g.AdamW(q, gq, g.State("m/q", 5, 9), g.State("v/q", 5, 9), graph.AdamWAttr{Group: 0, WeightDecay: 0.1, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8})
		g.Clip(gq, 1)
		r, gr := g.Param("r", 3, 5), g.GradNamed("grad/r", 3, 5)
		g.Lion(r, gr, g.State("m/r", 3, 5), graph.LionAttr{Group: 0, WeightDecay: 0.1, Beta1: 0.9, Beta2: 0.99})
		w, gw := g.Param("w", 2, 30), g.GradNamed("grad/w", 2, 30)
		g.AdamW(w, gw, g.State("m/w", 2, 30), g.State("v/w", 2, 30), graph.AdamWAttr{Group: 0, WeightDecay: 0.1, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Selective: true})
		g.Muon(p, gp, g.State("b/p", 12, 7), graph.None, graph.MuonAttr{Group: 1, WeightDecay: 0.1, Momentum: 0.95, Blocks: 3, Adjust: "rms_norm"})
		n, gn := g.Param("n", 14, 6), g.GradNamed("grad/n", 14, 6)
		g.Muon(n, gn, g.State("b/n", 14, 6), g.State("v/n", 14, 1), graph.MuonAttr{Group: 1, WeightDecay: 0.1, Momentum: 0.9, Blocks: 2, Heavy: true, Adjust: "spectral_norm", Cautious: true, Beta2: 0.95})
		for name, shape := range map[string][2]int{"wide": {6, 11}, "tall": {16, 5}} {
			d, gd := g.Param(name, shape[0], shape[1]), g.GradNamed("grad/"+name, shape[0], shape[1])
			rows := shape[0] / 2
			g.Dion(d, gd, g.State("b/"+name, shape[0], shape[1]), g.State("q/"+name, 2*3, min(rows, shape[1])), graph.DionAttr{Group: 1, WeightDecay: 0.1, Momentum: 0.95, Blocks: 2, Rank: 3})
		}
		g.Zero(gq2)
		Compare(t, open(t), g, &graph.Batch{Update: &graph.Update{LR: []float64{1e-2, 3e-2}, Step: 3, Clip: 0.7, Clips: []float64{9, 0.25}}}, 1e-4)
	})
	t.Run("cached attention", func(t *testing.T) {
		g := graph.New()
		a := graph.AttentionAttr{H: 4, KV: 2, D: 6, Scale: 0.4}
		x := g.Gather(g.Param("input", 16, 10))
		q := g.Linear(x, g.Param("q", 24, 10))
		k := g.Linear(x, g.Param("k", 12, 10))
		o := g.CachedAttention(q, k, k, g.State("kc", 3*8, 12), g.State("vc", 3*8, 12), a, 8)
		g.Keep(g.Select(o), "y")
		Compare(t, open(t), g, &graph.Batch{
			IDs: []int32{1, 2, 3, 4}, Segments: []graph.Segment{{Rows: 3, Pos: 4, Slot: 2}, {Rows: 1, Pos: 0, Slot: 1}}, Select: []int32{2, 3},
		}, 2e-5)
	})
}

// changed updates the parameters of an operation under a frozen program, which then computes
// what a program that is made afterwards does.
func changed(t *testing.T, dev device.Device, c graph.Case) {
	g := graph.New()
	g.Keep(c.Build(g), "y")
	b := c.Batch()
	o := device.Options{Rows: len(b.IDs), Selected: len(b.Select), Frozen: true}
	frozen, err := dev.Compile(g, o)
	if err != nil {
		t.Fatal(err)
	}
	update := graph.New()
	r := rand.New(rand.NewPCG(7, 8))
	for v := range g.Values {
		i := g.Info(graph.Value(v))
		if i.Space != graph.Param {
			continue
		}
		x := make([]float32, i.Size(1))
		for j := range x {
			x[j] = float32(r.NormFloat64())
		}
		if err := dev.Write(i.Name, x); err != nil {
			t.Fatal(err)
		}
		update.Lion(update.Param(i.Name, i.Shape...), update.GradNamed("grad/"+i.Name, i.Shape...), update.State("m/"+i.Name, i.Shape...), graph.LionAttr{WeightDecay: 0.5})
	}
	y := func(p device.Program) []float32 {
		t.Helper()
		if err := p.Run(b); err != nil {
			t.Fatal(err)
		}
		return slices.Clone(p.Output("y"))
	}
	first := y(frozen)
	optimiser, err := dev.Compile(update, device.Options{})
	if err != nil {
		t.Fatal(err)
	}
	before := dev.Changes()
	if err := optimiser.Run(&graph.Batch{Update: &graph.Update{LR: []float64{1}, Step: 1, Clip: 1}}); err != nil {
		t.Fatal(err)
	}
	if dev.Changes() == before {
		t.Error("an update of the parameters is not counted as a change")
	}
	got := y(frozen)
	fresh, err := dev.Compile(g, o)
	if err != nil {
		t.Fatal(err)
	}
	if want := y(fresh); !slices.Equal(got, want) || slices.Equal(got, first) {
		t.Errorf("before the update %v, after it %v, a new program %v", first, got, want)
	}
}

// Compare runs a graph on a device and by its references, from the same random
// values, and compares every kept and lasting value.
func Compare(t *testing.T, dev device.Device, g *graph.Graph, b *graph.Batch, tolerance float64) {
	t.Helper()
	p, err := dev.Compile(g, device.Options{Rows: len(b.IDs), Selected: len(b.Select)})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(7, 8))
	mem := graph.Memory{}
	for v := range g.Values {
		i := &g.Values[v]
		if i.Space == graph.Activation || i.Space == graph.Const {
			continue
		}
		a := g.NewArray(graph.Value(v), b)
		x := make([]float32, len(a.Data))
		for j := range x {
			x[j] = float32(r.NormFloat64())
			if i.Space == graph.State { // second moments are not negative
				x[j] = float32(math.Abs(float64(x[j])))
			}
			a.Data[j] = float64(x[j])
		}
		mem[i.Name] = a
		if err := dev.Write(i.Name, x); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Run(b); err != nil {
		t.Fatal(err)
	}
	want := g.Eval(b, mem)
	for _, v := range g.Kept {
		closeTo(t, g.Info(v).Name, p.Output(g.Info(v).Name), want[v].Data, tolerance)
	}
	for name, a := range mem {
		got, err := dev.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		closeTo(t, name, got, a.Data, tolerance)
	}
}

func closeTo(t *testing.T, name string, got []float32, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s has %d elements, want %d", name, len(got), len(want))
	}
	var scale, worst float64
	at := 0
	for i, w := range want {
		scale = max(scale, math.Abs(w))
		if d := math.Abs(float64(got[i]) - w); !(d <= worst) {
			worst, at = d, i
		}
	}
	if !(worst <= tolerance*scale) {
		t.Errorf("%s[%d] = %v, want %v (largest element %.3g, tolerance %.1g of it)", name, at, got[at], want[at], scale, tolerance)
	}
}
