package model

import (
	"maps"

	"olmo/graph"
)

// olmoe is OLMoE with the names of Transformers.
var olmoe = family{
	name: "olmoe", names: hfNames, block: olmoeBlock,
	hf: hfFamily{
		modelType: "olmoe", architecture: "OlmoeForCausalLM",
		read: func(h *hfReader, c *Config) {
			h.decoder(c, 10000)
			c.NormEps, c.Norm, c.Activation = h.float("rms_norm_eps", 1e-5), NormKind{RMS: true, Weight: true}, h.silu()
			c.QKNorm = &NormKind{RMS: true, Weight: true}
			c.Clip = h.clip("clip_qkv")
			c.AttentionBias = h.bool("attention_bias", false)
			c.Experts, c.TopK = h.int("num_experts", 64), h.int("num_experts_per_tok", 8)
			c.NormTopK = h.bool("norm_topk_prob", false)
		},
		write: func(c *Config, m map[string]any) error {
			c.hfDecoder(m)
			maps.Copy(m, map[string]any{
				"rms_norm_eps": shortest(c.NormEps), "clip_qkv": optional(c.Clip), "num_experts": c.Experts, "num_experts_per_tok": c.TopK,
				"norm_topk_prob": c.NormTopK, "output_router_logits": false, "router_aux_loss_coef": 0.01,
			})
			return nil
		},
	},
	gguf: ggufFamily{
		arch: &ggufArch{name: "olmoe", keyHeads: true, read: func(_ *ggufReader, c *Config) {
			c.QKNorm = &NormKind{RMS: true, Weight: true}
		}},
		parts: merged(llamaParts, map[string]string{
			"self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm", "mlp.gate": "ffn_gate_inp",
		}),
		experts: olmoeExperts,
		lacks: func(c *Config) string {
			if c.NormTopK || c.Clip > 0 {
				return "an OLMoE with norm_topk_prob or clip_qkv"
			}
			return ""
		},
	},
}

var olmoeExperts = expertNames{prefix: "mlp.experts.", up: "up_proj", gate: "gate_proj", down: "down_proj"}

// olmoeBlock is OLMoE's block: RMSNorm before the sublayers and over the whole
// projections of queries and keys, and a mixture of experts whose weights are a softmax
// over all of them.
//
// Muennighoff et al. 2024; names as in Transformers (models/olmoe).
func olmoeBlock(b *builder, l int, x graph.Value) graph.Value {
	name := hfBlock(l)
	x = b.g.Add(x, b.hfAttention(l, b.norm(x, name("input_layernorm"), l, b.Norm)))
	y := b.mixture(l, b.norm(x, name("post_attention_layernorm"), l, b.Norm), "mlp.gate", olmoeExperts)
	return b.g.Add(x, y)
}
