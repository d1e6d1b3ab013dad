package kernel

import "olmo/numeric"

// LayerNorm writes (x − mean)/std, times w and plus b where they are not nil, row
// by row, and the statistics to mean and rstd. x and y are N×C, w and b are C long,
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

// LayerNormBackward writes the gradient of x to dx and adds those of w and b to dw
// and db where these are not nil.
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

// Bias writes x + b to y, row by row.
func Bias(y, x Matrix, b []float32) {
	eachRow(x.Rows, func(r int) { isa.add(y.Row(r), x.Row(r), b) })
}

// BiasBackward adds the sum of dy over its rows to db.
func BiasBackward(db []float32, dy Matrix, ends []int) {
	tokenSum(db, ends, func(acc []float32, r int) { isa.add(acc, acc, dy.Row(r)) })
}

// Clamp writes x cut off at ±limit to y.
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

// ClampBackward writes dy to dx where x was not cut off, and 0 elsewhere.
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

// Scale writes x·factor to y.
func Scale(y, x Matrix, factor float32) {
	eachRow(x.Rows, func(r int) { isa.scale(y.Row(r), x.Row(r), factor) })
}
