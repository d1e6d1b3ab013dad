package kernel

import "olmo/numeric"

// LayerNorm computes y = (x − mean(x)) / sqrt(mean((x − mean(x))²) + eps)·w + b, row by row and
// without w or b where these are nil, and writes mean and 1/sqrt(…) to mean and rstd. x and y are N×C, w and b are C long,
// mean and rstd N.
func LayerNorm(y, x Matrix, mean, rstd, w, b []float32, eps float32) {
	C := float32(x.Cols)
	eachRowScratch(x.Rows, func(s *scratch, r int) {
		row, out := x.Row(r), y.Row(r)
		d := s.buf(0, x.Cols)
		m := isa.sum(row) / C
		isa.shift(d, row, m)
		rs := 1 / numeric.Sqrt32(isa.dot(d, d)/C+eps)
		mean[r], rstd[r] = m, rs
		if w != nil {
			isa.normApply(out, d, w, rs)
		} else {
			isa.scale(out, d, rs)
		}
		if b != nil {
			isa.add(out, out, b)
		}
	})
}

// LayerNormBackward computes, with x̂ = (x − mean)·rstd and g = dy·w, row by row
//
//	dx = rstd·(g − mean(g) − x̂·mean(g·x̂))    dw += Σ dy·x̂    db += Σ dy
//
// dw and db, sums over the rows, may be nil.
func LayerNormBackward(dx, dy, x Matrix, mean, rstd, w, dw, db []float32, ends []int) {
	C := float32(x.Cols)
	eachRowScratch(x.Rows, func(s *scratch, r int) {
		hat, g := s.buf(0, x.Cols), dy.Row(r)
		isa.shift(hat, x.Row(r), mean[r])
		isa.scale(hat, hat, rstd[r])
		if w != nil {
			weighted := s.buf(1, x.Cols)
			isa.normApply(weighted, g, w, 1)
			g = weighted
		}
		a, c := isa.sum(g)/C, isa.dot(g, hat)/C
		isa.layerApply(dx.Row(r), g, hat, rstd[r], a, c)
	})
	if dw != nil {
		tokenSum(dw, ends, func(acc []float32, r int) {
			s := borrow()
			defer s.giveBack()
			d := s.buf(0, x.Cols)
			isa.shift(d, x.Row(r), mean[r])
			isa.rmsWeight(acc, dy.Row(r), d, rstd[r])
		})
	}
	if db != nil {
		BiasBackward(db, dy, ends)
	}
}

// Bias computes y = x + b, row by row. x and y are N×C, b is C long.
func Bias(y, x Matrix, b []float32) {
	eachRow(x.Rows, func(r int) { isa.add(y.Row(r), x.Row(r), b) })
}

// BiasBackward computes db += Σ dy over the rows.
func BiasBackward(db []float32, dy Matrix, ends []int) {
	tokenSum(db, ends, func(acc []float32, r int) { isa.add(acc, acc, dy.Row(r)) })
}

// Clamp computes y = min(max(x, −limit), limit); a NaN stays.
func Clamp(y, x Matrix, limit float32) {
	eachRow(x.Rows, func(r int) {
		out := y.Row(r)
		for i, v := range x.Row(r) {
			switch {
			case v > limit:
				v = limit
			case v < -limit:
				v = -limit
			}
			out[i] = v
		}
	})
}

// ClampBackward computes dx = dy where |x| ≤ limit, and 0 elsewhere.
func ClampBackward(dx, dy, x Matrix, limit float32) {
	eachRow(x.Rows, func(r int) {
		out, d := dx.Row(r), dy.Row(r)
		for i, v := range x.Row(r) {
			if v > limit || v < -limit {
				out[i] = 0
			} else {
				out[i] = d[i]
			}
		}
	})
}

// Scale computes y = x·factor.
func Scale(y, x Matrix, factor float32) {
	eachRow(x.Rows, func(r int) { isa.scale(y.Row(r), x.Row(r), factor) })
}
