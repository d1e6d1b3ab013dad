package numeric

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// fmaBig is x*y+z in arbitrary precision, rounded once to float32.
func fmaBig(x, y, z float32) float32 {
	f := func(v float32) *big.Float { return new(big.Float).SetPrec(600).SetFloat64(float64(v)) }
	p := f(x)
	p.Mul(p, f(y))
	s := new(big.Float).SetPrec(600).Add(p, f(z))
	if s.Sign() == 0 { // big.Float has its own rule for the sign of an exact zero
		return float32(float64(x)*float64(y)) + z
	}
	r, _ := s.Float32()
	return r
}

// drawn returns a number of an ordinary size, or any finite one, denormals and zeros included.
func drawn(r *rand.Rand) float32 {
	if r.IntN(4) > 0 {
		return float32(r.NormFloat64())
	}
	for {
		x := math.Float32frombits(r.Uint32() &^ (r.Uint32() & r.Uint32() & 0x7f800000))
		if !math.IsInf(float64(x), 0) && x == x {
			return x
		}
	}
}

func TestFMA(t *testing.T) {
	// math.FMA in float64 is exact for the product; only the final rounding to float32 is
	// in question, which arbitrary precision settles.
	r := rand.New(rand.NewPCG(11, 12))
	for range 200000 {
		v := [3]float32{drawn(r), drawn(r), drawn(r)}
		if got, want := FMA(v[0], v[1], v[2]), fmaBig(v[0], v[1], v[2]); math.Float32bits(got) != math.Float32bits(want) {
			t.Fatalf("FMA(%g, %g, %g) = %g, want %g", v[0], v[1], v[2], got, want)
		}
	}
	// Sums that lie close to the middle of two float32 values.
	for range 100000 {
		z := math.Float32frombits(uint32(r.IntN(20)+120)<<23 | r.Uint32()&0x7fffff)
		half := (math.Nextafter32(z, math.MaxFloat32) - z) / 2
		x := half * (1 + float32(r.IntN(3)-1)*0x1p-23)
		y := 1 + float32(r.IntN(5)-2)*0x1p-23
		if got, want := FMA(x, y, z), fmaBig(x, y, z); got != want {
			t.Fatalf("FMA(%g, %g, %g) = %g, want %g", x, y, z, got, want)
		}
	}
}
