package model

// qwen3 is Qwen 3 with the names of Transformers: no biases of its own, and RMSNorm over each head of
// queries and keys before rotation.
//
// Qwen team 2025 (models/qwen3).
var qwen3 = family{
	name: "qwen3", names: hfNames, block: llamaBlock,
	hf: hfFamily{
		modelType: "qwen3", architecture: "Qwen3ForCausalLM",
		defaults: map[string]any{"num_key_value_heads": 32, "head_dim": 128, "max_position_embeddings": 32768, "sliding_window": 4096, "max_window_layers": 28},
		read: func(h *hfReader, c *Config) {
			h.qwen(c)
			c.QKNorm, c.QKHeads = &NormKind{RMS: true, Weight: true}, true
			c.AttentionBias = h.bool("attention_bias", false)
		},
		write: func(c *Config, m map[string]any) error {
			c.hfQwen(m)
			return nil
		},
	},
	gguf: ggufFamily{
		arch: &ggufArch{name: "qwen3", keyHeads: true, headSize: true, read: func(_ *ggufReader, c *Config) {
			c.QKNorm, c.QKHeads = &NormKind{RMS: true, Weight: true}, true
		}},
		parts: merged(llamaParts, map[string]string{"self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm"}),
		lacks: qwenLacks,
	},
}
