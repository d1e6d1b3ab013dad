//go:build !amd64 || purego

package kernel

// peakLoops returns the loops of multiply-adds and of bytes; there is none of dot products of bf16.
func peakLoops() (fma, dot, bytes peakLoop) { return tileLoop(), peakLoop{}, int8Loop() }
