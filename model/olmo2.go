package model

import "olmo/graph"

// olmo2 is OLMo 2 with the names of the ai2-olmo package. With windows or a scaled rotation it
// is OLMo 3 to every other program.
var olmo2 = family{
	name: "olmo2", names: ai2Names, block: olmo2Block,
	hf: hfFamily{
		modelType: "olmo2", architecture: "Olmo2ForCausalLM", as: olmo2As,
		read: func(h *hfReader, c *Config) {
			h.decoder(c, 10000)
			h.olmo2(c)
		},
		write: func(c *Config, m map[string]any) error {
			c.hfDecoder(m)
			m["rms_norm_eps"] = shortest(c.NormEps)
			return nil
		},
		link: func(c *Config, l *layout, p Param) {
			linkAI2(c, l, p, map[string]string{"attn_norm": "post_attention_layernorm", "ff_norm": "post_feedforward_layernorm"})
		},
	},
	gguf: ggufFamily{
		arch:  olmo2Arch,
		parts: merged(ai2Parts, map[string]string{"attn_norm": "post_attention_norm", "ff_norm": "post_ffw_norm"}),
		link:  linkAI2GGUF,
	},
}

// olmo2Arch is llama.cpp's OLMo 2, which is its OLMo 3 too: with a sliding window.
var olmo2Arch = &ggufArch{
	name: "olmo2", keyHeads: true, slidesPlain: true,
	read: func(k *ggufReader, c *Config) {
		c.QKNorm = &NormKind{RMS: true, Weight: true}
		k.windows(c)
	},
	write: ggufWindows,
}

// olmo2 reads what OLMo 2 and 3 share.
func (h *hfReader) olmo2(c *Config) {
	c.NormEps, c.Norm, c.Activation = h.float("rms_norm_eps", 1e-5), NormKind{RMS: true, Weight: true}, h.silu()
	c.QKNorm = &NormKind{RMS: true, Weight: true}
	c.AttentionBias = h.bool("attention_bias", false)
}

// olmo2As names the family in Transformers, whose OLMo 2 has norms of one kind and does not cut
// queries, keys and values off.
func olmo2As(c *Config) (family, refused string) {
	if s := ai2Refused(c); s != "" {
		return "", " has no model with " + s
	}
	rms := NormKind{RMS: true, Weight: true}
	if c.Norm != rms || c.QKNorm == nil || *c.QKNorm != rms || c.Clip != 0 {
		return "", " has no model with norm_after with other than rms norms, attention_layer_norm and no clip_qkv"
	}
	if c.Windows != nil || c.Scaling != nil {
		return "olmo3", ""
	}
	return "olmo2", ""
}

// olmo2Block is OLMo 2's block: no norm before the sublayers and RMSNorm after
// them, and RMSNorm over the whole projections of queries and keys before rotation.
//
// OLMo team 2025; names as in the ai2-olmo package (olmo/model.py, norm_after).
func olmo2Block(b *builder, l int, x graph.Value) graph.Value {
	name := ai2Block(l)
	x = b.g.Add(x, b.drop(b.norm(b.ai2Attention(l, x), name("attn_norm"), l, b.Norm), b.ResidualDropout))
	return b.g.Add(x, b.drop(b.norm(b.ai2MLP(l, x), name("ff_norm"), l, b.Norm), b.ResidualDropout))
}
