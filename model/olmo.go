package model

import (
	"fmt"

	"olmo/graph"
)

// olmo is OLMo 1 with the names of the ai2-olmo package, and every other model that the
// package builds with norms before the sublayers.
var olmo = family{
	name: "olmo", names: ai2Names, block: olmoBlock,
	hf: hfFamily{
		modelType: "olmo", architecture: "OlmoForCausalLM", read: readOLMo, as: olmoAs,
		write: func(c *Config, m map[string]any) error {
			c.hfDecoder(m)
			m["clip_qkv"] = optional(c.Clip)
			return nil
		},
		link: func(c *Config, l *layout, p Param) {
			linkAI2(c, l, p, map[string]string{"attn_norm": "input_layernorm", "ff_norm": "post_attention_layernorm"})
		},
	},
	gguf: ggufFamily{
		arch: &ggufArch{name: "olmo", paired: true, keyHeads: true, read: func(k *ggufReader, c *Config) {
			c.Norm, c.NormEps = NormKind{}, float32(k.float("attention.layer_norm_epsilon", 1e-5))
			c.Clip = k.float("attention.clamp_kqv", 0)
		}},
		parts: merged(ai2Parts, map[string]string{"attn_norm": "attn_norm", "ff_norm": "ffn_norm"}),
		link:  linkAI2GGUF,
	},
}

func readOLMo(h *hfReader, c *Config) {
	h.decoder(c, 10000)
	// OlmoLayerNorm has neither weights nor an eps in the config.
	c.NormEps, c.Norm, c.Activation = 1e-5, NormKind{}, h.silu()
	c.Clip = h.clip("clip_qkv")
	c.AttentionBias, c.MLPBias = h.bool("attention_bias", false), false
}

// olmoAs names the family in Transformers: with RMSNorm it is a Llama there.
func olmoAs(c *Config) (family, refused string) {
	if s := ai2Refused(c); s != "" {
		return "", " has no model with " + s
	}
	switch {
	case c.QKNorm != nil:
		return "", " has no model with attention_layer_norm without norm_after"
	case c.Norm == NormKind{RMS: true, Weight: true} && c.Clip == 0 && c.Windows == nil:
		return "llama", ""
	case c.Norm != NormKind{} || c.NormEps != 1e-5:
		return "", " has no model with norms other than layer norms without weights and an eps of 1e-5, or rms norms without clip_qkv,"
	case c.Windows != nil || c.Scaling != nil:
		return "", " has no OLMo 1 with windows or a scaled rotation"
	}
	return "olmo", ""
}

// olmoBlock is the block of OLMo 1 and of every other model that the ai2-olmo
// package builds with norms before the sublayers: LayerNorm without weights and
// SwiGLU for OLMo 1; LayerNorm or RMSNorm, GELU or ReLU, biases, learned positions or
// ALiBi, one or a few key heads otherwise.
//
// OLMo team 2024; ai2-olmo 0.6.0, olmo/model.py, OLMoSequentialBlock and
// OLMoLlamaBlock.
func olmoBlock(b *builder, l int, x graph.Value) graph.Value {
	name := ai2Block(l)
	x = b.g.Add(x, b.drop(b.ai2Attention(l, b.norm(x, name("attn_norm"), l, b.Norm)), b.ResidualDropout))
	return b.g.Add(x, b.drop(b.ai2MLP(l, b.norm(x, name("ff_norm"), l, b.Norm)), b.ResidualDropout))
}

// ai2Block names the parts of a block.
func ai2Block(l int) func(part string) string {
	return func(part string) string { return fmt.Sprintf("transformer.blocks.%d.%s", l, part) }
}

// ai2Attention is attention with queries, keys and values in one matrix, cut off
// before their norms.
func (b *builder) ai2Attention(l int, x graph.Value) graph.Value {
	name, module, rows := ai2Block(l), hfBlock(l), b.qkvRows()
	modules := []string{module("self_attn.q_proj"), module("self_attn.k_proj"), module("self_attn.v_proj")}
	var q, k, v graph.Value
	switch {
	case b.SplitQKV:
		q = b.clip(b.linearAs(x, name("q_proj"), modules[0], matrix(l, Projection, rows[0], b.C), b.AttentionBias))
		k = b.clip(b.linearAs(x, name("k_proj"), modules[1], matrix(l, Projection, rows[1], b.C), b.AttentionBias))
		v = b.clip(b.linearAs(x, name("v_proj"), modules[2], matrix(l, Projection, rows[2], b.C), b.AttentionBias))
	default:
		p := matrix(l, Projection, rows[0]+rows[1]+rows[2], b.C)
		if b.KV == b.H {
			p.Blocks = 3
		}
		qkv := b.plain(x, name("att_proj"), p, b.AttentionBias)
		adapted := b.Adapters != nil || len(b.opt.Adapters) > 0
		if !adapted {
			qkv = b.clip(qkv)
		}
		parts := b.adaptParts(qkv, x, l, name("att_proj.weight"), rows, modules...)
		q, k, v = parts[0], parts[1], parts[2]
		if adapted {
			q, k, v = b.clip(q), b.clip(k), b.clip(v)
		}
	}
	if b.QKNorm != nil {
		q, k = b.norm(q, name("q_norm"), l, *b.QKNorm), b.norm(k, name("k_norm"), l, *b.QKNorm)
	}
	return b.linearAs(b.attention(l, q, k, v), name("attn_out"), module("self_attn.o_proj"), matrix(l, AttentionOut, b.C, b.H*b.D), b.AttentionBias)
}

// ai2MLP is the MLP with up and gate in one matrix.
func (b *builder) ai2MLP(l int, x graph.Value) graph.Value {
	name, module := ai2Block(l), hfBlock(l)
	p := matrix(l, Projection, b.F, b.C)
	var h graph.Value
	if b.Activation == SwiGLU {
		p.Shape[0], p.Blocks = 2*b.F, 2
		h = b.plain(x, name("ff_proj"), p, b.MLPBias)
		up, gate := module("mlp.up_proj"), module("mlp.gate_proj")
		if adaptUp, adaptGate := b.adapts(up), b.adapts(gate); adaptUp || adaptGate {
			h = b.g.Concat(b.adaptParts(h, x, l, name("ff_proj.weight"), []int{b.F, b.F}, up, gate)...)
		}
	} else {
		h = b.linearAs(x, name("ff_proj"), module("mlp.up_proj"), p, b.MLPBias)
	}
	x = b.trace(b.activate(h), name("act"))
	return b.linearAs(x, name("ff_out"), module("mlp.down_proj"), matrix(l, MLPOut, b.C, b.F), b.MLPBias)
}
