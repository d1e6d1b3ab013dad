package lm

import (
	"errors"
	"fmt"

	"olmo/device"
	"olmo/graph"
	"olmo/model"
)

// Forward runs a model on one sequence after the other, each from position 0 on.
type Forward struct {
	model   *Model
	program device.Program
	longest int
}

// Forward prepares a model for sequences of at most longest ids. keep, if set, gets the graph before it is
// compiled: what it keeps there is readable after each run.
func (m *Model) Forward(longest int, keep func(g *graph.Graph)) (*Forward, error) {
	return m.forward(longest, forwardOptions{keep: keep, often: true})
}

// forwardOptions are what Forward may be asked for.
type forwardOptions struct {
	keep   func(g *graph.Graph)
	hidden bool // the hidden states are kept
	often  bool // it runs more than once
}

func (m *Model) forward(longest int, o forwardOptions) (*Forward, error) {
	if most := m.Config.Longest(); most > 0 && longest > most {
		return nil, fmt.Errorf("sequences of %d ids, the model has %d positions", longest, most)
	}
	g := graph.New()
	m.Config.Logits(g, model.Options{Positions: longest, Taps: o.hidden})
	if o.keep != nil {
		o.keep(g)
	}
	f := &Forward{model: m, longest: longest}
	// A device packs frozen weights at the first run, which pays from the second one on,
	// and takes their memory twice.
	err := m.with(func() (err error) {
		f.program, err = m.Device.Compile(g, device.Options{Rows: longest, Selected: longest, Precision: m.precision, Frozen: o.often})
		return err
	})
	return f, err
}

// Run returns the logits (T, V) after each of T ids. They are valid until the next run.
func (f *Forward) Run(ids []int32) ([]float32, error) {
	if len(ids) == 0 || len(ids) > f.longest {
		return nil, fmt.Errorf("a sequence of %d ids, prepared for 1 to %d", len(ids), f.longest)
	}
	if err := checkIDs(ids, f.model.Config.V); err != nil {
		return nil, err
	}
	b := graph.Sequence(ids, 1)
	for r := range ids {
		b.Select = append(b.Select, int32(r))
	}
	if err := f.program.Run(b); err != nil {
		return nil, err
	}
	logits := f.program.Output("logits")
	for _, v := range logits {
		if v-v != 0 { // NaN or infinite
			return nil, errors.New("the model computes numbers that are not finite\nhint: olmo check says whether its weights are whole")
		}
	}
	return logits, nil
}

// Output returns a kept value of the last run, row by row.
func (f *Forward) Output(name string) []float32 { return f.program.Output(name) }
