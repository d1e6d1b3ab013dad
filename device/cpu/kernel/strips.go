package kernel

import "unsafe"

// stripArgs are the arguments of packing rows, each of them cut into strips of width
// columns. Distances are in bytes. There is at least one row and one column.
type stripArgs struct {
	dst, src, odd        unsafe.Pointer
	dstStride, srcStride int    // from one packed row to the next
	strip                int    // from one strip of dst to the next
	width                int    // of a strip, at most 128
	rows, whole          int    // strips before the last one
	lanes, last          uint32 // columns of a strip, and of the last one
}

// packStrips packs kn terms that lie in rows below each other, cn columns from
// c0, in strips of width columns; strips are strip elements apart, a packed term takes
// width elements.
func packStrips(s *scratch, dst []float32, b Matrix, k0, kn, c0, cn, width, strip int, f format) {
	if kn == 0 || cn == 0 {
		return
	}
	kernel, distance, rows := isa.stripCopy, 1, kn
	switch f {
	case swap, blocks:
		kernel, distance, rows = isa.stripRound, 2, (kn+1)/2
	case words:
		kernel, distance, rows = isa.stripPairs, 2, kn/2
	}
	if kernel == nil || width > 32 {
		for c := 0; c < cn; c += width {
			packRows(dst[c/width*strip:], b, k0, kn, c0+c, min(width, cn-c), width, 0, f)
		}
		return
	}
	last := (cn - 1) / width
	_, _ = b.Data[(k0+kn-1)*b.Stride+c0+cn-1], dst[last*strip+(f.terms(kn)-1)*width+cn-last*width-1]
	at := func(k int) unsafe.Pointer { return unsafe.Pointer(&b.Data[(k0+k)*b.Stride+c0]) }
	t := &s.strips // calls through a table let their arguments escape
	*t = stripArgs{
		dst: unsafe.Pointer(&dst[0]), src: at(0), srcStride: 4 * distance * b.Stride,
		dstStride: 4 * width, strip: 4 * strip, width: 4 * width, rows: rows, whole: last,
		lanes: uint32(1<<width - 1), last: uint32(1<<(cn-last*width) - 1),
	}
	done := kn
	switch f {
	case swap, blocks:
		t.dst, t.dstStride = unsafe.Pointer(&dst[width]), 8*width
		kernel(t)
		if kn > 1 {
			t.dst, t.src, t.rows = unsafe.Pointer(&dst[0]), at(1), kn/2
			kernel(t)
		}
		if kn&1 == 1 {
			for c := 0; c < cn; c += width {
				clear(dst[c/width*strip+(kn-1)*width:][:min(width, cn-c)])
			}
		}
		return
	case words:
		done = kn &^ 1
		if rows > 0 {
			t.odd = at(1)
			kernel(t)
		}
	default:
		kernel(t)
	}
	for c := 0; done < kn && c < cn; c += width {
		packRows(dst[c/width*strip:], b, k0, kn, c0+c, min(width, cn-c), width, done, f)
	}
}

// packRows packs the terms from term first on, one row after the other.
func packRows(dst []float32, b Matrix, k0, kn, c0, cn, width, first int, f format) {
	row := func(k int) []float32 { return b.Data[(k0+k)*b.Stride+c0:][:cn] }
	switch f {
	case plain:
		for k := first; k < kn; k++ {
			copy(dst[k*width:], row(k))
		}
	case swap, blocks:
		for k := first; k < kn; k++ {
			isa.round(dst[(k^1)*width:][:cn], row(k))
		}
		if kn&1 == 1 {
			clear(dst[(kn-1)*width:][:cn])
		}
	case words:
		var zero [64]float32
		for k := first; k < kn; k += 2 {
			odd := zero[:cn]
			if k+1 < kn {
				odd = row(k + 1)
			}
			isa.interleave(asWords(dst[k/2*width:][:cn]), row(k), odd)
		}
	}
}
