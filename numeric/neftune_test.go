package numeric

import (
	"math"
	"testing"
)

// TestNEFTune: the noise is uniform within its magnitude, another in every step, row and run, and what a
// row gets depends on nothing else.
func TestNEFTune(t *testing.T) {
	const rows, C, magnitude = 200, 51, 0.25
	draw := func(seed uint64, step int, row uint64) []float32 {
		y := make([]float32, C)
		NewNEFTune(seed, step).Row(y, make([]float32, C), row, magnitude)
		return y
	}
	var mean, square float64
	tenths := [10]int{}
	for r := range uint64(rows) {
		for _, v := range draw(3, 4, r) {
			u := float64(v) / magnitude
			if !(u >= -1 && u < 1) {
				t.Fatalf("%v is outside of the magnitude %v", v, magnitude)
			}
			mean, square = mean+u, square+u*u
			tenths[int((u+1)*5)]++
		}
	}
	const n = rows * C
	if mean, variance := mean/n, square/n; math.Abs(mean) > 4/math.Sqrt(3*n) || math.Abs(variance-1./3) > 0.012 {
		t.Errorf("mean %v and variance %v of uniform numbers in ±1", mean, variance)
	}
	for i, k := range tenths {
		if math.Abs(float64(k)-n/10) > 4*math.Sqrt(n*0.09) {
			t.Errorf("%d of %d numbers lie in tenth %d", k, n, i)
		}
	}
	same := func(a, b []float32) (n int) {
		for i := range a {
			if a[i] == b[i] {
				n++
			}
		}
		return n
	}
	base := draw(3, 4, 5)
	for name, other := range map[string][]float32{"row": draw(3, 4, 6), "step": draw(3, 5, 5), "seed": draw(4, 4, 5)} {
		if n := same(base, other); n > 1 {
			t.Errorf("another %s: %d of %d numbers are the same", name, n, C)
		}
	}
	// In place, shorter, and over something that is there.
	x := []float32{1, 2, 3}
	NewNEFTune(3, 4).Row(x, x, 5, magnitude)
	for i, v := range x {
		if v != float32(i+1)+base[i] {
			t.Errorf("element %d is %v, want %v more than %v", i, v, base[i], i+1)
		}
	}
}
