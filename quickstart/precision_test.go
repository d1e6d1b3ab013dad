package quickstart

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"olmo/numeric"
	"olmo/train"
)

// TestFastest: another precision than the usual one has to be worth it.
func TestFastest(t *testing.T) {
	for _, c := range []struct {
		name        string
		fp32, usual float64 // seconds of a step
		want        numeric.Precision
	}{
		{"the usual one is faster", 1.3, 1, numeric.AMPBF16},
		{"as fast", 1, 1, numeric.AMPBF16},
		{"a little faster", 1, 1.14, numeric.AMPBF16},
		{"worth it", 1, 1.16, numeric.FP32},
		{"twice as fast", 1, 2, numeric.FP32},
	} {
		times := []stepTime{{numeric.FP32, c.fp32}, {numeric.AMPBF16, c.usual}}
		if got := fastest(times); got != c.want {
			t.Errorf("%s: fastest(%v) = %s, want %s", c.name, times, got, c.want)
		}
	}
}

// TestPrecision: a run of the precision that was asked for, which is its folder's from then on; and
// what measuring all of them gives.
func TestPrecision(t *testing.T) {
	if testing.Short() {
		t.Skip("the whole chain")
	}
	out := filepath.Join(t.TempDir(), "q")
	o := Options{Out: out, Steps: 2, Depth: 1, Docs: []string{smallCorpus(t)}, Precision: "f32", Version: "test"}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	c, err := train.LoadConfig(filepath.Join(out, "run", "config.yaml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	last := r.Settings[len(r.Settings)-1]
	if c.Precision != numeric.FP32 || r.Precision != "fp32" || last != (Setting{"Precision", "fp32"}) {
		t.Errorf("the run has %s, the report %s and %v, want fp32", c.Precision, r.Precision, last)
	}

	q := &quick{Options: Options{Out: out, Depth: 1, Print: func(string) {}, Progress: func(Progress) {}}}
	times, err := q.measurePrecisions(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range numeric.Precisions() {
		if len(times) <= i || times[i].Precision != p || !(times[i].Seconds > 0) || math.IsInf(times[i].Seconds, 1) {
			t.Fatalf("measured %v, want a time for each of %v", times, numeric.Precisions())
		}
	}

	o.Precision, o.Steps = "", 4 // what is not given is the folder's
	if r, err = Run(t.Context(), o); err != nil || r.Precision != "fp32" || r.Steps != 4 {
		t.Fatalf("a longer run: %+v, %v", r, err)
	}
	o.Precision = "amp_bf16"
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "--precision fp32 made "+out+", --precision amp_bf16 is for another folder") {
		t.Errorf("another precision in the same folder: %v", err)
	}
	if err := writeJSON(q.path("stages", "settings.json"), settings{Steps: 4, Depth: 1, Docs: o.Docs}); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "has a run of precision fp32") {
		t.Errorf("another precision than the run's, which was not asked for: %v", err)
	}
}
