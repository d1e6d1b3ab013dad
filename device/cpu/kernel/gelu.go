package kernel

// Coefficients of erf and erfc after Cephes ndtrf: erf(t) = t·T(t²) below 1, and
// erfc(t) = exp(−t²)/t·P(1/t²) up to 2, with R in P's place from there on.
var (
	erfT = [...]float32{
		7.853861353153693e-5, -8.010193625184903e-4, 5.188327685732524e-3, -2.685381193529856e-2,
		1.128358514861418e-1, -3.761262582423300e-1, 1.128379165726710e+0,
	}
	erfcP = [...]float32{
		2.326819970068386e-2, -1.387039388740657e-1, 3.687424674597105e-1, -5.824733027278666e-1, 6.210004621745983e-1,
		-4.944515323274145e-1, 3.404879937665872e-1, -2.741127028184656e-1, 5.638259427386472e-1,
	}
	erfcR = [...]float32{
		-1.047766399936249e+1, 1.297719955372516e+1, -7.495518717768503e+0, 2.921019019210786e+0,
		-1.015265279202700e+0, 4.218463358204948e-1, -2.820767439740514e-1, 5.641895067754075e-1,
	}
)

func horner(c []float32, x float32) float32 {
	p := c[0]
	for _, a := range c[1:] {
		p = float32(p*x) + a
	}
	return p
}

// normal returns the normal distribution function at t·√2, given e = exp(−t²).
func normal(t, e float32) float32 {
	a := t
	if t < 0 {
		a = -t
	}
	if a < 1 {
		r := t * horner(erfT[:], float32(t*t))
		return 0.5 + float32(0.5*r)
	}
	q := 1 / a
	y := q * q
	p := horner(erfcR[:], y)
	if a < 2 {
		p = horner(erfcP[:], y)
	}
	c := float32(float32(float32(e*q)*p) * 0.5)
	if t < 0 {
		return c
	}
	return 1 - c
}

// geluRow calls f for each element of x with its normal distribution function and
// exp(−x²/2).
func geluRow(s *scratch, x []float32, f func(i int, phi, e float32)) {
	e := s.buf(0, len(x))
	for i, v := range x {
		t := v * 0.70710678
		e[i] = -float32(t * t)
	}
	isa.expSum(e, e, 0)
	for i, v := range x {
		f(i, normal(float32(v*0.70710678), e[i]), e[i])
	}
}

// GELU computes y = x·Φ(x), Φ the normal distribution function. x and y are N×F.
//
// Hendrycks and Gimpel 2016.
func GELU(y, x Matrix) {
	eachRowScratch(x.Rows, func(b *scratch, r int) {
		row, out := x.Row(r), y.Row(r)
		geluRow(b, row, func(i int, phi, _ float32) { out[i] = row[i] * phi })
	})
}

// GELUBackward computes dx = dy·(Φ(x) + x·exp(−x²/2)/√(2π)).
func GELUBackward(dx, dy, x Matrix) {
	eachRowScratch(x.Rows, func(b *scratch, r int) {
		row, out, d := x.Row(r), dx.Row(r), dy.Row(r)
		geluRow(b, row, func(i int, phi, e float32) {
			out[i] = d[i] * (phi + float32(float32(row[i]*e)*0.39894228))
		})
	})
}

// tanhGateRow calls f for each element with the sigmoid that gates it.
func tanhGateRow(b *scratch, x []float32, f func(i int, s float32)) {
	e := b.buf(0, len(x))
	for i, v := range x {
		u := 1 + float32(0.044715*float32(v*v))
		e[i] = -float32(float32(1.5957691*v) * u)
	}
	isa.expSum(e, e, 0)
	for i := range x {
		f(i, 1/(1+e[i]))
	}
}

// GELUTanh computes y = x·sigmoid(√(8/π)·(x + 0.044715·x³)), which is the approximation by a tanh:
// (1 + tanh(u))/2 = sigmoid(2u).
func GELUTanh(y, x Matrix) {
	eachRowScratch(x.Rows, func(b *scratch, r int) {
		row, out := x.Row(r), y.Row(r)
		tanhGateRow(b, row, func(i int, s float32) { out[i] = row[i] * s })
	})
}

// GeGLU computes y = up·GELUTanh(g) for the gate g. x is N×2F, its halves up and gate, or gate and up; y is
// N×F.
//
// Shazeer 2020.
func GeGLU(y, x Matrix, gateFirst bool) {
	eachRowScratch(x.Rows, func(b *scratch, r int) {
		u, g := halves(x.Row(r), gateFirst)
		out := y.Row(r)
		tanhGateRow(b, g, func(i int, s float32) { out[i] = float32(g[i]*s) * u[i] })
	})
}

// GeGLUBackward computes dup = dy·GELUTanh(g) and dg = dy·up·GELUTanh′(g), in the columns of up and
// of the gate g in x. dx, which may be x, and x are N×2F, dy is N×F.
func GeGLUBackward(dx, dy, x Matrix, gateFirst bool) {
	eachRowScratch(x.Rows, func(b *scratch, r int) {
		u, g := halves(x.Row(r), gateFirst)
		du, dg := halves(dx.Row(r), gateFirst)
		d := dy.Row(r)
		tanhGateRow(b, g, func(i int, s float32) {
			slope := tanhGateSlope(g[i], s)
			du[i], dg[i] = d[i]*float32(g[i]*s), float32(d[i]*u[i])*slope
		})
	})
}

// tanhGateSlope is the derivative of GELUTanh at v, where s gates.
func tanhGateSlope(v, s float32) float32 {
	u := float32(1.5957691 * (1 + float32(0.134145*float32(v*v))))
	return s + float32(float32(float32(v*s)*(1-s))*u)
}

// GELUTanhBackward computes, with s = sigmoid(u(x)) and u the argument in GELUTanh,
//
//	dx = dy·(s + x·s·(1 − s)·u′)    u′ = √(8/π)·(1 + 3·0.044715·x²)
func GELUTanhBackward(dx, dy, x Matrix) {
	eachRowScratch(x.Rows, func(b *scratch, r int) {
		row, out, d := x.Row(r), dx.Row(r), dy.Row(r)
		tanhGateRow(b, row, func(i int, s float32) {
			out[i] = d[i] * tanhGateSlope(row[i], s)
		})
	})
}

// ReLU computes y = max(x, 0); a NaN stays.
func ReLU(y, x Matrix) {
	eachRow(x.Rows, func(r int) {
		out := y.Row(r)
		for i, v := range x.Row(r) {
			if v <= 0 {
				v = 0
			}
			out[i] = v
		}
	})
}

// ReLUBackward computes dx = dy where x > 0 or x is no number, and 0 elsewhere.
func ReLUBackward(dx, dy, x Matrix) {
	eachRow(x.Rows, func(r int) {
		out, d := dx.Row(r), dy.Row(r)
		for i, v := range x.Row(r) {
			out[i] = 0
			if !(v <= 0) {
				out[i] = d[i]
			}
		}
	})
}
