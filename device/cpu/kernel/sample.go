package kernel

import "olmo/numeric"

// LSE returns log Σ exp(x), with the bits that HeadLoss gives for these logits. It
// is NaN when an x is, or is +Inf.
func LSE(x []float32) float32 {
	s := borrow()
	defer s.giveBack()
	m := isa.max(x)
	sum := isa.expSum(s.buf(0, len(x)), x, m)
	return m + float32(numeric.Log(float64(sum)))
}

// Weights writes exp((x − top)/temperature) to dst and returns the sum: float32
// arithmetic after a quotient in float64.
func Weights(dst, x []float32, top float32, temperature float64) float32 {
	for i, v := range x {
		dst[i] = float32((float64(v) - float64(top)) / temperature)
	}
	return isa.expSum(dst, dst, 0)
}
