package train_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"olmo/device/cpu"
	"olmo/graph"
	"olmo/runlog"
	"olmo/train"
	"olmo/weights"
)

// reference is a run of the ai2-olmo package (0.6.0) with its real trainer.
type reference struct {
	Steps []struct {
		Step  int      `json:"step"`
		Index []uint32 `json:"index"`
		CE    float64  `json:"ce_loss"`
		Z     *float64 `json:"z_loss"`
		Norm  float64  `json:"grad_norm"`
		LR    float64  `json:"lr"`
		Seen  int      `json:"tokens_seen"`
	} `json:"steps"`
}

func golden(t *testing.T, parts ...string) string {
	root := os.Getenv("OLMO_GOLDEN")
	if root == "" {
		t.Skip("OLMO_GOLDEN is not set: the reference's runs are not compared")
	}
	return filepath.Join(append([]string{root, "reference", "train"}, parts...)...)
}

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, v); err != nil {
		t.Fatal(err)
	}
}

func newTrainer(t *testing.T, path string, overrides ...string) *train.Trainer {
	t.Helper()
	cfg, err := train.LoadConfig(path, overrides)
	if err != nil {
		t.Fatal(err)
	}
	dev, err := cpu.New()
	if err != nil {
		t.Fatal(err)
	}
	tr, err := train.New(cfg, dev, train.Options{ConfigPath: path, Warn: func(s string) { t.Log(s) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	return tr
}

// worst is the largest difference of two tensors.
func worst(t *testing.T, got []float32, want *weights.Set, name string) float64 {
	t.Helper()
	v, err := want.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := v.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	if len(f) != len(got) {
		t.Fatalf("%s has %d elements, want %d", name, len(got), len(f))
	}
	d := 0.0
	for i := range f {
		d = max(d, math.Abs(float64(got[i])-float64(f[i])))
	}
	return d
}

var referenceRuns = []struct {
	name     string
	normTol  float64
	fromStep int // resume from the reference's own checkpoint
}{
	{name: "olmo2", normTol: 1e-4},
	{name: "olmo1", normTol: 1e-4},
	{name: "olmo1", normTol: 1e-4, fromStep: 25},
	{name: "tokens_clipwarm_mask", normTol: 5e-4},
}

// TestReferenceRuns compares whole runs with the reference: every step's instances,
// losses, gradient norm and learning rate, and the final weights.
func TestReferenceRuns(t *testing.T) {
	for _, c := range referenceRuns {
		t.Run(fmt.Sprintf("%s from %d", c.name, c.fromStep), func(t *testing.T) {
			dir := golden(t, c.name)
			var ref reference
			readJSON(t, filepath.Join(dir, "steps.json"), &ref)
			out := t.TempDir()
			overrides := []string{"save_folder=" + out, "save_interval_unsharded=20"}
			if c.fromStep > 0 {
				overrides = append(overrides, "load_path="+dir) // which holds step25-unsharded
			} else {
				overrides = append(overrides, "init_weights="+filepath.Join(dir, "init.safetensors"))
			}
			tr := newTrainer(t, filepath.Join(dir, "config.yaml"), overrides...)
			if _, err := tr.Run(context.Background()); err != nil {
				t.Fatal(err)
			}
			records, err := runlog.Read(filepath.Join(out, "metrics.jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			want := ref.Steps[c.fromStep:]
			if len(records) != len(want) {
				t.Fatalf("%d steps, want %d", len(records), len(want))
			}
			for _, w := range []int{1, len(want)/2 + 1, len(want)} {
				// The data of a step is known without the run.
				s, err := tr.Config().StepData(want[w-1].Step)
				if err != nil {
					t.Fatal(err)
				}
				for i, index := range want[w-1].Index {
					if s.Instances[i].Index != index {
						t.Errorf("step %d: instance %d is number %d, want %d", s.Step, i, s.Instances[i].Index, index)
					}
				}
			}
			near := func(step int, what string, got any, want, tol float64) {
				if g, ok := got.(float64); !ok || math.Abs(g-want) > tol*math.Abs(want) {
					t.Errorf("step %d: %s = %v, want %v", step, what, got, want)
				}
			}
			for i, w := range want {
				r := records[i]
				if n, _ := r.Step(); n != w.Step {
					t.Fatalf("record %d is of step %d, want %d", i, n, w.Step)
				}
				near(w.Step, "loss", r["train/CrossEntropyLoss"], w.CE, 1e-5)
				if w.Z != nil {
					near(w.Step, "z-loss", r["train/ZLoss"], *w.Z, 1e-5)
				}
				near(w.Step, "gradient norm", r["optim/total_grad_norm"], w.Norm, c.normTol)
				near(w.Step, "learning rate", r["optim/learning_rate_group0"], w.LR, 1e-12)
				near(w.Step, "tokens", r["throughput/total_tokens"], float64(w.Seen), 0)
			}
			final, err := weights.Open(filepath.Join(dir, "final_f32.safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			defer final.Close()
			for _, name := range final.Names() {
				got, err := tr.Device().Read(name)
				if err != nil {
					t.Fatal(err)
				}
				if d := worst(t, got, final, name); d > 1e-3 {
					t.Errorf("final %s differs by %g", name, d)
				}
			}
		})
	}
}

// TestReferenceGradients compares the first step's gradients, before clipping.
func TestReferenceGradients(t *testing.T) {
	for _, name := range []string{"olmo1", "olmo2", "tokens_clipwarm_mask"} {
		t.Run(name, func(t *testing.T) {
			dir := golden(t, name)
			tr := newTrainer(t, filepath.Join(dir, "config.yaml"), "save_folder="+t.TempDir(), "init_weights="+filepath.Join(dir, "init.safetensors"))
			if err := tr.Gradients(); err != nil {
				t.Fatal(err)
			}
			want, err := weights.Open(filepath.Join(dir, "grads_step1.safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			defer want.Close()
			if got, w := len(tr.Model().Params()), len(want.Names()); got != w {
				t.Errorf("%d parameters, want %d", got, w)
			}
			for _, param := range want.Names() {
				got, err := tr.Device().Read(graph.GradName(param, 0))
				if err != nil {
					t.Fatal(err)
				}
				if d := worst(t, got, want, param); d > 1e-6 {
					t.Errorf("gradient of %s differs by %g", param, d)
				}
			}
		})
	}
}
