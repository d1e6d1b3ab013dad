package train_test

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"olmo/train"
	"olmo/weights"
)

// TestMerge averages three checkpoints and trains on from the average.
func TestMerge(t *testing.T) {
	dir := t.TempDir()
	run(t, filepath.Join(dir, "run"), "save_interval=8")
	in := []string{filepath.Join(dir, "run", "step8"), filepath.Join(dir, "run", "step16"), filepath.Join(dir, "run")}
	for _, shares := range [][]float64{nil, {1, 0, 3}} {
		out := filepath.Join(dir, "merged")
		if shares != nil {
			out += "-shares"
		}
		if err := train.Merge(out, append([]string(nil), in...), shares, func(text string) { t.Error(text) }); err != nil {
			t.Fatal(err)
		}
		merged, err := weights.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		defer merged.Close()
		var parts [][]float32
		name := "transformer.blocks.1.ff_proj.weight"
		for _, step := range []string{"step8", "step16", "step24"} {
			s, err := weights.Open(filepath.Join(dir, "run", step))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			v, _ := s.Tensor(name)
			f, _ := v.Float32s()
			parts = append(parts, f)
		}
		v, err := merged.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := v.Float32s()
		for i := range got {
			want := (float64(parts[0][i]) + float64(parts[1][i]) + float64(parts[2][i])) / 3
			if shares != nil {
				want = (float64(parts[0][i]) + 3*float64(parts[2][i])) / 4
			}
			if math.Abs(float64(got[i])-want) > 1e-7 {
				t.Fatalf("%s[%d] = %g, want %g", name, i, got[i], want)
			}
		}
	}
	// An annealing run starts from the average, with its own steps and optimiser.
	tr := newTrainer(t, tiny, "save_folder="+filepath.Join(dir, "anneal"), "load_path="+filepath.Join(dir, "merged"),
		"reset_optimizer_state=true", "reset_trainer_state=true", "scheduler.name=linear_with_warmup", "scheduler.t_warmup=0", "scheduler.alpha_f=0")
	if s := tr.State(); s.Step != 0 || s.OptimizerSteps != 0 {
		t.Errorf("annealing starts at %+v", s)
	}
	if err := train.Merge(filepath.Join(dir, "merged"), in, nil, func(text string) { t.Error(text) }); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("error %v over an existing folder", err)
	}
}
