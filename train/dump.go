package train

import (
	"fmt"
	"math"
	"os"
	"path/filepath"

	"olmo/tensor"
	"olmo/weights"
)

// failure is what a step whose loss is no number leaves behind, in JSON.
type failure struct {
	Step      int                `json:"step"`
	Epoch     int                `json:"epoch"`
	Loss      string             `json:"loss"`
	ZLoss     string             `json:"z_loss"`
	GradNorm  string             `json:"grad_norm"`
	Instances []Instance         `json:"instances"`
	GradNorms map[string]string  `json:"grad_norms"`
	Largest   map[string]float64 `json:"largest_weight"` // by parameter, before the step
}

// notFinite says which instances the batch held whose loss is not a number, and leaves
// them with the weights before the step in the folder failed-stepN.
func (t *Trainer) notFinite(in *item, step int, ce, z, norm float64, norms []float64) error {
	dir := filepath.Join(t.cfg.SaveFolder, fmt.Sprintf("failed-step%d", step))
	text := func(v float64) string { return fmt.Sprint(v) }
	f := failure{
		Step: step, Epoch: int(in.epoch), Loss: text(ce), ZLoss: text(z), GradNorm: text(norm),
		GradNorms: map[string]string{}, Largest: map[string]float64{},
	}
	for i, index := range in.Index {
		for _, p := range t.data.Parts(int(index)) {
			f.Instances = append(f.Instances, Instance{Index: index, Rank: i * t.cfg.ranks() / in.B, File: p.Path, Start: p.Start, End: p.End})
		}
	}
	err := os.MkdirAll(dir, 0o777)
	var model []weights.Named
	for i, p := range t.byName {
		f.GradNorms[p.Name] = text(norms[i])
		v, readErr := t.dev.Read(p.Name)
		if readErr != nil {
			return readErr
		}
		largest := 0.0
		for _, x := range v {
			largest = max(largest, math.Abs(float64(x)))
		}
		if math.IsNaN(largest) || math.IsInf(largest, 0) {
			largest = -1 // JSON has neither
		}
		f.Largest[p.Name] = largest
		model = append(model, weights.Named{Name: p.Name, Tensor: tensor.FromFloat32(p.Shape, v)})
	}
	ids := make([]int64, len(in.IDs))
	for i, id := range in.IDs {
		ids[i] = int64(id)
	}
	if err == nil {
		err = writeJSON(filepath.Join(dir, "report.json"), f)
	}
	if err == nil {
		err = weights.WriteSafetensors(filepath.Join(dir, "batch.safetensors"), []weights.Named{{Name: "input_ids", Tensor: tensor.FromInt64([]int{in.B, in.T}, ids)}}, nil)
	}
	if err == nil {
		err = weights.WriteSafetensors(filepath.Join(dir, ModelFile), model, nil)
	}
	where := dir + " holds the batch, the norms and the weights before the step"
	if err != nil {
		where = fmt.Sprintf("what led to it could not be written: %v", err)
	}
	return fmt.Errorf("step %d: %w: loss %g, z-loss %g, gradient norm %g; the batch holds instances %v; %s\nhint: 'olmo data order CONFIG --step %d' shows their documents; continue from a checkpoint with fast_forward_batches past them, or a lower learning_rate",
		step, ErrNotFinite, ce, z, norm, in.Index, where, step)
}
