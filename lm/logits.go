package lm

import (
	"context"
	"errors"
	"fmt"

	"olmo/device"
	"olmo/graph"
	"olmo/model"
	"olmo/tensor"
)

// LogitsOptions say what Logits returns.
type LogitsOptions struct {
	Hidden bool           // the hidden states too
	Each   func(done int) // after each sequence; may be nil
}

// Logits runs the model on B sequences of T ids each. It returns the logits (B, T, V), and
// with o.Hidden the hidden states (L+1, B, T, C) as Hugging Face counts them: the
// embeddings, the output of each block, the last one after the final norm.
func (m *Model) Logits(ctx context.Context, rows [][]int32, o LogitsOptions) (logits, hidden tensor.Tensor, err error) {
	c, B, T := m.Config, len(rows), len(rows[0])
	if most := c.Longest(); most > 0 && T > most {
		return logits, hidden, fmt.Errorf("sequences of %d ids, the model has %d positions", T, most)
	}
	// A model with a cache of keys for one sequence: each of the rows begins anew at position 0,
	// so that one at a time takes the memory of one, however many there are.
	g := graph.New()
	c.Logits(g, model.Options{Positions: T, Taps: o.Hidden})
	// A device packs frozen weights at the first run, which pays from the second one on,
	// and takes their memory twice.
	var p device.Program
	err = m.with(func() (err error) {
		p, err = m.Device.Compile(g, device.Options{Rows: T, Selected: T, Precision: m.precision, Frozen: B > 1})
		return err
	})
	if err != nil {
		return logits, hidden, err
	}
	L := c.Layers + 1
	numbers := make([]float32, B*T*c.V)
	var states []float32
	if o.Hidden {
		states = make([]float32, L*B*T*c.C)
	}
	for i, ids := range rows {
		if err := ctx.Err(); err != nil {
			return logits, hidden, err
		}
		b := graph.Sequence(ids, 1)
		for r := range ids {
			b.Select = append(b.Select, int32(r))
		}
		if err := p.Run(b); err != nil {
			return logits, hidden, err
		}
		copy(numbers[i*T*c.V:], p.Output("logits"))
		for l := range L {
			if o.Hidden {
				copy(states[(l*B+i)*T*c.C:], p.Output(fmt.Sprintf("hidden.%d", l)))
			}
		}
		if o.Each != nil {
			o.Each(i + 1)
		}
	}
	for _, v := range numbers {
		if v-v != 0 { // NaN or infinite
			return logits, hidden, errors.New("the model computes numbers that are not finite\nhint: olmo check says whether its weights are whole")
		}
	}
	logits = tensor.FromFloat32([]int{B, T, c.V}, numbers)
	if o.Hidden {
		hidden = tensor.FromFloat32([]int{L, B, T, c.C}, states)
	}
	return logits, hidden, nil
}
