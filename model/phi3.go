package model

import (
	"maps"
	"math"
	"slices"

	"olmo/graph"
)

// phi3 is Phi-3 and Phi-4 with the names of Transformers.
var phi3 = family{
	name: "phi3", names: hfNames, block: phi3Block,
	hf: hfFamily{
		modelType: "phi3", architecture: "Phi3ForCausalLM",
		defaults: map[string]any{
			"max_position_embeddings": 4096, "original_max_position_embeddings": 4096, "bos_token_id": 1, "eos_token_id": 32000, "pad_token_id": 32000,
		},
		read: readPhi3, write: writePhi3,
	},
	gguf: ggufFamily{
		arch: &ggufArch{name: "phi3", keyHeads: true, partial: true, byLength: true, read: readPhi3GGUF, write: writePhi3GGUF},
		parts: map[string]string{
			"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.qkv_proj": "attn_qkv", "self_attn.o_proj": "attn_output",
			"mlp.gate_up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
		},
		lacks: func(c *Config) string {
			if c.slides() {
				return "a Phi-3 with a sliding window"
			}
			return ""
		},
	},
}

// phi3Factor is longrope's factor of sines and cosines where a config.json does not say it.
func phi3Factor(s *Scaling) float64 {
	return longFactor(float64(s.Positions)/float64(s.Original), s.Original)
}

func readPhi3(h *hfReader, c *Config) {
	h.sizes(c)
	// Files of before Transformers 4.41 call longrope su, and two of theirs yarn.
	for _, key := range []string{"rope_scaling", "rope_parameters"} {
		if old := h.sub(key); old.m != nil {
			renamed := maps.Clone(old.m)
			for _, kind := range []string{"type", "rope_type"} {
				if v := old.m[kind]; v == "su" || v == "yarn" {
					renamed[kind] = "longrope"
				}
			}
			m := maps.Clone(h.m)
			m[key] = renamed
			h.m = m
		}
	}
	h.rotation(c, 10000, true)
	if c.Scaling != nil && c.Scaling.Type != "longrope" {
		h.fail("a rotation scaled by %s in a Phi-3, which Transformers refuses\nhint: default or longrope", c.Scaling.Type)
	}
	c.NormEps, c.Norm, c.Activation = h.float("rms_norm_eps", 1e-5), NormKind{RMS: true, Weight: true}, h.silu()
	c.slideAll(h.int("sliding_window", 0))
}

func writePhi3(c *Config, m map[string]any) error {
	c.hfDecoder(m)
	delete(m, "attention_bias")
	maps.Copy(m, map[string]any{
		"rms_norm_eps": shortest(c.NormEps), "head_dim": c.D, "sliding_window": nil, "original_max_position_embeddings": c.T,
		"partial_rotary_factor": float64(c.rotated()) / float64(c.D), "embd_pdrop": 0.0, "resid_pdrop": 0.0,
	})
	if c.Windows != nil {
		m["sliding_window"] = slices.Max(c.Windows)
	}
	if s := c.Scaling; s != nil {
		// Transformers 4 takes these keys, and Phi-3's own of the original positions, alone.
		r := s.hf().(map[string]any)
		keep := map[string]any{"type": s.Type, "short_factor": r["short_factor"], "long_factor": r["long_factor"]}
		if math.Abs(s.AttentionFactor/phi3Factor(s)-1) > 1e-12 {
			keep["attention_factor"] = decimal(s.AttentionFactor)
		}
		m["rope_scaling"], m["original_max_position_embeddings"] = keep, s.Original
	}
	return nil
}

func readPhi3GGUF(k *ggufReader, c *Config) {
	c.RopeDims = k.int("rope.dimension_count", c.D)
	// llama.cpp takes no notice of attention.sliding_window: what it runs has none.
	short, long := k.numbers("rope_factors_short.weight"), k.numbers("rope_factors_long.weight")
	if short == nil && long == nil {
		return
	}
	s := &Scaling{Type: "longrope", Short: short, Long: long, Original: k.int("rope.scaling.original_context_length", c.T), Positions: c.T}
	s.Factor = float64(c.T) / float64(max(s.Original, 1))
	usual := phi3Factor(s)
	if s.AttentionFactor = k.float("rope.scaling.attn_factor", 1); math.Abs(s.AttentionFactor/usual-1) < 1e-6 {
		s.AttentionFactor = usual // before it was rounded to float32
	}
	c.Scaling = s
	c.shorten()
}

func writePhi3GGUF(c *Config, add func(key string, value any)) {
	original := c.T
	if s := c.Scaling; s != nil {
		original = s.Original
		add("rope.scaling.attn_factor", float32(s.AttentionFactor))
	}
	add("rope.scaling.original_context_length", uint32(original))
	add("attention.sliding_window", uint32(0))
}

// phi3Block is Phi-3's block: Llama's, with queries, keys and values in one matrix, and gate and up in
// another, the gate first.
//
// Abdin et al. 2024; names as in Transformers (models/phi3).
func phi3Block(b *builder, l int, x graph.Value) graph.Value {
	name := hfBlock(l)
	rows := b.qkvRows()
	p := matrix(l, Projection, rows[0]+rows[1]+rows[2], b.C)
	if b.H == b.KV {
		p.Blocks = 3
	}
	qkv := b.g.Split(b.linear(b.norm(x, name("input_layernorm"), l, b.Norm), name("self_attn.qkv_proj"), p, false), rows...)
	x = b.g.Add(x, b.linear(b.attention(l, qkv[0], qkv[1], qkv[2]), name("self_attn.o_proj"), matrix(l, AttentionOut, b.C, rows[0]), false))
	p = matrix(l, Projection, 2*b.F, b.C)
	p.Blocks = 2
	h := b.linear(b.norm(x, name("post_attention_layernorm"), l, b.Norm), name("mlp.gate_up_proj"), p, false)
	return b.g.Add(x, b.linear(b.g.Gated(graph.SwiGLU, h, graph.GatedAttr{GateFirst: true}), name("mlp.down_proj"), matrix(l, MLPOut, b.C, b.F), false))
}
