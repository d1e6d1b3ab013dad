package generate

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Sampling says how the next token is chosen. The zero value takes the most probable one, of equals
// the one with the smallest id. Where a setting of 0 means none, so does the setting left out.
//
// Logits are first biased and masked (Bias to MinTokens), then the samplers of Order change them or cut
// candidates away, and one of those that are left is drawn.
type Sampling struct {
	Temperature float64 // divides the logits; 0: the most probable token
	TopK        int     // only so many of the most probable tokens; 0: all
	TopP        float64 // only the most probable tokens that together reach this probability; 0 or 1: all
	Seed        uint64

	TopNSigma float64 `json:",omitzero"` // only logits at most so many standard deviations below the largest; 0: all
	Typical   float64 `json:",omitzero"` // only the most typical tokens that together reach this probability; 0 or 1: all
	MinP      float64 `json:",omitzero"` // only tokens with this share of the probability of the most probable one
	XTC       XTC     `json:",omitzero"`

	DynaTemp DynaTemp `json:",omitzero"`
	Mirostat Mirostat `json:",omitzero"` // in place of all samplers but the temperature

	Penalties Penalties `json:",omitzero"`
	DRY       DRY       `json:",omitzero"`

	Bias          map[int32]float64 `json:",omitempty"` // added to the logits of ids; −Inf: never
	Allowed       []int32           `json:",omitempty"` // only these ids; none: all
	Banned        []int32           `json:",omitempty"` // never these ids
	BadWords      [][]int32         `json:",omitempty"` // never these sequences of ids, prompt included
	NoRepeatNGram int               `json:",omitzero"`  // no sequence of so many ids comes twice, prompt included
	MinTokens     int               `json:",omitzero"`  // so many tokens come before an id of Request.Stop may

	// Order names the samplers in the order in which they are used; empty: DefaultOrder.
	Order []string `json:",omitempty"`
}

// XTC cuts away the most probable tokens: with Probability, all of those that have at least Threshold
// but for the least probable of them.
type XTC struct {
	Probability float64
	Threshold   float64 // 0: 0.1
}

// Penalties lower the logits of ids that have come.
type Penalties struct {
	Repetition float64 // divides positive logits, multiplies negative ones; 0 or 1: none
	Presence   float64 // taken off once
	Frequency  float64 // taken off for each time
	LastN      int     // of so many of the newest tokens, the prompt's too; 0: 64, below 0: all
}

// DRY lowers the logits of ids that would carry a repetition on: by Multiplier·Base^(n − AllowedLength)
// where the last n ≥ AllowedLength tokens have come before, followed by that id.
type DRY struct {
	Multiplier    float64
	Base          float64 // 0: 1.75
	AllowedLength int     // 0: 2
	LastN         int     // of so many of the newest tokens; 0: all
	// Breakers are sequences of ids that no repetition reaches across. An id that is one by itself
	// is never lowered.
	Breakers [][]int32 `json:",omitempty"`
}

// step is a sampler, by llama.cpp's name.
type step struct {
	name  string
	set   func(s *Sampling) bool // whether it does anything
	cut   bool                   // it reads probabilities, and is none of today's three
	apply func(s *sampler, n int)
}

// steps stand in llama.cpp's order (common_params_sampling, build 11434).
var steps = []step{
	{name: "penalties", set: func(s *Sampling) bool { return s.Penalties.set() }, apply: (*sampler).penalise},
	{name: "dry", set: func(s *Sampling) bool { return s.DRY.Multiplier > 0 }, apply: (*sampler).penaliseRepeats},
	{name: "top_n_sigma", cut: true, set: func(s *Sampling) bool { return s.TopNSigma > 0 }, apply: func(s *sampler, _ int) { s.left.topNSigma(s.TopNSigma) }},
	{name: "top_k", set: func(s *Sampling) bool { return s.TopK > 0 }, apply: func(s *sampler, _ int) { s.left.topK(s.TopK) }},
	{name: "typ_p", cut: true, set: func(s *Sampling) bool { return within(s.Typical) }, apply: func(s *sampler, _ int) { s.left.typical(s.Typical) }},
	{name: "top_p", set: func(s *Sampling) bool { return within(s.TopP) }, apply: func(s *sampler, _ int) { s.left.topP(s.TopP) }},
	{name: "min_p", cut: true, set: func(s *Sampling) bool { return s.MinP > 0 }, apply: func(s *sampler, _ int) { s.left.minP(s.MinP) }},
	{name: "xtc", cut: true, set: func(s *Sampling) bool { return s.XTC.Probability > 0 }, apply: (*sampler).excludeTop},
	{name: "temperature", set: func(s *Sampling) bool { return float32(s.Temperature) != 1 || s.DynaTemp.Range > 0 }, apply: (*sampler).temper},
}

// within reports a probability that cuts something away.
func within(p float64) bool { return p > 0 && p < 1 }

func (p Penalties) set() bool {
	return p.Repetition != 0 && p.Repetition != 1 || p.Presence != 0 || p.Frequency != 0
}

// DefaultOrder is the order of the samplers where none is given: llama.cpp's. As long as top-k and top-p
// are the only cuts, and the temperature does not follow what they leave, it stands before them, so that top-p
// counts the probabilities at the temperature, as in Transformers and vLLM.
func (s *Sampling) DefaultOrder() []string {
	var order []string
	cut := s.DynaTemp.Range > 0
	for _, t := range steps {
		cut = cut || t.cut && t.set(s)
		order = append(order, t.name)
	}
	if !cut {
		order = slices.Insert(order[:len(order)-1], 2, "temperature") // behind penalties and dry
	}
	return order
}

// order returns the samplers that do something, as they are used.
func (s *Sampling) order() []step {
	names := s.Order
	if s.Mirostat.Version > 0 {
		used := []step{{apply: (*sampler).keepSurprise}}
		if temperature := steps[len(steps)-1]; temperature.set(s) {
			used = []step{temperature, used[0]}
		}
		return used
	}
	if len(names) == 0 {
		names = s.DefaultOrder()
	}
	var used []step
	for _, name := range names {
		if i := slices.IndexFunc(steps, func(t step) bool { return t.name == name }); i >= 0 && steps[i].set(s) {
			used = append(used, steps[i])
		}
	}
	return used
}

// Check reports settings that make no sense. An error begins with the name of the setting, as flags have it.
func (s Sampling) Check() error {
	for _, c := range []struct {
		name  string
		value float64
		ok    bool
		want  string
	}{
		{"temperature", s.Temperature, s.Temperature >= 0 && s.Temperature <= math.MaxFloat32, "be 0 or more, and finite"},
		{"top-k", float64(s.TopK), s.TopK >= 0, "be 0 (all) or more"},
		{"top-p", s.TopP, s.TopP >= 0 && s.TopP <= 1, "lie between 0 and 1"},
		{"top-n-sigma", s.TopNSigma, s.TopNSigma >= 0 && !math.IsInf(s.TopNSigma, 0), "be 0 (all) or more"},
		{"typical-p", s.Typical, s.Typical >= 0 && s.Typical <= 1, "lie between 0 and 1"},
		{"min-p", s.MinP, s.MinP >= 0 && s.MinP <= 1, "lie between 0 and 1"},
		{"xtc-probability", s.XTC.Probability, s.XTC.Probability >= 0 && s.XTC.Probability <= 1, "lie between 0 and 1"},
		{"xtc-threshold", s.XTC.Threshold, s.XTC.Threshold >= 0 && s.XTC.Threshold <= 0.5, "lie between 0 and 0.5, above which no two tokens can be"},
		{"repetition-penalty", s.Penalties.Repetition, s.Penalties.Repetition == 0 || s.Penalties.Repetition >= 0.001 && s.Penalties.Repetition <= 1000, "lie between 0.001 and 1000; 1 is none"},
		{"presence-penalty", s.Penalties.Presence, math.Abs(s.Penalties.Presence) <= 1000, "lie between -1000 and 1000"},
		{"frequency-penalty", s.Penalties.Frequency, math.Abs(s.Penalties.Frequency) <= 1000, "lie between -1000 and 1000"},
		{"dry-multiplier", s.DRY.Multiplier, s.DRY.Multiplier >= 0 && s.DRY.Multiplier <= 1000, "lie between 0 and 1000"},
		{"dry-base", s.DRY.Base, s.DRY.Base == 0 || s.DRY.Base >= 1 && s.DRY.Base <= 1000, "lie between 1 and 1000"},
		{"dry-allowed-length", float64(s.DRY.AllowedLength), s.DRY.AllowedLength >= 0, "be 1 or more"},
		{"dry-last-n", float64(s.DRY.LastN), s.DRY.LastN >= 0, "be 0 (all) or more"},
		{"dynatemp-range", s.DynaTemp.Range, s.DynaTemp.Range >= 0 && s.DynaTemp.Range <= 1000, "lie between 0 (none) and 1000"},
		{"dynatemp-exp", s.DynaTemp.Exponent, s.DynaTemp.Exponent >= 0 && s.DynaTemp.Exponent <= 1000, "lie between 0 and 1000"},
		{"mirostat", float64(s.Mirostat.Version), s.Mirostat.Version >= 0 && s.Mirostat.Version <= 2, "be 1 or 2, or 0 for none"},
		{"mirostat-lr", s.Mirostat.Rate, s.Mirostat.Rate >= 0 && s.Mirostat.Rate <= 1000, "lie between 0 and 1000"},
		{"mirostat-ent", s.Mirostat.Entropy, s.Mirostat.Entropy >= 0 && s.Mirostat.Entropy <= 1000, "lie between 0 and 1000"},
		{"no-repeat-ngram", float64(s.NoRepeatNGram), s.NoRepeatNGram >= 0, "be 0 (none) or more"},
		{"min-tokens", float64(s.MinTokens), s.MinTokens >= 0, "be 0 or more"},
	} {
		if !c.ok {
			return fmt.Errorf("%s is %g, it must %s", c.name, c.value, c.want)
		}
	}
	for id, b := range s.Bias {
		if !(math.Abs(b) <= 1e6) && !math.IsInf(b, -1) {
			return fmt.Errorf("logit-bias of id %d is %g, it must lie between -1e6 and 1e6, or be -inf", id, b)
		}
	}
	if slices.ContainsFunc(s.BadWords, func(w []int32) bool { return len(w) == 0 }) {
		return errors.New("bad-word has no tokens")
	}
	switch {
	case s.Temperature == 0 && s.DynaTemp.Range > 0:
		return errors.New("dynatemp-range has no effect at temperature 0, which takes the most probable token")
	case s.Mirostat.Version > 0:
		return s.checkMirostat()
	}
	return s.checkOrder()
}

// checkMirostat reports settings that Mirostat takes the place of.
func (s *Sampling) checkMirostat() error {
	switch {
	case s.Temperature == 0:
		return errors.New("mirostat has no effect at temperature 0, which takes the most probable token")
	case s.DynaTemp.Range > 0:
		return errors.New("mirostat takes the place of all samplers but the temperature, and dynatemp-range is set")
	case len(s.Order) > 0:
		return errors.New("mirostat takes the place of all samplers but the temperature, and samplers sets an order of them")
	}
	for _, t := range steps[:len(steps)-1] {
		if t.set(s) {
			return fmt.Errorf("mirostat takes the place of all samplers but the temperature, and %s is set", t.name)
		}
	}
	return nil
}

// CheckTokens reports a least length of an answer that is more than its most, or than the room that the prompt
// leaves. The error begins with the name of the setting, as flags have it.
func CheckTokens(least, most, room int) error {
	switch {
	case least > 0 && least > most:
		return fmt.Errorf("min-tokens is %d, and max-tokens %d", least, most)
	case least > 0 && least > room:
		return fmt.Errorf("min-tokens is %d, and the prompt leaves room for %d tokens", least, room)
	}
	return nil
}

// checkOrder reports an order that names what there is not, names something twice, or leaves out what is set.
func (s *Sampling) checkOrder() error {
	if len(s.Order) == 0 {
		return nil
	}
	var names []string
	for _, t := range steps {
		names = append(names, t.name)
	}
	for i, name := range s.Order {
		switch {
		case !slices.Contains(names, name):
			return fmt.Errorf("samplers: there is no %q\nhint: samplers are %s", name, strings.Join(names, ", "))
		case slices.Contains(s.Order[:i], name):
			return fmt.Errorf("samplers: %s stands there twice", name)
		}
	}
	for _, t := range steps {
		if t.set(s) && !slices.Contains(s.Order, t.name) {
			if t.name == "temperature" {
				return fmt.Errorf("samplers: temperature is missing, which is %g\nhint: name it there too, or set it to 1", s.Temperature)
			}
			return fmt.Errorf("samplers: %s is missing, which is set\nhint: name it there too", t.name)
		}
	}
	return nil
}

// checkIDs reports ids that a vocabulary of V does not have.
func (s *Sampling) checkIDs(V int) error {
	check := func(what string, ids []int32) error {
		for _, id := range ids {
			if id < 0 || int(id) >= V {
				return fmt.Errorf("%s: id %d is outside the model's vocabulary of %d", what, id, V)
			}
		}
		return nil
	}
	for id := range s.Bias {
		if err := check("logit-bias", []int32{id}); err != nil {
			return err
		}
	}
	for _, word := range s.BadWords {
		if err := check("bad-word", word); err != nil {
			return err
		}
	}
	for _, b := range s.DRY.Breakers {
		if err := check("dry-sequence-breaker", b); err != nil {
			return err
		}
	}
	if err := check("allowed-ids", s.Allowed); err != nil {
		return err
	}
	return check("banned-ids", s.Banned)
}
