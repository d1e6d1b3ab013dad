package model_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/device"
	"olmo/device/cpu"
	"olmo/graph"
	"olmo/model"
	"olmo/weights"
)

// reference returns a folder of the reference fixtures, or skips.
func reference(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("OLMO_GOLDEN")
	if dir == "" {
		t.Skip("OLMO_GOLDEN names no folder of reference fixtures")
	}
	return filepath.Join(dir, "reference", "inference", name)
}

func open(t *testing.T, path string) *model.Loaded {
	t.Helper()
	l, err := model.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// runner computes logits of one model on the CPU device.
type runner struct {
	c   *model.Config
	dev *cpu.Device
}

func load(t *testing.T, l *model.Loaded) *runner {
	t.Helper()
	r := &runner{c: l.Config, dev: cpuDevice(t)}
	r.program(t, 1, false)
	err := l.Each(func(p model.Param, data []float32) error { return r.dev.Write(p.Name, data) })
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func cpuDevice(t *testing.T) *cpu.Device {
	t.Helper()
	dev, err := cpu.New()
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

func (r *runner) program(t *testing.T, rows int, taps bool) device.Program {
	t.Helper()
	g := graph.New()
	r.c.Logits(g, model.Options{Positions: rows, Taps: taps})
	p, err := r.dev.Compile(g, device.Options{Rows: rows, Selected: rows})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (r *runner) run(t *testing.T, p device.Program, ids []int32, B int) []float32 {
	t.Helper()
	b := graph.Sequence(ids, B)
	for i := range ids {
		b.Select = append(b.Select, int32(i))
	}
	if err := p.Run(b); err != nil {
		t.Fatal(err)
	}
	return p.Output("logits")
}

func logSoftmax(row []float32, id int32) float64 {
	m := math.Inf(-1)
	for _, v := range row {
		m = max(m, float64(v))
	}
	var sum float64
	for _, v := range row {
		sum += math.Exp(float64(v) - m)
	}
	return float64(row[id]) - m - math.Log(sum)
}

func largest(row []float32) int32 {
	best := 0
	for i, v := range row {
		if v > row[best] {
			best = i
		}
	}
	return int32(best)
}

// expected are the tensors that the reference computed.
type expected struct {
	t   *testing.T
	set *weights.Set
}

func (e expected) floats(name string) []float64 {
	e.t.Helper()
	x, err := e.set.Tensor(name)
	if err != nil {
		e.t.Fatal(err)
	}
	v, err := x.Float64s()
	if err != nil {
		e.t.Fatal(err)
	}
	return v
}

func (e expected) ids(name string) ([]int32, []int) {
	e.t.Helper()
	x, err := e.set.Tensor(name)
	if err != nil {
		e.t.Fatal(err)
	}
	v, err := x.Int32s()
	if err != nil {
		e.t.Fatal(err)
	}
	return v, x.Shape
}

func difference[F float32 | float64](got []F, want []float64) float64 {
	var worst float64
	for i, w := range want {
		if d := math.Abs(float64(got[i]) - w); !(d <= worst) {
			worst = d
		}
	}
	return worst
}

// TestReference runs every reference checkpoint: logits against float64 (PyTorch's
// own float32 differs by 1.1e-5), log-probabilities, greedy continuations and hidden
// states.
func TestReference(t *testing.T) {
	t.Run("golden", func(t *testing.T) { compareAll(t, reference(t, "*")) })
	// MPT, Mixtral, and options of the others (testdata/generate.py).
	t.Run("own", func(t *testing.T) { compareAll(t, filepath.Join("testdata", "reference", "*")) })
}

func compareAll(t *testing.T, pattern string) {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(pattern, "expected.safetensors"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no fixtures in %s: %v", pattern, err)
	}
	for _, path := range dirs {
		dir := filepath.Dir(path)
		t.Run(filepath.Base(dir), func(t *testing.T) { compareReference(t, dir, open(t, dir)) })
	}
}

// TestReferenceGradients compares the gradient of every parameter with that of Transformers, where a
// fixture has it (testdata/families.py). The gradients are written as if they were weights: so they
// are read through the layout, which cuts and turns tensors.
func TestReferenceGradients(t *testing.T) {
	dirs, err := filepath.Glob(filepath.Join("testdata", "reference", "*", "expected.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, path := range dirs {
		set, err := weights.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer set.Close()
		var grads []weights.Named
		for _, g := range set.All() {
			if name, ok := strings.CutPrefix(g.Name, "grad."); ok {
				g.Name = name
				grads = append(grads, g)
			}
		}
		if grads == nil {
			continue
		}
		n++
		dir := filepath.Dir(path)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			config, err := os.ReadFile(filepath.Join(dir, "config.json"))
			if err != nil {
				t.Fatal(err)
			}
			as := t.TempDir()
			if err := os.WriteFile(filepath.Join(as, "config.json"), config, 0o666); err != nil {
				t.Fatal(err)
			}
			if err := weights.WriteSafetensors(filepath.Join(as, "model.safetensors"), grads, nil); err != nil {
				t.Fatal(err)
			}
			compareGradients(t, open(t, dir), open(t, as), expected{t, set})
		})
	}
	if n < 20 {
		t.Errorf("%d fixtures have gradients, want at least 20", n)
	}
}

func compareGradients(t *testing.T, l, want *model.Loaded, e expected) {
	t.Helper()
	ids, shape := e.ids("input_ids")
	if worst := gradientDifference(t, l, want, ids, shape[0]); worst.share > 2e-5 {
		t.Errorf("the gradient of %s differs by %.2g of its largest element", worst.param, worst.share)
	}
}

// gradientError says whose gradient is furthest from the wanted one: the largest difference,
// less 1e-7, divided by its largest element.
type gradientError struct {
	param string
	share float64
}

// gradientDifference compares the gradient of the mean cross entropy of the next ids in B
// sequences with what stands in each parameter's place in want.
func gradientDifference(t *testing.T, l, want *model.Loaded, ids []int32, B int) (worst gradientError) {
	t.Helper()
	T := len(ids) / B
	g := graph.New()
	l.Config.LossAndGradients(g, 0, model.RecomputeNothing)
	dev := cpuDevice(t)
	p, err := dev.Compile(g, device.Options{Rows: B * T})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Each(func(p model.Param, data []float32) error { return dev.Write(p.Name, data) }); err != nil {
		t.Fatal(err)
	}
	b := graph.Sequence(ids, B)
	b.LossScale = 1 / float32(B*(T-1))
	for i := range ids {
		target := int32(-1)
		if i%T < T-1 {
			target = ids[i+1]
		}
		b.Targets = append(b.Targets, target)
	}
	if err := p.Run(b); err != nil {
		t.Fatal(err)
	}
	for _, v := range g.Params() {
		name := g.Info(v).Name
		sum := make([]float64, g.Info(v).Size(1))
		for _, d := range g.Grads(v) {
			part, err := dev.Read(g.Info(d).Name)
			if err != nil {
				t.Fatal(err)
			}
			for i, x := range part {
				sum[i] += float64(x)
			}
		}
		theirs, err := want.Param(name)
		if err != nil {
			t.Fatal(err)
		}
		var w []float64
		largest := 0.0
		for _, x := range theirs {
			w = append(w, float64(x))
			largest = max(largest, math.Abs(float64(x)))
		}
		share := (difference(sum, w) - 1e-7) / max(largest, 1e-30)
		if !(share <= worst.share) {
			worst = gradientError{name, share}
		}
	}
	return worst
}

func compareReference(t *testing.T, dir string, l *model.Loaded) {
	t.Helper()
	set, err := weights.Open(filepath.Join(dir, "expected.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	e := expected{t, set}
	r := load(t, l)
	ids, shape := e.ids("input_ids")
	B, T, V := shape[0], shape[1], l.Config.V
	p := r.program(t, B*T, true)
	logits := r.run(t, p, ids, B)
	d := difference(logits, e.floats("logits_f64"))
	if !(d <= 1e-4) {
		t.Errorf("logits differ from float64 by %.2g, want at most 1e-4", d)
	}
	var worst float64
	for i, want := range e.floats("logprobs_f64") {
		b, s := i/(T-1), i%(T-1)
		row := b*T + s
		worst = max(worst, math.Abs(logSoftmax(logits[row*V:(row+1)*V], ids[row+1])-want))
	}
	if !(worst <= 1e-4) {
		t.Errorf("log-probabilities differ by %.2g, want at most 1e-4", worst)
	}
	t.Logf("largest difference: logits %.2g, log-probabilities %.2g", d, worst)
	if set.Has("hidden_states_f32") {
		want, C := e.floats("hidden_states_f32"), l.Config.C
		for h := range l.Config.Layers + 1 {
			got := p.Output("hidden." + string(rune('0'+h)))[:T*C]
			if d := difference(got, want[h*T*C:(h+1)*T*C]); !(d <= 1e-4) {
				t.Errorf("hidden state %d differs by %.2g, want at most 1e-4", h, d)
			}
		}
	}
	prompt, _ := e.ids("greedy_prompt")
	want, _ := e.ids("greedy_ids")
	text := append([]int32(nil), prompt...)
	p = r.program(t, len(prompt)+len(want), false)
	for i, w := range want {
		logits := r.run(t, p, text, 1)
		next := largest(logits[(len(text)-1)*V : len(text)*V])
		if next != w {
			t.Fatalf("greedy id %d is %d, want %d", i, next, w)
		}
		text = append(text, next)
	}
}
