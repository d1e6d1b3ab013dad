package tensor

import (
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
)

// The quantisers choose the same numbers as ggml's reference code
// (quantize_row_*_ref in ggml-quants.c, 2026-07), to the byte where that code is
// compiled without fused multiply-adds. Every product here is rounded before it
// is added.

// maxQuantized is above what any block type can hold: Q6_K's 65504·127·32.
const maxQuantized = 1 << 28

// quantize writes v as blocks of d. A number that is not finite or too large,
// or a block whose scale no half can hold, is an error.
func quantize(out []byte, d DType, v []float32) error {
	for i, x := range v {
		if !(abs32(x) <= maxQuantized) {
			return fmt.Errorf("element %d is %v, which %v cannot hold", i, x, d)
		}
	}
	var block func(b []byte, v []float32)
	scales := []int{0} // where a block has halves
	switch d {
	case Q8_0:
		block = QuantizeQ8_0
	case Q4_0:
		block = quantizeQ4_0
	case Q5_0:
		block = quantizeQ5_0
	case Q4_1:
		block, scales = quantizeQ4_1, []int{0, 2}
	case Q5_1:
		block, scales = quantizeQ5_1, []int{0, 2}
	case Q4_K:
		block, scales = quantizeQ4_K, []int{0, 2}
	case Q5_K:
		block, scales = quantizeQ5_K, []int{0, 2}
	case Q6_K:
		block, scales = quantizeQ6_K, []int{208}
	default:
		return fmt.Errorf("conversion to %v is not supported", d)
	}
	n, size := d.BlockSize(), d.Size()
	parallel(len(v)/n, n, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			block(out[i*size:(i+1)*size:(i+1)*size], v[i*n:(i+1)*n:(i+1)*n])
		}
	})
	for i := 0; i < len(out); i += size {
		for _, at := range scales {
			if s := half(out[i+at:]); s-s != 0 {
				return fmt.Errorf("elements %d to %d are too large for %v", i/size*n, (i/size+1)*n-1, d)
			}
		}
	}
	return nil
}

// parallel calls f for parts of 0 to n, on all processors where there is work
// enough: an item is about size numbers.
func parallel(n, size int, f func(lo, hi int)) {
	parts := min(runtime.GOMAXPROCS(0), n*size>>16)
	if parts <= 1 {
		f(0, n)
		return
	}
	var wg sync.WaitGroup
	for p := range parts {
		wg.Go(func() { f(n*p/parts, n*(p+1)/parts) })
	}
	wg.Wait()
}

func putHalf(b []byte, x float32) { binary.LittleEndian.PutUint16(b, F16FromFloat32(x)) }

// inverse returns 1/d, or 0 where that is infinite: then the scale rounds to a
// zero half anyway.
func inverse(d float32) float32 {
	if id := 1 / d; id-id == 0 {
		return id
	}
	return 0
}

// extreme returns the number of the largest magnitude, the first of several.
func extreme(v []float32) (x float32) {
	var amax float32
	for _, e := range v {
		if a := abs32(e); a > amax {
			amax, x = a, e
		}
	}
	return x
}

func abs32(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

// QuantizeQ8_0 writes 32 numbers as a block of Q8_0: d = max|x|/127 as a half, and round(x·(1/d)), halves away
// from zero. Where one is not finite, or d is too large for a half, all of the block is no number.
func QuantizeQ8_0(b []byte, v []float32) {
	d := abs32(extreme(v)) / 127
	if d >= 65520 || slices.ContainsFunc(v, func(x float32) bool { return x-x != 0 }) {
		putHalf(b, float32(math.NaN()))
		clear(b[2:34])
		return
	}
	id := inverse(d)
	putHalf(b, d)
	for i, x := range v {
		// math.Round, as C's roundf, takes halves away from zero.
		b[2+i] = byte(int8(math.Round(float64(x * id))))
	}
}

func quantizeQ4_0(b []byte, v []float32) {
	d := extreme(v) / -8
	id := inverse(d)
	putHalf(b, d)
	var levels [256]byte
	for i, x := range v {
		levels[i] = byte(min(15, int(float32(x*id)+8.5)))
	}
	pack4(b[2:], &levels)
}

// pack4 writes 32 nibbles.
func pack4(b []byte, levels *[256]byte) {
	for i := range 16 {
		b[i] = levels[i] | levels[i+16]<<4
	}
}

func quantizeQ5_0(b []byte, v []float32) {
	d := extreme(v) / -16
	id := inverse(d)
	putHalf(b, d)
	var levels [256]byte
	for i, x := range v {
		levels[i] = byte(min(31, int(float32(x*id)+16.5)))
	}
	pack5(b[2:], &levels)
}

// pack5 writes 32 fifth bits and 32 nibbles.
func pack5(b []byte, levels *[256]byte) {
	var high uint32
	for i := range 16 {
		lo, hi := levels[i], levels[i+16]
		b[4+i] = lo&15 | hi<<4
		high |= uint32(lo>>4)<<i | uint32(hi>>4)<<(i+16)
	}
	binary.LittleEndian.PutUint32(b, high)
}

// affine gives the least number, and the scale that divides the range into
// steps.
func affine(v []float32, steps float32) (lowest, d float32) {
	lowest, highest := v[0], v[0]
	for _, x := range v {
		// Of +0 and -0 the first stays, as in C; Go's min takes -0.
		if x < lowest {
			lowest = x
		}
		if x > highest {
			highest = x
		}
	}
	return lowest, (highest - lowest) / steps
}

func quantizeQ4_1(b []byte, v []float32) {
	m, d := affine(v, 15)
	id := inverse(d)
	putHalf(b, d)
	putHalf(b[2:], m)
	var levels [256]byte
	for i, x := range v {
		levels[i] = byte(min(15, int(float32((x-m)*id)+0.5)))
	}
	pack4(b[4:], &levels)
}

func quantizeQ5_1(b []byte, v []float32) {
	m, d := affine(v, 31)
	id := inverse(d)
	putHalf(b, d)
	putHalf(b[2:], m)
	var levels [256]byte
	for i, x := range v {
		levels[i] = byte(int(float32((x-m)*id) + 0.5))
	}
	pack5(b[4:], &levels)
}

// nearest rounds to the nearest integer, halves to even, for |x| < 2^22. A product that x may be is rounded
// before the sum.
func nearest(x float32) int {
	return int(math.Float32bits(float32(x)+0x1.8p23)&0x7fffff) - 0x400000
}

func clamp(x, lo, hi int) int { return max(lo, min(hi, x)) }

// fitAffine chooses levels 0 to nmax, a scale and a minimum (≤ 0, returned
// negated) for v, so that the weighted squared error is least among steps+1
// tries with slightly different scales, each followed by a least-squares fit.
// It is ggml's make_qkx2_quants; rmin + is/10 + nmax is the range of try is.
func fitAffine(levels []byte, v []float32, nmax, rmin float32, steps int) (scale, negMin float32) {
	var sum2 float32
	for _, x := range v {
		sum2 += float32(x * x)
	}
	mean := float32(math.Sqrt(float64(sum2 / float32(len(v)))))
	var weights [32]float32
	lowest, highest := v[0], v[0]
	var sumW, sumX float32
	for i, x := range v {
		w := mean + abs32(x)
		weights[i] = w
		lowest, highest = min(lowest, x), max(highest, x)
		sumW += w
		sumX += float32(w * x)
	}
	lowest = min(lowest, 0)
	if highest == lowest {
		clear(levels)
		return 0, -lowest
	}
	minimum := lowest // of the best fit so far, which ggml also starts the next try from
	level := func(iscale, x float32) int {
		return clamp(nearest(iscale*(x-minimum)), 0, int(nmax))
	}
	lossOf := func(levels []byte, scale, m float32) (loss float32) {
		for i, x := range v {
			diff := float32(scale*float32(levels[i])) + m - x
			loss += float32(weights[i] * float32(diff*diff))
		}
		return loss
	}
	iscale := nmax / (highest - minimum)
	scale = 1 / iscale
	for i, x := range v {
		levels[i] = byte(level(iscale, x))
	}
	best := lossOf(levels, scale, minimum)
	var tried [32]byte
	for is := range steps + 1 {
		iscale := (rmin + float32(0.1*float32(is)) + nmax) / (highest - minimum)
		var sumL, sumL2, sumXL float32
		for i, x := range v {
			l := level(iscale, x)
			tried[i] = byte(l)
			wl := float32(weights[i] * float32(l))
			sumL += wl
			sumL2 += float32(wl * float32(l))
			sumXL += float32(wl * x)
		}
		det := float32(sumW*sumL2) - float32(sumL*sumL)
		if !(det > 0) {
			continue
		}
		s := (float32(sumW*sumXL) - float32(sumX*sumL)) / det
		m := (float32(sumL2*sumX) - float32(sumL*sumXL)) / det
		if m > 0 {
			m, s = 0, sumXL/sumL2
		}
		if loss := lossOf(tried[:len(v)], s, m); loss < best {
			copy(levels, tried[:])
			best, scale, minimum = loss, s, m
		}
	}
	return scale, -minimum
}

// quantizeK does what Q4_K and Q5_K share: it writes both scales to b and the
// 12 bytes of scales and minima to b[4:], and returns the levels.
func quantizeK(b []byte, v []float32, nmax, rmin float32, steps int) (levels [256]byte) {
	var scales, mins [8]float32
	var maxScale, maxMin float32
	for j := range 8 {
		scales[j], mins[j] = fitAffine(levels[32*j:32*j+32], v[32*j:32*j+32], nmax, rmin, steps)
		maxScale, maxMin = max(maxScale, scales[j]), max(maxMin, mins[j])
	}
	var invScale, invMin float32
	if maxScale > 0 {
		invScale = 63 / maxScale
	}
	if maxMin > 0 {
		invMin = 63 / maxMin
	}
	packed := b[4:16]
	clear(packed)
	for j := range 8 {
		// A negative scale wraps to a large byte, as in ggml.
		s := min(63, byte(nearest(invScale*scales[j])))
		m := min(63, byte(nearest(invMin*mins[j])))
		packScaleMin(packed, j, s, m)
	}
	putHalf(b, maxScale/63)
	putHalf(b[2:], maxMin/63)
	for j := range 8 {
		s, m := scaleMin(j, packed)
		d := half(b) * float32(s)
		if d == 0 {
			continue
		}
		dm := float32(half(b[2:]) * float32(m))
		for i := range 32 {
			levels[32*j+i] = byte(clamp(nearest((v[32*j+i]+dm)/d), 0, int(nmax)))
		}
	}
	return levels
}

// packScaleMin writes scale and minimum of part j, of 6 bits each, to 12 bytes that are zero.
func packScaleMin(packed []byte, j int, s, m byte) {
	if j < 4 {
		packed[j] |= s
		packed[j+4] |= m
		return
	}
	packed[j+4] = s&15 | m<<4
	packed[j-4] |= s >> 4 << 6
	packed[j] |= m >> 4 << 6
}

func quantizeQ4_K(b []byte, v []float32) {
	levels := quantizeK(b, v, 15, -1, 20)
	packQ4_K(b, &levels)
}

func packQ4_K(b []byte, levels *[256]byte) {
	for j := range 4 {
		for i := range 32 {
			b[16+32*j+i] = levels[64*j+i] | levels[64*j+32+i]<<4
		}
	}
}

func quantizeQ5_K(b []byte, v []float32) {
	levels := quantizeK(b, v, 31, -0.5, 15)
	packQ5_K(b, &levels)
}

func packQ5_K(b []byte, levels *[256]byte) {
	high, low := b[16:48], b[48:176]
	clear(high)
	for j := range 8 {
		for i := range 32 {
			high[i] |= levels[32*j+i] >> 4 << j
		}
	}
	for j := range 4 {
		for i := range 32 {
			low[32*j+i] = levels[64*j+i]&15 | levels[64*j+32+i]<<4
		}
	}
}

// groupMaxEps is ggml's GROUP_MAX_EPS: what is smaller counts as zero.
const groupMaxEps = 1e-15

// fitSymmetric chooses levels -32 to 31 (stored plus 32) and a scale for the 16
// numbers of v, weighing errors by the square of the number. It is ggml's
// make_qx_quants with rmse_type 1.
func fitSymmetric(levels []byte, v []float32) (scale float32) {
	x := extreme(v)
	if abs32(x) < groupMaxEps {
		clear(levels)
		return 0
	}
	level := func(iscale, x float32) int { return clamp(nearest(iscale*x), -32, 31) }
	fit := func(iscale float32) (sumLX, sumL2 float32) {
		for _, x := range v {
			l := float32(level(iscale, x))
			w := float32(x * x)
			sumLX += float32(float32(w*x) * l)
			sumL2 += float32(float32(w*l) * l)
		}
		return sumLX, sumL2
	}
	use := func(iscale float32) {
		for i, x := range v {
			levels[i] = byte(32 + level(iscale, x))
		}
	}
	iscale := -32 / x
	use(iscale)
	sumLX, sumL2 := fit(iscale)
	if sumL2 != 0 {
		scale = sumLX / sumL2
	}
	best := scale * sumLX
	for is := -9; is <= 9; is++ {
		if is == 0 {
			continue
		}
		iscale := -(32 + float32(0.1*float32(is))) / x
		sumLX, sumL2 := fit(iscale)
		if sumL2 > 0 && float32(sumLX*sumLX) > float32(best*sumL2) {
			use(iscale)
			scale = sumLX / sumL2
			best = scale * sumLX
		}
	}
	return scale
}

func quantizeQ6_K(b []byte, v []float32) {
	var levels [256]byte
	var scales [16]float32
	for j := range 16 {
		scales[j] = fitSymmetric(levels[16*j:16*j+16], v[16*j:16*j+16])
	}
	maxScale := extreme(scales[:])
	clear(b)
	if abs32(maxScale) < groupMaxEps {
		return
	}
	iscale := -128 / maxScale
	putHalf(b[208:], 1/iscale)
	for j, s := range scales {
		q := min(127, nearest(iscale*s))
		b[192+j] = byte(int8(q))
		d := half(b[208:]) * float32(int8(q))
		if d == 0 {
			continue
		}
		for i := range 16 {
			levels[16*j+i] = byte(32 + clamp(nearest(v[16*j+i]/d), -32, 31))
		}
	}
	packQ6_K(b, &levels)
}

// packQ6_K writes levels to the first 192 bytes, which are zero.
func packQ6_K(b []byte, levels *[256]byte) {
	for h := range 2 {
		for row := range 4 {
			for i := range 32 {
				l := levels[128*h+32*row+i]
				b[64*h+row%2*32+i] |= l & 15 << (row / 2 * 4)
				b[128+32*h+i] |= l >> 4 << (2 * row)
			}
		}
	}
}
