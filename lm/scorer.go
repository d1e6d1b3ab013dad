package lm

import (
	"context"
	"fmt"

	"olmo/device"
	"olmo/graph"
)

// Scorer computes the log-probabilities that a model gives to tokens.
type Scorer struct {
	model   *Model
	program device.Program
	rows    int
}

// Scorer prepares a model for scoring sequences of at most longest tokens.
func (m *Model) Scorer(longest int) (*Scorer, error) {
	s := &Scorer{model: m, rows: max(longest, 2048)}
	g := graph.New()
	m.Config.Loss(g, 0)
	err := m.with(func() (err error) {
		if s.program, err = m.Device.Compile(g, device.Options{Rows: s.rows, Precision: m.precision}); err != nil {
			return fmt.Errorf("preparing the model for scoring: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Model returns the model that the Scorer was made of.
func (s *Scorer) Model() *Model { return s.model }

// Rows returns how many tokens one forward pass takes: sequences are scored fastest when
// there are many times as many at once.
func (s *Scorer) Rows() int { return s.rows }

// Sequence is what one forward pass scores: the probability of Targets[i] after
// IDs[0…i]. A negative target is not scored.
type Sequence struct {
	IDs, Targets []int32
}

// Score calls each with the negative log-probabilities, in nats, of every sequence
// in turn. A sequence's numbers do not depend on the others.
func (s *Scorer) Score(ctx context.Context, sequences []Sequence, each func(i int, nats []float32)) error {
	for begin := 0; begin < len(sequences); {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := &graph.Batch{}
		end := begin
		for ; end < len(sequences); end++ {
			q := sequences[end]
			if len(q.IDs) > s.rows {
				return fmt.Errorf("a sequence of %d tokens, prepared for %d", len(q.IDs), s.rows)
			}
			if len(b.IDs)+len(q.IDs) > s.rows {
				break
			}
			b.IDs, b.Targets = append(b.IDs, q.IDs...), append(b.Targets, q.Targets...)
			b.Segments = append(b.Segments, graph.Segment{Rows: len(q.IDs)})
		}
		if err := checkIDs(b.IDs, s.model.Config.V); err != nil {
			return err
		}
		if err := s.program.Run(b); err != nil {
			return err
		}
		ce, row := s.program.Output("ce"), 0
		for ; begin < end; begin++ {
			n := len(sequences[begin].IDs)
			each(begin, ce[row:row+n])
			row += n
		}
	}
	return nil
}

// checkIDs wants ids below V.
func checkIDs(ids []int32, V int) error {
	for _, id := range ids {
		if id < 0 || int(id) >= V {
			return fmt.Errorf("id %d is outside the model's vocabulary of %d\nhint: the tokenizer belongs to another model", id, V)
		}
	}
	return nil
}
