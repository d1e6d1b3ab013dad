package train

import (
	"math"
	"slices"
	"strings"

	"olmo/graph"
	"olmo/model"
	"olmo/numeric"
)

// optimizers are the names of optimizer.name.
var optimizers = []string{"adamw", "lionw", "skip_step_adamw", "muon", "normuon", "dion"}

// byMatrix tells whether the optimiser updates whole matrices, with AdamW for the rest.
func (o *OptimizerConfig) byMatrix() bool {
	return o.Name == "muon" || o.Name == "normuon" || o.Name == "dion"
}

// Group is a set of parameters that share a learning rate and a weight decay.
type Group struct {
	LearningRate float64 // the full rate, which the schedule scales
	WeightDecay  float64
	Params       []model.Param // in byte order of names
	Matrices     bool          // updated as matrices, by muon, normuon or dion
}

// Groups sorts parameters into groups. AdamW has OLMo's two (get_param_groups in
// olmo/optim.py, 0.6.0): weights of linear layers decay, and by the flags also norms
// and biases, and embeddings, a tied head among them; the rest does not. Muon's,
// NorMuon's and Dion's are the matrices in the blocks, then the embedding, the head and
// the rest, which AdamW trains.
func (o *OptimizerConfig) Groups(params []model.Param) []Group {
	var groups []Group
	if o.byMatrix() {
		or := func(p *float64, otherwise float64) float64 {
			if p != nil {
				return *p
			}
			return otherwise
		}
		rest := or(o.AdamWLearningRate, o.LearningRate)
		groups = []Group{
			{LearningRate: o.LearningRate, Matrices: true},
			{LearningRate: or(o.EmbeddingLearningRate, rest)},
			{},
			{LearningRate: rest},
		}
		for _, p := range params {
			if p.Role == model.Head && len(p.Shape) == 2 {
				head := rest
				if o.Name == "dion" {
					head /= math.Sqrt(float64(p.Shape[1]))
				}
				groups[2].LearningRate = or(o.HeadLearningRate, head)
			}
			g := &groups[3]
			switch {
			case isMatrix(p):
				g = &groups[0]
			case p.Role == model.Embedding:
				g = &groups[1]
			case p.Role == model.Head:
				g = &groups[2]
			}
			g.Params = append(g.Params, p)
		}
		for i, g := range groups {
			if len(g.Params) > 0 && o.decays(g.Params[0]) {
				groups[i].WeightDecay = o.WeightDecay
			}
		}
	} else {
		groups = []Group{{LearningRate: o.LearningRate, WeightDecay: o.WeightDecay}, {LearningRate: o.LearningRate}}
		for _, p := range params {
			i := 1
			if o.decays(p) {
				i = 0
			}
			groups[i].Params = append(groups[i].Params, p)
		}
	}
	groups = slices.DeleteFunc(groups, func(g Group) bool { return len(g.Params) == 0 })
	for _, g := range groups {
		slices.SortFunc(g.Params, func(a, b model.Param) int { return strings.Compare(a.Name, b.Name) })
	}
	return groups
}

func (o *OptimizerConfig) decays(p model.Param) bool {
	switch p.Role {
	case model.Norm, model.Bias:
		return o.DecayNormAndBias
	case model.Embedding:
		return o.DecayEmbeddings
	}
	return true
}

// isMatrix reports whether a parameter is a matrix inside a block.
func isMatrix(p model.Param) bool {
	return len(p.Shape) == 2 && p.Role != model.Embedding && p.Role != model.Head
}

// state is one value that the optimiser keeps for a parameter.
type state struct {
	name  string
	shape []int
}

func (s state) size() int {
	n := 1
	for _, d := range s.shape {
		n *= d
	}
	return n
}

// states are those of a parameter.
func (o *OptimizerConfig) states(g Group, p model.Param) []state {
	like := func(kind string) state { return state{kind + "/" + p.Name, p.Shape} }
	switch {
	case g.Matrices && o.Name == "normuon":
		return []state{like("momentum"), {"variance_neuron/" + p.Name, []int{p.Shape[0], 1}}}
	case g.Matrices && o.Name == "dion":
		return []state{like("momentum"), {"directions/" + p.Name, []int{p.Blocks * o.rank(p), min(p.Shape[0]/p.Blocks, p.Shape[1])}}}
	case g.Matrices:
		return []state{like("momentum")}
	case o.Name == "lionw":
		return []state{like("exp_avg")}
	}
	return []state{like("exp_avg"), like("exp_avg_sq")}
}

// rank is that of Dion's updates of each block of a parameter.
func (o *OptimizerConfig) rank(p model.Param) int {
	n, k := min(p.Shape[0]/p.Blocks, p.Shape[1]), max(o.RankMultipleOf, 1)
	r := int(math.Ceil(float64(o.RankFraction * float64(n))))
	return min((r+k-1)/k*k, n)
}

// beginOptimizer gives the directions of Dion their first values, which are normal. All else that an
// optimiser keeps begins with 0.
func (t *Trainer) beginOptimizer() error {
	if t.cfg.Optimizer.Name != "dion" {
		return nil
	}
	return t.eachState(func(s state, _ model.Param) error {
		if !strings.HasPrefix(s.name, "directions/") {
			return nil
		}
		random, v := numeric.NewStream(t.cfg.Seed, s.name), make([]float32, s.size())
		for i := range v {
			v[i] = float32(random.Normal(uint64(i), 0))
		}
		return t.dev.Write(s.name, v)
	})
}

// updateGraph writes one step of the optimiser, after which the gradients are zero.
// uses gives the gradients of each parameter.
func (o *OptimizerConfig) updateGraph(groups []Group, uses map[string]int) *graph.Graph {
	g := graph.New()
	for i, group := range groups {
		for _, p := range group.Params {
			param, grad := g.Param(p.Name, p.Shape...), g.GradNamed(graph.GradName(p.Name, 0), p.Shape...)
			var kept []graph.Value
			for _, s := range o.states(group, p) {
				kept = append(kept, g.State(s.name, s.shape...))
			}
			switch {
			case group.Matrices && o.Name == "dion":
				g.Dion(param, grad, kept[0], kept[1], graph.DionAttr{Group: i, WeightDecay: group.WeightDecay, Momentum: o.Momentum, Blocks: p.Blocks, Rank: o.rank(p)})
			case group.Matrices:
				a := graph.MuonAttr{
					Group: i, WeightDecay: group.WeightDecay, Momentum: o.Momentum, Blocks: p.Blocks,
					Heavy: !o.Nesterov, Adjust: graph.AdjustLR(o.AdjustLR), Cautious: o.CautiousWD,
				}
				averages := graph.None
				if o.Name == "normuon" {
					averages, a.Beta2 = kept[1], o.MuonBeta2
				}
				g.Muon(param, grad, kept[0], averages, a)
			case o.Name == "lionw":
				g.Lion(param, grad, kept[0], graph.LionAttr{Group: i, WeightDecay: group.WeightDecay, Beta1: o.Betas[0], Beta2: o.Betas[1], Selective: o.SelectiveUpdates})
			default:
				g.AdamW(param, grad, kept[0], kept[1], graph.AdamWAttr{
					Group: i, WeightDecay: group.WeightDecay, Beta1: o.Betas[0], Beta2: o.Betas[1], Eps: o.Eps, Selective: o.SelectiveUpdates,
				})
			}
		}
	}
	zero(g, groups, uses)
	return g
}

// zero clears all gradients.
func zero(g *graph.Graph, groups []Group, uses map[string]int) {
	for _, group := range groups {
		for _, p := range group.Params {
			for use := range uses[p.Name] {
				g.Zero(g.GradNamed(graph.GradName(p.Name, use), p.Shape...))
			}
		}
	}
}

// clipGraph scales each gradient by itself: number i of Update.Clips is that of
// parameter i.
func clipGraph(params []model.Param) *graph.Graph {
	g := graph.New()
	for i, p := range params {
		g.Clip(g.GradNamed(graph.GradName(p.Name, 0), p.Shape...), i)
	}
	return g
}

// sumGraph adds the gradients of parameters that are used more than once, the
// head's before the embedding's, and under amp_bf16_tile ends every sum. It is nil when there is
// nothing to do.
func sumGraph(params []model.Param, uses map[string]int, precision numeric.Precision) *graph.Graph {
	g := graph.New()
	grad := func(p model.Param, use int) graph.Value { return g.GradNamed(graph.GradName(p.Name, use), p.Shape...) }
	for _, p := range params {
		for use := 1; use < uses[p.Name]; use++ {
			g.Accumulate(grad(p, 0), grad(p, use))
		}
		if precision == numeric.AMPBF16Tile {
			g.Settle(grad(p, 0))
		}
	}
	if len(g.Ops) == 0 {
		return nil
	}
	return g
}

// history is what skip_step_adamw remembers of the last steps.
type history struct {
	Losses    []float64 `json:"losses"`
	GradNorms []float64 `json:"grad_norms"`
}

// skips adds a step and tells whether it is to be skipped: once half the interval has
// been seen, when loss or norm lies too far above the mean of the steps before it.
//
// SkipStepOptimizer of OLMo-core (src/olmo_core/optim/skip_step_optimizer.py, 2026-06).
func (h *history) skips(loss, norm float64, o *OptimizerConfig) bool {
	add := func(list []float64, v float64) []float64 {
		list = append(slices.Clone(list), v)
		return list[max(0, len(list)-o.RollingIntervalLength-1):]
	}
	h.Losses, h.GradNorms = add(h.Losses, loss), add(h.GradNorms, norm)
	if len(h.Losses) < max(2, o.RollingIntervalLength/2) {
		return false
	}
	return isOutlier(h.Losses, o.SigmaFactor) || isOutlier(h.GradNorms, o.SigmaFactor)
}

// isOutlier tells whether the last number is more than sigma standard deviations above
// the mean of those before it.
func isOutlier(list []float64, sigma float64) bool {
	before, last := list[:len(list)-1], list[len(list)-1]
	n := float64(len(before))
	if n < 2 {
		return false
	}
	var sum, squares float64
	for _, v := range before {
		sum += v
	}
	mean := sum / n
	for _, v := range before {
		d := v - mean
		squares += float64(d * d)
	}
	return last-mean > float64(sigma*math.Sqrt(squares/(n-1)))
}
