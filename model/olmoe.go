package model

import (
	"fmt"

	"olmo/graph"
)

// olmoeBlock is OLMoE's block: RMSNorm before the sublayers and over the whole
// projections of queries and keys, and a mixture of experts whose weights are a softmax
// over all of them.
//
// Muennighoff et al. 2024; names as in Transformers (models/olmoe).
func olmoeBlock(b *builder, l int, x graph.Value) graph.Value {
	name := hfBlock(l)
	x = b.g.Add(x, b.hfAttention(l, b.norm(x, name("input_layernorm"), l, b.Norm)))
	y := b.mixture(l, b.norm(x, name("post_attention_layernorm"), l, b.Norm), name("mlp.gate"), func(e int) (up, gate, down string) {
		expert := name(fmt.Sprintf("mlp.experts.%d.", e))
		return expert + "up_proj", expert + "gate_proj", expert + "down_proj"
	})
	return b.g.Add(x, y)
}
