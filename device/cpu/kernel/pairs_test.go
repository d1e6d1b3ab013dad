package kernel

import (
	"math"
	"testing"
	"unsafe"

	"olmo/numeric"
)

// TestPairRule: the check at start accepts the definition, and finds a
// processor that adds the even product first, does not flush, or rounds once.
func TestPairRule(t *testing.T) {
	const nr = 16
	tile := func(dot func(acc, x0, x1, y0, y1 float32) float32) func(*tileArgs) {
		return func(t *tileArgs) {
			a, b := unsafe.Slice((*uint32)(t.a), t.k), unsafe.Slice((*uint32)(t.b), t.k*nr)
			c := unsafe.Slice((*float32)(t.c), nr)
			low := func(w uint32) float32 { return math.Float32frombits(w << 16) }
			high := func(w uint32) float32 { return math.Float32frombits(w & 0xffff0000) }
			for j := range c {
				var acc float32
				for k, x := range a {
					y := b[k*nr+j]
					acc = dot(acc, low(x), high(x), low(y), high(y))
				}
				c[j] = numeric.FlushedAdd(0, acc)
			}
		}
	}
	cases := []struct {
		name string
		ok   bool
		dot  func(acc, x0, x1, y0, y1 float32) float32
	}{
		{"the rule", true, func(acc, x0, x1, y0, y1 float32) float32 {
			return numeric.FlushedFMA(x0, y0, numeric.FlushedFMA(x1, y1, acc))
		}},
		{"even first", false, func(acc, x0, x1, y0, y1 float32) float32 {
			return numeric.FlushedFMA(x1, y1, numeric.FlushedFMA(x0, y0, acc))
		}},
		{"no flush", false, func(acc, x0, x1, y0, y1 float32) float32 {
			return numeric.FMA(x0, y0, numeric.FMA(x1, y1, acc))
		}},
		{"no fused product", false, func(acc, x0, x1, y0, y1 float32) float32 {
			return numeric.FlushedAdd(acc, numeric.FlushedFMA(x0, y0, numeric.Flush(x1*y1)))
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if err := pairRule(tile(c.dot), nr); (err == nil) != c.ok {
				t.Errorf("pairRule = %v", err)
			}
		})
	}
	if err := DotFault(); err != nil {
		t.Logf("this machine: %v", err)
	}
}

// TestRoundingRule: the check at start accepts the definition, and finds a processor that keeps
// denormals or cuts off.
func TestRoundingRule(t *testing.T) {
	if err := roundingRule(roundPairsGeneric); err != nil {
		t.Errorf("of the definition: %v", err)
	}
	by := func(half func(x float32) uint32) func(dst []uint32, x []float32) {
		return func(dst []uint32, x []float32) {
			for i := range dst {
				dst[i] = half(x[2*i]) | half(x[2*i+1])<<16
			}
		}
	}
	cut := by(func(x float32) uint32 { return math.Float32bits(x) >> 16 })
	denormal := by(func(x float32) uint32 {
		if bits := math.Float32bits(x); bits&0x7f800000 == 0 {
			return (bits + 0x7fff + bits>>16&1) >> 16
		}
		return uint32(numeric.BF16Bits(x))
	})
	if roundingRule(cut) == nil || roundingRule(denormal) == nil {
		t.Error("a wrong rounding is accepted")
	}
}
