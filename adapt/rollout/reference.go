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
	dev     device.Device
	rows    int
	at      int // the step after which it was moved last, of one that follows; −1: not yet taken
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
	if err := r.reference.follow(t); err != nil {
		return nil, err
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

// openReference compiles the reference: of a trainer that began with a new adapter the model without it, whose
// weights are on its device; else the weights at a path, with the adapter that the run began with, on a device
// of their own.
func openReference(t *train.Trainer, path string) (*reference, error) {
	c := t.Config()
	rows := max(referenceRows, c.Data.RowLength)
	g, m, dev := graph.New(), *t.Model(), t.Device()
	adapter := "" // that the run began with
	if a := c.Adapter; a != nil {
		adapter = a.InitWeights
	}
	adapted := m.Adapters != nil && adapter == ""
	if adapter == "" {
		m.Adapters = nil
	}
	if !adapted {
		var err error
		if dev, err = cpu.New(); err != nil {
			return nil, err
		}
	}
	m.Scores(g, float32(c.Rollouts.Temperature))
	p, err := dev.Compile(g, device.Options{Rows: rows, Precision: c.Precision})
	r := &reference{p, dev, rows, -1}
	if err != nil || adapted || c.Rollouts.ReferenceEvery != nil {
		return r, err
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
	if adapter != "" {
		err = writeAdapter(dev, &m, adapter)
	}
	return r, err
}

// follow takes the weights of a reference that follows from the trainer's device, where they are others.
func (r *reference) follow(t *train.Trainer) error {
	c := t.Config()
	at := c.Followed(t.State().Step + 1) // before the step that is being made
	if c.Rollouts.ReferenceEvery == nil || at == r.at {
		return nil
	}
	r.at = at
	for _, p := range t.Model().Params() {
		w, err := t.Device().Lend(train.ReferencePrefix + p.Name)
		if err == nil {
			err = r.dev.Write(p.Name, w)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// writeAdapter brings the matrices of a folder's adapter to a device.
func writeAdapter(dev device.Device, m *model.Config, dir string) error {
	base := *m
	base.Adapters = nil
	a, err := model.OpenPEFT(dir, &base)
	if err != nil {
		return err
	}
	defer a.Close()
	for _, p := range m.AdapterParams() {
		w, err := a.Weights(p)
		if err == nil {
			err = dev.Write(p.Name, w)
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", dir, err)
		}
	}
	return nil
}
