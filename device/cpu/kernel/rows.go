package kernel

import (
	"slices"

	"olmo/internal/parallel"
	"olmo/numeric"
)

// Rows of a batch are independent in everything here; the sums over tokens take
// their pieces from ends, the row after each piece of at most Cut tokens.

// rowGrain is how many rows one task takes.
const rowGrain = 32

func eachRow(n int, f func(r int)) { eachRowOf(n, rowGrain, f) }

func eachRowOf(n, grain int, f func(r int)) {
	parallel.For(spans(n, grain), func(t int) {
		for r := t * grain; r < min(n, (t+1)*grain); r++ {
			f(r)
		}
	})
}

// eachRowScratch is eachRow with buffers for each row.
func eachRowScratch(n int, f func(s *scratch, r int)) {
	parallel.For(spans(n, rowGrain), func(t int) {
		s := borrow()
		defer s.giveBack()
		for r := t * rowGrain; r < min(n, (t+1)*rowGrain); r++ {
			f(s, r)
		}
	})
}

// elementGrain is how many elements of a vector one task takes.
const elementGrain = 1 << 14

func eachSpan(n int, f func(lo, hi int)) {
	parallel.For(spans(n, elementGrain), func(t int) { f(t*elementGrain, min(n, (t+1)*elementGrain)) })
}

// Add writes a + b to out, all N×C.
func Add(out, a, b Matrix) {
	eachRow(out.Rows, func(r int) { isa.add(out.Row(r), a.Row(r), b.Row(r)) })
}

// AddVectors writes a + b to out.
func AddVectors(out, a, b []float32) {
	eachSpan(len(out), func(lo, hi int) { isa.add(out[lo:hi], a[lo:hi], b[lo:hi]) })
}

// Dropout writes x with dropout d to y, which may be x. first is the number of the first row
// in the step's batch.
func Dropout(y, x Matrix, d *numeric.Dropout, first int) {
	eachRow(x.Rows, func(r int) { d.Row(y.Row(r), x.Row(r), uint64(first+r), 0) })
}

// RMSNorm computes y = x·w / sqrt(mean(x²) + eps), row by row, and writes 1/sqrt(…) to rstd. x and y are N×C,
// w is C long, rstd N.
//
// Zhang and Sennrich 2019, eq. 4; the weight is applied last, as in OLMo 2.
func RMSNorm(y, x Matrix, rstd, w []float32, eps float32) {
	C := float32(x.Cols)
	eachRow(x.Rows, func(r int) {
		row := x.Row(r)
		ms := isa.dot(row, row) / C
		rs := 1 / numeric.Sqrt32(ms+eps)
		rstd[r] = rs
		isa.normApply(y.Row(r), row, w, rs)
	})
}

// RMSNormBackward computes, with x̂ = x·rstd and g = dy·w, row by row
//
//	dx = rstd·(g − x̂·mean(g·x̂))    dw += Σ dy·x̂ over the rows
//
// All but w and dw (C) and rstd (N) are N×C; dw may be nil.
func RMSNormBackward(dx, dy, x Matrix, rstd, w, dw []float32, ends []int) {
	C := float32(x.Cols)
	eachRow(x.Rows, func(r int) {
		c := isa.rmsDot(dy.Row(r), w, x.Row(r), rstd[r]) / C
		isa.rmsApply(dx.Row(r), dy.Row(r), w, x.Row(r), rstd[r], c)
	})
	if dw != nil {
		tokenSum(dw, ends, func(acc []float32, r int) { isa.rmsWeight(acc, dy.Row(r), x.Row(r), rstd[r]) })
	}
}

// tokenSum computes total += Σ over the rows of what f adds to acc: a chain for each piece, the
// pieces added in order. The pieces are those of the definition, so that they may be computed at
// the same time.
func tokenSum(total []float32, ends []int, f func(acc []float32, r int)) {
	s := borrow()
	defer s.giveBack()
	C := len(total)
	parts := s.buf(0, len(ends)*C)
	parallel.For(len(ends), func(i int) {
		acc := parts[i*C : (i+1)*C]
		clear(acc)
		begin := 0
		if i > 0 {
			begin = ends[i-1]
		}
		for r := begin; r < ends[i]; r++ {
			f(acc, r)
		}
	})
	for i := range ends {
		isa.add(total, total, parts[i*C:(i+1)*C])
	}
}

// SwiGLU computes y = up·g·σ(g), with the gate g and σ the sigmoid. x is N×2F, up in the first F columns and the
// gate in the last F, as the ai2 package fuses them; y is N×F.
func SwiGLU(y, x Matrix) {
	F := y.Cols
	eachRow(x.Rows, func(r int) {
		row := x.Row(r)
		isa.swiglu(y.Row(r), row[:F], row[F:])
	})
}

// SwiGLUBackward computes, in the columns of up and of the gate g in x,
//
//	dup = dy·g·σ(g)    dg = dy·up·(σ(g) + g·σ(g)·(1 − σ(g)))
//
// dx and x are N×2F, dy is N×F.
func SwiGLUBackward(dx, dy, x Matrix) {
	F := dy.Cols
	eachRow(x.Rows, func(r int) {
		row, d := x.Row(r), dx.Row(r)
		isa.swigluBack(d[:F], d[F:], dy.Row(r), row[:F], row[F:])
	})
}

// Rotary rotates the first R elements of the heads of size D in each row of x by the
// angles of its position, the first half x₁ of these against the second x₂ (after GPT-NeoX):
//
//	y₁ = x₁·cos − x₂·sin    y₂ = x₂·cos + x₁·sin
//
// The others are copied. cos
// and sin are positions×R/2; with the sine negated it is its own backward pass. y may
// be x.
func Rotary(y, x Matrix, D, R int, positions []int32, cos, sin []float32) {
	h := R / 2
	eachRow(x.Rows, func(r int) {
		p := int(positions[r])
		c, s := cos[p*h:(p+1)*h], sin[p*h:(p+1)*h]
		in, out := x.Row(r), y.Row(r)
		for o := 0; o < x.Cols; o += D {
			isa.rope(out[o:o+h], out[o+h:o+R], in[o:o+h], in[o+h:o+R], c, s)
			copy(out[o+R:o+D], in[o+R:o+D])
		}
	})
}

// Gather computes y[r] = table[ids[r]]. table is V×C, y is N×C.
func Gather(y, table Matrix, ids []int32) {
	eachRow(y.Rows, func(r int) { copy(y.Row(r), table.Row(int(ids[r]))) })
}

// GatherBackward computes dTable[ids[r]] += dy[r]: for each id its tokens
// ascending within a piece, the pieces in order. dTable is V×C, dy is N×C.
func GatherBackward(dTable, dy Matrix, ids []int32, ends []int) {
	// Tokens sorted by id make one run for each id, and one thread adds up a run: two would race
	// for the row, and the order of the sum would be theirs.
	order := make([]int32, len(ids))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		if d := int(ids[a]) - int(ids[b]); d != 0 {
			return d
		}
		return int(a - b)
	})
	pieceOf := make([]int32, len(ids))
	begin := 0
	for i, e := range ends {
		for r := begin; r < e; r++ {
			pieceOf[r] = int32(i)
		}
		begin = e
	}
	var starts []int
	for i := range order {
		if i == 0 || ids[order[i]] != ids[order[i-1]] {
			starts = append(starts, i)
		}
	}
	starts = append(starts, len(order))
	const grain = 64
	parallel.For(spans(len(starts)-1, grain), func(t int) {
		acc := make([]float32, dy.Cols)
		for g := t * grain; g < min(len(starts)-1, (t+1)*grain); g++ {
			run := order[starts[g]:starts[g+1]]
			total := dTable.Row(int(ids[run[0]]))
			for i := 0; i < len(run); {
				clear(acc)
				piece := pieceOf[run[i]]
				for ; i < len(run) && pieceOf[run[i]] == piece; i++ {
					isa.add(acc, acc, dy.Row(int(run[i])))
				}
				isa.add(total, total, acc)
			}
		}
	})
}
