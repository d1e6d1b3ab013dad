package model

import (
	"maps"
	"slices"

	"olmo/graph"
)

// starcoder2 is StarCoder 2 with the names of Transformers.
var starcoder2 = family{
	name: "starcoder2", names: hfNames, block: starcoder2Block,
	hf: hfFamily{
		modelType: "starcoder2", architecture: "Starcoder2ForCausalLM",
		defaults: map[string]any{
			"num_key_value_heads": 2, "max_position_embeddings": 4096, "tie_word_embeddings": true, "bos_token_id": 50256, "eos_token_id": 50256,
		},
		read: func(h *hfReader, c *Config) {
			h.decoder(c, 10000)
			c.NormEps, c.Norm, c.Activation = h.float("norm_epsilon", 1e-5), NormKind{Weight: true, Bias: true}, h.gelu("hidden_act", "gelu_pytorch_tanh")
			bias := h.bool("use_bias", true)
			c.AttentionBias, c.MLPBias = bias, bias
			c.slideAll(h.int("sliding_window", 0))
		},
		write: func(c *Config, m map[string]any) error {
			c.hfDecoder(m)
			delete(m, "attention_bias")
			maps.Copy(m, map[string]any{
				"norm_epsilon": shortest(c.NormEps), "hidden_act": c.Activation.hf(), "use_bias": c.AttentionBias, "sliding_window": nil,
				"embedding_dropout": 0.0, "residual_dropout": 0.0,
			})
			if c.Windows != nil {
				m["sliding_window"] = slices.Max(c.Windows)
			}
			return nil
		},
	},
	gguf: ggufFamily{
		arch: &ggufArch{name: "starcoder2", biases: true, keyHeads: true, read: func(k *ggufReader, c *Config) {
			c.Norm, c.NormEps = NormKind{Weight: true, Bias: true}, float32(k.float("attention.layer_norm_epsilon", 1e-5))
			c.Activation = GELUTanh
			c.AttentionBias, c.MLPBias = k.g.Has("blk.0.attn_q.bias"), k.g.Has("blk.0.ffn_up.bias")
		}},
		parts: merged(llamaParts, map[string]string{"mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down"}),
		lacks: func(c *Config) string {
			switch {
			case c.slides():
				return "a StarCoder 2 with a sliding window"
			case c.Activation != GELUTanh:
				return "a StarCoder 2 with an activation other than gelu_pytorch_tanh"
			}
			return ""
		},
	},
}

// starcoder2Block is StarCoder 2's block: LayerNorm before the sublayers, grouped queries, rotary
// positions, GELU's tanh form, biases.
//
// Lozhkov et al. 2024; names as in Transformers (models/starcoder2).
func starcoder2Block(b *builder, l int, x graph.Value) graph.Value {
	name := hfBlock(l)
	x = b.g.Add(x, b.hfAttention(l, b.norm(x, name("input_layernorm"), l, b.Norm)))
	h := b.linear(b.norm(x, name("post_attention_layernorm"), l, b.Norm), name("mlp.c_fc"), matrix(l, Projection, b.F, b.C), b.MLPBias)
	return b.g.Add(x, b.linear(b.activate(h), name("mlp.c_proj"), matrix(l, MLPOut, b.C, b.F), b.MLPBias))
}
