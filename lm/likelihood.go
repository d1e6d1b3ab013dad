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
	Memory  int64 // bytes of the keys and values; 0: a quarter of what is free, 1 GiB at most
	NoShare bool  // nothing is shared
}

// Likelihoods scores sequences of which many may begin alike: what they share is computed once. each is told
// every sequence's number with its likelihood, in any order; its bits do not depend on the other sequences.
func (s *Scorer) Likelihoods(ctx context.Context, sequences []Sequence, o ScoreOptions, each func(i int, l Likelihood) error) error {
	e, err := s.model.job(o.Memory)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	f := newFamily(sequences, o.NoShare)
	handles := make([]*generate.Handle, len(f.order))
	// What runs is waited for, also after an error.
	defer func() {
		cancel()
		for _, h := range handles {
			if h != nil {
				_, _ = h.Wait()
			}
		}
	}()
	for m := range f.order {
		if handles[m], err = f.submit(ctx, e, m, o.NoShare); err != nil {
			return err
		}
	}
	// A target is asked of the sequence itself or of one before it.
	for m, i := range f.order {
		if handles[m] != nil {
			if _, err := handles[m].Wait(); err != nil {
				return err
			}
		}
		l := f.results[m]
		l.Greedy = !slices.Contains(f.greedy[m], false)
		if err := each(i, l); err != nil {
			return err
		}
	}
	return nil
}

// same counts the ids with which both begin.
func same(a, b []int32) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// family are sequences in the order of their ids, so that each shares its beginning with the one before. A
// target is asked of the sequence that computes its row: the first of those that share it.
type family struct {
	sequences []Sequence
	order     []int
	asks      [][]ask // of each, in this order, ascending by row
	results   []Likelihood
	greedy    [][]bool
}

// ask wants the cost of a target behind a row.
type ask struct {
	row    int
	member int // whose target it is
	index  int // of the target among the member's
	target int32
}

func newFamily(sequences []Sequence, alone bool) *family {
	n := len(sequences)
	f := &family{sequences: sequences, order: make([]int, n), asks: make([][]ask, n), results: make([]Likelihood, n), greedy: make([][]bool, n)}
	for i := range f.order {
		f.order[i] = i
	}
	slices.SortStableFunc(f.order, func(x, y int) int { return slices.Compare(sequences[x].IDs, sequences[y].IDs) })
	var owner []int // of each row of the sequence at hand
	for m, i := range f.order {
		q := sequences[i]
		shared := 0
		if m > 0 && !alone {
			shared = same(sequences[f.order[m-1]].IDs, q.IDs)
		}
		owner = owner[:shared]
		for len(owner) < len(q.IDs) {
			owner = append(owner, m)
		}
		targets := 0
		for row, target := range q.Targets {
			if target >= 0 {
				f.asks[owner[row]] = append(f.asks[owner[row]], ask{row, m, targets, target})
				targets++
			}
		}
		f.results[m].Nats, f.greedy[m] = make([]float32, targets), make([]bool, targets)
	}
	for _, a := range f.asks {
		slices.SortStableFunc(a, func(x, y ask) int { return x.row - y.row })
	}
	return f
}

// submit asks a sequence what is asked of it; nil: nothing is.
func (f *family) submit(ctx context.Context, e *generate.Engine, m int, alone bool) (*generate.Handle, error) {
	asks := f.asks[m]
	if len(asks) == 0 {
		return nil, nil
	}
	q := generate.Request{Prompt: f.sequences[f.order[m]].IDs, Fresh: alone, Logits: func(row int, logits []float32) {
		// −log softmax(l)[t] = log Σ exp(l) − l[t], for every target behind the row.
		lse, best := cpu.LSE(logits), slices.Index(logits, slices.Max(logits))
		at, _ := slices.BinarySearchFunc(asks, row, func(a ask, row int) int { return a.row - row })
		for _, a := range asks[at:] {
			if a.row != row {
				break
			}
			f.results[a.member].Nats[a.index] = lse - logits[a.target]
			f.greedy[a.member][a.index] = best == int(a.target)
		}
	}}
	for _, a := range asks {
		if len(q.Rows) == 0 || q.Rows[len(q.Rows)-1] != a.row {
			q.Rows = append(q.Rows, a.row)
		}
	}
	q.Prompt = q.Prompt[:q.Rows[len(q.Rows)-1]+1]
	return e.Submit(ctx, q)
}
