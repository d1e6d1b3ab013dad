// Package model writes transformers into graphs: one file for each family, with its
// layers, its configuration and the names of its tensors in each layout.
//
// A model never knows where it runs.
package model

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"olmo/graph"
)

// Config is a transformer, whatever file described it. Sizes carry their letters:
// C width, H heads, D head size, F width of the MLP, V vocabulary, T positions.
type Config struct {
	Family string // the file that builds it: olmo, olmo2, llama, …

	Layers, C, H, KV, D, F int
	VocabSize              int // ids of the tokenizer
	V                      int // rows of the embedding, padding included
	T                      int // positions the model was made for
	Tied                   bool

	NormEps float32
	Norm    NormKind  // of the residual stream
	QKNorm  *NormKind // of whole projections of queries and keys; nil: none
	QKHeads bool      // QKNorm is of each head by itself, with the same weight for all

	Position  Position
	RopeTheta float64
	RopeDims  int      // elements of a head that are rotated; 0: all
	Scaling   *Scaling // of the rotation; nil: none
	// Windows says for each layer how many keys a query sees, itself included; 0: all.
	// Nil: every layer sees all.
	Windows []int
	// SlidingTheta and SlidingScaling rotate the layers with a window; a theta of 0
	// stands for RopeTheta.
	SlidingTheta   float64
	SlidingScaling *Scaling
	AlibiMax       float64 // of Alibi: the exponent of the last head's slope

	Clip       float64 // queries, keys and values are cut off at ±Clip; 0: they are not
	Scale      float64 // of attention scores; 0: 1/sqrt(D)
	ScoreCap   float64 // attention scores become ScoreCap·tanh(s/ScoreCap); 0: they stay
	LogitCap   float64 // and logits likewise
	Activation Activation

	AttentionBias, MLPBias, HeadBias bool
	QKVBias                          bool // of queries, keys and values, where AttentionBias is not
	EmbeddingNorm                    bool
	ScaleEmbedding                   bool // embeddings of ids are multiplied by sqrt(C)
	ScaleLogits                      bool // logits are divided by sqrt(C)
	Parallel                         bool // GPT-NeoX: attention and MLP read the same residual
	SplitQKV                         bool // ai2's llama block: q_proj, k_proj and v_proj

	Experts, TopK int  // of a mixture; 0: none
	NormTopK      bool // the chosen experts' weights are divided by their sum
	// BalanceWeight and RouterZWeight are the weights, over all layers, of the losses of
	// the routers in training.
	BalanceWeight, RouterZWeight float64
	// PooledBalance: in training the routers' balance is that of sequences together, which graph.Batch.Balance
	// brings; BalanceWeight and RouterZWeight are 0.
	PooledBalance bool `json:",omitempty"`

	// The probabilities of dropout in training: of attention weights, of what the sublayers
	// add to the residual, of embeddings. Only the blocks of the ai2-olmo package have it.
	AttentionDropout, ResidualDropout, EmbeddingDropout float64
	// NEFTune is the strength of the noise that training adds to the embeddings of ids; 0: none.
	NEFTune float64 `json:",omitempty"`

	EOS, PAD, BOS int32 // ids; negative: none

	// Reward: the model has a score (RewardHead) in place of logits. It is not Tied and has no
	// bias of the head; softcaps and scales of logits are none of the score's.
	Reward bool `json:",omitempty"`

	// Adapters are added to matrices of the blocks; nil: none. No file of the model has them.
	Adapters *Adapters `json:",omitempty"`
}

// NormKind is a kind of norm.
type NormKind struct {
	RMS          bool // root mean square, without the mean; else LayerNorm
	Weight, Bias bool
	OnePlus      bool // the weight is what is added to one
}

// Position says how a model knows the order of tokens.
type Position string

// Ways of knowing the order of tokens.
const (
	Rotary  Position = ""
	Alibi   Position = "alibi"
	Learned Position = "learned"
)

// Activation is the function between the two products of an MLP.
type Activation string

// Activations. SwiGLU and GeGLU are gated: silu(gate)·up, gelu_tanh(gate)·up.
const (
	SwiGLU   Activation = ""
	GeGLU    Activation = "geglu"
	GELU     Activation = "gelu"
	GELUTanh Activation = "gelu_tanh"
	ReLU     Activation = "relu"
)

// Role says what a parameter is for: initialisation, weight decay and the
// optimiser depend on it.
type Role int

// Roles of parameters.
const (
	Embedding    Role = iota // of ids or positions
	Head                     // the untied output matrix
	Projection               // a matrix that reads the residual stream
	AttentionOut             // a matrix that writes to it, after attention
	MLPOut                   // and after the MLP
	Norm
	Bias
	Adapter // A or B of an addition of low rank
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
	// OnePlus: the parameter is what is added to one (NormKind.OnePlus).
	OnePlus bool
}

// isPosition reports whether it is a table of positions.
func (p Param) isPosition() bool {
	return strings.HasSuffix(p.Name, ".wpe.weight") || strings.HasSuffix(p.Name, ".embed_positions.weight")
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
	// Pages is the number of pages, of Page positions each, in which layers keep keys and values, and Recent
	// that of layers with a window; 0: they keep none.
	Pages, Recent, Page int
	// Cache is the beginning of the pages' names on the device, "cache" when empty: graphs with pages of
	// different numbers or sizes need different ones.
	Cache string
	// Adapters are added to the rows of the segments that choose them (graph.Segment.Adapter, numbered from 1),
	// beside Config.Adapters, which all rows have. Their matrices have the names of AdapterName.
	Adapters []*Adapters
	// Positions, when not 0, is the longest sequence, in place of Config.T.
	Positions int
	// Taps keeps the hidden states readable as hidden.0 … hidden.L, counted as Hugging
	// Face does: the embeddings, after each block, the last one after the final norm.
	Taps bool
	// States keeps the hidden states after the final norm readable as hidden, a row for each token.
	States bool
}

// Params returns the parameters, in the order of the forward pass, without those of adapters.
func (c *Config) Params() []Param {
	b := newBuilder(c, graph.New(), Options{Positions: 1})
	if c.Reward {
		b.reward(b.hidden())
	} else {
		b.logits()
	}
	return b.params
}

// NumParams counts the parameters, and those outside the input embeddings.
func (c *Config) NumParams() (all, withoutEmbedding int) {
	for _, p := range c.Params() {
		all += p.Size()
		if p.Role != Embedding {
			withoutEmbedding += p.Size()
		}
	}
	return all, withoutEmbedding
}

// Loss writes the model and its loss into g. It keeps "ce" and "lse", one number for
// each token, and with weights of the routers' losses "balance.L" and "router_z.L" of
// each layer L; with PooledBalance LossAndGradients keeps these, too.
func (c *Config) Loss(g *graph.Graph, zmul float32) { c.loss(g, zmul, "", false) }

// LossAndGradients writes the model with its dropout and noise, its loss and its gradients into g, and
// keeps what Loss does.
func (c *Config) LossAndGradients(g *graph.Graph, zmul float32, r Recompute) {
	c.loss(g, zmul, r, true)
	g.Backward()
}

func (c *Config) loss(g *graph.Graph, zmul float32, r Recompute, training bool) {
	b := c.lossBuilder(g, r, training)
	x := b.scaled(b.hidden())
	w, bias := b.head()
	var ce, lse graph.Value
	switch {
	case bias != graph.None:
		ce, lse = g.BiasedHeadLoss(x, w, bias, zmul)
	case b.LogitCap > 0:
		ce, lse = g.CappedHeadLoss(x, w, float32(b.LogitCap), zmul)
	default:
		ce, lse = g.HeadLoss(x, w, zmul)
	}
	g.Keep(ce, "ce")
	g.Keep(lse, "lse")
}

func (c *Config) lossBuilder(g *graph.Graph, r Recompute, training bool) *builder {
	b := newBuilder(c, g, Options{})
	b.recompute, b.training = r, training
	b.routerLoss = c.Experts > 0 && (c.BalanceWeight > 0 || c.RouterZWeight > 0)
	b.pooled = training && c.PooledBalance
	return b
}

// Scores writes the model into g and keeps what Loss does, for losses of the caller's own: "ce"
// is minus the log-probability of each token's target, of the logits divided by a temperature.
func (c *Config) Scores(g *graph.Graph, temperature float32) { c.scores(g, temperature, "", false) }

// ScoresAndGradients writes the model with its dropout and noise, Scores and the gradients of a loss that
// is a function of the cross entropies into g: graph.Batch.Seed computes its derivatives.
func (c *Config) ScoresAndGradients(g *graph.Graph, temperature float32, r Recompute) {
	g.BackwardSeeded(c.scores(g, temperature, r, true))
}

func (c *Config) scores(g *graph.Graph, temperature float32, r Recompute, training bool) (ce graph.Value) {
	b := c.lossBuilder(g, r, training)
	x := b.scaled(b.hidden())
	w, bias := b.head()
	ce, lse := g.Head(x, w, bias, graph.HeadAttr{Cap: float32(b.LogitCap), Temperature: temperature})
	g.Keep(lse, "lse")
	return g.Keep(ce, "ce")
}

// Trace writes the model with its dropout and noise into g, up to the final norm, keeps the output of
// each module, and returns the modules' names.
func (c *Config) Trace(g *graph.Graph) []string {
	var names []string
	b := newBuilder(c, g, Options{})
	b.training, b.traces = true, &names
	b.hidden()
	return names
}

// Choices writes the model with its dropout and noise into g, up to the final norm, and keeps "router.L" of each layer
// L of a mixture: the weights of each token's experts, 0 for those that it does not go through.
func (c *Config) Choices(g *graph.Graph) {
	b := newBuilder(c, g, Options{})
	b.training, b.choices = true, true
	b.hidden()
}

// trace keeps x as a module's output.
func (b *builder) trace(x graph.Value, module string) graph.Value {
	if b.traces != nil {
		*b.traces = append(*b.traces, module)
		b.g.Keep(x, module)
	}
	return x
}

// Logits writes the model into g. It keeps "logits", one row for each selected
// token.
func (c *Config) Logits(g *graph.Graph, o Options) {
	b := newBuilder(c, g, o)
	g.Keep(b.logits(), "logits")
}

// maxParts bounds layers times experts: far above any model, and low enough that a
// config alone cannot fill the memory.
const maxParts = 1 << 17

// Validate reports sizes that do not go together.
func (c *Config) Validate() error {
	switch {
	case c.family() == nil:
		return fmt.Errorf("family %q is not known", c.Family)
	case c.Layers <= 0 || c.C <= 0 || c.H <= 0 || c.KV <= 0 || c.D <= 0 || c.F <= 0 || c.V <= 0 || c.T <= 0:
		return fmt.Errorf("every size of a model must be positive: layers %d, width %d, heads %d, key heads %d, head size %d, MLP %d, vocabulary %d, positions %d",
			c.Layers, c.C, c.H, c.KV, c.D, c.F, c.V, c.T)
	case max(c.Layers, c.C, c.H, c.KV, c.D, c.F, c.V, c.T, c.Experts) > 1<<30:
		return fmt.Errorf("a size is larger than %d: layers %d, width %d, heads %d, head size %d, MLP %d, vocabulary %d, positions %d, experts %d",
			1<<30, c.Layers, c.C, c.H, c.D, c.F, c.V, c.T, c.Experts)
	case c.Layers > maxParts/max(c.Experts, 1):
		return fmt.Errorf("%d layers of %d experts are more than this program takes (%d in all)", c.Layers, c.Experts, maxParts)
	case c.H%c.KV != 0:
		return fmt.Errorf("%d heads cannot share %d key heads evenly\nhint: n_heads must be a multiple of n_kv_heads", c.H, c.KV)
	case c.family().filled && (c.H*c.D != c.C || c.KV != c.H):
		return fmt.Errorf("%d heads of size %d, and %d key heads, are not possible at a width of %d in this family\nhint: the width must be a multiple of the number of heads", c.H, c.D, c.KV, c.C)
	case c.VocabSize > c.V:
		return fmt.Errorf("vocabulary of %d is larger than the embedding, %d rows\nhint: set embedding_size to %d", c.VocabSize, c.V, (c.VocabSize+127)/128*128)
	case c.NormEps < 0 || c.NormEps != c.NormEps:
		return fmt.Errorf("the norms' eps is %v, not a small positive number", c.NormEps)
	case c.Reward && (c.Tied || c.HeadBias):
		return errors.New("a reward model has neither a tied output matrix nor a bias of it")
	case c.LogitCap > 0 && c.HeadBias && !c.Tied:
		return errors.New("capped logits with a bias of the output matrix are not built")
	case !(c.Scale >= 0) || math.IsInf(c.Scale, 1):
		return fmt.Errorf("scores are scaled by %v, not by a positive number", c.Scale)
	case !(min(c.ScoreCap, c.LogitCap) >= 0):
		return fmt.Errorf("scores are capped at %v and logits at %v, not at positive numbers", c.ScoreCap, c.LogitCap)
	case c.ScaleLogits && c.HeadBias && !c.Tied:
		return fmt.Errorf("scaled logits with a bias of the output matrix are not built\nhint: unset scale_logits or include_bias, or tie the weights")
	case c.Windows != nil && len(c.Windows) != c.Layers:
		return fmt.Errorf("%d attention windows for %d layers", len(c.Windows), c.Layers)
	case !(min(c.AttentionDropout, c.ResidualDropout, c.EmbeddingDropout) >= 0 && max(c.AttentionDropout, c.ResidualDropout, c.EmbeddingDropout) < 1):
		return fmt.Errorf("dropout of attention %v, residual %v and embeddings %v must be at least 0 and less than 1", c.AttentionDropout, c.ResidualDropout, c.EmbeddingDropout)
	case !(c.NEFTune >= 0) || math.IsInf(c.NEFTune, 1):
		return fmt.Errorf("noise of strength %v on embeddings is not possible", c.NEFTune)
	case c.Experts < 0 || c.TopK < 0 || c.TopK > c.Experts || c.Experts > 0 && c.TopK == 0:
		return fmt.Errorf("%d of %d experts for a token is not possible", c.TopK, c.Experts)
	}
	if err := errors.Join(c.Scaling.check(), c.SlidingScaling.check()); err != nil {
		return err
	}
	if c.RopeDims < 0 {
		return fmt.Errorf("%d elements of a head cannot be rotated", c.RopeDims)
	}
	if c.Position == Rotary {
		if n := c.rotated(); n%2 != 0 || n <= 0 || n > c.D {
			return fmt.Errorf("%d elements of heads of size %d cannot be rotated: the number must be even", n, c.D)
		}
		if !(c.RopeTheta > 0) || math.IsInf(c.RopeTheta, 1) {
			return fmt.Errorf("rope_theta is %v, not a positive number", c.RopeTheta)
		}
		if err := errors.Join(c.Scaling.fits(c), c.SlidingScaling.fits(c)); err != nil {
			return err
		}
	}
	if c.Adapters != nil {
		return c.Adapters.check(c)
	}
	return nil
}

// builder writes one model into one graph.
type builder struct {
	*Config
	family *family
	g      *graph.Graph
	opt    Options
	params []Param
	byName map[string]bool

	routerLoss bool
	pooled     bool // the routers' balance is graph.Batch.Balance's
	choices    bool // the routers' weights are kept
	recompute  Recompute
	training   bool      // with dropout and noise
	traces     *[]string // modules whose outputs are kept, nil: none
	sites      int       // of dropout so far
	modules    []string  // that can have adapters, so far
	adapted    []adapted
}

func newBuilder(c *Config, g *graph.Graph, o Options) *builder {
	return &builder{Config: c, family: c.family(), g: g, opt: o, byName: map[string]bool{}}
}

func (b *builder) param(p Param) graph.Value {
	if !b.byName[p.Name] {
		b.byName[p.Name] = true
		if p.Blocks == 0 {
			p.Blocks = 1
		}
		b.params = append(b.params, p)
	}
	v := b.g.Param(p.Name, p.Shape...)
	if b.training && b.Adapters != nil {
		b.g.Freeze(v)
	}
	return v
}

// hidden writes everything up to the final norm.
func (b *builder) hidden() graph.Value {
	x := b.embed()
	b.tap(x, 0)
	for l := range b.Layers {
		begin := len(b.g.Ops)
		x = b.family.block(b, l, x)
		b.g.Recompute(begin, b.recompute.picks(l))
		if b.ai2Named() {
			b.trace(x, fmt.Sprintf("transformer.blocks.%d", l))
		}
		if l < b.Layers-1 {
			b.tap(x, l+1)
		}
	}
	x = b.norm(x, b.family.finalNorm, -1, b.Norm)
	b.tap(x, b.Layers)
	if b.opt.States {
		b.g.Keep(x, "hidden")
	}
	return x
}

func (b *builder) tap(x graph.Value, i int) {
	if b.opt.Taps {
		b.g.Keep(x, fmt.Sprintf("hidden.%d", i))
	}
}

func (b *builder) tableOfIDs() graph.Value {
	return b.param(Param{Name: b.family.table, Shape: []int{b.V, b.C}, Role: Embedding, Layer: -1})
}

func (b *builder) embed() graph.Value {
	x := b.trace(b.g.Gather(b.tableOfIDs()), strings.TrimSuffix(b.family.table, ".weight"))
	if b.ScaleEmbedding {
		x = b.g.Scale(x, float32(math.Sqrt(float64(b.C))))
	}
	if b.training && b.NEFTune > 0 {
		x = b.g.NEFTune(x, b.NEFTune)
	}
	if b.EmbeddingNorm {
		x = b.norm(x, b.family.embeddingNorm, -1, b.Norm)
	}
	if b.Position == Learned {
		table := b.param(Param{Name: b.family.positions, Shape: []int{b.family.ahead + b.T, b.C}, Role: Embedding, Layer: -1})
		x = b.g.Add(b.g.Position(table, graph.PositionAttr{Ahead: b.family.ahead}), x)
	}
	return b.drop(x, b.EmbeddingDropout)
}

// dropout describes the next place of dropout; 0 without.
func (b *builder) dropout(p float64) graph.DropoutAttr {
	if !b.training || p == 0 {
		return graph.DropoutAttr{}
	}
	b.sites++
	return graph.DropoutAttr{P: p, Site: b.sites}
}

func (b *builder) drop(x graph.Value, p float64) graph.Value {
	if a := b.dropout(p); a.P > 0 {
		return b.g.Dropout(x, a)
	}
	return x
}

// head returns the output matrix and what is added to the logits.
func (b *builder) head() (w, bias graph.Value) {
	if b.Reward {
		panic("model: logits of a reward model")
	}
	if b.Tied {
		return b.tableOfIDs(), graph.None
	}
	bias = graph.None
	w = b.param(Param{Name: b.family.head + ".weight", Shape: []int{b.V, b.C}, Role: Head, Layer: -1})
	if b.HeadBias {
		bias = b.param(Param{Name: b.family.head + ".bias", Shape: []int{b.V}, Role: Bias, Layer: -1})
	}
	return w, bias
}

// scaled divides what the head reads, and so the logits, by sqrt(C) where the model
// wants it. (A bias of the head would stay as it is: Validate refuses the two.)
func (b *builder) scaled(x graph.Value) graph.Value {
	if b.ScaleLogits {
		return b.g.Scale(x, float32(1/math.Sqrt(float64(b.C))))
	}
	return x
}

func (b *builder) logits() graph.Value {
	x := b.scaled(b.g.Select(b.hidden()))
	w, bias := b.head()
	y := b.g.Linear(x, w)
	if bias != graph.None {
		y = b.g.Bias(y, bias)
	}
	if b.LogitCap > 0 {
		y = b.g.Softcap(y, float32(b.LogitCap))
	}
	return y
}
