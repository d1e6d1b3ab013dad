package score

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"olmo/config"
)

// Verifier gives an answer a reward, for learning by it: a rule of open-instruct's by its name, or
// one of our own.
type Verifier struct {
	Name   string
	Source string // whose rule it is
	Truth  string // what it reads as ground truth, in words
	Tokens bool   // it counts the answer's tokens
	// Against reads a ground truth, once for all answers to a prompt. One of another type is an
	// error.
	Against func(truth json.RawMessage) (Verdict, error)
}

// Verdict is the reward of an answer, most often from 0 to 1, and may be asked at the same time of
// several. A rule that an answer breaks in whatever way gives 0. An error says what of the answer is
// not there, or is a *NoVerdict.
type Verdict func(ctx context.Context, a *Attempted) (float64, error)

// NoVerdict is a verifier that runs a program or asks a server, and had nothing from it: it hung, died
// or said something else. That costs the answer its reward, and nothing more.
type NoVerdict struct {
	Verifier string
	Err      error
}

func (n *NoVerdict) Error() string { return "the verifier " + n.Verifier + ": " + n.Err.Error() }
func (n *NoVerdict) Unwrap() error { return n.Err }

// Attempted is an answer to a prompt, as its verifiers see it.
type Attempted struct {
	Text   string  // without special tokens
	IDs    []int32 // its tokens, special ones too; nil where they are not known
	Prompt string  // what was asked, a line of role and content for each message; empty where it is not known
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

// VerifierSet is which verifiers a row may name. Its methods may be called at the same time.
type VerifierSet struct {
	of   map[string]Weighted
	ends []func() // of the programs that run
}

// BuiltIn is the set of those that this program has, each with weight 1.
func BuiltIn() *VerifierSet {
	s := &VerifierSet{of: map[string]Weighted{}}
	for name, v := range verifiers {
		s.of[name] = Weighted{v, 1}
	}
	return s
}

// Close ends the programs of verifiers.
func (s *VerifierSet) Close() {
	for _, end := range s.ends {
		end()
	}
}

// Lookup finds a verifier; letter case does not count, as in open-instruct.
func (s *VerifierSet) Lookup(name string) (Weighted, error) {
	if v, ok := s.of[strings.ToLower(name)]; ok {
		return v, nil
	}
	known := slices.Sorted(maps.Keys(s.of))
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
	tokens   bool
}

// Rewards looks up the verifiers of a row's dataset, and reads its ground truths, one for each. Nothing
// is run or asked but what shows that it can be.
func (s *VerifierSet) Rewards(dataset []string, truths []json.RawMessage) (*Rewards, error) {
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
		r.tokens = r.tokens || v.Tokens
		r.names, r.weights, r.verdicts = append(r.names, v.Name), append(r.weights, v.Weight), append(r.verdicts, verdict)
	}
	return r, nil
}

// Scored is what an answer got.
type Scored struct {
	Sum    float64      // of all by their weights
	Each   []float64    // before weights, in the order of Names
	Failed []*NoVerdict // of verifiers that gave none, and so 0
}

// Score judges an answer.
func (r *Rewards) Score(ctx context.Context, a *Attempted) (*Scored, error) {
	s := &Scored{}
	for i, verdict := range r.verdicts {
		x, err := verdict(ctx, a)
		var none *NoVerdict
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.As(err, &none):
			s.Failed, x = append(s.Failed, none), 0
		case err != nil:
			return nil, fmt.Errorf("the verifier %s: %w", r.names[i], err)
		}
		s.Sum += float64(r.weights[i] * x)
		s.Each = append(s.Each, x)
	}
	return s, nil
}

// Names are the verifiers' names, in the order of a score's parts.
func (r *Rewards) Names() []string { return r.names }

// Tokens reports whether a verifier counts the answer's tokens, so that they must be known.
func (r *Rewards) Tokens() bool { return r.tokens }

// Try is an answer with what judges it.
type Try struct {
	Rewards *Rewards
	Answer  Attempted
}

// atOnce is how many answers are judged at a time: most of the time of those that ask or run is spent
// waiting. How many of them really do the verifiers limit themselves.
const atOnce = 32

// ScoreAll judges answers, several at a time, and gives what they got in their order. The error is that
// of the first answer that has one.
func ScoreAll(ctx context.Context, tries []Try) ([]*Scored, error) {
	out, errs := make([]*Scored, len(tries)), make([]error, len(tries))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(atOnce, len(tries)) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(tries); i = int(next.Add(1)) - 1 {
				out[i], errs[i] = tries[i].Rewards.Score(ctx, &tries[i].Answer)
			}
		})
	}
	workers.Wait()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("answer %d: %w", i, err)
		}
	}
	return out, nil
}

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
		return func(_ context.Context, a *Attempted) (float64, error) { return verdict(a.Text, truth), nil }, nil
	}
}
