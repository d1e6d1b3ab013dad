package train

import (
	"context"
	"fmt"

	"olmo/data/tokens"
	"olmo/runlog"
)

// heldOutRows holds the rows of one evaluator of type rows, which are measured by what the run minimises.
type heldOutRows struct {
	label string
	data  *tokens.Dataset
	pairs pairLoss // nil: the cross entropy
}

func (t *Trainer) openHeldOutRows(e *EvaluatorConfig) (h heldOutRows, err error) {
	h.label = e.Label
	if e.Data.Name != tokens.Rows {
		return h, fmt.Errorf("data.name is %s\nhint: an evaluator of type rows takes %s", e.Data.Name, tokens.Rows)
	}
	if n, most := e.Data.RowLength, t.cfg.Model.MaxSequenceLength; n > most {
		return h, fmt.Errorf("data.row_length is %d, and model.max_sequence_length %d", n, most)
	}
	if o := t.cfg.Objective; o != nil {
		if e.Data.RowGroup != t.cfg.Data.RowGroup {
			return h, fmt.Errorf("data.row_group is %d, and the run's is %d", e.Data.RowGroup, t.cfg.Data.RowGroup)
		}
		if h.pairs, err = o.pairs(e.Reference, e.ReferenceSHA256); err != nil {
			return h, fmt.Errorf("reference: %w", err)
		}
	}
	h.data, err = tokens.OpenDataset(t.cfg.datasetOf(&e.Data))
	return h, err
}

// measureRows adds the mean loss over a set's targets, or over its pairs with what else the objective
// measures, to a record. The sums are the same in any batches.
func (t *Trainer) measureRows(ctx context.Context, h heldOutRows, rec runlog.Record) error {
	output := "ce"
	if t.model.Reward {
		output = "reward"
	}
	most := t.cfg.evaluationOptions().Rows
	if h.pairs != nil {
		h.pairs.begin(&item{})
	}
	var sum float64
	targets, n := 0, h.data.Len()
	for begin, end := 0, 0; begin < n; begin = end {
		if err := ctx.Err(); err != nil {
			return err
		}
		var part []uint32
		for used := 0; end < n && (end == begin || used+h.data.Length(end) <= most); end++ {
			part, used = append(part, uint32(end)), used+h.data.Length(end)
		}
		batch, err := h.data.Batch(part)
		if err != nil {
			return err
		}
		in := item{Batch: batch}
		if err := in.checkIDs(h.data, t.model.V); err != nil {
			return err
		}
		b := in.rows(0, in.B)
		if err := t.eval.Run(b); err != nil {
			return err
		}
		y := t.eval.Output(output)
		if h.pairs != nil {
			h.pairs.next(&in)
			h.pairs.seed(0, in.B, b, y, make([]float32, len(y)))
			continue
		}
		for i, target := range b.Targets {
			if target >= 0 {
				sum += float64(y[i])
				targets++
			}
		}
	}
	measured := runlog.Record{"loss": sum / float64(max(targets, 1))}
	if h.pairs != nil {
		measured["loss"] = h.pairs.over(n, measured)
	}
	for key, v := range measured {
		rec["eval/"+h.label+"/"+key] = v
	}
	return nil
}
