// Package model writes transformers into graphs: one file for each family, with its
// layers, its configuration and the names of its tensors in each layout.
//
// A model never knows where it runs.
package model

import (
	"fmt"
	"math"

	"olmo/graph"
	"olmo/internal/kernel"
)

// Config is a transformer, whatever file described it. Sizes carry their letters:
// C width, H heads, D head size, F width of the MLP, V vocabulary, T positions.
type Config struct {
	Family string // olmo2, …: the file that builds it

	Layers, C, H, KV, D, F int
	VocabSize              int // ids of the tokenizer
	V                      int // rows of the embedding, padding included
	T                      int // positions the model was made for
	Tied                   bool

	NormEps   float32
	RopeTheta float64

	EOS, PAD int32
}

// Role says what a parameter is for: initialisation, weight decay and the
// optimiser depend on it.
type Role int

const (
	Embedding    Role = iota
	Head              // the untied output matrix
	Projection        // a matrix that reads the residual stream
	AttentionOut      // a matrix that writes to it, after attention
	MLPOut            // and after the MLP
	Norm
	Bias
)

// Param describes a parameter.
type Param struct {
	Name  string
	Shape []int
	Role  Role
	Layer int // from 0; −1 outside the blocks
	// Blocks is the number of equal blocks of rows that are matrices of their own,
	// fused into one product (query, key and value; up and gate).
	Blocks int
}

// Size returns the number of elements.
func (p Param) Size() int {
	n := 1
	for _, d := range p.Shape {
		n *= d
	}
	return n
}

// Options say what to build besides the plain forward pass.
type Options struct {
	// Slots and Positions are the size of key and value caches; 0 without.
	Slots, Positions int
	// Taps keeps the hidden states readable as hidden.0 … hidden.L, counted as Hugging
	// Face does: the embeddings, after each block, the last one after the final norm.
	Taps bool
}

// Params returns the parameters, in the order of the forward pass.
func (c *Config) Params() []Param {
	b := newBuilder(c, graph.New(), Options{})
	b.logits()
	return b.params
}

// NumParams counts the parameters, and those outside the input embedding.
func (c *Config) NumParams() (all, withoutEmbedding int) {
	for _, p := range c.Params() {
		all += p.Size()
		if p.Role != Embedding {
			withoutEmbedding += p.Size()
		}
	}
	return all, withoutEmbedding
}

// Loss writes the model and its loss, with gradients, into g. It keeps "ce" and
// "lse", one number for each token.
func (c *Config) Loss(g *graph.Graph, zmul float32, backward bool) {
	b := newBuilder(c, g, Options{})
	x := b.hidden()
	ce, lse := g.HeadLoss(x, b.head(), zmul)
	g.Keep(ce, "ce")
	g.Keep(lse, "lse")
	if backward {
		g.Backward()
	}
}

// Logits writes the model into g. It keeps "logits", one row for each selected
// token.
func (c *Config) Logits(g *graph.Graph, o Options) {
	b := newBuilder(c, g, o)
	g.Keep(b.logits(), "logits")
}

// Validate reports sizes that do not go together.
func (c *Config) Validate() error {
	switch {
	case c.Layers <= 0 || c.C <= 0 || c.H <= 0 || c.KV <= 0 || c.D <= 0 || c.F <= 0 || c.V <= 0 || c.T <= 0:
		return fmt.Errorf("every size of a model must be positive: layers %d, width %d, heads %d, key heads %d, head size %d, MLP %d, vocabulary %d, positions %d",
			c.Layers, c.C, c.H, c.KV, c.D, c.F, c.V, c.T)
	case c.H%c.KV != 0:
		return fmt.Errorf("%d heads cannot share %d key heads evenly\nhint: n_heads must be a multiple of n_kv_heads", c.H, c.KV)
	case c.D%2 != 0:
		return fmt.Errorf("heads of size %d cannot be rotated: the size must be even", c.D)
	case c.VocabSize > c.V:
		return fmt.Errorf("vocabulary of %d is larger than the embedding, %d rows\nhint: set embedding_size to %d", c.VocabSize, c.V, (c.VocabSize+127)/128*128)
	}
	return nil
}

// builder writes one model into one graph.
type builder struct {
	*Config
	g      *graph.Graph
	opt    Options
	params []Param
	byName map[string]bool
}

func newBuilder(c *Config, g *graph.Graph, o Options) *builder {
	return &builder{Config: c, g: g, opt: o, byName: map[string]bool{}}
}

func (b *builder) param(p Param) graph.Value {
	if !b.byName[p.Name] {
		b.byName[p.Name] = true
		if p.Blocks == 0 {
			p.Blocks = 1
		}
		b.params = append(b.params, p)
	}
	return b.g.Param(p.Name, p.Shape...)
}

// hidden writes everything up to the final norm.
func (b *builder) hidden() graph.Value {
	x := b.embed()
	b.tap(x, 0)
	for l := range b.Layers {
		x = families[b.Family].block(b, l, x)
		if l < b.Layers-1 {
			b.tap(x, l+1)
		}
	}
	x = b.g.RMSNorm(x, b.param(Param{Name: "transformer.ln_f.weight", Shape: []int{b.C}, Role: Norm, Layer: -1}), b.NormEps)
	b.tap(x, b.Layers)
	return x
}

func (b *builder) tap(x graph.Value, i int) {
	if b.opt.Taps {
		b.g.Keep(x, fmt.Sprintf("hidden.%d", i))
	}
}

func (b *builder) table() graph.Value {
	return b.param(Param{Name: "transformer.wte.weight", Shape: []int{b.V, b.C}, Role: Embedding, Layer: -1})
}

func (b *builder) embed() graph.Value { return b.g.Gather(b.table()) }

func (b *builder) head() graph.Value {
	if b.Tied {
		return b.table()
	}
	return b.param(Param{Name: "transformer.ff_out.weight", Shape: []int{b.V, b.C}, Role: Head, Layer: -1})
}

func (b *builder) logits() graph.Value {
	return b.g.Linear(b.g.Select(b.hidden()), b.head())
}

// rotary rotates the heads of x.
func (b *builder) rotary(x graph.Value) graph.Value {
	n := max(b.T, b.opt.Positions)
	h := b.D / 2
	if _, ok := b.g.Lookup("rotary.cos"); !ok {
		cos, sin := make([]float32, n*h), make([]float32, n*h)
		for i := range h {
			f := kernel.Pow(b.RopeTheta, -float64(2*i)/float64(b.D))
			for p := range n {
				s, c := kernel.SinCos(float64(p) * f)
				cos[p*h+i], sin[p*h+i] = float32(c), float32(s)
			}
		}
		b.g.Const("rotary.cos", cos, n, h)
		b.g.Const("rotary.sin", sin, n, h)
	}
	cos, _ := b.g.Lookup("rotary.cos")
	sin, _ := b.g.Lookup("rotary.sin")
	return b.g.Rotary(x, cos, sin, b.D)
}

// attention attends with heads that are already rotated.
func (b *builder) attention(l int, q, k, v graph.Value) graph.Value {
	a := graph.AttentionAttr{H: b.H, KV: b.KV, D: b.D, Scale: float32(1 / math.Sqrt(float64(b.D)))}
	if b.opt.Slots == 0 {
		return b.g.Attention(q, k, v, a)
	}
	rows := b.opt.Slots * b.opt.Positions
	return b.g.CachedAttention(q, k, v,
		b.g.State(fmt.Sprintf("cache.%d.k", l), rows, b.KV*b.D), b.g.State(fmt.Sprintf("cache.%d.v", l), rows, b.KV*b.D), a, b.opt.Positions)
}

// family is what one file of this package defines.
type family struct {
	block func(b *builder, l int, x graph.Value) graph.Value
}

var families = map[string]family{
	"olmo2": {block: olmo2Block},
}
