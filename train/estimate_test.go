package train

import (
	"testing"

	"olmo/device"
	"olmo/graph"
	"olmo/numeric"
)

// TestEstimateSteps: steps and tokens of each kind of max_duration, and of stop_at.
func TestEstimateSteps(t *testing.T) {
	const perStep = 7 * 40
	for _, c := range []struct {
		name      string
		overrides []string
		steps     int
		tokens    int64
	}{
		{"steps", []string{"max_duration=24", "stop_at=null"}, 24, 24 * perStep},
		{"tokens, the last step not whole", []string{"max_duration=1000T", "stop_at=null"}, 4, 1000},
		{"tokens, whole steps", []string{"max_duration=1120T", "stop_at=null"}, 4, 1120},
		{"stopped before", []string{"max_duration=24", "stop_at=5"}, 5, 5 * perStep},
		{"stopped after", []string{"max_duration=24", "stop_at=50"}, 24, 24 * perStep},
		{"epochs of data that is not there", []string{"max_duration=2ep", "stop_at=9"}, 9, 9 * perStep},
	} {
		cfg, err := LoadConfig("testdata/tiny.yaml", c.overrides)
		if err != nil {
			t.Fatal(err)
		}
		if c.name == "epochs of data that is not there" {
			cfg.Data.Paths = []string{"none.npy"}
		}
		var rows []int
		e, err := cfg.Estimate(func(o device.Options, stepRows int, graphs ...*graph.Graph) device.Memory {
			rows = append(rows, o.Rows, stepRows)
			return device.Memory{}
		})
		if err != nil || e.Steps != c.steps || e.Tokens != c.tokens || e.TokensPerStep != perStep {
			t.Errorf("%s: %d steps, %d tokens, %d a step (%v); want %d, %d, %d", c.name, e.Steps, e.Tokens, e.TokensPerStep, err, c.steps, c.tokens, perStep)
		}
		if len(rows) != 2 || rows[0] != 3*40 || rows[1] != perStep {
			t.Errorf("%s: compiled for %v rows, want a micro-batch of %d and a step of %d", c.name, rows, 3*40, perStep)
		}
		// Weights and AdamW's two moments, in float32; up to 256 MB are copied to be written.
		if want := 3 * 4 * int64(e.Parameters); e.Checkpoint != want || e.Memory.Copy != want || e.Memory.Batches != 4*12*perStep {
			t.Errorf("%s: a checkpoint of %d bytes, copied %d, %d bytes of batches; want %d, %d, %d", c.name, e.Checkpoint, e.Memory.Copy, e.Memory.Batches, want, want, 4*12*perStep)
		}
	}
	m := Memory{Batches: 100, Copy: 60}
	if got := m.Total(); got != 160+40 {
		t.Errorf("with the garbage of a quarter %d bytes, want 200", got)
	}
}

// TestEvaluationOptions: the largest evaluator of type lm sets how many rows are compiled.
func TestEvaluationOptions(t *testing.T) {
	n := func(n int) *int { return &n }
	c := &Config{DeviceEvalBatchSize: 4, Precision: numeric.AMPBF16}
	c.Model.MaxSequenceLength = 10
	if o := c.evaluationOptions(); o.Rows != 0 || o.Precision != numeric.AMPBF16 {
		t.Errorf("without evaluators %+v", o)
	}
	c.Evaluators = []EvaluatorConfig{{Type: "lm"}, {Type: "lm", DeviceEvalBatchSize: n(2)}, {Type: "downstream", DeviceEvalBatchSize: n(50)}}
	if o := c.evaluationOptions(); o.Rows != 40 {
		t.Errorf("%d rows, want 40", o.Rows)
	}
	c.Evaluators[1].DeviceEvalBatchSize = n(6)
	if o := c.evaluationOptions(); o.Rows != 60 {
		t.Errorf("%d rows, want 60", o.Rows)
	}
}
