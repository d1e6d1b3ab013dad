package train

import (
	"olmo/device"
	"olmo/graph"
	"olmo/model"
)

// Estimate is what a run would need.
type Estimate struct {
	Parameters, WithoutEmbedding int
	model.FLOPs                  // for one token
	TokensPerStep                int
	Steps                        int   // 0 when max_duration counts epochs and the data is not there
	Tokens                       int64 // of the whole run
	Memory                       device.Memory
	Checkpoint                   int64 // bytes on the disk
}

// Estimate counts what the run would need, without its data. scratch returns the bytes of
// temporary values that a graph needs on the device.
func (c *Config) Estimate(scratch func(*graph.Graph, device.Options) int64) (*Estimate, error) {
	m, err := c.Model.Config()
	if err != nil {
		return nil, err
	}
	T := c.Model.MaxSequenceLength
	e := &Estimate{FLOPs: m.FLOPs(T), TokensPerStep: c.GlobalTrainBatchSize * T}
	e.Parameters, e.WithoutEmbedding = m.NumParams()
	switch d := c.MaxDuration; {
	case d.Tokens > 0:
		e.Tokens = d.Tokens
		e.Steps = int((d.Tokens + int64(e.TokensPerStep) - 1) / int64(e.TokensPerStep))
	case d.Epochs > 0:
		if data, err := c.openData(); err == nil {
			e.Steps = d.Epochs * data.Batches(c.GlobalTrainBatchSize, c.Data.VSLCurriculum)
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
	m.LossAndGradients(g, 0, c.recompute())
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
			for _, s := range c.Optimizer.states(group, p) {
				e.Memory.State += 4 * int64(s.size())
			}
		}
	}
	e.Checkpoint = e.Memory.Params + e.Memory.State
	e.Memory.Scratch = scratch(g, device.Options{Rows: min(c.DeviceTrainMicrobatchSize, c.GlobalTrainBatchSize) * T})
	return e, nil
}
