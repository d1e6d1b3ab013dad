package stage

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// published holds what makes the official settings of a config under runs/: the rows of a step,
// the longest row, the learning rate and the epochs.
var published = map[string]struct {
	rows, length int
	rate         float64
	epochs       int
}{
	"olmo2-1b-sft":  {128, 4096, 3e-5, 2},
	"olmo2-7b-sft":  {128, 4096, 1e-5, 2},
	"olmo2-13b-sft": {128, 4096, 6e-6, 2},
	"olmo3-7b-sft":  {1248, 32768, 8e-5, 2},
}

// TestRuns loads the configs of fine-tuning under runs/ without their models and data.
func TestRuns(t *testing.T) {
	paths, err := filepath.Glob("../../runs/*-sft.yaml")
	if err != nil || len(paths) != len(published) {
		t.Fatalf("%d configs, %v", len(paths), err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		t.Run(name, func(t *testing.T) {
			c, err := LoadSFT(path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if keys := c.WithoutEffect(); len(keys) > 0 {
				t.Errorf("keys without effect: %v", keys)
			}
			want := published[name]
			if c.batch() != want.rows || *c.MaxSeqLength != want.length || c.LearningRate != want.rate || c.NumTrainEpochs != want.epochs {
				t.Errorf("%d rows of %d tokens at %g, %d epochs; want %+v", c.batch(), *c.MaxSeqLength, c.LearningRate, c.NumTrainEpochs, want)
			}
		})
	}
}

// refused are open-instruct's own configs that a stage refuses, by what the error says.
var refused = []struct{ file, because string }{
	// A mapping with a key twice: PyYAML takes the last, which is how a setting gets lost.
	{`^sft/tulu3_8b_preview_mix_v3\.[012]\.yaml$`, `"checkpointing_steps" already defined`},
	{`^sft/tulu3_70b_preview_mix_v3\.9-noncommercial\.yaml$`, `"dataset_mix_dir" already defined`},
	// A key of older scripts; with it finetune.py of e6c3044 ends too, since dataset_mixer_list has a default.
	{`^sft/(olmo_7b_.*|tulu2_.*)\.yaml$`, `dataset_name is set`},
	{`^sft/tulu2_7b_(q?lora)\.yaml$`, `use_lora is set`},
	{`^sft/olmoe_preview_mix_v3\.1\.yaml$`, `load_balancing_loss is set`},
}

// TestOpenInstructsRuns loads open-instruct's own configs as they are: OLMO_OPEN_INSTRUCT names its checkout.
func TestOpenInstructsRuns(t *testing.T) {
	root := os.Getenv("OLMO_OPEN_INSTRUCT")
	if root == "" {
		t.Skip("OLMO_OPEN_INSTRUCT is not set: the folder of a checkout of open-instruct e6c3044")
	}
	root = filepath.Join(root, "configs", "train_configs")
	loaded := 0
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".yaml") || strings.Contains(path[len(root):], "dpo") {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		_, err = LoadSFT(path, nil)
		for _, r := range refused {
			if regexp.MustCompile(r.file).MatchString(filepath.ToSlash(name)) && err != nil && strings.Contains(err.Error(), r.because) {
				t.Logf("%s: %v", name, err)
				return nil
			}
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else {
			loaded++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if loaded == 0 {
		t.Errorf("no config under %s", root)
	}
	t.Logf("%d loaded", loaded)
}
