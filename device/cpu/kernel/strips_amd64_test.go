//go:build !purego && amd64

package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestStrips holds the packing of rows into strips to packing row by row, on tables
// that have the former.
func TestStrips(t *testing.T) {
	if !slices.Contains(available(), avx512) {
		t.Skip("this machine lacks AVX-512")
	}
	old := isa
	defer func() { isa = old }()
	r := rand.New(rand.NewPCG(1, 5))
	for _, table := range available() {
		if table.stripCopy == nil {
			continue
		}
		for _, f := range []format{plain, swap, words} {
			rowwise := *table
			rowwise.stripCopy, rowwise.stripRound, rowwise.stripPairs = nil, nil, nil
			for _, width := range []int{6, 14, 16, 32} {
				for _, cols := range []int{1, 6, 14, 15, 16, 17, 31, 32, 33, 70} {
					for _, kn := range []int{0, 1, 2, 9} {
						b := Matrix{Data: values(r, (kn+2)*81, true), Rows: kn + 2, Cols: 80, Stride: 81}
						strip := f.terms(kn)*width + 3
						n := spans(cols, width)*strip + 1
						got, want := make([]float32, n), make([]float32, n)
						s := borrow()
						isa = table
						packStrips(s, got, b, 1, kn, 2, cols, width, strip, f)
						isa = &rowwise
						packStrips(s, want, b, 1, kn, 2, cols, width, strip, f)
						s.giveBack()
						if !slices.Equal(asWords(got), asWords(want)) {
							t.Fatalf("%s, format %d: %d×%d in strips of %d differ", table.name, f, kn, cols, width)
						}
					}
				}
			}
		}
	}
}
