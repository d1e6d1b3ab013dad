package model

// textConfig returns the settings of the text model within a Gemma 3 that also sees.
func textConfig(m map[string]any) map[string]any {
	text, ok := m["text_config"].(map[string]any)
	if !ok || m["model_type"] != "gemma3" {
		return m
	}
	return withDefaults(map[string]any{"model_type": "gemma3_text"}, text)
}

// gemma3 is the text model of Gemma 3 with the names of Transformers.
var gemma3 = family{
	name: "gemma3", names: hfNames, block: gemmaBlock,
	hf: hfFamily{
		modelType: "gemma3_text", architecture: "Gemma3ForCausalLM", classifier: "Gemma3Text",
		defaults: merged(gemmaDefaults, map[string]any{
			"max_position_embeddings": 131072,
			// What the text_config of the models that also see leaves out.
			"num_attention_heads": 8, "vocab_size": 262208, "hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 26,
		}),
		read: func(h *hfReader, c *Config) {
			h.decoder(c, 1e6)
			h.gemma(c)
			c.QKNorm, c.QKHeads = &NormKind{RMS: true, Weight: true, OnePlus: true}, true
			period := h.int("sliding_window_pattern", 6)
			h.layerWindows(c, h.int("sliding_window", 0), func(l int) bool { return period > 0 && (l+1)%period != 0 })
			if c.SlidingTheta == 0 {
				c.SlidingTheta = h.float64("rope_local_base_freq", 10000)
			}
		},
		write: func(c *Config, m map[string]any) error {
			c.hfDecoder(m)
			// Transformers 4 takes these keys, and 5 those of rope_parameters before them.
			m["rope_local_base_freq"] = c.hfRotations(m)
			if c.SlidingScaling != nil {
				delete(m, "rope_local_base_freq")
			}
			delete(m, "rope_scaling")
			if c.Scaling != nil {
				m["rope_scaling"] = c.Scaling.hf()
			}
			return c.hfGemma(m)
		},
	},
	gguf: ggufFamily{
		arch: &ggufArch{
			name: "gemma3", keyHeads: true, headSize: true, slidesPlain: true,
			read: func(k *ggufReader, c *Config) {
				k.gemma(c)
				c.QKNorm, c.QKHeads = &NormKind{RMS: true, Weight: true, OnePlus: true}, true
				k.layerWindows(c, k.int("attention.sliding_window", 0), 6, 10000)
				c.LogitCap = k.float("final_logit_softcapping", 0)
			},
			write: func(c *Config, add func(key string, value any)) {
				if c.LogitCap > 0 {
					add("final_logit_softcapping", float32(c.LogitCap))
				}
				gemmaWindows(c, add, 6, 0)
			},
		},
		parts: gemmaParts, lacks: gemmaLacks,
	},
}
