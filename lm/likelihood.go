package lm

import (
	"context"
	"slices"

	"olmo/device/cpu"
	"olmo/generate"
)

// Likelihood is what a model says of a sequence's targets.
type Likelihood struct {
	Nats   []float32 // the negative log-probability of each target, in order
	Greedy bool      // each is the model's first choice, of equals the smallest id
}

// ScoreOptions bound the work of Likelihoods; they change no bit of it.
type ScoreOptions struct {
	Memory  int64 // bytes of caches for what sequences share; 0: a quarter of what is free
	NoShare bool  // nothing is shared
}

// Likelihoods scores sequences of which many may begin alike: in the order of their ids, what
// neighbours share is computed once. each is told every sequence's number with its likelihood,
// in any order; its bits do not depend on the other sequences.
func (s *Scorer) Likelihoods(ctx context.Context, sequences []Sequence, o ScoreOptions, each func(i int, l Likelihood) error) error {
	longest := 1
	order := make([]int, len(sequences))
	for i, q := range sequences {
		longest = max(longest, len(q.IDs))
		order[i] = i
	}
	if s.shared == nil || s.shared.memory != o.Memory {
		s.shared = &slots{model: s.model, cache: "scorer", memory: o.Memory, limit: s.model.Config.T}
	}
	s.shared.limit = max(s.shared.limit, longest)
	b, err := s.shared.of(longest)
	if err != nil {
		return err
	}
	slices.SortStableFunc(order, func(x, y int) int { return slices.Compare(sequences[x].IDs, sequences[y].IDs) })
	p := planChains(sequences, order, o.NoShare)
	return b.Run(ctx, p.most, func() generate.Chain {
		members := p.next()
		if members == nil {
			return nil
		}
		return newFamily(sequences, members, o.NoShare, each)
	})
}

// same counts the ids with which both begin.
func same(a, b []int32) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// family is a chain of sequences in the order of their ids, so that each shares its beginning
// with the one before. A target is asked of the sequence that computes its row: the first of
// those that share it.
type family struct {
	sequences []Sequence
	members   []int
	asks      [][]ask // of each member, ascending by row
	results   []Likelihood
	greedy    [][]bool
	alone     bool // nothing of another chain is used
	next      int
	each      func(i int, l Likelihood) error
}

// ask wants the cost of a target behind a row.
type ask struct {
	row    int
	member int
	index  int // of the target among the member's
	target int32
}

func newFamily(sequences []Sequence, members []int, alone bool, each func(i int, l Likelihood) error) *family {
	f := &family{
		sequences: sequences, members: members, alone: alone, each: each,
		asks: make([][]ask, len(members)), results: make([]Likelihood, len(members)), greedy: make([][]bool, len(members)),
	}
	var owner []int // of each row of the sequence at hand
	for m, i := range members {
		q := sequences[i]
		shared := 0
		if m > 0 {
			shared = same(sequences[members[m-1]].IDs, q.IDs)
		}
		owner = owner[:shared]
		for len(owner) < len(q.IDs) {
			owner = append(owner, m)
		}
		n := 0
		for row, target := range q.Targets {
			if target >= 0 {
				f.asks[owner[row]] = append(f.asks[owner[row]], ask{row, m, n, target})
				n++
			}
		}
		f.results[m].Nats, f.greedy[m] = make([]float32, n), make([]bool, n)
	}
	for _, a := range f.asks {
		slices.SortStableFunc(a, func(x, y ask) int { return x.row - y.row })
	}
	return f
}

// Next gives the next sequence of which something is asked.
func (f *family) Next() (generate.Stretch, bool, error) {
	for f.next < len(f.members) && len(f.asks[f.next]) == 0 {
		f.next++
	}
	if f.next == len(f.members) {
		for m, l := range f.results {
			l.Greedy = !slices.Contains(f.greedy[m], false)
			if err := f.each(f.members[m], l); err != nil {
				return generate.Stretch{}, false, err
			}
		}
		return generate.Stretch{}, false, nil
	}
	asks := f.asks[f.next]
	s := generate.Stretch{IDs: f.sequences[f.members[f.next]].IDs, Alone: f.alone, Logits: func(row int, logits []float32) {
		// −log softmax(l)[t] = log Σ exp(l) − l[t], for every target behind the row.
		lse, best := cpu.LSE(logits), -1
		at, _ := slices.BinarySearchFunc(asks, row, func(a ask, row int) int { return a.row - row })
		for _, a := range asks[at:] {
			if a.row != row {
				break
			}
			if best < 0 {
				best = slices.Index(logits, slices.Max(logits))
			}
			f.results[a.member].Nats[a.index] = lse - logits[a.target]
			f.greedy[a.member][a.index] = best == int(a.target)
		}
	}}
	for _, a := range asks {
		if len(s.Rows) == 0 || s.Rows[len(s.Rows)-1] != a.row {
			s.Rows = append(s.Rows, a.row)
		}
	}
	f.next++
	return s, true, nil
}
