package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"olmo/adapt/stage"
	"olmo/release/replay"
	"olmo/train"
)

// replayFlags are the flags of replay.
type replayFlags struct {
	step       string
	sample     int
	seed       uint64
	microBatch int
	against    string
	json       bool
	programs   programFlags
}

func newReplayCommand() *cobra.Command {
	var v replayFlags
	c := &cobra.Command{
		Use:   "replay RELEASE|RUN",
		Short: "Compute training steps again and compare every bit with the record",
		Long: `Replay trains steps of a run once more, from the nearest checkpoint before them, and
compares what it computes with what the run recorded: the tokens of each batch, loss
and gradient norm bit by bit, and the roots over all weights and the optimiser's state
where chain.jsonl has them. Nothing is written. The bits do not depend on the machine:
OLMO_CPU, OLMO_THREADS and --micro-batch change nothing but the time.

The first difference is named: its step, what differs (tokens, rollouts: the answers and
rewards of reinforcement learning, loss, grad_norm, weights, optim; state: the trainer's counters; eval: a figure of metrics.jsonl, where the held-out token
files are here) and, where the record has them, the tensor, the element and both bit
patterns. Between recorded states a difference is narrowed down by losses and norms.

--against OTHER takes another record of the same recipe: where the two part, that segment
alone is computed, and said who is right.

--sample K draws segments (the steps between two states that are there) by --seed and
says how likely a forgery would have been caught.

Exit code 1: a difference, or nothing that can be compared.`,
		Example: `  olmo replay olmo-quickstart --step 1..2
  olmo replay run --step 3 --micro-batch 1 --json
  olmo replay run --sample 1 --seed 7`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkFilled(c.Flags()); err != nil {
				return err
			}
			if len(args) != 1 {
				return usageErrorf("one RELEASE or RUN is needed")
			}
			return v.run(c, args[0])
		},
	}
	f := c.Flags()
	f.StringVar(&v.step, "step", "", "steps `A..B`, or one, N (default all)")
	f.IntVar(&v.sample, "sample", 0, "draw so many segments instead")
	f.Uint64Var(&v.seed, "seed", 0, "what --sample draws by (default: drawn now, and printed)")
	f.StringVar(&v.against, "against", "", "another `RELEASE|RUN` of the recipe: find where they part, and who is right")
	f.IntVar(&v.microBatch, "micro-batch", 0, "instances computed at a time (default 16; same results)")
	v.programs.add(f)
	f.BoolVar(&v.json, "json", false, "print one JSON object")
	return c
}

// steps reads A..B or N.
func (v *replayFlags) steps() (from, to int, err error) {
	if v.step == "" {
		return 0, 0, nil
	}
	a, b, isRange := strings.Cut(v.step, "..")
	if !isRange {
		b = a
	}
	from, err1 := strconv.Atoi(a)
	to, err2 := strconv.Atoi(b)
	if err1 != nil || err2 != nil || from < 1 || to < from {
		return 0, 0, usageErrorf("--step %q names no steps\nhint: one as 700, several as 700..720", v.step)
	}
	return from, to, nil
}

func (v *replayFlags) run(c *cobra.Command, path string) error {
	from, to, err := v.steps()
	given := func(name string) bool { return c.Flags().Changed(name) }
	switch {
	case err != nil:
		return err
	case given("sample") && v.sample < 1:
		return usageErrorf("--sample is %d, want 1 or more", v.sample)
	case given("sample") && given("step"):
		return usageErrorf("--sample and --step both say what is computed")
	case given("against") && (given("step") || given("sample")):
		return usageErrorf("--against finds by itself what is to be computed")
	case given("seed") && !given("sample"):
		return usageErrorf("--seed has a meaning for --sample alone")
	case given("micro-batch") && v.microBatch < 1:
		return usageErrorf("--micro-batch is %d, want 1 or more", v.microBatch)
	}
	p := newProgress(c.ErrOrStderr())
	if given("sample") && !given("seed") {
		v.seed = uint64(rand.Uint32())
		p.print(fmt.Sprintf("olmo replay: --seed %d", v.seed))
	}
	r, err := replay.Open(path)
	if err != nil {
		return err
	}
	p.begin("replay")
	o := replay.Options{
		From: from, To: to, Sample: v.sample, Seed: v.seed, MicroBatch: v.microBatch,
		Progress: func(n, done, total int) {
			p.update(step{done: float64(done), total: float64(total), unit: "steps", note: fmt.Sprintf("step %d", n)})
		},
	}
	var reopened []*stage.Reopened
	defer func() {
		for _, r := range reopened {
			r.Close()
		}
	}()
	o.Rollouts = func(ctx context.Context, dir string, cfg *train.Config) (train.Rollouts, error) {
		warn := func(text string) { p.print("olmo replay: warning: " + text) }
		r, err := stage.Reopen(ctx, dir, v.programs.allow, outside(&v.programs, warn), warn)
		if err != nil {
			return nil, err
		}
		reopened = append(reopened, r)
		if r.Rewards != cfg.Rollouts.Rewards {
			return nil, fmt.Errorf("%s gives rewards by other prompts or verifiers than the run had", filepath.Join(dir, stage.ConfigFile))
		}
		if want := cfg.Rollouts.Reference; r.Reference != want {
			return nil, fmt.Errorf("the model that the reference policy is, model_name_or_path of %s, has other weights than the run's had", filepath.Join(dir, stage.ConfigFile))
		}
		return r.Rollouts, nil
	}
	var rep *replay.Report
	if v.against == "" {
		rep, err = replay.Run(c.Context(), r, o)
	} else {
		var other *replay.Record
		if other, err = replay.Open(v.against); err == nil {
			rep, err = replay.Against(c.Context(), r, other, o)
		}
	}
	if err != nil {
		p.fail()
		return err
	}
	p.end()
	return reportReplay(c, path, v.against, rep, v.json)
}

func reportReplay(c *cobra.Command, path, other string, rep *replay.Report, asJSON bool) error {
	out := c.OutOrStdout()
	different := errors.New(path + ": the record is not what the computation gives")
	if asJSON {
		if err := json.NewEncoder(out).Encode(rep); err != nil {
			return err
		}
		if !rep.OK {
			return different
		}
		return nil
	}
	for _, s := range rep.Notes {
		fmt.Fprintf(out, "note: %s\n", s)
	}
	for _, s := range rep.Segments {
		verdict := "every bit as recorded"
		if !s.OK {
			verdict = "different"
		}
		fmt.Fprintf(out, "steps %d to %d: %s\n", s.From, s.To, verdict)
	}
	if a := rep.Against; a != nil || other != "" {
		return reportVerdict(c, path, other, rep)
	}
	if d := rep.Divergence; d != nil {
		fmt.Fprintf(out, "step %d: %s: %s\n", d.Step, d.What, d.Message)
		return different
	}
	if n := len(rep.Segments); n > 0 {
		fmt.Fprintf(out, "%d segments drawn by --seed %d: a run with %.0f %% of its segments forged would have been caught with probability %.3g\n", n, *rep.Seed, 100*rep.ForgedShare, rep.Caught)
		return nil
	}
	fmt.Fprintf(out, "steps %d to %d, computed again from %s in %.1f s: every bit as recorded\n", rep.From, rep.To, rep.Start, rep.Seconds)
	if rep.Evaluated > 0 {
		fmt.Fprintf(out, "%d figures of evaluations: those of metrics.jsonl\n", rep.Evaluated)
	}
	fmt.Fprintf(out, "root over the weights after step %d, under the names of training: %v\n", rep.To, rep.WeightsRoot)
	return nil
}

// reportVerdict says where two records part, and who is right.
func reportVerdict(c *cobra.Command, path, other string, rep *replay.Report) error {
	out, a := c.OutOrStdout(), rep.Against
	if a == nil || a.What == "length" {
		return nil // a note has said it
	}
	fmt.Fprintf(out, "the records part at step %d, in %s; steps up to %d were computed again from %s\n", a.Step, a.What, rep.To, rep.Start)
	for _, s := range []struct {
		name  string
		right bool
		d     *replay.Divergence
	}{{path, a.This, rep.Divergence}, {other, a.Other, a.Divergence}} {
		if s.right {
			fmt.Fprintf(out, "%s: right, every bit\n", s.name)
		} else {
			fmt.Fprintf(out, "%s: not what the computation gives: step %d: %s: %s\n", s.name, s.d.Step, s.d.What, s.d.Message)
		}
	}
	return errors.New("the two records are not of one run")
}
