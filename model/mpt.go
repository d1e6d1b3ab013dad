package model

import (
	"fmt"
	"math/bits"

	"olmo/graph"
)

var mptNames = names{table: "transformer.wte.weight", finalNorm: "transformer.norm_f"}

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
