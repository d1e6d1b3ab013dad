package numeric

import "math"

// The functions here are the same on every machine: package math has assembly of its
// own for some. Products are rounded by a conversion, which keeps Go from fusing.

const (
	ln2Hi64 = 6.93147180369123816490e-01 // 33 bits
	ln2Lo64 = 1.90821492927058770002e-10
)

// Exp returns e to the x, within 2 units in the last place.
func Exp(x float64) float64 {
	switch {
	case x != x:
		return x
	case x > 709.782712893384:
		return math.Inf(1)
	case x < -745.2:
		return 0
	}
	n := math.RoundToEven(x * (1 / math.Ln2))
	r := (x - float64(n*ln2Hi64)) - float64(n*ln2Lo64)
	p := 1.0
	for k := 14; k > 0; k-- { // Taylor: r ≤ 0.347, the next term is below 1e−18
		p = 1 + float64(p*(r/float64(k)))
	}
	return math.Ldexp(p, int(n))
}

// Expm1 returns e to the x less 1, within 3 units in the last place near 0, too.
func Expm1(x float64) float64 {
	if !(math.Abs(x) < 0.35) {
		return Exp(x) - 1
	}
	p := 1.0
	for k := 16; k > 1; k-- { // Taylor: x·(1 + x/2·(1 + x/3·(…)))
		p = 1 + float64(p*(x/float64(k)))
	}
	return float64(x * p)
}

// Log returns the natural logarithm of x, within 2 units in the last place.
func Log(x float64) float64 {
	switch {
	case x != x || x < 0:
		return math.NaN()
	case x == 0:
		return math.Inf(-1)
	case x > math.MaxFloat64:
		return x
	}
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m *= 2
		e--
	}
	// log m = 2·atanh f; f is at most 0.172.
	f := (m - 1) / (m + 1)
	f2 := f * f
	p := 0.0
	for k := 25; k >= 3; k -= 2 {
		p = float64(p*f2) + 1/float64(k)
	}
	k := float64(e)
	return float64(k*ln2Hi64) + (2*f + (float64(2*f*float64(f2*p)) + float64(k*ln2Lo64)))
}

// Pow returns x to the y for x > 0.
func Pow(x, y float64) float64 { return Exp(y * Log(x)) }

// SinCos returns the sine and cosine of x, |x| < 2²⁵, within 1e−15.
func SinCos(x float64) (sin, cos float64) {
	const ( // π/2 in parts of 33, 33 and 53 bits
		p1 = 1.57079632673412561417e+00
		p2 = 6.07710050630396597660e-11
		p3 = 2.02226624879595063154e-21
	)
	n := math.RoundToEven(x * (2 / math.Pi))
	r := ((x - float64(n*p1)) - float64(n*p2)) - float64(n*p3)
	r2 := r * r
	s, c := 0.0, 0.0
	for k := 19.0; k > 1; k -= 2 {
		s = float64((1+s)*(-r2)) / (k * (k - 1))
	}
	for k := 20.0; k > 0; k -= 2 {
		c = float64((1+c)*(-r2)) / (k * (k - 1))
	}
	s, c = r+float64(r*s), 1+c
	switch int64(n) & 3 {
	case 1:
		return c, -s
	case 2:
		return -s, -c
	case 3:
		return -c, s
	}
	return s, c
}
