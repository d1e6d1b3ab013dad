package cpu

import (
	"math"
	"testing"
)

func TestProducts(t *testing.T) {
	const rows, n, stride = 300, 33, 40
	x, wide := make([]float32, rows*n), make([]float32, rows*stride)
	for i := range x {
		x[i] = float32(math.Sin(float64(i)))
		wide[i/n*stride+i%n] = x[i]
	}
	h, c := make([]float32, n*n), make([]float32, rows*7)
	h[1] = 5
	AddSquares(h, x, n)
	AddSquares(h, nil, n)
	MatMulNT(c, wide, wide[3*stride:], rows, 7, n, stride)
	near := func(what string, got float32, want float64) {
		if math.Abs(float64(got)-want) > 1e-4 {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	for i := range n {
		for j := range n {
			want := 0.0
			if i == 0 && j == 1 {
				want = 5
			}
			for r := range rows {
				want += float64(x[r*n+i]) * float64(x[r*n+j])
			}
			near("a sum of squares", h[i*n+j], want)
		}
	}
	for r := range rows {
		for k := range 7 {
			want := 0.0
			for i := range n {
				want += float64(x[r*n+i]) * float64(x[(k+3)*n+i])
			}
			near("a product", c[r*7+k], want)
		}
	}
}
