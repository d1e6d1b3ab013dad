//go:build !purego

package kernel

// avx512bf16 is the table for AVX-512 with the dot product instruction of
// bfloat16: as avx512, but for the tile of bf16 products and the packing of their operands.
var avx512bf16 = func() *primitives {
	p := *avx512
	p.name, p.pairs, p.tile = "avx512bf16", true, tileAVX512BF16
	p.roundPairs, p.interleave, p.stripPairs = roundPairsBF16, interleaveBF16, stripPairsBF16
	return &p
}()

func tileAVX512BF16(t *tileArgs) {
	if t.mode&tileFlush != 0 {
		tilePairs(t)
	} else {
		tileAVX512(t)
	}
}

// tilePairs is primitives.tile in pair mode, by VDPBF16PS.
//
//go:noescape
func tilePairs(t *tileArgs)

// peakPairs does turns × 30 dot products of 32 pairs.
//
//go:noescape
func peakPairs(turns int)

// roundPairsBF16 is primitives.roundPairs, by VCVTNE2PS2BF16.
//
//go:noescape
func roundPairsBF16(dst []uint32, x []float32)

// interleaveBF16 is primitives.interleave, by VCVTNE2PS2BF16.
//
//go:noescape
func interleaveBF16(dst []uint32, even, odd []float32)

// stripPairsBF16 is primitives.stripPairs, by VCVTNE2PS2BF16.
//
//go:noescape
func stripPairsBF16(t *stripArgs)
