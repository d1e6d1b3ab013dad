package train

import (
	"fmt"
	"testing"
	"time"

	"olmo/device/cpu"
)

// TestPlan: where a run ends, and what its schedule counts to, for each kind of max_duration,
// with batches of one size and of several.
func TestPlan(t *testing.T) {
	const perStep = 7 * 40
	for _, c := range []struct {
		name          string
		overrides     []string
		steps, stopAt int
		tokens        int64
	}{
		{"steps, and OLMo's ten more", []string{"max_duration=24", "stop_at=null"}, 24, 34, 24 * perStep},
		{"stopped at", []string{"max_duration=24", "stop_at=5"}, 24, 5, 24 * perStep},
		{"stopped after", []string{"max_duration=24", "stop_at=null", "stop_after=3"}, 24, 3, 24 * perStep},
		{"stopped at the first of both", []string{"max_duration=24", "stop_at=5", "stop_after=9"}, 24, 5, 24 * perStep},
		{"tokens", []string{"max_duration=1000T", "stop_at=null"}, 4, 14, 1000},
		{"tokens in whole steps", []string{"max_duration=1120T", "stop_at=null"}, 4, 14, 1120},
		{"steps of two sizes", []string{"max_duration=5", "stop_at=null", "batch_size_schedule=[{from: 3, size: 4}]"}, 5, 15, (3*7 + 2*4) * 40},
		{"tokens of two sizes", []string{"max_duration=1000T", "stop_at=null", "batch_size_schedule=[{from: 3, size: 4}]"}, 4, 14, 1000},
	} {
		tr := planned(t, c.overrides...)
		if tr.maxSteps != c.steps || tr.Steps() != c.stopAt || tr.maxTokens != c.tokens {
			t.Errorf("%s: %d steps, the last %d, %d tokens; want %d, %d, %d", c.name, tr.maxSteps, tr.Steps(), tr.maxTokens, c.steps, c.stopAt, c.tokens)
		}
		tr.Close()
	}
	// An epoch is as many whole batches as the data has.
	tr := planned(t, "max_duration=2ep", "stop_at=null")
	n := tr.data.Len()
	if tr.maxSteps != 2*(n/7) || tr.maxTokens != int64(2*(n/7)*perStep) {
		t.Errorf("two epochs of %d instances: %d steps, %d tokens", n, tr.maxSteps, tr.maxTokens)
	}
	tr.Close()
	tr = planned(t, "max_duration=2ep", "stop_at=null", fmt.Sprintf("batch_size_schedule=[{from: 1, size: %d}]", n-7))
	if tr.maxSteps != 3 || tr.maxTokens != int64((7+2*(n-7))*40) {
		t.Errorf("two epochs of a batch of 7 and the rest: %d steps, %d tokens", tr.maxSteps, tr.maxTokens)
	}
	tr.Close()
}

// planned is a trainer of the tiny run that has not begun.
func planned(t *testing.T, overrides ...string) *Trainer {
	t.Helper()
	cfg, err := LoadConfig("testdata/tiny.yaml", append([]string{"save_folder=" + t.TempDir()}, overrides...))
	if err != nil {
		t.Fatal(err)
	}
	dev, err := cpu.New()
	if err != nil {
		t.Fatal(err)
	}
	tr, err := New(cfg, dev, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// TestStopReasons: a time limit that is reached exactly ends the run; a loss ends it only after
// the warm-up, and only above its factor of the least.
func TestStopReasons(t *testing.T) {
	zero, hour, two := 0.0, 3600.0, 2.0
	least := 1.5
	for _, c := range []struct {
		name   string
		limit  *float64
		factor *float64
		step   int
		loss   float64
		want   Reason
	}{
		{"no limits", nil, nil, 100, 1e9, Finished},
		{"time", &zero, nil, 1, 1, TimeLimit},
		{"time left", &hour, nil, 1, 1, Finished},
		{"at the end of the warm-up", nil, &two, 10, 4, Finished},
		{"after it", nil, &two, 11, 4, EarlyStopped},
		{"exactly the factor", nil, &two, 11, 3, Finished},
		{"a little above", nil, &two, 11, 3.001, EarlyStopped},
	} {
		tr := &Trainer{cfg: &Config{TimeLimit: c.limit, EarlyStoppingFactor: c.factor, Scheduler: SchedulerConfig{TWarmup: 10}}, lastLoss: c.loss}
		tr.state.Step, tr.state.MinLoss = c.step, &least
		if got := tr.stops(time.Now()); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
