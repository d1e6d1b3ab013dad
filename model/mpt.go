package model

import (
	"fmt"
	"maps"
	"math/bits"

	"olmo/graph"
)

// mpt is MPT with the names of Transformers.
var mpt = family{
	name: "mpt", filled: true, names: names{table: "transformer.wte.weight", finalNorm: "transformer.norm_f"}, block: mptBlock, slopes: mptSlopes,
	hf: hfFamily{modelType: "mpt", architecture: "MptForCausalLM", read: readMPT, write: writeMPT},
	gguf: ggufFamily{
		arch: &ggufArch{name: "mpt", read: func(k *ggufReader, c *Config) {
			c.Norm, c.NormEps = NormKind{Weight: true}, float32(k.float("attention.layer_norm_epsilon", 1e-5))
			c.Activation, c.Position, c.AlibiMax = GELU, Alibi, k.float("attention.max_alibi_bias", 8)
			c.Clip = k.float("attention.clamp_kqv", 0)
		}},
		parts: map[string]string{
			"norm_1": "attn_norm", "norm_2": "ffn_norm", "attn.Wqkv": "attn_qkv", "attn.out_proj": "attn_output",
			"ffn.up_proj": "ffn_up", "ffn.down_proj": "ffn_down",
		},
		lacks: func(c *Config) string {
			if c.Scale > 0 {
				return "an MPT with a softmax_scale"
			}
			return ""
		},
	},
}

func readMPT(h *hfReader, c *Config) {
	c.C, c.H, c.Layers = h.either("d_model", "hidden_size"), h.either("n_heads", "num_attention_heads"), h.either("n_layers", "num_hidden_layers")
	c.KV, c.T = c.H, h.int("max_seq_len", 2048)
	if c.H > 0 {
		c.D = c.C / c.H
	}
	// The MLP is four times as wide whatever expansion_ratio says (models/mpt).
	c.F, c.Activation = 4*c.C, GELU
	c.NormEps, c.Norm = h.float("layer_norm_epsilon", 1e-5), NormKind{Weight: true}
	c.Tied = h.bool("tie_word_embeddings", true)
	if !c.Tied && !h.isReward() {
		h.fail("an MPT with an output matrix of its own is not known to Transformers")
	}
	a := h.sub("attn_config")
	// Transformers reads alibi_bias_max and takes no notice of it (MptModel.forward).
	c.Position, c.AlibiMax = Alibi, 8
	c.Clip, c.Scale = a.clip("clip_qkv"), float64(a.float("softmax_scale", 0))
	for key, want := range map[string]any{"alibi": true, "qk_ln": false, "prefix_lm": false, "attn_type": "multihead_attention"} {
		if got, ok := a.m[key]; ok && got != want {
			h.fail("attn_config.%s is %v: only %v is built, as in Transformers", key, got, want)
		}
	}
	if !h.bool("no_bias", true) {
		h.fail("no_bias is false: an MPT with biases is not known to Transformers")
	}
}

func writeMPT(c *Config, m map[string]any) error {
	if c.F != 4*c.C {
		return fmt.Errorf("%w: Transformers' MPT has an MLP of four times its width %d, this model one of %d", ErrLayout, c.C, c.F)
	}
	if c.AlibiMax != 8 {
		return fmt.Errorf("%w: Transformers' MPT has slopes up to 2^-8, this model up to 2^-%v", ErrLayout, c.AlibiMax)
	}
	attn := map[string]any{"alibi": true, "alibi_bias_max": int(c.AlibiMax)}
	attn["clip_qkv"], attn["softmax_scale"] = optional(c.Clip), optional(c.Scale)
	maps.Copy(m, map[string]any{
		"d_model": c.C, "n_heads": c.H, "n_layers": c.Layers, "max_seq_len": c.T, "expansion_ratio": 4, "attn_config": attn,
		"layer_norm_epsilon": shortest(c.NormEps), "no_bias": true, "learned_pos_emb": false,
	})
	return nil
}

// mptBlock is MPT's block: LayerNorm without bias before the sublayers, queries, keys
// and values in one matrix, ALiBi, GELU, no biases.
//
// MosaicML 2023; names as in Transformers (models/mpt).
func mptBlock(b *builder, l int, x graph.Value) graph.Value {
	name := func(part string) string { return fmt.Sprintf("transformer.blocks.%d.%s", l, part) }
	p := matrix(l, Projection, 3*b.C, b.C)
	p.Blocks = 3
	qkv := b.linear(b.norm(x, name("norm_1"), l, b.Norm), name("attn.Wqkv"), p, false)
	parts := b.g.Split(b.clip(qkv), b.C, b.C, b.C)
	att := b.linear(b.attention(l, parts[0], parts[1], parts[2]), name("attn.out_proj"), matrix(l, AttentionOut, b.C, b.C), false)
	x = b.g.Add(x, att)
	mlp := b.linear(b.norm(x, name("norm_2"), l, b.Norm), name("ffn.up_proj"), matrix(l, Projection, b.F, b.C), false)
	return b.g.Add(x, b.linear(b.activate(mlp), name("ffn.down_proj"), matrix(l, MLPOut, b.C, b.F), false))
}

// mptSlopes returns ALiBi's slopes as MPT has them: for a number of heads that is no
// power of two, those of the next power, the odd places first (models/mpt,
// build_mpt_alibi_tensor).
func mptSlopes(heads int, limit float64) []float32 {
	n := 1 << bits.Len(uint(heads-1))
	s := alibiSlopes(n, limit)
	if n == heads {
		return s
	}
	var order []float32
	for start := 1; start >= 0; start-- {
		for i := start; i < n; i += 2 {
			order = append(order, s[i])
		}
	}
	return order[:heads]
}
