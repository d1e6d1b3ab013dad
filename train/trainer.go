// Package train trains a model: the loop, optimisers, schedules, data order,
// checkpoints and metrics, as OLMo trains and resumable to the bit.
//
// It follows the ai2-olmo package (olmo/train.py, 0.6.0) step by step; docs/training.md
// lists what is easy to get wrong.
package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"olmo/config"
	"olmo/data/tokens"
	"olmo/device"
	"olmo/graph"
	"olmo/model"
	"olmo/proof"
	"olmo/runlog"
	"olmo/store"
)

// Options are what a caller may add to a run.
type Options struct {
	// ConfigPath is the file that the config came from, which the run must not
	// overwrite.
	ConfigPath string
	// Warn is told what the user should know, also from other goroutines.
	Warn func(text string)
	// Progress is called after every step.
	Progress func(Progress)
	// Evaluate is called every eval_interval steps and at the end, after the evaluators of
	// type lm, which need nobody's help; its results join the step's record.
	Evaluate Evaluator
	// Sample is called every sample_interval steps.
	Sample Sampler
	// Rollouts answer prompts, in a run with rollouts.
	Rollouts Rollouts
	// Sampling is told how many of a step's answers are there.
	Sampling func(step, done, total int)
	// Files are written into save_folder at the beginning: the tokenizer of a model that
	// the run starts from, say, under the names of a Hugging Face folder.
	Files map[string][]byte
	// Record may add to what the log gets of a step.
	Record func(r runlog.Record)
	// Planned tells after which steps the chain binds the whole state, in place of the config's
	// intervals: a replay follows the record.
	Planned func(step int) bool
	// Sign signs the head of the chain, every chain_note_interval steps: how many lines it has, and the
	// root of the tree over them. What it returns is a file of the run, below notes/.
	Sign func(lines uint64, root proof.Hash) ([]byte, error)
	// Hashing is told how many bytes of the token files have been hashed before the run.
	Hashing func(done, total int64)
	// PeakFLOPS is what the machine could do at best, in operations a second; 0 when
	// it is not known.
	PeakFLOPS float64
}

// Evaluator judges the model in the middle of a run. Its programs may use the
// trainer's device, whose parameters are the model's.
type Evaluator interface {
	Evaluate(ctx context.Context, t *Trainer) (map[string]float64, error)
}

// Sampler shows what the model writes in the middle of a run.
type Sampler interface {
	Sample(ctx context.Context, t *Trainer) error
}

// Progress is how far a run is.
type Progress struct {
	Step, Steps     int // the last step is Steps
	MaxSteps        int // that max_duration is, on which the schedule goes
	Epoch           int
	Tokens          int64         // seen so far
	TokensPerSecond float64       // over the last speed_monitor.window_size steps
	Loss            float64       // cross entropy, nats, with the run's denominator
	LearningRate    float64       // of group 0
	GradNorm        float64       // before clipping
	Left            time.Duration // an estimate
	Record          runlog.Record // what metrics.jsonl got
}

// State is where a run stands.
type State struct {
	Step          int   `json:"global_step"`
	Epoch         int   `json:"epoch"`
	ExamplesEpoch int   `json:"global_train_examples_seen_this_epoch"`
	Tokens        int64 `json:"global_train_tokens_seen"`
	// OptimizerSteps counts updates, for AdamW's bias correction: an annealing run goes on
	// counting while Step starts again.
	OptimizerSteps int `json:"optimizer_steps"`
	// Chain is the hash of the step's line in chain.jsonl, which binds all before it.
	Chain proof.Hash `json:"chain"`
	// WorldSize is the number of ranks that share each batch.
	WorldSize int `json:"world_size"`
	// Data is the fingerprint of the token files.
	Data string `json:"data_fingerprint"`
	// Skipped is fast_forward_batches once it has had its effect: the run that continues must not
	// skip them again.
	Skipped int `json:"fast_forward_batches,omitempty"`
	// MinLoss is the least loss so far, for early_stopping_factor.
	MinLoss *float64 `json:"min_train_loss,omitempty"`
	// Recent is what skip_step_adamw remembers.
	Recent *history `json:"recent,omitempty"`
	// NormAverages are the running gradient norms of max_grad_norm_ratio, by parameter.
	NormAverages map[string]float64 `json:"grad_norm_exp_avg,omitempty"`
	// Unjudged is the record of the last step when the run was stopped while evaluating.
	Unjudged runlog.Record `json:"unjudged,omitempty"`
	// Record is what older checkpoints have of what is in record.json now.
	Record runlog.Record `json:"record,omitempty"`
	// Rewarm are the times between which the rate rises again from 0 after a reset of
	// the optimiser.
	Rewarm *[2]float64 `json:"rewarm,omitempty"`
}

// Trainer is a run.
type Trainer struct {
	cfg *Config
	// written is what config.yaml says, in save_folder and in each checkpoint.
	written *Config
	opt     Options
	model   *model.Config
	params  []model.Param // in the order of the forward pass
	byName  []model.Param // in byte order of the names
	dev     device.Device
	data    *tokens.Dataset
	feed    *feeder
	state   State

	groups           []Group
	uses             map[string]int // gradients of each parameter
	loss, update     device.Program
	objective        stepLoss       // nil: the cross entropy
	sum              device.Program // of the gradients of tied tables, nil without
	clip             device.Program // by parameter, nil without max_grad_norm_ratio
	zero             device.Program // in place of a skipped update
	choices          device.Program // of experts, which the loss of load balancing counts; nil without
	stopAt, maxSteps int
	maxTokens        int64
	before           *Config  // of the run that goes on in its folder, where a key of changeable differs
	resumed          bool     // the step count goes on from a checkpoint
	firstLimit       *float64 // of the gradient norm at the next step, nil: the scheduler's
	inFolder         bool     // which lies in save_folder
	log              *runlog.Log
	events           *runlog.TensorBoard // nil without
	texts            *runlog.Log         // samples, nil without
	traces           *runlog.Log         // rollouts, nil without
	recorded         runlog.Record       // what the log got last
	indices          *indices            // nil without save_data_indices
	checkpoints      checkpoints
	chain            chain
	lost             lastLines   // of the checkpoint that was loaded
	lock             *store.Lock // on save_folder, nil outside of Run
	uploads          *uploads    // nil without remote_save_folder
	speed            speed
	lastLR           []float64
	routers          [2]float64 // load balancing and z-loss of the last step
	targets          int        // tokens of the last step that have one
	lastLoss         float64
	heldOut          []heldOut
	heldOutRows      []heldOutRows
	eval             device.Program // of the loss on held-out sets, nil without
	base             *model.Loaded  // of an adapter, while its matrices are on the device and the rest is not
}

// ErrNotFinite is what Run returns when a loss or a gradient is no number.
var ErrNotFinite = errors.New("the loss is not finite")

// Result says how a run ended.
type Result struct {
	Step   int
	Reason Reason
}

// Reason is why a run ended.
type Reason string

// The reasons.
const (
	Finished     Reason = "finished"
	Interrupted  Reason = "interrupted" // the context was cancelled; a checkpoint was saved
	TimeLimit    Reason = "time limit"
	EarlyStopped Reason = "early stopping"
)

// New prepares a run on a device: data, model, initial weights or a checkpoint,
// programs. Nothing is written before Run.
func New(cfg *Config, dev device.Device, opt Options) (_ *Trainer, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if opt.Warn == nil {
		opt.Warn = func(string) {}
	}
	m, err := cfg.ModelConfig()
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	if a := cfg.Model; (a.AttentionDropout != 0 || a.ResidualDropout != 0 || a.EmbeddingDropout != 0) && m.AttentionDropout+m.ResidualDropout+m.EmbeddingDropout == 0 {
		opt.Warn("this model is trained without dropout: set model.attention_dropout, residual_dropout and embedding_dropout to 0")
	}
	if f := cfg.AuxiliaryLossMultiplier; cfg.SoftmaxAuxiliaryLoss && cfg.ZLossMultiplier == nil && f != nil && *f != cfg.zmul() {
		opt.Warn(fmt.Sprintf("auxiliary_loss_multiplier is %g, and the factor of the z-loss is %g all the same, as in ai2-olmo 0.6.0, whose trainer does not read that key: z_loss_multiplier sets it", *f, cfg.zmul()))
	}
	if cfg.Rollouts != nil && opt.Rollouts == nil {
		return nil, errors.New("this run samples answers and has them judged while it trains, which 'olmo adapt grpo' does")
	}
	t := &Trainer{cfg: cfg, opt: opt, model: m, params: m.Trained(), dev: dev, chain: chain{dir: cfg.SaveFolder}}
	t.speed = speed{window: cfg.SpeedMonitor.WindowSize, cost: m.FLOPs(cfg.chunk()), peak: opt.PeakFLOPS}
	if f := cfg.SpeedMonitor.GPUFlopsAvailable; f != nil {
		t.speed.peak = *f
	}
	defer func() {
		if err != nil {
			t.Close()
		}
	}()
	// Run takes the folder; who cannot have it should not wait for the loading.
	if err := store.HeldIn(cfg.SaveFolder); err != nil {
		return nil, fmt.Errorf("save_folder: %w", err)
	}
	if t.data, err = cfg.openData(); err != nil {
		return nil, err
	}
	if err := cfg.enough(t.data); err != nil {
		return nil, err
	}
	if t.state.Data, err = cfg.fingerprint(); err != nil {
		return nil, err
	}
	t.state.WorldSize = cfg.ranks()
	if err := t.storeBase(); err != nil {
		return nil, err
	}
	if err := t.compile(); err != nil {
		return nil, err
	}
	if err := t.start(); err != nil {
		return nil, err
	}
	if !t.resumed {
		if err := t.beginReference(); err != nil {
			return nil, err
		}
	}
	if err := t.openEvaluators(); err != nil {
		return nil, err
	}
	if err := t.plan(); err != nil {
		return nil, err
	}
	if text := t.cfg.idleRates(t.stopAt, t.maxSteps, t.maxTokens); text != "" && !t.resumed {
		t.opt.Warn(text)
	}
	debug.FreeOSMemory() // weights were copied on their way to the device
	return t, nil
}

// compile builds the graphs: the loss with its gradients, the sum of the gradients of
// a table used twice, and the update.
func (t *Trainer) compile() error {
	g := graph.New()
	t.cfg.loss(t.model, g)
	o := t.cfg.options()
	var err error
	if t.objective, err = t.cfg.objective(); err != nil {
		return err
	}
	if t.loss, err = t.dev.Compile(g, o); err != nil {
		return fmt.Errorf("compiling the model: %w", err)
	}
	if t.cfg.LoadBalancingWeight > 0 {
		g := graph.New()
		t.model.Choices(g)
		if t.choices, err = t.dev.Compile(g, o); err != nil {
			return fmt.Errorf("compiling the choices of experts: %w", err)
		}
	}
	t.uses = map[string]int{}
	for _, v := range g.Params() {
		t.uses[g.Info(v).Name] = len(g.Grads(v))
	}
	t.byName = slices.SortedFunc(slices.Values(t.params), func(a, b model.Param) int { return strings.Compare(a.Name, b.Name) })
	o.Rows = 0
	if s := sumGraph(t.params, t.uses, t.cfg.Precision); s != nil {
		if t.sum, err = t.dev.Compile(s, o); err != nil {
			return fmt.Errorf("compiling the sum of gradients: %w", err)
		}
	}
	if t.cfg.MaxGradNormRatio != nil {
		if t.clip, err = t.dev.Compile(clipGraph(t.byName), o); err != nil {
			return fmt.Errorf("compiling the clip: %w", err)
		}
	}
	t.groups = t.cfg.Optimizer.Groups(t.params)
	skip := graph.New()
	zero(skip, t.groups, t.uses)
	if t.zero, err = t.dev.Compile(skip, o); err != nil {
		return fmt.Errorf("compiling the reset of gradients: %w", err)
	}
	update := t.cfg.Optimizer.updateGraph(t.groups, t.uses)
	t.addReference(update)
	if t.update, err = t.dev.Compile(update, o); err != nil {
		return fmt.Errorf("compiling the optimiser: %w", err)
	}
	return nil
}

// ends turns max_duration into the last step, the tokens seen then, and how many epochs there are, of
// a run that goes on from a state over data of n instances.
func (c *Config) ends(s State, n int) (steps int, tokens int64, epochs uint64) {
	B, T := c.GlobalTrainBatchSize, c.Model.MaxSequenceLength
	perEpoch := max(n/B, 1)
	perBatch := int64(B * T)
	scheduled := len(c.BatchSizeSchedule) > 0
	epochs = math.MaxInt64
	switch d := c.MaxDuration; {
	case d.Epochs > 0:
		epochs = uint64(d.Epochs)
		steps, tokens = d.Epochs*perEpoch, int64(d.Epochs*perEpoch)*perBatch
		if scheduled {
			steps, tokens = c.simulate(State{}, func(s State) bool { return s.Epoch >= d.Epochs }, n)
		}
	case d.Tokens > 0:
		left := max(d.Tokens-s.Tokens, 0)
		steps, tokens = s.Step+int((left+perBatch-1)/perBatch), d.Tokens
		if scheduled {
			steps, _ = c.simulate(State{}, func(s State) bool { return s.Tokens >= d.Tokens }, n)
		}
	default:
		steps, tokens = d.Steps, s.Tokens+int64(max(d.Steps-s.Step, 0))*perBatch
		if scheduled {
			_, tokens = c.simulate(State{}, func(s State) bool { return s.Step >= d.Steps }, n)
		}
	}
	if !scheduled {
		epochs = uint64((steps + perEpoch - 1) / perEpoch)
	}
	return steps, tokens, epochs
}

// plan decides when the run ends and opens the data where it stands.
func (t *Trainer) plan() error {
	c := t.cfg
	var epochs uint64
	t.maxSteps, t.maxTokens, epochs = c.ends(t.state, c.epochLength(t.data))
	// OLMo goes on for ten steps after the end unless stop_at says otherwise.
	t.stopAt = t.maxSteps + 10
	if c.StopAt != nil {
		t.stopAt = *c.StopAt
	}
	if c.StopAfter != nil {
		after := t.state.Step + *c.StopAfter
		if c.StopAt == nil || after < t.stopAt {
			t.stopAt = after
		}
	}
	l := c.loaderConfig()
	l.Epoch, l.StartIndex = uint64(t.state.Epoch), t.state.ExamplesEpoch
	if n := c.FastForwardBatches; n != nil && t.resumed && !(t.inFolder && t.state.Skipped == *n) {
		l.StartIndex += *n * c.GlobalTrainBatchSize
		t.state.ExamplesEpoch, t.state.Skipped = l.StartIndex, *n
	}
	var err error
	t.feed, err = newFeeder(c, t.data, l, epochs, t.state)
	return err
}

// simulate counts the steps and tokens of a run whose batch size changes, from a state on
// until it is done, over data of n instances.
func (c *Config) simulate(s State, done func(State) bool, n int) (steps int, tokens int64) {
	for !done(s) {
		B := c.batchSize(s.Step, s.Tokens)
		left := n - s.ExamplesEpoch
		if left <= 0 || left < B && c.Data.DropLast {
			s.Epoch, s.ExamplesEpoch = s.Epoch+1, 0
			continue
		}
		B = min(B, left)
		s.Step++
		s.ExamplesEpoch += B
		s.Tokens += int64(B * c.Model.MaxSequenceLength)
	}
	return s.Step, s.Tokens
}

// Model is the model that is trained.
func (t *Trainer) Model() *model.Config { return t.model }

// Device holds the parameters under their names.
func (t *Trainer) Device() device.Device { return t.dev }

// Config is the run's configuration.
func (t *Trainer) Config() *Config { return t.cfg }

// State is where the run stands.
func (t *Trainer) State() State { return t.state }

// Steps is the step at which the run ends.
func (t *Trainer) Steps() int { return t.stopAt }

// Sampled is told by Options.Rollouts how many of a step's answers are there.
func (t *Trainer) Sampled(step, done, total int) {
	if t.opt.Sampling != nil {
		t.opt.Sampling(step, done, total)
	}
}

// OnProgress replaces Options.Progress.
func (t *Trainer) OnProgress(f func(Progress)) { t.opt.Progress = f }

// Close stops reading data and releases the files. It is needed once, after Run too.
func (t *Trainer) Close() error {
	if t.feed != nil {
		t.feed.close()
		t.feed = nil
	}
	var errs []error
	if t.base != nil {
		errs = append(errs, t.base.Close())
		t.base = nil
	}
	errs = append(errs, t.checkpoints.wait())
	if t.log != nil {
		errs = append(errs, t.log.Close())
		t.log = nil
	}
	errs = append(errs, t.leave())
	errs = append(errs, t.chain.close())
	if t.events != nil {
		errs = append(errs, t.events.Close())
		t.events = nil
	}
	for _, l := range []**runlog.Log{&t.texts, &t.traces} {
		if *l != nil {
			errs = append(errs, (*l).Close())
			*l = nil
		}
	}
	if t.data != nil {
		errs = append(errs, t.data.Close())
		t.data = nil
	}
	for _, h := range t.heldOut {
		errs = append(errs, h.data.Close())
	}
	for _, h := range t.heldOutRows {
		errs = append(errs, h.data.Close())
	}
	t.heldOut, t.heldOutRows = nil, nil
	return errors.Join(errs...)
}

// Run trains to the end. When ctx is cancelled it saves a checkpoint and returns
// Interrupted without an error. No other process can run in save_folder until Run
// returns: there the first error is a *store.HeldError.
func (t *Trainer) Run(ctx context.Context) (r Result, err error) {
	defer func() { err = errors.Join(err, t.leave()) }()
	if err := t.prepareFolder(ctx); err != nil {
		return Result{t.state.Step, Finished}, err
	}
	if !t.continues() && !t.cfg.NoPreTrainCheckpoint || t.cfg.ForceSaveUnsharded {
		if err := t.save(kept); err != nil {
			return Result{}, err
		}
	}
	if rec := t.state.Unjudged; rec != nil {
		if err := t.evaluate(ctx, rec); err != nil {
			return Result{t.state.Step, Interrupted}, err
		}
		if err := t.record(rec); err != nil {
			return Result{t.state.Step, Finished}, err
		}
		t.state.Unjudged = nil
	}
	if t.cfg.EvalOnLoad && t.resumed {
		rec := runlog.Record{}
		if err := t.evaluate(ctx, rec); err != nil {
			return Result{t.state.Step, Finished}, err
		}
		t.opt.Warn(fmt.Sprintf("evaluation of the loaded checkpoint: %s", text(rec)))
	}
	reason, began := Finished, time.Now()
	t.speed.start()
	epoch := t.state.Epoch
	for t.state.Step < t.stopAt {
		if ctx.Err() != nil {
			reason = Interrupted
			break
		}
		s, err := t.step(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			reason = Interrupted // before the step has changed anything
			break
		}
		if err != nil {
			return Result{t.state.Step, Finished}, errors.Join(err, t.checkpoints.wait())
		}
		rec := s.rec
		if err := errors.Join(t.checkpoints.failed(), t.trace(s.rolled), t.chain.append(), t.signHead()); err != nil {
			return Result{t.state.Step, Finished}, err
		}
		if t.state.Epoch != epoch {
			if err := t.writeOrder(); err != nil {
				return Result{t.state.Step, Finished}, err
			}
		}
		epoch = t.state.Epoch
		n := t.state.Step
		every := func(interval *int) bool { return interval != nil && n%*interval == 0 }
		if n%t.cfg.EvalInterval == 0 || n >= t.stopAt {
			if err := t.evaluate(ctx, rec); ctx.Err() != nil {
				// The run that continues will evaluate.
				t.state.Unjudged, reason = rec, Interrupted
				break
			} else if err != nil {
				return Result{n, Finished}, err
			}
			t.speed.skip()
		}
		if err := t.record(rec); err != nil {
			return Result{n, Finished}, err
		}
		t.report(rec)
		if t.opt.Sample != nil && t.cfg.SampleInterval > 0 && n%t.cfg.SampleInterval == 0 {
			if err := t.opt.Sample.Sample(ctx, t); err != nil && ctx.Err() == nil {
				return Result{n, Finished}, fmt.Errorf("sampling at step %d: %w", n, err)
			}
			t.speed.skip()
		}
		switch {
		case slices.Contains(t.cfg.SaveSteps, n):
			err = t.save(permanent)
		case every(t.cfg.SaveInterval) || every(t.cfg.SaveIntervalUnsharded):
			err = t.save(kept)
		case every(t.cfg.SaveIntervalEphemeral):
			err = t.save(ephemeral)
		}
		if err != nil {
			return Result{n, Finished}, err
		}
		if n%t.cfg.CanceledCheckInterval == 0 {
			if reason = t.stops(began); reason != Finished {
				break
			}
		}
	}
	r = Result{t.state.Step, reason}
	if t.checkpoints.last != t.state.Step {
		roots, err := t.hashTensors()
		if err == nil {
			err = t.closeWith(roots)
		}
		if err == nil {
			err = t.save(kept)
		}
		if err != nil {
			return r, err
		}
	}
	err = errors.Join(t.checkpoints.wait(), t.export())
	if t.uploads != nil {
		err = errors.Join(err, t.uploads.finish())
	}
	return r, err
}

// LogSample keeps a text that the model has written in samples.jsonl, which a continued
// run repairs as it does the log.
func (t *Trainer) LogSample(prompt, text string) error {
	return t.texts.Append(runlog.Record{"step": t.state.Step, "prompt": prompt, "text": text})
}

// record adds a step to the logs.
func (t *Trainer) record(rec runlog.Record) error {
	t.recorded = rec
	if t.events != nil {
		if err := t.events.Append(rec, time.Now()); err != nil {
			return err
		}
	}
	return t.log.Append(rec)
}

// export writes the log in the other forms that the config asks for.
func (t *Trainer) export() error {
	if !t.cfg.CSV && t.cfg.Wandb == nil {
		return nil
	}
	dir := t.cfg.SaveFolder
	records, err := runlog.Read(filepath.Join(dir, logFile))
	if err != nil {
		return err
	}
	if t.cfg.CSV {
		if err := runlog.WriteCSV(filepath.Join(dir, "metrics.csv"), records); err != nil {
			return err
		}
	}
	w := t.cfg.Wandb
	if w == nil {
		return nil
	}
	text, err := store.ReadFile(filepath.Join(dir, "config.yaml"))
	if err != nil {
		return err
	}
	// The config as plain values: a mapping below a key that takes anything.
	var all struct {
		Config any `yaml:"config"`
	}
	if err := config.Parse("config.yaml", []byte("config:\n  "+strings.ReplaceAll(string(text), "\n", "\n  ")), nil, &all); err != nil {
		return err
	}
	name := w.Name
	if name == "" {
		name = t.cfg.RunName
	}
	run := runlog.WandbRun{Project: w.Project, Entity: w.Entity, Group: w.Group, Name: name, Tags: w.Tags, Config: all.Config}
	return runlog.WriteWandb(filepath.Join(dir, "wandb"), run, records)
}

// stops tells whether the run has reached its time limit, or its loss has risen too far
// above its least, as OLMo's check_if_cancelled does. There are no extra steps after
// that: the log of a continued run has no gap to cover.
func (t *Trainer) stops(began time.Time) Reason {
	if l := t.cfg.TimeLimit; l != nil && time.Since(began).Seconds() >= *l {
		return TimeLimit
	}
	if f := t.cfg.EarlyStoppingFactor; f != nil && float64(t.state.Step) > t.cfg.Scheduler.TWarmup && t.lastLoss > *f**t.state.MinLoss {
		return EarlyStopped
	}
	return Finished
}

// report calls Options.Progress.
func (t *Trainer) report(rec runlog.Record) {
	if t.opt.Progress == nil {
		return
	}
	p := Progress{
		Step: t.state.Step, Steps: t.stopAt, MaxSteps: t.maxSteps, Epoch: t.state.Epoch, Tokens: t.state.Tokens, TokensPerSecond: t.speed.rate(),
		Loss: t.lastLoss, GradNorm: rec["optim/total_grad_norm"].(float64), LearningRate: t.lastLR[0], Record: rec,
	}
	switch {
	case t.cfg.Rollouts != nil: // whose steps differ in tokens, and take longer than these do
		p.Left = time.Duration(t.stopAt-t.state.Step) * t.speed.perStep()
	case p.TokensPerSecond > 0:
		left := float64((t.stopAt - t.state.Step) * t.cfg.GlobalTrainBatchSize * t.cfg.chunk())
		p.Left = time.Duration(left / p.TokensPerSecond * float64(time.Second))
	}
	t.opt.Progress(p)
}
