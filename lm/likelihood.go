package lm

import "context"

// Likelihood is what a model says of a sequence's targets.
type Likelihood struct {
	Nats   []float32 // the negative log-probability of each target, in order
	Greedy bool      // each is the model's first choice, of equals the smallest id
}

// ScoreOptions bound the work of Likelihoods; they change no bit of it.
type ScoreOptions struct {
	Memory  int64 // bytes of caches for what sequences share; 0: 256 MiB
	NoShare bool  // nothing is shared
}

// Likelihoods scores sequences of which many may begin alike: what they share is computed
// once. each is told every sequence's number with its likelihood, in any order; its bits do
// not depend on the other sequences.
func (s *Scorer) Likelihoods(ctx context.Context, sequences []Sequence, o ScoreOptions, each func(i int, l Likelihood) error) error {
	longest := 0
	for _, q := range sequences {
		longest = max(longest, len(q.IDs))
		if err := s.checkIDs(q.IDs); err != nil {
			return err
		}
	}
	p, err := s.sharer(longest)
	if err != nil {
		return err
	}
	units := neighbours(sequences, o.NoShare)
	first := 0 // sequence with which the wave begins
	for begin := 0; begin < len(units); begin += p.slots {
		wave := units[begin:min(len(units), begin+p.slots)]
		starts, n := make([]int, len(wave)), first
		for i, u := range wave {
			starts[i] = n
			n += len(u)
		}
		results := make([]Likelihood, n-first)
		for i := range results {
			results[i].Greedy = true
		}
		for round := sharedRound; ; round++ {
			parts, owner := parts(wave, round)
			if len(parts) == 0 {
				break
			}
			err := p.run(ctx, parts, func(i, sequence int, nats float32, greedy bool) {
				l := &results[starts[owner[i]]+sequence-first]
				l.Nats, l.Greedy = append(l.Nats, nats), l.Greedy && greedy
			})
			if err != nil {
				return err
			}
		}
		for i, l := range results {
			if err := each(first+i, l); err != nil {
				return err
			}
		}
		first = n
	}
	return nil
}

// neighbours puts sequences that follow one another and begin alike into units.
func neighbours(sequences []Sequence, alone bool) (units [][]Sequence) {
	for begin := 0; begin < len(sequences); {
		end := begin + 1
		for !alone && end < len(sequences) && 2*commonPrefix([]Sequence{sequences[begin], sequences[end]}) > len(sequences[begin].IDs) {
			end++
		}
		units = append(units, sequences[begin:end])
		begin = end
	}
	return units
}
