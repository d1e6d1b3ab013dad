package train

import (
	"math"
	"strconv"

	"olmo/data/tokens"
	"olmo/graph"
	"olmo/objective"
	"olmo/runlog"
)

// policy is the loss of a run with rollouts, of the answers of a mini-batch.
type policy struct {
	objective   objective.Config
	denominator float64 // 0: the number of the answers' tokens
	answers     []*Rollout
	tokens      int
	divisor     float64
	sum         policySums // of the mini-batch
	step        policySums // of all updates of the step so far
	updates     int
	meanLoss    float64
	first       ratios // of the step's first mini-batch
}

func newPolicy(r *RolloutConfig) *policy {
	p := &policy{objective: r.objective()}
	if r.Denominator != "token" {
		p.denominator, _ = strconv.ParseFloat(r.Denominator, 64) // checkRollouts has seen it
	}
	return p
}

// ratios are the least and the largest ratio of a token's probability to that with which it was drawn.
type ratios struct{ min, max float64 }

// noRatios are those of no tokens.
var noRatios = ratios{math.Inf(1), math.Inf(-1)}

func (r *ratios) add(o ratios) { r.min, r.max = min(r.min, o.min), max(r.max, o.max) }

// orOne are the ratios of an update that did not take place as 1.
func (r ratios) orOne() ratios {
	if r.min > r.max {
		return ratios{1, 1}
	}
	return r
}

// policySums are sums over tokens.
type policySums struct {
	tokens                    int
	loss, policy, kl, clipped float64
	ratio                     ratios
}

func (s *policySums) add(o *policySums) {
	s.tokens += o.tokens
	s.loss += o.loss
	s.policy += o.policy
	s.kl += o.kl
	s.clipped += o.clipped
	s.ratio.add(o.ratio)
}

// restart begins a step.
func (p *policy) restart() {
	p.step, p.updates, p.meanLoss, p.first = policySums{ratio: noRatios}, 0, 0, noRatios
}

// take makes an item of a mini-batch's answers, each with its prompt: a sequence, of which the answer trains.
func (p *policy) take(answers []*Rollout, epoch uint64) item {
	p.answers, p.tokens = answers, 0
	b := tokens.Batch{B: len(answers)}
	for _, r := range answers {
		p.tokens += len(r.IDs)
		n := len(r.Prompt.IDs) + len(r.IDs)
		b.T, b.Lens, b.Index = max(b.T, n), append(b.Lens, n), append(b.Index, uint32(r.Prompt.Row))
	}
	b.IDs, b.LabelMask = make([]int32, b.B*b.T), make([]bool, b.B*b.T)
	for i, r := range answers {
		row, n := i*b.T, len(r.Prompt.IDs)
		copy(b.IDs[row:], r.Prompt.IDs)
		copy(b.IDs[row+n:], r.IDs)
		for k := range r.IDs {
			b.LabelMask[row+n+k] = true
		}
	}
	return item{Batch: b, epoch: epoch}
}

func (p *policy) begin(*item) {
	p.sum = policySums{ratio: noRatios}
	p.divisor = p.denominator
	if p.divisor == 0 {
		p.divisor = float64(p.tokens)
	}
}

// seed takes the answers one after the other, so that the sums are the same in any micro-batches.
func (p *policy) seed(from, to int, _ *graph.Batch, ce, d []float32) {
	clear(d)
	row := 0
	for _, r := range p.answers[from:to] {
		first := row + len(r.Prompt.IDs) - 1 // whose target is the answer's first id
		for k, drawn := range r.Drawn {
			token := objective.Token{New: -float64(ce[first+k]), Old: drawn, Advantage: r.advantage}
			token.Reference = token.New
			if r.reference != nil {
				token.Reference = r.reference[k]
			}
			term := p.objective.Term(token)
			p.sum.tokens++
			p.sum.loss += p.objective.Of(term)
			p.sum.policy += term.Policy
			p.sum.kl += term.KL
			if term.Clipped {
				p.sum.clipped++
			}
			p.sum.ratio.add(ratios{term.Ratio, term.Ratio})
			// By the cross entropy, which is minus the log-probability.
			d[first+k] = float32(-term.Grad / p.divisor)
		}
		row += len(r.Prompt.IDs) + len(r.IDs)
	}
}

func (p *policy) loss() float64 {
	if p.updates == 0 {
		p.first = p.sum.ratio
	}
	p.updates++
	p.step.add(&p.sum)
	loss := p.sum.loss / p.divisor
	p.meanLoss += loss
	return loss
}

// fill adds the means over the tokens of all updates of a step, under open-instruct's names.
func (p *policy) fill(rec runlog.Record) {
	n := float64(max(p.step.tokens, 1))
	rec["loss/policy_avg"], rec["policy/clipfrac_avg"] = p.step.policy/n, p.step.clipped/n
	rec["loss/kl_avg"] = float64(p.objective.Beta*p.step.kl) / n
	first, all := p.first.orOne(), p.step.ratio.orOne()
	rec["val/ratio_min"], rec["val/ratio_max"] = first.min, first.max
	rec["val/ratio_min_all"], rec["val/ratio_max_all"] = all.min, all.max
}
