package train

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"olmo/config"
	"olmo/numeric"
)

// SchedulerConfig says how the learning rate changes: OLMo's keys, and those of
// OLMo-core's schedulers.
type SchedulerConfig struct {
	Name                string   `yaml:"name"`
	Units               string   `yaml:"units"` // steps, tokens
	TWarmup             float64  `yaml:"t_warmup"`
	TMax                *float64 `yaml:"t_max"`
	AlphaF              float64  `yaml:"alpha_f"`
	GradClipWarmupSteps *float64 `yaml:"grad_clip_warmup_steps"`
	GradClipWarmupFac   *float64 `yaml:"grad_clip_warmup_factor"`
	WarmupMinLR         *float64 `yaml:"warmup_min_lr"`

	// Our own keys are OLMo-core's, and DecayShape: linear, sqrt (1 − √x) or cosine, the form
	// of wsd's decay.

	// WarmupFraction of the run, or of the first period, in place of t_warmup.
	WarmupFraction *float64 `yaml:"warmup_fraction,omitempty"`
	// Decay, or DecayFraction of the run or of each period, is the time at the end over which
	// the rate falls to DecayMinLR (0, and alpha_f of the full rate for wsd).
	Decay         *float64 `yaml:"decay,omitempty"`
	DecayFraction float64  `yaml:"decay_fraction"`
	DecayShape    string   `yaml:"decay_shape"`
	DecayMinLR    *float64 `yaml:"decay_min_lr,omitempty"`
	// PeriodLengths of wsds, and by how much each period's rate is multiplied.
	PeriodLengths       []float64 `yaml:"period_lengths,omitempty"`
	PeriodLRMultipliers []float64 `yaml:"period_lr_multipliers,omitempty"`
	// B is the exponent of power_lr, LRMin the first rate of exponential.
	B     float64 `yaml:"b"`
	LRMin float64 `yaml:"lr_min"`
	// Stages are those of composable.
	Stages []RateStage `yaml:"stages,omitempty"`
	// Schedulers of sequential run one after the other, all but the last for SchedulersMax.
	Schedulers    []SchedulerConfig `yaml:"schedulers,omitempty"`
	SchedulersMax []float64         `yaml:"schedulers_max,omitempty"`
	// OverrideDecay ends composable and sequential from some time on.
	OverrideDecay *OverrideDecay `yaml:"override_decay,omitempty"`
}

// SetDefaults gives OLMo's defaults, and OLMo-core's.
func (s *SchedulerConfig) SetDefaults() {
	*s = SchedulerConfig{Name: "cosine_with_warmup", Units: "steps", TWarmup: 100, AlphaF: 0.1, DecayFraction: 0.1, DecayShape: "linear", B: -0.51, LRMin: 1e-9}
}

// RateStage goes from one rate to another; a rate is absolute or a fraction of the full one.
type RateStage struct {
	Duration        float64  `yaml:"duration"`
	Shape           string   `yaml:"shape"`                       // linear, cosine
	StartLR         *float64 `yaml:"start_lr,omitempty"`          // where the stage before ended, when
	StartLRFraction *float64 `yaml:"start_lr_fraction,omitempty"` // neither is set
	EndLR           *float64 `yaml:"end_lr,omitempty"`
	EndLRFraction   *float64 `yaml:"end_lr_fraction,omitempty"`
}

// SetDefaults gives OLMo-core's default.
func (s *RateStage) SetDefaults() { s.Shape = "linear" }

// OverrideDecay is a last stage that takes over at Start, from the rate of that time.
type OverrideDecay struct {
	Start     float64 `yaml:"start"`
	RateStage `yaml:",inline"`
}

// schedules are the names of scheduler.name: OLMo's seven, and, from wsd on, OLMo-core's that
// differ from them.
var schedules = []string{
	"cosine_with_warmup", "linear_with_warmup", "inverse_sqrt_with_warmup", "max_scheduler", "constant",
	"cosine_linear_envelope", "constant_with_warmup",
	"wsd", "wsds", "power_lr", "half_cos_with_warmup", "cos_with_warmup_and_linear_decay", "inv_sqrt_with_warmup", "exponential",
	"composable", "sequential",
	"hf_linear", "hf_cosine", "hf_constant",
}

// check reports what no schedule can be made of; key is the section's name.
func (s *SchedulerConfig) check(key string) error {
	fail := func(format string, args ...any) error { return fmt.Errorf(key+": "+format, args...) }
	if err := errors.Join(config.OneOf(key+".name", s.Name, schedules...), config.OneOf(key+".units", s.Units, "steps", "tokens"), config.OneOf(key+".decay_shape", s.DecayShape, "linear", "sqrt", "cosine")); err != nil {
		return err
	}
	if err := checkLimits(s.limits(key)); err != nil {
		return err
	}
	switch {
	case s.Name == "power_lr" && (s.B >= 0 || s.WarmupFraction == nil && s.TWarmup < 1):
		return fail("power_lr falls with a negative power of the time over the warm-up: b is %g, t_warmup %g", s.B, s.TWarmup)
	case s.Name == "exponential" && !(s.LRMin > 0):
		return fail("lr_min is %g, it must be positive", s.LRMin)
	}
	stage := func(r *RateStage) error {
		if !(r.Duration > 0) || (r.EndLR == nil) == (r.EndLRFraction == nil) || r.StartLR != nil && r.StartLRFraction != nil {
			return fail("a stage needs a positive duration, one of end_lr and end_lr_fraction, and at most one of start_lr and start_lr_fraction")
		}
		return config.OneOf(key+": shape", r.Shape, "linear", "cosine")
	}
	switch s.Name {
	case "wsds":
		if len(s.PeriodLengths) == 0 || s.PeriodLRMultipliers != nil && len(s.PeriodLRMultipliers) != len(s.PeriodLengths) {
			return fail("wsds needs period_lengths, and as many period_lr_multipliers or none")
		}
		for i, n := range s.PeriodLengths {
			need := s.decay(n)
			if i == 0 {
				need += s.warmup(n)
			}
			if !(n > 0) || need > n {
				return fail("period_lengths[%d] is %g, too short for its warm-up and decay of %g", i, n, need)
			}
		}
	case "composable":
		if len(s.Stages) == 0 {
			return fail("composable needs stages")
		}
		for i := range s.Stages {
			if err := stage(&s.Stages[i]); err != nil {
				return err
			}
		}
	case "sequential":
		if len(s.Schedulers) == 0 || len(s.SchedulersMax) != len(s.Schedulers)-1 {
			return fail("sequential needs schedulers, and schedulers_max for all but the last: %d and %d are there", len(s.Schedulers), len(s.SchedulersMax))
		}
		for i := range s.Schedulers {
			if err := s.Schedulers[i].check(fmt.Sprintf("%s.schedulers[%d]", key, i)); err != nil {
				return err
			}
		}
	}
	if o := s.OverrideDecay; o != nil {
		if s.Name != "composable" && s.Name != "sequential" || o.StartLR != nil || o.StartLRFraction != nil {
			return fail("override_decay belongs to composable and sequential, and starts at their rate")
		}
		return stage(&o.RateStage)
	}
	return nil
}

// warmup is the time of the warm-up of a run or period of length end. Times are whole
// numbers, as in both programs.
func (s *SchedulerConfig) warmup(end float64) float64 {
	if s.WarmupFraction != nil {
		return math.RoundToEven(end * *s.WarmupFraction)
	}
	return math.Trunc(s.TWarmup)
}

// decay is the time of the decay at the end of a run or period of length end.
func (s *SchedulerConfig) decay(end float64) float64 {
	if s.Decay != nil {
		return math.Trunc(*s.Decay)
	}
	return math.RoundToEven(end * s.DecayFraction)
}

// floor is the rate at the end of a decay.
func (s *SchedulerConfig) floor() float64 {
	if s.DecayMinLR != nil {
		return *s.DecayMinLR
	}
	return 0
}

// LearningRate returns the rate at time t (steps, or tokens, counted after the
// batch) of a run that ends at end, for a group whose full rate is lr.
//
//	lr   ┌╌╌╌╌╌╌╲                        warm-up: a line to lr
//	    ╱         ╲                      then the curve of the name, down to last = lr·alpha_f
//	   ╱            ╲______ last         at t_max, or at the end of the run
//	   0   warmup   t_max   end
//
// One bit of a rate changes every weight. So each product is rounded by itself (float64(…)), and
// the functions are numeric's, not package math's. The order of the operations is the reference's.
//
// Formulas of the ai2-olmo package (olmo/optim.py, 0.6.0) and, for the names that it lacks,
// of OLMo-core (src/olmo_core/optim/scheduler.py, 2026-06), whose warm-ups begin at 0.
func (s *SchedulerConfig) LearningRate(lr, t, end float64) float64 {
	switch s.Name {
	case "max_scheduler":
		cosine, root := *s, *s
		cosine.Name, root.Name = "cosine_with_warmup", "inverse_sqrt_with_warmup"
		return max(cosine.LearningRate(lr, t, end), root.LearningRate(lr, t, end))
	case "constant":
		return lr
	case "exponential":
		return s.LRMin * numeric.Pow(lr/s.LRMin, min(max(t, 0)/end, 1))
	case "composable":
		return s.override(lr, t, func(t float64) float64 { return s.composed(lr, t) })
	case "sequential":
		return s.override(lr, t, func(t float64) float64 { return s.sequence(lr, t, end) })
	case "wsds":
		return s.periods(lr, t)
	case "hf_linear", "hf_cosine", "hf_constant":
		return s.transformers(lr, t, end)
	}
	core := slices.Index(schedules, s.Name) >= slices.Index(schedules, "wsd")
	// t_max, where the name has such a thing, takes the place of the run's end. (OLMo ignores it
	// for the two that do not end anywhere.)
	whole := end
	if s.TMax != nil && s.Name != "inverse_sqrt_with_warmup" && s.Name != "constant_with_warmup" {
		end = math.Trunc(*s.TMax)
	}
	warmup, last := s.warmup(end), lr*s.AlphaF
	if t < warmup {
		if s.Name == "half_cos_with_warmup" { // whose curve begins in the middle of a cosine
			lr = last + float64((lr-last)/2)
		}
		return s.rise(lr, t, warmup, core)
	}
	switch s.Name {
	case "constant_with_warmup":
		return lr
	case "inverse_sqrt_with_warmup":
		return lr * math.Sqrt(warmup/max(warmup, t))
	case "inv_sqrt_with_warmup":
		return last + float64((lr-last)*math.Sqrt(warmup/max(t, 1)))
	case "power_lr": // lr·(t/warmup)^b, then a line to the floor; Shen et al. 2024
		power := func(t float64) float64 { return lr * numeric.Pow(t/warmup, s.B) }
		if decay := s.decay(end); t >= end-decay {
			return fall(power(end-decay), s.floor(), end-t, decay)
		}
		return power(t)
	case "cos_with_warmup_and_linear_decay":
		// t_max is the cosine's alone: the line begins at what the cosine has come to, a decay
		// before the end of the whole run.
		if decay := s.decay(whole); t >= whole-decay {
			cosine, from := *s, 0.0
			cosine.Name, cosine.WarmupMinLR = "cosine_with_warmup", &from
			if s.WarmupMinLR != nil {
				from = *s.WarmupMinLR
			}
			return fall(cosine.LearningRate(lr, whole-decay, end), s.floor(), whole-t, decay)
		}
	case "wsd":
		if s.DecayMinLR != nil {
			last = *s.DecayMinLR
		}
	}
	if t >= end {
		return last
	}
	// From here on the rate is last + (lr − last)·f(x), x being the share of the time after the
	// warm-up, and f falls to 0 at x = 1.
	x := (t - warmup) / (end - warmup)
	cosine := func(x float64) float64 { _, c := numeric.SinCos(math.Pi * x); return (1 + c) / 2 }
	switch s.Name {
	case "cosine_with_warmup", "cos_with_warmup_and_linear_decay":
		return last + float64((lr-last)*cosine(x))
	case "half_cos_with_warmup": // the second half of a cosine
		return last + float64((lr-last)*cosine((1+x)/2))
	case "linear_with_warmup":
		return lr - float64((lr-last)*x)
	case "cosine_linear_envelope": // a cosine times a line
		return last + float64((1-x)*float64((lr-last)*cosine(x)))
	case "wsd": // level up to the decay; Hu et al. 2024
		begin := max(warmup, end-s.decay(end))
		if t <= begin {
			return lr
		}
		left := (end - t) / (end - begin)
		switch s.DecayShape {
		case "sqrt":
			left = 1 - math.Sqrt(1-left)
		case "cosine":
			left = cosine(1 - left)
		}
		return last + float64((lr-last)*left)
	}
	panic("train: no schedule " + s.Name) // check has seen it
}

// transformers is a schedule of Hugging Face's Transformers (get_scheduler in optimization.py,
// 5.23), whose clock is the number of updates before: the first one's rate is 0 where there is a
// warm-up. After it the rate falls to 0 at t_max or at the end of the run.
func (s *SchedulerConfig) transformers(lr, t, end float64) float64 {
	if s.TMax != nil {
		end = *s.TMax
	}
	t, warmup := t-1, s.warmup(end)
	if t < warmup {
		return lr * (t / max(warmup, 1))
	}
	switch s.Name {
	case "hf_linear":
		return lr * max((end-t)/max(end-warmup, 1), 0)
	case "hf_cosine":
		_, c := numeric.SinCos(math.Pi * ((t - warmup) / max(end-warmup, 1)))
		return lr * max((1+c)/2, 0)
	}
	return lr
}

// rise is the warm-up to lr, a line: first + (lr − first)·t/warmup, with first a tenth of lr in
// OLMo, 0 in OLMo-core, or warmup_min_lr.
func (s *SchedulerConfig) rise(lr, t, warmup float64, core bool) float64 {
	first := lr * 0.1
	if core {
		first = 0
	}
	if s.WarmupMinLR != nil {
		first = *s.WarmupMinLR
	}
	return first + float64((lr-first)*min(t, warmup))/warmup
}

// fall is the linear decay from lr to low when left of its time is left: low + (lr − low)·left/time.
func fall(lr, low, left, time float64) float64 {
	if left <= 0 {
		return low
	}
	return low + float64((lr-low)*min(left, time))/time
}

// periods is wsds: each period is level and then falls; the next is at its full rate at once.
// Only the first has a warm-up. At the very end of a period the rate is the end of its fall,
// and not yet the next one's, since t counts after the batch.
func (s *SchedulerConfig) periods(lr, t float64) float64 {
	begin := 0.0
	for i, length := range s.PeriodLengths {
		peak := lr
		if s.PeriodLRMultipliers != nil {
			peak *= s.PeriodLRMultipliers[i]
		}
		if warmup := s.warmup(length); i == 0 && t < warmup {
			return s.rise(peak, t, warmup, true)
		}
		end := begin + length
		if t < end || t == end && i < len(s.PeriodLengths)-1 {
			decay := s.decay(length)
			if t < end-decay {
				return peak
			}
			return fall(peak, s.floor(), end-t, decay)
		}
		begin = end
	}
	return s.floor()
}

// rateOf is an absolute rate or, when that is not set, a fraction of lr.
func rateOf(lr float64, rate, fraction *float64) float64 {
	if rate != nil {
		return *rate
	}
	return lr * *fraction
}

// at is the stage's rate at time t of it; lr is the full rate, start that of its beginning.
func (s *RateStage) at(lr, start, t float64) float64 {
	end := rateOf(lr, s.EndLR, s.EndLRFraction)
	switch {
	case t >= s.Duration:
		return end
	case s.Shape == "cosine":
		_, c := numeric.SinCos(math.Pi * (t / s.Duration))
		return end + float64((start-end)*(1+c))/2
	}
	return start + float64((end-start)*t)/s.Duration
}

// composed goes through the stages, and stays at the last one's end.
func (s *SchedulerConfig) composed(lr, t float64) float64 {
	rate := lr
	for i := range s.Stages {
		r := &s.Stages[i]
		if r.StartLR != nil || r.StartLRFraction != nil {
			rate = rateOf(lr, r.StartLR, r.StartLRFraction)
		}
		if t < r.Duration {
			return r.at(lr, rate, t)
		}
		rate, t = r.at(lr, rate, t), t-r.Duration
	}
	return rate
}

// sequence runs one scheduler after the other, each on a clock of its own that begins at 0. The
// full rate of each is the last rate of the one before.
func (s *SchedulerConfig) sequence(lr, t, end float64) float64 {
	for i, n := range s.SchedulersMax {
		if t <= n {
			return s.Schedulers[i].LearningRate(lr, t, min(end, n))
		}
		lr, t, end = s.Schedulers[i].LearningRate(lr, n, n), t-n, end-n
	}
	return s.Schedulers[len(s.Schedulers)-1].LearningRate(lr, t, end)
}

// override is the rate of main, or of override_decay once that has begun.
func (s *SchedulerConfig) override(lr, t float64, main func(t float64) float64) float64 {
	o := s.OverrideDecay
	if o == nil || t < o.Start {
		return main(t)
	}
	return o.at(lr, main(o.Start), t-o.Start)
}

// GradNormLimit returns the limit of the gradient norm (or of its ratio) that the
// scheduler sets at time t: limit, times a factor while clipping warms up.
func (s *SchedulerConfig) GradNormLimit(limit, t float64) float64 {
	if s.GradClipWarmupSteps == nil || s.GradClipWarmupFac == nil || t > math.Trunc(*s.GradClipWarmupSteps) {
		return limit
	}
	return limit * *s.GradClipWarmupFac
}

// learningRate is the scheduler's rate, or, between the two times of rewarm, a line from
// 0 to what it will be at the second.
//
// BoltOnWarmupScheduler of the ai2-olmo package (olmo/optim.py, 0.6.0).
func (c *Config) learningRate(lr, t, end float64, rewarm *[2]float64) float64 {
	if rewarm == nil || t >= rewarm[1] {
		return c.Scheduler.LearningRate(lr, t, end)
	}
	if t < rewarm[0] {
		return 0
	}
	return float64(c.Scheduler.LearningRate(lr, rewarm[1], end)*(t-rewarm[0])) / (rewarm[1] - rewarm[0])
}
