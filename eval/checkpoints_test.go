package eval_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/eval"
)

func TestCheckpoints(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"step1000", "step20-unsharded", "checkpoint-300", "step4000-tokens16B", "step50-tokens0.2B-hf", "latest", "stepping", "step7.tmp", "train_data"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "step9"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := eval.Checkpoints(dir)
	var steps []int
	for _, c := range got {
		steps = append(steps, c.Step)
	}
	if want := []int{20, 50, 300, 1000, 4000}; err != nil || !slices.Equal(steps, want) {
		t.Errorf("steps %v, %v, want %v", steps, err, want)
	}
	if err := os.Mkdir(filepath.Join(dir, "step300"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := eval.Checkpoints(dir); err == nil || !strings.Contains(err.Error(), "are both of step 300") {
		t.Errorf("two of a step: %v", err)
	}
	if _, err := eval.Checkpoints(t.TempDir()); err == nil || !strings.Contains(err.Error(), "holds no checkpoints") {
		t.Errorf("none: %v", err)
	}
}
