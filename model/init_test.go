package model

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// TestInitStd: the standard deviation of each kind of matrix, by the formulas of the ai2-olmo
// package (reset_parameters): C is 16, there are 8 layers, the MLP is 64 wide.
func TestInitStd(t *testing.T) {
	c := &Config{C: 16, Layers: 8}
	ids := Param{Name: "transformer.wte.weight", Role: Embedding, Layer: -1}
	positions := Param{Name: "transformer.wpe.weight", Role: Embedding, Layer: -1}
	read := Param{Name: "p", Role: Projection, Layer: 3, Shape: []int{48, 16}}
	attention := Param{Name: "o", Role: AttentionOut, Layer: 3, Shape: []int{16, 16}}
	mlp := Param{Name: "d", Role: MLPOut, Layer: 3, Shape: []int{16, 64}}
	head := Param{Name: "h", Role: Head, Layer: -1, Shape: []int{100, 16}}
	for _, c2 := range []struct {
		name   string
		init   Init
		param  Param
		std    float64
		cutoff float64
	}{
		{"normal", Init{Fn: "normal", Std: 0.02}, read, 0.02, 0},
		{"normal, ids of their own", Init{Fn: "normal", Std: 0.02, EmbStd: 1}, ids, 1, 0},
		{"normal, positions", Init{Fn: "normal", Std: 0.02, EmbStd: 1}, positions, 0.02, 0},
		{"normal, cut off", Init{Fn: "normal", Std: 0.02, Cutoff: 2}, head, 0.02, 2},
		{"mitchell, ids", Init{Fn: "mitchell"}, ids, 0.25, 3},
		{"mitchell, ids of their own", Init{Fn: "mitchell", EmbStd: 0.7}, ids, 0.7, 3},
		{"mitchell, positions", Init{Fn: "mitchell", EmbStd: 0.7}, positions, 0.25, 3},
		{"mitchell, reading", Init{Fn: "mitchell"}, read, 0.25, 3},
		{"mitchell, head", Init{Fn: "mitchell"}, head, 0.25, 3},
		{"mitchell, out of attention", Init{Fn: "mitchell"}, attention, 1 / math.Sqrt(2*16*4), 3},
		{"mitchell, out of the MLP", Init{Fn: "mitchell", Cutoff: 5}, mlp, 1 / math.Sqrt(2*64*4), 5},
		{"full_megatron, reading", Init{Fn: "full_megatron", Std: 0.02}, read, 0.02, 3},
		{"full_megatron, out of attention", Init{Fn: "full_megatron", Std: 0.02}, attention, 0.005, 3},
		{"full_megatron, out of the MLP", Init{Fn: "full_megatron", Std: 0.02}, mlp, 0.005, 3},
		{"full_megatron, head", Init{Fn: "full_megatron", Std: 0.02}, head, 0.25, 3},
		{"full_megatron, ids", Init{Fn: "full_megatron", Std: 0.02}, ids, 0.02, 3},
		{"full_megatron, scaled ids", Init{Fn: "full_megatron", Std: 0.02, ScaleEmb: true}, ids, 0.08, 3},
		{"full_megatron, scaled positions", Init{Fn: "full_megatron", Std: 0.02, ScaleEmb: true, EmbStd: 0.5}, positions, 0.02, 3},
		{"full_megatron, ids of their own", Init{Fn: "full_megatron", Std: 0.02, ScaleEmb: true, EmbStd: 0.5}, ids, 0.5, 3},
	} {
		std, cutoff, err := c2.init.std(c, c2.param)
		if err != nil || math.Abs(std-c2.std) > 1e-15 || cutoff != c2.cutoff {
			t.Errorf("%s: standard deviation %v, cut off at %v (%v); want %v, %v", c2.name, std, cutoff, err, c2.std, c2.cutoff)
		}
	}
	if _, _, err := (Init{Fn: "kaiming_normal"}).std(c, read); err == nil || !strings.Contains(err.Error(), "hint: one of normal, mitchell, full_megatron") {
		t.Errorf("an unknown scheme: %v", err)
	}
}

// TestInitWeights: norms are one and biases zero; the rest has the spread that was asked for,
// none beyond the cutoff, and every parameter and seed its own numbers.
func TestInitWeights(t *testing.T) {
	c := &Config{C: 16, Layers: 1}
	i := Init{Fn: "normal", Std: 0.5, Cutoff: 2}
	make := func(name string, role Role, n int, seed uint64) []float32 {
		t.Helper()
		w, err := i.Weights(c, Param{Name: name, Role: role, Shape: []int{n}}, seed)
		if err != nil || len(w) != n {
			t.Fatalf("%d numbers of %d (%v)", len(w), n, err)
		}
		return w
	}
	if w := make("n", Norm, 3, 1); !slices.Equal(w, []float32{1, 1, 1}) {
		t.Errorf("a norm begins as %v", w)
	}
	if w := make("b", Bias, 3, 1); !slices.Equal(w, []float32{0, 0, 0}) {
		t.Errorf("a bias begins as %v", w)
	}
	const n = 3*4096 + 5 // no whole number of the parts that are made side by side
	w := make("w", Projection, n, 1)
	var sum, square float64
	for j, x := range w {
		if x == 0 || x < -1 || x > 1 {
			t.Fatalf("number %d is %v", j, x)
		}
		sum += float64(x)
		square += float64(x) * float64(x)
	}
	// A normal distribution cut off at two standard deviations has 0.8796 of the spread.
	if mean, std := sum/n, math.Sqrt(square/n); math.Abs(mean) > 0.02 || math.Abs(std-0.5*0.8796) > 0.01 {
		t.Errorf("mean %v, standard deviation %v; want 0, %v", mean, std, 0.5*0.8796)
	}
	if !slices.Equal(w[:100], make("w", Projection, 100, 1)) {
		t.Error("the first numbers depend on how many there are")
	}
	if slices.Equal(w, make("w", Projection, n, 2)) || slices.Equal(w, make("v", Projection, n, 1)) {
		t.Error("another seed or name gives the same numbers")
	}
}

// TestSectionInit: what of a section counts for the initial weights.
func TestSectionInit(t *testing.T) {
	a := DefaultAI2()
	if got, want := a.Init(), (Init{Fn: "normal", Std: 0.02}); got != want {
		t.Errorf("the defaults are %+v, want %+v", got, want)
	}
	cutoff, std := 4.0, 0.3
	a.InitFn, a.InitStd, a.InitCutoffFactor, a.EmbInitStd, a.ScaleEmbInit = "full_megatron", 0.1, &cutoff, &std, true
	if got, want := a.Init(), (Init{Fn: "full_megatron", Std: 0.1, Cutoff: 4, EmbStd: 0.3, ScaleEmb: true}); got != want {
		t.Errorf("the section says %+v, want %+v", got, want)
	}
}
