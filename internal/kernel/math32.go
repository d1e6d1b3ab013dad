package kernel

import "math"

// sqrt32 is IEEE's float32 square root: float64's is exact to more than twice
// the digits, so rounding twice is harmless.
func sqrt32(x float32) float32 { return float32(math.Sqrt(float64(x))) }

const (
	expHi = 88.72283
	expLo = -87.33654
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

// exp32 is e to the x in float32, within 1 unit in the last place; results below the
// normal range are +0. Range reduction and coefficients after Cephes expf.
func exp32(x float32) float32 {
	switch {
	case x > expHi:
		return float32(math.Inf(1))
	case x < expLo:
		return 0
	case x != x:
		return x
	}
	n := float32(math.RoundToEven(float64(float32(x * log2e))))
	r := fma32(n, -ln2Hi, x)
	r = fma32(n, -ln2Lo, r)
	p := fma32(expC0, r, expC1)
	p = fma32(p, r, expC2)
	p = fma32(p, r, expC3)
	p = fma32(p, r, expC4)
	p = fma32(p, r, expC5)
	y := fma32(p, float32(r*r), r) + 1
	k := int32(n)
	h := k >> 1
	return float32(y*pow2(h)) * pow2(k-h)
}

func pow2(k int32) float32 { return math.Float32frombits(uint32(127+k) << 23) }

func sigmoid32(x float32) float32 { return 1 / (1 + exp32(-x)) }
