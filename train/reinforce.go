package train

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"olmo/numeric"
	"olmo/objective"
	"olmo/proof"
	"olmo/runlog"
)

// rolled is what a step of reinforcement learning has sampled.
type rolled struct {
	answers  []*Rollout // of all groups
	trained  []*Rollout
	groups   groupCounts
	hash     proof.Hash // of their lines
	lines    []byte
	sampling time.Duration
	memory   int64         // bytes that the device held then
	scoring  time.Duration // by the reference
}

// groupCounts say what became of the groups of a step.
type groupCounts struct {
	asked   int // prompts
	dropped int // with one score
}

// reinforce makes a step of a batch of prompts: it samples, and updates the weights as often as the
// config says, or not at all where nothing is left to learn from.
func (t *Trainer) reinforce(ctx context.Context, s *step) error {
	p := t.objective.(*policy)
	p.restart()
	s.rolled = &rolled{}
	if err := t.sampleRollouts(ctx, s); err != nil {
		return err
	}
	if err := t.askReference(ctx, s.rolled); err != nil {
		return err
	}
	if err := s.rolled.writeLines(s.state.Step); err != nil {
		return err
	}
	prompts, norms, rates := s.in, 0.0, []float64(nil)
	c := t.cfg.Rollouts
	for range c.Epochs {
		for i := range c.MiniBatches {
			part := share(s.rolled.trained, i, c.MiniBatches)
			s.updates++
			if len(part) == 0 {
				continue // fewer answers than mini-batches
			}
			if err := ctx.Err(); err != nil && p.updates == 0 {
				return err // nothing has changed yet
			}
			s.in, s.update.LR, s.update.Clip = p.take(part, prompts.epoch), nil, 1
			for _, do := range []func(*step) error{t.differentiate, t.measureFirst, t.clipGradients, t.updateWeights} {
				if err := do(s); err != nil {
					return err
				}
			}
			norms, rates = norms+s.norm, s.update.LR
		}
	}
	if err := t.follow(s.state.Step); err != nil {
		return err
	}
	s.in, s.norm, s.ce = prompts, 0, 0
	if p.updates > 0 {
		s.norm, s.ce = norms/float64(p.updates), p.meanLoss/float64(p.updates)
	}
	if s.update.LR = rates; rates == nil { // no update: the rate that there would have been
		s.update.LR = t.rates(s)
	}
	return nil
}

// measureFirst records norms before the first update of a step.
func (t *Trainer) measureFirst(s *step) error {
	if t.objective.(*policy).updates > 1 {
		return nil
	}
	return t.measureNorms(s)
}

// share is part i of n of answers, in their order: of sizes that differ by one at most.
func share(answers []*Rollout, i, n int) []*Rollout {
	return answers[i*len(answers)/n : (i+1)*len(answers)/n]
}

// sampleRollouts answers the step's prompts, and chooses what trains.
func (t *Trainer) sampleRollouts(ctx context.Context, s *step) error {
	began := time.Now()
	c, r := t.cfg.Rollouts, s.rolled
	var prompts []Prompt
	for n := range s.in.B {
		row := n * s.in.T
		prompts = append(prompts, Prompt{Row: int(s.in.Index[n]), IDs: s.in.IDs[row : row+s.in.Lens[n]]})
	}
	want := len(prompts)
	others := t.otherPrompts(s.state.Step, prompts)
	for len(prompts) > 0 {
		answers, err := t.opt.Rollouts.Sample(ctx, t, s.state.Step, prompts)
		if err == nil && len(answers) != len(prompts)*c.Samples {
			err = fmt.Errorf("%d answers to %d prompts, want %d to each", len(answers), len(prompts), c.Samples)
		}
		if err == nil {
			err = r.judge(answers, c)
		}
		if err != nil {
			return fmt.Errorf("sampling answers: %w", err)
		}
		if prompts = nil; !c.Replenish {
			break
		}
		for missing := want - (r.groups.asked - r.groups.dropped); missing > 0; missing-- {
			prompt, err := others()
			if err != nil {
				return err
			}
			if prompt == nil {
				break
			}
			prompts = append(prompts, *prompt)
		}
	}
	r.sampling, r.memory = time.Since(began), t.dev.Memory().Total()
	return nil
}

// writeLines makes the lines of rollouts.jsonl, written or not, and their hash.
func (r *rolled) writeLines(step int) error {
	for _, a := range r.answers {
		line, err := a.record(step).MarshalJSON()
		if err != nil {
			return err
		}
		r.lines = append(append(r.lines, line...), '\n')
	}
	r.hash = proof.Sum(r.lines)
	return nil
}

// judge takes the answers to some prompts: their advantages, and which train.
func (r *rolled) judge(answers []*Rollout, c *RolloutConfig) error {
	var scores []float64
	for _, a := range answers {
		scores = append(scores, a.Score)
	}
	advantages, err := objective.Advantages(scores, c.Samples, c.Advantages)
	if err != nil {
		return err
	}
	for i, a := range answers {
		if math.IsNaN(a.Score) || math.IsInf(a.Score, 0) {
			return fmt.Errorf("the reward of answer %d to prompt %d is %v", a.Sample, a.Index, a.Score)
		}
		a.advantage = advantages[i]
	}
	for first := 0; first < len(answers); first += c.Samples {
		group := scores[first : first+c.Samples]
		r.groups.asked++
		drop := c.DropZeroStd && slices.Min(group) == slices.Max(group)
		if drop {
			r.groups.dropped++
		}
		for _, a := range answers[first : first+c.Samples] {
			if a.trains = !drop && (a.Stopped || !c.DropCutShort); a.trains {
				r.trained = append(r.trained, a)
			}
		}
	}
	r.answers = append(r.answers, answers...)
	return nil
}

// otherPrompts draws prompts that the step has not asked, a function of the seed and the step; nil when
// there are no more.
func (t *Trainer) otherPrompts(step int, asked []Prompt) func() (*Prompt, error) {
	used := map[int]bool{}
	for _, p := range asked {
		used[p.Row] = true
	}
	stream, draw, n := numeric.NewStream(t.cfg.Seed, "active sampling"), uint64(0), t.data.Len()
	return func() (*Prompt, error) {
		if len(used) >= n {
			return nil, nil
		}
		row := -1
		for row < 0 || used[row] {
			row = int(stream.Bits(uint64(step), draw) % uint64(n))
			draw++
		}
		used[row] = true
		b, err := t.data.Batch([]uint32{uint32(row)})
		if err != nil {
			return nil, fmt.Errorf("training data: %w", err)
		}
		return &Prompt{Row: row, IDs: b.IDs}, nil
	}
}

// askReference gets the log-probabilities by the reference, where the loss has a part for it.
func (t *Trainer) askReference(ctx context.Context, r *rolled) error {
	if t.cfg.Rollouts.Beta == 0 || len(r.trained) == 0 {
		return nil
	}
	began := time.Now()
	all, err := t.opt.Rollouts.Reference(ctx, t, r.trained)
	if err != nil {
		return fmt.Errorf("asking the reference policy: %w", err)
	}
	for i, a := range r.trained {
		if len(all[i]) != len(a.IDs) {
			return fmt.Errorf("asking the reference policy: %d log-probabilities of %d tokens", len(all[i]), len(a.IDs))
		}
		a.reference = all[i]
	}
	r.scoring = time.Since(began)
	return nil
}

// trace writes a step's answers to rollouts.jsonl, where the config wants it.
func (t *Trainer) trace(r *rolled) error {
	if r == nil || t.traces == nil {
		return nil
	}
	return t.traces.Write(r.lines)
}

// trainedTokens are those of the answers that train, and with their prompts.
func (r *rolled) trainedTokens() (answers, all int) {
	for _, a := range r.trained {
		answers += len(a.IDs)
		all += len(a.IDs) + len(a.Prompt.IDs)
	}
	return answers, all
}

// fill adds what was sampled to the step's record, under open-instruct's names.
func (r *rolled) fill(rec runlog.Record) {
	var verified, entropy float64
	verdicts, counts := map[string]float64{}, map[string]float64{}
	tokens, stopped := 0, 0
	for _, a := range r.answers {
		verified += a.Verified
		for name, v := range a.Verdicts {
			verdicts[name] += v
			counts[name]++
		}
		for _, logp := range a.Drawn {
			entropy -= logp
		}
		tokens += len(a.IDs)
		if a.Stopped {
			stopped++
		}
	}
	n := float64(len(r.answers))
	rec["objective/verifiable_correct_rate"], rec["policy/entropy_avg"], rec["val/stop_rate"] = verified/n, entropy/float64(tokens), float64(stopped)/n
	for name, sum := range verdicts {
		rec["objective/"+name+"_correct_rate"] = sum / counts[name]
	}
	rec["val/filtered_prompts"], rec["batch/total_prompts"] = r.groups.dropped, r.groups.asked
	// As there of the groups that train; of all where none does.
	of := r.trained
	if len(of) == 0 {
		of = r.answers
	}
	var scores, length float64
	shortest, longest := math.MaxInt, 0
	for _, a := range of {
		scores += a.Score
		length += float64(len(a.IDs))
		shortest, longest = min(shortest, len(a.IDs)), max(longest, len(a.IDs))
	}
	rec["scores"], rec["val/sequence_lengths"] = scores/float64(len(of)), length/float64(len(of))
	rec["val/sequence_lengths_min"], rec["val/sequence_lengths_max"] = shortest, longest
	rec["train/target_tokens"], rec["train/total_tokens"] = r.trainedTokens()
	rec["throughput/device/sampling_seconds"] = r.sampling.Seconds()
	rec["throughput/device/sampled_tokens_per_second"] = float64(tokens) / max(r.sampling.Seconds(), 1e-9)
	rec["throughput/device/sampling_bytes"] = r.memory
	if r.scoring > 0 {
		rec["throughput/device/reference_seconds"] = r.scoring.Seconds()
	}
}
