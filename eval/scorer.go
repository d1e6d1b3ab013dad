// Package eval judges models: bits per byte of documents, and multiple-choice
// tasks, one file each.
package eval

import (
	"context"
	"errors"
	"fmt"

	"olmo/device"
	"olmo/graph"
	"olmo/model"
)

// Scorer computes the log-probabilities that a model gives to tokens.
type Scorer struct {
	cfg     *model.Config
	dev     device.Device
	bf16    bool
	program device.Program
	rows    int
	shared  *sharer // made when Choose first needs it
}

// NewScorer compiles the model for scoring sequences of at most longest tokens. Its
// parameters must be on the device when Score is called.
func NewScorer(cfg *model.Config, dev device.Device, longest int, bf16 bool) (*Scorer, error) {
	s := &Scorer{cfg: cfg, dev: dev, bf16: bf16, rows: max(longest, 2048)}
	g := graph.New()
	cfg.Loss(g, 0)
	p, err := dev.Compile(g, device.Options{Rows: s.rows, BF16: bf16})
	if err != nil {
		return nil, fmt.Errorf("preparing the model for scoring: %w", err)
	}
	s.program = p
	return s, nil
}

// ErrNotFinite is returned when a model's probabilities are not numbers.
var ErrNotFinite = errors.New("the model gives no probabilities: its logits are not numbers\nhint: the weights are damaged, or training diverged")

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
		for _, id := range b.IDs {
			if id < 0 || int(id) >= s.cfg.V {
				return fmt.Errorf("id %d is outside the model's vocabulary of %d\nhint: the tokenizer belongs to another model", id, s.cfg.V)
			}
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
