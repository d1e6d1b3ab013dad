package kernel

import "math"

// A sum in blocks may have been flushed to −0, and then be +0 or −0 as terms of zero (masked keys,
// padded tokens) are computed or left out. So sums over keys, queries and tokens are taken + (+0)
// once they are complete.

// minusZero: x − (−0) is x, but +0 where x is −0.
var minusZero = float32(math.Copysign(0, -1))

// Settle adds +0 to each element.
func Settle(x []float32) {
	eachSpan(len(x), func(lo, hi int) { isa.shift(x[lo:hi], x[lo:hi], minusZero) })
}

// settle does so to rows of sums in blocks, and leaves others as they are.
func settle(f format, m Matrix) {
	if f != blocks {
		return
	}
	for r := range m.Rows {
		isa.shift(m.Row(r), m.Row(r), minusZero)
	}
}
