//go:build !purego

package kernel

// stripRoundAVX512 is primitives.stripRound on AVX512, with strides in bytes.
//
//go:noescape
func stripRoundAVX512(dst, src *float32, dstStride, srcStride, rows, cols int)

// stripCopyAVX512 is primitives.stripCopy on AVX512, with strides in bytes.
//
//go:noescape
func stripCopyAVX512(dst, src *float32, dstStride, srcStride, rows, cols int)

// stripPairsAVX512 is primitives.stripPairs on AVX512, with strides in bytes.
//
//go:noescape
func stripPairsAVX512(dst *uint32, even, odd *float32, dstStride, srcStride, rows, cols int)

func init() {
	avx512bf16.stripPairs = widePairs
	for _, p := range []*primitives{avx512, avx512bf16} {
		p.stripRound, p.stripCopy = wideRound, wideCopy
	}
}

func wideRound(dst, src []float32, dstStride, srcStride, rows, cols int) {
	if rows > 0 && cols > 0 {
		_, _ = dst[(rows-1)*dstStride+cols-1], src[(rows-1)*srcStride+cols-1]
		stripRoundAVX512(&dst[0], &src[0], 4*dstStride, 4*srcStride, rows, cols)
	}
}

func wideCopy(dst, src []float32, dstStride, srcStride, rows, cols int) {
	if rows > 0 && cols > 0 {
		_, _ = dst[(rows-1)*dstStride+cols-1], src[(rows-1)*srcStride+cols-1]
		stripCopyAVX512(&dst[0], &src[0], 4*dstStride, 4*srcStride, rows, cols)
	}
}

func widePairs(dst []uint32, even, odd []float32, dstStride, srcStride, rows, cols int) {
	if rows > 0 && cols > 0 {
		last := (rows-1)*srcStride + cols - 1
		_, _, _ = dst[(rows-1)*dstStride+cols-1], even[last], odd[last]
		stripPairsAVX512(&dst[0], &even[0], &odd[0], 4*dstStride, 4*srcStride, rows, cols)
	}
}
