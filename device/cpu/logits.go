package cpu

import "olmo/device/cpu/kernel"

// What is drawn or scored from rows of logits is computed here, on the processor, whatever
// device the logits came from.

// LSE returns log Σ exp(x), with the bits that the head's loss gives for these logits. It is
// NaN when an x is, or is +Inf.
func LSE(x []float32) float32 { return kernel.LSE(x) }

// Exponentials writes exp(x − max x) to dst, and returns their sum and LSE.
func Exponentials(dst, x []float32) (sum, lse float32) { return kernel.Exponentials(dst, x) }

// Divide writes x/temperature to dst, as the head divides its logits.
func Divide(dst, x []float32, temperature float32) { kernel.Divide(dst, x, temperature) }
