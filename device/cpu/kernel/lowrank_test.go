package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"

	"olmo/numeric"
)

// TestLowRank compares the addition, done in parts, with the products that define it, each as a
// whole.
func TestLowRank(t *testing.T) {
	withTables(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(11, 12))
		const c, f, rank = 20, 37, 3
		for _, n := range []int{0, 1, 127, 700} {
			ends := []int{n}
			if n > 256 {
				ends = []int{256, 300, 556, n}
			}
			matrix := func(rows, cols int) Matrix { return Dense(values(r, rows*cols, false), rows, cols) }
			copied := func(m Matrix) Matrix { return Dense(slices.Clone(m.Data), m.Rows, m.Cols) }
			for _, precision := range numeric.Precisions() {
				l := LowRank{A: matrix(rank, c), B: matrix(f, rank), Scale: 0.3, Precision: precision}
				x, y, dz, dA, dB := matrix(n, c), matrix(n, f), matrix(n, f), matrix(rank, c), matrix(f, rank)
				z, h, dx, gotA, gotB := matrix(n, f), matrix(n, rank), matrix(n, c), copied(dA), copied(dB)
				l.Forward(z, h, y, x)
				l.Backward(dx, dz, x, h, LowRankGrads{&gotA, &gotB}, ends)

				wantH, u, du, dh, wantDX := matrix(n, rank), matrix(n, f), copied(dz), matrix(n, rank), matrix(n, c)
				MatMulNT(wantH, x, l.A, nil, precision)
				MatMulNT(u, wantH, l.B, nil, precision)
				for i := range u.Data {
					u.Data[i] = y.Data[i] + float32(u.Data[i]*l.Scale)
					du.Data[i] *= l.Scale
				}
				MatMulNN(dh, du, l.B, nil, precision)
				MatMulNN(wantDX, dh, l.A, nil, precision)
				if n > 0 {
					MatMulTN(dB, du, wantH, ends, precision)
					MatMulTN(dA, dh, x, ends, precision)
				}
				for i, pair := range [][2]Matrix{{z, u}, {h, wantH}, {dx, wantDX}, {gotA, dA}, {gotB, dB}} {
					if !slices.Equal(asWords(pair[0].Data), asWords(pair[1].Data)) {
						t.Errorf("%d rows, %v: result %d differs", n, precision, i)
					}
				}
				l.Forward(y, h, y, x)
				if !slices.Equal(asWords(y.Data), asWords(z.Data)) {
					t.Errorf("%d rows, %v: another sum when it is written over y", n, precision)
				}
				for _, every := range []int{1, 3} { // whether they lie side by side or not
					got, want := copied(dz), copied(dz)
					l.Forward(z, h, dz, x)
					var rows []int32
					for row := every / 2; row < n; row += every {
						rows = append(rows, int32(row))
						copy(want.Row(row), z.Row(row))
					}
					l.AddRows(got, x, rows)
					if !slices.Equal(asWords(got.Data), asWords(want.Data)) {
						t.Errorf("%d rows, %v: another sum in each row of %d", n, precision, every)
					}
				}
			}
		}
	})
}
