package model

import (
	"fmt"

	"olmo/graph"
)

// mixtralBlock is Llama's block with a mixture of experts, whose weights are divided
// by the sum of the chosen ones.
//
// Jiang et al. 2024; names as in Transformers (models/mixtral).
func mixtralBlock(b *builder, l int, x graph.Value) graph.Value {
	name := hfBlock(l)
	x = b.g.Add(x, b.hfAttention(l, b.norm(x, name("input_layernorm"), l, b.Norm)))
	y := b.mixture(l, b.norm(x, name("post_attention_layernorm"), l, b.Norm), name("block_sparse_moe.gate"), func(e int) (up, gate, down string) {
		expert := name(fmt.Sprintf("block_sparse_moe.experts.%d.", e))
		return expert + "w3", expert + "w1", expert + "w2"
	})
	return b.g.Add(x, y)
}
