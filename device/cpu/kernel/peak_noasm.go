//go:build !amd64 || purego

package kernel

// peakLoops returns the loop of multiply-adds; there is none for bf16 products.
func peakLoops() (fma, dot peakLoop) { return tileLoop(), peakLoop{} }
