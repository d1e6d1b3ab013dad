package train

import (
	"math"

	"olmo/internal/kernel"
)

// schedules are the names of scheduler.name: OLMo's seven and ours.
var schedules = []string{
	"cosine_with_warmup", "linear_with_warmup", "inverse_sqrt_with_warmup", "max_scheduler", "constant",
	"cosine_linear_envelope", "constant_with_warmup", "wsd",
}

// LearningRate returns the rate at time t (steps, or tokens, counted after the
// batch) of a run that ends at end, for a group whose full rate is lr.
//
// Formulas of the ai2-olmo package (olmo/optim.py, 0.6.0); wsd is warm-up, constant,
// and a decay to alpha_f·lr over the last decay_fraction of the time.
func (s *SchedulerConfig) LearningRate(lr, t, end float64) float64 {
	if s.Name == "max_scheduler" {
		cosine, root := *s, *s
		cosine.Name, root.Name = "cosine_with_warmup", "inverse_sqrt_with_warmup"
		return max(cosine.LearningRate(lr, t, end), root.LearningRate(lr, t, end))
	}
	if s.Name == "constant" {
		return lr
	}
	if t < s.TWarmup {
		first := lr * 0.1
		if s.WarmupMinLR != nil {
			first = *s.WarmupMinLR
		}
		return first + float64((lr-first)*min(t, s.TWarmup))/s.TWarmup
	}
	switch s.Name {
	case "constant_with_warmup":
		return lr
	case "inverse_sqrt_with_warmup":
		return lr * math.Sqrt(s.TWarmup/max(s.TWarmup, t))
	}
	if s.TMax != nil {
		end = *s.TMax
	}
	last := lr * s.AlphaF
	if t >= end {
		return last
	}
	x := (t - s.TWarmup) / (end - s.TWarmup) // share of the time after the warm-up
	cosine := func(x float64) float64 { _, c := kernel.SinCos(math.Pi * x); return (1 + c) / 2 }
	switch s.Name {
	case "cosine_with_warmup":
		return last + float64((lr-last)*cosine(x))
	case "linear_with_warmup":
		return lr - float64((lr-last)*x)
	case "cosine_linear_envelope":
		return last + float64((1-x)*float64((lr-last)*cosine(x)))
	case "wsd":
		begin := max(s.TWarmup, float64(end*(1-s.DecayFraction)))
		if t <= begin {
			return lr
		}
		y := (t - begin) / (end - begin)
		left := 1 - y
		switch s.DecayShape {
		case "sqrt":
			left = 1 - math.Sqrt(y)
		case "cosine":
			left = cosine(y)
		}
		return last + float64((lr-last)*left)
	}
	panic("train: no schedule " + s.Name) // Validate has checked it
}

// GradNormLimit returns the limit of the gradient norm (or of its ratio) that the
// scheduler sets at time t: limit, times a factor while clipping warms up.
func (s *SchedulerConfig) GradNormLimit(limit, t float64) float64 {
	if s.GradClipWarmupSteps == nil || s.GradClipWarmupFac == nil || t > *s.GradClipWarmupSteps {
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
