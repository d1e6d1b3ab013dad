// Package devicetest is the suite that every device passes: each operation of the
// table, forward and backward, against its float64 reference.
package devicetest

import (
	"errors"
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
				y := c.Build(g)
				if y != graph.None {
					g.Keep(y, "y")
				}
				if d.Gradient != nil {
					// The head gives every operation a gradient to work on.
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
				Compare(t, open(t), g, b, d.Tolerance)
			})
		}
	}
	for _, name := range []string{"linear", "experts"} { // whose parameters a device may pack
		t.Run("changed parameters/"+name, func(t *testing.T) { changed(t, open(t), graph.All[name].Cases[0]) })
	}
}

// changed updates the parameters of an operation under a frozen program, which then computes
// what a program that is made afterwards does; also after runs that were stopped.
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
	stopped := *b // at its first operation, and then when it is about to be done
	for asked := range 2 {
		stopped.Stop = func() bool { asked--; return asked < 0 }
		if err := frozen.Run(&stopped); asked < 0 && !errors.Is(err, device.ErrStopped) {
			t.Errorf("a run that is stopped gives the error %v", err)
		}
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
// values, and compares every kept and lasting value; one that no operation of the graph writes
// must not have changed.
func Compare(t *testing.T, dev device.Device, g *graph.Graph, b *graph.Batch, tolerance float64) {
	t.Helper()
	p, err := dev.Compile(g, device.Options{Rows: len(b.IDs), Selected: len(b.Select)})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(7, 8))
	mem, given := graph.Memory{}, map[string][]float32{}
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
		mem[i.Name], given[i.Name] = a, x
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
	written := map[string]bool{}
	for _, op := range g.Ops {
		for _, v := range op.Writes() {
			written[g.Info(v).Name] = true
		}
	}
	for name, a := range mem {
		got, err := dev.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		if !written[name] && !slices.Equal(got, given[name]) {
			t.Errorf("%s has changed, and no operation writes it", name)
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
