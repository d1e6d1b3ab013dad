package train

import (
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"olmo/model"
	"olmo/runlog"
)

// TestConsole: the lines that OLMo prints for a step, with fewer digits the larger a number is.
func TestConsole(t *testing.T) {
	p := Progress{Step: 3, MaxSteps: 20, Epoch: 1, Record: runlog.Record{
		"step": 3, "epoch": 1, "a": 0.00005, "b": 0.12345, "c": 1.23456, "d": 12.3456, "e": 123.456, "f": 1234567.8, "g": 7, "h": int64(2000), "i": "text", "j": 1.0, "k": 1000.0,
		"optim/total_grad_norm": 10.0, "optim/grad/x.norm": 5.0, "l": -3.0,
	}}
	want := "[step=3/20,epoch=1]\n    a=5e-05\n    b=0.1235\n    c=1.235\n    d=12.35\n    e=123.5\n    f=1,234,567\n    g=7.000\n    h=2,000\n    j=1.0000\n    k=1000.0\n    l=-3\n    optim/total_grad_norm=10.000"
	if got := p.Console(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if p.Evaluated() {
		t.Error("a step without an evaluation is said to have one")
	}
	p.Record["eval/x/Perplexity"] = 1.0
	if !p.Evaluated() {
		t.Error("a step with an evaluation is said to have none")
	}
	for n, want := range map[string]string{"1": "1", "999": "999", "1000": "1,000", "999999": "999,999", "1000000": "1,000,000"} {
		if got := thousands(n); got != want {
			t.Errorf("%s is written %s, want %s", n, got, want)
		}
	}
}

// TestLogs: norms come every wandb.log_interval steps, all figures every metrics_log_interval,
// which is at least as long; without a wandb section neither.
func TestLogs(t *testing.T) {
	number := func(n int) *int { return &n }
	for _, c := range []struct {
		name       string
		wandb      *WandbConfig
		interval   *int
		norms, all []int // of steps 1 to 8
	}{
		{"without", nil, number(1), nil, nil},
		{"each step", &WandbConfig{LogInterval: 1}, nil, []int{1, 2, 3, 4, 5, 6, 7, 8}, []int{1, 2, 3, 4, 5, 6, 7, 8}},
		{"an interval of 0 is one of 1", &WandbConfig{}, number(4), []int{1, 2, 3, 4, 5, 6, 7, 8}, []int{4, 8}},
		{"two intervals", &WandbConfig{LogInterval: 2}, number(3), []int{2, 3, 4, 6, 8}, []int{3, 6}},
		{"a shorter one", &WandbConfig{LogInterval: 4}, number(1), []int{4, 8}, []int{4, 8}},
	} {
		cfg := Config{Wandb: c.wandb, Optimizer: OptimizerConfig{MetricsLogInterval: c.interval}}
		var norms, all []int
		for step := 1; step <= 8; step++ {
			n, a := cfg.logs(step)
			if n {
				norms = append(norms, step)
			}
			if a {
				all = append(all, step)
			}
		}
		if len(norms) != len(c.norms) || len(all) != len(c.all) || !equal(norms, c.norms) || !equal(all, c.all) {
			t.Errorf("%s: norms at %v, all at %v; want %v, %v", c.name, norms, all, c.norms, c.all)
		}
	}
}

func equal(a, b []int) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// TestSpeed: tokens a second over the last steps of the window; pauses do not count.
func TestSpeed(t *testing.T) {
	s := speed{window: 2, meter: newMeter()}
	if s.rate() != 0 {
		t.Errorf("before the first step %g tokens a second", s.rate())
	}
	s.start()
	ago := func(d time.Duration) time.Time { return time.Now().Add(-d) }
	s.times[0] = ago(100 * time.Second)
	s.step(1000, 1)
	s.times[1] = ago(50 * time.Second)
	s.step(100, 2)
	s.times[2] = ago(10 * time.Second)
	if got := s.rate(); math.Abs(got-1100.0/90) > 0.1 {
		t.Errorf("over two steps %g tokens a second, want %g", got, 1100.0/90)
	}
	s.step(500, 4)
	if got := s.rate(); len(s.tokens) != 2 || len(s.times) != 3 || len(s.work) != 2 || math.Abs(got-600.0/50) > 0.1 {
		t.Errorf("over the last two of three steps %g tokens a second, want %g", got, 600.0/50)
	}
	// An evaluation of 20 seconds after the last step moves all times.
	for i := range s.times {
		s.times[i] = s.times[i].Add(-20 * time.Second)
	}
	s.skip()
	if since := time.Since(s.times[2]); since > time.Second || math.Abs(s.rate()-600.0/50) > 0.1 {
		t.Errorf("after a pause the last step ended %v ago, and there are %g tokens a second", since, s.rate())
	}
	s.cost, s.peak, s.before, s.waited, s.saved = model.FLOPs{Forward: 2e9, Backward: 4e9}, 12, 3, 7*time.Second, 8*time.Second
	r := runlog.Record{}
	s.measure(r, 10)
	near := func(key string, want float64) {
		t.Helper()
		if got, ok := r[key].(float64); !ok || math.Abs(got-want) > 1e-2*max(1, math.Abs(want)) {
			t.Errorf("%s is %v, want %g", key, r[key], want)
		}
	}
	near("throughput/total_training_Gflops", 60)
	near("throughput/total_training_log_Gflops", math.Log(60))
	near("throughput/device/tokens_per_second", 12)
	near("throughput/device/batches_per_second", 2.0/50)
	near("throughput/device/data_loading_seconds", 7)
	near("throughput/device/checkpoint_seconds", 8)
	near("throughput/device/flops_per_second", 6.0/50)
	near("throughput/device/MFU", 6.0/50/12)
	near("energy/kWh", 3)
	near("energy/kg_CO2e", 3*0.48)
	r = runlog.Record{}
	s.peak = 0
	if s.measure(r, 10); r["throughput/device/checkpoint_seconds"] != nil || r["throughput/device/MFU"] != nil {
		t.Errorf("a step without a checkpoint, on a machine whose peak is not known: %v", r)
	}
	for key := range r {
		if timing := key != "throughput/total_training_Gflops" && key != "throughput/total_training_log_Gflops"; IsTiming(key) != timing {
			t.Errorf("%s differs from run to run: %t", key, IsTiming(key))
		}
	}
}

// TestEnergyGoesOn: a continued run counts from what its log says was used.
func TestEnergyGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.jsonl")
	if err := os.WriteFile(path, []byte(`{"step":1,"energy/kWh":1.5}`+"\n"+`{"step":2,"energy/kWh":2.5}`+"\n"+`{"step":3}`+"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	var s speed
	if err := s.resume(path); err != nil || s.before != 2.5 {
		t.Errorf("%g kWh were used before (%v), want 2.5", s.before, err)
	}
}
