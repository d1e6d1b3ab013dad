package train_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/device/cpu"
	"olmo/train"
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
		Eval                map[string]float64
		Ranks               [][]uint32
	}
	readJSON(t, filepath.Join(dir, "steps.json"), &want)
	for _, c := range []struct {
		from      int
		overrides []string
	}{
		{0, []string{"world_size=2", "init_weights=" + filepath.Join(dir, "init.safetensors")}},
		{12, []string{"load_path=" + dir}}, // step12-unsharded, which knows the number of ranks
		{12, []string{"load_path=" + filepath.Join(dir, "safetensors")}},
	} {
		from := c.from
		t.Run(strings.Join(c.overrides, " "), func(t *testing.T) {
			out := t.TempDir()
			overrides := append([]string{"save_folder=" + out}, c.overrides...)
			tr := newTrainer(t, filepath.Join(dir, "config.yaml"), overrides...)
			if _, err := tr.Run(context.Background()); err != nil {
				t.Fatal(err)
			}
			records := logged(t, out)
			if len(records) != len(want)-from {
				t.Fatalf("%d steps, want %d", len(records), len(want)-from)
			}
			lines := [][]string{trained(t, out, 0), trained(t, out, 1)}
			masked, evaluations := 0, 0
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
				for key, loss := range w.Eval {
					near(key, loss, 2e-5)
					evaluations++
				}
				for r, index := range w.Ranks {
					line := strings.Trim(strings.ReplaceAll(fmt.Sprint(w.Step, index), " ", "\t"), "]")
					line = strings.Replace(line, "[", "", 1)
					if lines[r][i] != line {
						t.Errorf("step %d, rank %d: instances %q, want %q", w.Step, r, lines[r][i], line)
					}
				}
			}
			if masked == 0 || evaluations < 16 || tr.State().Epoch == 0 {
				t.Errorf("the run masks %d instances, has %d evaluations and ends in epoch %d: it shows too little", masked, evaluations, tr.State().Epoch)
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

// TestShardedCheckpoints: checkpoints in pieces are refused with the way out, alone and as the newest of
// a run folder.
func TestShardedCheckpoints(t *testing.T) {
	for _, c := range []struct {
		files []string
		want  string
	}{
		{[]string{"rank0.pt", "rank1.pt", "config.yaml"}, "--type torch_legacy"},
		{[]string{"model_and_optim/.metadata", "model_and_optim/__0_0.distcp", "train/rank0.pt"}, "--type olmo_core"},
		{[]string{"model_and_optim/.metadata", "train/rank0.pt", ".metadata.json"}, "convert_checkpoint_to_hf.py"},
		{[]string{"model/rank0.pt", "optim/rank0.pt", "train/rank0.pt", "metadata.yaml"}, "--type local"},
	} {
		run := t.TempDir()
		for _, file := range c.files {
			path := filepath.Join(run, "step7", file)
			if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte("x"), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		for _, path := range []string{run, filepath.Join(run, "step7")} {
			cfg, err := train.LoadConfig(tiny, []string{"save_folder=" + t.TempDir(), "load_path=" + path})
			if err != nil {
				t.Fatal(err)
			}
			dev, err := cpu.New()
			if err != nil {
				t.Fatal(err)
			}
			_, err = train.New(cfg, dev, train.Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "in pieces") {
				t.Errorf("%v: error %v, want one with %q", c.files, err, c.want)
			}
		}
	}
}

// TestReleaseName: as the intermediate checkpoints of OLMo are called.
func TestReleaseName(t *testing.T) {
	for _, c := range []struct {
		step  int
		batch int64
		want  string
	}{{1000, 2160 * 2048, "step1000-tokens4B"}, {20000, 2048 * 2048, "step20000-tokens84B"}, {556000, 2160 * 2048, "step556000-tokens2460B"}, {10, 512, "step10-tokens0B"}} {
		m := train.Manifest{Step: c.step, Tokens: int64(c.step) * c.batch}
		if got := m.ReleaseName(); got != c.want {
			t.Errorf("%d steps of %d tokens: %s, want %s", c.step, c.batch, got, c.want)
		}
	}
}
