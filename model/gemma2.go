package model

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"olmo/graph"
)

// gemma2 is Gemma 2 with the names of Transformers.
var gemma2 = family{
	name: "gemma2", names: hfNames, block: gemmaBlock,
	hf: hfFamily{
		modelType: "gemma2", architecture: "Gemma2ForCausalLM",
		defaults: merged(gemmaDefaults, map[string]any{
			"max_position_embeddings": 8192, "final_logit_softcapping": 30.0, "attn_logit_softcapping": 50.0,
		}),
		read: func(h *hfReader, c *Config) {
			h.decoder(c, 10000)
			h.gemma(c)
			h.layerWindows(c, h.int("sliding_window", 0), func(l int) bool { return l%2 == 0 })
			c.slideAlike()
		},
		write: func(c *Config, m map[string]any) error {
			c.hfDecoder(m)
			return c.hfGemma(m)
		},
	},
	gguf: ggufFamily{
		arch: &ggufArch{
			name: "gemma2", keyHeads: true, headSize: true,
			read: func(k *ggufReader, c *Config) {
				k.gemma(c)
				k.layerWindows(c, k.int("attention.sliding_window", 4096), 2, c.RopeTheta)
				c.SlidingScaling = c.Scaling
				c.ScoreCap = k.float("attn_logit_softcapping", 50)
				c.LogitCap = k.float("final_logit_softcapping", 30)
			},
			write: func(c *Config, add func(key string, value any)) {
				add("attn_logit_softcapping", float32(c.ScoreCap))
				add("final_logit_softcapping", float32(c.LogitCap))
				gemmaWindows(c, add, 2, c.RopeTheta)
			},
		},
		parts: gemmaParts, lacks: gemmaLacks,
	},
}

var gemmaDefaults = map[string]any{
	"num_key_value_heads": 4, "head_dim": 256, "sliding_window": 4096, "query_pre_attn_scalar": 256, "tie_word_embeddings": true,
	"bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0,
}

// gemmaParts are ggml's names of the parameters of Gemma's block.
var gemmaParts = merged(llamaParts, map[string]string{
	"post_attention_layernorm": "post_attention_norm", "pre_feedforward_layernorm": "ffn_norm", "post_feedforward_layernorm": "post_ffw_norm",
	"self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
})

// gemma reads what Gemma 2 and 3 share.
func (h *hfReader) gemma(c *Config) {
	c.NormEps, c.Norm = h.float("rms_norm_eps", 1e-6), NormKind{RMS: true, Weight: true, OnePlus: true}
	c.ScaleEmbedding, c.Activation = true, GeGLU
	if act := h.string("hidden_activation", h.string("hidden_act", "gelu_pytorch_tanh")); act != "gelu_pytorch_tanh" && act != "gelu_new" {
		h.fail("hidden_activation %q is not built for this family\nhint: only gelu_pytorch_tanh", act)
	}
	c.AttentionBias = h.bool("attention_bias", false)
	c.Scale = 1 / math.Sqrt(h.float64("query_pre_attn_scalar", 256))
	c.ScoreCap, c.LogitCap = h.clip("attn_logit_softcapping"), h.clip("final_logit_softcapping")
	if h.bool("use_bidirectional_attention", false) {
		h.fail("use_bidirectional_attention is true: a query that sees what follows it is not built")
	}
}

// hfGemma writes what Gemma 2 and 3 share.
func (c *Config) hfGemma(m map[string]any) error {
	scalar := 1 / (c.attentionScale() * c.attentionScale())
	whole := math.Round(scalar)
	if math.Abs(scalar-whole) > 1e-9*whole {
		return fmt.Errorf("%w: Transformers' Gemma scales scores by the root of a whole number, this model by 1/sqrt(%v)", ErrLayout, scalar)
	}
	delete(m, "hidden_act")
	maps.Copy(m, map[string]any{
		"rms_norm_eps": shortest(c.NormEps), "head_dim": c.D, "hidden_activation": "gelu_pytorch_tanh", "query_pre_attn_scalar": int(whole),
		"attn_logit_softcapping": optional(c.ScoreCap), "final_logit_softcapping": optional(c.LogitCap),
		"sliding_window": c.T, "layer_types": c.layerTypes(),
	})
	if c.Windows != nil {
		m["sliding_window"] = max(1, slices.Max(c.Windows))
	}
	return nil
}

// gemma reads what Gemma 2 and 3 share. llama.cpp knows the scale of scores by the number of layers of
// the largest ones.
func (k *ggufReader) gemma(c *Config) {
	c.Norm.OnePlus, c.ScaleEmbedding, c.Activation = true, true, GeGLU
	c.Scale = gemmaScale(c)
}

// gemmaLargest are the layers of Gemma 2's and 3's largest models, whose scores llama.cpp scales by
// the width for each head in place of a head's size (src/models/gemma2.cpp and gemma3.cpp).
var gemmaLargest = map[string]int{"gemma2": 46, "gemma3": 62}

// gemmaScale is the scale of scores in llama.cpp.
func gemmaScale(c *Config) float64 {
	n := c.D
	if c.Layers == gemmaLargest[c.Family] && c.H > 0 {
		n = c.C / c.H
	}
	return 1 / math.Sqrt(float64(n))
}

func gemmaLacks(c *Config) string {
	switch want := gemmaScale(c); {
	case math.Abs(c.attentionScale()/want-1) > 1e-9:
		return fmt.Sprintf("a Gemma whose query_pre_attn_scalar is not %.0f", 1/(want*want))
	case c.Family == "gemma2" && !c.Tied:
		return "a Gemma 2 with an output matrix of its own"
	case c.Family == "gemma2" && (c.ScoreCap == 0 || c.LogitCap == 0):
		return "a Gemma 2 without its two softcaps"
	case c.Family == "gemma3" && c.ScoreCap > 0:
		return "a Gemma 3 with capped scores"
	case c.QKNorm == nil && c.Family == "gemma3":
		return "a Gemma 3 without norms of queries and keys"
	}
	return ""
}

// gemmaWindows adds the windows and what of their places and rotation llama.cpp would not assume.
// A theta of 0 stands for none that it assumes.
func gemmaWindows(c *Config, add func(key string, value any), period int, theta float64) {
	if c.Windows == nil || slices.Max(c.Windows) == 0 {
		return
	}
	add("attention.sliding_window", uint32(slices.Max(c.Windows)))
	slides, usual := make([]bool, c.Layers), true
	for l, w := range c.Windows {
		slides[l] = w > 0
		usual = usual && slides[l] == ((l+1)%period != 0)
	}
	if !usual {
		add("attention.sliding_window_pattern", slides)
	}
	if c.SlidingTheta != theta && c.SlidingTheta != 0 {
		add("rope.freq_base_swa", float32(c.SlidingTheta))
	}
}

// gemmaBlock is Gemma 2's and 3's block: RMSNorm by 1 + w before and after both sublayers, a gated GELU,
// capped scores (Gemma 2) or norms of each head of queries and keys (Gemma 3).
//
// Gemma team 2024 and 2025; names as in Transformers (models/gemma2, models/gemma3).
func gemmaBlock(b *builder, l int, x graph.Value) graph.Value {
	name := hfBlock(l)
	y := b.hfAttention(l, b.norm(x, name("input_layernorm"), l, b.Norm))
	x = b.g.Add(x, b.norm(y, name("post_attention_layernorm"), l, b.Norm))
	y = b.hfMLP(l, b.norm(x, name("pre_feedforward_layernorm"), l, b.Norm))
	return b.g.Add(x, b.norm(y, name("post_feedforward_layernorm"), l, b.Norm))
}
