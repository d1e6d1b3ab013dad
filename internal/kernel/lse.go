package kernel

// LSE returns log Σ exp(x), with the bits that HeadLoss gives for these logits. It
// is NaN when an x is, or is +Inf.
func LSE(x []float32) float32 {
	s := borrow()
	defer s.giveBack()
	m := isa.max(x)
	sum := isa.expSum(s.buf(0, len(x)), x, m)
	return m + float32(log64(float64(sum)))
}
