// Package objective computes what DPO and GRPO minimise, and its gradient, from log-probabilities: the
// numbers that training uses, in float64, without a model.
package objective

import (
	"fmt"
	"slices"

	"olmo/numeric"
)

// Loss is how an advantage and a ratio of probabilities make a loss.
type Loss string

// The losses, with ratio r = exp(new − old) and advantage A.
const (
	DAPO  Loss = "dapo"  // max(−A·r, −A·clip(r, 1 − lower, 1 + higher)): Yu et al. 2025, eq. 8
	CISPO Loss = "cispo" // −A·min(r, 1 + higher)·new, r a constant: MiniMax 2025, eq. 4
)

// Losses are all of them.
var Losses = []Loss{DAPO, CISPO}

// Config is an objective.
type Config struct {
	Loss       Loss
	ClipLower  float64 // how far below 1 the ratio counts
	ClipHigher float64 // how far above 1
	Beta       float64 // weight of the divergence from the reference
	// KL is the estimator of the divergence, of d = new − reference within ±40: 0 is d, 1 is d²/2,
	// 2 is exp(−d) − 1 + d, 3 is r·d (Schulman 2020, "Approximating KL divergence").
	KL int
}

// DefaultConfig is that of open-instruct e6c3044 (grpo_utils.py, GRPOExperimentConfig).
var DefaultConfig = Config{Loss: DAPO, ClipLower: 0.2, ClipHigher: 0.272, Beta: 0.05, KL: 2}

// Check says what is wrong with an objective.
func (c *Config) Check() error {
	switch {
	case !slices.Contains(Losses, c.Loss):
		return fmt.Errorf("loss_fn is %q, want one of %v", c.Loss, Losses)
	case !(c.ClipLower >= 0 && c.ClipLower <= 1):
		return fmt.Errorf("clip_lower is %v, want 0 to 1", c.ClipLower)
	case !(c.ClipHigher >= 0):
		return fmt.Errorf("clip_higher is %v, want 0 or more", c.ClipHigher)
	case !(c.Beta >= 0):
		return fmt.Errorf("beta is %v, want 0 or more", c.Beta)
	case c.KL < 0 || c.KL > 3:
		return fmt.Errorf("kl_estimator is %d, want 0, 1, 2 or 3", c.KL)
	}
	return nil
}

// Token is a token of a response: the logarithms of its probability by the model that learns, by
// that which sampled it, and by the reference, in nats.
type Token struct {
	New, Old, Reference float64
	Advantage           float64
}

// Term is what a token adds to the objective.
type Term struct {
	Policy  float64
	Clipped bool // Policy is that of a clipped ratio
	KL      float64
	Ratio   float64
	Grad    float64 // of Policy + Beta·KL, by New
}

// maxLogRatio bounds the d of the divergence. Beyond it d is a constant, without a gradient.
const maxLogRatio = 40

// Term is a token's. Where Beta is 0 the reference has no part in its gradient.
//
// open-instruct e6c3044, grpo_utils.py, compute_grpo_loss; model_utils.py, estimate_kl.
func (c *Config) Term(t Token) Term {
	r := numeric.Exp(t.New - t.Old)
	out := Term{Ratio: r}
	switch c.Loss {
	case CISPO:
		weight := float64(-t.Advantage * min(r, 1+c.ClipHigher))
		out.Policy, out.Grad = float64(weight*t.New), weight
		out.Clipped = r > 1+c.ClipHigher
	default:
		within := max(1-c.ClipLower, min(r, 1+c.ClipHigher))
		free, clipped := float64(-t.Advantage*r), float64(-t.Advantage*within)
		out.Policy, out.Grad = free, free // the ratio is its own derivative
		if out.Clipped = clipped > free; out.Clipped {
			out.Policy, out.Grad = clipped, 0
		}
	}
	raw := t.New - t.Reference
	d, slope := max(-maxLogRatio, min(raw, maxLogRatio)), 1.0
	if d != raw {
		slope = 0
	}
	var grad float64
	switch c.KL {
	case 0:
		out.KL, grad = d, slope
	case 1:
		out.KL, grad = float64(d*d)/2, d*slope
	case 2:
		e := numeric.Expm1(-d)
		out.KL, grad = e+d, -e*slope
	default:
		out.KL = float64(r * d)
		grad = out.KL + float64(r*slope)
	}
	if c.Beta != 0 {
		out.Grad += float64(c.Beta * grad)
	}
	return out
}

// Of is the objective's value for a token.
func (c *Config) Of(t Term) float64 {
	if c.Beta == 0 {
		return t.Policy
	}
	return t.Policy + float64(c.Beta*t.KL)
}
