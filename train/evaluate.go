package train

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"olmo/data/tokens"
	"olmo/device"
	"olmo/graph"
	"olmo/internal/kernel"
	"olmo/runlog"
)

// heldOut is one set of token files on which the loss is measured during a run.
type heldOut struct {
	label   string
	data    *tokens.Dataset
	batch   int // instances in one run of the program
	batches int // how many at most; negative for all
}

// openEvaluators opens the token files of the config's evaluators of type lm. Those of
// type downstream are the business of Options.Evaluate.
func (t *Trainer) openEvaluators() error {
	rows := 0
	for i := range t.cfg.Evaluators {
		e := &t.cfg.Evaluators[i]
		switch e.Type {
		case "lm":
		case "downstream":
			continue
		default:
			return fmt.Errorf("evaluators[%d].type: %q is not known\nhint: one of lm, downstream", i, e.Type)
		}
		sets := e.Data.Datasets
		if len(e.Data.Paths) > 0 {
			sets = map[string][]string{e.Label: e.Data.Paths}
		}
		h := heldOut{batch: t.cfg.DeviceEvalBatchSize, batches: t.cfg.EvalSubsetNumBatches}
		if n := e.DeviceEvalBatchSize; n != nil {
			h.batch = *n
		}
		if n := e.SubsetNumBatches; n != nil {
			h.batches = *n
		}
		if h.batch <= 0 {
			return fmt.Errorf("evaluators[%d]: a device_eval_batch_size of %d is not possible", i, h.batch)
		}
		rows = max(rows, h.batch)
		for _, label := range slices.Sorted(maps.Keys(sets)) {
			d, err := tokens.OpenDataset(tokens.DatasetConfig{Paths: sets[label], DType: tokens.DType(e.Data.MemmapDType), ChunkSize: t.cfg.Model.MaxSequenceLength})
			if err != nil {
				return fmt.Errorf("evaluators[%d], %s: %w", i, label, err)
			}
			h.label, h.data = label, d
			t.heldOut = append(t.heldOut, h)
		}
	}
	if rows == 0 {
		return nil
	}
	g := graph.New()
	t.model.Loss(g, 0)
	var err error
	t.eval, err = t.dev.Compile(g, device.Options{Rows: rows * t.cfg.Model.MaxSequenceLength, BF16: t.cfg.Precision == AMPBF16})
	if err != nil {
		return fmt.Errorf("compiling the evaluation: %w", err)
	}
	return nil
}

// evaluate measures the loss on the token files of the config's evaluators and calls
// Options.Evaluate. Results join the record under OLMo's names.
func (t *Trainer) evaluate(ctx context.Context, rec runlog.Record) error {
	for _, h := range t.heldOut {
		ce, err := t.measure(ctx, h)
		if err != nil {
			return fmt.Errorf("evaluating %s at step %d: %w", h.label, t.state.Step, err)
		}
		rec["eval/"+h.label+"/CrossEntropyLoss"] = ce
		rec["eval/"+h.label+"/Perplexity"] = kernel.Exp(ce)
	}
	if t.opt.Evaluate != nil {
		scores, err := t.opt.Evaluate.Evaluate(ctx, t)
		if err != nil {
			return fmt.Errorf("evaluating at step %d: %w", t.state.Step, err)
		}
		for k, v := range scores {
			rec[k] = v
		}
	}
	return nil
}

// measure returns the mean over a set's instances of their mean loss, the last token of
// an instance having no target, as in OLMo (olmo/train.py, eval_batch). A limited
// number of batches takes the first instances, where OLMo draws them.
func (t *Trainer) measure(ctx context.Context, h heldOut) (float64, error) {
	n, T := h.data.Len(), h.data.ChunkSize()
	if h.batches >= 0 {
		n = min(n, h.batches*h.batch)
	}
	var total float64
	for from := 0; from < n; from += h.batch {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		in := item{Batch: tokens.Batch{B: min(h.batch, n-from), T: T}}
		in.IDs = make([]int32, in.B*T)
		for i := range in.B {
			in.Index = append(in.Index, uint32(from+i))
			if err := h.data.Read(in.IDs[i*T:(i+1)*T], nil, from+i); err != nil {
				return 0, err
			}
		}
		if err := in.checkIDs(h.data, t.model.V); err != nil {
			return 0, err
		}
		b := in.inputs(0, in.B, T, -1)
		if err := t.eval.Run(b); err != nil {
			return 0, err
		}
		losses := t.eval.Output("ce")
		for i := range in.B {
			var sum float64
			for _, v := range losses[i*T : (i+1)*T-1] {
				sum += float64(v)
			}
			total += sum / float64(T-1)
		}
	}
	return total / float64(max(n, 1)), nil
}
