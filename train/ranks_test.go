package train_test

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"olmo/weights"
)

// TestReferenceRanks compares a whole run with one of the ai2-olmo package on two ranks
// (testdata/ranks/make.py), and its second half from the package's own checkpoint: the instances of
// each rank, losses, gradient norm, learning rate and the instances that rank 0 masks.
func TestReferenceRanks(t *testing.T) {
	dir := filepath.Join("testdata", "ranks")
	var want []struct {
		Step, Epoch, Masked int
		CE                  float64 `json:"ce_loss"`
		Z                   float64 `json:"z_loss"`
		Norm                float64 `json:"grad_norm"`
		LR                  float64
		Ranks               [][]uint32
	}
	readJSON(t, filepath.Join(dir, "steps.json"), &want)
	for _, from := range []int{0, 12} {
		t.Run(fmt.Sprint("from step ", from), func(t *testing.T) {
			out := t.TempDir()
			overrides := []string{"save_folder=" + out}
			if from > 0 {
				overrides = append(overrides, "load_path="+dir) // which knows the number of ranks
			} else {
				overrides = append(overrides, "world_size=2", "init_weights="+filepath.Join(dir, "init.safetensors"))
			}
			tr := newTrainer(t, filepath.Join(dir, "config.yaml"), overrides...)
			if _, err := tr.Run(context.Background()); err != nil {
				t.Fatal(err)
			}
			records := logged(t, out)
			if len(records) != len(want)-from {
				t.Fatalf("%d steps, want %d", len(records), len(want)-from)
			}
			lines := [][]string{trained(t, out, 0), trained(t, out, 1)}
			masked := 0
			for i, w := range want[from:] {
				near := func(key string, want, tol float64) {
					if got := records[i][key].(float64); math.Abs(got-want) > tol*math.Abs(want) {
						t.Errorf("step %d: %s = %v, want %v", w.Step, key, got, want)
					}
				}
				near("step", float64(w.Step), 0)
				near("epoch", float64(w.Epoch), 0)
				near("train/CrossEntropyLoss", w.CE, 1e-5)
				near("train/ZLoss", w.Z, 1e-5)
				near("optim/total_grad_norm", w.Norm, 1e-4)
				near("optim/learning_rate_group0", w.LR, 1e-12)
				near("train/masked_instances_local_rank", float64(w.Masked), 0)
				masked += w.Masked
				for r, index := range w.Ranks {
					line := strings.Trim(strings.ReplaceAll(fmt.Sprint(w.Step, index), " ", "\t"), "]")
					line = strings.Replace(line, "[", "", 1)
					if lines[r][i] != line {
						t.Errorf("step %d, rank %d: instances %q, want %q", w.Step, r, lines[r][i], line)
					}
				}
			}
			if masked == 0 || tr.State().Epoch == 0 {
				t.Errorf("the run masks %d instances and ends in epoch %d: it shows too little", masked, tr.State().Epoch)
			}
			final, err := weights.Open(filepath.Join(dir, "final.safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			defer final.Close()
			for _, name := range final.Names() {
				got, err := tr.Device().Read(name)
				if err != nil {
					t.Fatal(err)
				}
				v, err := final.Tensor(name)
				if err != nil {
					t.Fatal(err)
				}
				want, err := v.Float32s()
				if err != nil {
					t.Fatal(err)
				}
				for i := range want {
					if d := math.Abs(float64(got[i]) - float64(want[i])); d > 1e-3 {
						t.Fatalf("final %s differs by %g at %d", name, d, i)
					}
				}
			}
		})
	}
}
