package lm

import (
	"context"
	"fmt"

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
	// One sequence at a time takes the memory of one, however many there are.
	f, err := m.forward(T, forwardOptions{hidden: o.Hidden, often: B > 1})
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
		one, err := f.Run(ids)
		if err != nil {
			return logits, hidden, err
		}
		copy(numbers[i*T*c.V:], one)
		for l := range L {
			if o.Hidden {
				copy(states[(l*B+i)*T*c.C:], f.Output(fmt.Sprintf("hidden.%d", l)))
			}
		}
		if o.Each != nil {
			o.Each(i + 1)
		}
	}
	logits = tensor.FromFloat32([]int{B, T, c.V}, numbers)
	if o.Hidden {
		hidden = tensor.FromFloat32([]int{L, B, T, c.C}, states)
	}
	return logits, hidden, nil
}
