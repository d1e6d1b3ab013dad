package score

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"olmo/config"
)

// Verifier gives an answer a reward, for learning by it: a rule of open-instruct's by its name, or
// one of our own.
type Verifier struct {
	Name   string
	Source string // whose rule it is
	Truth  string // what it reads as ground truth, in words
	// Against reads a ground truth, once for all answers to a prompt. One of another type is an
	// error.
	Against func(truth json.RawMessage) (Verdict, error)
}

// Verdict is the reward of an answer, most often from 0 to 1. The time that it takes grows with the
// answer's length alone, and its error says what of the answer is not there: a rule that an answer
// breaks in whatever way gives 0.
type Verdict func(a *Attempted) (float64, error)

// Attempted is an answer to a prompt, as its verifiers see it.
type Attempted struct {
	Text string  // without special tokens
	IDs  []int32 // its tokens, special ones too; nil where they are not known
}

var verifiers = map[string]*Verifier{}

// verifies adds a verifier. Each file that describes one calls it.
func verifies(v Verifier) *Verifier {
	verifiers[v.Name] = &v
	return &v
}

// Verifiers lists them by name.
func Verifiers() []*Verifier {
	var all []*Verifier
	for _, name := range slices.Sorted(maps.Keys(verifiers)) {
		all = append(all, verifiers[name])
	}
	return all
}

// Weighted is a verifier with the weight of its reward.
type Weighted struct {
	*Verifier
	Weight float64
}

// VerifierSet is which verifiers a row may name.
type VerifierSet map[string]Weighted

// BuiltIn is the set of those that this program has, each with weight 1.
func BuiltIn() VerifierSet {
	set := VerifierSet{}
	for name, v := range verifiers {
		set[name] = Weighted{v, 1}
	}
	return set
}

// Lookup finds a verifier; letter case does not count, as in open-instruct.
func (s VerifierSet) Lookup(name string) (Weighted, error) {
	if v, ok := s[strings.ToLower(name)]; ok {
		return v, nil
	}
	known := slices.Sorted(maps.Keys(s))
	hint := "there are " + strings.Join(known, ", ")
	if near, ok := config.Nearest(strings.ToLower(name), known); ok {
		hint = "did you mean " + near + "?"
	}
	return Weighted{}, fmt.Errorf("no verifier is called %q\nhint: %s", name, hint)
}

// Rewards are a prompt's verifiers with their ground truths.
type Rewards struct {
	names    []string
	weights  []float64
	verdicts []Verdict
}

// Rewards looks up the verifiers of a row's dataset, and reads its ground truths, one for each.
func (s VerifierSet) Rewards(dataset []string, truths []json.RawMessage) (*Rewards, error) {
	if len(dataset) != len(truths) {
		return nil, fmt.Errorf("dataset names %d verifiers, ground_truth has %d", len(dataset), len(truths))
	}
	r := &Rewards{}
	for i, name := range dataset {
		v, err := s.Lookup(name)
		if err != nil {
			return nil, fmt.Errorf("dataset: %w", err)
		}
		verdict, err := v.Against(truths[i])
		if err != nil {
			return nil, fmt.Errorf("the verifier %s, whose ground_truth is %s: %w", v.Name, v.Truth, err)
		}
		r.names, r.weights, r.verdicts = append(r.names, v.Name), append(r.weights, v.Weight), append(r.verdicts, verdict)
	}
	return r, nil
}

// Score is the sum of an answer's rewards by their weights, and each before its weight.
func (r *Rewards) Score(a *Attempted) (sum float64, each []float64, err error) {
	for i, verdict := range r.verdicts {
		x, err := verdict(a)
		if err != nil {
			return 0, nil, fmt.Errorf("the verifier %s: %w", r.names[i], err)
		}
		sum += float64(r.weights[i] * x)
		each = append(each, x)
	}
	return sum, each, nil
}

// Names are the verifiers' names, in the order of a score's parts.
func (r *Rewards) Names() []string { return r.names }

// truthText reads a ground truth that is a text, or a list of one.
func truthText(raw json.RawMessage) (string, error) {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil && len(list) == 1 {
		raw = list[0]
	}
	var s *string
	if err := json.Unmarshal(raw, &s); err != nil || s == nil {
		return "", fmt.Errorf("it is %s", short(raw))
	}
	return *s, nil
}

// truthOne reads a text, or a number or truth value as Python writes it.
func truthOne(raw json.RawMessage) (string, error) {
	all, err := truthTexts(raw)
	if err == nil && len(all) > 1 {
		err = fmt.Errorf("it is a list of %d", len(all))
	}
	if err != nil {
		return "", err
	}
	return all[0], nil
}

// truthTexts reads one such, or a list of them.
func truthTexts(raw json.RawMessage) ([]string, error) {
	if len(raw) == 0 {
		return nil, errors.New("there is none")
	}
	return texts(raw)
}

// againstText is Against of a verifier whose ground truth is a text.
func againstText(verdict func(answer, truth string) float64) func(json.RawMessage) (Verdict, error) {
	return func(raw json.RawMessage) (Verdict, error) {
		truth, err := truthText(raw)
		if err != nil {
			return nil, err
		}
		return func(a *Attempted) (float64, error) { return verdict(a.Text, truth), nil }, nil
	}
}
