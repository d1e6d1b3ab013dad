package model

import (
	"fmt"
	"maps"
	"math/bits"

	"olmo/graph"
)

// bloom is BLOOM with the names of Transformers.
var bloom = family{
	name: "bloom", filled: true,
	names: names{table: "transformer.word_embeddings.weight", embeddingNorm: "transformer.word_embeddings_layernorm", finalNorm: "transformer.ln_f", head: "lm_head"},
	block: bloomBlock, slopes: pressSlopes,
	hf: hfFamily{
		modelType: "bloom", architecture: "BloomForCausalLM",
		defaults: map[string]any{"tie_word_embeddings": true, "bos_token_id": 1, "eos_token_id": 2},
		read:     readBLOOM, write: writeBLOOM,
	},
	gguf: ggufFamily{
		arch: &ggufArch{name: "bloom", biases: true, keyHeads: true, read: func(k *ggufReader, c *Config) {
			c.Norm, c.NormEps = NormKind{Weight: true, Bias: true}, float32(k.float("attention.layer_norm_epsilon", 1e-5))
			c.Position, c.AlibiMax, c.Activation, c.EmbeddingNorm, c.AttentionBias, c.MLPBias = Alibi, 8, GELUTanh, true, true, true
		}},
		parts: map[string]string{
			"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attention.dense": "attn_output",
			"mlp.dense_h_to_4h": "ffn_up", "mlp.dense_4h_to_h": "ffn_down",
		},
		link: func(c *Config, k *ggufLinker, rest string) bool {
			return rest == "self_attention.query_key_value" && k.deinterleave(c)
		},
	},
}

func readBLOOM(h *hfReader, c *Config) {
	c.C, c.H, c.Layers = h.either("n_embed", "hidden_size"), h.either("n_head", "num_attention_heads"), h.either("n_layer", "num_hidden_layers")
	c.KV, c.F, c.T = c.H, 4*c.C, h.int("seq_length", 2048)
	if c.H > 0 {
		c.D = c.C / c.H
	}
	c.NormEps, c.Norm, c.EmbeddingNorm = h.float("layer_norm_epsilon", 1e-5), NormKind{Weight: true, Bias: true}, true
	c.Position, c.AlibiMax, c.Activation, c.AttentionBias, c.MLPBias = Alibi, 8, GELUTanh, true, true
	if h.bool("apply_residual_connection_post_layernorm", false) {
		h.fail("apply_residual_connection_post_layernorm is true: such a BLOOM is not built")
	}
}

func writeBLOOM(c *Config, m map[string]any) error {
	if c.F != 4*c.C {
		return fmt.Errorf("%w: Transformers' BLOOM has an MLP of four times its width %d, this model one of %d", ErrLayout, c.C, c.F)
	}
	maps.Copy(m, map[string]any{
		"hidden_size": c.C, "n_head": c.H, "n_layer": c.Layers, "seq_length": c.T, "layer_norm_epsilon": shortest(c.NormEps),
		"attention_dropout": 0.0, "hidden_dropout": 0.0, "apply_residual_connection_post_layernorm": false,
	})
	return nil
}

// pressSlopes returns ALiBi's slopes as its authors have them: for a number of heads that is no power
// of two, those of the power below, then every other one of the power above.
//
// Press et al. 2022; models/bloom, _get_alibi_slopes.
func pressSlopes(heads int, limit float64) []float32 {
	n := 1 << (bits.Len(uint(heads)) - 1)
	s := alibiSlopes(n, limit)
	more := alibiSlopes(2*n, limit)
	for i := 0; len(s) < heads; i += 2 {
		s = append(s, more[i])
	}
	return s
}

// bloomBlock is BLOOM's block: LayerNorm before the sublayers, ALiBi, query, key and value of each head
// side by side in one matrix, GELU's tanh form, biases.
//
// BigScience 2022; names as in Transformers (models/bloom).
func bloomBlock(b *builder, l int, x graph.Value) graph.Value {
	name := func(part string) string { return fmt.Sprintf("transformer.h.%d.%s", l, part) }
	qkv := b.plain(b.norm(x, name("input_layernorm"), l, b.Norm), name("self_attention.query_key_value"), matrix(l, Projection, 3*b.C, b.C), true)
	parts := b.g.DeinterleaveHeads(qkv, graph.HeadsAttr{H: b.H, Parts: 3, D: b.D})
	x = b.g.Add(x, b.linear(b.attention(l, parts[0], parts[1], parts[2]), name("self_attention.dense"), matrix(l, AttentionOut, b.C, b.C), true))
	h := b.linear(b.norm(x, name("post_attention_layernorm"), l, b.Norm), name("mlp.dense_h_to_4h"), matrix(l, Projection, b.F, b.C), true)
	return b.g.Add(x, b.linear(b.activate(h), name("mlp.dense_4h_to_h"), matrix(l, MLPOut, b.C, b.F), true))
}
