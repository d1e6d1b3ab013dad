// Package rollout samples answers to prompts from a model that is being trained, and has them judged:
// what reinforcement learning learns from. A drawn token has the log-probability with which it trains,
// to the bit.
package rollout

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"olmo/eval/score"
	"olmo/generate"
	"olmo/internal/memory"
	"olmo/numeric"
	"olmo/tokenizer"
	"olmo/train"
)

// Task is what judges the answers to a prompt.
type Task struct {
	Index   int             // of the prompt in the data set
	Asked   string          // the conversation, for judges
	Rewards *score.Rewards  // nil: no verifier is asked
	Truth   json.RawMessage // ground_truth and dataset as the row has them
	Dataset json.RawMessage
}

// Rollouts are what a trainer wants as train.Options.Rollouts.
type Rollouts struct {
	Tokenizer *tokenizer.Tokenizer
	Tasks     []Task // by row of the trainer's data, which may have the rows several times
	Reward    score.RewardConfig
	// Model is where the weights of the reference policy lie, for a trainer without adapters.
	Model string
	Warn  func(text string)
	// Slots bounds how many answers are sampled at once; 0: train.SamplingSlots. It changes no bit.
	Slots int
	// HeldOut, where it is set, is judged in the middle of the run, too.
	HeldOut *HeldOut

	engine    *generate.Engine
	reference *reference
}

var _ train.Rollouts = (*Rollouts)(nil)

// Sample answers prompts. A random token is a function of the run's seed, the step, the prompt's row,
// the number of the sample and the position.
func (r *Rollouts) Sample(ctx context.Context, t *train.Trainer, step int, prompts []train.Prompt) ([]*train.Rollout, error) {
	c := t.Config().Rollouts
	return r.sample(ctx, t, prompts, sampling{"rollout", step, c.Samples, c.ResponseLength, r.Tasks})
}

// sampling is how prompts are answered, and what judges the answers.
type sampling struct {
	purpose         string // of the random numbers
	step            int
	samples, length int
	tasks           []Task // by row, again and again
}

func (s *sampling) task(p train.Prompt) *Task { return &s.tasks[p.Row%len(s.tasks)] }

func (r *Rollouts) sample(ctx context.Context, t *train.Trainer, prompts []train.Prompt, how sampling) ([]*train.Rollout, error) {
	c := t.Config().Rollouts
	if err := r.prepare(t); err != nil {
		return nil, err
	}
	stream := numeric.NewStream(t.Config().Seed, how.purpose)
	var all []generate.Request
	for _, p := range prompts {
		for n := range how.samples {
			q := generate.Request{
				Prompt: p.IDs, MaxTokens: how.length, Stop: c.Stop,
				Sampling: generate.Sampling{Temperature: c.Temperature, Seed: stream.Bits(uint64(how.step)<<32|uint64(p.Row), uint64(n))},
			}
			if len(c.StopStrings) > 0 {
				q.Token = untilText(r.Tokenizer, p.IDs, c.StopStrings)
			}
			all = append(all, q)
		}
	}
	results, err := r.engine.GenerateAll(ctx, all, func(done int) { t.Sampled(t.State().Step+1, done, len(all)) })
	if err != nil {
		return nil, err
	}
	answers := make([]*train.Rollout, len(all))
	for i, a := range results {
		p := prompts[i/how.samples]
		answers[i] = r.answer(a, p, how.task(p), i%how.samples)
	}
	return answers, r.judge(ctx, answers, &how)
}

// prepare makes the engine that the answers are sampled in, once.
func (r *Rollouts) prepare(t *train.Trainer) error {
	if r.engine != nil {
		return nil
	}
	c := t.Config()
	o := generate.Options{Positions: c.Data.RowLength, Sequences: cmp.Or(r.Slots, train.SamplingSlots), Memory: train.SamplingBytes, Precision: c.Precision}
	if h := r.HeldOut; h != nil {
		o.Positions = max(o.Positions, h.longest())
	}
	if free, known := memory.Available(); known {
		o.Memory = min(int64(free/4), o.Memory)
	}
	var err error
	r.engine, err = generate.New(t.Model(), t.Device(), o)
	return err
}

// untilText is told the ids of an answer to a prompt, and ends it with the id that completes one of some
// texts. Special tokens count as their texts.
func untilText(tok *tokenizer.Tokenizer, prompt []int32, texts []string) func(generate.Event) bool {
	longest := 0
	for _, text := range texts {
		longest = max(longest, len(text))
	}
	stream := tok.NewStream(false)
	for _, id := range prompt {
		stream.Next(id)
	}
	end := "" // of the answer, as long as a text can begin in it
	return func(v generate.Event) bool {
		end += stream.Next(v.ID)
		for _, text := range texts {
			if strings.Contains(end, text) {
				return false
			}
		}
		end = end[max(0, len(end)-longest):]
		return true
	}
}

// answer makes a rollout of what was drawn: what ended it is a part of it.
func (r *Rollouts) answer(drawn generate.Result, p train.Prompt, task *Task, sample int) *train.Rollout {
	a := &train.Rollout{
		Prompt: p, Sample: sample, IDs: drawn.IDs, Drawn: drawn.Drawn, Stopped: drawn.Reason == "stop",
		Truth: task.Truth, Dataset: task.Dataset, Index: task.Index,
	}
	if drawn.Stop >= 0 {
		a.IDs, a.Drawn = append(a.IDs, drawn.Stop), append(a.Drawn, drawn.StopDrawn)
	}
	a.Text = r.Tokenizer.Decode(a.IDs, true)
	return a
}

// judge gives answers their rewards. A verifier that fails costs its answer, not the run.
func (r *Rollouts) judge(ctx context.Context, answers []*train.Rollout, how *sampling) error {
	scored := make([]*score.Scored, len(answers))
	if r.Reward.ApplyVerifiableReward {
		tries := make([]score.Try, len(answers))
		for i, a := range answers {
			task := how.task(a.Prompt)
			tries[i] = score.Try{Rewards: task.Rewards, Answer: score.Attempted{Text: a.Text, IDs: a.IDs, Prompt: task.Asked}}
		}
		var err error
		if scored, err = score.ScoreAll(ctx, tries); err != nil {
			return err
		}
	}
	failed := map[string]int{}
	why := map[string]error{}
	for i, a := range answers {
		if s := scored[i]; s != nil {
			a.Verified, a.Verdicts = s.Sum, map[string]float64{}
			for k, name := range how.task(a.Prompt).Rewards.Names() {
				a.Verdicts[name] += s.Each[k]
			}
			for _, f := range s.Failed {
				failed[f.Verifier]++
				why[f.Verifier] = f
			}
		}
		a.Score, _ = r.Reward.Of(a.Verified, a.Text, a.Stopped)
	}
	for _, name := range slices.Sorted(maps.Keys(failed)) {
		r.Warn(fmt.Sprintf("the verifier %s failed for %d of %d answers, which count as 0: %v", name, failed[name], len(answers), why[name]))
	}
	return nil
}
