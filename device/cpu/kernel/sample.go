package kernel

import "olmo/numeric"

// LSE returns log Σ exp(x), with the bits that the head gives for these logits. It
// is NaN when an x is, or is +Inf.
func LSE(x []float32) float32 {
	s := borrow()
	defer s.giveBack()
	_, lse := Exponentials(s.buf(0, len(x)), x)
	return lse
}

// Exponentials writes exp(x − max x) to dst, and returns their sum and log Σ exp(x).
func Exponentials(dst, x []float32) (sum, lse float32) {
	m := isa.max(x)
	sum = isa.expSum(dst, x, m)
	return sum, m + float32(numeric.Log(float64(sum)))
}

// Divide writes x/s to dst, which may be x.
func Divide(dst, x []float32, s float32) { isa.div(dst, x, s) }
