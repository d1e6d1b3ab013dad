package model

import "olmo/graph"

// olmo3Block is OLMo 3's block: OLMo 2's, with a sliding window in three layers of
// four, whose rotation is not scaled.
//
// OLMo team 2025; names as in Transformers (models/olmo3).
func olmo3Block(b *builder, l int, x graph.Value) graph.Value {
	name := hfBlock(l)
	x = b.g.Add(x, b.norm(b.hfAttention(l, x), name("post_attention_layernorm"), l, b.Norm))
	return b.g.Add(x, b.norm(b.hfMLP(l, x), name("post_feedforward_layernorm"), l, b.Norm))
}
