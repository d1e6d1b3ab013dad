// Package numeric says what "the same bits" means: the fused multiply-add, bf16's rounding,
// exp, log and powers, random numbers, and the cuts of sums, each the same on every machine.
package numeric

import "math"

// FMA returns x*y + z with one rounding.
//
// The product is exact in float64. Their float64 sum may sit exactly between two
// float32 values while the true sum does not; only then is the float64 error
// needed, and the sum is moved to the side of the true value (round to odd).
func FMA(x, y, z float32) float32 {
	p := float64(x) * float64(y)
	c := float64(z)
	s := p + c
	bits := math.Float64bits(s)
	exp := bits >> 52 & 0x7ff
	if bits&0x1fffffff != 0x10000000 && exp > 1023-126 {
		return float32(s)
	}
	if exp == 0x7ff || s == 0 {
		return float32(s)
	}
	// Error of the sum, exactly (Knuth, TwoSum).
	b := s - p
	e := (p - (s - b)) + (c - b)
	if e != 0 && bits&1 == 0 {
		if (e > 0) == (s > 0) {
			bits++
		} else {
			bits--
		}
		s = math.Float64frombits(bits | 1)
	}
	return float32(s)
}

// FlushedFMA is FMA as VDPBF16PS does it: denormal operands are zero, and
// results below 2⁻¹²⁶ after rounding with unbounded exponent are zero.
func FlushedFMA(x, y, z float32) float32 {
	return flushed(Flush(x), Flush(y), Flush(z))
}

func flushed(x, y, z float32) float32 {
	r := FMA(x, y, z)
	if a := math.Float32bits(r) & 0x7fffffff; a == 0 || a > 0x00800000 {
		return r
	} else if a == 0x00800000 {
		// 2⁻¹²⁶ may have been rounded up from a value that, with a 24-bit
		// significand and unbounded exponent, stays below it. Scaling by 2⁶⁴ moves
		// the sum into the normal range: z may scale exactly, x*y through x.
		const up = 1 << 64
		if big := FMA(x*up, y, z*up); big < 0 && big > -0x1p-62 || big > 0 && big < 0x1p-62 {
			return float32(math.Copysign(0, float64(r)))
		}
		return r
	}
	return float32(math.Copysign(0, float64(r)))
}

// FlushedAdd is x + y as within bf16 products: denormal operands and results are zero.
func FlushedAdd(x, y float32) float32 {
	x, y = Flush(x), Flush(y)
	s := x + y
	return Flush(s) // a sum of normal numbers below 2⁻¹²⁶ is exact
}

// Flush returns x, or a zero of its sign where x is denormal.
func Flush(x float32) float32 {
	if math.Float32bits(x)&0x7f800000 == 0 {
		return math.Float32frombits(math.Float32bits(x) & 0x80000000)
	}
	return x
}

// BF16Bits returns the bits of x rounded to bfloat16: nearest even, NaN kept quiet, denormals to
// a zero of their sign.
func BF16Bits(x float32) uint16 {
	b := math.Float32bits(x)
	switch e := b >> 23 & 0xff; {
	case e == 0:
		return uint16(b >> 16 & 0x8000)
	case e == 0xff && b&0x7fffff != 0:
		return uint16(b>>16 | 0x40)
	}
	return uint16((b + 0x7fff + (b >> 16 & 1)) >> 16)
}

// RoundBF16 returns x rounded to bfloat16, as a float32.
func RoundBF16(x float32) float32 { return math.Float32frombits(uint32(BF16Bits(x)) << 16) }
