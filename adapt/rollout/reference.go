package rollout

import (
	"context"
	"fmt"

	"olmo/device"
	"olmo/device/cpu"
	"olmo/graph"
	"olmo/model"
	"olmo/train"
)

// reference is the policy that the one in training is held to: the weights that it began with.
type reference struct {
	program device.Program
	rows    int
}

// referenceRows are the tokens that the reference takes at a time, if one answer has no more.
const referenceRows = 2048

// Reference returns the log-probabilities of answers by the reference policy.
func (r *Rollouts) Reference(ctx context.Context, t *train.Trainer, answers []*train.Rollout) ([][]float64, error) {
	if r.reference == nil {
		var err error
		if r.reference, err = openReference(t, r.Model); err != nil {
			return nil, err
		}
	}
	out := make([][]float64, 0, len(answers))
	for len(answers) > 0 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		b, n := &graph.Batch{}, 0
		for ; n < len(answers); n++ {
			a := answers[n]
			prompt := len(a.Prompt.IDs)
			length := prompt + len(a.IDs)
			if n > 0 && len(b.IDs)+length > r.reference.rows {
				break
			}
			b.IDs = append(append(b.IDs, a.Prompt.IDs...), a.IDs...)
			for range prompt - 1 {
				b.Targets = append(b.Targets, -1)
			}
			b.Targets = append(append(b.Targets, a.IDs...), -1)
			b.Segments = append(b.Segments, graph.Segment{Rows: length})
		}
		if err := r.reference.program.Run(b); err != nil {
			return nil, err
		}
		ce := r.reference.program.Output("ce")
		for _, a := range answers[:n] {
			first := len(a.Prompt.IDs) - 1 // whose target is the answer's first id
			logps := make([]float64, len(a.IDs))
			for k := range logps {
				logps[k] = -float64(ce[first+k])
			}
			out = append(out, logps)
			ce = ce[first+1+len(a.IDs):]
		}
		answers = answers[n:]
	}
	return out, nil
}

// openReference compiles the reference: of a trainer with adapters the model without them, whose weights
// are on its device; else the weights at a path, on a device of their own.
func openReference(t *train.Trainer, path string) (*reference, error) {
	c := t.Config()
	rows := max(referenceRows, c.Data.RowLength)
	g, m, dev := graph.New(), *t.Model(), t.Device()
	adapted := m.Adapters != nil
	m.Adapters = nil
	if !adapted {
		var err error
		if dev, err = cpu.New(); err != nil {
			return nil, err
		}
	}
	m.Scores(g, float32(c.Rollouts.Temperature))
	p, err := dev.Compile(g, device.Options{Rows: rows, BF16: c.Precision == train.AMPBF16})
	if err != nil || adapted {
		return &reference{p, rows}, err
	}
	files, err := model.Open(path)
	if err != nil {
		return nil, err
	}
	defer files.Close()
	err = files.Each(func(p model.Param, w []float32) error { return dev.Write(p.Name, w) })
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return &reference{p, rows}, nil
}
