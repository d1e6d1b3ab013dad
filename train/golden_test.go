package train_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/device/cpu"
	"olmo/graph"
	"olmo/runlog"
	"olmo/train"
	"olmo/weights"
)

// reference is a run of the ai2-olmo package (0.6.0) with its real trainer.
type reference struct {
	Info struct {
		From  int     `json:"resume_from"`      // of a checkpoint in the folder
		Noise float64 `json:"final_f32_vs_f64"` // of the final weights
	} `json:"info"`
	Steps []struct {
		Step    int                `json:"step"`
		Epoch   int                `json:"epoch"`
		Index   []uint32           `json:"index"`
		CE      float64            `json:"ce_loss"`
		Z       *float64           `json:"z_loss"`
		Norm    float64            `json:"grad_norm"`
		LR      float64            `json:"lr"`
		Seen    int                `json:"tokens_seen"`
		Metrics map[string]float64 `json:"metrics"`
	} `json:"steps"`
}

// references lists the folders of such runs: those of testdata, of OLMO_GOLDEN, and of the
// folders that OLMO_REFERENCE_RUNS lists.
func references(t *testing.T) []string {
	roots := append([]string{filepath.Join("testdata", "reference")}, filepath.SplitList(os.Getenv("OLMO_REFERENCE_RUNS"))...)
	if root := os.Getenv("OLMO_GOLDEN"); root != "" {
		roots = append(roots, filepath.Join(root, "reference", "train"))
	}
	var dirs []string
	for _, root := range roots {
		found, err := filepath.Glob(filepath.Join(root, "*", "steps.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			dirs = append(dirs, filepath.Dir(path))
		}
	}
	return dirs
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
	return newTrainerWith(t, train.Options{Warn: func(s string) { t.Log(s) }}, path, overrides...)
}

func newTrainerWith(t *testing.T, o train.Options, path string, overrides ...string) *train.Trainer {
	t.Helper()
	o.ConfigPath = path
	cfg, err := train.LoadConfig(path, overrides)
	if err != nil {
		t.Fatal(err)
	}
	dev, err := cpu.New()
	if err != nil {
		t.Fatal(err)
	}
	tr, err := train.New(cfg, dev, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	return tr
}

// worst is the largest difference of two tensors, and the largest number of the second.
func worst(t *testing.T, got []float32, want *weights.Set, name string) (d, size float64) {
	t.Helper()
	v, err := want.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	w, err := v.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(w) {
		t.Fatalf("%s has %d elements, want %d", name, len(got), len(w))
	}
	for i := range w {
		d = max(d, math.Abs(float64(got[i])-float64(w[i])))
		size = max(size, math.Abs(float64(w[i])))
	}
	return d, size
}

// tensors opens a reference's file of tensors, nil when it was not kept.
func tensors(t *testing.T, path string) *weights.Set {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		return nil
	}
	set, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { set.Close() })
	return set
}

// blockName is a parameter's or metric's name without the package's block_groups.
func blockName(name string) string {
	before, rest, ok := strings.Cut(name, "block_groups.")
	if !ok {
		return name
	}
	var group, block int
	fmt.Sscanf(rest, "%d.%d", &group, &block)
	parts := strings.SplitN(rest, ".", 3)
	return fmt.Sprintf("%sblocks.%d.%s", before, group*2+block, parts[2]) // two to a group here
}

// TestReferenceRuns compares whole runs with the reference: every step's instances,
// losses, gradient norm, learning rate and metrics, the first gradients and the final
// weights.
func TestReferenceRuns(t *testing.T) {
	for _, dir := range references(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) { compareRun(t, dir) })
		var ref reference
		readJSON(t, filepath.Join(dir, "steps.json"), &ref)
		if n := ref.Info.From; n > 0 {
			path := filepath.Join(dir, fmt.Sprintf("step%d-unsharded", n))
			t.Run(fmt.Sprintf("%s from %d", filepath.Base(dir), n), func(t *testing.T) { compareRun(t, dir, "load_path="+path) })
		}
	}
}

func compareRun(t *testing.T, dir string, overrides ...string) {
	var ref reference
	readJSON(t, filepath.Join(dir, "steps.json"), &ref)
	want := ref.Steps
	out := t.TempDir()
	overrides = append(overrides, "save_folder="+out, "save_interval_unsharded=20")
	if init := filepath.Join(dir, "init.safetensors"); len(overrides) == 2 {
		if _, err := os.Stat(init); err == nil {
			overrides = append(overrides, "init_weights="+init)
		}
	}
	config := filepath.Join(dir, "config.yaml")
	tr := newTrainer(t, config, overrides...)
	from := tr.State().Step
	for len(want) > 0 && from >= want[0].Step {
		want = want[1:]
	}
	normTol := 1e-4
	if len(tr.Config().Data.LabelMaskPaths) > 0 {
		normTol = 5e-4
	}
	largest := map[string]float64{}
	if grads := tensors(t, filepath.Join(dir, "grads_step1.safetensors")); grads != nil && len(want) == len(ref.Steps) {
		first := newTrainer(t, config, append(slices.Clone(overrides), "save_folder="+t.TempDir())...)
		if err := first.Gradients(); err != nil {
			t.Fatal(err)
		}
		if got, w := len(first.Model().Params()), len(grads.Names()); got != w {
			t.Errorf("%d parameters, want %d", got, w)
		}
		for _, param := range grads.Names() {
			got, err := first.Device().Read(graph.GradName(blockName(param), 0))
			if err != nil {
				t.Fatal(err)
			}
			d, size := worst(t, got, grads, param)
			d /= max(1, size) // with norms after the sublayers gradients may be in the tens
			if d > 1e-6 {
				t.Errorf("gradient of %s differs by %g", param, d)
			}
			largest["gradient"] = max(largest["gradient"], d)
		}
	}
	if _, err := tr.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	records, err := runlog.Read(filepath.Join(out, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != len(want) {
		t.Fatalf("%d steps, want %d", len(records), len(want))
	}
	near := func(step int, what string, got any, want, tol float64) {
		g, ok := got.(float64)
		d := math.Abs(g - want)
		if want != 0 {
			d /= math.Abs(want)
		}
		if !ok || !(d <= tol) {
			t.Errorf("step %d: %s = %v, want %v (%.2g)", step, what, got, want, d)
		}
		if kind, _, metric := strings.Cut(what, "/"); metric {
			what = "metrics of " + kind
		}
		largest[what] = max(largest[what], d)
	}
	for i, w := range want {
		if tr.Config().LoadPath == "" {
			// The data of a step is known without the run.
			s, err := tr.Config().StepData(w.Step)
			if err != nil {
				t.Fatal(err)
			}
			var index []uint32
			for _, i := range s.Instances {
				index = append(index, i.Index)
			}
			if !slices.Equal(index, w.Index) {
				t.Errorf("step %d: instances %v, want %v", s.Step, index, w.Index)
			}
		}
		r := records[i]
		if n, _ := r.Step(); n != w.Step {
			t.Fatalf("record %d is of step %d, want %d", i, n, w.Step)
		}
		near(w.Step, "loss", r["train/CrossEntropyLoss"], w.CE, 1e-5)
		if w.Z != nil {
			near(w.Step, "z-loss", r["train/ZLoss"], *w.Z, 1e-5)
		}
		near(w.Step, "gradient norm", r["optim/total_grad_norm"], w.Norm, normTol)
		near(w.Step, "learning rate", r["optim/learning_rate_group0"], w.LR, 1e-12)
		near(w.Step, "tokens", r["throughput/total_tokens"], float64(w.Seen), 0)
		near(w.Step, "epoch", r["epoch"], float64(w.Epoch), 0)
		if wandb := tr.Config().Wandb; wandb != nil && w.Step%wandb.LogInterval != 0 {
			continue // of what OLMo logs to nobody
		}
		metrics := map[string]bool{}
		for name, v := range w.Metrics {
			name = blockName(name)
			metrics[name] = true
			// An extreme of tiny numbers is a single, rounded number.
			if got, ok := r[name].(float64); !ok || math.Abs(got-v) > 1e-6 {
				near(w.Step, name, r[name], v, 1e-3)
			}
		}
		if len(w.Metrics) == 0 {
			continue
		}
		for name := range r {
			if !metrics[name] && strings.HasPrefix(name, "optim/") && !strings.HasPrefix(name, "optim/learning_rate") && name != "optim/clipping_rate" && w.Step > 1 {
				t.Errorf("step %d: %s is logged, the reference does not", w.Step, name)
			}
		}
	}
	if final := tensors(t, filepath.Join(dir, "final_f32.safetensors")); final != nil {
		for _, name := range final.Names() {
			got, err := tr.Device().Read(blockName(name))
			if err != nil {
				t.Fatal(err)
			}
			d, _ := worst(t, got, final, name)
			// Adam makes whole steps of the rounding noise of gradients that should be 0.
			if d > 1e-3+2*ref.Info.Noise {
				t.Errorf("final %s differs by %g", name, d)
			}
			largest["weights"] = max(largest["weights"], d)
		}
	}
	t.Logf("largest differences: %v", largest)
}
