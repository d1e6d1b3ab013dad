package train

import (
	"math"
	"strings"
	"testing"
)

// TestScheduleCheck: what no schedule can be made of is refused; what is at the edge is not.
func TestScheduleCheck(t *testing.T) {
	x := func(v float64) *float64 { return &v }
	stage := RateStage{Duration: 5, Shape: "linear", EndLR: x(1)}
	with := func(change func(r *RateStage)) RateStage { r := stage; change(&r); return r }
	for _, c := range []struct {
		name   string
		change func(s *SchedulerConfig)
		want   string // "": no error
	}{
		{"the defaults", func(s *SchedulerConfig) {}, ""},
		{"units", func(s *SchedulerConfig) { s.Units = "epochs" }, "scheduler.units"},
		{"tokens", func(s *SchedulerConfig) { s.Units = "tokens" }, ""},
		{"shape", func(s *SchedulerConfig) { s.DecayShape = "cubic" }, "scheduler.decay_shape"},
		{"all decay", func(s *SchedulerConfig) { s.DecayFraction, s.WarmupFraction = 1, x(1) }, ""},
		{"no decay", func(s *SchedulerConfig) { s.DecayFraction, s.WarmupFraction = 0, x(0) }, ""},
		{"more than all", func(s *SchedulerConfig) { s.DecayFraction = 1.1 }, "scheduler.decay_fraction is 1.1, it must be at most 1"},
		{"negative", func(s *SchedulerConfig) { s.WarmupFraction = x(-0.1) }, "scheduler.warmup_fraction is -0.1, it must not be negative"},
		{"more warm-up than all", func(s *SchedulerConfig) { s.WarmupFraction = x(1.1) }, "scheduler.warmup_fraction is 1.1, it must be at most 1"},
		{"a rising power", func(s *SchedulerConfig) { s.Name, s.B = "power_lr", 0 }, "b is 0"},
		{"a power without a warm-up", func(s *SchedulerConfig) { s.Name, s.TWarmup = "power_lr", 0 }, "t_warmup 0"},
		{"a power after one step", func(s *SchedulerConfig) { s.Name, s.TWarmup = "power_lr", 1 }, ""},
		{"a power after a fraction", func(s *SchedulerConfig) { s.Name, s.TWarmup, s.WarmupFraction = "power_lr", 0, x(0.1) }, ""},
		{"exponential from 0", func(s *SchedulerConfig) { s.Name, s.LRMin = "exponential", 0 }, "lr_min is 0"},
		{"exponential", func(s *SchedulerConfig) { s.Name = "exponential" }, ""},
		{"periods", func(s *SchedulerConfig) { s.Name, s.TWarmup, s.PeriodLengths = "wsds", 90, []float64{100, 50} }, ""},
		{"the first period is too short", func(s *SchedulerConfig) { s.Name, s.TWarmup, s.PeriodLengths = "wsds", 91, []float64{100} }, "period_lengths[0] is 100, too short for its warm-up and decay of 101"},
		{"a later period needs no warm-up", func(s *SchedulerConfig) { s.Name, s.TWarmup, s.PeriodLengths = "wsds", 5, []float64{100, 4} }, ""},
		{"a period of nothing", func(s *SchedulerConfig) { s.Name, s.TWarmup, s.PeriodLengths = "wsds", 0, []float64{10, 0} }, "period_lengths[1] is 0"},
		{"rates of periods", func(s *SchedulerConfig) {
			s.Name, s.TWarmup, s.PeriodLengths, s.PeriodLRMultipliers = "wsds", 0, []float64{10, 10}, []float64{1}
		}, "as many period_lr_multipliers or none"},
		{"no stages", func(s *SchedulerConfig) { s.Name = "composable" }, "composable needs stages"},
		{"a stage", func(s *SchedulerConfig) { s.Name, s.Stages = "composable", []RateStage{stage} }, ""},
		{"a stage of no time", func(s *SchedulerConfig) {
			s.Name, s.Stages = "composable", []RateStage{stage, with(func(r *RateStage) { r.Duration = 0 })}
		}, "a stage needs a positive duration"},
		{"a stage of two ends", func(s *SchedulerConfig) {
			s.Name, s.Stages = "composable", []RateStage{with(func(r *RateStage) { r.EndLRFraction = x(1) })}
		}, "one of end_lr and end_lr_fraction"},
		{"a stage of two beginnings", func(s *SchedulerConfig) {
			s.Name, s.Stages = "composable", []RateStage{with(func(r *RateStage) { r.StartLR, r.StartLRFraction = x(1), x(1) })}
		}, "at most one of start_lr"},
		{"a stage of another shape", func(s *SchedulerConfig) {
			s.Name, s.Stages = "composable", []RateStage{with(func(r *RateStage) { r.Shape = "sqrt" })}
		}, "shape"},
		{"one scheduler", func(s *SchedulerConfig) {
			s.Name, s.Schedulers = "sequential", []SchedulerConfig{{Name: "constant", Units: "steps", DecayShape: "linear"}}
		}, ""},
		{"no scheduler", func(s *SchedulerConfig) { s.Name = "sequential" }, "sequential needs schedulers"},
		{"a scheduler inside", func(s *SchedulerConfig) {
			s.Name, s.Schedulers = "sequential", []SchedulerConfig{{Name: "x", Units: "steps", DecayShape: "linear"}}
		}, "scheduler.schedulers[0].name"},
		{"an end", func(s *SchedulerConfig) {
			s.Name, s.Stages, s.OverrideDecay = "composable", []RateStage{stage}, &OverrideDecay{Start: 3, RateStage: stage}
		}, ""},
		{"an end of another", func(s *SchedulerConfig) { s.OverrideDecay = &OverrideDecay{RateStage: stage} }, "override_decay belongs to composable and sequential"},
		{"an end with a beginning", func(s *SchedulerConfig) {
			s.Name, s.Stages, s.OverrideDecay = "composable", []RateStage{stage}, &OverrideDecay{RateStage: with(func(r *RateStage) { r.StartLR = x(1) })}
		}, "override_decay belongs to"},
		{"an end with a share to begin", func(s *SchedulerConfig) {
			s.Name, s.Stages, s.OverrideDecay = "composable", []RateStage{stage}, &OverrideDecay{RateStage: with(func(r *RateStage) { r.StartLRFraction = x(1) })}
		}, "override_decay belongs to"},
		{"an end of no time", func(s *SchedulerConfig) {
			s.Name, s.Stages, s.OverrideDecay = "composable", []RateStage{stage}, &OverrideDecay{RateStage: with(func(r *RateStage) { r.Duration = 0 })}
		}, "a stage needs"},
	} {
		var s SchedulerConfig
		s.SetDefaults()
		c.change(&s)
		err := s.check("scheduler")
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "%!")) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestWarmupBoundary: at the very end of a warm-up the rate is the full one, a step before and
// after it is not; half a step of a fraction is rounded to the even one.
func TestWarmupBoundary(t *testing.T) {
	x := func(v float64) *float64 { return &v }
	for _, name := range []string{"cosine_with_warmup", "linear_with_warmup", "inverse_sqrt_with_warmup", "cosine_linear_envelope", "constant_with_warmup", "max_scheduler", "wsd"} {
		s := SchedulerConfig{Name: name, TWarmup: 10, AlphaF: 0.1, DecayFraction: 0.5, DecayShape: "linear", WarmupMinLR: x(0)}
		for step, want := range map[float64]float64{0: 0, 1: 0.1, 9: 0.9, 10: 1} {
			if got := s.LearningRate(1, step, 100); math.Abs(got-want) > 1e-12 {
				t.Errorf("%s: rate at %g is %g, want %g", name, step, got, want)
			}
		}
		if got := s.LearningRate(1, 11, 100); name != "wsd" && name != "constant_with_warmup" && !(got < 1 && got > 0.9) {
			t.Errorf("%s: a step after the warm-up the rate is %g", name, got)
		}
	}
	for fraction, want := range map[float64]float64{0.25: 2, 0.35: 4, 0.31: 3} {
		if got := (&SchedulerConfig{WarmupFraction: x(fraction), TWarmup: 7}).warmup(10); got != want {
			t.Errorf("%g of 10 steps are %g, want %g", fraction, got, want)
		}
	}
	if got := (&SchedulerConfig{TWarmup: 7.9}).warmup(10); got != 7 {
		t.Errorf("7.9 steps of warm-up are %g, want 7", got)
	}
	if got := (&SchedulerConfig{Decay: x(7.9), DecayFraction: 0.1}).decay(10); got != 7 {
		t.Errorf("7.9 steps of decay are %g, want 7", got)
	}
}

// TestRewarm: after a reset of the optimiser the rate is a line from 0 to the schedule's own.
func TestRewarm(t *testing.T) {
	c := &Config{Scheduler: SchedulerConfig{Name: "linear_with_warmup", AlphaF: 0}}
	plain := func(step float64) float64 { return c.learningRate(1, step, 100, nil) }
	between := &[2]float64{20, 40}
	for step, want := range map[float64]float64{10: 0, 20: 0, 25: 0.25 * plain(40), 39: 0.95 * plain(40), 40: plain(40), 60: plain(60)} {
		if got := c.learningRate(1, step, 100, between); math.Abs(got-want) > 1e-12 {
			t.Errorf("rate at %g is %g, want %g", step, got, want)
		}
	}
	if plain(40) != 0.6 {
		t.Errorf("the schedule's own rate at 40 is %g, want 0.6", plain(40))
	}
}

// TestGradNormLimit: while clipping warms up, its last step included, the limit is a multiple.
func TestGradNormLimit(t *testing.T) {
	x := func(v float64) *float64 { return &v }
	s := SchedulerConfig{GradClipWarmupSteps: x(5.9), GradClipWarmupFac: x(10)}
	for step, want := range map[float64]float64{0: 20, 5: 20, 6: 2} {
		if got := s.GradNormLimit(2, step); got != want {
			t.Errorf("limit at %g is %g, want %g", step, got, want)
		}
	}
	s.GradClipWarmupFac = nil
	if got := s.GradNormLimit(2, 1); got != 2 {
		t.Errorf("without a factor the limit is %g, want 2", got)
	}
}

// TestTransformers: rates of transformers 5.23's get_scheduler, for 10 updates with a warm-up of 3.
func TestTransformers(t *testing.T) {
	for name, want := range map[string][]float64{
		"hf_linear":   {0, 1. / 3, 2. / 3, 1, 6. / 7, 5. / 7, 4. / 7, 3. / 7, 2. / 7, 1. / 7, 0},
		"hf_cosine":   {0, 1. / 3, 2. / 3, 1, 0.9504844339512095, 0.8117449009293668, 0.6112604669781572, 0.3887395330218429, 0.1882550990706332, 0.04951556604879043, 0},
		"hf_constant": {0, 1. / 3, 2. / 3, 1, 1, 1, 1, 1, 1, 1, 1},
	} {
		s := SchedulerConfig{}
		s.SetDefaults()
		s.Name, s.TWarmup = name, 3
		for k, w := range want {
			if got := s.LearningRate(1, float64(k+1), 10); math.Abs(got-w) > 1e-15 {
				t.Errorf("%s, update %d: %v, want %v", name, k, got, w)
			}
		}
	}
}
