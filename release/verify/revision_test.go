package verify

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"olmo/model"
	"olmo/tensor"
	"olmo/weights"
)

// fileOf reads a file of tensors as verify does.
func fileOf(t *testing.T, path string) *file {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	v := &verifier{ctx: context.Background()}
	f := v.read(&entry{path: path, at: path, info: info})
	if err := errors.Join(f.err, f.damage); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestNames: of every family, what Transformers reads is found to be the run's, and another number of any
// tensor to be another.
func TestNames(t *testing.T) {
	folders, err := filepath.Glob("../../model/testdata/reference/*/config.json")
	if err != nil || len(folders) < 10 {
		t.Fatal(folders, err)
	}
	for _, path := range folders {
		from, err := model.OpenWith(filepath.Dir(path), model.OpenOptions{IgnoreExtra: true, Incomplete: true})
		if err != nil {
			continue // a test of what is refused
		}
		c := from.Config
		from.Close()
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			values := map[string][]float32{}
			var native []weights.Named
			for _, p := range c.Params() {
				v := make([]float32, p.Size())
				for i := range v {
					v[i] = random.Float32()
				}
				values[p.Name] = v
				native = append(native, weights.Named{Name: p.Name, Tensor: tensor.FromFloat32(p.Shape, v)})
			}
			dir := t.TempDir()
			run := filepath.Join(dir, "run.safetensors")
			if err := weights.WriteSafetensors(run, native, nil); err != nil {
				t.Fatal(err)
			}
			get := func(name string) ([]float32, error) { return values[name], nil }
			if err := model.SaveHF(dir, c, get, tensor.F32, 0, nil); err != nil {
				t.Skip(err) // Transformers has no such model
			}
			stored, err := c.Stored(model.HuggingFace)
			if err != nil {
				t.Fatal(err)
			}
			of := &checkpoint{model: fileOf(t, run)}
			hf := fileOf(t, filepath.Join(dir, "model.safetensors"))
			x := newComparison(c)
			defer x.close()
			for i := range stored {
				s := &stored[i]
				if same, err := x.same(hf, hf.tensor(s.Name), s, of); err != nil || !same {
					t.Errorf("%s: %v, %v", s.Name, same, err)
				}
			}
			if len(hf.tensors) != len(stored) {
				t.Errorf("%d tensors are stored, %d are known", len(hf.tensors), len(stored))
			}
			for _, p := range c.Params() {
				values[p.Name][random.IntN(p.Size())] += 8
			}
			if err := model.SaveHF(dir, c, get, tensor.F32, 0, nil); err != nil {
				t.Fatal(err)
			}
			other := fileOf(t, filepath.Join(dir, "model.safetensors"))
			y := newComparison(c)
			defer y.close()
			wrong := 0
			for i := range stored {
				s := &stored[i]
				same, err := y.same(other, other.tensor(s.Name), s, of)
				if err != nil {
					t.Errorf("%s: %v", s.Name, err)
				}
				if !same {
					wrong++
				}
			}
			if wrong < len(c.Params())*9/10 {
				t.Errorf("%d of %d tensors are found to be others", wrong, len(stored))
			}
		})
	}
}
