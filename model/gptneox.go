package model

import (
	"fmt"
	"maps"

	"olmo/graph"
)

// gptneox is GPT-NeoX with the names of Transformers.
var gptneox = family{
	name: "gptneox", filled: true, names: names{table: "gpt_neox.embed_in.weight", finalNorm: "gpt_neox.final_layer_norm", head: "embed_out"}, block: neoxBlock,
	hf: hfFamily{
		modelType: "gpt_neox", architecture: "GPTNeoXForCausalLM", read: readNeoX,
		write: func(c *Config, m map[string]any) error {
			c.hfSizes(m)
			maps.Copy(m, map[string]any{
				"hidden_act": c.Activation.hf(), "layer_norm_eps": shortest(c.NormEps), "use_parallel_residual": c.Parallel,
				"rotary_emb_base": c.RopeTheta, "rotary_pct": float64(c.rotated()) / float64(c.D), "rope_scaling": c.Scaling.hf(),
			})
			return nil
		},
	},
	gguf: ggufFamily{
		arch: &ggufArch{
			name: "gptneox", biases: true, partial: true, read: readNeoXGGUF,
			write: func(c *Config, add func(key string, value any)) { add("use_parallel_residual", c.Parallel) },
		},
		parts: map[string]string{
			"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "attention.dense": "attn_output",
			"mlp.dense_h_to_4h": "ffn_up", "mlp.dense_4h_to_h": "ffn_down",
		},
		link: func(c *Config, k *ggufLinker, rest string) bool {
			return rest == "attention.query_key_value" && k.deinterleave(c)
		},
		lacks: func(c *Config) string {
			if c.Activation != GELU || !c.AttentionBias {
				return "a GPT-NeoX without biases or with an activation other than gelu"
			}
			return ""
		},
	},
}

func readNeoX(h *hfReader, c *Config) {
	h.sizes(c)
	c.RopeTheta, c.Scaling = float64(h.float("rotary_emb_base", 10000)), nil
	share := float64(h.float("rotary_pct", 0.25))
	r := h.sub("rope_parameters")
	if old := h.sub("rope_scaling"); len(old.m) > 0 {
		r = old // as in rotation
	}
	if r.m != nil {
		c.RopeTheta = float64(r.float("rope_theta", float32(c.RopeTheta)))
		share = float64(r.float("partial_rotary_factor", float32(share)))
		c.Scaling = h.scaling(r, c, share)
		c.shorten()
	}
	c.RopeDims = int(float64(c.D) * share)
	if c.Scaling != nil && c.Scaling.Type == "proportional" {
		c.RopeDims = 0 // its share stands in the scaling
	}
	c.NormEps, c.Norm = h.float("layer_norm_eps", 1e-5), NormKind{Weight: true, Bias: true}
	c.AttentionBias, c.MLPBias = h.bool("attention_bias", true), true
	c.Parallel = h.bool("use_parallel_residual", true)
	c.Activation = h.gelu("hidden_act", "gelu")
}

func readNeoXGGUF(k *ggufReader, c *Config) {
	c.Norm, c.NormEps = NormKind{Weight: true, Bias: true}, float32(k.float("attention.layer_norm_epsilon", 1e-5))
	c.Activation, c.AttentionBias, c.MLPBias = GELU, true, true
	c.RopeDims = k.int("rope.dimension_count", c.D)
	c.Parallel = true
	if v, ok := k.g.Get("gptneox.use_parallel_residual"); ok {
		c.Parallel, _ = v.(bool)
	}
}

// neoxBlock is GPT-NeoX's block: LayerNorm before the sublayers, which read the same
// residual (Pythia) or one after the other; query, key and value of each head side by
// side in one matrix; part of a head rotated; GELU; biases.
//
// Black et al. 2022; names as in Transformers (models/gpt_neox).
func neoxBlock(b *builder, l int, x graph.Value) graph.Value {
	name := func(part string) string { return fmt.Sprintf("gpt_neox.layers.%d.%s", l, part) }
	qkv := b.plain(b.norm(x, name("input_layernorm"), l, b.Norm), name("attention.query_key_value"), matrix(l, Projection, 3*b.C, b.C), b.AttentionBias)
	parts := b.g.DeinterleaveHeads(qkv, graph.HeadsAttr{H: b.H, Parts: 3, D: b.D})
	att := b.linear(b.attention(l, parts[0], parts[1], parts[2]), name("attention.dense"), matrix(l, AttentionOut, b.C, b.C), b.AttentionBias)
	mlp := func(x graph.Value) graph.Value {
		h := b.linear(b.norm(x, name("post_attention_layernorm"), l, b.Norm), name("mlp.dense_h_to_4h"), matrix(l, Projection, b.F, b.C), b.MLPBias)
		return b.linear(b.activate(h), name("mlp.dense_4h_to_h"), matrix(l, MLPOut, b.C, b.F), b.MLPBias)
	}
	if b.Parallel {
		return b.g.Add(b.g.Add(mlp(x), att), x)
	}
	x = b.g.Add(x, att)
	return b.g.Add(x, mlp(x))
}
