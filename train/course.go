package train

import (
	"io"

	"olmo/data/tokens"
)

// Course goes through the steps of a run as its settings plan them, without computing any: what each
// trains on, the counters after it, the rates. Whoever checks a run needs neither model nor device
// for that.
type Course struct {
	c      *Config
	data   *tokens.Dataset
	loader *tokens.Loader
	state  State
	epochs uint64
	steps  int   // that max_duration is
	tokens int64 // and at its end
	rates  []float64
}

// Planned is a step of a Course.
type Planned struct {
	Step, Epoch int
	Tokens      int64     // seen after it
	Instances   []uint32  // of all ranks, one after the other
	Length      int       // of each, in tokens
	Rates       []float64 // of each group of parameters
}

// Course begins after a state. The data's files must be there, and are open until Close.
func (c *Config) Course(from State) (*Course, error) {
	m, err := c.ModelConfig()
	if err != nil {
		return nil, err
	}
	d, err := c.openData()
	if err != nil {
		return nil, err
	}
	x := &Course{c: c, data: d, state: from}
	for _, g := range c.Optimizer.Groups(m.Trained()) {
		x.rates = append(x.rates, g.LearningRate)
	}
	if err := x.open(); err != nil {
		d.Close()
		return nil, err
	}
	return x, nil
}

func (x *Course) open() (err error) {
	if err := x.c.enough(x.data); err != nil {
		return err
	}
	x.steps, x.tokens, x.epochs = x.c.ends(x.state, x.c.epochLength(x.data))
	l := x.c.loaderConfig()
	l.Epoch, l.StartIndex = uint64(x.state.Epoch), x.state.ExamplesEpoch
	x.loader, err = tokens.NewLoader(x.data, l)
	return err
}

// Data are the token files, cut into instances.
func (x *Course) Data() *tokens.Dataset { return x.data }

// Close closes the token files.
func (x *Course) Close() error { return x.data.Close() }

// Next is the following step; io.EOF after the last epoch.
func (x *Course) Next() (*Planned, error) {
	for x.loader.Epoch() < x.epochs {
		x.loader.SetBatchSize(x.c.batchSize(x.state.Step, x.state.Tokens))
		instances, T := x.loader.Pass()
		if len(instances) == 0 {
			if x.loader.Batches() == 0 {
				break
			}
			x.loader.StartEpoch(x.loader.Epoch() + 1)
			x.state.Epoch, x.state.ExamplesEpoch = int(x.loader.Epoch()), 0
			continue
		}
		x.state.count(x.data, instances)
		p := &Planned{Step: x.state.Step, Epoch: x.state.Epoch, Tokens: x.state.Tokens, Instances: instances, Length: T}
		now, end := x.c.clock(&x.state, x.steps, x.tokens)
		now, end = x.c.countUpdates(now, end, x.c.updates()) // the last of the step
		for _, rate := range x.rates {
			p.Rates = append(p.Rates, x.c.learningRate(rate, now, end, x.state.Rewarm))
		}
		return p, nil
	}
	return nil, io.EOF
}

// State is where the course stands: the counters after the step that Next gave last.
func (x *Course) State() State { return x.state }
