package model

import (
	"maps"
	"slices"
)

// qwen2 is Qwen 2 and 2.5 with the names of Transformers: a Llama with biases of queries, keys and
// values, and windows in the last layers where the config says so.
//
// Qwen team 2024 (models/qwen2).
var qwen2 = family{
	name: "qwen2", names: hfNames, block: llamaBlock,
	hf: hfFamily{
		modelType: "qwen2", architecture: "Qwen2ForCausalLM",
		defaults: map[string]any{"num_key_value_heads": 32, "max_position_embeddings": 32768, "sliding_window": 4096, "max_window_layers": 28},
		read: func(h *hfReader, c *Config) {
			h.qwen(c)
			c.QKVBias = true
		},
		write: func(c *Config, m map[string]any) error {
			c.hfQwen(m)
			delete(m, "attention_bias")
			return nil
		},
	},
	gguf: ggufFamily{
		arch: &ggufArch{name: "qwen2", keyHeads: true, read: func(_ *ggufReader, c *Config) {
			c.QKVBias = true
		}},
		parts: llamaParts,
		lacks: qwenLacks,
	},
}

// qwen reads what Qwen 2 and 3 share.
func (h *hfReader) qwen(c *Config) {
	h.decoder(c, 10000)
	c.NormEps, c.Norm, c.Activation = h.float("rms_norm_eps", 1e-6), NormKind{RMS: true, Weight: true}, h.silu()
	window := 0
	if h.bool("use_sliding_window", false) {
		window = h.int("sliding_window", 0)
	}
	first := h.int("max_window_layers", 0)
	h.layerWindows(c, window, func(l int) bool { return window > 0 && l >= first })
	if !slices.ContainsFunc(c.Windows, func(w int) bool { return w > 0 }) {
		c.Windows = nil
		return
	}
	c.slideAlike()
}

// hfQwen writes what Qwen 2 and 3 share.
func (c *Config) hfQwen(m map[string]any) {
	c.hfDecoder(m)
	maps.Copy(m, map[string]any{
		"rms_norm_eps": shortest(c.NormEps), "head_dim": c.D, "use_sliding_window": c.Windows != nil, "sliding_window": nil, "max_window_layers": c.Layers,
	})
	if c.Windows != nil {
		m["sliding_window"] = slices.Max(c.Windows)
		m["max_window_layers"] = slices.IndexFunc(c.Windows, func(w int) bool { return w > 0 })
		m["layer_types"] = c.layerTypes()
	}
}

func qwenLacks(c *Config) string {
	if c.slides() {
		return "a Qwen with a sliding window"
	}
	return ""
}
