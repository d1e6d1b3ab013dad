package model

import (
	"fmt"

	"olmo/graph"
)

// llama is Llama with the names of Transformers.
var llama = family{
	name: "llama", names: hfNames, block: llamaBlock,
	hf: hfFamily{
		modelType: "llama", architecture: "LlamaForCausalLM",
		read: func(h *hfReader, c *Config) {
			h.decoder(c, 10000)
			c.NormEps, c.Norm, c.Activation = h.float("rms_norm_eps", 1e-6), NormKind{RMS: true, Weight: true}, h.silu()
			c.AttentionBias, c.MLPBias = h.bool("attention_bias", false), h.bool("mlp_bias", false)
		},
		write: func(c *Config, m map[string]any) error {
			c.hfDecoder(m)
			m["rms_norm_eps"], m["mlp_bias"], m["head_dim"] = shortest(c.NormEps), c.MLPBias, c.D
			return nil
		},
	},
	gguf: ggufFamily{arch: llamaArch, parts: llamaParts},
}

// hfNames are the parameters outside the blocks of Llama and its kin in Transformers.
var hfNames = names{table: "model.embed_tokens.weight", finalNorm: "model.norm", head: "lm_head"}

// llamaParts are ggml's names of the parameters of Llama's block.
var llamaParts = map[string]string{
	"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
	"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
	"mlp.up_proj": "ffn_up", "mlp.gate_proj": "ffn_gate", "mlp.down_proj": "ffn_down",
}

// llamaArch is llama.cpp's Llama, which with experts is Mixtral.
var llamaArch = &ggufArch{
	name: "llama", paired: true, biases: true, frequencies: true, keyHeads: true,
	read: func(k *ggufReader, c *Config) {
		c.AttentionBias, c.MLPBias = k.g.Has("blk.0.attn_q.bias"), k.g.Has("blk.0.ffn_up.bias")
		if c.Experts > 0 {
			c.Family, c.NormTopK = "mixtral", true
		}
	},
}

// llamaBlock is Llama's block: RMSNorm before the sublayers, grouped queries, rotary
// positions, SwiGLU. SmolLM2 and TinyLlama are of this family.
//
// Touvron et al. 2023; names as in Transformers (models/llama).
func llamaBlock(b *builder, l int, x graph.Value) graph.Value {
	name := hfBlock(l)
	x = b.g.Add(x, b.hfAttention(l, b.norm(x, name("input_layernorm"), l, b.Norm)))
	return b.g.Add(x, b.hfMLP(l, b.norm(x, name("post_attention_layernorm"), l, b.Norm)))
}

// hfBlock names the parts of a block as Transformers does for Llama and its kin.
func hfBlock(l int) func(part string) string {
	return func(part string) string { return fmt.Sprintf("model.layers.%d.%s", l, part) }
}

// hfAttention is attention with queries, keys and values in matrices of their own,
// norms over the whole projections or over each head where the model has them, and cut off after
// these.
func (b *builder) hfAttention(l int, x graph.Value) graph.Value {
	name, kv, bias := hfBlock(l), b.KV*b.D, b.AttentionBias || b.QKVBias
	q := b.linear(x, name("self_attn.q_proj"), matrix(l, Projection, b.H*b.D, b.C), bias)
	k := b.linear(x, name("self_attn.k_proj"), matrix(l, Projection, kv, b.C), bias)
	v := b.linear(x, name("self_attn.v_proj"), matrix(l, Projection, kv, b.C), bias)
	if b.QKNorm != nil {
		qCols, kCols := b.H*b.D, kv
		if b.QKHeads {
			qCols, kCols = b.D, b.D
		}
		q, k = b.normOf(q, qCols, name("self_attn.q_norm"), l, *b.QKNorm), b.normOf(k, kCols, name("self_attn.k_norm"), l, *b.QKNorm)
	}
	x = b.attention(l, b.clip(q), b.clip(k), b.clip(v))
	return b.linear(x, name("self_attn.o_proj"), matrix(l, AttentionOut, b.C, b.H*b.D), b.AttentionBias)
}

// hfMLP is a gated MLP with up and gate in matrices of their own.
func (b *builder) hfMLP(l int, x graph.Value) graph.Value {
	name := hfBlock(l)
	up := b.linear(x, name("mlp.up_proj"), matrix(l, Projection, b.F, b.C), b.MLPBias)
	gate := b.linear(x, name("mlp.gate_proj"), matrix(l, Projection, b.F, b.C), b.MLPBias)
	return b.linear(b.activate(b.g.Concat(up, gate)), name("mlp.down_proj"), matrix(l, MLPOut, b.C, b.F), b.MLPBias)
}

// mixture is a mixture of SwiGLU experts in an MLP's place; router names the matrix that
// chooses them.
func (b *builder) mixture(l int, x graph.Value, router string, n expertNames) graph.Value {
	name := hfBlock(l)
	logits := b.plain(x, name(router), matrix(l, Projection, b.Experts, b.C), false)
	weights, softmax := b.g.RouterSoftmax(logits, graph.RouterAttr{K: b.TopK, Normalize: b.NormTopK})
	if b.choices {
		b.g.Keep(weights, fmt.Sprintf("router.%d", l))
	}
	if b.routerLoss || b.pooled {
		layers := float64(b.Layers)
		balance, z := b.g.RouterLoss(logits, weights, softmax, graph.RouterLossAttr{K: b.TopK, Balance: b.BalanceWeight / layers, ZLoss: b.RouterZWeight / layers, Pooled: b.pooled})
		b.g.Keep(balance, fmt.Sprintf("balance.%d", l))
		b.g.Keep(z, fmt.Sprintf("router_z.%d", l))
	}
	param := func(name string, p Param) graph.Value {
		p.Name = name + ".weight"
		return b.param(p)
	}
	var ups, gates, downs []graph.Value
	for e := range b.Experts {
		expert := name(fmt.Sprintf("%s%d.", n.prefix, e))
		ups = append(ups, param(expert+n.up, matrix(l, Projection, b.F, b.C)))
		gates = append(gates, param(expert+n.gate, matrix(l, Projection, b.F, b.C)))
		downs = append(downs, param(expert+n.down, matrix(l, MLPOut, b.C, b.F)))
	}
	return b.g.Experts(x, weights, ups, gates, downs, b.TopK)
}
