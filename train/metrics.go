package train

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"olmo/graph"
	"olmo/internal/parallel"
	"olmo/model"
	"olmo/numeric"
	"olmo/runlog"
)

// gridIntensity is the world's average of recent years, in kg CO2e a kWh (Ember,
// Global Electricity Review 2024: 480 g).
const gridIntensity = 0.48

// speed measures how fast a run is, over the last steps, and what it costs.
type speed struct {
	window int
	cost   model.FLOPs
	peak   float64       // operations a second, 0 when not known
	times  []time.Time   // ends of the last steps; the first is the start of the window
	tokens []int         // of the steps after times[0]
	work   []float64     // and their operations, as OLMo-core counts them
	waited time.Duration // for the last batch
	saved  time.Duration // for which the last checkpoint held up the training, 0 once logged
	meter  *meter
	before float64 // kWh that the run took before this process
}

func (s *speed) start() {
	s.times, s.tokens, s.work = []time.Time{time.Now()}, nil, nil
	s.meter = newMeter()
}

// resume takes the energy that a continued run has used so far from its log.
func (s *speed) resume(path string) error {
	records, err := runlog.Read(path)
	if err != nil {
		return err
	}
	for _, r := range slices.Backward(records) {
		if kWh, ok := r["energy/kWh"].(float64); ok {
			s.before = kWh
			break
		}
	}
	return nil
}

// step notes a step of so many tokens and operations.
func (s *speed) step(tokens int, work float64) {
	if len(s.times) == 0 {
		s.start()
	}
	s.times = append(s.times, time.Now())
	s.tokens, s.work = append(s.tokens, tokens), append(s.work, work)
	if over := len(s.tokens) - max(s.window, 1); over > 0 {
		s.times, s.tokens, s.work = s.times[over:], s.tokens[over:], s.work[over:]
	}
}

// skip leaves the time since the last step out of the speed: evaluations and samples
// are no training.
func (s *speed) skip() {
	if len(s.times) == 0 {
		return
	}
	pause := time.Since(s.times[len(s.times)-1])
	for i := range s.times {
		s.times[i] = s.times[i].Add(pause)
	}
}

// rate returns tokens per second, 0 before the first step.
func (s *speed) rate() float64 {
	if len(s.tokens) == 0 {
		return 0
	}
	n := 0
	for _, t := range s.tokens {
		n += t
	}
	return float64(n) / max(s.times[len(s.times)-1].Sub(s.times[0]).Seconds(), 1e-9)
}

// perStep is the mean time of a step, 0 before the first.
func (s *speed) perStep() time.Duration {
	if len(s.tokens) == 0 {
		return 0
	}
	return s.times[len(s.times)-1].Sub(s.times[0]) / time.Duration(len(s.tokens))
}

// IsTiming reports whether a key of a record holds a time, a speed or an energy, which
// differ from run to run; all others are the same on every machine.
func IsTiming(key string) bool {
	return strings.HasPrefix(key, "throughput/device/") || strings.HasPrefix(key, "energy/")
}

// measure adds speed and cost to a step's record, with OLMo's names where it has them.
func (s *speed) measure(r runlog.Record, tokens int64) {
	total := (s.cost.Forward + s.cost.Backward) * float64(tokens) / 1e9
	r["throughput/total_training_Gflops"] = total
	r["throughput/total_training_log_Gflops"] = numeric.Log(total)
	rate := s.rate()
	seconds := max(s.times[len(s.times)-1].Sub(s.times[0]).Seconds(), 1e-9)
	r["throughput/device/tokens_per_second"] = rate
	r["throughput/device/batches_per_second"] = float64(len(s.tokens)) / seconds
	r["throughput/device/data_loading_seconds"] = s.waited.Seconds()
	if s.saved > 0 {
		r["throughput/device/checkpoint_seconds"] = s.saved.Seconds()
		s.saved = 0
	}
	var work float64
	for _, n := range s.work {
		work += n
	}
	r["throughput/device/flops_per_second"] = work / seconds
	if s.peak > 0 {
		r["throughput/device/MFU"] = work / seconds / s.peak
	}
	kWh := s.before + s.meter.read(parallel.Threads())/3.6e6
	r["energy/kWh"] = kWh
	r["energy/kg_CO2e"] = kWh * gridIntensity
	r["energy/measured"] = s.meter.measured()
}

// text writes a record as OLMo's console does: one value a line, with fewer digits the
// larger it is, and of the optimiser's only the gradient norm.
func text(r runlog.Record) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(r)) {
		if strings.HasPrefix(k, "optim/") && k != "optim/total_grad_norm" {
			continue
		}
		v, ok := r[k].(float64)
		if !ok {
			switch n := r[k].(type) {
			case int:
				v = float64(n)
			case int64:
				v = float64(n)
			default:
				continue
			}
		}
		if k == "step" || k == "epoch" {
			continue
		}
		fmt.Fprintf(&b, "\n    %s=%s", k, readable(v))
	}
	return b.String()
}

// readable is OLMo's format_float (Trainer.log_metrics_to_console in olmo/train.py, 0.6.0).
func readable(v float64) string {
	switch {
	case v < 0.0001:
		return fmt.Sprint(v)
	case v > 1000:
		return thousands(strconv.FormatFloat(math.Trunc(v), 'f', 0, 64))
	case v > 100:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case v > 10:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case v > 1:
		return strconv.FormatFloat(v, 'f', 3, 64)
	}
	return strconv.FormatFloat(v, 'f', 4, 64)
}

func thousands(digits string) string {
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// Console writes the lines that OLMo prints for a step.
func (p *Progress) Console() string {
	return fmt.Sprintf("[step=%d/%d,epoch=%d]%s", p.Step, p.MaxSteps, p.Epoch, text(p.Record))
}

// Evaluated tells whether the step was followed by an evaluation.
func (p *Progress) Evaluated() bool {
	for k := range p.Record {
		if strings.HasPrefix(k, "eval/") {
			return true
		}
	}
	return false
}

// logs tells whether a step's record holds the norms of the parameters' gradients, and
// whether it holds all the figures of the parameters. As in OLMo both need a wandb section: the
// norms come every wandb.log_interval steps, the figures every optimizer.metrics_log_interval
// steps, which is at least as long.
func (c *Config) logs(step int) (norms, all bool) {
	if c.Wandb == nil {
		return false, false
	}
	n := max(c.Wandb.LogInterval, 1)
	m := n
	if i := c.Optimizer.MetricsLogInterval; i != nil {
		m = max(*i, n)
	}
	return step%n == 0 || step%m == 0, step%m == 0
}

// measureParameters adds norm, least and greatest magnitude and mean of each parameter's
// gradient (before clipping), value and moments, under OLMo's names.
func (t *Trainer) measureParameters(rec runlog.Record) error {
	add := func(kind, name, param string) error {
		v, err := t.dev.Read(name)
		if err != nil {
			return err
		}
		var sum, squares float64
		least, most := math.Inf(1), 0.0
		for _, x := range v {
			a := math.Abs(float64(x))
			least, most = min(least, a), max(most, a)
			sum += float64(x)
			squares += float64(a * a)
		}
		key := "optim/" + kind + "/" + param
		rec[key+".norm"], rec[key+".min"], rec[key+".max"], rec[key+".avg"] = math.Sqrt(squares), least, most, sum/float64(len(v))
		return nil
	}
	for _, p := range t.params {
		if err := errors.Join(add("grad", graph.GradName(p.Name, 0), p.Name), add("param", p.Name, p.Name)); err != nil {
			return err
		}
	}
	if t.cfg.Optimizer.Name == "lionw" {
		return nil // of LionW's momentum OLMo says nothing
	}
	return t.eachState(func(s state, p model.Param) error {
		kind, _, _ := strings.Cut(s.name, "/")
		return add(kind, s.name, p.Name)
	})
}

// measureUpdates adds what record_update_metrics asks for, before an update: the norm and
// the greatest magnitude of AdamW's step on each parameter, without its decay, or the
// cosine between LionW's update and its signs.
func (t *Trainer) measureUpdates(rec runlog.Record, u *graph.Update) error {
	o := &t.cfg.Optimizer
	var dot, squares, signs float64 // of LionW
	first, second := 1-numeric.Pow(o.Betas[0], float64(u.Step)), math.Sqrt(1-numeric.Pow(o.Betas[1], float64(u.Step)))
	for i, group := range t.groups {
		if group.Matrices {
			continue
		}
		for _, p := range group.Params {
			g, err := t.dev.Read(graph.GradName(p.Name, 0))
			if err != nil {
				return err
			}
			states := make([][]float32, 2)
			for k, s := range o.states(group, p) {
				if states[k], err = t.dev.Read(s.name); err != nil {
					return err
				}
			}
			var sum, most float64
			for j, d := range g {
				d := float64(float32(float64(d) * u.Clip))
				if o.SelectiveUpdates && d == 0 {
					continue
				}
				m := float64(states[0][j])
				x := float64(m*o.Betas[0]) + float64(d*(1-o.Betas[0]))
				if o.Name == "lionw" {
					dot += math.Abs(x)
					squares += float64(x * x)
					if x != 0 {
						signs++
					}
					continue
				}
				v := float64(float64(states[1][j])*o.Betas[1]) + float64(float64(d*d)*(1-o.Betas[1]))
				x = u.LR[i] / first * x / (math.Sqrt(v)/second + o.Eps)
				sum += float64(x * x)
				most = max(most, math.Abs(x))
			}
			if o.Name != "lionw" {
				rec["optim/step/"+p.Name+".norm"], rec["optim/step/"+p.Name+".max"] = math.Sqrt(sum), most
			}
		}
	}
	if o.Name == "lionw" {
		rec["optim/update_cos_sim"] = dot / max(math.Sqrt(squares)*math.Sqrt(signs), 1e-8)
	}
	return nil
}
