package model

// FLOPs are floating point operations for one token of a sequence: a multiplication
// and an addition are two.
type FLOPs struct {
	// Forward and Backward are the ai2-olmo package's count (olmo/model.py,
	// num_fwd_flops and num_bck_flops): the whole sequence's keys for every query, the
	// embedding in the backward pass.
	Forward, Backward float64
	// Core is OLMo-core's count of both passes: no embedding, windows heeded, and the
	// keys after a query counted too.
	Core float64
}

// FLOPs counts for sequences of T tokens. Of a mixture only the experts that a token
// goes through count. With adapters, which neither package counts, the weights under them have no
// gradients: of their two products of the backward pass one is left.
func (c *Config) FLOPs(T int) FLOPs {
	all, rest := c.activeParams()
	var keys float64
	for l := range c.Layers {
		n := T
		if w := c.window(l); w > 0 {
			n = min(n, w)
		}
		keys += float64(n)
	}
	width := float64(c.H * c.D)
	attention := float64(c.Layers) * width * float64(T)
	if c.Adapters != nil {
		var adapter float64
		for _, p := range c.AdapterParams() {
			adapter += float64(p.Size())
		}
		return FLOPs{
			Forward:  2*(float64(rest)+adapter) + 4*attention,
			Backward: 2*float64(rest) + 4*adapter + 8*attention,
			Core:     4*float64(rest) + 6*adapter + 12*width*keys,
		}
	}
	return FLOPs{
		Forward:  2*float64(rest) + 4*attention,
		Backward: 4*float64(all) + 8*attention,
		Core:     6*float64(rest) + 12*width*keys,
	}
}

// activeParams counts the parameters that a token meets, and those of them outside the
// input embeddings.
func (c *Config) activeParams() (all, withoutEmbedding int) {
	all, withoutEmbedding = c.NumParams()
	if c.Experts > 0 {
		idle := c.Layers * (c.Experts - c.TopK) * 3 * c.F * c.C
		all, withoutEmbedding = all-idle, withoutEmbedding-idle
	}
	return all, withoutEmbedding
}

// ActiveParams counts the parameters that one token meets; fewer than NumParams only
// for a mixture of experts.
func (c *Config) ActiveParams() int {
	all, _ := c.activeParams()
	return all
}

// RunBytes is what weights take in float32, and the keys and values of a whole
// context.
func (c *Config) RunBytes() (weights, cache int64) {
	all, _ := c.NumParams()
	return 4 * int64(all), 4 * 2 * int64(c.Layers) * int64(c.KV*c.D) * int64(c.T)
}

// TrainBytes is what weights, gradients and AdamW's two moments take in float32; the
// activations of a micro-batch come on top.
func (c *Config) TrainBytes() int64 {
	all, _ := c.NumParams()
	n := 16 * int64(all)
	if c.Tied {
		n += 4 * int64(c.V) * int64(c.C) // the second use of the table has a gradient of its own
	}
	return n
}
