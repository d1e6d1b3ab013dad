package eval

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// names are OLMo-core's groups and ai2-olmo's labels with their metrics: testdata/inloop.py.
type names struct {
	Groups map[string][]string
	Labels map[string]string `json:"ai2-olmo"`
}

func readNames(t *testing.T) (n names) {
	t.Helper()
	readPacked(t, "names.json.gz", &n)
	return n
}

// TestOLMoLabels: a config of ai2-olmo's finds every label.
func TestOLMoLabels(t *testing.T) {
	labels := readNames(t).Labels
	if len(labels) < 200 {
		t.Fatalf("%d labels", len(labels))
	}
	for label, metric := range labels {
		if task, err := LookupTask(label); err != nil || task.Quoted != metric {
			t.Errorf("%s: %v, %v, want a task quoted with %s", label, task, err, metric)
		}
	}
}

// TestCoreGroups: OLMo-core's groups are suites of the same tasks, all of which there are.
func TestCoreGroups(t *testing.T) {
	groups := readNames(t).Groups
	if len(groups) != 4 {
		t.Fatalf("%d groups, want 4", len(groups))
	}
	for name, want := range groups {
		s, ok := LookupSuite(name)
		if !ok {
			t.Errorf("no suite is called %s", name)
			continue
		}
		if diff := cmp.Diff(want, slices.Sorted(slices.Values(s.Parts))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		for _, part := range s.Parts {
			if _, err := LookupTask(part); err != nil {
				t.Error(err)
			}
		}
	}
}
