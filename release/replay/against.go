package replay

import (
	"context"
	"fmt"
	"slices"

	"olmo/proof"
)

// Verdict is who is right where two records part.
type Verdict struct {
	Step  int    `json:"step"`  // the first at which they part
	What  string `json:"what"`  // tokens, loss, grad_norm, weights, optim, state, length: one has more steps
	This  bool   `json:"this"`  // the record that was named first is what the computation gives
	Other bool   `json:"other"` // and the other one
	// Divergence is the other record's, that of the first is the report's.
	Divergence *Divergence `json:"divergence"`
}

// Against finds where two records of one recipe part, computes the segment in which they do, and
// compares it with both.
func Against(ctx context.Context, r, other *Record, o Options) (*Report, error) {
	if *r.first.Recipe != *other.first.Recipe || r.First() != other.First() {
		return nil, fmt.Errorf("the two are not runs of one recipe (%.12s from step %d, and %.12s from step %d): there is nobody to be right", r.first.Recipe, r.First(), other.first.Recipe, other.First())
	}
	step, what := firstParted(r, other)
	if step == 0 {
		rep := &Report{OK: true, From: r.First() + 1, To: min(r.Last(), other.Last()), Notes: []string{"the two records say the same"}}
		return rep, nil
	}
	v := &Verdict{Step: step, What: what, This: true, Other: true}
	if what == "length" {
		return &Report{OK: true, Against: v, From: r.First() + 1, To: step - 1, Notes: []string{fmt.Sprintf("the two records say the same up to step %d, where one ends", step-1)}}, nil
	}
	if step == r.First() {
		o.From, o.To = step+1, step+1
	} else {
		o.From, o.To = step, step
	}
	// Up to the first state that both have: there the difference is in the weights.
	for n := o.From; n <= min(r.Last(), other.Last()); n++ {
		if r.state(n) != nil && other.state(n) != nil {
			o.To = n
			break
		}
	}
	o.against, o.verdict = other, v
	rep, err := Run(ctx, r, o)
	if err != nil {
		return nil, err
	}
	rep.Against, v.This = v, rep.OK
	rep.OK = rep.OK && v.Other
	return rep, nil
}

// firstParted is the first step of which two records say different things, 0 for none, and what.
func firstParted(a, b *Record) (step int, what string) {
	if what := parted(a.first, b.first); what != "" {
		return a.First(), what
	}
	last := min(a.Last(), b.Last())
	for n := a.First() + 1; n <= last; n++ {
		x, y := a.line(n), b.line(n)
		if what := parted(x, y); what != "" {
			return n, what
		}
		if s, t := a.state(n), b.state(n); s != nil && t != nil {
			if what := parted(s, t); what != "" {
				return n, what
			}
		}
	}
	if a.Last() != b.Last() {
		return last + 1, "length"
	}
	return 0, ""
}

// parted names the first member in which two lines of a step differ. What one of them lacks
// is no difference.
func parted(a, b *proof.Line) string {
	other := func(x, y *proof.Hash) bool { return x != nil && y != nil && *x != *y }
	switch {
	case other(a.Instances, b.Instances), other(a.Tokens, b.Tokens):
		return "tokens"
	case bits(a.Loss) != bits(b.Loss):
		return "loss"
	case bits(a.GradNorm) != bits(b.GradNorm):
		return "grad_norm"
	case other(a.Weights, b.Weights):
		return "weights"
	case other(a.Optim, b.Optim):
		return "optim"
	case other(a.State, b.State):
		return "state"
	}
	return ""
}

// startOf is a checkpoint from which a step can be computed: of the record itself, or, where it has none, of
// the one that it is held against, which says the same up to there.
func (r *Record) startOf(step int, other *Record) (at *Record, from int, fresh bool, err error) {
	if from, fresh, err = r.start(step); err == nil || other == nil {
		return r, from, fresh, err
	}
	if n, fresh, e := other.start(step); e == nil && slices.Contains(other.steps, n) {
		return other, n, fresh, nil
	}
	return r, from, fresh, err
}
