package quickstart

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"olmo/data/tokens"
	"olmo/device/cpu"
	"olmo/numeric"
	"olmo/page"
	"olmo/store"
	"olmo/train"
)

// planned is how long is trained, and what is judged. It is decided once; from then on
// nothing depends on a clock.
type planned struct {
	Config string `json:"config"` // slashed, below the output folder
	Steps  int    `json:"steps"`
	// Base is a hash of what a run of any number of steps starts from: corpus, tokenizer
	// and recipe.
	Base  string `json:"base"`
	Judge limits `json:"judge"`
	// StepTimes are what the precision was chosen by, where it was measured.
	StepTimes []stepTime `json:"step_times,omitempty"`
	// Few is what to do about a number of steps that is small because the time is; empty
	// where it is not.
	Few string `json:"few,omitempty"`
}

// limits are how much is judged where the time is short.
type limits struct {
	HeldOut int  `json:"held_out"` // documents; 0: all
	Choices int  `json:"choices"`  // questions; 0: all
	NoOther bool `json:"no_other_domain"`
}

const (
	// leastSteps are trained whatever the time.
	leastSteps = 20
	// fairSteps is from where a model of any corpus is better than gzip: docs/log.md has
	// the curve.
	fairSteps = 300
	// judgingShare of the time is for the evaluation, at most.
	judgingShare = 0.25
	// measuringShare of the time is for measuring the speed, if three steps fit in.
	measuringShare = 0.05
)

// plan writes config/train.yaml. With a budget of time the speed is measured once, on
// the first batches; from then on the config's number of steps is what counts. A folder
// that has a run of fewer steps over the same text goes on from there.
func (q *quick) plan(ctx context.Context, base string, corpus *CorpusInfo, t encoded) (planned, error) {
	p := planned{Config: "config/train.yaml", Base: base, Steps: q.Steps}
	if n := t.Tokens / sequence; n < int64(instances(q.Depth)) {
		return p, textError{fmt.Errorf("the text gives %s tokens after curation, and a step of training at --depth %d reads %s\nhint: give --docs more text", page.Grouped(t.Tokens), q.Depth, page.Grouped(int64(instances(q.Depth)*sequence)))}
	}
	old, precision, err := q.earlierPlan()
	if err != nil {
		return p, err
	}
	c := q.trainConfig(t.Files)
	switch {
	case old == nil || old.Base != base:
		c.Precision, p.StepTimes, err = q.choose(ctx, c)
	case q.Precision != "" && q.Precision != precision.String():
		err = fmt.Errorf("%s has a run of precision %s, --precision %s is for another folder\nhint: choose one with --out", q.Out, precision, q.Precision)
	default: // a run that goes on measures nothing
		c.Precision, p.StepTimes = precision, old.StepTimes
	}
	if err != nil {
		return p, err
	}
	if q.Steps == 0 {
		step, err := q.measure(ctx, c)
		if err != nil {
			return p, err
		}
		var sizes []int64
		for d, err := range documents(q.path("data"), corpus.HeldOut.Files) {
			if err != nil {
				return p, err
			}
			sizes = append(sizes, int64(len(d.Text)))
		}
		p.fit(q, step, corpus, sizes, t)
	}
	switch {
	case old == nil:
	case old.Base != base:
		if err := q.beginAnew(old.Steps); err != nil {
			return p, err
		}
	case p.Steps < old.Steps && q.Steps == 0:
		return p, fmt.Errorf("%g minutes give %d steps on this machine now, and %s has %d: a run only becomes longer\nhint: more --minutes, or --steps %d; another folder with --out starts anew", q.Minutes, p.Steps, q.Out, old.Steps, 2*old.Steps)
	case p.Steps < old.Steps:
		return p, fmt.Errorf("--steps %d is fewer than the %d that %s has: a run only becomes longer\nhint: choose another folder with --out", p.Steps, old.Steps, q.Out)
	case p.Steps > old.Steps:
		q.Print(fmt.Sprintf("going on from %d steps to %d, with the same text and tokenizer", old.Steps, p.Steps))
	}
	if p.Few != "" {
		q.Print("warning: " + p.Few)
	}
	setSteps(c, p.Steps)
	q.watch(c, p.Steps, t)
	if err := q.writeConfig("train", c); err != nil {
		return p, err
	}
	return p, writeJSON(q.path("stages", "settings.json"), q.settings)
}

// earlierPlan is the plan of the run that the folder has, and its precision; nil without one. Of a
// run of an earlier version of this program only the steps and the precision are known.
func (q *quick) earlierPlan() (*planned, numeric.Precision, error) {
	c, err := train.LoadConfig(filepath.Join(q.runFolder(), "config.yaml"), nil)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("reading the config of the run that is there: %w", err)
	}
	var r record
	p := &planned{}
	if text, err := store.ReadFile(q.path("stages", "plan.json")); err == nil && json.Unmarshal(text, &r) == nil {
		_ = json.Unmarshal(r.Result, p) // what is no plan stays one of no base
	}
	p.Steps = c.MaxDuration.Steps
	return p, c.Precision, nil
}

// trainConfig is the run's configuration but for the number of steps.
func (q *quick) trainConfig(files []string) *train.Config {
	c := recipe(q.Depth)
	for _, f := range files {
		c.Data.Paths = append(c.Data.Paths, q.slashed(filepath.FromSlash(f)))
	}
	c.SaveFolder = filepath.ToSlash(q.runFolder())
	c.Tokenizer.Identifier = filepath.ToSlash(q.tokenizerFile())
	return c
}

// setSteps fits a run to a number of steps, with five checkpoints on the way. The second
// of them is no later than where the rate begins to fall, so that a longer run can go on
// from there.
func setSteps(c *train.Config, steps int) {
	c.MaxDuration, c.StopAt = train.Duration{Steps: steps}, &steps
	c.AllowChanges = []string{"max_duration"} // a run that becomes longer goes on, and its chain records it
	every := max(1, steps/5)
	c.SaveInterval = &every
	c.SampleInterval = every
}

// The held-out curve: so many instances at a time, at most so many times, and for at most
// this share of what training on as many would take. An instance takes about a third of
// the time that training on it does.
const (
	heldOutLabel  = "heldout"
	watchedAtOnce = 4
	watches       = 20
	watchingShare = 0.015
)

// watch has the run look at the loss on held-out text now and then, for less than 2 % of
// its time.
func (q *quick) watch(c *train.Config, steps int, t encoded) {
	all := int(3 * watchingShare * float64(steps*instances(q.Depth)))
	count := min(watches, all/watchedAtOnce)
	if count == 0 || t.HeldOutTokens < sequence {
		return
	}
	atOnce := watchedAtOnce
	batches := max(1, min(all/count, int(t.HeldOutTokens/sequence))/atOnce)
	c.EvalInterval = (steps + count - 1) / count
	var e train.EvaluatorConfig
	e.SetDefaults()
	e.Label, e.DeviceEvalBatchSize, e.SubsetNumBatches = heldOutLabel, &atOnce, &batches
	e.Data.MemmapDType = string(tokens.Uint16)
	for _, f := range t.HeldOutFiles {
		e.Data.Paths = append(e.Data.Paths, q.slashed(filepath.FromSlash(f)))
	}
	c.Evaluators = []train.EvaluatorConfig{e}
}

// Bytes of text that judging reads beside the held-out ones.
const (
	otherBytes  = 567_000
	choiceBytes = 250_000
	questions   = 570
)

// fit plans steps and judging for the minutes, where a step takes so many seconds. Scoring
// a token takes about a fifth of training on one. heldOut are the sizes of the held-out
// documents.
func (p *planned) fit(q *quick, step float64, corpus *CorpusInfo, heldOut []int64, t encoded) {
	perByte := step / float64(instances(q.Depth)*sequence) * 0.22 * float64(t.Tokens) / float64(t.Bytes)
	held, other, choices := perByte*float64(corpus.HeldOut.Bytes), 0.0, 0.0
	if corpus.OtherDomain != "" {
		other = perByte * otherBytes
	}
	if corpus.English() {
		choices = perByte * choiceBytes
	}
	budget := q.Minutes * 60
	most := judgingShare * budget
	if held+other+choices > most && other > 0 {
		p.Judge.NoOther, other = true, 0
	}
	if over := held + choices; over > most {
		share := most / over
		if choices > 0 {
			p.Judge.Choices = max(int(share*questions), 40)
			choices *= float64(p.Judge.Choices) / questions
		}
		bytes := int64(0)
		for _, n := range heldOut { // the first ones, as many as fit in
			if p.Judge.HeldOut > 0 && float64(bytes+n) > share*float64(corpus.HeldOut.Bytes) {
				break
			}
			p.Judge.HeldOut, bytes = p.Judge.HeldOut+1, bytes+n
		}
		held *= float64(bytes) / float64(corpus.HeldOut.Bytes)
	}
	const others = 5 // checkpoints, compressors, samples, release, report
	rest := q.elapsed() + held + other + choices + others
	p.Steps = max(leastSteps, int((budget-rest)/step))
	if p.Steps >= fairSteps {
		return
	}
	minutes := math.Ceil((rest + fairSteps*step) / (60 * (1 - judgingShare/2)))
	p.Few = fmt.Sprintf("%d steps only: a step takes %s on this machine now%s, and a model of fewer than %d steps is hardly better than gzip; --minutes %.0f would give some %d steps",
		p.Steps, duration(step), busy(), fairSteps, minutes, fairSteps)
}

// busy is a remark on a machine that has more to do than it can, where that is known.
func busy() string {
	text, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(text), " ")
	load, err := strconv.ParseFloat(first, 64)
	if err != nil || load < 1.5*float64(runtime.NumCPU()) {
		return ""
	}
	return fmt.Sprintf(", which is busy (load %.0f of %d)", load, runtime.NumCPU())
}

// measure returns the seconds of a training step.
func (q *quick) measure(ctx context.Context, c *train.Config) (float64, error) {
	dev, err := cpu.New()
	if err != nil {
		return 0, err
	}
	t, err := train.New(trial(c), dev, train.Options{})
	if err != nil {
		return 0, err
	}
	defer t.Close()
	const count = 8
	var times []float64
	began := time.Now()
	for i := range count {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if i > 2 && time.Since(began).Minutes() > measuringShare*q.Minutes {
			break
		}
		q.Progress(Progress{Stage: "plan", Done: float64(i), Total: count, Unit: "steps", Note: "measuring the speed"})
		begin := time.Now()
		if _, err := t.Step(); err != nil {
			return 0, err
		}
		if i > 0 { // the first one allocates
			times = append(times, time.Since(begin).Seconds())
		}
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}

// secondsOf is the time of a stage, in all calls that worked on it.
func (q *quick) secondsOf(name string) float64 {
	for _, t := range q.times {
		if t.Name == name {
			return t.Seconds
		}
	}
	return 0
}

// elapsed returns the seconds that the stages so far took, in this and earlier calls.
func (q *quick) elapsed() float64 {
	var s float64
	for _, t := range q.times {
		s += t.Seconds
	}
	return max(s, time.Since(q.began).Seconds())
}
