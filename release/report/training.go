package report

import (
	"fmt"
	"path/filepath"

	"olmo/internal/pyjson"
	"olmo/runlog"
	"olmo/store"
)

// trainingFacts are what the run's log and recipe say.
type trainingFacts struct {
	Steps     int
	Tokens    int64      // seen, repeats counted; 0 where the log does not say
	Loss      float64    // the mean of the last steps, nats a token
	LossSteps int        // of how many
	Curve     []curveRow // a few steps, the last among them
	Energy    float64    // kWh; 0 where it was not logged
	Measured  bool       // by the processor's counters; else it is an estimate
	Recipe    map[string]any
}

// curveRow is a step of the log.
type curveRow struct {
	Step                 int
	Loss, Rate, GradNorm float64
}

// The figures of the log that reports show.
const (
	lossKey     = "train/CrossEntropyLoss"
	rateKey     = "optim/learning_rate_group0"
	gradNormKey = "optim/total_grad_norm"
	tokensKey   = "throughput/total_tokens"
	energyKey   = "energy/kWh"
	measuredKey = "energy/measured"
)

// lastSteps are those over which the final loss is a mean, curveRows are the rows of the curve.
const (
	lastSteps = 20
	curveRows = 16
)

func (f *facts) readTraining(dir string) (trainingFacts, error) {
	var t trainingFacts
	if f.has(recipeFile) {
		file := filepath.Join(dir, filepath.FromSlash(recipeFile))
		b, err := store.ReadFile(file)
		if err == nil {
			err = pyjson.Unmarshal(b, &t.Recipe)
		}
		if err != nil {
			return t, fmt.Errorf("%s: %w", file, err)
		}
	}
	if !f.has(metricsFile) {
		return t, nil
	}
	log := runlog.NewColumns(filepath.Join(dir, filepath.FromSlash(metricsFile)))
	if err := log.Update(); err != nil {
		return t, err
	}
	rows := log.Len()
	if rows == 0 {
		return t, nil
	}
	t.Steps = log.Step(rows - 1)
	last := func(key string) (v float64) {
		if c := log.Column(key); c.Len() > 0 {
			_, v = c.At(c.Len() - 1)
		}
		return v
	}
	t.Tokens, t.Energy, t.Measured = int64(last(tokensKey)), last(energyKey), last(measuredKey) > 0
	for _, v := range log.Column(lossKey).Between(max(0, rows-lastSteps), rows) {
		t.Loss += v
		t.LossSteps++
	}
	if t.LossSteps > 0 {
		t.Loss /= float64(t.LossSteps)
	}
	for i := range curveRows {
		row := i * (rows - 1) / (curveRows - 1)
		c := curveRow{Step: log.Step(row)}
		for key, to := range map[string]*float64{lossKey: &c.Loss, rateKey: &c.Rate, gradNormKey: &c.GradNorm} {
			for _, v := range log.Column(key).Between(row, row+1) {
				*to = v
			}
		}
		if n := len(t.Curve); n == 0 || t.Curve[n-1].Step != c.Step {
			t.Curve = append(t.Curve, c)
		}
	}
	return t, nil
}
