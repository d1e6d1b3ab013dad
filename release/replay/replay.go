// Package replay computes steps of a run again and compares them, bit by bit, with what was
// recorded: what no hash shows, that the run really went like that.
package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"olmo/device/cpu"
	"olmo/internal/parallel"
	"olmo/proof"
	"olmo/tensor"
	"olmo/train"
	"olmo/weights"
)

// Options say what is computed.
type Options struct {
	From, To int // steps; From 0: the first, To 0: the last
	// Sample, if positive, draws so many segments by Seed in place of From and To.
	Sample int
	Seed   uint64
	// MicroBatch is how many instances are computed at a time, 0 as the default says. It changes no
	// bit.
	MicroBatch int
	// Rollouts opens what samples and judges in a run of reinforcement learning, in the run's folder.
	Rollouts func(ctx context.Context, dir string, c *train.Config) (train.Rollouts, error)
	against  *Record // the other record, of Against
	verdict  *Verdict
	// Progress, which may be nil, is told of each step that was computed.
	Progress func(step, done, total int)
}

// Divergence is the first difference between record and computation.
type Divergence struct {
	Step int    `json:"step"`
	What string `json:"what"` // tokens, rollouts, loss, grad_norm, weights, optim, state, eval (metrics.jsonl)
	// Where tensors are known: the first that differs in byte order of names, and, where the
	// recorded one is there, its first element that differs with the bits of both, in hexadecimal.
	Tensor   *string `json:"tensor"`
	Element  []int   `json:"element"`
	Recorded *string `json:"recorded"`
	Computed *string `json:"computed"`
	// Message says it in words.
	Message string `json:"message"`
}

// Segment is one of those that were drawn.
type Segment struct {
	From int  `json:"from"`
	To   int  `json:"to"`
	OK   bool `json:"ok"`
}

// Report is what came out.
type Report struct {
	OK          bool        `json:"ok"`
	From        int         `json:"from"`
	To          int         `json:"to"`
	Start       string      `json:"start"` // the checkpoint from which was computed
	Divergence  *Divergence `json:"divergence"`
	WeightsRoot *proof.Hash `json:"weights_root"` // after To
	CPU         string      `json:"cpu"`
	Threads     int         `json:"threads"`
	Seconds     float64     `json:"seconds"`
	Training    float64     `json:"training_seconds"` // of them without opening and loading

	Evaluated   int       `json:"evaluated,omitempty"` // figures of evaluations that were computed again, and are those of the log
	Against     *Verdict  `json:"against,omitempty"`
	Segments    []Segment `json:"segments,omitempty"`
	Seed        *uint64   `json:"seed,omitempty"`
	ForgedShare float64   `json:"forged_share,omitempty"`
	Caught      float64   `json:"caught_probability,omitempty"`
	Notes       []string  `json:"notes"`
}

// forgedShare is the share of forged segments to which the sentence about samples speaks.
const forgedShare = 0.05

// Run computes steps of a record again. The error says that there is nothing to compare.
func Run(ctx context.Context, r *Record, o Options) (*Report, error) {
	began := time.Now()
	rep := &Report{OK: true, Threads: parallel.Threads(), CPU: cpu.Kernels(), Notes: []string{}}
	if err := r.judge(); err != nil {
		return nil, err
	}
	defer func() { rep.Seconds = time.Since(began).Seconds() }()
	if o.Sample > 0 {
		return rep, r.sample(ctx, o, rep)
	}
	rep.From, rep.To = o.From, o.To
	if rep.From == 0 {
		rep.From = r.First() + 1
	}
	if rep.To == 0 {
		rep.To = r.Last()
	}
	if rep.From <= r.First() || rep.To > r.Last() || rep.From > rep.To {
		return nil, fmt.Errorf("steps %d to %d are not in the run: it has steps %d to %d", rep.From, rep.To, r.First()+1, r.Last())
	}
	_, start, _, err := r.startOf(rep.From, o.against)
	if err != nil {
		return nil, err
	}
	rep.Start = fmt.Sprintf("step%d", start)
	return rep, r.compute(ctx, o, rep, rep.From, rep.To)
}

// sample computes segments that the seed draws.
func (r *Record) sample(ctx context.Context, o Options, rep *Report) error {
	all := r.segments()
	if len(all) == 0 {
		return errors.New("the record has no segment: no two of its states are there\nhint: --step computes steps from the state before them")
	}
	rep.Seed = &o.Seed
	k := min(o.Sample, len(all))
	if k < o.Sample {
		rep.Notes = append(rep.Notes, fmt.Sprintf("the record has %d segments; all are computed", k))
	}
	order := rand.New(rand.NewPCG(o.Seed, 0)).Perm(len(all))[:k]
	slices.Sort(order)
	rep.From, rep.To = all[order[0]][0]+1, all[order[k-1]][1]
	rep.Start = fmt.Sprintf("step%d", all[order[0]][0])
	rep.ForgedShare, rep.Caught = forgedShare, 1-power(1-forgedShare, k)
	for _, i := range order {
		s := Segment{From: all[i][0] + 1, To: all[i][1]}
		one := &Report{OK: true}
		if err := r.compute(ctx, o, one, s.From, s.To); err != nil {
			return err
		}
		s.OK = one.OK
		rep.Segments = append(rep.Segments, s)
		rep.Training += one.Training
		rep.Evaluated += one.Evaluated
		for _, text := range one.Notes {
			if !slices.Contains(rep.Notes, text) {
				rep.Notes = append(rep.Notes, text)
			}
		}
		rep.WeightsRoot = one.WeightsRoot
		if !one.OK && rep.OK {
			rep.OK, rep.Divergence = false, one.Divergence
		}
	}
	return nil
}

// power is x to a whole power, the same on every machine.
func power(x float64, n int) float64 {
	p := 1.0
	for range n {
		p *= x
	}
	return p
}

// compute computes the steps from … to, part after part, until one differs.
func (r *Record) compute(ctx context.Context, o Options, rep *Report, from, to int) error {
	for from <= to {
		_, end := r.partOf(from)
		last := to
		if end > 0 {
			last = min(last, end-1)
		}
		if err := r.computePart(ctx, o, rep, from, last); err != nil || !rep.OK {
			return err
		}
		from = last + 1
	}
	return nil
}

// computePart computes steps of one recipe.
func (r *Record) computePart(ctx context.Context, o Options, rep *Report, from, to int) (err error) {
	e := &evaluations{}
	if o.against == nil {
		if e, err = r.evaluations(from, to); err != nil {
			return err
		}
	}
	t, err := r.trainer(ctx, o, from, e)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	if t.State().Step == r.First() {
		if err := o.each(r, rep, func(r *Record, rep *Report) error { return r.compareState(t, r.first, rep) }); err != nil || !rep.OK {
			return err
		}
	}
	first := t.State().Step
	began := time.Now()
	defer func() { rep.Training += time.Since(began).Seconds() }()
	for t.State().Step < to {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := t.Step(); err != nil {
			if errors.Is(err, io.EOF) {
				err = errors.New("the data is at its end")
			}
			if errors.Is(err, train.ErrNotFinite) {
				rep.OK, rep.Divergence = false, &Divergence{Step: t.State().Step + 1, What: "loss", Message: "computed again, its loss or a gradient is no number"}
				return nil
			}
			return fmt.Errorf("step %d: %w", t.State().Step+1, err)
		}
		n := t.State().Step
		if o.Progress != nil {
			o.Progress(n, n-first, to-first)
		}
		if err := o.each(r, rep, func(r *Record, rep *Report) error { return r.compareStep(t, rep) }); err != nil || !rep.OK && (o.verdict == nil || !o.verdict.Other) {
			return err
		}
		if rep.OK && n >= from {
			if err := e.compare(ctx, t, rep); err != nil || !rep.OK {
				return err
			}
		}
	}
	params, _, err := t.Sums()
	if err != nil {
		return err
	}
	root := weights.Root(params)
	rep.WeightsRoot = &root
	return nil
}

// each compares with the record, and with the one that it is held against, as long as they agree
// with the computation.
func (o *Options) each(r *Record, rep *Report, compare func(r *Record, rep *Report) error) error {
	if rep.OK {
		if err := compare(r, rep); err != nil {
			return err
		}
	}
	if o.verdict == nil || !o.verdict.Other {
		return nil
	}
	other := &Report{OK: true}
	err := compare(o.against, other)
	o.verdict.Other, o.verdict.Divergence = other.OK, other.Divergence
	return err
}

// trainer stands in the state from which a step is computed.
func (r *Record) trainer(ctx context.Context, o Options, step int, e *evaluations) (*train.Trainer, error) {
	at, from, fresh, err := r.startOf(step, o.against)
	if err != nil {
		return nil, err
	}
	p, _ := r.partOf(step)
	text, err := r.recipe(p.recipe)
	if err != nil {
		return nil, err
	}
	tokens, masks, err := r.data(step)
	if err != nil {
		return nil, err
	}
	c, err := train.FromRecipe(text, tokens, masks)
	if err != nil {
		return nil, fmt.Errorf("the recipe: %w", err)
	}
	c.SaveFolder, c.Wandb = at.dir, nil
	// As a run that goes on: the part may have begun here with other data.
	c.AcceptChanges = true
	e.use(c)
	if c.Objective != nil {
		c.Objective.Reference = r.reference
	}
	if o.MicroBatch > 0 {
		c.DeviceTrainMicrobatchSize = o.MicroBatch
	}
	if fresh {
		c.InitWeights = r.init
	} else {
		c.LoadPath = at.checkpoint(from)
	}
	if c.Adapter != nil {
		if r.init == "" {
			return nil, errors.New("the run trained an adapter, and the model that it was trained for is not in the record")
		}
		// Its hash is in the recipe.
		c.InitWeights, c.Adapter.InitWeights = r.init, r.adapter
	}
	dev, err := cpu.New()
	if err != nil {
		return nil, err
	}
	planned := func(step int) bool {
		has := func(r *Record) bool { return r != nil && step <= r.Last() && r.line(step).Weights != nil }
		return has(r) || has(o.against)
	}
	opt := train.Options{Planned: planned}
	if c.Rollouts != nil {
		if o.Rollouts == nil {
			return nil, errors.New("the run samples answers and has them judged, and nothing here does that")
		}
		if opt.Rollouts, err = o.Rollouts(ctx, at.dir, c); err != nil {
			return nil, fmt.Errorf("rollouts: %w", err)
		}
	}
	return train.New(c, dev, opt)
}

// compareStep compares the step that was computed with its line. A difference on the way to the
// steps that were asked for is one of the record all the same.
func (r *Record) compareStep(t *train.Trainer, rep *Report) error {
	got, want := t.Line(), r.line(t.State().Step)
	d := &Divergence{Step: got.Step}
	digits := func(f float64) *string {
		s := fmt.Sprintf("%016x", bits(f))
		return &s
	}
	text := func(h *proof.Hash) *string {
		s := h.String()
		return &s
	}
	switch {
	case *got.Instances != *want.Instances:
		d.What, d.Recorded, d.Computed = "tokens", text(want.Instances), text(got.Instances)
		d.Message = "the record has other instances in the batch than the recipe gives"
	case *got.Tokens != *want.Tokens:
		d.What, d.Recorded, d.Computed = "tokens", text(want.Tokens), text(got.Tokens)
		d.Message = "the token files hold other tokens in the batch than the record says"
	case got.Rollouts != nil && (want.Rollouts == nil || *got.Rollouts != *want.Rollouts):
		d.What, d.Computed = "rollouts", text(got.Rollouts)
		if want.Rollouts != nil {
			d.Recorded = text(want.Rollouts)
		}
		d.Message = "the record has other answers to the step's prompts, or other rewards, than are sampled and given"
	case bits(got.Loss) != bits(want.Loss):
		d.What, d.Recorded, d.Computed = "loss", digits(want.Loss), digits(got.Loss)
		d.Message = fmt.Sprintf("the record has the loss %v, the computation gives %v", want.Loss, got.Loss)
	case bits(got.GradNorm) != bits(want.GradNorm):
		d.What, d.Recorded, d.Computed = "grad_norm", digits(want.GradNorm), digits(got.GradNorm)
		d.Message = fmt.Sprintf("the record has the gradient norm %v, the computation gives %v", want.GradNorm, got.GradNorm)
	}
	if d.What != "" {
		r.narrow(d)
		rep.OK, rep.Divergence = false, d
		return nil
	}
	if s := r.state(got.Step); s != nil {
		return r.compareState(t, s, rep)
	}
	return nil
}

func bits(f float64) uint64 { return math.Float64bits(f) }

// narrow says between which steps the cause of a loss or norm lies.
func (r *Record) narrow(d *Divergence) {
	if d.What == "tokens" || d.What == "rollouts" {
		return
	}
	before := r.First()
	for n := d.Step - 1; n > r.First(); n-- {
		if r.state(n) != nil {
			before = n
			break
		}
	}
	switch {
	case before == d.Step-1:
		d.Message += "; the state before it is as recorded"
	default:
		d.Message += fmt.Sprintf("; the record has no state between steps %d and %d, whose losses and norms are as recorded up to step %d: what differs lies in the update of step %d, or in a part of the state that shows here first", before, d.Step, d.Step-1, d.Step-1)
	}
}

// compareState compares the state that was computed with the roots of a line.
func (r *Record) compareState(t *train.Trainer, want *proof.Line, rep *Report) error {
	params, optim, err := t.Sums()
	if err != nil {
		return err
	}
	recordedParams, recordedOptim, err := r.tensors(want.Step)
	if err != nil {
		return err
	}
	for _, kind := range []struct {
		what, file string
		sums       []weights.Sum
		root       proof.Hash
		recorded   map[string]proof.Hash
	}{{"weights", train.ModelFile, params, *want.Weights, recordedParams}, {"optim", "optim.safetensors", optim, *want.Optim, recordedOptim}} {
		root := weights.Root(kind.sums)
		if root == kind.root {
			continue
		}
		recorded, computed := kind.root.String(), root.String()
		d := &Divergence{Step: want.Step, What: kind.what, Message: fmt.Sprintf("the record has the root %s over all tensors, the computation gives %s", recorded, computed)}
		if err := r.findTensor(t, d, kind.file, kind.sums, kind.recorded); err != nil {
			return err
		}
		rep.OK, rep.Divergence = false, d
		return nil
	}
	state := t.State()
	h, err := state.Hash()
	if err == nil && h != *want.State && want != r.first {
		recorded, computed := want.State.String(), h.String()
		rep.OK, rep.Divergence = false, &Divergence{Step: want.Step, What: "state", Recorded: &recorded, Computed: &computed, Message: "the trainer's counters (train.json) are others than the record binds"}
	}
	return err
}

// findTensor finds the first tensor that differs, and where its recorded bytes are there, the
// first element.
func (r *Record) findTensor(t *train.Trainer, d *Divergence, file string, sums []weights.Sum, recorded map[string]proof.Hash) error {
	for _, s := range sums {
		if h, ok := recorded[s.Name]; !ok || h == proof.Hash(s.SHA256) {
			continue
		}
		name := s.Name
		d.Tensor = &name
		d.Message = fmt.Sprintf("%s is other than recorded", name)
		return r.findElement(t, d, file, s)
	}
	return nil
}

func (r *Record) findElement(t *train.Trainer, d *Divergence, file string, s weights.Sum) error {
	if !slices.Contains(r.steps, d.Step) {
		return nil
	}
	set, err := weights.Open(r.checkpoint(d.Step) + "/" + file)
	if err != nil {
		return err
	}
	defer set.Close()
	there, err := set.Tensor(s.Name)
	if err != nil || there.DType != tensor.F32 || !slices.Equal(there.Shape, s.Shape) {
		return nil // verify speaks of such files
	}
	recorded, err := there.Float32s()
	if err != nil {
		return err
	}
	computed, err := t.Device().Read(s.Name)
	if err != nil {
		return err
	}
	for i := range computed {
		a, b := math.Float32bits(recorded[i]), math.Float32bits(computed[i])
		if a == b {
			continue
		}
		x, y := fmt.Sprintf("%08x", a), fmt.Sprintf("%08x", b)
		d.Recorded, d.Computed, d.Element = &x, &y, element(i, s.Shape)
		d.Message = fmt.Sprintf("%s%v is %v (%s) in the record and %v (%s) computed again", s.Name, d.Element, recorded[i], x, computed[i], y)
		return nil
	}
	return nil
}

// element is the place of the i-th element of a tensor.
func element(i int, shape []int) []int {
	at := make([]int, len(shape))
	for k := len(shape) - 1; k >= 0; k-- {
		at[k] = i % shape[k]
		i /= shape[k]
	}
	return at
}
