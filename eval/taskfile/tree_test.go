package taskfile_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"olmo/eval/taskfile"
)

// TestTree reads the whole tree of lm-eval's tasks, where LM_EVAL_TASKS names it: how many are
// read, and why others are not. Of that of August 2026 4,536 need no Python function.
func TestTree(t *testing.T) {
	dir := os.Getenv("LM_EVAL_TASKS")
	if dir == "" {
		t.Skip("LM_EVAL_TASKS does not name the folder of lm-eval's tasks")
	}
	began := time.Now()
	c, err := taskfile.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	opened := time.Since(began)
	tasks, refused := c.Tasks(taskfile.Options{})
	reasons := map[string]int{}
	for name, err := range refused {
		_, why, _ := strings.Cut(err.Error(), ": ")
		if i := strings.Index(why, "is the Python function"); i >= 0 {
			why = "a Python function"
		}
		if len(why) > 120 {
			why = why[:120]
		}
		reasons[why]++
		_ = name
	}
	t.Logf("%d names opened in %v; %d tasks are read, %d refused, %v in all", len(c.Names()), opened, len(tasks), len(refused), time.Since(began))
	if len(tasks) < 4536 {
		t.Errorf("%d tasks are read, want 4,536", len(tasks))
	}
	var keys []string
	for k := range reasons {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int { return reasons[b] - reasons[a] })
	for _, k := range keys[:min(60, len(keys))] {
		t.Logf("%6d %s", reasons[k], k)
	}
}
