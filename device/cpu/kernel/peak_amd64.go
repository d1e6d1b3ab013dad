//go:build !purego

package kernel

import "slices"

// peakLoops returns the loops of multiply-adds, and of dot products of bf16 and of bytes, if any.
func peakLoops() (fma, dot, bytes peakLoop) {
	fma, bytes = tileLoop(), int8Loop()
	tables := available()
	for _, p := range tables {
		switch p {
		case avx2:
			fma = peakLoop{peakAVX2, 14 * 8 * 2}
		case avx512bf16:
			dot = peakLoop{peakPairs, 30 * 32 * 2}
		case avx512vnni:
			bytes = peakLoop{peakBytes, 30 * 64 * 2}
		}
	}
	if slices.Contains(tables, avx512) {
		fma = peakLoop{peakAVX512, 30 * 16 * 2}
	}
	return fma, dot, bytes
}
