//go:build !purego

package kernel

import (
	"unsafe"

	"olmo/numeric"
)

// neon has 6×16 tiles: 24 of the 32 registers hold sums.
var neon = &primitives{
	name: "neon", mr: 6, nr: 16,
	tile: tileFlushing, tileBlocks: tileBlocksNEON,
	round: roundNEON, roundSwap: roundSwapNEON,
	// Words of pairs feed tables that have pairs.
	roundPairs: roundPairsGeneric, interleave: interleaveGeneric,
	transpose: transposeNEON,
	dot:       dotNEON, sum: sumNEON, max: maxNEON, expSum: expSumNEON,
	add: addNEON, scale: scaleNEON, fma: fmaNEON, lin2: lin2NEON, mulAdd: mulAddNEON, div: divNEON,
	shift: shiftNEON, layerApply: layerApplyNEON,
	normApply: normApplyNEON, rmsDot: rmsDotNEON, rmsApply: rmsApplyNEON, rmsWeight: rmsWeightNEON,
	swiglu: swigluNEON, swigluBack: swigluBackNEON, rope: ropeNEON,
	softmaxBack: softmaxBackNEON, adamw: adamwNEON,
	halves: halvesGeneric, bf16s: bf16sGeneric, widen4: widen4Generic, widen8: widen8Generic,
	chain4: chain4Generic, chain8: chain8Generic, chainHalves: chainHalvesGeneric, chainBF16s: chainBF16sGeneric, chainFloats: chainFloatsGeneric,
	int8Levels:  int8LevelsNEON,
	int8Levels4: int8Levels4NEON, int8Levels8: int8Levels8NEON, int8Levels5: int8Levels5NEON, int8Nested4: int8Nested4NEON, int8Nested8: int8Nested8NEON, int8Halves8: int8Halves8NEON,
}

// neondot is the table for NEON with dot products of bytes.
var neondot = func() *primitives {
	p := *neon
	p.name = "neondot"
	p.int8Levels4, p.int8Levels8, p.int8Levels5 = int8Levels4Dot, int8Levels8Dot, int8Levels8Dot
	p.int8Nested4, p.int8Nested8, p.int8Halves8 = int8Nested4Dot, int8Nested8Dot, int8Halves8Dot
	return &p
}()

// inputDenormal is IDC of the register FPSR, among the flags of tileNEON.
const inputDenormal = 0x80

// tileFlushing computes a tile exactly as defined, also where something is flushed.
//
// The processor flushes what is below 2⁻¹²⁶ before rounding, the definition what is
// below it after. So tileNEON, fast, reports whether it flushed anything at all.
// Then tileFlushRowNEON, 10 times slower, compares after rounding, which leaves
// open only a result that became exactly 2⁻¹²⁶; such a row is done in plain Go, 100
// times slower. (Far keys under ALiBi pass through these magnitudes all the time.)
func tileFlushing(t *tileArgs) {
	flags := tileNEON(t)
	if flags == 0 {
		return
	}
	row := *t
	row.rows = 1
	for i := range uintptr(t.rows) {
		row.a = unsafe.Add(t.a, i*t.rowStride)
		row.c = unsafe.Add(t.c, i*t.ldc)
		if flags&inputDenormal != 0 || !tileFlushRowNEON(&row) {
			tileGeneric(&row) // has as many columns
		}
	}
}

// tileBlocksNEON goes through the blocks of a tile in groups of three rows. Where something of a
// block is flushed, plain Go does it for these rows: see tileFlushing.
func tileBlocksNEON(t *tileArgs) {
	const group = 3
	if t.mode&tileAdd == 0 {
		for i := range uintptr(t.rows) {
			clear(unsafe.Slice((*float32)(unsafe.Add(t.c, i*t.ldc)), 16))
		}
	}
	part := *t
	part.mode |= tileAdd
	for k := 0; k < t.k; k += numeric.Block {
		part.k = min(numeric.Block, t.k-k)
		part.b = unsafe.Add(t.b, k*16*4)
		for r := 0; r < t.rows; r += group {
			part.rows = min(group, t.rows-r)
			part.a = unsafe.Add(t.a, uintptr(r)*t.rowStride+uintptr(k)*t.kStride)
			part.c = unsafe.Add(t.c, uintptr(r)*t.ldc)
			if tileBlockNEON(&part) != 0 {
				tileBlocksGeneric(&part)
			}
		}
	}
}

// transposeNEON has plain Go do what is left beside blocks of 4×4.
func transposeNEON(dst, src []float32, dstStride, srcStride, rows, cols int) {
	if rows == 0 || cols == 0 {
		return
	}
	_, _ = dst[(cols-1)*dstStride+rows-1], src[(rows-1)*srcStride+cols-1]
	r, c := rows&^3, cols&^3
	if r == 0 || c == 0 {
		r, c = 0, 0
	} else {
		transposeBlocksNEON(&dst[0], &src[0], dstStride, srcStride, r, c)
	}
	if c < cols && r > 0 {
		transposeGeneric(dst[c*dstStride:], src[c:], dstStride, srcStride, r, cols-c)
	}
	if r < rows {
		transposeGeneric(dst[r:], src[r*srcStride:], dstStride, srcStride, rows-r, cols)
	}
}

// tileNEON computes a tile. Under tileFlush it returns which of FPSR's flags 0x88
// were raised; if one was, nothing has been written.
//
//go:noescape
func tileNEON(t *tileArgs) uint32

// tileBlockNEON adds one block of a tile of at most three rows to c. It returns which of FPSR's flags
// 0x88 were raised; if one was, nothing has been written.
//
//go:noescape
func tileBlockNEON(t *tileArgs) uint32

// tileFlushRowNEON computes the first row of a tile under tileFlush, if a and b hold
// no denormals. False says that it could not decide, and has written nothing.
//
//go:noescape
func tileFlushRowNEON(t *tileArgs) bool

//go:noescape
func transposeBlocksNEON(dst, src *float32, dstStride, srcStride, rows, cols int)

//go:noescape
func roundNEON(dst, x []float32)

//go:noescape
func roundSwapNEON(dst, x []float32)

//go:noescape
func dotNEON(x, y []float32) float32

//go:noescape
func sumNEON(x []float32) float32

//go:noescape
func maxNEON(x []float32) float32

//go:noescape
func expSumNEON(dst, x []float32, m float32) float32

//go:noescape
func addNEON(dst, a, b []float32)

//go:noescape
func scaleNEON(dst, x []float32, s float32)

//go:noescape
func fmaNEON(acc, x, y []float32)

//go:noescape
func lin2NEON(dst, a, b []float32, s, t float32)

//go:noescape
func mulAddNEON(dst, b, g []float32, s float32)

//go:noescape
func divNEON(dst, x []float32, s float32)

//go:noescape
func shiftNEON(dst, x []float32, s float32)

//go:noescape
func layerApplyNEON(dx, g, hat []float32, rstd, a, c float32)

//go:noescape
func normApplyNEON(y, x, w []float32, rstd float32)

//go:noescape
func rmsDotNEON(dy, w, x []float32, rstd float32) float32

//go:noescape
func rmsApplyNEON(dx, dy, w, x []float32, rstd, c float32)

//go:noescape
func rmsWeightNEON(acc, dy, x []float32, rstd float32)

//go:noescape
func swigluNEON(y, u, g []float32)

//go:noescape
func swigluBackNEON(du, dg, dy, u, g []float32)

//go:noescape
func ropeNEON(y1, y2, x1, x2, cos, sin []float32)

//go:noescape
func softmaxBackNEON(p, ds, e, dp []float32, inv, delta, scale float32)

//go:noescape
func adamwNEON(p, m, v, g []float32, s *adamwScalars)

//go:noescape
func int8LevelsNEON(dst []int8Block, x []float32)

//go:noescape
func int8Levels4NEON(t *int8Args)

//go:noescape
func int8Levels8NEON(t *int8Args)

//go:noescape
func int8Levels5NEON(t *int8Args)

//go:noescape
func int8Nested4NEON(t *int8Args)

//go:noescape
func int8Nested8NEON(t *int8Args)

//go:noescape
func int8Halves8NEON(t *int8Args)

//go:noescape
func int8Levels4Dot(t *int8Args)

//go:noescape
func int8Levels8Dot(t *int8Args)

//go:noescape
func int8Nested4Dot(t *int8Args)

//go:noescape
func int8Nested8Dot(t *int8Args)

//go:noescape
func int8Halves8Dot(t *int8Args)
