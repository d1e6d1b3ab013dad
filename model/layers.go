package model

import (
	"cmp"
	"fmt"
	"math"

	"olmo/graph"
)

// norm normalises x by the parameters name.weight and name.bias, where n has them.
func (b *builder) norm(x graph.Value, name string, layer int, n NormKind) graph.Value {
	return b.normOf(x, b.g.Info(x).Cols(), name, layer, n)
}

// normOf is norm of every cols columns by themselves, heads.
func (b *builder) normOf(x graph.Value, cols int, name string, layer int, n NormKind) graph.Value {
	w, bias := graph.None, graph.None
	if n.Weight {
		w = b.param(Param{Name: name + ".weight", Shape: []int{cols}, Role: Norm, Layer: layer, OnePlus: n.OnePlus})
	}
	if n.Bias {
		bias = b.param(Param{Name: name + ".bias", Shape: []int{cols}, Role: Bias, Layer: layer})
	}
	if !n.RMS {
		return b.trace(b.g.LayerNorm(x, w, bias, b.NormEps), name)
	}
	if w == graph.None {
		ones := make([]float32, cols)
		for i := range ones {
			ones[i] = 1
		}
		w = b.g.Const(fmt.Sprintf("ones.%d", cols), ones, cols)
	}
	if n.OnePlus {
		x = b.g.OnePlusRMSNorm(x, w, b.NormEps)
	} else {
		x = b.g.RMSNorm(x, w, b.NormEps)
	}
	if bias != graph.None {
		x = b.g.Bias(x, bias)
	}
	return b.trace(x, name)
}

// linear is a module of Transformers' name, which may have an adapter: plain with it.
func (b *builder) linear(x graph.Value, name string, p Param, bias bool) graph.Value {
	return b.linearAs(x, name, name, p, bias)
}

// linearAs is linear of a module that Transformers calls otherwise.
func (b *builder) linearAs(x graph.Value, name, module string, p Param, bias bool) graph.Value {
	return b.adapt(b.plain(x, name, p, bias), x, p.Layer, module, name+".weight", 0)
}

// plain multiplies x by p, which has no name yet: name.weight, and name.bias where
// there is one.
func (b *builder) plain(x graph.Value, name string, p Param, bias bool) graph.Value {
	p.Name = name + ".weight"
	x = b.g.Linear(x, b.param(p))
	if bias {
		x = b.g.Bias(x, b.param(Param{Name: name + ".bias", Shape: p.Shape[:1], Role: Bias, Layer: p.Layer, Blocks: p.Blocks}))
	}
	return b.trace(x, name)
}

// matrix describes a weight of a layer.
func matrix(layer int, role Role, rows, cols int) Param {
	return Param{Shape: []int{rows, cols}, Role: role, Layer: layer}
}

// activate applies the model's activation; the input of SwiGLU and GeGLU is up and gate side by
// side.
func (b *builder) activate(x graph.Value) graph.Value {
	switch b.Activation {
	case GELU:
		return b.g.Activate(graph.GELU, x)
	case GELUTanh:
		return b.g.Activate(graph.GELUTanh, x)
	case ReLU:
		return b.g.Activate(graph.ReLU, x)
	case GeGLU:
		return b.g.Gated(graph.GeGLU, x, graph.GatedAttr{})
	}
	return b.g.SwiGLU(x)
}

// clip cuts queries, keys and values off where the model wants it.
func (b *builder) clip(x graph.Value) graph.Value {
	if b.Clip == 0 {
		return x
	}
	return b.g.Clamp(x, float32(b.Clip))
}

// window returns how many keys the queries of a layer see; 0: all.
func (c *Config) window(l int) int {
	if c.Windows == nil {
		return 0
	}
	return c.Windows[l]
}

// attention rotates the heads of queries and keys and attends.
func (b *builder) attention(l int, q, k, v graph.Value) graph.Value {
	if b.Position == Rotary {
		cos, sin := b.rotation(b.window(l) > 0)
		q, k = b.g.Rotary(q, cos, sin, b.D), b.g.Rotary(k, cos, sin, b.D)
	}
	a := graph.AttentionAttr{H: b.H, KV: b.KV, D: b.D, Scale: float32(b.attentionScale()), Cap: float32(b.ScoreCap), Window: b.window(l), Dropout: b.dropout(b.AttentionDropout)}
	if b.Position == Alibi {
		slopes := alibiSlopes
		if b.family.slopes != nil {
			slopes = b.family.slopes
		}
		a.Slopes = slopes(b.H, b.AlibiMax)
	}
	pages := b.opt.Pages
	if a.Window > 0 {
		pages = b.opt.Recent
	}
	if pages == 0 {
		return b.g.Attention(q, k, v, a)
	}
	state := func(what string) graph.Value {
		return b.g.State(fmt.Sprintf("%s.%d.%s", cmp.Or(b.opt.Cache, "cache"), l, what), pages*b.opt.Page, b.KV*b.D)
	}
	return b.g.CachedAttention(q, k, v, state("k"), state("v"), a, b.opt.Page)
}

func (c *Config) attentionScale() float64 {
	if c.Scale > 0 {
		return c.Scale
	}
	return 1 / math.Sqrt(float64(c.D))
}
