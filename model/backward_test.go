package model_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"olmo/device/devicetest"
	"olmo/graph"
	"olmo/model"
)

// families are tiny models of every family, with its options.
func families() map[string]*model.Config {
	rms := model.NormKind{RMS: true, Weight: true}
	full := model.NormKind{Weight: true, Bias: true}
	base := func(family string, change func(c *model.Config)) *model.Config {
		c := &model.Config{
			Family: family, Layers: 2, C: 12, H: 2, KV: 2, D: 6, F: 10, V: 16, VocabSize: 16, T: 16, NormEps: 1e-5, Norm: rms, RopeTheta: 100, EOS: 0, PAD: -1, BOS: -1,
		}
		change(c)
		return c
	}
	return map[string]*model.Config{
		"olmo 1": base("olmo", func(c *model.Config) { c.Norm, c.Clip, c.Tied = model.NormKind{}, 0.5, true }),
		"ai2 gelu": base("olmo", func(c *model.Config) {
			c.Norm, c.Position, c.Activation, c.EmbeddingNorm = full, model.Learned, model.GELU, true
			c.AttentionBias, c.MLPBias, c.HeadBias = true, true, true
		}),
		"ai2 alibi": base("olmo", func(c *model.Config) {
			c.Position, c.AlibiMax, c.KV, c.ScaleLogits, c.Norm, c.Activation = model.Alibi, 8, 1, true, model.NormKind{RMS: true}, model.ReLU
		}),
		"ai2 llama block": base("olmo", func(c *model.Config) {
			c.SplitQKV, c.QKNorm, c.Norm = true, &full, model.NormKind{Weight: true, Bias: true}
		}),
		"olmo 2": base("olmo2", func(c *model.Config) { c.QKNorm, c.KV = &rms, 1 }),
		"olmo 3 by ai2's names": base("olmo2", func(c *model.Config) {
			c.QKNorm, c.Windows = &rms, []int{3, 0}
			c.Scaling = &model.Scaling{Type: "yarn", Factor: 4, Original: 4, BetaFast: 1, BetaSlow: 0.1, AttentionFactor: 1.25}
		}),
		"olmo 3":  base("olmo3", func(c *model.Config) { c.QKNorm, c.Windows, c.SlidingTheta = &rms, []int{3, 0}, 50 }),
		"olmoe":   base("olmoe", func(c *model.Config) { c.QKNorm, c.Experts, c.TopK, c.Clip = &rms, 4, 2, 0.9 }),
		"llama":   base("llama", func(c *model.Config) { c.AttentionBias, c.MLPBias, c.Tied, c.KV = true, true, true, 1 }),
		"mixtral": base("mixtral", func(c *model.Config) { c.Experts, c.TopK, c.NormTopK = 3, 2, true }),
		"mpt": base("mpt", func(c *model.Config) {
			c.Norm, c.Position, c.AlibiMax, c.Activation, c.Tied, c.F = model.NormKind{Weight: true}, model.Alibi, 8, model.GELU, true, 48
		}),
		"gpt-neox": base("gptneox", func(c *model.Config) {
			c.Norm, c.RopeDims, c.Activation, c.AttentionBias, c.MLPBias, c.Parallel = full, 2, model.GELU, true, true, true
		}),
		"mistral": base("mistral", func(c *model.Config) { c.KV, c.Windows, c.SlidingTheta = 1, []int{3, 3}, 100 }),
		"qwen 2":  base("qwen2", func(c *model.Config) { c.QKVBias, c.Tied = true, true }),
		"qwen 3":  base("qwen3", func(c *model.Config) { c.QKNorm, c.QKHeads, c.D, c.KV = &rms, true, 8, 1 }),
		"gpt-2": base("gpt2", func(c *model.Config) {
			c.Norm, c.Position, c.Activation, c.AttentionBias, c.MLPBias, c.Tied = full, model.Learned, model.GELUTanh, true, true, true
		}),
		"phi-3": base("phi3", func(c *model.Config) {
			c.RopeDims, c.KV = 4, 1
			c.Scaling = &model.Scaling{Type: "longrope", Factor: 4, Original: 16, Positions: 64, Short: []float64{1, 1.5}, Long: []float64{2, 4}, AttentionFactor: 1.25}
		}),
		"gemma 2": base("gemma2", func(c *model.Config) {
			c.Norm.OnePlus, c.ScaleEmbedding, c.Activation, c.Tied = true, true, model.GeGLU, true
			c.Scale, c.ScoreCap, c.LogitCap, c.Windows, c.SlidingTheta = 1/math.Sqrt(12), 2, 3, []int{3, 0}, 100
		}),
		"gemma 3": base("gemma3", func(c *model.Config) {
			c.Norm.OnePlus, c.ScaleEmbedding, c.Activation, c.Tied = true, true, model.GeGLU, true
			c.QKNorm, c.QKHeads, c.Windows, c.SlidingTheta = &model.NormKind{RMS: true, Weight: true, OnePlus: true}, true, []int{3, 0}, 10
		}),
		"starcoder 2": base("starcoder2", func(c *model.Config) {
			c.Norm, c.Activation, c.AttentionBias, c.MLPBias, c.KV = full, model.GELUTanh, true, true, 1
		}),
		"opt": base("opt", func(c *model.Config) {
			c.Norm, c.Position, c.Activation, c.AttentionBias, c.MLPBias, c.Tied = full, model.Learned, model.ReLU, true, true, true
		}),
		"bloom": base("bloom", func(c *model.Config) {
			c.Norm, c.Position, c.AlibiMax, c.Activation, c.EmbeddingNorm, c.AttentionBias, c.MLPBias, c.Tied, c.F = full, model.Alibi, 8, model.GELUTanh, true, true, true, true, 48
		}),
		"gpt-neox in sequence": base("gptneox", func(c *model.Config) {
			c.Norm, c.Activation, c.AttentionBias, c.MLPBias = full, model.GELUTanh, true, true
		}),
	}
}

// TestBackward compares the gradient of every parameter, and the losses, with those
// that the operations' float64 references give.
func TestBackward(t *testing.T) {
	for name, c := range families() {
		t.Run(name, func(t *testing.T) {
			if err := c.Validate(); err != nil {
				t.Fatal(err)
			}
			g := graph.New()
			c.LossAndGradients(g, 1e-3, model.RecomputeNothing)
			ids := []int32{3, 7, 1, 15, 4, 4, 0, 9, 12, 2, 5, 11, 7, 7}
			b := graph.Sequence(ids, 2)
			b.LossScale = 0.25
			b.Targets = []int32{7, 1, 15, -1, 4, 0, -1, 12, 2, 5, 11, 7, 7, -1}
			devicetest.Compare(t, cpuDevice(t), g, b, 2e-4)
		})
	}
}

// TestGradients compares the float64 gradient of the whole model with finite
// differences.
func TestGradients(t *testing.T) {
	for name, c := range families() {
		t.Run(name, func(t *testing.T) {
			g := graph.New()
			c.LossAndGradients(g, 1e-3, model.RecomputeNothing)
			b := graph.Sequence([]int32{3, 7, 1, 15, 4}, 1)
			b.LossScale, b.Targets = 0.5, []int32{7, 1, 15, -1, 4}
			mem := graph.Memory{}
			r := rand.New(rand.NewPCG(3, 4))
			for _, p := range g.Params() {
				a := g.NewArray(p, b)
				for i := range a.Data {
					a.Data[i] = 0.5 * r.NormFloat64()
				}
				mem[g.Info(p).Name] = a
			}
			ce, _ := g.Lookup("ce")
			lse, _ := g.Lookup("lse")
			loss := func() float64 {
				vals := g.Eval(b, mem)
				var s float64
				for i, id := range b.Targets {
					if l := vals[lse].Data[i]; id >= 0 {
						s += float64(b.LossScale) * (vals[ce].Data[i] + float64(float32(1e-3))*l*l)
					}
				}
				return s
			}
			loss()
			grads := map[graph.Value][]float64{}
			for _, p := range g.Params() {
				sum := make([]float64, g.Info(p).Size(1))
				for _, d := range g.Grads(p) {
					for i, v := range mem[g.Info(d).Name].Data {
						sum[i] += v
					}
				}
				grads[p] = sum
			}
			for p, grad := range grads {
				data := mem[g.Info(p).Name].Data
				for range 2 {
					i := r.IntN(len(data))
					const h = 1e-5
					old := data[i]
					data[i] = old + h
					up := loss()
					data[i] = old - h
					down := loss()
					data[i] = old
					if want := (up - down) / (2 * h); !(abs(want-grad[i]) <= 1e-6) {
						t.Errorf("d/d%s[%d] = %v, finite difference %v", g.Info(p).Name, i, grad[i], want)
					}
				}
			}
		})
	}
}

func abs(x float64) float64 { return max(x, -x) }
