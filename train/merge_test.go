package train_test

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/tensor"
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

// TestMergeRefuses: an average of what does not belong together looks like a model.
func TestMergeRefuses(t *testing.T) {
	dir := t.TempDir()
	run(t, filepath.Join(dir, "a"), "max_duration=8")
	run(t, filepath.Join(dir, "theta"), "max_duration=8", "model.rope_theta=20000")
	a, theta := filepath.Join(dir, "a"), filepath.Join(dir, "theta")
	nan := filepath.Join(dir, "nan.safetensors")
	s, err := weights.Open(a)
	if err != nil {
		latest, e := train.Latest(a)
		if e != nil {
			t.Fatal(e)
		}
		if s, err = weights.Open(latest); err != nil {
			t.Fatal(err)
		}
	}
	defer s.Close()
	tensors := s.All()
	first, err := s.Tensor(tensors[0].Name)
	if err != nil {
		t.Fatal(err)
	}
	v, err := first.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	v = slices.Clone(v) // of the file itself
	v[3] = float32(math.NaN())
	tensors[0] = weights.Named{Name: tensors[0].Name, Tensor: tensor.FromFloat32(first.Shape, v)}
	if err := weights.WriteSafetensors(nan, tensors, nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		in     []string
		shares []float64
		want   string
	}{
		{"an infinite share", []string{a, a}, []float64{math.Inf(1), 1}, "share +Inf"},
		{"no number", []string{a, a}, []float64{math.NaN(), 1}, "share NaN"},
		{"shares of nothing", []string{a, a}, []float64{1, -1}, "add up to 0"},
		{"another rotation", []string{a, theta}, nil, "rope_theta is 10000 and 20000"},
		{"a diverged run", []string{a, nan}, nil, tensors[0].Name + " of checkpoint 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := filepath.Join(dir, "out")
			err := train.Merge(out, c.in, c.shares, func(text string) { t.Error(text) })
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("a folder was left behind")
			}
		})
	}
}
