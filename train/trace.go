package train

import (
	"fmt"
	"os"
	"path/filepath"

	"olmo/device"
	"olmo/graph"
	"olmo/tensor"
	"olmo/weights"
)

// saveOutputs writes what each module makes of the step's first micro-batch, before the
// update, to save_folder/traces/stepN/outputs.safetensors: tensors (instances, tokens,
// columns) under the names of the ai2-olmo package's modules, which writes one file each
// (module_outputs_save_steps in olmo/train.py, 0.6.0).
func (t *Trainer) saveOutputs(in *item, step int) error {
	g := graph.New()
	names := t.model.Trace(g)
	n := t.microbatch(in, 0, in.B)
	p, err := t.dev.Compile(g, device.Options{Rows: n * in.T, Precision: t.cfg.Precision})
	if err != nil {
		return err
	}
	b := t.batch(in, 0, n)
	if err := p.Run(b); err != nil {
		return err
	}
	T := b.Segments[0].Rows
	var outputs []weights.Named
	for _, name := range names {
		v := p.Output(name)
		outputs = append(outputs, weights.Named{Name: "model." + name, Tensor: tensor.FromFloat32([]int{len(b.Segments), T, len(v) / len(b.IDs)}, v)})
	}
	dir := filepath.Join(t.cfg.SaveFolder, "traces", fmt.Sprintf("step%d", step))
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	return weights.WriteSafetensors(filepath.Join(dir, "outputs.safetensors"), outputs, map[string]string{"format": "pt"})
}
