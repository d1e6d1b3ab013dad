package cpu

import "olmo/device/cpu/kernel"

// What is drawn or scored from rows of logits is computed here, on the processor, whatever
// device the logits came from.

// LSE returns log Σ exp(x), with the bits that the head's loss gives for these logits. It is
// NaN when an x is, or is +Inf.
func LSE(x []float32) float32 { return kernel.LSE(x) }

// Weights writes exp((x − top)/temperature) to dst and returns the sum: float32
// arithmetic after a quotient in float64.
func Weights(dst, x []float32, top float32, temperature float64) float32 {
	return kernel.Weights(dst, x, top, temperature)
}
