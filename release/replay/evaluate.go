package replay

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"olmo/runlog"
	"olmo/store"
	"olmo/train"
)

// evaluations are what the log of a run has of its evaluations, and the config of those that can be
// computed again: losses on held-out token files that are here.
type evaluations struct {
	logged map[int]runlog.Record // by step: the members below eval/
	config *train.Config         // nil where none can be
}

// evaluations reads them for the steps from … to.
func (r *Record) evaluations(from, to int) (*evaluations, error) {
	e := &evaluations{logged: map[int]runlog.Record{}}
	if err := e.read(filepath.Join(r.dir, "metrics.jsonl"), from, to); err != nil || len(e.logged) == 0 {
		return e, err
	}
	c, err := train.LoadConfig(filepath.Join(r.dir, "config.yaml"), nil)
	if err != nil {
		return e, nil // the note says that they were not computed
	}
	c.Evaluators = slices.DeleteFunc(slices.Clone(c.Evaluators), func(v train.EvaluatorConfig) bool {
		files := slices.Concat(v.Data.Paths, v.Data.LabelMaskPaths)
		for _, list := range v.Data.Datasets {
			files = append(files, list...)
		}
		if v.Reference != "" {
			files = append(files, v.Reference)
		}
		return v.Type == "downstream" || slices.ContainsFunc(files, func(f string) bool { return !exists(f) })
	})
	if len(c.Evaluators) > 0 {
		e.config = c
	}
	return e, nil
}

// read takes what a log says of evaluations. Lines without any are not parsed.
func (e *evaluations) read(path string, from, to int) error {
	f, err := store.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	in.Buffer(make([]byte, 1<<16), 1<<24)
	for in.Scan() {
		if !bytes.Contains(in.Bytes(), []byte(`"eval/`)) {
			continue
		}
		rec, err := runlog.Parse(in.Bytes())
		if err != nil {
			continue // verify speaks of such lines
		}
		if n, ok := rec.Step(); ok && n >= from && n <= to {
			maps.DeleteFunc(rec, func(key string, _ any) bool { return !strings.HasPrefix(key, "eval/") })
			e.logged[n] = rec
		}
	}
	if err := in.Err(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// use gives a config what its evaluations follow from.
func (e *evaluations) use(c *train.Config) {
	if e.config != nil {
		c.Evaluators, c.EvalSubsetNumBatches, c.DeviceEvalBatchSize = e.config.Evaluators, e.config.EvalSubsetNumBatches, e.config.DeviceEvalBatchSize
	}
}

// compare computes the evaluations of the step at which a trainer stands, and compares them with the log. The
// labels that were not computed are noted.
func (e *evaluations) compare(ctx context.Context, t *train.Trainer, rep *Report) error {
	step := t.State().Step
	logged := e.logged[step]
	if logged == nil {
		return nil
	}
	computed := runlog.Record{}
	if e.config != nil {
		var err error
		if computed, err = t.EvaluateHeldOut(ctx); err != nil {
			return err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(logged)) {
		got, ok := computed[key].(float64)
		if !ok {
			e.note(rep, key)
			continue
		}
		if want, ok := logged[key].(float64); !ok || math.Float64bits(want) != math.Float64bits(got) {
			recorded, again := fmt.Sprint(logged[key]), fmt.Sprint(got)
			rep.OK, rep.Divergence = false, &Divergence{Step: step, What: "eval", Recorded: &recorded, Computed: &again, Message: fmt.Sprintf("the log has %s = %s, the computation gives %s", key, recorded, again)}
			return nil
		}
	}
	rep.Evaluated += len(computed)
	return nil
}

// note says once of a kind of evaluation that it was not computed again.
func (e *evaluations) note(rep *Report, key string) {
	label, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(key, "eval/"), "lm/"), "/")
	text := fmt.Sprintf("the evaluation %s was not computed again: its data is not here, or it is no loss on token files", label)
	if !slices.Contains(rep.Notes, text) {
		rep.Notes = append(rep.Notes, text)
	}
}
