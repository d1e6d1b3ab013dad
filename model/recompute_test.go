package model_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"olmo/device"
	"olmo/device/cpu"
	"olmo/graph"
	"olmo/model"
	"olmo/numeric"
)

var strategies = []model.Recompute{
	model.RecomputeNothing, model.WholeLayer, "one_in_two", "one_in_three", "one_in_four", "one_in_eight", "two_in_three", "three_in_four", model.FineGrained,
}

// deeper returns a model with more layers.
func deeper(c *model.Config, layers int) *model.Config {
	d := *c
	d.Layers = layers
	if c.Windows != nil {
		d.Windows = nil
		for l := range layers {
			d.Windows = append(d.Windows, c.Windows[l%len(c.Windows)])
		}
	}
	return &d
}

// TestRecompute compares what every strategy computes with what the plain backward pass
// does, bit by bit, over two runs whose gradients add up.
func TestRecompute(t *testing.T) {
	for name, c := range families() {
		c := deeper(c, 5)
		c.NEFTune = 3
		if c.Experts > 0 {
			c.BalanceWeight, c.RouterZWeight = 0.02, 0.003
		}
		if c.Family == "olmo" || c.Family == "olmo2" {
			c.AttentionDropout, c.ResidualDropout, c.EmbeddingDropout = 0.1, 0.2, 0.1
		}
		t.Run(name, func(t *testing.T) {
			for _, precision := range numeric.Precisions() {
				want := gradients(t, c, model.RecomputeNothing, precision)
				for _, s := range strategies[1:] {
					got := gradients(t, c, s, precision)
					if len(got) != len(want) {
						t.Fatalf("%s: %d values, want %d", s, len(got), len(want))
					}
					for name, w := range want {
						for i, v := range got[name] {
							if math.Float32bits(v) != math.Float32bits(w[i]) {
								t.Fatalf("%s, %v: %s[%d] = %v, without recomputation %v", s, precision, name, i, v, w[i])
							}
						}
					}
				}
			}
		})
	}
}

// gradients runs a model twice and returns its losses and gradients.
func gradients(t *testing.T, c *model.Config, s model.Recompute, precision numeric.Precision) map[string][]float32 {
	t.Helper()
	g := graph.New()
	c.LossAndGradients(g, 1e-3, s)
	dev, err := cpu.New()
	if err != nil {
		t.Fatal(err)
	}
	p, err := dev.Compile(g, device.Options{Rows: 14, Precision: precision})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 6))
	for _, v := range g.Params() {
		x := make([]float32, g.Info(v).Size(1))
		for i := range x {
			x[i] = float32(0.4 * r.NormFloat64())
		}
		if err := dev.Write(g.Info(v).Name, x); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string][]float32{}
	for _, first := range []int32{0, 3} {
		b := graph.Sequence([]int32{3, 7, 1, 15, 4, 4, 0, 9, 12, 2, 5, 11, 7, first}, 2)
		b.LossScale = 0.25
		b.Noise = &graph.Noise{Seed: 7, Step: 3}
		b.Targets = []int32{7, 1, 15, -1, 4, 0, -1, 12, 2, 5, 11, 7, first, -1}
		if err := p.Run(b); err != nil {
			t.Fatal(err)
		}
		for _, v := range g.Kept {
			got[g.Info(v).Name] = append(got[g.Info(v).Name], p.Output(g.Info(v).Name)...)
		}
	}
	for _, v := range g.Params() {
		for _, d := range g.Grads(v) {
			if got[g.Info(d).Name], err = dev.Read(g.Info(d).Name); err != nil {
				t.Fatal(err)
			}
		}
	}
	return got
}

// TestRecomputeMemory holds the strategies to their order in memory and time.
func TestRecomputeMemory(t *testing.T) {
	for name, c := range families() {
		c := deeper(c, 24)
		c.V, c.VocabSize = 2, 2 // so that the head does not hide the blocks
		scratch, flops := map[model.Recompute]int64{}, map[model.Recompute]float64{}
		b := graph.Sequence(make([]int32, 64), 4)
		for _, s := range strategies {
			g := graph.New()
			c.LossAndGradients(g, 0, s)
			scratch[s], flops[s] = cpu.Needs(device.Options{Rows: 64}, 64, g).Scratch, g.FLOPs(b)
		}
		order := []model.Recompute{model.RecomputeNothing, "one_in_eight", "one_in_four", "one_in_three", "one_in_two", "two_in_three", "three_in_four", model.WholeLayer}
		for i, s := range order[1:] {
			if before := order[i]; scratch[s] >= scratch[before] || flops[s] <= flops[before] {
				t.Errorf("%s: %s takes %d bytes and %g FLOPs, %q %d and %g", name, s, scratch[s], flops[s], before, scratch[before], flops[before])
			}
		}
		if all, whole := scratch[model.RecomputeNothing], scratch[model.WholeLayer]; whole > all/4 {
			t.Errorf("%s: whole layers computed again take %d bytes, kept %d", name, whole, all)
		}
		if fine := scratch[model.FineGrained]; fine >= scratch[model.RecomputeNothing] || flops[model.FineGrained] != flops[model.RecomputeNothing] {
			t.Errorf("%s: fine_grained takes %d bytes and %g FLOPs, nothing %d and %g", name, fine, flops[model.FineGrained], scratch[model.RecomputeNothing], flops[model.RecomputeNothing])
		}
	}
}

// TestRecomputeNames: activation_checkpointing takes OLMo's names, its former truth values and
// null.
func TestRecomputeNames(t *testing.T) {
	for text, want := range map[string]model.Recompute{
		"": model.RecomputeNothing, "null": model.RecomputeNothing, "false": model.RecomputeNothing, "true": model.WholeLayer,
		"whole_layer": model.WholeLayer, "one_in_four": "one_in_four", "three_in_four": "three_in_four", "fine_grained": model.FineGrained,
	} {
		got := model.Recompute("before")
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q is %q (%v), want %q", text, got, err, want)
		}
	}
	var r model.Recompute
	if err := r.UnmarshalText([]byte("one_in_five")); err == nil || !strings.Contains(err.Error(), `"one_in_five" is not known`) || !strings.Contains(err.Error(), "whole_layer, one_in_two") {
		t.Errorf("one_in_five: %v", err)
	}
}
