package objective

import (
	"fmt"
	"slices"

	"olmo/numeric"
)

// PreferenceLoss is how the log-probabilities of a chosen and of a rejected answer make a loss.
type PreferenceLoss string

// The losses of pairs, with m the margin: the log-probability of the chosen answer, less that of the
// rejected one, each less the reference's where there is one. Log-probabilities are sums over an
// answer's tokens in dpo and wpo, means over them in the others.
const (
	DPO     PreferenceLoss = "dpo"      // −log σ(β·m): Rafailov et al. 2023
	DPONorm PreferenceLoss = "dpo_norm" // the same of means: Lambert et al. 2024 (Tülu 3)
	SimPO   PreferenceLoss = "simpo"    // −log σ(β·(m − γ/β)), without a reference: Meng et al. 2024
	WPO     PreferenceLoss = "wpo"      // dpo's, times the pair's probability by token, a constant: Zhou et al. 2024
	IPO     PreferenceLoss = "ipo"      // (m − 1/(2β))²: Azar et al. 2023, of means as in TRL
)

// Reward is a reward model's: −log σ(β·m), with m the reward of the chosen conversation less that of the
// rejected one and less the pair's margin (Bradley and Terry 1952; the margin of Touvron et al. 2023). It is
// none of PreferenceLosses, since its scores are no log-probabilities.
const Reward PreferenceLoss = "reward"

// PreferenceLosses are all of them.
var PreferenceLosses = []PreferenceLoss{DPO, DPONorm, SimPO, WPO, IPO}

// Mean tells whether log-probabilities are means over an answer's tokens, not sums.
func (l PreferenceLoss) Mean() bool { return l == DPONorm || l == SimPO || l == IPO }

// HasReference tells whether a loss compares with a reference.
func (l PreferenceLoss) HasReference() bool { return l != SimPO && l != Reward }

// Preference is an objective of pairs.
type Preference struct {
	Loss           PreferenceLoss
	Beta           float64
	LabelSmoothing float64 // of dpo, dpo_norm, wpo and simpo: the share of pairs that are taken to be the wrong way round
	GammaBetaRatio float64 // of simpo
}

// DefaultPreference is that of open-instruct e6c3044 (dpo_utils.py, DPOConfig).
var DefaultPreference = Preference{Loss: DPONorm, Beta: 5, GammaBetaRatio: 0.3}

// Check says what is wrong with an objective.
func (p *Preference) Check() error {
	switch {
	case !slices.Contains(PreferenceLosses, p.Loss):
		return fmt.Errorf("loss_type is %q, want one of %v", p.Loss, PreferenceLosses)
	case !(p.Beta > 0):
		return fmt.Errorf("beta is %v, it must be above 0", p.Beta)
	case !(p.LabelSmoothing >= 0 && p.LabelSmoothing <= 0.5):
		return fmt.Errorf("label_smoothing is %v, it must be from 0 to 0.5", p.LabelSmoothing)
	case p.LabelSmoothing > 0 && p.Loss == IPO:
		return fmt.Errorf("label_smoothing does not go with loss_type ipo")
	case !(p.GammaBetaRatio >= 0):
		return fmt.Errorf("gamma_beta_ratio is %v, it must be 0 or more", p.GammaBetaRatio)
	}
	return nil
}

// Answer is an answer's log-probability in nats: the sum over its tokens by the model that learns and by
// the reference.
type Answer struct {
	Sum, Reference float64
	Tokens         int
}

// score is the log-probability as a loss takes it; of no tokens it is 0.
func (l PreferenceLoss) score(sum float64, tokens int) float64 {
	if l.Mean() {
		return sum / float64(max(tokens, 1))
	}
	return sum
}

// Pair is what an objective makes of a pair.
type Pair struct {
	Loss                           float64
	Chosen, Rejected               float64 // log-probabilities, as the loss takes them
	ChosenReward, RejectedReward   float64 // beta times them, less the reference's
	SlopeOfChosen, SlopeOfRejected float64 // derivatives of Loss by each token's log-probability
}

// Pair computes the loss of a pair and its derivatives.
func (p *Preference) Pair(chosen, rejected Answer) Pair {
	out := Pair{Chosen: p.Loss.score(chosen.Sum, chosen.Tokens), Rejected: p.Loss.score(rejected.Sum, rejected.Tokens)}
	c, r := out.Chosen, out.Rejected
	if p.Loss.HasReference() {
		c -= p.Loss.score(chosen.Reference, chosen.Tokens)
		r -= p.Loss.score(rejected.Reference, rejected.Tokens)
	}
	out.ChosenReward, out.RejectedReward = p.Beta*c, p.Beta*r
	m := c - r
	if p.Loss == SimPO {
		m -= p.GammaBetaRatio
	}
	var slope float64 // of the loss by m
	if p.Loss == IPO {
		d := m - 1/(2*p.Beta)
		out.Loss, slope = d*d, 2*d
	} else {
		x, s := p.Beta*m, p.LabelSmoothing
		out.Loss = float64((1-s)*softplus(-x)) + float64(s*softplus(x))
		slope = p.Beta * (float64(s*sigmoid(x)) - float64((1-s)*sigmoid(-x)))
	}
	if p.Loss == WPO {
		mean := func(a Answer) float64 { return a.Sum / float64(max(a.Tokens, 1)) }
		w := min(1, numeric.Exp(mean(chosen)+mean(rejected)))
		out.Loss, slope = w*out.Loss, w*slope
	}
	out.SlopeOfChosen, out.SlopeOfRejected = slope, -slope
	if p.Loss.Mean() {
		out.SlopeOfChosen /= float64(max(chosen.Tokens, 1))
		out.SlopeOfRejected /= float64(max(rejected.Tokens, 1))
	}
	return out
}

// softplus is log(1 + exp(x)), which is −log σ(−x).
func softplus(x float64) float64 {
	if x < 0 {
		return log1p(numeric.Exp(x))
	}
	return x + log1p(numeric.Exp(-x))
}

// log1p is log(1 + x) of an x from 0 to 1, within a few units in the last place: what the sum loses of
// x is put back (Kahan's).
func log1p(x float64) float64 {
	u := 1 + x
	if u == 1 {
		return x
	}
	return numeric.Log(u) * (x / (u - 1))
}

// sigmoid is 1/(1 + exp(−x)).
func sigmoid(x float64) float64 {
	if x < 0 {
		e := numeric.Exp(x)
		return e / (1 + e)
	}
	return 1 / (1 + numeric.Exp(-x))
}
