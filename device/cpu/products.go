package cpu

import (
	"olmo/device/cpu/kernel"
	"olmo/numeric"
)

// Products of matrices that belong to no model are computed here, with the sums of fp32.

// AddSquares adds Σ xᵀ·x of the rows of x (N, n) to h (n, n).
func AddSquares(h, x []float32, n int) {
	rows := len(x) / n
	if rows == 0 {
		return
	}
	m := kernel.Dense(x[:rows*n], rows, n)
	kernel.MatMulTN(kernel.Dense(h, n, n), m, m, numeric.Cuts(rows), numeric.FP32)
}

// MatMulNT writes a·bᵀ to c (M, N): a is (M, K) and b (N, K), rows of which begin stride numbers apart.
func MatMulNT(c, a, b []float32, M, N, K, stride int) {
	left, right := kernel.Matrix{Data: a, Rows: M, Cols: K, Stride: stride}, kernel.Matrix{Data: b, Rows: N, Cols: K, Stride: stride}
	kernel.MatMulNT(kernel.Dense(c, M, N), left, right, nil, numeric.FP32)
}
