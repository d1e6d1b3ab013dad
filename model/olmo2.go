package model

import "olmo/graph"

// olmo2Block is OLMo 2's block: no norm before the sublayers and RMSNorm after
// them, and RMSNorm over the whole projections of queries and keys before rotation.
//
// OLMo team 2025; names as in the ai2-olmo package (olmo/model.py, norm_after).
func olmo2Block(b *builder, l int, x graph.Value) graph.Value {
	name := ai2Block(l)
	x = b.g.Add(x, b.drop(b.norm(b.ai2Attention(l, x), name("attn_norm"), l, b.Norm), b.ResidualDropout))
	return b.g.Add(x, b.drop(b.norm(b.ai2MLP(l, x), name("ff_norm"), l, b.Norm), b.ResidualDropout))
}
