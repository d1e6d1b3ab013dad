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
	// Codes are no numbers to average, also where they are read as weights (a whole AWQ folder),
	// where the model is not one that is known, and where only AutoGPTQ's own file says so.
	awq := filepath.Join("..", "weights", "quantised", "testdata", "awq")
	folder := func(file, text string) string {
		t.Helper()
		path, err := os.MkdirTemp(dir, "")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(path, file), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := weights.WriteSafetensors(filepath.Join(path, "model.safetensors"), tensors[1:], nil); err != nil {
			t.Fatal(err)
		}
		return path
	}
	hqq := folder("config.json", `{"model_type":"marvel","quantization_config":{"quant_method":"hqq"}}`)
	code := func(v ...byte) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "model.safetensors")
		q := tensor.Tensor{DType: tensor.U8, Shape: []int{len(v)}, Data: v}
		if err := weights.WriteSafetensors(path, []weights.Named{{Name: "qweight", Tensor: q}}, nil); err != nil {
			t.Fatal(err)
		}
		return path
	}
	full := filepath.Join(dir, "full.safetensors")
	if err := weights.WriteSafetensors(full, []weights.Named{{Name: "qweight", Tensor: tensor.FromFloat32([]int{2}, []float32{1, 2})}}, nil); err != nil {
		t.Fatal(err)
	}
	auto := folder("quantize_config.json", `{"bits":4}`)
	for _, c := range []struct {
		name   string
		in     []string
		shares []float64
		want   string
	}{
		{"codes of a quantisation", []string{awq, awq}, nil, "quantised with awq, as quantization_config says"},
		{"codes that are not read", []string{a, hqq}, nil, "quantised with hqq"},
		{"codes of AutoGPTQ", []string{auto, auto}, nil, "quantised with gptq"},
		{"an infinite share", []string{a, a}, []float64{math.Inf(1), 1}, "share +Inf"},
		{"no number", []string{a, a}, []float64{math.NaN(), 1}, "share NaN"},
		{"shares of nothing", []string{a, a}, []float64{1, -1}, "add up to 0"},
		{"another rotation", []string{a, theta}, nil, "rope_theta is 10000 and 20000"},
		{"codes of which no file says so", []string{code(1, 2), code(1, 3)}, nil, "qweight of checkpoint 2 of those named is not that of the first"},
		{"codes beside weights", []string{code(1, 2), full}, nil, "qweight of checkpoint 2"},
		{"weights beside codes", []string{full, code(1, 2)}, nil, "qweight of checkpoint 2"},
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

// TestMergeFiles averages plain files of weights: shares need not add up to 1; what makes
// weights a model goes along, what says something of a run does not; what is not one model is
// refused, and leaves nothing.
func TestMergeFiles(t *testing.T) {
	dir := t.TempDir()
	folder := func(name string, files map[string]string, named ...weights.Named) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.Mkdir(path, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := weights.WriteSafetensors(filepath.Join(path, "model.safetensors"), named, nil); err != nil {
			t.Fatal(err)
		}
		for file, text := range files {
			if err := os.WriteFile(filepath.Join(path, file), []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		return path
	}
	vec := func(name string, v ...float32) weights.Named {
		return weights.Named{Name: name, Tensor: tensor.FromFloat32([]int{len(v)}, v)}
	}
	a := folder("a", map[string]string{"tokenizer.json": "{}", "merges.txt": "x", "chat_template.jinja": "y", "notes.md": "z", "train.json": "{}", "model.safetensors.index.json.bak": "x"}, vec("w", 1, 2))
	b := folder("b", nil, vec("w", 3, 6))
	none := func(text string) { t.Error(text) }
	for out, c := range map[string]struct {
		shares []float64
		want   []float32
	}{"mean": {nil, []float32{2, 4}}, "one": {[]float64{0.25, 0.75}, []float32{2.5, 5}}, "less": {[]float64{0.25, 0.25}, []float32{2, 4}}, "apart": {[]float64{2, -1}, []float32{-1, -2}}} {
		path := filepath.Join(dir, out)
		if err := train.Merge(path, []string{a, b}, c.shares, none); err != nil {
			t.Fatal(err)
		}
		set, err := weights.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		x, err := set.Tensor("w")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := x.Float32s(); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("shares %v: %v (%v), want %v", c.shares, got, err, c.want)
		}
		set.Close()
		entries, err := os.ReadDir(path)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		if want := []string{"chat_template.jinja", "merges.txt", "model.safetensors", "tokenizer.json"}; !slices.Equal(names, want) {
			t.Errorf("the average holds %q, want %q", names, want)
		}
	}
	before, _ := os.ReadDir(dir)
	for want, inputs := range map[string]struct {
		in     []string
		shares []float64
	}{
		"merging 0 checkpoints":        {nil, nil},
		"merging 2 checkpoints with 1": {[]string{a, b}, []float64{1}},
		"add up to 0":                  {[]string{a, b}, []float64{1, -1}},
		"share NaN of":                 {[]string{a, b}, []float64{math.NaN(), 1}},
		"share +Inf of":                {[]string{a, b}, []float64{math.Inf(1), 1}},
		"different names":              {[]string{a, folder("names", nil, vec("v", 1, 2))}, nil},
		"has shape [2] and [3]":        {[]string{a, folder("shapes", nil, vec("w", 1, 2, 3))}, nil},
		"opening checkpoint to merge":  {[]string{a, filepath.Join(dir, "none")}, nil},
	} {
		err := train.Merge(filepath.Join(dir, "out"), inputs.in, inputs.shares, none)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	if after, _ := os.ReadDir(dir); len(after) != len(before)+2 { // the two folders of other tensors
		t.Errorf("%d entries became %d", len(before), len(after))
	}
}
