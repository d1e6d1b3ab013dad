package model

import (
	"fmt"

	"olmo/graph"
)

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
// norms over the whole projections where the model has them, and cut off after these.
func (b *builder) hfAttention(l int, x graph.Value) graph.Value {
	name, kv := hfBlock(l), b.KV*b.D
	q := b.linear(x, name("self_attn.q_proj"), matrix(l, Projection, b.H*b.D, b.C), b.AttentionBias)
	k := b.linear(x, name("self_attn.k_proj"), matrix(l, Projection, kv, b.C), b.AttentionBias)
	v := b.linear(x, name("self_attn.v_proj"), matrix(l, Projection, kv, b.C), b.AttentionBias)
	if b.QKNorm != nil {
		q, k = b.norm(q, name("self_attn.q_norm"), l, *b.QKNorm), b.norm(k, name("self_attn.k_norm"), l, *b.QKNorm)
	}
	x = b.attention(l, b.clip(q), b.clip(k), b.clip(v))
	return b.linear(x, name("self_attn.o_proj"), matrix(l, AttentionOut, b.C, b.H*b.D), b.AttentionBias)
}

// hfMLP is SwiGLU with up and gate in matrices of their own.
func (b *builder) hfMLP(l int, x graph.Value) graph.Value {
	name := hfBlock(l)
	up := b.linear(x, name("mlp.up_proj"), matrix(l, Projection, b.F, b.C), b.MLPBias)
	gate := b.linear(x, name("mlp.gate_proj"), matrix(l, Projection, b.F, b.C), b.MLPBias)
	return b.linear(b.g.SwiGLU(b.g.Concat(up, gate)), name("mlp.down_proj"), matrix(l, MLPOut, b.C, b.F), b.MLPBias)
}

// mixture is a mixture of SwiGLU experts in an MLP's place; names are those of the
// router and, for each expert, of up, gate and down.
func (b *builder) mixture(l int, x graph.Value, router string, expert func(e int) (up, gate, down string)) graph.Value {
	logits := b.linear(x, router, matrix(l, Projection, b.Experts, b.C), false)
	weights, softmax := b.g.RouterSoftmax(logits, graph.RouterAttr{K: b.TopK, Normalize: b.NormTopK})
	if b.routerLoss {
		n := float64(b.Layers)
		balance, z := b.g.RouterLoss(logits, weights, softmax, graph.RouterLossAttr{K: b.TopK, Balance: b.BalanceWeight / n, ZLoss: b.RouterZWeight / n})
		b.g.Keep(balance, fmt.Sprintf("balance.%d", l))
		b.g.Keep(z, fmt.Sprintf("router_z.%d", l))
	}
	param := func(name string, p Param) graph.Value {
		p.Name = name + ".weight"
		return b.param(p)
	}
	var ups, gates, downs []graph.Value
	for e := range b.Experts {
		up, gate, down := expert(e)
		ups = append(ups, param(up, matrix(l, Projection, b.F, b.C)))
		gates = append(gates, param(gate, matrix(l, Projection, b.F, b.C)))
		downs = append(downs, param(down, matrix(l, MLPOut, b.C, b.F)))
	}
	return b.g.Experts(x, weights, ups, gates, downs, b.TopK)
}
