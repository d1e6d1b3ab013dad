package model

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// ai2 is a small section that is whole; change makes it another.
func ai2(change func(a *AI2)) *AI2 {
	a := DefaultAI2()
	size := 128
	a.DModel, a.NHeads, a.NLayers, a.VocabSize, a.EmbeddingSize, a.MaxSequenceLength = 24, 4, 3, 100, &size, 64
	change(&a)
	return &a
}

// TestSectionConfigs: what the model section's keys make of the model, as ModelConfig of the
// ai2-olmo package has them.
func TestSectionConfigs(t *testing.T) {
	full := NormKind{Weight: true, Bias: true}
	// The package's defaults: learned positions, LayerNorm, SwiGLU, biases everywhere, tied.
	base := Config{
		Family: "olmo", Layers: 3, C: 24, H: 4, KV: 4, D: 6, F: 48, VocabSize: 100, V: 128, T: 64, Tied: true, NormEps: 1e-5, Norm: full, Position: Learned,
		AttentionBias: true, MLPBias: true, AttentionDropout: 0.1, ResidualDropout: 0.1, EmbeddingDropout: 0.1, EOS: 50256, PAD: 50256, BOS: -1,
	}
	one, two, five, no, yes, clip, hidden := 1, 2, 5, false, true, 1.5, 34
	for _, c := range []struct {
		name   string
		change func(a *AI2)
		want   func(c *Config)
	}{
		{"defaults", func(a *AI2) {}, func(c *Config) {}},
		{"no embedding_size", func(a *AI2) { a.EmbeddingSize = nil }, func(c *Config) { c.V = 100 }},
		{"untied", func(a *AI2) { a.WeightTying = false }, func(c *Config) { c.Tied, c.HeadBias = false, true }},
		{"no biases", func(a *AI2) { a.IncludeBias = false }, func(c *Config) { c.AttentionBias, c.MLPBias, c.Norm.Bias = false, false, false }},
		{"no biases but of norms", func(a *AI2) { a.IncludeBias, a.BiasForLayerNorm = false, &yes }, func(c *Config) { c.AttentionBias, c.MLPBias = false, false }},
		{"no biases of norms", func(a *AI2) { a.BiasForLayerNorm = &no }, func(c *Config) { c.Norm.Bias = false }},
		{"norms without weights", func(a *AI2) { a.LayerNormWithAffine = false }, func(c *Config) { c.Norm = NormKind{} }},
		{"RMSNorm", func(a *AI2) { a.LayerNormType = "rms" }, func(c *Config) { c.Norm.RMS = true }},
		{"low precision", func(a *AI2) { a.LayerNormType = "low_precision" }, func(c *Config) {}},
		{"norms of queries and keys", func(a *AI2) { a.AttentionLayerNorm = true }, func(c *Config) { c.QKNorm = &full }},
		{"norms of queries and keys without weights", func(a *AI2) { a.AttentionLayerNorm, a.AttentionLayerNormWithAffine = true, false }, func(c *Config) { c.QKNorm = &NormKind{} }},
		{"RMSNorm of queries and keys", func(a *AI2) { a.AttentionLayerNorm, a.LayerNormType, a.BiasForLayerNorm = true, "rms", &no }, func(c *Config) {
			c.Norm, c.QKNorm = NormKind{RMS: true, Weight: true}, &NormKind{RMS: true, Weight: true}
		}},
		{"norm_after", func(a *AI2) { a.NormAfter = true }, func(c *Config) { c.Family = "olmo2" }},
		{"the llama block knows no norm_after", func(a *AI2) { a.NormAfter, a.BlockType = true, "llama" }, func(c *Config) { c.SplitQKV = true }},
		{"one key head", func(a *AI2) { a.MultiQueryAttention = &yes }, func(c *Config) { c.KV = 1 }},
		{"one key head, twice said", func(a *AI2) { a.MultiQueryAttention, a.NKVHeads = &yes, &one }, func(c *Config) { c.KV = 1 }},
		{"all key heads", func(a *AI2) { a.MultiQueryAttention = &no }, func(c *Config) {}},
		{"two key heads", func(a *AI2) { a.NKVHeads = &two }, func(c *Config) { c.KV = 2 }},
		{"clipped", func(a *AI2) { a.ClipQKV = &clip }, func(c *Config) { c.Clip = 1.5 }},
		{"rotary", func(a *AI2) { a.Rope, a.RopeTheta = true, 500 }, func(c *Config) { c.Position, c.RopeTheta = Rotary, 500 }},
		{"alibi", func(a *AI2) { a.Alibi, a.AlibiBiasMax = true, 4 }, func(c *Config) { c.Position, c.AlibiMax = Alibi, 4 }},
		{"MLP ratio", func(a *AI2) { a.MLPRatio = 6 }, func(c *Config) { c.F = 72 }},
		{"MLP width", func(a *AI2) { a.MLPHiddenSize = &hidden }, func(c *Config) { c.F = 17 }},
		{"GELU", func(a *AI2) { a.ActivationType = "gelu" }, func(c *Config) { c.Activation, c.F = GELU, 96 }},
		{"ReLU of an odd width", func(a *AI2) { a.ActivationType, a.MLPHiddenSize = "relu", &five }, func(c *Config) { c.Activation, c.F = ReLU, 5 }},
		{"embedding norm and scaled logits", func(a *AI2) { a.EmbeddingLayerNorm, a.ScaleLogits = true, true }, func(c *Config) { c.EmbeddingNorm, c.ScaleLogits = true, true }},
		{"dropout", func(a *AI2) { a.AttentionDropout, a.ResidualDropout, a.EmbeddingDropout = 0.2, 0.3, 0.4 }, func(c *Config) {
			c.AttentionDropout, c.ResidualDropout, c.EmbeddingDropout = 0.2, 0.3, 0.4
		}},
		// The pattern repeats, and the last layer sees all whatever it says.
		{"windows", func(a *AI2) { a.SlidingWindow = []int{8, -1} }, func(c *Config) { c.Windows = []int{8, 0, 0} }},
		{"scaled rotation", func(a *AI2) { a.Rope, a.RopeTheta, a.RopeScaling = true, 500, &Scaling{Type: "linear", Factor: 2} }, func(c *Config) {
			c.Position, c.RopeTheta, c.Scaling = Rotary, 500, &Scaling{Type: "linear", Factor: 2, Original: 64}
		}},
		{"mixture", func(a *AI2) {
			a.BlockType, a.LayerNormType, a.Rope, a.IncludeBias = "moe", "rms", true, false
			a.MoENumExperts, a.MoETopK, a.MoENormalize, a.MoELossWeight, a.MoEZLossWeight = 6, 3, true, 0.02, 0.003
		}, func(c *Config) {
			c.Family, c.Norm, c.Position, c.RopeTheta, c.AttentionBias, c.MLPBias = "olmoe", NormKind{RMS: true, Weight: true}, Rotary, 10000, false, false
			c.Experts, c.TopK, c.NormTopK, c.BalanceWeight, c.RouterZWeight = 6, 3, true, 0.02, 0.003
			c.AttentionDropout, c.ResidualDropout, c.EmbeddingDropout = 0, 0, 0
		}},
	} {
		want := base
		c.want(&want)
		got, err := ai2(c.change).Config()
		if err != nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: got\n%+v (%v), want\n%+v", c.name, got, err, want)
		}
	}
}

// TestSectionRefuses: keys that contradict each other are named.
func TestSectionRefuses(t *testing.T) {
	two, odd, zero, yes := 2, 33, 0.0, true
	moe := func(change func(a *AI2)) func(a *AI2) {
		return func(a *AI2) {
			a.BlockType, a.LayerNormType, a.Rope, a.IncludeBias = "moe", "rms", true, false
			change(a)
		}
	}
	for name, c := range map[string]struct {
		change func(a *AI2)
		want   string
	}{
		"heads":               {func(a *AI2) { a.NHeads = 5 }, "d_model 24 is not a multiple of n_heads 5"},
		"no heads":            {func(a *AI2) { a.NHeads = 0 }, "d_model 24 is not a multiple of n_heads 0"},
		"key heads":           {func(a *AI2) { a.MultiQueryAttention, a.NKVHeads = &yes, &two }, "n_kv_heads is 2 and multi_query_attention is true"},
		"block":               {func(a *AI2) { a.BlockType = "parallel" }, "block_type parallel is not known"},
		"norm":                {func(a *AI2) { a.LayerNormType = "batch" }, "layer_norm_type batch is not known"},
		"clip":                {func(a *AI2) { a.ClipQKV = &zero }, "clip_qkv is 0, not a positive number"},
		"both positions":      {func(a *AI2) { a.Rope, a.Alibi = true, true }, "rope and alibi exclude each other"},
		"window of 0":         {func(a *AI2) { a.SlidingWindow = []int{0} }, "a sliding_window of 0 is not possible"},
		"window of -2":        {func(a *AI2) { a.SlidingWindow = []int{-2} }, "a sliding_window of -2 is not possible"},
		"odd MLP":             {func(a *AI2) { a.MLPHiddenSize = &odd }, "an MLP of 33 is cut into two halves by swiglu"},
		"activation":          {func(a *AI2) { a.ActivationType = "silu" }, "activation_type silu is not known"},
		"mixture, biases":     {moe(func(a *AI2) { a.IncludeBias = true }), "a mixture of experts has OLMoE's blocks"},
		"mixture, norm":       {moe(func(a *AI2) { a.LayerNormType = "default" }), "a mixture of experts has OLMoE's blocks"},
		"mixture, activation": {moe(func(a *AI2) { a.ActivationType = "gelu" }), "a mixture of experts has OLMoE's blocks"},
		"mixture, positions":  {moe(func(a *AI2) { a.Rope = false }), "a mixture of experts has OLMoE's blocks"},
		"mixture, norm_after": {moe(func(a *AI2) { a.NormAfter = true }), "a mixture of experts has OLMoE's blocks"},
		"more than it has":    {func(a *AI2) { a.VocabSize = 129 }, "vocabulary of 129 is larger than the embedding, 128 rows"},
	} {
		if _, err := ai2(c.change).Config(); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "%!") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestSectionRoundTrip: what Section writes of a model of the package's names, Config reads as
// the same model, in every setting; what it has no keys for is refused.
func TestSectionRoundTrip(t *testing.T) {
	full, rms := NormKind{Weight: true, Bias: true}, NormKind{RMS: true, Weight: true}
	base := func(change func(c *Config)) *Config {
		c := &Config{
			Family: "olmo", Layers: 2, C: 24, H: 4, KV: 4, D: 6, F: 20, VocabSize: 45, V: 48, T: 64, NormEps: 3e-6, RopeTheta: 777, EOS: 2, PAD: 1, BOS: -1,
		}
		change(c)
		return c
	}
	for name, want := range map[string]*Config{
		"OLMo 1":      base(func(c *Config) { c.Clip, c.Tied = 8, true }),
		"OLMo 2":      base(func(c *Config) { c.Family, c.Norm, c.QKNorm, c.KV = "olmo2", rms, &rms, 2 }),
		"llama block": base(func(c *Config) { c.SplitQKV, c.Norm = true, NormKind{Weight: true} }),
		"all biases": base(func(c *Config) {
			c.Norm, c.QKNorm, c.AttentionBias, c.MLPBias, c.HeadBias = full, &full, true, true, true
		}),
		"learned": base(func(c *Config) { c.Position, c.RopeTheta, c.Activation, c.EmbeddingNorm = Learned, 0, GELU, true }),
		"alibi": base(func(c *Config) {
			c.Position, c.RopeTheta, c.AlibiMax, c.Activation, c.ScaleLogits, c.KV = Alibi, 0, 4, ReLU, true, 1
		}),
		"windows":      base(func(c *Config) { c.Windows = []int{7, 0} }),
		"a scaling":    base(func(c *Config) { c.Scaling = &Scaling{Type: "linear", Factor: 2, Original: 32} }),
		"bare qk norm": base(func(c *Config) { c.Norm, c.QKNorm = rms, &NormKind{RMS: true} }),
	} {
		a, err := want.Section()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := a.Config()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got\n%+v (%v), want\n%+v", name, got, err, want)
		}
	}
	for name, c := range map[string]*Config{
		"a window in the last layer": base(func(c *Config) { c.Windows = []int{7, 7} }),
		"two thetas":                 base(func(c *Config) { c.Windows, c.SlidingTheta = []int{7, 0}, 55 }),
		"a scaling below windows":    base(func(c *Config) { c.Windows, c.SlidingScaling = []int{7, 0}, &Scaling{Type: "linear", Factor: 2} }),
		"biases of the MLP alone":    base(func(c *Config) { c.MLPBias = true }),
		"a tied head's bias":         base(func(c *Config) { c.HeadBias = true }),
		"wider heads":                base(func(c *Config) { c.D = 8 }),
		"a scale":                    base(func(c *Config) { c.Scale = 0.5 }),
		"two kinds of norm":          base(func(c *Config) { c.Norm, c.QKNorm = rms, &full }),
	} {
		if _, err := c.Section(); err == nil || !strings.Contains(err.Error(), ErrLayout.Error()) {
			t.Errorf("%s: %v, want ErrLayout", name, err)
		}
	}
}

// TestInGroups: checkpoints that count blocks by groups keep their numbers of layers.
func TestInGroups(t *testing.T) {
	names := []string{"transformer.wte.weight"}
	for g := range 2 {
		for b := range 3 {
			names = append(names, "transformer.block_groups."+string(rune('0'+g))+"."+string(rune('0'+b))+".attn_out.weight")
		}
	}
	rename := InGroups(names)
	for name, want := range map[string]string{
		"transformer.blocks.0.attn_out.weight": names[1], "transformer.blocks.2.attn_out.weight": names[3],
		"transformer.blocks.3.attn_out.weight": names[4], "transformer.wte.weight": "transformer.wte.weight",
	} {
		if got := rename(name); got != want {
			t.Errorf("%s is called %s, want %s", name, got, want)
		}
	}
	if InGroups(slices.DeleteFunc(names, func(s string) bool { return strings.Contains(s, "groups") })) != nil {
		t.Error("names without groups are renamed")
	}
}

// TestLongerSequences: a run may have longer sequences than the model that hf describes, unless the
// model has no more positions.
func TestLongerSequences(t *testing.T) {
	base := map[string]any{"model_type": "llama", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8, "vocab_size": 32, "max_position_embeddings": 64}
	gpt2 := map[string]any{"model_type": "gpt2", "n_embd": 16, "n_layer": 1, "n_head": 2, "vocab_size": 32, "n_positions": 64}
	dynamic := maps.Clone(base)
	dynamic["rope_scaling"] = map[string]any{"rope_type": "dynamic", "factor": 2.0}
	for _, c := range []struct {
		name    string
		hf      map[string]any
		length  int
		want    int
		refused string
	}{
		{"shorter", base, 32, 64, ""},
		{"longer", base, 128, 128, ""},
		{"all positions", gpt2, 64, 64, ""},
		{"more than are learned", gpt2, 65, 0, "max_sequence_length is 65: the model has 64 positions"},
		{"more than are rotated alike", dynamic, 65, 0, "max_sequence_length is 65: the model has 64 positions"},
	} {
		a := DefaultAI2()
		a.HF, a.MaxSequenceLength = c.hf, c.length
		got, err := a.Config()
		switch {
		case c.refused != "":
			if err == nil || !strings.Contains(err.Error(), c.refused) {
				t.Errorf("%s: error %v, want %q", c.name, err, c.refused)
			}
		case err != nil || got.T != c.want:
			t.Errorf("%s: %+v (%v), want %d positions", c.name, got, err, c.want)
		}
	}
}
