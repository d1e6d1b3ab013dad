package verify_test

import (
	"testing"

	"olmo/release/verify"
)

// TestSound: nothing is found in a release that is one.
func TestSound(t *testing.T) {
	problems, r := verified(t, fresh(t), verify.Options{})
	if len(problems) > 0 {
		for _, p := range r.Problems {
			t.Errorf("%+v", p)
		}
	}
	t.Logf("%+v %q", r.Checked, r.Notes)
}
