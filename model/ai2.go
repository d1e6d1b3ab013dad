package model

import (
	"fmt"
)

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
}

// DefaultAI2 returns the package's defaults.
func DefaultAI2() AI2 {
	size := 50304
	return AI2{
		DModel: 768, NHeads: 12, NLayers: 12, MLPRatio: 4, ActivationType: "swiglu", BlockType: "sequential", BlockGroupSize: 1,
		AlibiBiasMax: 8, RopeFullPrecision: true, RopeTheta: 10000, AttentionDropout: 0.1, ResidualDropout: 0.1, EmbeddingDropout: 0.1,
		LayerNormType: "default", LayerNormWithAffine: true, LayerNormEps: 1e-5, AttentionLayerNormWithAffine: true,
		MaxSequenceLength: 1024, IncludeBias: true, VocabSize: 50257, EmbeddingSize: &size, WeightTying: true,
		EOSTokenID: 50256, PadTokenID: 50256, InitFn: "normal", InitStd: 0.02,
	}
}

// Config returns the transformer that the section describes.
func (a *AI2) Config() (*Config, error) {
	c := &Config{
		Family: "olmo2", Layers: a.NLayers, C: a.DModel, H: a.NHeads, KV: a.NHeads, VocabSize: a.VocabSize, V: a.VocabSize,
		T: a.MaxSequenceLength, Tied: a.WeightTying, NormEps: float32(a.LayerNormEps), RopeTheta: a.RopeTheta,
		EOS: int32(a.EOSTokenID), PAD: int32(a.PadTokenID),
	}
	if a.NHeads <= 0 || a.DModel%a.NHeads != 0 {
		return nil, fmt.Errorf("d_model %d is not a multiple of n_heads %d", a.DModel, a.NHeads)
	}
	c.D = a.DModel / a.NHeads
	if a.NKVHeads != nil {
		c.KV = *a.NKVHeads
	} else if a.MultiQueryAttention != nil && *a.MultiQueryAttention {
		c.KV = 1
	}
	if a.EmbeddingSize != nil {
		c.V = *a.EmbeddingSize
	}
	hidden := a.MLPRatio * a.DModel
	if a.MLPHiddenSize != nil {
		hidden = *a.MLPHiddenSize
	}
	c.F = hidden / 2 // the fused width of up and gate
	if !(a.NormAfter && a.AttentionLayerNorm && a.LayerNormType == "rms" && a.Rope && !a.IncludeBias && a.ActivationType == "swiglu") {
		return nil, fmt.Errorf("this block is not built yet: only OLMo 2's (norm_after, attention_layer_norm, rms, rope, swiglu, no biases)")
	}
	return c, c.Validate()
}
