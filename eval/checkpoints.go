package eval

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
)

// Checkpoint is a model as it was after a step of its training.
type Checkpoint struct {
	Step int
	Path string
}

// checkpointName finds the step in a folder's name: ours and OLMo's (step500, step500-unsharded),
// the revisions that OLMo is published in (step500-tokens2B), Transformers' (checkpoint-500).
var checkpointName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:step[-_]?|checkpoint-)(\d+)(?:-(?:unsharded|hf|tokens[\d.]+[KMBT]?))*$`)
})

// Checkpoints lists the checkpoints in a run's folder, or in any other that holds them side by
// side, in the order of their steps. Two of one step are an error.
func Checkpoints(folder string) ([]Checkpoint, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var out []Checkpoint
	for _, e := range entries {
		m := checkpointName().FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		path := filepath.Join(folder, e.Name())
		if info, err := os.Stat(path); err != nil || !info.IsDir() {
			continue
		}
		step, err := strconv.Atoi(m[1])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		out = append(out, Checkpoint{step, path})
	}
	slices.SortFunc(out, func(a, b Checkpoint) int { return a.Step - b.Step })
	for i := range out {
		if i > 0 && out[i].Step == out[i-1].Step {
			return nil, fmt.Errorf("%s and %s are both of step %d\nhint: put one of them elsewhere", out[i-1].Path, out[i].Path, out[i].Step)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s holds no checkpoints\nhint: a run of 'olmo train', or a folder with step500, step1000-tokens4B or checkpoint-500 in it", folder)
	}
	return out, nil
}
