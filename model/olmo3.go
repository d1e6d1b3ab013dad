package model

import (
	"fmt"
	"slices"

	"olmo/graph"
)

// olmo3 is OLMo 3 with the names of Transformers.
var olmo3 = family{
	name: "olmo3", names: hfNames, block: olmo3Block,
	hf: hfFamily{
		modelType: "olmo3", architecture: "Olmo3ForCausalLM",
		read: func(h *hfReader, c *Config) {
			h.decoder(c, 500000)
			h.olmo2(c)
			h.windows(c)
		},
		write: func(c *Config, m map[string]any) error {
			c.hfDecoder(m)
			m["rms_norm_eps"] = shortest(c.NormEps)
			c.hfWindows(m)
			return nil
		},
	},
	gguf: ggufFamily{
		arch: olmo2Arch,
		parts: merged(llamaParts, map[string]string{
			"post_attention_layernorm": "post_attention_norm", "post_feedforward_layernorm": "post_ffw_norm",
			"self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
		}),
	},
}

// olmo3Block is OLMo 3's block: OLMo 2's, with a sliding window in three layers of
// four, whose rotation is not scaled.
//
// OLMo team 2025; names as in Transformers (models/olmo3).
func olmo3Block(b *builder, l int, x graph.Value) graph.Value {
	name := hfBlock(l)
	x = b.g.Add(x, b.norm(b.hfAttention(l, x), name("post_attention_layernorm"), l, b.Norm))
	return b.g.Add(x, b.norm(b.hfMLP(l, x), name("post_feedforward_layernorm"), l, b.Norm))
}

// windows reads which layers slide: three of four where the config does not say.
func (h *hfReader) windows(c *Config) {
	h.layerWindows(c, h.int("sliding_window", 4096), func(l int) bool { return (l+1)%4 != 0 })
}

// layerWindows reads which layers slide, in a window of so many keys; slides says it where the
// config does not.
func (h *hfReader) layerWindows(c *Config, window int, slides func(l int) bool) {
	if c.Layers <= 0 || c.Layers > maxParts {
		return // Validate says so
	}
	c.Windows = make([]int, c.Layers)
	types, listed := h.value("layer_types")
	list, ok := types.([]any)
	if listed && (!ok || len(list) != c.Layers) {
		h.fail("layer_types is not a list of %d names, one for each layer", c.Layers)
		return
	}
	for l := range c.Windows {
		kind := any("full_attention")
		if listed {
			kind = list[l]
		} else if slides(l) {
			kind = "sliding_attention"
		}
		switch kind {
		case "sliding_attention":
			if window <= 0 {
				h.fail("layer %d slides, and sliding_window is %d", l, window)
			}
			c.Windows[l] = window
		case "full_attention":
		default:
			h.fail("layer_types has %v\nhint: sliding_attention or full_attention", kind)
		}
	}
}

// hfWindows writes OLMo 3's windows, and its rotations in the layout of Transformers 5
// too: 5.23 reads only the full layers' theta from the old keys.
func (c *Config) hfWindows(m map[string]any) {
	window := c.T // where only the rotation is OLMo 3's
	if c.Windows != nil {
		window = slices.Max(c.Windows)
	}
	m["layer_types"], m["sliding_window"] = c.layerTypes(), window
	sliding := c.hfRotations(m)
	if sliding != c.RopeTheta || c.SlidingScaling != nil {
		delete(m, "rope_theta")
		delete(m, "rope_scaling")
	}
}

// layerTypes lists which layers slide, as Transformers names them.
func (c *Config) layerTypes() []any {
	types := make([]any, c.Layers)
	for l := range types {
		types[l] = "full_attention"
		if c.window(l) > 0 {
			types[l] = "sliding_attention"
		}
	}
	return types
}

// hfRotations writes the rotations of both kinds of layers, and returns the theta of those with a
// window.
func (c *Config) hfRotations(m map[string]any) (sliding float64) {
	rotation := func(theta float64, s *Scaling) map[string]any {
		r := map[string]any{"rope_type": "default"}
		if s != nil {
			r = s.hf().(map[string]any)
		}
		r["rope_theta"] = theta
		return r
	}
	sliding = c.SlidingTheta
	if sliding == 0 {
		sliding = c.RopeTheta
	}
	m["rope_parameters"] = map[string]any{
		"full_attention": rotation(c.RopeTheta, c.Scaling), "sliding_attention": rotation(sliding, c.SlidingScaling),
	}
	return sliding
}

// windows makes an OLMo 2 with a sliding window an OLMo 3.
func (k *ggufReader) windows(c *Config) {
	if k.layerWindows(c, k.int("attention.sliding_window", 0), 4, c.RopeTheta) {
		c.Family = "olmo3"
	}
}

// layerWindows reads which layers slide, in a window of so many keys: all but one of a period where
// the file does not say; and their theta. It reports whether there is a window.
func (k *ggufReader) layerWindows(c *Config, window, period int, theta float64) bool {
	if window <= 0 || c.Layers <= 0 || c.Layers > maxParts {
		return false
	}
	c.Windows = make([]int, c.Layers)
	c.SlidingTheta = k.float("rope.freq_base_swa", theta)
	pattern, _ := k.g.Get(k.arch + ".attention.sliding_window_pattern")
	each, listed := pattern.([]bool)
	if n, ok := k.g.Int(k.arch + ".attention.sliding_window_pattern"); ok && n > 0 {
		period = n
	}
	if listed && len(each) != c.Layers {
		k.wrong("attention.sliding_window_pattern", fmt.Sprintf("%d truth values", c.Layers))
		return true
	}
	for l := range c.Windows {
		if listed && each[l] || !listed && (l+1)%period != 0 {
			c.Windows[l] = window
		}
	}
	return true
}

// ggufWindows adds the windows and the rotation under them.
func ggufWindows(c *Config, add func(key string, value any)) {
	if c.Windows == nil {
		return
	}
	slides := make([]bool, c.Layers)
	for l, w := range c.Windows {
		slides[l] = w > 0
	}
	add("attention.sliding_window", uint32(slices.Max(c.Windows)))
	add("attention.sliding_window_pattern", slides)
	sliding := c.SlidingTheta
	if sliding == 0 {
		sliding = c.RopeTheta
	}
	add("rope.freq_base_swa", float32(sliding))
}
