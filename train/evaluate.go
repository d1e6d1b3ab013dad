package train

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"olmo/data/tokens"
	"olmo/graph"
	"olmo/model"
	"olmo/numeric"
	"olmo/runlog"
)

// heldOut holds the token files of one evaluator of type lm.
type heldOut struct {
	label  string
	labels []string // of each file, under which its loss is logged
	data   *tokens.Dataset
	batch  int      // instances in one run of the program
	order  []uint32 // instances to look at
	pad    int32    // the id of padding that an attention mask hides, negative for none
}

// openEvaluators opens the token files of the config's evaluators of type lm. Those of
// type downstream are the business of Options.Evaluate.
func (t *Trainer) openEvaluators() error {
	for i := range t.cfg.Evaluators {
		e := &t.cfg.Evaluators[i]
		switch e.Type {
		case "lm":
		case "rows":
			h, err := t.openHeldOutRows(e)
			if err != nil {
				return fmt.Errorf("evaluators[%d], %s: %w", i, e.Label, err)
			}
			t.heldOutRows = append(t.heldOutRows, h)
			continue
		case "downstream":
			continue
		default:
			return fmt.Errorf("evaluators[%d].type: %q is not known\nhint: one of lm, rows, downstream", i, e.Type)
		}
		h, err := t.openHeldOut(e)
		if err != nil {
			return fmt.Errorf("evaluators[%d], %s: %w", i, e.Label, err)
		}
		t.heldOut = append(t.heldOut, h)
	}
	o := t.cfg.evaluationOptions()
	if o.Rows == 0 {
		return nil
	}
	g := graph.New()
	evaluation(t.model, g)
	var err error
	t.eval, err = t.dev.Compile(g, o)
	if err != nil {
		return fmt.Errorf("compiling the evaluation: %w", err)
	}
	return nil
}

// evaluation writes what held-out sets are measured with into a graph.
func evaluation(m *model.Config, g *graph.Graph) {
	if m.Reward {
		m.Rewards(g)
		return
	}
	m.Loss(g, 0)
}

// openHeldOut opens the files of an evaluator and draws the instances to look at: all, or
// so many batches on each rank.
//
// build_eval_dataloader of the ai2-olmo package (olmo/data/__init__.py, 0.6.0).
func (t *Trainer) openHeldOut(e *EvaluatorConfig) (heldOut, error) {
	h := heldOut{label: e.Label, batch: t.cfg.EvaluationBatch(e), pad: -1}
	if e.Data.GenerateAttentionMask {
		h.pad = int32(t.cfg.Model.PadTokenID)
	}
	if h.batch <= 0 {
		return h, fmt.Errorf("a device_eval_batch_size of %d is not possible", h.batch)
	}
	for range e.Data.Paths {
		h.labels = append(h.labels, e.Label)
	}
	if len(e.Data.Paths) == 0 {
		for _, label := range slices.Sorted(maps.Keys(e.Data.Datasets)) {
			for range e.Data.Datasets[label] {
				h.labels = append(h.labels, label)
			}
		}
	}
	if n := e.Data.Name; n != tokens.Chunks && n != tokens.Padded {
		return h, fmt.Errorf("data.name: %s is for training\nhint: an evaluator takes %s or %s", n, tokens.Chunks, tokens.Padded)
	}
	var err error
	if h.data, err = tokens.OpenDataset(t.cfg.datasetOf(&e.Data)); err != nil {
		return h, err
	}
	seed := t.cfg.Seed
	if e.Data.Seed != nil {
		seed = *e.Data.Seed
	}
	world := t.cfg.ranks()
	h.order = tokens.Draw(h.data.Len(), seed, world, e.Data.DropLast)
	batches := t.cfg.EvalSubsetNumBatches
	if n := e.SubsetNumBatches; n != nil {
		batches = *n
	}
	if batches > 0 {
		h.order = h.order[:min(len(h.order), batches*h.batch*world)]
	}
	return h, nil
}

// evaluate measures the loss on the token files of the config's evaluators and calls
// Options.Evaluate. Results join the record under OLMo's names and OLMo-core's.
func (t *Trainer) evaluate(ctx context.Context, rec runlog.Record) error {
	if err := t.evaluateHeldOut(ctx, rec); err != nil || t.opt.Evaluate == nil {
		return err
	}
	scores, err := t.opt.Evaluate.Evaluate(ctx, t)
	if err != nil {
		return fmt.Errorf("evaluating at step %d: %w", t.state.Step, err)
	}
	for k, v := range scores {
		rec[k] = v
	}
	return nil
}

func (t *Trainer) evaluateHeldOut(ctx context.Context, rec runlog.Record) error {
	for _, h := range t.heldOut {
		losses, err := t.measure(ctx, h)
		if err != nil {
			return fmt.Errorf("evaluating %s at step %d: %w", h.label, t.state.Step, err)
		}
		for label, l := range losses {
			ce, core := l.instances/float64(l.n), l.tokens/float64(l.counted)
			rec["eval/"+label+"/CrossEntropyLoss"], rec["eval/"+label+"/Perplexity"] = ce, numeric.Exp(ce)
			rec["eval/lm/"+label+"/CE loss"], rec["eval/lm/"+label+"/PPL"] = core, numeric.Exp(core)
		}
	}
	for _, h := range t.heldOutRows {
		if err := t.measureRows(ctx, h, rec); err != nil {
			return fmt.Errorf("evaluating %s at step %d: %w", h.label, t.state.Step, err)
		}
	}
	return nil
}

// EvaluateHeldOut measures the loss on the token files of the config's evaluators at the state in which
// the run stands.
func (t *Trainer) EvaluateHeldOut(ctx context.Context) (runlog.Record, error) {
	rec := runlog.Record{}
	return rec, t.evaluateHeldOut(ctx, rec)
}

// heldOutLoss adds up the losses of a label's instances in two ways.
type heldOutLoss struct {
	// instances is the sum of the mean losses of n instances, the last token of an instance having
	// no target and masked ones a loss of 0: OLMo (olmo/train.py, eval_batch).
	instances float64
	n         int
	// tokens is the sum of the losses of the tokens that are counted: those that are not masked
	// themselves, whatever follows them, so that the last of an instance counts with a loss of 0:
	// OLMo-core (src/olmo_core/eval/lm_evaluator.py, 2026-06).
	tokens  float64
	counted int
}

// measure returns the losses of each label of which an instance was drawn.
func (t *Trainer) measure(ctx context.Context, h heldOut) (map[string]*heldOutLoss, error) {
	T := h.data.ChunkSize()
	all := map[string]*heldOutLoss{}
	for part := range slices.Chunk(h.order, h.batch) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		batch, err := h.data.Batch(part)
		if err != nil {
			return nil, err
		}
		in := item{Batch: batch}
		if err := in.checkIDs(h.data, t.model.V); err != nil {
			return nil, err
		}
		b := in.inputs(0, in.B, T, h.pad)
		if err := t.eval.Run(b); err != nil {
			return nil, err
		}
		losses := t.eval.Output("ce")
		for i, index := range part {
			label := h.labels[h.data.File(int(index))]
			if all[label] == nil {
				all[label] = &heldOutLoss{}
			}
			l := all[label]
			var sum float64
			for j := i * T; j < (i+1)*T; j++ {
				loss := 0.0
				if b.Targets[j] >= 0 {
					loss = float64(losses[j])
				}
				sum += loss
				if batch.LabelMask == nil || batch.LabelMask[j] {
					l.tokens += loss
					l.counted++
				}
			}
			l.instances += sum / float64(T-1)
			l.n++
		}
	}
	return all, nil
}
