package quickstart

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"olmo/device/cpu"
	"olmo/numeric"
	"olmo/train"
)

// usual is the precision of a run that measures none, so that its bits are the same on every machine.
const usual = numeric.AMPBF16

const (
	// worthIt is how many times as fast as the usual precision another one has to be: less is noise,
	// and a run of another precision has another digest.
	worthIt = 1.15
	// leastTries of a step under each precision, of which the best counts, are made for a second,
	// and at least so many times.
	leastTries = 2
	// hopeless is how many times as long as the shortest step one has to be to be tried once only.
	hopeless = 1.5
)

// stepTime is how long a step of training takes under a precision.
type stepTime struct {
	Precision numeric.Precision `json:"precision"`
	Seconds   float64           `json:"seconds"`
}

// choose returns the precision of a new run: the one that was asked for, the usual one for a number of
// steps, and for a number of minutes the fastest on this machine, with what was measured.
func (q *quick) choose(ctx context.Context, c *train.Config) (numeric.Precision, []stepTime, error) {
	switch {
	case q.Precision != "":
		p, err := numeric.ParseTrainingPrecision(q.Precision)
		return p, nil, err
	case q.Steps > 0:
		return usual, nil, nil
	}
	times, err := q.measurePrecisions(ctx, c)
	if err != nil {
		return 0, nil, err
	}
	p := fastest(times)
	q.Print(fmt.Sprintf("precision: %s (%s)", p, comparedSteps(times)))
	return p, times, nil
}

// fastest is the precision of the shortest step, where that is worth it, else the usual one.
func fastest(times []stepTime) numeric.Precision {
	best, least, most := usual, math.Inf(1), math.Inf(1)
	for _, t := range times {
		if t.Precision == usual {
			most = t.Seconds / worthIt
		}
		if t.Seconds < least {
			best, least = t.Precision, t.Seconds
		}
	}
	if least > most {
		return usual
	}
	return best
}

// comparedSteps says how long a step takes under each precision.
func comparedSteps(times []stepTime) string {
	text := "a step takes "
	for i, t := range times {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%.3f s with %s", t.Seconds, t.Precision)
	}
	return text + " here"
}

// measuredBy is what stands behind a precision that was measured.
func measuredBy(times []stepTime) string {
	if len(times) == 0 {
		return ""
	}
	return ": " + comparedSteps(times)
}

// plannedPrecision is that of the configuration of training.
func (q *quick) plannedPrecision() (numeric.Precision, error) {
	c, err := train.LoadConfig(q.path("config", "train.yaml"), nil)
	if err != nil {
		return 0, err
	}
	return c.Precision, nil
}

// recipe is the recipe in the precision of the run.
func (q *quick) recipe() *train.Config {
	c := recipe(q.Depth)
	c.Precision = q.precision
	return c
}

// measurePrecisions takes steps of training under each precision in turn, so that whatever else the
// machine does falls on all of them.
func (q *quick) measurePrecisions(ctx context.Context, c *train.Config) ([]stepTime, error) {
	// The trainers share one device, and with it the weights and the memory of a single run: what they
	// learn does not count.
	dev, err := cpu.New()
	if err != nil {
		return nil, err
	}
	defer dev.Close()
	var times []stepTime
	var runs []*train.Trainer
	for _, p := range numeric.Precisions() {
		try := trial(c)
		try.Precision = p
		t, err := train.New(try, dev, train.Options{})
		if err != nil {
			return nil, err
		}
		defer t.Close()
		runs, times = append(runs, t), append(times, stepTime{p, math.Inf(1)})
	}
	var began time.Time
	for try := -1; try < leastTries || time.Since(began) < time.Second; try++ { // the first ones allocate
		if try == 0 {
			began = time.Now()
		}
		q.Progress(Progress{Stage: "plan", Note: "measuring the precisions"})
		least := slices.MinFunc(times, func(a, b stepTime) int { return cmp.Compare(a.Seconds, b.Seconds) }).Seconds
		for i, t := range runs {
			if try > 0 && times[i].Seconds > hopeless*least {
				continue
			}
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			begin := time.Now()
			if _, err := t.Step(); err != nil {
				return nil, err
			}
			if try >= 0 {
				times[i].Seconds = min(times[i].Seconds, time.Since(begin).Seconds())
			}
		}
	}
	return times, nil
}

// trial is a config of a run that ends when whoever steps it has seen enough.
func trial(c *train.Config) *train.Config {
	try := *c
	stop := 1 << 30
	try.StopAt, try.MaxDuration, try.TryLoadLatestSave = &stop, train.Duration{Steps: stop}, false
	return &try
}
