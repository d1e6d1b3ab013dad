package model

import (
	"maps"
	"slices"

	"olmo/graph"
)

// mixtral is Mixtral with the names of Transformers; to llama.cpp it is a Llama with experts.
var mixtral = family{
	name: "mixtral", names: hfNames, block: mixtralBlock,
	hf: hfFamily{
		modelType: "mixtral", architecture: "MixtralForCausalLM",
		read: func(h *hfReader, c *Config) {
			h.decoder(c, 1e6)
			c.NormEps, c.Norm, c.Activation = h.float("rms_norm_eps", 1e-5), NormKind{RMS: true, Weight: true}, h.silu()
			c.Experts, c.TopK, c.NormTopK = h.int("num_local_experts", 8), h.int("num_experts_per_tok", 2), true
			if w := h.int("sliding_window", 0); w > 0 && c.Layers > 0 && c.Layers <= maxParts {
				c.Windows, c.SlidingTheta, c.SlidingScaling = slices.Repeat([]int{w}, c.Layers), c.RopeTheta, c.Scaling
			}
		},
		write: func(c *Config, m map[string]any) error {
			c.hfDecoder(m)
			maps.Copy(m, map[string]any{
				"rms_norm_eps": shortest(c.NormEps), "head_dim": c.D, "num_local_experts": c.Experts, "num_experts_per_tok": c.TopK,
				"sliding_window": nil, "output_router_logits": false,
			})
			if c.Windows != nil {
				m["sliding_window"] = c.Windows[0]
			}
			return nil
		},
	},
	gguf: ggufFamily{
		arch:    llamaArch,
		parts:   merged(llamaParts, map[string]string{"block_sparse_moe.gate": "ffn_gate_inp"}),
		experts: mixtralExperts,
		lacks: func(c *Config) string {
			if c.Windows != nil {
				return "a Mixtral with a sliding window"
			}
			return ""
		},
	},
}

var mixtralExperts = expertNames{prefix: "block_sparse_moe.experts.", up: "w3", gate: "w1", down: "w2"}

// mixtralBlock is Llama's block with a mixture of experts, whose weights are divided
// by the sum of the chosen ones.
//
// Jiang et al. 2024; names as in Transformers (models/mixtral).
func mixtralBlock(b *builder, l int, x graph.Value) graph.Value {
	name := hfBlock(l)
	x = b.g.Add(x, b.hfAttention(l, b.norm(x, name("input_layernorm"), l, b.Norm)))
	y := b.mixture(l, b.norm(x, name("post_attention_layernorm"), l, b.Norm), "block_sparse_moe.gate", mixtralExperts)
	return b.g.Add(x, y)
}
