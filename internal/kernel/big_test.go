package kernel

import "math/big"

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
