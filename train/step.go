package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"time"

	"olmo/data/tokens"
	"olmo/graph"
	"olmo/numeric"
	"olmo/runlog"
)

// step is one step in the making.
type step struct {
	in      item
	state   State         // of the run after it; the trainer's stays as it is until the weights have changed
	ce, z   float64       // cross entropy and z-loss
	norm    float64       // of all gradients, before clipping
	norms   []float64     // of each parameter's, in byte order of the names
	clipped float64       // share of the parameters whose gradients were clipped
	skipped bool          // skip_step_adamw leaves the weights as they are
	update  *graph.Update // the optimiser's numbers
	updates int           // which of the step's it is, where there are several: from 1
	rolled  *rolled       // of a run with rollouts
	all     bool          // optimiser metrics are due at this step
	rec     runlog.Record
}

// Step trains on the next batch and returns what it measured. At the end of the last
// epoch it returns io.EOF.
func (t *Trainer) Step() (runlog.Record, error) {
	s, err := t.step(context.Background())
	if err != nil {
		return nil, err
	}
	return s.rec, nil
}

// step is Step, which only sampling ends with ctx, before anything has changed.
func (t *Trainer) step(ctx context.Context) (*step, error) {
	s, err := t.nextStep()
	if err != nil {
		return nil, err
	}
	parts := []func(*step) error{t.differentiate, t.measureNorms, t.clipGradients, t.updateWeights, t.arrive}
	if t.cfg.Rollouts != nil {
		parts = []func(*step) error{func(s *step) error { return t.reinforce(ctx, s) }, t.arrive}
	}
	for _, part := range parts {
		if err := part(s); err != nil {
			return nil, err
		}
	}
	t.fill(s)
	return s, nil
}

// nextStep waits for the next batch and counts it.
func (t *Trainer) nextStep() (*step, error) {
	waited := time.Now()
	in, err := t.feed.next()
	if err != nil {
		if !errors.Is(err, io.EOF) {
			err = fmt.Errorf("training data: %w", err)
		}
		return nil, err
	}
	t.speed.waited = time.Since(waited)
	if err := in.checkIDs(t.data, t.model.V); err != nil {
		return nil, fmt.Errorf("training data: %w", err)
	}
	s := &step{in: in, state: t.state, update: &graph.Update{Clip: 1}, rec: runlog.Record{}}
	if in.first && in.epoch != uint64(s.state.Epoch) {
		s.state.Epoch, s.state.ExamplesEpoch = int(in.epoch), 0
	}
	s.state.Record = nil // of older checkpoints
	// OLMo counts first: the first step's rate is that of step 1.
	s.state.count(t.data, in.Index)
	return s, nil
}

// count takes a step with these instances.
func (s *State) count(d *tokens.Dataset, instances []uint32) {
	n := d.Tokens(instances)
	s.Step++
	s.ExamplesEpoch += d.Examples(instances)
	s.Tokens += int64(n)
}

// differentiate runs the model on the batch: its losses, and the gradients and their norms.
func (t *Trainer) differentiate(s *step) (err error) {
	if slices.Contains(t.cfg.ModuleOutputsSaveSteps, s.state.Step) {
		if err := t.saveOutputs(&s.in, s.state.Step); err != nil {
			return fmt.Errorf("saving the outputs of modules: %w", err)
		}
	}
	if s.ce, s.z, err = t.gradients(&s.in); err != nil {
		return err
	}
	if s.norm, s.norms, err = t.gradNorm(); err != nil {
		return err
	}
	// Nothing has been updated yet: the run can be continued from its last checkpoint.
	if bad := s.ce + s.z + s.norm; math.IsNaN(bad) || math.IsInf(bad, 0) {
		return t.notFinite(&s.in, s.state.Step, s.ce, s.z, s.norm, s.norms)
	}
	return nil
}

// measureNorms records the norms of gradients and of parameters where they are due, before either
// changes.
func (t *Trainer) measureNorms(s *step) error {
	var logNorms bool
	logNorms, s.all = t.cfg.logs(s.state.Step)
	if logNorms {
		for i, p := range t.byName {
			s.rec["optim/grad/"+p.Name+".norm"] = s.norms[i]
		}
	}
	if s.all {
		return t.measureParameters(s.rec)
	}
	return nil
}

// clipGradients clips each parameter's gradient, or sets the factor of all of them.
func (t *Trainer) clipGradients(s *step) error {
	switch {
	case t.cfg.MaxGradNormRatio != nil:
		averages, clipped, err := t.clipEach(s.norms)
		if err != nil {
			return err
		}
		s.clipped = clipped
		if s.state.Step > 1 || s.state.NormAverages != nil {
			s.state.NormAverages = averages
		}
		if s.all {
			for name, average := range averages {
				s.rec["optim/grad_norm_exp_avg/"+name] = average
			}
		}
	case t.cfg.MaxGradNorm != nil:
		if s.update.Clip = min(1, t.limit(*t.cfg.MaxGradNorm)/(s.norm+1e-6)); s.update.Clip < 1 {
			s.clipped = 1
		}
	}
	return nil
}

// updateWeights runs the optimiser at the schedule's rates, or clears the gradients of a step
// that is skipped.
func (t *Trainer) updateWeights(s *step) error {
	s.update.LR = t.rates(s)
	if t.skips(s) {
		if err := t.zero.Run(&graph.Batch{}); err != nil {
			return fmt.Errorf("updating the weights: %w", err)
		}
		return nil
	}
	s.state.OptimizerSteps++
	s.update.Step = s.state.OptimizerSteps
	if s.all && t.cfg.Optimizer.RecordUpdateMetrics {
		if err := t.measureUpdates(s.rec, s.update); err != nil {
			return err
		}
	}
	// A checkpoint that is being written has borrowed the weights.
	if t.checkpoints.lent != nil {
		waited := time.Now()
		t.checkpoints.release()
		t.speed.saved += time.Since(waited)
	}
	if err := t.update.Run(&graph.Batch{Update: s.update}); err != nil {
		return fmt.Errorf("updating the weights: %w", err)
	}
	return nil
}

// rates are the schedule's for an update, by parameter group.
func (t *Trainer) rates(s *step) (lr []float64) {
	now, end := t.clock(&s.state)
	now, end = t.cfg.countUpdates(now, end, s.updates)
	for _, g := range t.groups {
		lr = append(lr, t.cfg.learningRate(g.LearningRate, now, end, s.state.Rewarm))
	}
	return lr
}

// skips tells whether skip_step_adamw takes the step for an outlier, and remembers its loss and
// norm.
func (t *Trainer) skips(s *step) bool {
	if t.cfg.Optimizer.Name != "skip_step_adamw" {
		return false
	}
	recent := history{}
	if s.state.Recent != nil {
		recent = *s.state.Recent
	}
	s.skipped = recent.skips(s.ce, s.norm, &t.cfg.Optimizer)
	s.state.Recent = &recent
	return s.skipped
}

// arrive makes the step's state the run's, now that the weights are those after it.
func (t *Trainer) arrive(s *step) error {
	if ce := s.ce; s.state.MinLoss == nil || ce < *s.state.MinLoss {
		s.state.MinLoss = &ce
	}
	if err := t.link(s); err != nil {
		return err
	}
	t.state, t.lastLR, t.lastLoss, t.firstLimit = s.state, s.update.LR, s.ce, nil
	if t.indices != nil {
		return t.indices.add(s.state.Step, s.in.Index)
	}
	return nil
}

// fill completes the record with what the step has measured and how fast it was.
func (t *Trainer) fill(s *step) {
	n, length := s.in.Size(), t.length(s)
	if s.rolled != nil {
		_, n = s.rolled.trainedTokens()
	}
	t.speed.step(n, float64(n)*t.model.FLOPs(length).Core)
	maps.Copy(s.rec, runlog.Record{
		"step": s.state.Step, "epoch": s.state.Epoch, "optim/total_grad_norm": s.norm,
		"throughput/total_tokens": s.state.Tokens, "chain": s.state.Chain,
	})
	if t.objective != nil {
		s.rec[ObjectiveLoss] = s.ce
		t.objective.fill(s.rec)
	} else {
		s.rec["train/CrossEntropyLoss"], s.rec["train/Perplexity"] = s.ce, numeric.Exp(s.ce)
	}
	t.fillOptional(s, length)
	if t.opt.Record != nil {
		t.opt.Record(s.rec)
	}
	t.speed.measure(s.rec, s.state.Tokens)
}

// fillOptional adds what only some settings make.
func (t *Trainer) fillOptional(s *step, length int) {
	rec := s.rec
	if t.cfg.SoftmaxAuxiliaryLoss {
		rec["train/ZLoss"] = s.z
	}
	if w := t.cfg.LoadBalancingWeight; w > 0 {
		rec[AuxiliaryLoss] = t.routers[0] / w
	}
	if t.model.Experts > 0 {
		rec["train/load balancing loss"], rec["train/router Z loss"] = t.routers[0], t.routers[1]
	}
	if t.cfg.MaxGradNorm != nil || t.cfg.MaxGradNormRatio != nil || s.all {
		rec["optim/clipping_rate"] = s.clipped
	}
	if s.state.Recent != nil {
		rec["optim/step skipped"] = 0
		if s.skipped {
			rec["optim/step skipped"] = 1
		}
	}
	for i, lr := range s.update.LR {
		rec[fmt.Sprintf("optim/learning_rate_group%d", i)] = lr
	}
	if len(t.cfg.BatchSizeSchedule) > 0 {
		rec["train/global_batch_size"] = s.in.B
	}
	if len(t.cfg.SequenceLengthSchedule) > 0 || t.cfg.Data.Name == tokens.Variable {
		rec["train/sequence_length"] = length
	}
	if t.cfg.Data.Name == tokens.Rows {
		rec["train/target_tokens"], rec["train/total_tokens"] = t.targets, s.in.Size()
	}
	if s.rolled != nil {
		s.rolled.fill(rec)
	}
	if masked := s.in.InstanceMask; masked != nil {
		n := 0
		for _, keep := range masked[:s.in.B/t.cfg.ranks()] { // those of rank 0
			if !keep {
				n++
			}
		}
		rec["train/masked_instances_local_rank"] = n
	}
}

// length is the number of tokens that the model saw of each of the step's instances: by the
// counts before the step, as batch takes them.
func (t *Trainer) length(s *step) int {
	return min(t.cfg.sequenceLength(s.state.Step-1, s.state.Tokens-int64(s.in.Size())), s.in.T)
}

// gradients runs the micro-batches of each rank and returns cross entropy and z-loss. As
// the ranks of the reference do, each divides by its own tokens; their losses and
// gradients are averaged.
func (t *Trainer) gradients(in *item) (ce, z float64, err error) {
	t.routers, t.targets = [2]float64{}, 0
	if t.objective != nil {
		t.objective.begin(in)
	}
	ranks := t.cfg.ranks()
	for n, r := in.B/ranks, 0; r < ranks; r++ {
		c, q, err := t.rankGradients(in, r*n, (r+1)*n)
		if err != nil {
			return 0, 0, fmt.Errorf("running the model: %w", err)
		}
		ce += c
		z += q
	}
	if t.sum != nil {
		if err := t.sum.Run(&graph.Batch{}); err != nil {
			return 0, 0, fmt.Errorf("adding gradients: %w", err)
		}
	}
	if t.objective != nil {
		return t.objective.loss(), 0, nil
	}
	return ce / float64(ranks), z / float64(ranks), nil
}

// rankGradients adds the gradients of instances first to last, which one rank has, and
// returns its losses.
func (t *Trainer) rankGradients(in *item, first, last int) (ce, z float64, err error) {
	denominator, factors := t.denominators(in, first, last)
	ranks := float64(t.cfg.ranks())
	balance, err := t.balance(in, first, last)
	if err != nil {
		return 0, 0, err
	}
	var squares float64
	routers := make([][2]float64, t.model.Layers) // one sum after the other, whatever the micro-batches
	for from, to := first, 0; from < last; from = to {
		to = t.microbatch(in, from, last)
		b := t.batch(in, from, to)
		b.LossScale = float32(1 / (denominator * ranks))
		var factor []float64 // of each token's loss; nil: all have 1
		if factors != nil {
			for n := from; n < to; n++ {
				for range in.before(n+1) - in.before(n) {
					factor = append(factor, factors[n-first])
					b.LossScales = append(b.LossScales, float32(factors[n-first]/ranks))
				}
			}
		}
		for n := from; n < to && balance != nil; n++ {
			for range in.rowLengths(n) {
				b.Balance = append(b.Balance, balance[(n-first)/t.group(last-first)])
			}
		}
		if t.objective != nil {
			b.Seed = func(ce, d []float32) { t.objective.seed(from, to, b, ce, d) }
		}
		if err := t.loss.Run(b); err != nil {
			return 0, 0, err
		}
		t.addRouterLosses(routers)
		if t.objective != nil { // which has seen what there is, and a reward model has no cross entropies
			for _, target := range b.Targets {
				if target >= 0 {
					t.targets++
				}
			}
			continue
		}
		row := 0
		losses, lses := t.loss.Output("ce"), t.loss.Output("lse")
		for _, end := range b.Ends(numeric.Cut) {
			var c, q float64
			piece := row
			for ; row < end; row++ {
				if b.Targets[row] >= 0 {
					t.targets++
					c += float64(losses[row])
					q += float64(float32(lses[row] * lses[row]))
				}
			}
			if factor != nil { // a piece is one instance's
				c, q = c*factor[piece], q*factor[piece]
			}
			ce += c
			squares += q
		}
	}
	for _, sums := range routers {
		if balance != nil { // which has all factors
			t.routers[0] += sums[0]
			continue
		}
		t.routers[0] += sums[0] * t.model.BalanceWeight / denominator / float64(t.model.Layers) / ranks
		t.routers[1] += sums[1] * t.model.RouterZWeight / denominator / float64(t.model.Layers) / ranks
	}
	return ce / denominator, t.cfg.zmul() * squares / denominator, nil
}

// denominators are what the sum of the losses of a rank's instances is divided by, and with
// loss_denominator mean, where that is 1, the factor of each instance's: one over the number of
// groups and over the targets of its group.
func (t *Trainer) denominators(in *item, first, last int) (denominator float64, factors []float64) {
	if t.cfg.LossDenominator == "none" {
		return 1, nil
	}
	if t.cfg.LossDenominator == "batch" {
		return float64(in.before(last) - in.before(first)), nil
	}
	targets := func(from, to int) (n int) {
		for _, target := range t.batch(in, from, to).Targets {
			if target >= 0 {
				n++
			}
		}
		return max(n, 1)
	}
	if t.cfg.LossDenominator == "labels" {
		return float64(targets(first, last)), nil
	}
	group := t.group(last - first)
	groups := (last - first + group - 1) / group
	for from := first; from < last; from += group {
		to := min(from+group, last)
		f := 1 / float64(groups*targets(from, to))
		for range to - from {
			factors = append(factors, f)
		}
	}
	return 1, factors
}

// microbatch is the end of the micro-batch that begins with instance from. Where lengths vary it
// has so many tokens, not so many instances.
func (t *Trainer) microbatch(in *item, from, last int) int {
	tokens := t.cfg.DeviceTrainMicrobatchSize * t.cfg.chunk()
	if in.Lens == nil {
		return min(from+tokens/in.T, last)
	}
	to, begin := from+1, in.before(from)
	for to < last && in.before(to+1)-begin <= tokens {
		to++
	}
	return to
}

// batch is what the model's graph takes of instances from to to, at the coming step.
func (t *Trainer) batch(in *item, from, to int) *graph.Batch {
	length, pad := min(t.cfg.sequenceLength(t.state.Step, t.state.Tokens), in.T), int32(-1)
	if t.cfg.Data.GenerateAttentionMask {
		pad = int32(t.cfg.Model.PadTokenID)
	}
	b := in.inputs(from, to, length, pad)
	b.Noise = &graph.Noise{Seed: t.cfg.Seed, Step: t.state.Step + 1, Row: in.before(from)}
	return b
}

// addRouterLosses adds the tokens' losses of the routers in the last run to each layer's
// sums.
func (t *Trainer) addRouterLosses(sums [][2]float64) {
	if t.model.Experts == 0 || t.model.BalanceWeight == 0 && t.model.RouterZWeight == 0 && !t.model.PooledBalance {
		return
	}
	for l := range t.model.Layers {
		for i, name := range []string{"balance", "router_z"} {
			for _, v := range t.loss.Output(fmt.Sprintf("%s.%d", name, l)) {
				sums[l][i] += float64(v)
			}
		}
	}
}

// gradNorm returns the norm of all gradients together, and of each parameter's in
// byte order of names.
func (t *Trainer) gradNorm() (norm float64, each []float64, err error) {
	var squares float64
	for _, p := range t.byName {
		s, err := t.dev.SumSquares(graph.GradName(p.Name, 0))
		if err != nil {
			return 0, nil, err
		}
		squares += s
		each = append(each, math.Sqrt(s))
	}
	return math.Sqrt(squares), each, nil
}

// clock returns the time of the schedule in a state, and its end: steps or tokens.
func (t *Trainer) clock(s *State) (now, end float64) { return t.cfg.clock(s, t.maxSteps, t.maxTokens) }

func (c *Config) clock(s *State, maxSteps int, maxTokens int64) (now, end float64) {
	if c.Scheduler.Units == "tokens" {
		return float64(s.Tokens), float64(maxTokens)
	}
	return float64(s.Step), float64(maxSteps)
}

// limit returns max_grad_norm, or its ratio, for the coming step. OLMo clips before it
// sets the scheduler's limit, so the limit is that of the step before, and the plain
// one at the first (the last one of a checkpoint of the ai2-olmo package, if it is loaded).
func (t *Trainer) limit(plain float64) float64 {
	if t.firstLimit != nil {
		return *t.firstLimit
	}
	if t.state.Step == 0 {
		return plain
	}
	before, _ := t.clock(&t.state)
	return t.cfg.Scheduler.GradNormLimit(plain, before)
}

// clipEach clips each parameter's gradient at a multiple of the running average of its
// norm, and returns the new averages and the share of parameters that were clipped. An
// average starts as the first norm; it is to be kept from the second step on.
//
// _do_adaptive_clipping of the ai2-olmo package (olmo/optim.py, 0.6.0).
func (t *Trainer) clipEach(norms []float64) (averages map[string]float64, clipped float64, err error) {
	ratio := t.limit(*t.cfg.MaxGradNormRatio)
	weight := 1 - max(t.cfg.Optimizer.Betas[0], t.cfg.Optimizer.Betas[1])
	averages = map[string]float64{}
	var clips []float64
	n := 0
	for i, p := range t.byName {
		average, known := t.state.NormAverages[p.Name]
		if !known {
			average = norms[i]
		}
		k := min(1, float64(ratio*average)/(norms[i]+1e-6))
		if k < 1 {
			n++
		}
		clips = append(clips, k)
		averages[p.Name] = average + float64(weight*(float64(norms[i]*k)-average))
	}
	clipped = float64(n) / float64(len(norms))
	return averages, clipped, t.clip.Run(&graph.Batch{Update: &graph.Update{Clips: clips}})
}
