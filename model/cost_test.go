package model_test

import (
	"math"
	"testing"

	"olmo/model"
)

// TestOfficialSizes counts the parameters and FLOPs of the published models, against
// figures computed from their configurations by the formulas of both trainers.
func TestOfficialSizes(t *testing.T) {
	olmo1 := func(C, H, L, F, T int, tied bool) *model.Config {
		return &model.Config{Family: "olmo", C: C, H: H, KV: H, D: C / H, Layers: L, F: F, V: 50304, VocabSize: 50280, T: T, Tied: tied, RopeTheta: 10000}
	}
	rms := model.NormKind{RMS: true, Weight: true}
	olmo2 := func(C, H, KV, L, F int) *model.Config {
		return &model.Config{
			Family: "olmo2", C: C, H: H, KV: KV, D: C / H, Layers: L, F: F, V: 100352, VocabSize: 100278, T: 4096, RopeTheta: 5e5, Norm: rms, QKNorm: &rms,
		}
	}
	olmo3 := olmo2(4096, 32, 32, 32, 11008)
	olmo3.Family, olmo3.T = "olmo3", 8192
	for l := range 32 {
		w := 4096
		if l%4 == 3 {
			w = 0
		}
		olmo3.Windows = append(olmo3.Windows, w)
	}
	for _, c := range []struct {
		name                    string
		config                  *model.Config
		params, rest            int
		forward, backward, core float64
	}{
		{"OLMo-1B", olmo1(2048, 16, 16, 8192, 2048, true), 1176764416, 1073741824, 2.4159e9, 5.2439e9, 7.2478e9},
		{"OLMo-7B-0424", olmo1(4096, 32, 32, 11008, 4096, false), 6888095744, 6682050560, 1.5512e10, 3.1847e10, 4.6535e10},
		{"OLMo2-1B", olmo2(2048, 16, 16, 16, 8192), 1484916736, 1279395840, 3.0957e9, 7.0134e9, 9.2870e9},
		{"OLMo2-13B", olmo2(5120, 40, 40, 40, 13824), 13716198400, 13202396160, 2.9760e10, 6.1576e10, 8.9281e10},
		{"OLMo2-32B", olmo2(5120, 40, 8, 64, 27648), 32234279936, 31720477696, 6.8810e10, 1.3967e11, 2.0643e11},
		{"OLMo3-7B", olmo3, 7298617344, 6887575552, 1.8070e10, 3.7784e10, 4.9379e10},
	} {
		if c.name == "OLMo-1B" {
			// The package counts the tied table among the embeddings only.
			if _, rest := c.config.NumParams(); rest != c.rest {
				t.Errorf("%s: %d parameters without embedding, want %d", c.name, rest, c.rest)
			}
		}
		all, rest := c.config.NumParams()
		if all != c.params || rest != c.rest {
			t.Errorf("%s: %d parameters, %d without embedding; want %d and %d", c.name, all, rest, c.params, c.rest)
		}
		got := c.config.FLOPs(c.config.T)
		for _, f := range []struct {
			name      string
			got, want float64
		}{{"forward", got.Forward, c.forward}, {"backward", got.Backward, c.backward}, {"OLMo-core", got.Core, c.core}} {
			if math.Abs(f.got-f.want) > 1e-4*f.want {
				t.Errorf("%s: %s FLOPs %.5g, want %.5g", c.name, f.name, f.got, f.want)
			}
		}
	}
}

// TestActiveParams: a token of OLMoE-1B-7B meets 8 of 64 experts.
func TestActiveParams(t *testing.T) {
	rms := model.NormKind{RMS: true, Weight: true}
	c := &model.Config{
		Family: "olmoe", C: 2048, H: 16, KV: 16, D: 128, Layers: 16, F: 1024, V: 50304, T: 4096, RopeTheta: 1e4, Norm: rms, QKNorm: &rms, Experts: 64, TopK: 8,
	}
	all, _ := c.NumParams()
	if active := c.ActiveParams(); all != 6919161856 || active != 1282017280 {
		t.Errorf("%d parameters, %d active; want 6919161856 and 1282017280", all, active)
	}
}

// TestRunBytes: float32 weights, and a key and a value of each layer and position.
func TestRunBytes(t *testing.T) {
	c := &model.Config{Family: "llama", Layers: 3, H: 8, KV: 2, D: 16, C: 128, F: 256, V: 1000, T: 512}
	all, _ := c.NumParams()
	weights, cache := c.RunBytes()
	if want := 4 * int64(all); weights != want {
		t.Errorf("weights take %d bytes, want %d", weights, want)
	}
	if want := int64(3 * 512 * 2 * (2 * 16) * 4); cache != want {
		t.Errorf("the cache takes %d bytes, want %d", cache, want)
	}
}

// TestTrainBytes: weights, gradients and two moments in float32; a tied table has a gradient
// for each of its uses.
func TestTrainBytes(t *testing.T) {
	c := &model.Config{Family: "llama", Layers: 3, H: 8, KV: 2, D: 16, C: 128, F: 256, V: 1000, T: 512}
	all, _ := c.NumParams()
	if got, want := c.TrainBytes(), 16*int64(all); got != want {
		t.Errorf("training takes %d bytes, want %d", got, want)
	}
	c.Tied = true
	tied, _ := c.NumParams()
	if got, want := c.TrainBytes(), 16*int64(tied)+4*1000*128; tied != all-1000*128 || got != want {
		t.Errorf("with a tied table training takes %d bytes for %d parameters, want %d for %d", got, tied, want, all-1000*128)
	}
}

// TestWindowFLOPs: OLMo-core's count heeds windows, and none that is longer than the sequence.
func TestWindowFLOPs(t *testing.T) {
	c := &model.Config{Family: "llama", Layers: 2, H: 8, KV: 2, D: 16, C: 128, F: 256, V: 1000, T: 512}
	plain := c.FLOPs(512).Core
	c.Windows = []int{100, 0}
	if got, want := c.FLOPs(512).Core, plain-12*128*412; got != want {
		t.Errorf("with a window %v FLOPs, want %v", got, want)
	}
	if got, want := c.FLOPs(50).Core, plain-2*12*128*(512-50); got != want {
		t.Errorf("a window longer than the sequence: %v FLOPs, want %v", got, want)
	}
}
