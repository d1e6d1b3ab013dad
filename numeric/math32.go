package numeric

import "math"

// Sqrt32 is IEEE's float32 square root: float64's is exact to more than twice
// the digits, so rounding twice is harmless.
func Sqrt32(x float32) float32 { return float32(math.Sqrt(float64(x))) }

// The bounds of Exp32: above Exp32Max it is +Inf, below Exp32Min +0.
const (
	Exp32Max = 88.72283
	Exp32Min = -87.33654
)

const (
	log2e = 1.44269504
	ln2Hi = 0.693145752
	ln2Lo = 1.42860677e-6
	expC0 = 1.98756915e-4
	expC1 = 1.39819995e-3
	expC2 = 8.33345205e-3
	expC3 = 4.16657962e-2
	expC4 = 1.66666657e-1
	expC5 = 5.00000012e-1
)

// Exp32 is e to the x in float32, within 1 unit in the last place; results below the
// normal range are +0. Range reduction and coefficients after Cephes expf.
func Exp32(x float32) float32 {
	switch {
	case x > Exp32Max:
		return float32(math.Inf(1))
	case x < Exp32Min:
		return 0
	case x != x:
		return x
	}
	n := float32(math.RoundToEven(float64(float32(x * log2e))))
	r := FMA(n, -ln2Hi, x)
	r = FMA(n, -ln2Lo, r)
	p := FMA(expC0, r, expC1)
	p = FMA(p, r, expC2)
	p = FMA(p, r, expC3)
	p = FMA(p, r, expC4)
	p = FMA(p, r, expC5)
	y := FMA(p, float32(r*r), r) + 1
	k := int32(n)
	h := k >> 1
	return float32(y*pow2(h)) * pow2(k-h)
}

func pow2(k int32) float32 { return math.Float32frombits(uint32(127+k) << 23) }

// Sigmoid32 is 1/(1 + exp(−x)) in float32.
func Sigmoid32(x float32) float32 { return 1 / (1 + Exp32(-x)) }
