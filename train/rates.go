package train

import (
	"fmt"
	"slices"
)

// idleRates says in a sentence that the run as it is planned trains at next to nothing: it
// ends inside the warm-up, or its rate stays below a thousandth of the full one, as of an
// official config whose warm-up of billions of tokens meets a small run. It is empty for
// other runs. stop is its last step; steps and tokens are those of max_duration.
func (c *Config) idleRates(stop, steps int, tokens int64) string {
	if stop <= 0 {
		return ""
	}
	const points = 500
	peak, highest := c.Optimizer.LearningRate, 0.0
	var now, end float64
	for i := range points {
		n := max(stop/points*(i+1)+stop%points*(i+1)/points, 1)
		now, end = float64(n), float64(steps)
		if c.Scheduler.Units == "tokens" {
			now, end = now*float64(c.GlobalTrainBatchSize*c.Model.MaxSequenceLength), float64(tokens)
		}
		u := float64(c.updates()) // which the schedule counts
		highest = max(highest, c.learningRate(peak, now*u, end*u, nil))
	}
	units := c.Scheduler.Units
	warmup := c.Scheduler.warmsUp(end*float64(c.updates())) / float64(c.updates())
	const hint = "\nhint: set scheduler.t_warmup (in %s) to a part of the run, a tenth say, or scheduler.warmup_fraction=0.1"
	switch {
	case now < warmup:
		return fmt.Sprintf("the run ends inside its warm-up, after %.4g of %.4g %s: the learning rate comes to %.3g of %.3g"+hint, now, warmup, units, highest, peak, units)
	case highest < peak/1000 && c.Scheduler.Name != "exponential":
		return fmt.Sprintf("the learning rate stays below a thousandth of optimizer.learning_rate: it comes to %.3g of %.3g\nhint: look at scheduler.t_warmup and t_max, in %s, and at stop_at", highest, peak, units)
	}
	return ""
}

// warmsUp is the time of the warm-up at the beginning of a run that ends at end, 0 of a
// schedule without one.
func (s *SchedulerConfig) warmsUp(end float64) float64 {
	switch s.Name {
	case "constant", "exponential", "composable":
		return 0
	case "sequential":
		return s.Schedulers[0].warmsUp(end)
	case "wsds":
		return s.warmup(s.PeriodLengths[0])
	}
	if s.TMax != nil && !slices.Contains([]string{"inverse_sqrt_with_warmup", "constant_with_warmup"}, s.Name) {
		end = *s.TMax
	}
	return s.warmup(end)
}
