package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"unsafe"

	"olmo/numeric"
)

// dotFault is set by available.
var dotFault error

// DotFault says how the processor's instructions for bfloat16
// differ from docs/numerics.md, in which case they are not used. It is nil where
// they keep to the rule, or where there are none.
func DotFault() error { return dotFault }

// pairRule compares a tile in pair mode with the rule in a few thousand cases:
// any words, products near the smallest normal number, sums that cancel.
func pairRule(tile func(*tileArgs), nr int) error {
	const k, rounds = 4, 48
	r := rand.New(rand.NewPCG(0x0f, 0x16))
	half := func(round int) uint32 {
		u := r.Uint32()
		sign, fraction := u&0x8000, u&0x7f
		switch u >>= 16; {
		case u&7 == 0:
			return sign | u>>1 // anything
		case round%3 == 0: // products about 2⁻¹²⁶
			return sign | (60+u>>3%8)<<7 | fraction
		case round%3 == 1: // few bits: sums cancel, ties happen
			return sign | (126+u>>3%3)<<7 | fraction&0x40
		}
		return sign | (120+u>>3%14)<<7 | fraction
	}
	float := func(w uint32) float32 { return math.Float32frombits(w << 16) }
	a, b := make([]uint32, k), make([]uint32, k*nr)
	c := make([]float32, nr)
	for round := range rounds {
		for _, w := range [][]uint32{a, b} {
			for i := range w {
				w[i] = half(round) | half(round)<<16
			}
		}
		tile(&tileArgs{
			a: unsafe.Pointer(&a[0]), b: unsafe.Pointer(&b[0]), c: unsafe.Pointer(&c[0]),
			kStride: 4, k: k, rows: 1, mode: tileFlush,
		})
		for j, got := range c {
			var acc float32
			for i, x := range a {
				y := b[i*nr+j]
				acc = numeric.FlushedFMA(float(x>>16), float(y>>16), acc)
				acc = numeric.FlushedFMA(float(x&0xffff), float(y&0xffff), acc)
			}
			want := numeric.FlushedAdd(0, acc)
			if math.Float32bits(got) != math.Float32bits(want) && (got == got || want == want) {
				return fmt.Errorf("the bfloat16 dot product of this processor gives %#08x where the rule gives %#08x (last words %#08x and %#08x)",
					math.Float32bits(got), math.Float32bits(want), a[k-1], b[(k-1)*nr+j])
			}
		}
	}
	return nil
}

// roundingRule compares a function that rounds pairs with the rule in a few thousand values: all exponents,
// ties and their neighbours, denormals, NaN.
func roundingRule(roundPairs func(dst []uint32, x []float32)) error {
	var x []float32
	for top := range uint32(512) { // sign and exponent
		for _, fraction := range []uint32{0, 1, 0x7fff, 0x8000, 0x8001, 0x18000, 0x3f8000, 0x7f7fff, 0x7f8000, 0x7fffff} {
			x = append(x, math.Float32frombits(top<<23|fraction))
		}
	}
	got, want := make([]uint32, len(x)/2), make([]uint32, len(x)/2)
	roundPairs(got, x)
	roundPairsGeneric(want, x)
	for i := range got {
		if got[i] != want[i] {
			return fmt.Errorf("the rounding to bfloat16 of this processor makes %#08x of %#08x and %#08x where the rule makes %#08x",
				got[i], math.Float32bits(x[2*i]), math.Float32bits(x[2*i+1]), want[i])
		}
	}
	return nil
}
