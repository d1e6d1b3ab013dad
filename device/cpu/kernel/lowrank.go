package kernel

import (
	"slices"

	"olmo/numeric"
)

// LowRank is a matrix B·A·scale of low rank r that is added to another: A is r×C, B is F×r.
type LowRank struct {
	A, B      Matrix
	Scale     float32
	Precision numeric.Precision
}

// lowRankRows is how many rows of the product with B lie in memory at the same time: few, so that
// they are still in the cache when they are added.
const lowRankRows = 128

// Forward writes y + ((x·Aᵀ)·Bᵀ)·scale to z, which may be y, and x·Aᵀ to h. z and y are N×F, x is
// N×C, h is N×r.
func (l *LowRank) Forward(z, h, y, x Matrix) {
	MatMulNT(h, x, l.A, nil, l.Precision)
	s := borrowWide()
	defer s.giveBack()
	for begin := 0; begin < x.Rows; begin += lowRankRows {
		n := min(lowRankRows, x.Rows-begin)
		u := s.matrix(0, n, l.B.Rows)
		MatMulNT(u, h.Slice(begin, n), l.B, nil, l.Precision)
		zs, ys := z.Slice(begin, n), y.Slice(begin, n)
		eachRowOf(n, 4, func(r int) { isa.mulAdd(zs.Row(r), u.Row(r), ys.Row(r), l.Scale) })
	}
}

// AddRows adds ((x·Aᵀ)·Bᵀ)·scale to some rows of z, which are given ascending: they have Forward's bits.
func (l *LowRank) AddRows(z, x Matrix, rows []int32) {
	s := borrowWide()
	defer s.giveBack()
	for part := range slices.Chunk(rows, lowRankRows) {
		n, first := len(part), int(part[0])
		xs := x.Slice(first, n)
		if int(part[n-1])-first >= n { // others lie between them
			xs = s.matrix(2, n, x.Cols)
			Gather(xs, x, part)
		}
		h, u := s.matrix(0, n, l.A.Rows), s.matrix(1, n, l.B.Rows)
		MatMulNT(h, xs, l.A, nil, l.Precision)
		MatMulNT(u, h, l.B, nil, l.Precision)
		eachRowOf(n, 4, func(i int) {
			row := z.Row(int(part[i]))
			isa.mulAdd(row, u.Row(i), row, l.Scale)
		})
	}
}

// LowRankGrads are what the gradients of A and B are added to; nil: not wanted.
type LowRankGrads struct{ A, B *Matrix }

// Backward computes, with du = dz·scale,
//
//	dB += duᵀ·h    dh = du·B    dA += dhᵀ·x    dx = dh·A
//
// from the gradient dz of the sum and Forward's h. ends are the pieces of N.
func (l *LowRank) Backward(dx, dz, x, h Matrix, grads LowRankGrads, ends []int) {
	s := borrowWide()
	defer s.giveBack()
	begin := 0
	for i := 0; i < len(ends); {
		first := i
		for i < len(ends) && (i == first || ends[i]-begin <= headTokens) {
			i++
		}
		pieces := within(ends[first:i], begin)
		n := ends[i-1] - begin
		du, dh := s.matrix(0, n, l.B.Rows), s.matrix(1, n, l.A.Rows)
		dzs, xs := dz.Slice(begin, n), x.Slice(begin, n)
		eachRowOf(n, 4, func(r int) { isa.scale(du.Row(r), dzs.Row(r), l.Scale) })
		if grads.B != nil {
			MatMulTN(*grads.B, du, h.Slice(begin, n), pieces, l.Precision)
		}
		MatMulNN(dh, du, l.B, nil, l.Precision)
		if grads.A != nil {
			MatMulTN(*grads.A, dh, xs, pieces, l.Precision)
		}
		MatMulNN(dx.Slice(begin, n), dh, l.A, nil, l.Precision)
		begin = ends[i-1]
	}
}
