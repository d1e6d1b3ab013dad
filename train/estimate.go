package train

import (
	"olmo/device"
	"olmo/graph"
	"olmo/model"
)

// Cost is what one token of a model costs.
type Cost struct {
	Parameters, WithoutEmbedding int
	// Forward and Backward are OLMo's floating point operations per token
	// (num_fwd_flops and num_bck_flops in olmo/model.py, 0.6.0): 2 for each parameter
	// outside the embedding and 4·L·C·T for attention; 4 for each parameter and
	// 8·L·C·T. No causal halving.
	Forward, Backward float64
	// Training is OLMo-core's figure for forward and backward, the base of MFU: 6 for each
	// parameter outside the embedding and 12·H·D·min(window, T) for each layer.
	Training float64
}

// CostOf counts a model's cost per token on sequences of T tokens.
func CostOf(m *model.Config, T int) Cost {
	f := m.FLOPs(T)
	c := Cost{Forward: f.Forward, Backward: f.Backward, Training: f.Core}
	c.Parameters, c.WithoutEmbedding = m.NumParams()
	if m.Tied {
		c.Training += 6 * float64(m.V*m.C) // the table is the head too
	}
	return c
}

// Estimate is what a run would need.
type Estimate struct {
	Cost
	TokensPerStep int
	Steps         int   // 0 when max_duration counts epochs and the data is not there
	Tokens        int64 // of the whole run
	Memory        device.Memory
	Checkpoint    int64 // bytes on the disk
}

// Estimate counts what the run would need, without its data. scratch returns the bytes of
// temporary values that a graph needs on the device.
func (c *Config) Estimate(scratch func(*graph.Graph, device.Options) int64) (*Estimate, error) {
	m, err := c.Model.Config()
	if err != nil {
		return nil, err
	}
	T := c.Model.MaxSequenceLength
	e := &Estimate{Cost: CostOf(m, T), TokensPerStep: c.GlobalTrainBatchSize * T}
	switch d := c.MaxDuration; {
	case d.Tokens > 0:
		e.Tokens = d.Tokens
		e.Steps = int((d.Tokens + int64(e.TokensPerStep) - 1) / int64(e.TokensPerStep))
	case d.Epochs > 0:
		if data, err := c.openData(); err == nil {
			e.Steps = d.Epochs * (data.Len() / c.GlobalTrainBatchSize)
			data.Close()
		}
	default:
		e.Steps = d.Steps
	}
	if c.StopAt != nil && (e.Steps == 0 || *c.StopAt < e.Steps) {
		e.Steps = *c.StopAt
	}
	if e.Tokens == 0 {
		e.Tokens = int64(e.Steps) * int64(e.TokensPerStep)
	}
	g := graph.New()
	m.Loss(g, 0, true)
	for i := range g.Values {
		switch v := &g.Values[i]; v.Space {
		case graph.Param:
			e.Memory.Params += 4 * int64(v.Size(1))
		case graph.Grad:
			e.Memory.Grads += 4 * int64(v.Size(1))
		}
	}
	for _, group := range c.Optimizer.Groups(m.Params()) {
		for _, p := range group.Params {
			e.Memory.State += 4 * int64(p.Size()) * int64(len(c.Optimizer.stateNames(group, p)))
		}
	}
	e.Checkpoint = e.Memory.Params + e.Memory.State
	e.Memory.Scratch = scratch(g, device.Options{Rows: min(c.DeviceTrainMicrobatchSize, c.GlobalTrainBatchSize) * T})
	return e, nil
}
