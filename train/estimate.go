package train

import (
	"cmp"
	"fmt"

	"olmo/data/tokens"
	"olmo/device"
	"olmo/graph"
	"olmo/model"
	"olmo/numeric"
)

// Estimate is what a run would need.
type Estimate struct {
	Parameters, WithoutEmbedding int
	Trained                      int // of an adapter; 0: all are trained
	model.FLOPs                      // for one token
	TokensPerStep                int
	Steps                        int   // 0 when max_duration counts epochs and the data is not there
	Tokens                       int64 // of the whole run
	Memory                       Memory
	Checkpoint                   int64 // bytes on the disk
	// Warning says that the learning rate is next to nothing in all the run, or is empty.
	Warning string
}

// Memory is what a run takes at its peak, in bytes, besides what the process has before
// it. What evaluators of type downstream and samples take is not counted.
type Memory struct {
	device.Memory
	Batches int64 // read ahead
	Copy    int64 // that a checkpoint is written from
}

// Total returns the sum, with the garbage that Go's collector lets pile up.
func (m Memory) Total() int64 {
	const garbage = 4 // a part of so many
	return m.Memory.Total() + m.Batches + m.Copy + (m.Buffers+m.Batches+m.Copy)/garbage
}

// Needs tells what a device takes that runs graphs; stepRows is the most tokens of a
// step. cpu.Needs is one.
type Needs func(o device.Options, stepRows int, graphs ...*graph.Graph) device.Memory

// Estimate counts what the run would need, without its data.
func (c *Config) Estimate(needs Needs) (*Estimate, error) {
	m, err := c.ModelConfig()
	if err != nil {
		return nil, err
	}
	T := c.chunk()
	e := &Estimate{FLOPs: m.FLOPs(c.row()), TokensPerStep: c.GlobalTrainBatchSize * T}
	if c.Data.Name == tokens.Rows {
		if data, err := c.openData(); err == nil { // whose rows are shorter
			e.TokensPerStep = int(float64(c.GlobalTrainBatchSize) * data.MeanLength())
			data.Close()
		}
	}
	if r := c.Rollouts; r != nil { // the longest answers: how long they become only the run tells
		e.TokensPerStep = (e.TokensPerStep + c.GlobalTrainBatchSize*r.ResponseLength) * r.Samples
	}
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
	steps, tokens := e.Steps, e.Tokens
	if tokens == 0 {
		tokens = int64(steps) * int64(e.TokensPerStep)
	}
	e.Tokens = tokens
	if c.StopAt != nil && (e.Steps == 0 || *c.StopAt < e.Steps) {
		e.Steps = *c.StopAt
		e.Tokens = int64(e.Steps) * int64(e.TokensPerStep)
	}
	if steps > 0 { // else epochs of data that is elsewhere
		e.Warning = c.idleRates(e.Steps, steps, tokens)
	}
	params := m.Trained()
	if m.Adapters != nil {
		for _, p := range params {
			e.Trained += p.Size()
		}
	}
	groups := c.Optimizer.Groups(params)
	e.Checkpoint = checkpointBytes(groups, &c.Optimizer)
	e.Memory = c.memory(m, groups, needs)
	if a := c.Adapter; a != nil && a.Stored && c.InitWeights != "" {
		l, err := model.Open(c.InitWeights)
		if err != nil {
			return nil, fmt.Errorf("init_weights: %w", err)
		}
		defer l.Close()
		all, _ := l.Config.NumParams()
		e.Memory.Params += l.FileBytes() - 4*int64(all)
	}
	return e, nil
}

// memory counts what the programs of a run and the rest of it take.
func (c *Config) memory(m *model.Config, groups []Group, needs Needs) Memory {
	g := graph.New()
	c.loss(m, g)
	uses := map[string]int{}
	for _, p := range g.Params() {
		uses[g.Info(p).Name] = len(g.Grads(p))
	}
	step := c.learnt() * c.chunk()
	n := Memory{Memory: needs(c.options(), step, g, c.Optimizer.updateGraph(groups, uses))}
	if c.LoadBalancingWeight > 0 {
		g := graph.New()
		m.Choices(g)
		n.Scratch = max(n.Scratch, needs(c.options(), step, g).Scratch)
	}
	if o := c.evaluationOptions(); o.Rows > 0 {
		g := graph.New()
		evaluation(m, g)
		n.Scratch = max(n.Scratch, needs(o, step, g).Scratch)
	}
	if c.Rollouts != nil {
		c.addSampling(&n, m, needs)
	}
	const ahead, perToken = 4, 12 // ids, and the targets of those that the model runs
	n.Batches = int64(ahead * perToken * step)
	if b := checkpointBytes(groups, &c.Optimizer); b <= copied {
		n.Copy = b
	}
	return n
}

// SamplingBytes is up to how much memory the keys and values of answers take while they are sampled, of
// a run with rollouts. SamplingSlots are how many are sampled at once, at most.
const (
	SamplingBytes int64 = 4 << 30
	SamplingSlots       = 256
)

// addSampling adds what sampling takes: keys and values, the weights in the form of decoding, and those
// of the reference.
func (c *Config) addSampling(n *Memory, m *model.Config, needs Needs) {
	g := graph.New()
	pages := (c.row() + numeric.Cut - 1) / numeric.Cut
	m.Logits(g, model.Options{Pages: pages, Recent: pages, Page: numeric.Cut, Positions: c.row(), Cache: "rollouts"})
	one := needs(device.Options{Rows: 512, Selected: 256, Precision: c.Precision, Frozen: true}, 0, g)
	n.State += min(one.State*int64(min(c.learnt(), SamplingSlots)), SamplingBytes)
	n.Scratch = max(n.Scratch, one.Scratch)
	n.Buffers += one.Params
	if c.Rollouts.Beta > 0 {
		n.Params += one.Params
	}
	if c.follows() {
		n.State += one.Params
	}
}

// options are what the loss and its gradients are compiled for.
func (c *Config) options() device.Options {
	return device.Options{Rows: min(c.DeviceTrainMicrobatchSize, c.learnt()) * c.chunk(), Precision: c.Precision}
}

// evaluationOptions are what the loss on held-out sets is compiled for; no rows without
// evaluators of type lm or rows.
func (c *Config) evaluationOptions() device.Options {
	o := device.Options{Precision: c.Precision}
	for i := range c.Evaluators {
		switch e := &c.Evaluators[i]; e.Type {
		case "lm":
			o.Rows = max(o.Rows, c.EvaluationBatch(e)*c.Model.MaxSequenceLength)
		case "rows":
			o.Rows = max(o.Rows, c.EvaluationBatch(e)*cmp.Or(e.Data.RowLength, c.row())*max(e.Data.RowGroup, 1))
		}
	}
	return o
}

// EvaluationBatch is how many instances of an evaluator the model runs at once.
func (c *Config) EvaluationBatch(e *EvaluatorConfig) int {
	if e.DeviceEvalBatchSize != nil {
		return *e.DeviceEvalBatchSize
	}
	return c.DeviceEvalBatchSize
}
