package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"olmo/internal/pyjson"
	"olmo/runlog"
	"olmo/store"
	"olmo/weights"
)

// modelFacts are what model/main says.
type modelFacts struct {
	known      bool // it is in the release
	Config     map[string]any
	Kind       string // model_type of Transformers: olmo2
	Class      string // of Transformers: Olmo2ForCausalLM
	Parameters int64
}

func (f *facts) readModel(dir string) (modelFacts, error) {
	var m modelFacts
	if !f.has(mainFolder + "/config.json") {
		return m, nil
	}
	folder := filepath.Join(dir, filepath.FromSlash(mainFolder))
	file := filepath.Join(folder, "config.json")
	b, err := store.ReadFile(file)
	if err == nil {
		err = pyjson.Unmarshal(b, &m.Config)
	}
	if err != nil {
		return m, fmt.Errorf("%s: %w", file, err)
	}
	m.known = true
	m.Kind, _ = m.Config["model_type"].(string)
	if classes, ok := m.Config["architectures"].([]any); ok && len(classes) > 0 {
		m.Class, _ = classes[0].(string)
	}
	set, err := weights.Open(folder)
	if err != nil {
		return m, err
	}
	defer set.Close()
	for _, t := range set.All() {
		n := int64(1)
		for _, d := range t.Shape {
			n *= int64(d)
		}
		m.Parameters += n
	}
	return m, nil
}

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

// score is a figure of an evaluation.
type score struct {
	Task, Metric string
	Value        float64
	Error        *float64 // standard
	Questions    int      // or documents; 0 where nobody says
	Shots        *int
	File         string // that has it, from the release on
}

// readScores reads the results of evaluations: of each task the figure that it is quoted with, or all.
func (f *facts) readScores(dir string) ([]score, error) {
	var out []score
	for _, s := range f.in.scores {
		if f.has(s.File) {
			out = append(out, s)
		}
	}
	for _, x := range f.below(evaluationFolder) {
		if !strings.HasSuffix(x.Path, "/results.json") {
			continue
		}
		file := filepath.Join(dir, filepath.FromSlash(x.Path))
		b, err := store.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var r struct {
			Results map[string]map[string]json.RawMessage `json:"results"`
			Quoted  map[string]string                     `json:"quoted"`
			Shots   map[string]int                        `json:"n-shot"`
			Samples map[string]struct {
				Effective int `json:"effective"`
			} `json:"n-samples"`
		}
		if err := pyjson.Unmarshal(b, &r); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, task := range slices.Sorted(maps.Keys(r.Results)) {
			figures := r.Results[task]
			for _, key := range slices.Sorted(maps.Keys(figures)) {
				metric, filter, filtered := strings.Cut(key, ",")
				// Our own results have a figure under both names, and say which one is quoted; lm-eval's
				// have all of a task's with their filters.
				if quoted := r.Quoted[task]; quoted != "" && key != quoted || quoted == "" && !filtered || strings.HasSuffix(metric, "_stderr") {
					continue
				}
				s := score{Task: task, Metric: metric, Questions: r.Samples[task].Effective, File: x.Path}
				if json.Unmarshal(figures[key], &s.Value) != nil {
					continue // null, or words about it
				}
				under := metric + "_stderr"
				if filtered {
					under += "," + filter
				}
				var e float64
				if text, ok := figures[under]; ok && json.Unmarshal(text, &e) == nil {
					s.Error = &e
				}
				if n, ok := r.Shots[task]; ok {
					s.Shots = &n
				}
				out = append(out, s)
			}
		}
	}
	return out, nil
}
