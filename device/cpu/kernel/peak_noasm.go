//go:build !amd64 || purego

package kernel

// peakLoops returns the loop of multiply-adds; there is none of dot products.
func peakLoops() (fma, dot, bytes peakLoop) { return tileLoop(), peakLoop{}, peakLoop{} }
