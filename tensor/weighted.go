package tensor

import (
	"math"
)

// Quantising with importance: a number for each column, by which the squares of errors there count. What is
// searched is not ggml's way, and takes longer: for each block, or part of one, scales along a range, each
// followed by least squares on the levels that it gives; the numbers of the block as they will be read
// decide. One search serves all types: levels l of lo to hi stand for d·l − m.

// ConvertWeighted is Convert to a block type of a matrix (…, columns), with the importance of the columns of each
// row, which is finite and at least 0; nil: nothing is known of it. Blocks of which nothing is known, or which do not
// count at all, are those of Convert, and so is all of Q8_0, whose errors are small beside all others.
func (t Tensor) ConvertWeighted(d DType, importance func(row int) []float32) (Tensor, error) {
	out, err := t.Convert(d)
	if err != nil || !d.IsQuantized() || d == Q8_0 {
		return out, err
	}
	v, err := t.Float32s()
	if err != nil {
		return Tensor{}, err
	}
	cols, n, bytes := t.Shape[len(t.Shape)-1], d.BlockSize(), d.Size()
	parallel(len(v)/n, 16*n, func(lo, hi int) {
		s := &search{}
		found := make([]byte, bytes)
		for i := lo; i < hi; i++ {
			row, at := i*n/cols, i*n%cols
			if h := importance(row); h != nil && s.weigh(v[i*n:(i+1)*n], h[at:at+n]) {
				plain := out.Data[i*bytes : (i+1)*bytes]
				// What is exact in its first scale, equal numbers say, is not found again.
				if s.block(d, found) && s.loss(d, found) < s.loss(d, plain) {
					copy(plain, found)
				}
			}
		}
	})
	return out, nil
}

// search is what quantising a block needs.
type search struct {
	v      []float32
	w      [256]float32 // by which squares of errors count
	levels [256]int8
	best   [256]int8
}

// weigh takes the numbers of a block, and tells whether any of them counts. Errors of large numbers count more,
// since the text that importance was measured on is not the text that the model will read.
func (s *search) weigh(v, importance []float32) bool {
	s.v = v
	var sum, any float32
	for _, x := range v {
		sum += float32(x * x)
	}
	mean := sum / float32(len(v))
	for i, x := range v {
		s.w[i] = importance[i] * float32(math.Sqrt(float64(mean+float32(x*x))))
		any += s.w[i]
	}
	return any > 0 && sum > 0
}

// loss is that of the numbers that a block is read as.
func (s *search) loss(d DType, b []byte) (sum float64) {
	var read [256]float32
	dequantize(read[:len(s.v)], d, b)
	for i, x := range s.v {
		e := float64(read[i]) - float64(x)
		sum += float64(float64(s.w[i]) * float64(e*e))
	}
	return sum
}

// block quantises the numbers to b. It is false where no scale fits a half.
func (s *search) block(d DType, b []byte) (ok bool) {
	clear(b)
	switch d {
	case Q4_0:
		ok = s.whole(-8, 7, b)
	case Q5_0:
		ok = s.whole(-16, 15, b)
	case Q4_1:
		ok = s.whole(0, 15, b)
	case Q5_1:
		ok = s.whole(0, 31, b)
	case Q4_K:
		ok = s.affineK(b, 15)
	case Q5_K:
		ok = s.affineK(b, 31)
	case Q6_K:
		ok = s.symmetricK(b)
	}
	s.pack(d, b)
	return ok
}

// pack writes the best levels to a block.
func (s *search) pack(d DType, b []byte) {
	switch d {
	case Q4_0:
		pack4(b[2:], s.stored(8))
	case Q5_0:
		pack5(b[2:], s.stored(16))
	case Q4_1:
		pack4(b[4:], s.stored(0))
	case Q5_1:
		pack5(b[4:], s.stored(0))
	case Q4_K:
		packQ4_K(b, s.stored(0))
	case Q5_K:
		packQ5_K(b, s.stored(0))
	case Q6_K:
		clear(b[:192])
		packQ6_K(b, s.stored(32))
	}
}

// whole quantises a block of one scale, and of one minimum where levels begin at 0: it writes these to b , and
// the levels are best.
func (s *search) whole(lo, hi int, b []byte) bool {
	var d, m float64
	if lo < 0 {
		d = s.symmetric(0, 32, lo, hi)
	} else {
		d, m = s.affine(0, 32, hi, false)
	}
	D, M := rounded(d), rounded(m)
	if D-D != 0 || M-M != 0 || D == 0 {
		return false
	}
	s.settle(0, 32, lo, hi, D, M)
	s.best = s.levels
	putHalf(b, D)
	if lo == 0 {
		putHalf(b[2:], -M)
	}
	return true
}

// stored returns the best levels as blocks hold them, so much above what they stand for.
func (s *search) stored(above int8) *[256]byte {
	var levels [256]byte
	for i, l := range s.best {
		levels[i] = byte(l + above)
	}
	return &levels
}

// level is the one nearest to x.
func level(x float32, lo, hi int) int8 {
	return int8(clamp(nearest(max(min(x, 300), -300)), lo, hi))
}

// fit is a scale and a minimum, and how much of Σ w·v² they explain: what is largest is best.
type fit struct{ d, m, gain float64 }

// symmetric finds the scale d of levels lo to hi for the numbers from at on, and puts the levels into best.
func (s *search) symmetric(at, n, lo, hi int) float64 {
	v, w, levels := s.v[at:at+n], s.w[at:at+n], s.levels[at:at+n]
	best := fit{}
	try := func(id float32) bool {
		var lx, l2 float64
		for i, x := range v {
			l := level(float32(id*x), lo, hi)
			levels[i] = l
			wl := float64(w[i]) * float64(l)
			lx += float64(wl * float64(x))
			l2 += float64(wl * float64(l))
		}
		if !(l2 > 0) || !(lx*lx/l2 > best.gain) {
			return false
		}
		best = fit{d: lx / l2, gain: lx * lx / l2}
		copy(s.best[at:at+n], levels)
		return true
	}
	x := extreme(v)
	clear(s.best[at : at+n])
	if id := 1 / x; id-id != 0 {
		return 0
	}
	for i := range 24 {
		r := float32(lo) * (0.7 + 0.025*float32(i))
		try(r / x)
		try(-r / x)
	}
	for range 3 {
		if best.d == 0 || !try(float32(1/best.d)) {
			break
		}
	}
	return best.d
}

// affine finds scale and minimum of levels 0 to top for the numbers from at on, x ≈ d·l − m, and puts the levels
// into best; m is at least 0 where floor says so.
func (s *search) affine(at, n, top int, floor bool) (d, m float64) {
	v, w, levels := s.v[at:at+n], s.w[at:at+n], s.levels[at:at+n]
	var sw, sx float64
	lowest, highest := v[0], v[0]
	for i, x := range v {
		sw += float64(w[i])
		sx += float64(float64(w[i]) * float64(x))
		lowest, highest = min(lowest, x), max(highest, x)
	}
	if floor {
		lowest = min(lowest, 0)
	}
	clear(s.best[at : at+n])
	best := fit{gain: math.Inf(-1)}
	try := func(id, low float32) bool {
		var sl, sl2, sxl float64
		for i, x := range v {
			l := level(float32(id*(x-low)), 0, top)
			levels[i] = l
			wl := float64(w[i]) * float64(l)
			sl += wl
			sl2 += float64(wl * float64(l))
			sxl += float64(wl * float64(x))
		}
		f := fit{}
		if det := float64(sw*sl2) - float64(sl*sl); det > 0 {
			f.d = (float64(sw*sxl) - float64(sx*sl)) / det
			f.m = -(float64(sl2*sx) - float64(sl*sxl)) / det
		}
		if floor && f.m < 0 || f.d <= 0 {
			f = fit{}
			if sl2 > 0 {
				f.d = sxl / sl2
			}
		}
		// Σ w·v² less the loss.
		f.gain = 2*(float64(f.d*sxl)-float64(f.m*sx)) - float64(f.d*f.d*sl2) - float64(f.m*f.m*sw) + float64(2*f.d*f.m*sl)
		if !(f.gain > best.gain) {
			return false
		}
		best = f
		copy(s.best[at:at+n], levels)
		return true
	}
	id := float32(top) / (highest - lowest)
	if id-id != 0 || id == 0 { // all equal, or nearly: the minimum says it
		if !floor || lowest < 0 {
			return 0, -float64(lowest)
		}
		return 0, 0
	}
	for i := range 20 {
		r := id * (0.88 + 0.03*float32(i))
		try(r, lowest)
		try(r, lowest+0.5/id)
		try(r, lowest+1/id)
	}
	for range 3 {
		if !(best.d > 0) || !try(float32(1/best.d), float32(-best.m)) {
			break
		}
	}
	return best.d, best.m
}

// rounded is the half that is read for a number.
func rounded(x float64) float32 { return F16ToFloat32(F16FromFloat32(float32(x))) }

// settle takes the levels nearest to each number for the scale d and the minimum m as they will be read, and
// returns the loss.
func (s *search) settle(at, n, lo, hi int, d, m float32) (loss float64) {
	id := inverse(d)
	for i, x := range s.v[at : at+n] {
		l := level(float32(id*(x+m)), lo, hi)
		s.levels[at+i] = l
		e := float64(float32(d*float32(l)) - m - x)
		loss += float64(float64(s.w[at+i]) * float64(e*e))
	}
	return loss
}

// steps finds the scale of which each x[i] is about a whole number of at most top times, weighted.
func steps(x, w []float64, top int) float64 {
	largest := 0.0
	for _, v := range x {
		largest = max(largest, math.Abs(v))
	}
	best, bestLoss := 0.0, math.Inf(1)
	for i := range 25 {
		d := largest / (float64(top) * (0.76 + 0.02*float64(i)))
		if d == 0 || 1/d-1/d != 0 {
			return 0
		}
		var lx, l2 float64
		for j, v := range x {
			l := math.RoundToEven(v / d)
			l = max(min(l, float64(top)), -float64(top))
			lx += float64(w[j] * float64(l*v))
			l2 += float64(w[j] * float64(l*l))
		}
		if l2 > 0 {
			d = lx / l2
		}
		loss := 0.0
		for j, v := range x {
			l := max(min(math.RoundToEven(v/d), float64(top)), -float64(top))
			e := v - float64(l*d)
			loss += float64(w[j] * float64(e*e))
		}
		if loss < bestLoss {
			best, bestLoss = d, loss
		}
	}
	return best
}

// affineK quantises a block of Q4_K or Q5_K: eight parts with scales and minima of 6 bits, whose two units are halves. It writes
// the 16 bytes of these to b.
func (s *search) affineK(b []byte, top int) bool {
	var d, m, wd, wm [8]float64
	for j := range 8 {
		d[j], m[j] = s.affine(32*j, 32, top, true)
		for i := 32 * j; i < 32*j+32; i++ {
			l := float64(s.best[i])
			wd[j] += float64(float64(s.w[i]) * float64(l*l))
			wm[j] += float64(s.w[i])
		}
	}
	D, M := rounded(steps(d[:], wd[:], 63)), rounded(steps(m[:], wm[:], 63))
	bestLoss := math.Inf(1)
	var scales, mins, bestScales, bestMins [8]int
	var bestD, bestM float32
	var kept [256]int8
	for range 3 {
		if D-D != 0 || M-M != 0 || D == 0 && M == 0 {
			break
		}
		total := 0.0
		for j := range 8 {
			ls, lm := 0, 0
			if D != 0 {
				ls = clamp(int(math.RoundToEven(d[j]/float64(D))), 0, 63)
			}
			if M != 0 {
				lm = clamp(int(math.RoundToEven(m[j]/float64(M))), 0, 63)
			}
			least := math.Inf(1)
			for a := max(ls-1, 0); a <= min(ls+1, 63); a++ {
				for c := max(lm-1, 0); c <= min(lm+1, 63); c++ {
					loss := s.settle(32*j, 32, 0, top, float32(D*float32(a)), float32(M*float32(c)))
					if loss < least {
						least, scales[j], mins[j] = loss, a, c
						copy(kept[32*j:32*j+32], s.levels[32*j:])
					}
				}
			}
			total += least
		}
		if !(total < bestLoss) {
			break
		}
		bestLoss, bestScales, bestMins, bestD, bestM, s.best = total, scales, mins, D, M, kept
		// Both units again, by least squares for the levels and the parts' numbers.
		var aa, ac, cc, ax, cx float64
		for j := range 8 {
			for i := 32 * j; i < 32*j+32; i++ {
				a, c, w, x := float64(scales[j])*float64(kept[i]), -float64(mins[j]), float64(s.w[i]), float64(s.v[i])
				aa += float64(w * float64(a*a))
				ac += float64(w * float64(a*c))
				cc += float64(w * float64(c*c))
				ax += float64(w * float64(a*x))
				cx += float64(w * float64(c*x))
			}
		}
		switch det := float64(aa*cc) - float64(ac*ac); {
		case det > 1e-9*aa*cc:
			D, M = rounded((float64(ax*cc)-float64(cx*ac))/det), rounded((float64(cx*aa)-float64(ax*ac))/det)
		case aa > 0:
			D = rounded(ax / aa)
		}
		if D < 0 || M < 0 {
			break
		}
	}
	if math.IsInf(bestLoss, 1) {
		return false
	}
	packed := b[4:16]
	for j := range 8 {
		packScaleMin(packed, j, byte(bestScales[j]), byte(bestMins[j]))
	}
	putHalf(b, bestD)
	putHalf(b[2:], bestM)
	return true
}

// symmetricK quantises a block of Q6_K: sixteen parts with scales of 8 bits, whose unit is a half.
func (s *search) symmetricK(b []byte) bool {
	var d, wd [16]float64
	for j := range 16 {
		d[j] = s.symmetric(16*j, 16, -32, 31)
		for i := 16 * j; i < 16*j+16; i++ {
			l := float64(s.best[i])
			wd[j] += float64(float64(s.w[i]) * float64(l*l))
		}
	}
	D := rounded(steps(d[:], wd[:], 127))
	bestLoss := math.Inf(1)
	var scales, bestScales [16]int
	var bestD float32
	var kept [256]int8
	for range 3 {
		if D-D != 0 || D == 0 {
			break
		}
		total := 0.0
		for j := range 16 {
			ls := clamp(int(math.RoundToEven(d[j]/float64(D))), -128, 127)
			least := math.Inf(1)
			for a := max(ls-1, -128); a <= min(ls+1, 127); a++ {
				if loss := s.settle(16*j, 16, -32, 31, float32(D*float32(a)), 0); loss < least {
					least, scales[j] = loss, a
					copy(kept[16*j:16*j+16], s.levels[16*j:])
				}
			}
			total += least
		}
		if !(total < bestLoss) {
			break
		}
		bestLoss, bestScales, bestD, s.best = total, scales, D, kept
		var aa, ax float64
		for j := range 16 {
			for i := 16 * j; i < 16*j+16; i++ {
				a := float64(scales[j]) * float64(kept[i])
				aa += float64(float64(s.w[i]) * float64(a*a))
				ax += float64(float64(s.w[i]) * float64(a*float64(s.v[i])))
			}
		}
		if aa > 0 {
			D = rounded(ax / aa)
		}
	}
	if math.IsInf(bestLoss, 1) {
		return false
	}
	putHalf(b[208:], bestD)
	for j, q := range bestScales {
		b[192+j] = byte(int8(q))
	}
	return true
}
