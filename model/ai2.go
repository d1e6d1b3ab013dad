package model

import "fmt"

// AI2 is the model section of an OLMo configuration: ModelConfig of the ai2-olmo
// package (olmo/config.py, 0.6.0), with its keys and defaults.
type AI2 struct {
	DModel                       int      `yaml:"d_model"`
	NHeads                       int      `yaml:"n_heads"`
	NKVHeads                     *int     `yaml:"n_kv_heads"`
	ClipQKV                      *float64 `yaml:"clip_qkv"`
	NLayers                      int      `yaml:"n_layers"`
	MLPRatio                     int      `yaml:"mlp_ratio"`
	MLPHiddenSize                *int     `yaml:"mlp_hidden_size"`
	ActivationType               string   `yaml:"activation_type"`
	BlockType                    string   `yaml:"block_type"`
	BlockGroupSize               int      `yaml:"block_group_size"`
	Alibi                        bool     `yaml:"alibi"`
	AlibiBiasMax                 float64  `yaml:"alibi_bias_max"`
	Rope                         bool     `yaml:"rope"`
	RopeFullPrecision            bool     `yaml:"rope_full_precision"`
	RopeTheta                    float64  `yaml:"rope_theta"`
	FlashAttention               bool     `yaml:"flash_attention"`
	AttentionDropout             float64  `yaml:"attention_dropout"`
	MultiQueryAttention          *bool    `yaml:"multi_query_attention"`
	AttentionLayerNorm           bool     `yaml:"attention_layer_norm"`
	ResidualDropout              float64  `yaml:"residual_dropout"`
	EmbeddingDropout             float64  `yaml:"embedding_dropout"`
	EmbeddingLayerNorm           bool     `yaml:"embedding_layer_norm"`
	LayerNormType                string   `yaml:"layer_norm_type"`
	LayerNormWithAffine          bool     `yaml:"layer_norm_with_affine"`
	LayerNormEps                 float64  `yaml:"layer_norm_eps"`
	AttentionLayerNormWithAffine bool     `yaml:"attention_layer_norm_with_affine"`
	MaxSequenceLength            int      `yaml:"max_sequence_length"`
	IncludeBias                  bool     `yaml:"include_bias"`
	BiasForLayerNorm             *bool    `yaml:"bias_for_layer_norm"`
	ScaleLogits                  bool     `yaml:"scale_logits"`
	VocabSize                    int      `yaml:"vocab_size"`
	EmbeddingSize                *int     `yaml:"embedding_size"`
	WeightTying                  bool     `yaml:"weight_tying"`
	EOSTokenID                   int      `yaml:"eos_token_id"`
	PadTokenID                   int      `yaml:"pad_token_id"`
	InitDevice                   *string  `yaml:"init_device"`
	InitFn                       string   `yaml:"init_fn"`
	InitStd                      float64  `yaml:"init_std"`
	InitCutoffFactor             *float64 `yaml:"init_cutoff_factor"`
	Precision                    *string  `yaml:"precision"`
	ScaleEmbInit                 bool     `yaml:"scale_emb_init"`
	EmbInitStd                   *float64 `yaml:"emb_init_std"`
	NormAfter                    bool     `yaml:"norm_after"`
	// HF is ours: the config.json of a family that the package lacks. Of the other keys
	// only those of the initialisation and reward_head count beside it.
	HF HFConfig `yaml:"hf,omitempty"`

	// SlidingWindow and RopeScaling are our own keys, for OLMo 3, which has no
	// configuration of this form: how many keys the queries of each layer see, −1 for
	// all, repeated over the layers, of which the last always sees all; and the scaling
	// of the rotation in the layers that see all.
	SlidingWindow []int    `yaml:"sliding_window,omitempty"`
	RopeScaling   *Scaling `yaml:"rope_scaling,omitempty"`
	// RewardHead is ours, too: a score (score.weight) in place of the output matrix.
	RewardHead bool `yaml:"reward_head,omitempty"`

	// The keys of OLMoE's branch of the package (block_type: moe), for OLMoE's blocks; the
	// weights are those of the routers' losses.
	MoENumExperts  int     `yaml:"moe_num_experts"`
	MoETopK        int     `yaml:"moe_top_k"`
	MoELossWeight  float64 `yaml:"moe_loss_weight"`
	MoEZLossWeight float64 `yaml:"moe_zloss_weight"`
	MoENormalize   bool    `yaml:"moe_normalize_expert_weights"`
}

// HFConfig holds the keys of a config.json. In a training config a path may stand in its
// place, which the trainer replaces.
type HFConfig map[string]any

// SetScalar keeps a path.
func (h *HFConfig) SetScalar(path string) { *h = HFConfig{"": path} }

// Path is the path that stands in the place of the keys, or empty.
func (h HFConfig) Path() string {
	path, _ := h[""].(string)
	return path
}

// DefaultAI2 returns the package's defaults.
func DefaultAI2() AI2 {
	size := 50304
	return AI2{
		DModel: 768, NHeads: 12, NLayers: 12, MLPRatio: 4, ActivationType: "swiglu", BlockType: "sequential", BlockGroupSize: 1,
		AlibiBiasMax: 8, RopeFullPrecision: true, RopeTheta: 10000, AttentionDropout: 0.1, ResidualDropout: 0.1, EmbeddingDropout: 0.1,
		LayerNormType: "default", LayerNormWithAffine: true, LayerNormEps: 1e-5, AttentionLayerNormWithAffine: true,
		MaxSequenceLength: 1024, IncludeBias: true, VocabSize: 50257, EmbeddingSize: &size, WeightTying: true,
		MoENumExperts: 8, MoETopK: 2, MoELossWeight: 0.1,
		EOSTokenID: 50256, PadTokenID: 50256, InitFn: "normal", InitStd: 0.02,
	}
}

// Config returns the transformer that the section describes.
func (a *AI2) Config() (*Config, error) {
	if path := a.HF.Path(); path != "" {
		return nil, fmt.Errorf("hf is the path %s, which only a training config may have\nhint: paste the keys of its config.json", path)
	}
	if a.HF != nil {
		c, err := configFromHF(a.HF)
		if err == nil && a.RewardHead {
			c = c.AsReward()
		}
		if err != nil || a.MaxSequenceLength <= c.T {
			return c, err
		}
		// The run's sequences are longer than those of the model that hf describes.
		if most := c.Longest(); most > 0 {
			return nil, fmt.Errorf("max_sequence_length is %d: the model has %d positions\nhint: set max_sequence_length to at most that", a.MaxSequenceLength, most)
		}
		c.T = a.MaxSequenceLength
		return c, nil
	}
	fail := func(format string, args ...any) (*Config, error) { return nil, fmt.Errorf(format, args...) }
	c := &Config{
		Family: "olmo", Layers: a.NLayers, C: a.DModel, H: a.NHeads, KV: a.NHeads, VocabSize: a.VocabSize, V: a.VocabSize,
		T: a.MaxSequenceLength, Tied: a.WeightTying, NormEps: float32(a.LayerNormEps),
		Position: Learned, EmbeddingNorm: a.EmbeddingLayerNorm, ScaleLogits: a.ScaleLogits,
		AttentionBias: a.IncludeBias, MLPBias: a.IncludeBias, HeadBias: a.IncludeBias && !a.WeightTying,
		EOS: int32(a.EOSTokenID), PAD: int32(a.PadTokenID), BOS: -1,
	}
	if a.NHeads <= 0 || a.DModel%a.NHeads != 0 {
		return fail("d_model %d is not a multiple of n_heads %d", a.DModel, a.NHeads)
	}
	c.D = a.DModel / a.NHeads
	if multi := a.MultiQueryAttention; multi != nil && *multi {
		c.KV = 1
	}
	if a.NKVHeads != nil {
		if multi := a.MultiQueryAttention; multi != nil && *a.NKVHeads != c.KV {
			return fail("n_kv_heads is %d and multi_query_attention is %t\nhint: set only n_kv_heads", *a.NKVHeads, *multi)
		}
		c.KV = *a.NKVHeads
	}
	if a.EmbeddingSize != nil {
		c.V = *a.EmbeddingSize
	}
	if c.Family == "olmo" && a.NormAfter {
		c.Family = "olmo2"
	}
	switch a.BlockType {
	case "sequential":
	case "moe":
		c.Family, c.Experts, c.TopK, c.NormTopK = "olmoe", a.MoENumExperts, a.MoETopK, a.MoENormalize
		c.BalanceWeight, c.RouterZWeight = a.MoELossWeight, a.MoEZLossWeight
		if a.IncludeBias || a.LayerNormType != "rms" || a.ActivationType != "swiglu" || !a.Rope || a.NormAfter {
			return fail("a mixture of experts has OLMoE's blocks\nhint: set layer_norm_type: rms, activation_type: swiglu, rope: true, include_bias: false, norm_after: false")
		}
	case "llama":
		// The package's llama block knows no norm_after.
		c.Family, c.SplitQKV = "olmo", true
	default:
		return fail("block_type %s is not known\nhint: one of sequential, llama, moe", a.BlockType)
	}
	if c.Family != "olmoe" {
		c.AttentionDropout, c.ResidualDropout, c.EmbeddingDropout = a.AttentionDropout, a.ResidualDropout, a.EmbeddingDropout
	}
	bias := a.IncludeBias
	if a.BiasForLayerNorm != nil {
		bias = *a.BiasForLayerNorm
	}
	switch a.LayerNormType {
	case "default", "low_precision":
	case "rms":
		c.Norm.RMS = true
	default:
		return fail("layer_norm_type %s is not known\nhint: one of default, low_precision, rms", a.LayerNormType)
	}
	c.Norm.Weight, c.Norm.Bias = a.LayerNormWithAffine, a.LayerNormWithAffine && bias
	if a.AttentionLayerNorm {
		c.QKNorm = &NormKind{RMS: c.Norm.RMS, Weight: a.AttentionLayerNormWithAffine, Bias: a.AttentionLayerNormWithAffine && bias}
	}
	if a.ClipQKV != nil {
		if !(*a.ClipQKV > 0) {
			return fail("clip_qkv is %v, not a positive number", *a.ClipQKV)
		}
		c.Clip = *a.ClipQKV
	}
	switch {
	case a.Rope && a.Alibi:
		return fail("rope and alibi exclude each other")
	case a.Rope:
		c.Position, c.RopeTheta = Rotary, a.RopeTheta
	case a.Alibi:
		c.Position, c.AlibiMax = Alibi, a.AlibiBiasMax
	}
	for l := range c.Layers * min(len(a.SlidingWindow), 1) {
		w := a.SlidingWindow[l%len(a.SlidingWindow)]
		if w == 0 || w < -1 {
			return fail("a sliding_window of %d is not possible\nhint: -1 stands for all keys", w)
		}
		if w < 0 || l == c.Layers-1 {
			w = 0
		}
		c.Windows = append(c.Windows, w)
	}
	if a.RopeScaling != nil {
		s := a.RopeScaling.withDefaults(c.T)
		c.Scaling = &s
	}
	c.F = a.MLPRatio * a.DModel
	if a.MLPHiddenSize != nil {
		c.F = *a.MLPHiddenSize
	}
	switch a.ActivationType {
	case "swiglu":
		if c.F%2 != 0 {
			return fail("an MLP of %d is cut into two halves by swiglu: the number must be even\nhint: set mlp_hidden_size", c.F)
		}
		c.Activation, c.F = SwiGLU, c.F/2 // the fused width of up and gate
	case "gelu", "relu":
		c.Activation = Activation(a.ActivationType)
	default:
		return fail("activation_type %s is not known\nhint: one of swiglu, gelu, relu", a.ActivationType)
	}
	if a.RewardHead {
		c = c.AsReward()
	}
	return c, c.Validate()
}

// ai2Names are the package's parameters outside the blocks.
var ai2Names = names{"transformer.wte.weight", "transformer.wpe.weight", "transformer.emb_norm", "transformer.ln_f", "transformer.ff_out"}

// linkAI2 links a parameter of the package's names to Transformers' tensors: att_proj is
// query, key and value, ff_proj is up, then gate. norms are Transformers' names of the
// block's norms.
func linkAI2(c *Config, l *layout, p Param, norms map[string]string) {
	base, kind := suffix(p.Name)
	switch base {
	case "transformer.wte":
		l.whole(p.Name, "model.embed_tokens"+kind)
		return
	case "transformer.ln_f":
		l.whole(p.Name, "model.norm"+kind)
		return
	case "score":
		l.whole(p.Name, RewardHead)
		return
	case "transformer.ff_out":
		l.whole(p.Name, "lm_head"+kind)
		return
	}
	n, rest, _ := part(p.Name)
	base, _ = suffix(rest)
	name := func(s string) string { return hfBlock(n)(s) + kind }
	switch base {
	case "att_proj":
		l.split(p.Name, c.qkvRows(), name("self_attn.q_proj"), name("self_attn.k_proj"), name("self_attn.v_proj"))
	case "ff_proj":
		l.split(p.Name, []int{c.F, c.F}, name("mlp.up_proj"), name("mlp.gate_proj"))
	case "ff_out":
		l.whole(p.Name, name("mlp.down_proj"))
	case "attn_out":
		l.whole(p.Name, name("self_attn.o_proj"))
	case "attn_norm", "ff_norm":
		l.whole(p.Name, name(norms[base]))
	default: // q_norm, k_norm, q_proj, k_proj, v_proj
		l.whole(p.Name, name("self_attn."+base))
	}
}

// ai2Refused says what of a model with the package's names no family of Transformers has;
// empty: nothing.
func ai2Refused(c *Config) string {
	switch {
	case c.Position != Rotary:
		return "positions other than rotary"
	case c.Activation != SwiGLU:
		return "an activation other than swiglu"
	case c.EmbeddingNorm:
		return "embedding_layer_norm"
	case c.ScaleLogits:
		return "scale_logits"
	case c.MLPBias || c.HeadBias:
		return "include_bias"
	}
	return ""
}

// ai2Parts are ggml's names of the parameters of the package's blocks, but for its norms.
var ai2Parts = map[string]string{
	"q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "q_norm": "attn_q_norm", "k_norm": "attn_k_norm",
	"attn_out": "attn_output", "ff_out": "ffn_down",
}

// linkAI2GGUF links the package's fused matrices: ggml has query, key and value, up and gate
// apart.
func linkAI2GGUF(c *Config, k *ggufLinker, rest string) bool {
	switch rest {
	case "att_proj":
		row := 0
		for i, part := range []string{"attn_q", "attn_k", "attn_v"} {
			rows := c.qkvRows()[i]
			k.rows(part, row, rows)
			row += rows
		}
	case "ff_proj":
		k.rows("ffn_up", 0, c.F)
		k.rows("ffn_gate", c.F, c.F)
	default:
		return false
	}
	return true
}
