package model

import (
	"maps"
	"slices"
)

// mistral is Mistral with the names of Transformers; to llama.cpp, which knows no window there, it
// is a Llama.
var mistral = family{
	name: "mistral", names: hfNames, block: llamaBlock,
	hf: hfFamily{
		modelType: "mistral", architecture: "MistralForCausalLM",
		defaults: map[string]any{"num_key_value_heads": 8, "max_position_embeddings": 131072, "sliding_window": 4096, "bos_token_id": 1, "eos_token_id": 2},
		read: func(h *hfReader, c *Config) {
			h.decoder(c, 10000)
			c.NormEps, c.Norm, c.Activation = h.float("rms_norm_eps", 1e-6), NormKind{RMS: true, Weight: true}, h.silu()
			c.slideAll(h.int("sliding_window", 0))
		},
		write: func(c *Config, m map[string]any) error {
			c.hfDecoder(m)
			maps.Copy(m, map[string]any{"rms_norm_eps": shortest(c.NormEps), "head_dim": c.D, "sliding_window": nil})
			delete(m, "attention_bias")
			if c.Windows != nil {
				m["sliding_window"] = slices.Max(c.Windows)
			}
			return nil
		},
	},
	gguf: ggufFamily{
		arch: llamaArch, parts: llamaParts,
		lacks: func(c *Config) string {
			if c.slides() {
				return "a Mistral with a sliding window"
			}
			return ""
		},
	},
}

// slideAll gives every layer a window of so many keys, or none, under the same rotation.
func (c *Config) slideAll(window int) {
	if window > 0 && c.Layers > 0 && c.Layers <= maxParts {
		c.Windows = slices.Repeat([]int{window}, c.Layers)
		c.slideAlike()
	}
}

// slideAlike rotates layers with a window as the others.
func (c *Config) slideAlike() { c.SlidingTheta, c.SlidingScaling = c.RopeTheta, c.Scaling }

// slides tells whether a window hides keys from any of the positions that the model was made for.
func (c *Config) slides() bool {
	return slices.ContainsFunc(c.Windows, func(w int) bool { return w > 0 && w < c.T })
}
