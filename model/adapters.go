package model

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"olmo/graph"
	"olmo/internal/parallel"
	"olmo/numeric"
)

// Adapters are additions of low rank to matrices of the blocks: y = W·x + B·(A·x)·Scale(). In
// training they alone have gradients.
//
// Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models"; Kalajdzievski 2023, "A Rank
// Stabilization Scaling Factor for Fine-Tuning with LoRA".
type Adapters struct {
	Rank    int
	Alpha   float64
	RSLoRA  bool    // the scale falls with the root of the rank, not with the rank
	Dropout float64 // of what A reads, in training
	// Targets are the modules that have one, by Transformers' names: q_proj, self_attn.q_proj or a
	// whole path, as PEFT's target_modules has them.
	Targets []string
}

// The ends of the names of an adapter's two matrices, after the module's; they are PEFT's, without
// its base_model.model.
const (
	AdapterA = ".lora_A.weight" // (Rank, inputs)
	AdapterB = ".lora_B.weight" // (outputs, Rank)
)

// Scale is α/Rank, with rsLoRA α/√Rank: computed in float64, as PEFT does, and rounded once.
func (a *Adapters) Scale() float32 {
	if a.RSLoRA {
		return float32(a.Alpha / math.Sqrt(float64(a.Rank)))
	}
	return float32(a.Alpha / float64(a.Rank))
}

// AdapterParams returns the matrices A and B of the adapters, in the order of the forward pass. They
// are not among Params.
func (c *Config) AdapterParams() []Param {
	var all []Param
	for _, m := range c.adapted() {
		all = append(all, m.A, m.B)
	}
	return all
}

// Trained returns the parameters that training changes: those of the adapters, or without any all.
func (c *Config) Trained() []Param {
	if c.Adapters != nil {
		return c.AdapterParams()
	}
	return c.Params()
}

// adapted lists the adapters, in the order of the forward pass.
func (c *Config) adapted() []adapted {
	b := newBuilder(c, graph.New(), Options{Positions: 1})
	b.logits()
	return b.adapted
}

// Weights returns the values that a new adapter's matrix begins with: A uniform in ±1/√inputs, a
// function of the seed, the name and the element; B zero, so that the model is what it was.
//
// PEFT's reset_lora_parameters, which draws other numbers.
func (a *Adapters) Weights(p Param, seed uint64) []float32 {
	w := make([]float32, p.Size())
	if strings.HasSuffix(p.Name, AdapterB) {
		return w
	}
	s, bound := numeric.NewStream(seed, p.Name), 1/math.Sqrt(float64(p.Shape[1]))
	for i := range w {
		w[i] = float32(bound * (2*s.Uniform(uint64(i), 0) - 1))
	}
	return w
}

// check reports adapters that the model cannot have.
func (a *Adapters) check(c *Config) error {
	switch {
	case a.Rank <= 0 || a.Rank > 1<<20:
		return fmt.Errorf("adapters of rank %d are not possible", a.Rank)
	case !(a.Dropout >= 0 && a.Dropout < 1):
		return fmt.Errorf("dropout %v of adapters must be at least 0 and less than 1", a.Dropout)
	case math.IsInf(float64(a.Scale()), 0) || a.Alpha != a.Alpha:
		return fmt.Errorf("the alpha of adapters is %v, not a number that a scale can be made of", a.Alpha)
	case len(a.Targets) == 0:
		return fmt.Errorf("adapters name no module\nhint: %s", c.adaptable())
	}
	modules := c.adaptableModules()
	for _, t := range a.Targets {
		if !slices.ContainsFunc(modules, func(m string) bool { return targets(t, m) }) {
			return fmt.Errorf("adapters on %s: %s\nhint: %s", t, c.notAdaptable(t), c.adaptable())
		}
	}
	return nil
}

// targets tells whether a target names a module.
func targets(target, module string) bool {
	return module == target || strings.HasSuffix(module, "."+target)
}

// notAdaptable says why no module of a name has adapters.
func (c *Config) notAdaptable(target string) string {
	leaf := target[strings.LastIndexByte(target, '.')+1:]
	expert := func(n expertNames) bool { return leaf == n.up || leaf == n.gate || leaf == n.down }
	switch {
	case c.Family == "mixtral" && expert(mixtralExperts), c.Family == "olmoe" && expert(olmoeExperts):
		return "the matrices of experts have none"
	case leaf == "query_key_value" && (c.Family == "gptneox" || c.Family == "bloom"):
		return fmt.Sprintf("%s has query, key and value of each head side by side in this matrix, which has none", c.Family)
	}
	return fmt.Sprintf("%s has no such matrix", c.Family)
}

// adaptable names the modules that can have adapters, for hints.
func (c *Config) adaptable() string {
	var leaves []string
	for _, m := range c.adaptableModules() {
		if leaf := m[strings.LastIndexByte(m, '.')+1:]; !slices.Contains(leaves, leaf) {
			leaves = append(leaves, leaf)
		}
	}
	return "those of this model are " + strings.Join(leaves, ", ")
}

// adaptableModules are the modules that can have adapters, in the order of the forward pass.
func (c *Config) adaptableModules() []string {
	b := newBuilder(c, graph.New(), Options{Positions: 1})
	b.logits()
	return b.modules
}

// AdapterName is the name on a device of a matrix of Options.Adapters[number−1].
func AdapterName(number int, name string) string { return fmt.Sprintf("adapters.%d.%s", number, name) }

// on tells whether a module has a matrix of the adapters.
func (a *Adapters) on(module string) bool {
	return a != nil && slices.ContainsFunc(a.Targets, func(t string) bool { return targets(t, module) })
}

// adapts tells whether a module has an adapter, and remembers that it can have one.
func (b *builder) adapts(module string) bool {
	b.modules = append(b.modules, module)
	return b.Adapters.on(module) || slices.ContainsFunc(b.opt.Adapters, func(a *Adapters) bool { return a.on(module) })
}

// adapt adds the adapter of a module, if it has one, to its output y from x. The module's matrix are
// the rows of a parameter, weight, from row on.
func (b *builder) adapt(y, x graph.Value, layer int, module, weight string, row int) graph.Value {
	if !b.adapts(module) {
		return y
	}
	inputs, outputs := b.g.Info(x).Cols(), b.g.Info(y).Cols()
	if a := b.Adapters; a.on(module) {
		param := func(end string, rows, cols int) (Param, graph.Value) {
			p := Param{Name: module + end, Shape: []int{rows, cols}, Role: Adapter, Layer: layer, Blocks: 1}
			return p, b.g.Param(p.Name, p.Shape...)
		}
		p, A := param(AdapterA, a.Rank, inputs)
		q, B := param(AdapterB, outputs, a.Rank)
		b.adapted = append(b.adapted, adapted{p, q, weight, row})
		y = b.g.LowRank(y, b.drop(x, a.Dropout), A, B, a.Scale())
	}
	var chosen graph.SegmentLowRankAttr
	var matrices []graph.Value
	for i, a := range b.opt.Adapters {
		if a.on(module) {
			chosen.Adapters, chosen.Scales = append(chosen.Adapters, i+1), append(chosen.Scales, a.Scale())
			matrices = append(matrices, b.g.Param(AdapterName(i+1, module+AdapterA), a.Rank, inputs), b.g.Param(AdapterName(i+1, module+AdapterB), outputs, a.Rank))
		}
	}
	if len(matrices) > 0 {
		y = b.g.SegmentLowRank(y, x, chosen, matrices...)
	}
	return y
}

// adaptParts is adapt of modules whose outputs lie side by side in y, so wide each; their matrices are
// weight, one after the other.
func (b *builder) adaptParts(y, x graph.Value, layer int, weight string, cols []int, modules ...string) []graph.Value {
	var parts []graph.Value
	row := 0
	for i, part := range b.g.Split(y, cols...) {
		parts = append(parts, b.adapt(part, x, layer, modules[i], weight, row))
		row += cols[i]
	}
	return parts
}

// adapted says which rows of a parameter the adapter of a module is added to: those from row on, as
// many as B has.
type adapted struct {
	A, B   Param
	weight string
	row    int
}

// merge adds an adapter to its rows of w, the whole parameter: W + (B·A)·scale. The sum over the rank
// is float32, from 0, ascending, every product and every addition rounded.
func (m *adapted) merge(w, A, B []float32, scale float32) {
	rank, cols := m.A.Shape[0], m.A.Shape[1]
	parallel.For(m.B.Shape[0], func(i int) {
		sum := make([]float32, cols)
		for k := range rank {
			b, a := B[i*rank+k], A[k*cols:(k+1)*cols]
			for j := range sum {
				sum[j] += float32(b * a[j])
			}
		}
		w := w[(m.row+i)*cols:]
		for j, s := range sum {
			w[j] += float32(s * scale)
		}
	})
}
