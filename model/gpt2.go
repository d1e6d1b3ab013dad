package model

import (
	"fmt"
	"maps"
	"strings"

	"olmo/graph"
)

// gpt2 is GPT-2 with the names of Transformers.
var gpt2 = family{
	name: "gpt2", filled: true, names: names{table: "transformer.wte.weight", positions: "transformer.wpe.weight", finalNorm: "transformer.ln_f", head: "lm_head"}, block: gpt2Block,
	hf: hfFamily{
		modelType: "gpt2", architecture: "GPT2LMHeadModel",
		defaults: map[string]any{"tie_word_embeddings": true, "bos_token_id": 50256, "eos_token_id": 50256},
		read:     readGPT2, write: writeGPT2,
		// Transformers' Conv1D has the columns of a product's weight as rows.
		link: func(_ *Config, l *layout, p Param) {
			if strings.HasSuffix(p.Name, ".c_attn.weight") || strings.HasSuffix(p.Name, ".c_proj.weight") || strings.HasSuffix(p.Name, ".c_fc.weight") {
				l.transposed(p.Name, p.Name)
				return
			}
			l.whole(p.Name, p.Name)
		},
	},
	gguf: ggufFamily{
		arch: &ggufArch{name: "gpt2", biases: true, read: func(k *ggufReader, c *Config) {
			c.Norm, c.NormEps = NormKind{Weight: true, Bias: true}, float32(k.float("attention.layer_norm_epsilon", 1e-5))
			c.Position, c.Activation, c.AttentionBias, c.MLPBias = Learned, GELUTanh, true, true
		}},
		parts: map[string]string{
			"ln_1": "attn_norm", "ln_2": "ffn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down",
		},
		lacks: func(c *Config) string {
			switch {
			case c.Activation != GELUTanh:
				return "a GPT-2 with an activation other than gelu_new"
			case c.Scale > 0:
				return "a GPT-2 without scale_attn_weights"
			}
			return ""
		},
	},
}

func readGPT2(h *hfReader, c *Config) {
	c.C, c.H, c.Layers = h.either("n_embd", "hidden_size"), h.either("n_head", "num_attention_heads"), h.either("n_layer", "num_hidden_layers")
	c.KV, c.T = c.H, h.int("n_positions", h.int("max_position_embeddings", 1024))
	if c.H > 0 {
		c.D = c.C / c.H
	}
	c.F, c.Activation = h.int("n_inner", 4*c.C), h.gelu("activation_function", "gelu_new")
	c.NormEps, c.Norm = h.float("layer_norm_epsilon", 1e-5), NormKind{Weight: true, Bias: true}
	c.Position, c.AttentionBias, c.MLPBias = Learned, true, true
	if !h.bool("scale_attn_weights", true) {
		c.Scale = 1
	}
	for _, key := range []string{"scale_attn_by_inverse_layer_idx", "add_cross_attention"} {
		if h.bool(key, false) {
			h.fail("%s is true: such a GPT-2 is not built", key)
		}
	}
}

func writeGPT2(c *Config, m map[string]any) error {
	if c.Scale != 0 && c.Scale != 1 {
		return fmt.Errorf("%w: Transformers' GPT-2 scales scores by 1/sqrt(%d) or not at all, this model by %v", ErrLayout, c.D, c.Scale)
	}
	maps.Copy(m, map[string]any{
		"n_embd": c.C, "n_head": c.H, "n_layer": c.Layers, "n_positions": c.T, "n_ctx": c.T, "n_inner": c.F, "activation_function": c.Activation.hf(),
		"layer_norm_epsilon": shortest(c.NormEps), "scale_attn_weights": c.Scale == 0,
		"attn_pdrop": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0,
	})
	return nil
}

// gpt2Block is GPT-2's block: LayerNorm before the sublayers, queries, keys and values in one matrix,
// GELU's tanh form, biases everywhere.
//
// Radford et al. 2019; names as in Transformers (models/gpt2).
func gpt2Block(b *builder, l int, x graph.Value) graph.Value {
	name := func(part string) string { return fmt.Sprintf("transformer.h.%d.%s", l, part) }
	p := matrix(l, Projection, 3*b.C, b.C)
	p.Blocks = 3
	qkv := b.g.Split(b.linear(b.norm(x, name("ln_1"), l, b.Norm), name("attn.c_attn"), p, true), b.C, b.C, b.C)
	x = b.g.Add(x, b.linear(b.attention(l, qkv[0], qkv[1], qkv[2]), name("attn.c_proj"), matrix(l, AttentionOut, b.C, b.C), true))
	mlp := b.linear(b.norm(x, name("ln_2"), l, b.Norm), name("mlp.c_fc"), matrix(l, Projection, b.F, b.C), true)
	return b.g.Add(x, b.linear(b.activate(mlp), name("mlp.c_proj"), matrix(l, MLPOut, b.C, b.F), true))
}
