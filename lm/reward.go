package lm

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"olmo/device"
	"olmo/graph"
	"olmo/model"
)

// RewardModel judges sequences by one number each: a model with a reward head in place of logits.
type RewardModel struct {
	*Model
	program device.Program
	rows    int // tokens of a forward pass
}

// OpenReward opens a reward model as Open opens a model that writes. Of a model that gives logits
// the error says so.
func OpenReward(path string, o Options) (*RewardModel, error) {
	m, err := open(path, o)
	if err != nil {
		return nil, err
	}
	if !m.Config.Reward {
		return nil, errors.Join(fmt.Errorf("%s is no reward model: it gives logits, and has no %s\nhint: 'olmo adapt reward' trains one", path, model.RewardHead), m.Close())
	}
	return m.RewardModel(), nil
}

// RewardModel returns the model as a judge; its Config is a reward model's.
func (m *Model) RewardModel() *RewardModel { return &RewardModel{Model: m} }

// prepare makes room for sequences of so many tokens.
func (r *RewardModel) prepare(longest int) error {
	if most := r.Config.T; longest > most {
		return fmt.Errorf("a sequence of %d tokens, the model has %d positions", longest, most)
	}
	if r.program != nil && longest <= r.rows {
		return nil
	}
	rows := max(longest, 2048)
	g := graph.New()
	r.Config.Rewards(g)
	return r.with(func() error {
		p, err := r.Device.Compile(g, device.Options{Rows: rows, Precision: r.precision})
		if err != nil {
			return fmt.Errorf("preparing the reward model: %w", err)
		}
		r.program, r.rows = p, rows
		return nil
	})
}

// Rewards returns the reward of each sequence of ids, which is read from its last token. It does not
// depend on the other sequences, nor on how many there are.
func (r *RewardModel) Rewards(ctx context.Context, sequences [][]int32) ([]float32, error) {
	longest := 0
	for i, ids := range sequences {
		if len(ids) == 0 {
			return nil, fmt.Errorf("sequence %d of %d has no tokens", i+1, len(sequences))
		}
		if err := checkIDs(ids, r.Config.V); err != nil {
			return nil, err
		}
		longest = max(longest, len(ids))
	}
	if longest == 0 {
		return nil, nil
	}
	if err := r.prepare(longest); err != nil {
		return nil, err
	}
	out := make([]float32, 0, len(sequences))
	for len(out) < len(sequences) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		b := &graph.Batch{}
		var last []int // the row of each sequence's last token
		for _, ids := range sequences[len(out):] {
			if len(b.IDs)+len(ids) > r.rows {
				break
			}
			b.IDs, b.Segments = append(b.IDs, ids...), append(b.Segments, graph.Segment{Rows: len(ids)})
			last = append(last, len(b.IDs)-1)
		}
		if err := r.program.Run(b); err != nil {
			return nil, err
		}
		rewards := r.program.Output("reward")
		for _, row := range last {
			out = append(out, rewards[row])
		}
	}
	if slices.ContainsFunc(out, func(x float32) bool { return x-x != 0 }) { // NaN or infinite
		return nil, errors.New("the reward model computes numbers that are not finite\nhint: olmo check says whether its weights are whole")
	}
	return out, nil
}
