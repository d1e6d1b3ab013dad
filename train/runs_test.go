package train_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/device/cpu"
	"olmo/train"
)

// runs holds what the configs of the repository must add up to: parameters, parameters
// outside the embedding, and OLMo's floating point operations per token.
var runs = map[string]struct {
	parameters, without int
	flops               float64
}{
	"olmo-1b":               {1176764416, 1073741824, 7.6598e9},
	"olmo-7b":               {6888095744, 6682050560, 4.4138e10},
	"olmo-7b-0424":          {6888095744, 6682050560, 4.7359e10},
	"olmo-7b-0724":          {6888095744, 6682050560, 4.7359e10},
	"olmo-20m":              {34148608, 21270784, 2.7980e8},
	"olmo2-1b-stage1":       {1484916736, 1279395840, 1.0109e10},
	"olmo2-1b-stage2":       {1484916736, 1279395840, 1.0109e10},
	"olmo2-7b-stage1":       {7298617344, 6887575552, 4.9412e10},
	"olmo2-7b-stage2":       {7298617344, 6887575552, 4.9412e10},
	"olmo2-13b-stage1":      {13716198400, 13202396160, 9.1336e10},
	"olmo2-13b-stage2-100b": {13716198400, 13202396160, 9.1336e10},
	"olmo2-13b-stage2-300b": {13716198400, 13202396160, 9.1336e10},
	"olmo2-32b-stage1":      {32234279936, 31720477696, 2.0848e11},
	"olmo2-32b-stage2":      {32234279936, 31720477696, 2.0848e11},
	"olmo3-7b-pretrain":     {7298617344, 6887575552, 5.5855e10},
	"olmo3-7b-pretrain-2":   {7298617344, 6887575552, 5.5855e10},
	"olmo3-7b-midtrain":     {7298617344, 6887575552, 5.5855e10},
	"olmo3-32b-pretrain":    {32234279936, 31720477696, 2.2459e11},
	"olmo3-32b-midtrain":    {32234279936, 31720477696, 2.2459e11},
}

// TestRuns loads every config of pre-training under runs/ without its data, as a dry run does. Those
// that start from a model_name_or_path are stages of adaptation, whose package loads them.
func TestRuns(t *testing.T) {
	paths, err := filepath.Glob("../runs/*.yaml")
	if err != nil || len(paths) < len(runs) {
		t.Fatalf("%d configs, %v", len(paths), err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("\nmodel_name_or_path:")) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			cfg, err := train.LoadConfig(path, []string{"dry_run=true"})
			if err != nil {
				t.Fatal(err)
			}
			if keys := cfg.WithoutEffect(); len(keys) > 0 {
				t.Errorf("keys without effect: %v", keys)
			}
			want, known := runs[name]
			if !known || testing.Short() && want.parameters > 2e9 {
				return
			}
			e, err := cfg.Estimate(cpu.Needs)
			if err != nil {
				t.Fatal(err)
			}
			if e.Parameters != want.parameters || e.WithoutEmbedding != want.without {
				t.Errorf("%d parameters, %d without the embedding; want %d and %d", e.Parameters, e.WithoutEmbedding, want.parameters, want.without)
			}
			if f := e.Forward + e.Backward; f < want.flops*0.9999 || f > want.flops*1.0001 {
				t.Errorf("%g FLOPs per token, want %g", f, want.flops)
			}
			if m := e.Memory; m.Params != 4*int64(want.parameters) || m.Grads < m.Params || m.Scratch == 0 {
				t.Errorf("memory %+v", m)
			}
		})
	}
}

// TestStory runs the small configs as a user would: training, annealing in two orders of
// the data, averaging, and a longer context.
func TestStory(t *testing.T) {
	if testing.Short() {
		t.Skip("trains four models")
	}
	dir := t.TempDir()
	losses := func(config, folder string, overrides ...string) (first, last float64) {
		t.Helper()
		folder = filepath.Join(dir, folder)
		tr := newTrainer(t, "../runs/"+config+".yaml", append(overrides, "save_folder="+folder)...)
		if _, err := tr.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		records := logged(t, folder)
		return records[0]["train/CrossEntropyLoss"].(float64), records[len(records)-1]["train/CrossEntropyLoss"].(float64)
	}
	path := func(name string) string { return filepath.Join(dir, name) }
	first, trained := losses("tiny", "out")
	if trained > first-2 {
		t.Errorf("the loss fell from %g to %g, want at least 2 less", first, trained)
	}
	begin, _ := losses("tiny-anneal", "a", "load_path="+path("out"), "seed=1")
	if begin > trained+0.5 {
		t.Errorf("annealing begins at a loss of %g, training ended at %g", begin, trained)
	}
	losses("tiny-anneal", "b", "load_path="+path("out"), "seed=2")
	if err := train.Merge(path("merged"), []string{path("a"), path("b")}, nil, func(text string) { t.Error(text) }); err != nil {
		t.Fatal(err)
	}
	if begin, end := losses("tiny-long", "long", "load_path="+path("merged")); begin > trained+1 || end > begin {
		t.Errorf("the longer context goes from a loss of %g to %g", begin, end)
	}
}
