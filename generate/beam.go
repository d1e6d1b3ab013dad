package generate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"olmo/device/cpu"
	"olmo/numeric"
)

// BeamRequest asks for the continuations of a prompt with the highest scores that a beam finds.
type BeamRequest struct {
	Prompt    []int32
	MaxTokens int
	Adapter   int     // as Request has it
	Stop      []int32 // ids that end a sequence, and belong to it
	Beams     int     // hypotheses that are kept at each step
	// LikeHF searches as Transformers' generate does, else as OLMo's.
	LikeHF bool

	PerNode       int      // OLMo: most successors of one hypothesis; 0: Beams
	MinTokens     int      // a sequence has so many tokens before its end
	LengthPenalty *float64 // the score is the sum of log-probabilities / length^penalty; nil: OLMo's is the sum, Transformers' penalty 1
	// NoRepeatNGram lets no sequence of so many ids come twice: in the answer (OLMo), or in prompt and
	// answer (Transformers).
	NoRepeatNGram     int
	RepetitionPenalty float64 // Transformers: of the ids of prompt and answer, on log-probabilities; 0 or 1: none
	EarlyStopping     Early   // Transformers
	Return            int     // most sequences of the result; 0: Beams (OLMo), 1 (Transformers)
}

// Early says when Transformers' search ends, once there are as many complete sequences as beams.
type Early string

const (
	EarlyGuess Early = ""      // when the best hypothesis, at its present length, scores less than the worst of them
	EarlyTrue  Early = "true"  // at once
	EarlyNever Early = "never" // when no hypothesis can reach the score of the worst of them
)

// Sequence is a continuation that a beam has found.
type Sequence struct {
	IDs      []int32   `json:"ids"` // with the id that ended it
	Score    float64   `json:"score"`
	Logprobs []float64 `json:"-"` // the model's own
}

// Check reports settings that make no sense. An error begins with the name of the setting, as flags have it.
func (q *BeamRequest) Check() error {
	switch {
	case q.Beams < 1:
		return fmt.Errorf("beams is %d, it must be 1 or more", q.Beams)
	case q.MaxTokens < 1:
		return fmt.Errorf("max-tokens is %d, a beam needs 1 or more", q.MaxTokens)
	case q.PerNode < 0:
		return fmt.Errorf("per-node-beams is %d, it must be 1 or more", q.PerNode)
	case q.MinTokens < 0:
		return fmt.Errorf("min-tokens is %d, it must be 0 or more", q.MinTokens)
	case q.LengthPenalty != nil && !(math.Abs(*q.LengthPenalty) <= 100):
		return fmt.Errorf("length-penalty is %g, it must lie between -100 and 100", *q.LengthPenalty)
	case q.NoRepeatNGram < 0:
		return fmt.Errorf("no-repeat-ngram is %d, it must be 0 (none) or more", q.NoRepeatNGram)
	case q.RepetitionPenalty != 0 && !(q.RepetitionPenalty >= 0.001 && q.RepetitionPenalty <= 1000):
		return fmt.Errorf("repetition-penalty is %g, it must lie between 0.001 and 1000; 1 is none", q.RepetitionPenalty)
	case q.Return < 0 || q.Return > q.Beams:
		return fmt.Errorf("return is %d, it must lie between 1 and the number of beams, %d", q.Return, q.Beams)
	case !slices.Contains([]Early{EarlyGuess, EarlyTrue, EarlyNever}, q.EarlyStopping):
		return fmt.Errorf("early-stopping is %q, it must be true, false or never", q.EarlyStopping)
	case q.LikeHF && q.PerNode != 0:
		return errors.New("per-node-beams: Transformers' beam search has none")
	case !q.LikeHF && q.RepetitionPenalty != 0 && q.RepetitionPenalty != 1:
		return errors.New("repetition-penalty: OLMo's beam search has none")
	case !q.LikeHF && q.EarlyStopping != EarlyGuess:
		return errors.New("early-stopping: OLMo's beam search has none")
	}
	return CheckTokens(q.MinTokens, q.MaxTokens, q.MaxTokens)
}

// Beams searches with a request for each hypothesis at each step, which takes over what has been computed of
// its beginning.
func (e *Engine) Beams(ctx context.Context, q BeamRequest) ([]Sequence, error) {
	q.MaxTokens = min(q.MaxTokens, e.o.Positions-len(q.Prompt))
	if err := e.check(Request{Prompt: q.Prompt, MaxTokens: max(q.MaxTokens, 1), Adapter: q.Adapter}); err != nil {
		return nil, err
	}
	return q.search(e.cfg.V, func(sequences [][]int32, each func(i int, logits []float32)) error {
		var all []Request
		for i, ids := range sequences {
			all = append(all, Request{Prompt: ids, Adapter: q.Adapter, Rows: []int{len(ids) - 1}, Logits: func(_ int, logits []float32) { each(i, logits) }})
		}
		_, err := e.GenerateAll(ctx, all, nil)
		return err
	})
}

// hypothesis is the beginning of a sequence, or all of one.
type hypothesis struct {
	Sequence
	sum   float64 // of the log-probabilities, as the rules change them
	ended bool
}

// successor is a hypothesis with one id more.
type successor struct {
	parent *hypothesis
	id     int32   // −1: none, the parent has ended
	value  float64 // log-probability, as the rules change it
	own    float64 // the model's
}

func (s successor) hypothesis(stop []int32) hypothesis {
	if s.id < 0 {
		return *s.parent
	}
	return hypothesis{
		Sequence: Sequence{IDs: append(slices.Clip(s.parent.IDs), s.id), Logprobs: append(slices.Clip(s.parent.Logprobs), s.own)},
		sum:      s.parent.sum + s.value,
		ended:    slices.Contains(stop, s.id),
	}
}

// forward tells the logits behind sequences, several at the same time.
type forward func(sequences [][]int32, each func(i int, logits []float32)) error

// search is a beam on its way.
type search struct {
	*BeamRequest
	run   forward
	nodes []node // one for each hypothesis
}

// node finds the successors of a hypothesis.
type node struct {
	values []float32
	order  ranking
	best   []successor
	failed bool // the logits are not numbers
}

func (q *BeamRequest) search(V int, run forward) ([]Sequence, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	if most := max(q.PerNode, q.Beams); most > V {
		return nil, fmt.Errorf("%d beams are more than the %d ids of the vocabulary", most, V)
	}
	s := &search{BeamRequest: q, run: run, nodes: make([]node, q.Beams)}
	find, n := s.likeOLMo, q.Beams
	if q.LikeHF {
		find, n = s.likeHF, 1
	}
	if q.Return > 0 {
		n = q.Return
	}
	found, err := find()
	var out []Sequence
	for _, h := range found[:min(n, len(found))] {
		out = append(out, h.Sequence)
	}
	if err == nil && len(out) == 0 {
		err = ErrNothingLeft
	}
	return out, err
}

// step adds a token to hypotheses: of each the best successors, at most per, and of these the best again, at
// most keep, from the highest sum down; of equal ones that of the first hypothesis first.
func (s *search) step(from []hypothesis, per, keep int) ([]hypothesis, error) {
	var all []successor
	var running []*hypothesis
	var sequences [][]int32
	for i := range from {
		if h := &from[i]; h.ended {
			all = append(all, successor{parent: h, id: -1})
		} else {
			running, sequences = append(running, h), append(sequences, slices.Concat(s.Prompt, h.IDs))
		}
	}
	if err := s.run(sequences, func(i int, logits []float32) { s.nodes[i].find(s.BeamRequest, running[i], logits, per) }); err != nil {
		return nil, err
	}
	for i, h := range running {
		if s.nodes[i].failed {
			return nil, choice{logprob: math.NaN()}.problem(len(s.Prompt) + len(h.IDs))
		}
		all = append(all, s.nodes[i].best...)
	}
	slices.SortStableFunc(all, func(a, b successor) int { return cmp.Compare(b.parent.sum+b.value, a.parent.sum+a.value) })
	var next []hypothesis
	for _, t := range all[:min(keep, len(all))] {
		next = append(next, t.hypothesis(s.Stop))
	}
	return next, nil
}

func (n *node) find(q *BeamRequest, h *hypothesis, logits []float32, most int) {
	lse := cpu.LSE(logits)
	n.failed = lse-lse != 0
	n.values = slices.Grow(n.values[:0], len(logits))[:len(logits)]
	for i, l := range logits {
		n.values[i] = -(lse - l)
	}
	seen := h.IDs
	if q.LikeHF {
		seen = slices.Concat(q.Prompt, h.IDs)
		if r := float32(q.RepetitionPenalty); r != 0 && r != 1 {
			done := map[int32]bool{}
			for _, id := range seen {
				if !done[id] {
					done[id] = true
					n.values[id] *= r // a log-probability is not above 0
				}
			}
		}
	}
	repeated(seen, q.NoRepeatNGram, func(id int32) { n.values[id] = never })
	if len(h.IDs) < q.MinTokens {
		for _, id := range q.Stop {
			if int(id) < len(n.values) {
				n.values[id] = never
			}
		}
	}
	n.best = n.best[:0]
	for _, id := range n.order.largest(n.values, most) {
		if v := float64(n.values[id]); !math.IsInf(v, -1) {
			n.best = append(n.best, successor{h, id, v, -float64(lse - logits[id])})
		}
	}
}

// likeOLMo is BeamSearch of olmo/beam_search.py (ai2-olmo 0.6.0) with its DeterministicSampler. Ended
// hypotheses stay in the beam with their sum.
func (s *search) likeOLMo() ([]hypothesis, error) {
	beam := []hypothesis{{}}
	for n := range s.MaxTokens {
		per := s.PerNode
		if n == 0 || per == 0 {
			per = s.Beams
		}
		var err error
		if beam, err = s.step(beam, per, s.Beams); err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(beam, func(h hypothesis) bool { return !h.ended }) {
			break
		}
	}
	for i := range beam {
		h := &beam[i]
		if h.Score = h.sum; s.LengthPenalty != nil {
			h.Score = normalised(h.sum, len(h.IDs), *s.LengthPenalty)
		}
	}
	byScore(beam)
	return beam, nil
}

// likeHF is _beam_search of Transformers' GenerationMixin (5.24). Complete sequences leave the beam.
func (s *search) likeHF() ([]hypothesis, error) {
	penalty := 1.0
	if s.LengthPenalty != nil {
		penalty = *s.LengthPenalty
	}
	beam, complete := []hypothesis{{}}, []hypothesis(nil)
	for n := 1; n <= s.MaxTokens && len(beam) > 0; n++ {
		// So many that there are enough to go on with, whatever ends.
		most := max(2, 1+len(s.Stop)) * s.Beams
		next, err := s.step(beam, most, most)
		if err != nil {
			return nil, err
		}
		for _, h := range next[:min(s.Beams, len(next))] {
			if h.ended || n == s.MaxTokens {
				h.Score = normalised(h.sum, n, penalty)
				complete = append(complete, h)
			}
		}
		byScore(complete)
		complete = complete[:min(s.Beams, len(complete))]
		beam = slices.DeleteFunc(next, func(h hypothesis) bool { return h.ended })
		beam = beam[:min(s.Beams, len(beam))]
		if len(complete) == s.Beams && len(beam) > 0 {
			length := n
			if s.EarlyStopping == EarlyNever && penalty > 0 {
				length = s.MaxTokens
			}
			if s.EarlyStopping == EarlyTrue || normalised(beam[0].sum, length, penalty) <= complete[s.Beams-1].Score {
				break
			}
		}
	}
	return complete, nil
}

// normalised is a sum of log-probabilities over a length's power.
func normalised(sum float64, length int, penalty float64) float64 {
	if penalty == 1 {
		return sum / float64(length)
	}
	return sum / numeric.Pow(float64(length), penalty)
}

func byScore(h []hypothesis) {
	slices.SortStableFunc(h, func(a, b hypothesis) int { return cmp.Compare(b.Score, a.Score) })
}
