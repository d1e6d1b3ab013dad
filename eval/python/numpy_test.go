package python

import (
	"slices"
	"testing"
)

// The values are NumPy 2.4.6's: RandomState(seed).permutation(n).
func TestPermutation(t *testing.T) {
	for _, c := range []struct {
		seed uint32
		n    int
		want []int
	}{
		{42, 10, []int{8, 1, 5, 0, 7, 2, 9, 4, 3, 6}},
		{0, 1, []int{0}},
		{42, 1000, []int{521, 737, 740, 660, 411, 678, 626, 513, 859, 136, 811, 76}},
		{4294967295, 70000, []int{14972, 66828, 49490, 22806, 60806, 3027, 27111, 36464, 12690, 66233, 23364, 40788}},
		{1, 4096, []int{3962, 3000, 3919, 3654, 230, 3820, 2687, 636, 2630, 945, 1725, 2942}},
		{7, 0, nil},
	} {
		if got := Permutation(c.seed, c.n); !slices.Equal(got[:min(len(got), 12)], c.want) {
			t.Errorf("RandomState(%d).permutation(%d) = %v…, want %v…", c.seed, c.n, got[:min(len(got), 12)], c.want)
		}
	}
}
