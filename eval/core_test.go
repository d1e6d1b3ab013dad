package eval

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCoreGroups: OLMo-core's groups are suites of the same tasks, all of which there are.
func TestCoreGroups(t *testing.T) {
	var groups map[string][]string
	readPacked(t, "core_groups.json.gz", &groups)
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
