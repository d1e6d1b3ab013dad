// Package kernel holds the arithmetic of the CPU device: matrix products,
// attention, norms, the loss and the optimisers, each with one order of
// operations that docs/numerics.md defines.
//
// What depends on the instruction set is a table of primitives (one tile of a
// matrix product, a handful of row functions); everything else is written once
// in Go on top of them. The plain Go primitives are the definition, and every
// other table gives the same bits.
package kernel

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/cpu"
)

// primitives is what an instruction set provides. Slices of one call have equal
// lengths unless said otherwise, and may alias only exactly.
type primitives struct {
	name string
	// Rows and columns of the largest tile; columns are the width of a packed panel.
	mr, nr int
	// pairs: bf16 operands are packed two to a word for a dot product
	// instruction. Otherwise they are float32 values, the odd one of a pair first.
	pairs bool

	// tile computes one piece of mr×nr sums; see tileArgs.
	tile func(*tileArgs)
	// tileBlocks adds to c, or to +0, in blocks of numeric.Block terms: in each, the odd terms are a
	// chain from +0, the even ones another, and their sum is added; where terms are missing,
	// (+0)·(+0) stands in their place. Operands are as of roundSwap, and it always flushes.
	tileBlocks func(*tileArgs)

	// round writes x rounded to bf16, as float32.
	round func(dst, x []float32)
	// roundSwap also exchanges the two halves of each pair; len(dst) is len(x)
	// rounded up to even, a missing odd half is +0.
	roundSwap func(dst, x []float32)
	// roundPairs packs pairs into words, the even half low; len(dst) is (len(x)+1)/2.
	roundPairs func(dst []uint32, x []float32)
	// interleave packs even[i] and odd[i] into dst[i].
	interleave func(dst []uint32, even, odd []float32)
	// transpose writes dst[c*dstStride+r] = src[r*srcStride+c] for r < rows, c < cols.
	transpose func(dst, src []float32, dstStride, srcStride, rows, cols int)

	// The packing of rows into strips of columns, see stripArgs: stripRound rounds to
	// bf16, stripPairs packs rows of src and odd into words, as interleave does. Nil: row by row.
	stripCopy, stripRound, stripPairs func(*stripArgs)

	// halves widens IEEE halves, bf16s bfloat16s, a multiple of nr; widen4 and widen8 widen levels
	// of 4 and of 8 bits, see levelArgs.
	halves, bf16s  func(dst []float32, x []uint16)
	widen4, widen8 func(*levelArgs)
	// The chains of one row; see levelArgs.
	chain4, chain8, chainHalves, chainBF16s, chainFloats func(*levelArgs)

	// int8Levels rounds a row to levels for products under int8. The others are those products, of int8Rows
	// rows at most: with levels of 4 and of 8 bits, and of 5 or 6 bits in 8, with levels of 4 bits and of 5 in 8 whose
	// groups of 32 terms have integers of their own, and with those of 6 in 8 in groups of 16.
	int8Levels                            func(dst []int8Block, x []float32)
	int8Levels4, int8Levels8, int8Levels5 func(*int8Args)
	int8Nested4, int8Nested8, int8Halves8 func(*int8Args)

	dot    func(x, y []float32) float32
	sum    func(x []float32) float32
	max    func(x []float32) float32
	expSum func(dst, x []float32, m float32) float32 // dst = exp(x−m); returns sum(dst)

	add       func(dst, a, b []float32)                      // a + b
	scale     func(dst, x []float32, s float32)              // x*s
	fma       func(acc, x, y []float32)                      // acc = fma(x, y, acc)
	lin2      func(dst, a, b []float32, s, t float32)        // a*s + b*t, not fused
	mulAdd    func(dst, b, g []float32, s float32)           // b*s + g, not fused
	div       func(dst, x []float32, s float32)              // x / s
	shift     func(dst, x []float32, s float32)              // x − s
	normApply func(y, x, w []float32, rstd float32)          // (x*rstd)*w
	rmsDot    func(dy, w, x []float32, rstd float32) float32 // dot(dy*w, x*rstd)
	rmsApply  func(dx, dy, w, x []float32, rstd, c float32)  // rstd*(dy*w − (x*rstd)*c)
	rmsWeight func(acc, dy, x []float32, rstd float32)       // acc = fma(dy, x*rstd, acc)

	// layerApply: rstd*((g − a) − hat*c). dx may alias g or hat.
	layerApply func(dx, g, hat []float32, rstd, a, c float32)
	swiglu     func(y, u, g []float32)
	swigluBack func(du, dg, dy, u, g []float32)
	rope       func(y1, y2, x1, x2, cos, sin []float32)
	// softmaxBack: p = e*inv; ds = (p*(dp − delta))*scale. p and ds may alias e and dp.
	softmaxBack func(p, ds, e, dp []float32, inv, delta, scale float32)
	adamw       func(p, m, v, g []float32, s *adamwScalars)
}

// tileArgs describes one piece of a block of a matrix product:
//
//	c[i*ldc+j] = (mode&tileAdd ? c[i*ldc+j] : +0) + chain over k of a(i,k)*b[k*nr+j]
//
// for i < rows ≤ mr and j < nr. Strides are in bytes. In pair mode a and b hold
// words of two bf16 values and k counts words.
type tileArgs struct {
	a, b, c   unsafe.Pointer
	ahead     unsafe.Pointer // k lines of 64 bytes from here on are wanted soon
	rowStride uintptr        // of a, from one row to the next
	kStride   uintptr        // of a, from one term to the next
	ldc       uintptr
	k         int
	rows      int
	mode      int
}

const (
	tileAdd   = 1 // add to c instead of to +0
	tileFlush = 2 // read denormals as zero, flush results (bf16 products)
)

// isa is the table in use: plain Go, which gives the same bits, until the first device chooses.
var isa = generic

// CPU returns the name of the kernels in use: avx512bf16, avx512vnni, avx512, avx2, neondot, neon or generic.
func CPU() string {
	_ = choose()
	return isa.name
}

// choose sets isa, once: before the first device computes, and not when the program starts,
// because available measures, and most verbs multiply nothing.
var choose = sync.OnceValue(func() error {
	tables := available()
	isa = tables[0]
	want := strings.TrimSpace(os.Getenv("OLMO_CPU"))
	if want == "" {
		return nil
	}
	for _, t := range tables {
		if t.name == want {
			isa = t
			return nil
		}
	}
	isa = generic
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = t.name
	}
	for _, known := range []string{"amx", "avx512bf16", "avx512vnni", "avx512", "avx2", "neondot", "neon", "generic"} {
		if want == known {
			why := "this machine lacks " + want
			if want == "amx" && cpu.X86.HasAMXTile && cpu.X86.HasAMXBF16 {
				why = "there are no kernels for amx yet, and others give the same results"
			}
			return fmt.Errorf("OLMO_CPU=%s: %s\nhint: one of %s", want, why, strings.Join(names, ", "))
		}
	}
	return fmt.Errorf("OLMO_CPU=%s is not known\nhint: one of %s", want, strings.Join(names, ", "))
})

// Check chooses the kernels, and reports an OLMO_CPU that this machine cannot serve. Programs call
// it before any work; without it, and where it fails, the kernels run in plain Go.
func Check() error { return choose() }
