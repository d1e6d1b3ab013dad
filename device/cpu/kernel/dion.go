package kernel

import (
	"math"

	"olmo/internal/parallel"
	"olmo/numeric"
)

// DionStep is one matrix to update: P with gradient G and momentum B. Q holds for each
// block of rows the Rank directions of the step before, as rows of min(rows, columns)
// numbers.
type DionStep struct {
	LR, WeightDecay, Momentum float64
	Clip                      float64 // factor of the gradient
	Blocks, Rank              int
	P, B, G, Q                Matrix
}

// UpdateDion does one step on every matrix, by blocks of rows:
//
//	b = b + g·clip    p = orthonormal(b·q)    r = bᵀ·p    b = b − (1 − μ)·p·rᵀ
//	q = r with columns of length one    w = w·(1 − lr·wd) − lr·√(rows/columns)·p·qᵀ
//
// Its products are float32's, whatever the model's
// are: the momentum keeps what an update leaves out.
//
// Ahn et al. 2025, as in the dion package (dion/dion_reference.py, 2026-08); directions are
// made orthogonal by Gram and Schmidt, twice, and one that has vanished stays as it was.
func UpdateDion(steps []DionStep) {
	type block struct {
		*DionStep
		i int
	}
	var blocks []block
	for i := range steps {
		u := &steps[i]
		b, g := u.B.Data, u.G.Data
		eachSpan(u.P.Rows*u.P.Cols, func(lo, hi int) { isa.mulAdd(b[lo:hi], g[lo:hi], b[lo:hi], float32(u.Clip)) })
		for i := range u.Blocks {
			blocks = append(blocks, block{u, i})
		}
	}
	parallel.For(len(blocks), func(i int) { blocks[i].update(blocks[i].i) })
}

// update is the step of one block: momentum b ≈ p·rᵀ, of which 1 − μ leaves b; the weights
// move by p·qᵀ, q being r with columns of length one.
func (u *DionStep) update(i int) {
	s := borrowWide()
	defer s.giveBack()
	rows, cols, r := u.P.Rows/u.Blocks, u.P.Cols, u.Rank
	x, b, q := u.P.Slice(i*rows, rows), u.B.Slice(i*rows, rows), u.Q.Slice(i*r, r)
	m, n := max(rows, cols), min(rows, cols)
	tall := b
	if rows < cols {
		tall = Dense(s.buf(0, m*n), m, n)
		isa.transpose(tall.Data, b.Data, tall.Stride, b.Stride, rows, cols)
	}
	// Everything with Rank rows is kept transposed, so that a direction is a row.
	p := Dense(s.buf(1, r*m), r, m)
	MatMulNT(p, q, tall, nil, numeric.FP32)
	orthonormalRows(p)
	right := Dense(s.buf(2, r*n), r, n)
	MatMulNN(right, p, tall, nil, numeric.FP32)
	t := Dense(s.buf(3, rows*cols), rows, cols)
	outer := func(right Matrix) { // t = p·rightᵀ, in the weights' shape
		left, k := p, right
		if rows < cols {
			left, k = right, p
		}
		flat := Dense(s.buf(4, left.Cols*r), left.Cols, r)
		isa.transpose(flat.Data, left.Data, flat.Stride, left.Stride, r, left.Cols)
		MatMulNN(t, flat, k, nil, numeric.FP32)
	}
	outer(right)
	isa.mulAdd(b.Data[:rows*cols], t.Data, b.Data[:rows*cols], float32(u.Momentum-1))
	for j := range r {
		row := right.Row(j)
		if norm := float32(math.Sqrt(float64(isa.dot(row, row)))); norm > 0 {
			isa.div(q.Row(j), row, norm+1e-8)
		}
	}
	outer(q)
	rate := u.LR * math.Sqrt(float64(rows)/float64(cols))
	decayAndAdd(x.Data[:rows*cols], t.Data, float64(u.LR*u.WeightDecay), rate, false)
}

// orthonormalRows replaces the rows of x by orthogonal ones of length one, in order; one that
// the rows before it span becomes 0.
func orthonormalRows(x Matrix) {
	for j := range x.Rows {
		row := x.Row(j)
		for range 2 {
			for i := range j {
				before := x.Row(i)
				isa.mulAdd(row, before, row, -isa.dot(before, row))
			}
		}
		if norm := float32(math.Sqrt(float64(isa.dot(row, row)))); norm > 0 {
			isa.div(row, row, norm)
		} else {
			clear(row)
		}
	}
}
