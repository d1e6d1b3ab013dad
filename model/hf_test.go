package model

import (
	"cmp"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// decoded returns what a decoder makes of a value's JSON.
func decoded(t *testing.T, v any) map[string]any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// settled are models of every family of Transformers with every setting that it has away from
// its default.
func settled() map[string]*Config {
	rms, full := NormKind{RMS: true, Weight: true}, NormKind{Weight: true, Bias: true}
	base := func(family string, change func(c *Config)) *Config {
		c := &Config{
			Family: family, Layers: 2, C: 24, H: 4, KV: 2, D: 6, F: 20, V: 48, VocabSize: 48, T: 64, NormEps: 3e-6, Norm: rms, RopeTheta: 777, EOS: 2, PAD: 1, BOS: 0,
		}
		change(c)
		return c
	}
	yarn := &Scaling{Type: "yarn", Factor: 4, Original: 16, BetaFast: 16, BetaSlow: 2, AttentionFactor: 1.25, Smooth: true}
	llama3 := &Scaling{Type: "llama3", Factor: 8, Original: 32, LowFreq: 1.5, HighFreq: 5}
	linear := &Scaling{Type: "linear", Factor: 2.5, Original: 64}
	dynamic := &Scaling{Type: "dynamic", Factor: 2, Original: 64, Positions: 64}
	longrope := &Scaling{
		Type: "longrope", Factor: 4, Original: 32, Positions: 128, AttentionFactor: 1.5, Short: []float64{1, 1.5, 2}, Long: []float64{2, 3, 5},
	}
	one := rms
	one.OnePlus = true
	return map[string]*Config{
		"olmo":          base("olmo", func(c *Config) { c.Norm, c.NormEps, c.Clip, c.Tied = NormKind{}, 1e-5, 1.5, true }),
		"olmo2":         base("olmo2", func(c *Config) { c.QKNorm, c.AttentionBias = &rms, true }),
		"llama":         base("llama", func(c *Config) { c.AttentionBias, c.MLPBias, c.Scaling, c.D = true, true, llama3, 8 }),
		"llama, linear": base("llama", func(c *Config) { c.Scaling, c.PAD, c.BOS = linear, -1, -1 }),
		"llama, yarn":   base("llama", func(c *Config) { c.Scaling = yarn }),
		"mixtral":       base("mixtral", func(c *Config) { c.Experts, c.TopK, c.NormTopK = 6, 3, true }),
		"mixtral, window": base("mixtral", func(c *Config) {
			c.Experts, c.TopK, c.NormTopK, c.Windows, c.SlidingTheta = 6, 3, true, []int{5, 5}, 777
		}),
		"olmoe": base("olmoe", func(c *Config) {
			c.QKNorm, c.Experts, c.TopK, c.NormTopK, c.Clip, c.AttentionBias = &rms, 6, 3, true, 0.5, true
		}),
		"olmo3":             base("olmo3", func(c *Config) { c.QKNorm, c.Windows, c.SlidingTheta, c.Scaling = &rms, []int{7, 0}, 777, yarn }),
		"olmo3, two thetas": base("olmo3", func(c *Config) { c.QKNorm, c.Windows, c.SlidingTheta = &rms, []int{0, 7}, 55 }),
		"olmo3, scaled below": base("olmo3", func(c *Config) {
			c.QKNorm, c.Windows, c.SlidingTheta, c.SlidingScaling = &rms, []int{7, 7}, 777, linear
		}),
		"mpt": base("mpt", func(c *Config) {
			c.Norm, c.KV, c.F, c.RopeTheta, c.Tied = NormKind{Weight: true}, 4, 96, 0, true
			c.Position, c.AlibiMax, c.Activation, c.Clip, c.Scale = Alibi, 8, GELU, 0.8, 0.75
		}),
		"mistral": base("mistral", func(c *Config) { c.D = 8 }),
		"mistral, window": base("mistral", func(c *Config) {
			c.Windows, c.SlidingTheta, c.SlidingScaling, c.Scaling = []int{5, 5}, 777, linear, linear
		}),
		"qwen2":         base("qwen2", func(c *Config) { c.QKVBias, c.Tied = true, true }),
		"qwen2, window": base("qwen2", func(c *Config) { c.QKVBias, c.Windows, c.SlidingTheta = true, []int{0, 5}, 777 }),
		"qwen3": base("qwen3", func(c *Config) {
			c.QKNorm, c.QKHeads, c.AttentionBias, c.D, c.Scaling = &rms, true, true, 8, dynamic
		}),
		"gpt2": base("gpt2", func(c *Config) {
			c.Norm, c.KV, c.RopeTheta, c.Position, c.Activation, c.AttentionBias, c.MLPBias, c.Scale = full, 4, 0, Learned, ReLU, true, true, 1
		}),
		"phi3":            base("phi3", func(c *Config) { c.RopeDims, c.D, c.Windows, c.SlidingTheta = 4, 8, []int{5, 5}, 777 }),
		"phi3, longrope":  base("phi3", func(c *Config) { c.RopeDims, c.Scaling, c.T = 6, longrope, 32 }),
		"llama, longrope": base("llama", func(c *Config) { c.Scaling, c.T = longrope, 32 }),
		"llama, proportional": base("llama", func(c *Config) {
			c.Scaling = &Scaling{Type: "proportional", Factor: 2, Original: 64, Share: 0.75}
		}),
		"gemma2": base("gemma2", func(c *Config) {
			c.Norm.OnePlus, c.ScaleEmbedding, c.Activation, c.AttentionBias, c.D = true, true, GeGLU, true, 8
			c.Scale, c.ScoreCap, c.LogitCap, c.Windows, c.SlidingTheta = 0.25, 7, 9.5, []int{0, 5}, 777
		}),
		"gemma3": base("gemma3", func(c *Config) {
			c.Norm.OnePlus, c.ScaleEmbedding, c.Activation, c.Tied = true, true, GeGLU, true
			c.QKNorm, c.QKHeads, c.Scale, c.LogitCap, c.Windows, c.SlidingTheta, c.Scaling = &one, true, 0.25, 9, []int{5, 0}, 55, linear
		}),
		"starcoder2": base("starcoder2", func(c *Config) {
			c.Norm, c.Activation, c.Windows, c.SlidingTheta = full, ReLU, []int{5, 5}, 777
		}),
		"opt": base("opt", func(c *Config) {
			c.Norm, c.KV, c.RopeTheta, c.NormEps, c.Position, c.Activation = NormKind{}, 4, 0, 1e-5, Learned, GELU
		}),
		"bloom": base("bloom", func(c *Config) {
			c.Norm, c.KV, c.RopeTheta, c.F, c.Position, c.AlibiMax, c.Activation = full, 4, 0, 96, Alibi, 8, GELUTanh
			c.EmbeddingNorm, c.AttentionBias, c.MLPBias = true, true, true
		}),
		"gptneox": base("gptneox", func(c *Config) {
			c.Norm, c.KV, c.D, c.C, c.RopeDims, c.Activation, c.Parallel, c.MLPBias = full, 4, 8, 32, 4, GELUTanh, false, true
			c.Scaling = linear
		}),
		"gptneox, parallel": base("gptneox", func(c *Config) {
			c.Norm, c.KV, c.D, c.C, c.RopeDims, c.Activation, c.Parallel, c.AttentionBias, c.MLPBias = full, 4, 8, 32, 2, ReLU, true, true, true
		}),
	}
}

// TestHFConfigs: a config.json that is written and read again is the same model, in every
// setting.
func TestHFConfigs(t *testing.T) {
	for name, want := range settled() {
		t.Run(name, func(t *testing.T) {
			m, err := want.hfConfig()
			if err != nil {
				t.Fatal(err)
			}
			got, err := configFromHF(decoded(t, m))
			if err != nil {
				t.Fatal(err)
			}
			if got.SlidingTheta == got.RopeTheta && want.SlidingTheta == 0 {
				got.SlidingTheta = 0
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("read\n%+v\nwant\n%+v\nof %v", got, want, m)
			}
		})
	}
}

// TestHFDefaults: what a config.json leaves out is what Transformers' classes have.
func TestHFDefaults(t *testing.T) {
	rms := NormKind{RMS: true, Weight: true}
	sizes := `"hidden_size":64,"num_hidden_layers":4,"num_attention_heads":4,"intermediate_size":96,"vocab_size":100`
	full, one := NormKind{Weight: true, Bias: true}, NormKind{RMS: true, Weight: true, OnePlus: true}
	for _, c := range []struct {
		kind, more string
		want       Config
	}{
		{"mistral", strings.Replace(sizes, `heads":4`, `heads":8`, 1), Config{Family: "mistral", KV: 8, H: 8, D: 8, F: 96, NormEps: 1e-6, Norm: rms, RopeTheta: 10000, T: 131072, BOS: 1, EOS: 2, PAD: -1, Windows: []int{4096, 4096, 4096, 4096}, SlidingTheta: 10000}},
		{"qwen2", sizes + `,"num_key_value_heads":null`, Config{Family: "qwen2", F: 96, NormEps: 1e-6, Norm: rms, RopeTheta: 10000, T: 32768, QKVBias: true, BOS: -1, EOS: -1, PAD: -1}},
		{"qwen3", sizes + `,"num_key_value_heads":4`, Config{Family: "qwen3", D: 128, F: 96, NormEps: 1e-6, Norm: rms, QKNorm: &rms, QKHeads: true, RopeTheta: 10000, T: 32768, BOS: -1, EOS: -1, PAD: -1}},
		{"gpt2", `"n_embd":64,"n_layer":4,"n_head":4,"vocab_size":100`, Config{
			Family: "gpt2", F: 256, NormEps: 1e-5, Norm: full, Position: Learned, T: 1024, Activation: GELUTanh, AttentionBias: true, MLPBias: true, Tied: true, BOS: 50256, EOS: 50256, PAD: -1,
		}},
		{"phi3", sizes, Config{Family: "phi3", F: 96, NormEps: 1e-5, Norm: rms, RopeTheta: 10000, RopeDims: 16, T: 4096, BOS: 1, EOS: 32000, PAD: 32000}},
		{"gemma2", sizes, Config{
			Family: "gemma2", D: 256, F: 96, NormEps: 1e-6, Norm: one, RopeTheta: 10000, T: 8192, Tied: true, ScaleEmbedding: true, Activation: GeGLU, Scale: 1. / 16, ScoreCap: 50, LogitCap: 30,
			Windows: []int{4096, 0, 4096, 0}, SlidingTheta: 10000, BOS: 2, EOS: 1,
		}},
		{"gemma3_text", sizes + `,"sliding_window_pattern":3`, Config{
			Family: "gemma3", D: 256, F: 96, NormEps: 1e-6, Norm: one, QKNorm: &one, QKHeads: true, RopeTheta: 1e6, T: 131072, Tied: true, ScaleEmbedding: true, Activation: GeGLU, Scale: 1. / 16,
			Windows: []int{4096, 4096, 0, 4096}, SlidingTheta: 10000, BOS: 2, EOS: 1,
		}},
		{"starcoder2", sizes, Config{
			Family: "starcoder2", KV: 2, F: 96, NormEps: 1e-5, Norm: full, RopeTheta: 10000, T: 4096, Tied: true, Activation: GELUTanh, AttentionBias: true, MLPBias: true, BOS: 50256, EOS: 50256, PAD: -1,
		}},
		{"opt", sizes + `,"ffn_dim":96`, Config{
			Family: "opt", F: 96, NormEps: 1e-5, Norm: full, Position: Learned, Activation: ReLU, AttentionBias: true, MLPBias: true, Tied: true, T: 2048, BOS: 2, EOS: 2, PAD: 1,
		}},
		{"bloom", `"n_embed":64,"n_layer":4,"n_head":4,"vocab_size":100`, Config{
			Family: "bloom", F: 256, NormEps: 1e-5, Norm: full, Position: Alibi, AlibiMax: 8, Tied: true, Activation: GELUTanh, EmbeddingNorm: true, AttentionBias: true, MLPBias: true, BOS: 1, EOS: 2, PAD: -1, T: 2048,
		}},
		{"llama", sizes, Config{Family: "llama", F: 96, NormEps: 1e-6, Norm: rms, RopeTheta: 10000}},
		{"olmo", sizes, Config{Family: "olmo", F: 96, NormEps: 1e-5, RopeTheta: 10000}},
		{"olmo2", sizes, Config{Family: "olmo2", F: 96, NormEps: 1e-5, Norm: rms, QKNorm: &rms, RopeTheta: 10000}},
		{"olmo3", sizes, Config{Family: "olmo3", F: 96, NormEps: 1e-5, Norm: rms, QKNorm: &rms, RopeTheta: 500000, Windows: []int{4096, 4096, 4096, 0}}},
		{"olmoe", sizes, Config{Family: "olmoe", F: 96, NormEps: 1e-5, Norm: rms, QKNorm: &rms, RopeTheta: 10000, Experts: 64, TopK: 8}},
		{"mixtral", sizes, Config{Family: "mixtral", F: 96, NormEps: 1e-5, Norm: rms, RopeTheta: 1e6, Experts: 8, TopK: 2, NormTopK: true}},
		{"gpt_neox", sizes, Config{
			Family: "gptneox", F: 96, NormEps: 1e-5, Norm: NormKind{Weight: true, Bias: true}, RopeTheta: 10000, RopeDims: 4, Activation: GELU,
			AttentionBias: true, MLPBias: true, Parallel: true,
		}},
		{"mpt", `"d_model":64,"n_heads":4,"n_layers":4,"vocab_size":100`, Config{
			Family: "mpt", F: 256, NormEps: 1e-5, Norm: NormKind{Weight: true}, Position: Alibi, AlibiMax: 8, Activation: GELU, Tied: true,
		}},
		{"mpt", `"hidden_size":64,"num_attention_heads":4,"num_hidden_layers":4,"vocab_size":100`, Config{
			Family: "mpt", F: 256, NormEps: 1e-5, Norm: NormKind{Weight: true}, Position: Alibi, AlibiMax: 8, Activation: GELU, Tied: true,
		}},
	} {
		w := &c.want
		if w.T == 0 {
			w.T, w.EOS, w.PAD, w.BOS = 2048, -1, -1, -1
		}
		w.Layers, w.C, w.H, w.KV, w.D, w.V, w.VocabSize = 4, 64, cmp.Or(w.H, 4), cmp.Or(w.KV, 4), cmp.Or(w.D, 16), 100, 100
		var m map[string]any
		if err := json.Unmarshal([]byte(`{"model_type":"`+c.kind+`",`+c.more+`}`), &m); err != nil {
			t.Fatal(err)
		}
		got, err := configFromHF(m)
		if err != nil || !reflect.DeepEqual(*got, c.want) {
			t.Errorf("%s: got\n%+v (%v), want\n%+v", c.kind, got, err, c.want)
		}
	}
}

// TestHFRotations: the ways in which config.json files of Transformers 4 and 5 say how a
// model rotates.
func TestHFRotations(t *testing.T) {
	for _, c := range []struct {
		name, kind, more string
		theta, sliding   float64
		scaling          *Scaling
	}{
		{"old keys", "llama", `"rope_theta":50,"rope_scaling":{"type":"linear","factor":3}`, 50, 0, &Scaling{Type: "linear", Factor: 3, Original: 2048}},
		{"no scaling", "llama", `"rope_theta":50,"rope_scaling":null`, 50, 0, nil},
		{"default", "llama", `"rope_theta":50,"rope_scaling":{"rope_type":"default"}`, 50, 0, nil},
		{"new keys", "llama", `"rope_parameters":{"rope_theta":60,"rope_type":"linear","factor":3,"original_max_position_embeddings":128}`, 60, 0, &Scaling{Type: "linear", Factor: 3, Original: 128}},
		{"new keys without a type", "llama", `"rope_theta":50,"rope_parameters":{"factor":3}`, 50, 0, nil},
		{"both keys: the old one wins", "llama", `"rope_theta":50,"rope_scaling":{"type":"linear","factor":3},"rope_parameters":{"rope_theta":60,"rope_type":"linear","factor":5}`, 50, 0, &Scaling{Type: "linear", Factor: 3, Original: 2048}},
		{"both keys: its theta too", "llama", `"rope_theta":50,"rope_scaling":{"type":"default","rope_theta":70},"rope_parameters":{"rope_theta":60,"rope_type":"linear","factor":5}`, 70, 0, nil},
		{"both keys, no theta in the old one", "llama", `"rope_scaling":{"type":"linear","factor":3},"rope_parameters":{"rope_theta":60}`, 10000, 0, &Scaling{Type: "linear", Factor: 3, Original: 2048}},
		{"an empty old key", "llama", `"rope_theta":50,"rope_scaling":{},"rope_parameters":{"rope_theta":60,"rope_type":"linear","factor":5}`, 60, 0, &Scaling{Type: "linear", Factor: 5, Original: 2048}},
		{"theta of Pythia beside new keys", "gpt_neox", `"rotary_emb_base":50,"rope_parameters":{"rope_type":"default"}`, 50, 0, nil},
		{"both keys of Pythia", "gpt_neox", `"rotary_emb_base":50,"rope_scaling":{"type":"linear","factor":3},"rope_parameters":{"rope_theta":60}`, 50, 0, &Scaling{Type: "linear", Factor: 3, Original: 2048}},
		{"for each kind of layer", "olmo3", `"rope_parameters":{"full_attention":{"rope_theta":60,"rope_type":"linear","factor":3},"sliding_attention":{"rope_theta":70,"rope_type":"default"}}`, 60, 70, &Scaling{Type: "linear", Factor: 3, Original: 2048}},
		{"beside the rotation", "llama", `"original_max_position_embeddings":128,"rope_scaling":{"rope_type":"llama3","factor":2,"low_freq_factor":1,"high_freq_factor":4,"original_max_position_embeddings":64}`, 10000, 0, &Scaling{
			Type: "llama3", Factor: 2, Original: 128, LowFreq: 1, HighFreq: 4,
		}},
		{"dynamic", "llama", `"rope_scaling":{"type":"dynamic","factor":2},"original_max_position_embeddings":128`, 10000, 0, &Scaling{Type: "dynamic", Factor: 2, Original: 2048, Positions: 2048}},
		{"proportional", "llama", `"rope_parameters":{"rope_type":"proportional","partial_rotary_factor":0.5}`, 10000, 0, &Scaling{Type: "proportional", Factor: 1, Original: 2048, Share: 0.5}},
		{"proportional, its share beside", "llama", `"partial_rotary_factor":0.5,"rope_parameters":{"rope_type":"proportional","factor":2}`, 10000, 0, &Scaling{Type: "proportional", Factor: 2, Original: 2048, Share: 0.5}},
		{"longrope", "llama", `"max_position_embeddings":256,"rope_scaling":{"rope_type":"longrope","short_factor":[1,1,1,1,1,1,1,1],"long_factor":[2,2,2,2,2,2,2,2],"original_max_position_embeddings":16}`, 10000, 0, &Scaling{
			Type: "longrope", Factor: 16, Original: 16, Positions: 256, AttentionFactor: math.Sqrt2, Short: slices.Repeat([]float64{1}, 8), Long: slices.Repeat([]float64{2}, 8),
		}},
		{"Phi-3's first name of longrope", "phi3", `"max_position_embeddings":256,"original_max_position_embeddings":16,"rope_scaling":{"type":"su","short_factor":[1,1,1,1,1,1,1,1],"long_factor":[2,2,2,2,2,2,2,2]}`, 10000, 0, &Scaling{
			Type: "longrope", Factor: 16, Original: 16, Positions: 256, AttentionFactor: math.Sqrt2, Short: slices.Repeat([]float64{1}, 8), Long: slices.Repeat([]float64{2}, 8),
		}},
		{"Gemma 3 of Transformers 4", "gemma3_text", `"rope_theta":60,"rope_local_base_freq":70,"rope_scaling":{"rope_type":"linear","factor":8}`, 60, 70, &Scaling{Type: "linear", Factor: 8, Original: 131072}},
		{"Gemma 3's own thetas", "gemma3_text", `"vocab_size":100`, 1e6, 10000, nil},
		{"YaRN's mscale", "llama", `"rope_theta":50,"rope_scaling":{"rope_type":"yarn","factor":8,"mscale":0.707,"mscale_all_dim":1}`, 50, 0, &Scaling{
			Type: "yarn", Factor: 8, Original: 2048, BetaFast: 32, BetaSlow: 1, AttentionFactor: yarnFactor(8, 0.707) / yarnFactor(8, 1),
		}},
		{"YaRN's own factor before mscale", "llama", `"rope_theta":50,"rope_scaling":{"rope_type":"yarn","factor":8,"mscale":0.707,"mscale_all_dim":1,"attention_factor":1.5}`, 50, 0, &Scaling{
			Type: "yarn", Factor: 8, Original: 2048, BetaFast: 32, BetaSlow: 1, AttentionFactor: 1.5,
		}},
		{"YaRN with one mscale", "llama", `"rope_theta":50,"rope_scaling":{"rope_type":"yarn","factor":8,"mscale":0.707}`, 50, 0, &Scaling{
			Type: "yarn", Factor: 8, Original: 2048, BetaFast: 32, BetaSlow: 1, AttentionFactor: yarnFactor(8, 1),
		}},
	} {
		var m map[string]any
		text := `{"model_type":"` + c.kind + `","hidden_size":64,"num_hidden_layers":4,"num_attention_heads":4,"intermediate_size":96,"vocab_size":100,` + c.more + `}`
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatal(err)
		}
		got, err := configFromHF(m)
		if err != nil || got.RopeTheta != c.theta || got.SlidingTheta != c.sliding || !reflect.DeepEqual(got.Scaling, c.scaling) {
			t.Errorf("%s: %+v (%v), want theta %v, %v and %+v", c.name, got, err, c.theta, c.sliding, c.scaling)
		}
	}
}

// TestHFRefuses: a key of another type or meaning is named, never passed over.
func TestHFRefuses(t *testing.T) {
	for _, c := range []struct{ kind, key, value, want string }{
		{"llama", "hidden_size", "64.5", "hidden_size is 64.5, not a whole number"},
		{"llama", "hidden_size", "1e15", "hidden_size is 1e+15, not a whole number"},
		{"llama", "rms_norm_eps", `"small"`, "rms_norm_eps is the string \"small\", not a number"},
		{"llama", "attention_bias", `"yes"`, "attention_bias is the string \"yes\", not true or false"},
		{"llama", "hidden_act", "3", "hidden_act is 3, not a string"},
		{"llama", "hidden_act", `"gelu"`, `hidden_act "gelu" is not built for this family`},
		{"llama", "eos_token_id", "1.5", "eos_token_id is 1.5, not a token id"},
		{"llama", "eos_token_id", "[1,-2]", "eos_token_id is -2, not a token id"},
		{"llama", "eos_token_id", "2147483648", "not a token id"},
		{"llama", "rope_scaling", "3", "rope_scaling is 3, not an object"},
		{"llama", "rope_scaling", `{"type":"linear","factor":"x"}`, "rope_scaling.factor is the string \"x\", not a number"},
		{"llama", "rope_scaling", `{"type":"linear"}`, "rope_scaling.factor is missing: a rotation scaled by linear needs it"},
		{"llama", "rope_scaling", `{"rope_type":"yarn","factor":null}`, "rope_scaling.factor is missing: a rotation scaled by yarn needs it"},
		{"llama", "rope_scaling", `{"rope_type":"llama3","factor":8,"high_freq_factor":4}`, "rope_scaling.low_freq_factor is missing"},
		{"llama", "rope_scaling", `{"rope_type":"llama3","factor":8,"low_freq_factor":1}`, "rope_scaling.high_freq_factor is missing"},
		{"llama", "rope_scaling", `{"factor":8}`, "rope_scaling has a factor and no rope_type"},
		{"llama", "rope_scaling", `{"type":"linear","factor":0}`, "rope scaling of type linear does not go together"},
		{"llama", "rope_scaling", `{"rope_type":"longrope","long_factor":[1],"short_factor":[1]}`, "longrope has 1 short factors and 1 long ones for 8 frequencies"},
		{"llama", "rope_scaling", `{"rope_type":"longrope","long_factor":[1,1,1,1,1,1,1,1],"short_factor":1}`, "rope_scaling.short_factor is 1, not a list of numbers"},
		{"llama", "rope_scaling", `{"rope_type":"longrope","long_factor":[1,1,1,1,1,1,1,1]}`, "rope_scaling.short_factor is missing"},
		{"llama", "rope_scaling", `{"rope_type":"longrope","long_factor":[1,1,1,1,1,1,1,1],"short_factor":[1,1,1,1,1,1,1,0]}`, "rope scaling of type longrope does not go together"},
		{"llama", "rope_scaling", `{"type":"dynamic"}`, "rope_scaling.factor is missing"},
		{"llama", "rope_scaling", `{"rope_type":"proportional","partial_rotary_factor":1.5}`, "rope scaling of type proportional does not go together"},
		{"llama", "rope_scaling", `{"type":"mrope"}`, `type "mrope" is not known`},
		{"llama", "rope_parameters", `{"rope_type":"axial"}`, `rope_parameters.rope_type: a scaling of type "axial" is not known`},
		{"olmo3", "rope_parameters", `{"full_attention":{"rope_type":"yarn"}}`, "rope_parameters.full_attention.factor is missing"},
		{"olmo3", "rope_parameters", `{"sliding_attention":{"rope_type":"linear"}}`, "rope_parameters.sliding_attention.factor is missing"},
		{"gpt_neox", "rope_scaling", `{"type":"linear"}`, "rope_scaling.factor is missing"},
		{"gpt_neox", "rope_parameters", `{"rope_type":"ntk","factor":2}`, `type "ntk" is not known`},
		{"llama", "partial_rotary_factor", "0.5", "partial_rotary_factor is 0.5: this family rotates whole heads"},
		{"llama", "rope_parameters", `{"partial_rotary_factor":0.5}`, "partial_rotary_factor is 0.5: this family rotates whole heads"},
		{"phi3", "rope_scaling", `{"rope_type":"linear","factor":2}`, "a rotation scaled by linear in a Phi-3"},
		{"gpt2", "activation_function", `"silu"`, `activation_function "silu" is not built`},
		{"gpt2", "scale_attn_by_inverse_layer_idx", "true", "scale_attn_by_inverse_layer_idx is true"},
		{"gpt2", "add_cross_attention", "true", "add_cross_attention is true"},
		{"opt", "do_layer_norm_before", "false", "do_layer_norm_before is false"},
		{"opt", "word_embed_proj_dim", "32", "word_embed_proj_dim is 32"},
		{"bloom", "apply_residual_connection_post_layernorm", "true", "apply_residual_connection_post_layernorm is true"},
		{"gemma2", "hidden_activation", `"silu"`, `hidden_activation "silu" is not built`},
		{"gemma3_text", "use_bidirectional_attention", "true", "use_bidirectional_attention is true"},
		{"gemma2", "attn_logit_softcapping", "-1", "attn_logit_softcapping is -1, not a positive number"},
		{"gemma2", "query_pre_attn_scalar", "0", "scores are scaled by +Inf"},
		{"mistral", "hidden_act", `"gelu"`, `hidden_act "gelu" is not built`},
		{"qwen2", "layer_types", `["full_attention"]`, "layer_types is not a list of 4 names"},
		{"olmo", "clip_qkv", "-1", "clip_qkv is -1, not a positive number"},
		{"olmo3", "layer_types", `["full_attention"]`, "layer_types is not a list of 4 names"},
		{"olmo3", "layer_types", `"full_attention"`, "layer_types is not a list of 4 names"},
		{"olmo3", "layer_types", `["full_attention","full_attention","full_attention","linear"]`, "layer_types has linear"},
		{"olmo3", "sliding_window", "0", "layer 0 slides, and sliding_window is 0"},
		{"gpt_neox", "hidden_act", `"silu"`, `hidden_act "silu" is not built`},
		{"mpt", "tie_word_embeddings", "false", "an output matrix of its own"},
		{"mpt", "no_bias", "false", "no_bias is false"},
		{"mpt", "attn_config", `{"alibi":false}`, "attn_config.alibi is false: only true is built"},
		{"mpt", "attn_config", `{"qk_ln":true}`, "attn_config.qk_ln is true"},
		{"mpt", "attn_config", `{"prefix_lm":true}`, "attn_config.prefix_lm is true"},
		{"mpt", "attn_config", `{"attn_type":"multiquery_attention"}`, "attn_config.attn_type is multiquery_attention"},
	} {
		text := `{"model_type":"` + c.kind + `","hidden_size":64,"num_hidden_layers":4,"num_attention_heads":4,"intermediate_size":96,"vocab_size":100}`
		var m map[string]any
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal([]byte(c.value), &v); err != nil {
			t.Fatal(err)
		}
		m[c.key] = v
		if _, err := configFromHF(m); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "%!") {
			t.Errorf("%s with %s %s: %v, want %q", c.kind, c.key, c.value, err, c.want)
		}
	}
}

// TestSlidingWindowOfOne: a query that sees itself alone is the least window there is.
func TestSlidingWindowOfOne(t *testing.T) {
	var m map[string]any
	text := `{"model_type":"olmo3","hidden_size":64,"num_hidden_layers":4,"num_attention_heads":4,"intermediate_size":96,"vocab_size":100,"sliding_window":1}`
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	if c, err := configFromHF(m); err != nil || !reflect.DeepEqual(c.Windows, []int{1, 1, 1, 0}) {
		t.Errorf("windows of %+v (%v)", c, err)
	}
}

// TestHFIds: several ids that end a text are all read, the first of them is the model's; an
// id of −1 is none.
func TestHFIds(t *testing.T) {
	for text, want := range map[string][]int32{
		`{"e":7}`: {7}, `{"e":[7,0,9]}`: {7, 0, 9}, `{"e":null}`: nil, `{}`: nil, `{"e":-1}`: nil, `{"e":[]}`: nil, `{"e":2147483647}`: {2147483647},
	} {
		var m map[string]any
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatal(err)
		}
		h := &hfReader{m: m, err: new(error)}
		first := int32(-1)
		if len(want) > 0 {
			first = want[0]
		}
		if got := h.ids("e"); !reflect.DeepEqual(got, want) || h.id("e") != first || *h.err != nil {
			t.Errorf("%s: ids %v, the first %d (%v), want %v", text, got, h.id("e"), *h.err, want)
		}
	}
}
