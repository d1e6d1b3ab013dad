//go:build !purego

package kernel

// avx512bf16 is the table for AVX-512 with the dot product instruction of
// bfloat16: as avx512, but for the tile of bf16 products.
var avx512bf16 = func() *primitives {
	p := *avx512
	p.name, p.pairs, p.tile = "avx512bf16", true, tileAVX512BF16
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
