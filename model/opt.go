package model

import (
	"fmt"
	"maps"

	"olmo/graph"
)

// opt is OPT with the names of Transformers; llama.cpp has none.
var opt = family{
	name: "opt", filled: true, ahead: 2, block: optBlock,
	names: names{table: "model.decoder.embed_tokens.weight", positions: "model.decoder.embed_positions.weight", finalNorm: "model.decoder.final_layer_norm", head: "lm_head"},
	hf: hfFamily{
		modelType: "opt", architecture: "OPTForCausalLM",
		defaults: map[string]any{"tie_word_embeddings": true, "bos_token_id": 2, "eos_token_id": 2, "pad_token_id": 1},
		read:     readOPT, write: writeOPT,
	},
}

func readOPT(h *hfReader, c *Config) {
	h.sizes(c)
	c.KV, c.F, c.Activation = c.H, h.int("ffn_dim", 0), h.gelu("activation_function", "relu")
	affine, bias := h.bool("layer_norm_elementwise_affine", true), h.bool("enable_bias", true)
	c.NormEps, c.Norm = 1e-5, NormKind{Weight: affine, Bias: affine}
	c.Position, c.AttentionBias, c.MLPBias = Learned, bias, bias
	if !h.bool("do_layer_norm_before", true) || h.bool("_remove_final_layer_norm", false) {
		h.fail("do_layer_norm_before is false: an OPT with norms after the sublayers is not built")
	}
	if n := h.int("word_embed_proj_dim", c.C); n != c.C {
		h.fail("word_embed_proj_dim is %d: an OPT whose embeddings are not as wide as the model, %d, is not built", n, c.C)
	}
}

func writeOPT(c *Config, m map[string]any) error {
	if c.NormEps != 1e-5 {
		return fmt.Errorf("%w: Transformers' OPT has norms with an eps of 1e-5, this model of %v", ErrLayout, c.NormEps)
	}
	maps.Copy(m, map[string]any{
		"hidden_size": c.C, "num_hidden_layers": c.Layers, "num_attention_heads": c.H, "ffn_dim": c.F, "max_position_embeddings": c.T,
		"activation_function": c.Activation.hf(), "enable_bias": c.AttentionBias, "layer_norm_elementwise_affine": c.Norm.Weight,
		"do_layer_norm_before": true, "word_embed_proj_dim": c.C, "dropout": 0.0, "attention_dropout": 0.0, "layerdrop": 0.0,
	})
	return nil
}

// optBlock is OPT's block: LayerNorm before the sublayers, ReLU, biases; the table of positions has two
// rows that no position has.
//
// Zhang et al. 2022; names as in Transformers (models/opt).
func optBlock(b *builder, l int, x graph.Value) graph.Value {
	name := func(part string) string { return fmt.Sprintf("model.decoder.layers.%d.%s", l, part) }
	h := b.norm(x, name("self_attn_layer_norm"), l, b.Norm)
	product := func(part string) graph.Value {
		return b.linear(h, name("self_attn."+part), matrix(l, Projection, b.C, b.C), b.AttentionBias)
	}
	att := b.attention(l, product("q_proj"), product("k_proj"), product("v_proj"))
	x = b.g.Add(x, b.linear(att, name("self_attn.out_proj"), matrix(l, AttentionOut, b.C, b.C), b.AttentionBias))
	h = b.linear(b.norm(x, name("final_layer_norm"), l, b.Norm), name("fc1"), matrix(l, Projection, b.F, b.C), b.MLPBias)
	return b.g.Add(x, b.linear(b.activate(h), name("fc2"), matrix(l, MLPOut, b.C, b.F), b.MLPBias))
}
