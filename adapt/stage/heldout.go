package stage

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"olmo/data/tokens"
	"olmo/train"
)

// HeldOut are the keys of rows that do not train, on which a run is measured.
type HeldOut struct {
	DatasetMixerEvalList       []string `yaml:"dataset_mixer_eval_list"`
	DatasetMixerEvalListSplits []string `yaml:"dataset_mixer_eval_list_splits"`
	// LocalEvalEvery is after how many steps, and always after the last one; 0: after that alone.
	LocalEvalEvery int `yaml:"local_eval_every"`
}

// heldOutLabel is what the log calls the rows: eval/heldout/loss.
const heldOutLabel = "heldout"

func defaultHeldOut() HeldOut { return HeldOut{LocalEvalEvery: 100} }

// find finds the files, and refuses what cannot be.
func (h *HeldOut) find(file string) error {
	for i := 0; i < len(h.DatasetMixerEvalList); i += 2 {
		h.DatasetMixerEvalList[i] = beside(file, h.DatasetMixerEvalList[i])
	}
	if h.LocalEvalEvery < 0 {
		return fmt.Errorf("local_eval_every is %d, it must not be negative", h.LocalEvalEvery)
	}
	if len(h.DatasetMixerEvalList) == 0 && len(h.DatasetMixerEvalListSplits) > 0 {
		return errors.New("dataset_mixer_eval_list_splits is set, and dataset_mixer_eval_list is not")
	}
	return nil
}

// rows makes the rows that maker makes of the held-out data; nil where there is none, or where a dry run
// does not find it.
func (h *HeldOut) rows(ctx context.Context, r *Run, maker rowMaker, host Host) (*Rows, error) {
	if len(h.DatasetMixerEvalList) == 0 {
		return nil, nil
	}
	c := *r.Config
	c.DatasetMixerList, c.DatasetMixerSplits, c.MaxTrainSamples = h.DatasetMixerEvalList, h.DatasetMixerEvalListSplits, nil
	if len(c.DatasetMixerSplits) == 0 {
		c.DatasetMixerSplits = []string{"train"}
	}
	held := *r
	held.Config, held.Missing = &c, nil
	maker.name, maker.rejects = heldOutLabel, heldOutLabel+"-rejects.jsonl"
	if err := held.gather(ctx, maker, host); err != nil {
		return nil, fmt.Errorf("dataset_mixer_eval_list: %w", err)
	}
	if held.Missing != nil {
		return nil, nil
	}
	r.Rows.Notes = append(r.Rows.Notes, "held out: "+held.Rows.Counts)
	if n := held.Rows.Skipped; n > 0 {
		r.Rows.Warnings = append(r.Rows.Warnings, fmt.Sprintf("held out: %d rows are no conversations and are left out: %s", n, held.Rows.Rejects))
	}
	return held.Rows, nil
}

// plan has the run measured on held-out rows, group of them an instance; it returns the evaluator.
func (h *HeldOut) plan(t *train.Config, rows *Rows, group int) *train.EvaluatorConfig {
	t.EvalInterval = cmp.Or(h.LocalEvalEvery, t.MaxDuration.Steps)
	var e train.EvaluatorConfig
	e.SetDefaults()
	e.Label, e.Type = heldOutLabel, "rows"
	e.Data.Name, e.Data.Paths, e.Data.LabelMaskPaths, e.Data.MemmapDType = tokens.Rows, []string{rows.Tokens}, []string{rows.Masks}, string(rows.DType)
	e.Data.RowLength, e.Data.DropLast = min(max(rows.Longest, 2), t.Model.MaxSequenceLength), false
	if group > 1 {
		e.Data.RowGroup = group
	}
	atOnce := min(max(2048/(e.Data.RowLength*group), 1), rows.Count/group)
	e.DeviceEvalBatchSize = &atOnce
	t.Evaluators = []train.EvaluatorConfig{e}
	return &t.Evaluators[0]
}
