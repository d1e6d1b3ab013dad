//go:build !purego && amd64

package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestStrips holds the copies of strips to the row functions, on tables that have
// them, whether or not this machine would choose the table.
func TestStrips(t *testing.T) {
	if !slices.Contains(available(), avx512) {
		t.Skip("this machine lacks AVX-512")
	}
	r := rand.New(rand.NewPCG(1, 5))
	for _, cols := range []int{1, 6, 14, 15, 16, 17, 31, 32} {
		for _, rows := range []int{0, 1, 2, 9} {
			const ss, ds = 37, 34
			src := values(r, 2*(rows+1)*ss, true)
			got, want := make([]float32, (rows+1)*ds), make([]float32, (rows+1)*ds)
			gw, ww := make([]uint32, len(got)), make([]uint32, len(got))
			row := func(x []float32, i, stride int) []float32 { return x[i*stride:][:cols] }
			wideCopy(got, src, ds, ss, rows, cols)
			for i := range rows {
				copy(row(want, i, ds), row(src, i, ss))
			}
			if err := sameBits(got, want); err != nil {
				t.Fatalf("copy %d×%d: %v", rows, cols, err)
			}
			wideRound(got, src, ds, ss, rows, cols)
			for i := range rows {
				roundGeneric(row(want, i, ds), row(src, i, ss))
			}
			if err := sameBits(got, want); err != nil {
				t.Fatalf("round %d×%d: %v", rows, cols, err)
			}
			widePairs(gw, src, src[ss:], ds, 2*ss, rows, cols)
			for i := range rows {
				interleaveGeneric(ww[i*ds:][:cols], row(src, 2*i, ss), row(src, 2*i+1, ss))
			}
			for i := range ww {
				if gw[i] != ww[i] {
					t.Fatalf("pairs %d×%d: word %d = %#x, want %#x", rows, cols, i, gw[i], ww[i])
				}
			}
		}
	}
}
