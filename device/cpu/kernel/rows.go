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

// Zero clears x.
func Zero(x []float32) {
	eachSpan(len(x), func(lo, hi int) { clear(x[lo:hi]) })
}

// Dropout writes x with dropout d to y, which may be x. first is the number of the first row
// in the step's batch.
func Dropout(y, x Matrix, d *numeric.Dropout, first int) {
	eachRow(x.Rows, func(r int) { d.Row(y.Row(r), x.Row(r), uint64(first+r), 0) })
}

// NEFTune writes x with noise to y, which may be x. first is the number of the first row in the step's
// batch, lengths are those of the sequences, and magnitudes how far the noise of each goes.
func NEFTune(y, x Matrix, n numeric.NEFTune, first int, lengths []int, magnitudes []float32) {
	begin := 0
	for i, rows := range lengths {
		at := begin
		eachRow(rows, func(r int) { n.Row(y.Row(at+r), x.Row(at+r), uint64(first+at+r), magnitudes[i]) })
		begin += rows
	}
}

// RMSNorm computes y = x·w / sqrt(mean(x²) + eps), row by row, and writes 1/sqrt(…) to rstd. x and y are N×C,
// w is C long, rstd N. A shorter w norms each head of as many columns by itself; rstd has then
// one number for each row and head.
//
// Zhang and Sennrich 2019, eq. 4; the weight is applied last, as in OLMo 2.
func RMSNorm(y, x Matrix, rstd, w []float32, eps float32) {
	D := len(w)
	heads := x.Cols / D
	eachRow(x.Rows, func(r int) {
		row, out := x.Row(r), y.Row(r)
		for h := range heads {
			head := row[h*D : (h+1)*D]
			ms := isa.dot(head, head) / float32(D)
			rs := 1 / numeric.Sqrt32(ms+eps)
			rstd[r*heads+h] = rs
			isa.normApply(out[h*D:(h+1)*D], head, w, rs)
		}
	})
}

// RMSNormBackward computes, with x̂ = x·rstd and g = dy·w, row by row
//
//	dx = rstd·(g − x̂·mean(g·x̂))    dw += Σ dy·x̂ over the rows
//
// All but w and dw (C) and rstd (N) are N×C; dw may be nil. With a shorter w the same for each head,
// and dw is the sum over the rows and, within a row, its heads.
func RMSNormBackward(dx, dy, x Matrix, rstd, w, dw []float32, ends []int) {
	D := len(w)
	heads := x.Cols / D
	eachRow(x.Rows, func(r int) {
		d, row, out := dy.Row(r), x.Row(r), dx.Row(r)
		for i := 0; i < len(row); i += D {
			rs := rstd[r*heads+i/D]
			c := isa.rmsDot(d[i:i+D], w, row[i:i+D], rs) / float32(D)
			isa.rmsApply(out[i:i+D], d[i:i+D], w, row[i:i+D], rs, c)
		}
	})
	if dw != nil {
		tokenSum(dw, ends, func(acc []float32, r int) {
			d, row := dy.Row(r), x.Row(r)
			for i := 0; i < len(row); i += D {
				isa.rmsWeight(acc, d[i:i+D], row[i:i+D], rstd[r*heads+i/D])
			}
		})
	}
}

// OnePlus writes 1 + w to y.
func OnePlus(y, w []float32) {
	for i, v := range w {
		y[i] = 1 + v
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

// halves returns up and gate of a row: up stands first, as the ai2 package fuses them, or the gate.
func halves(x []float32, gateFirst bool) (up, gate []float32) {
	F := len(x) / 2
	if gateFirst {
		return x[F:], x[:F]
	}
	return x[:F], x[F:]
}

// SwiGLU computes y = up·g·σ(g), with the gate g and σ the sigmoid. x is N×2F, its halves up and gate, or
// gate and up; y is N×F.
func SwiGLU(y, x Matrix, gateFirst bool) {
	eachRow(x.Rows, func(r int) {
		u, g := halves(x.Row(r), gateFirst)
		isa.swiglu(y.Row(r), u, g)
	})
}

// SwiGLUBackward computes, in the columns of up and of the gate g in x,
//
//	dup = dy·g·σ(g)    dg = dy·up·(σ(g) + g·σ(g)·(1 − σ(g)))
//
// dx and x are N×2F, dy is N×F.
func SwiGLUBackward(dx, dy, x Matrix, gateFirst bool) {
	eachRow(x.Rows, func(r int) {
		u, g := halves(x.Row(r), gateFirst)
		du, dg := halves(dx.Row(r), gateFirst)
		isa.swigluBack(du, dg, dy.Row(r), u, g)
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

// Copy writes x to y, both N×C.
func Copy(y, x Matrix) {
	eachRow(y.Rows, func(r int) { copy(y.Row(r), x.Row(r)) })
}

// Gather computes y[r] = table[ids[r]]. table is V×C, y is N×C.
func Gather(y, table Matrix, ids []int32) {
	if s := table.Stored; s != nil {
		eachRowOf(y.Rows, 4, func(r int) { s.Row(y.Row(r), int(ids[r])) })
		return
	}
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
