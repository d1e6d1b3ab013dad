package model

import (
	"fmt"

	"olmo/graph"
)

// olmo2Block is OLMo 2's block: no norm before the sublayers and RMSNorm after
// them, and RMSNorm over the whole projections of queries and keys before rotation.
//
// OLMo team 2025; names as in the ai2-olmo package (olmo/model.py, norm_after).
func olmo2Block(b *builder, l int, x graph.Value) graph.Value {
	name := func(s string) string { return fmt.Sprintf("transformer.blocks.%d.%s.weight", l, s) }
	weight := func(s string, role Role, rows, cols, blocks int) graph.Value {
		return b.param(Param{Name: name(s), Shape: []int{rows, cols}, Role: role, Layer: l, Blocks: blocks})
	}
	norm := func(x graph.Value, s string) graph.Value {
		w := b.param(Param{Name: name(s), Shape: []int{b.g.Info(x).Cols()}, Role: Norm, Layer: l})
		return b.g.RMSNorm(x, w, b.NormEps)
	}
	kv := b.KV * b.D
	blocks := 1
	if b.KV == b.H {
		blocks = 3
	}
	qkv := b.g.Split(b.g.Linear(x, weight("att_proj", Projection, b.H*b.D+2*kv, b.C, blocks)), b.H*b.D, kv, kv)
	q := b.rotary(norm(qkv[0], "q_norm"))
	k := b.rotary(norm(qkv[1], "k_norm"))
	att := b.g.Linear(b.attention(l, q, k, qkv[2]), weight("attn_out", AttentionOut, b.C, b.H*b.D, 1))
	x = b.g.Add(x, norm(att, "attn_norm"))
	mlp := b.g.Linear(b.g.SwiGLU(b.g.Linear(x, weight("ff_proj", Projection, 2*b.F, b.C, 2))), weight("ff_out", MLPOut, b.C, b.F, 1))
	return b.g.Add(x, norm(mlp, "ff_norm"))
}
