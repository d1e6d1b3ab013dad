package model

import (
	"fmt"

	"olmo/graph"
)

var neoxNames = names{table: "gpt_neox.embed_in.weight", finalNorm: "gpt_neox.final_layer_norm", head: "embed_out"}

// neoxBlock is GPT-NeoX's block: LayerNorm before the sublayers, which read the same
// residual (Pythia) or one after the other; query, key and value of each head side by
// side in one matrix; part of a head rotated; GELU; biases.
//
// Black et al. 2022; names as in Transformers (models/gpt_neox).
func neoxBlock(b *builder, l int, x graph.Value) graph.Value {
	name := func(part string) string { return fmt.Sprintf("gpt_neox.layers.%d.%s", l, part) }
	qkv := b.linear(b.norm(x, name("input_layernorm"), l, b.Norm), name("attention.query_key_value"), matrix(l, Projection, 3*b.C, b.C), b.AttentionBias)
	parts := b.g.Unweave(qkv, graph.WeaveAttr{H: b.H, Parts: 3, D: b.D})
	att := b.linear(b.attention(l, parts[0], parts[1], parts[2]), name("attention.dense"), matrix(l, AttentionOut, b.C, b.C), b.AttentionBias)
	mlp := func(x graph.Value) graph.Value {
		h := b.linear(b.norm(x, name("post_attention_layernorm"), l, b.Norm), name("mlp.dense_h_to_4h"), matrix(l, Projection, b.F, b.C), b.MLPBias)
		return b.linear(b.activate(h), name("mlp.dense_4h_to_h"), matrix(l, MLPOut, b.C, b.F), b.MLPBias)
	}
	if b.Parallel {
		return b.g.Add(b.g.Add(mlp(x), att), x)
	}
	x = b.g.Add(x, att)
	return b.g.Add(x, mlp(x))
}
