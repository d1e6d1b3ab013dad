package kernel

import (
	"math"
	"unsafe"

	"olmo/numeric"
	"olmo/tensor"
)

// generic is the definition: plain Go, no assembly.
var generic = &primitives{
	name: "generic", mr: 4, nr: 16,
	tile: tileGeneric, tileBlocks: tileBlocksGeneric,
	round: roundGeneric, roundSwap: roundSwapGeneric, roundPairs: roundPairsGeneric,
	interleave: interleaveGeneric, transpose: transposeGeneric,
	halves: halvesGeneric, bf16s: bf16sGeneric, widen4: widen4Generic, widen8: widen8Generic,
	chain4: chain4Generic, chain8: chain8Generic, chainHalves: chainHalvesGeneric, chainBF16s: chainBF16sGeneric, chainFloats: chainFloatsGeneric,
	int8Levels:  int8LevelsGeneric,
	int8Levels4: int8Generic, int8Levels8: int8Generic, int8Levels5: int8Generic, int8Nested4: int8Generic, int8Nested8: int8Generic, int8Halves8: int8Generic,
	dot: dotGeneric, sum: sumGeneric, max: maxGeneric, expSum: expSumGeneric,
	add: addGeneric, scale: scaleGeneric, fma: fmaGeneric, lin2: lin2Generic, mulAdd: mulAddGeneric, div: divGeneric,
	shift: shiftGeneric, layerApply: layerApplyGeneric,
	normApply: normApplyGeneric, rmsDot: rmsDotGeneric, rmsApply: rmsApplyGeneric, rmsWeight: rmsWeightGeneric,
	swiglu: swigluGeneric, swigluBack: swigluBackGeneric, rope: ropeGeneric,
	softmaxBack: softmaxBackGeneric, adamw: adamwGeneric,
}

func at(p unsafe.Pointer, off uintptr) *float32 { return (*float32)(unsafe.Add(p, off)) }

func tileGeneric(t *tileArgs) {
	const nr = 16
	for i := range t.rows {
		var acc [nr]float32
		a := unsafe.Add(t.a, uintptr(i)*t.rowStride)
		for k := range t.k {
			x := *at(a, uintptr(k)*t.kStride)
			b := unsafe.Slice((*float32)(unsafe.Add(t.b, k*nr*4)), nr)
			if t.mode&tileFlush != 0 {
				for j := range acc {
					acc[j] = numeric.FlushedFMA(x, b[j], acc[j])
				}
			} else {
				for j := range acc {
					acc[j] = numeric.FMA(x, b[j], acc[j])
				}
			}
		}
		c := unsafe.Slice((*float32)(unsafe.Add(t.c, uintptr(i)*t.ldc)), nr)
		for j := range acc {
			var old float32
			if t.mode&tileAdd != 0 {
				old = c[j]
			}
			if t.mode&tileFlush != 0 {
				c[j] = numeric.FlushedAdd(old, acc[j])
			} else {
				c[j] = old + acc[j]
			}
		}
	}
}

func tileBlocksGeneric(t *tileArgs) {
	const nr = 16
	for i := range t.rows {
		acc := unsafe.Slice((*float32)(unsafe.Add(t.c, uintptr(i)*t.ldc)), nr)
		if t.mode&tileAdd == 0 {
			clear(acc)
		}
		a := unsafe.Add(t.a, uintptr(i)*t.rowStride)
		for begin := 0; begin < t.k; begin += numeric.Block {
			end := min(t.k, begin+numeric.Block)
			for j := range acc {
				term := func(chain float32, k int) float32 {
					return numeric.FlushedFMA(*at(a, uintptr(k)*t.kStride), *at(t.b, uintptr(k*nr+j)*4), chain)
				}
				var even, odd float32
				for k := begin; k < end; k += 2 {
					odd, even = term(odd, k), term(even, k+1)
				}
				if end-begin < numeric.Block { // terms (+0)·(+0) make +0 of −0
					odd, even = odd+0, even+0
				}
				acc[j] = numeric.FlushedAdd(acc[j], numeric.FlushedAdd(even, odd))
			}
		}
	}
}

func roundGeneric(dst, x []float32) {
	for i, v := range x {
		dst[i] = numeric.RoundBF16(v)
	}
}

func roundSwapGeneric(dst, x []float32) {
	n := len(x)
	for i := 0; i < n; i += 2 {
		even, odd := numeric.RoundBF16(x[i]), float32(0)
		if i+1 < n {
			odd = numeric.RoundBF16(x[i+1])
		}
		dst[i], dst[i+1] = odd, even
	}
}

func roundPairsGeneric(dst []uint32, x []float32) {
	n := len(x)
	for i := 0; i < n; i += 2 {
		w := uint32(numeric.BF16Bits(x[i]))
		if i+1 < n {
			w |= uint32(numeric.BF16Bits(x[i+1])) << 16
		}
		dst[i/2] = w
	}
}

func interleaveGeneric(dst []uint32, even, odd []float32) {
	for i := range dst {
		dst[i] = uint32(numeric.BF16Bits(even[i])) | uint32(numeric.BF16Bits(odd[i]))<<16
	}
}

func transposeGeneric(dst, src []float32, dstStride, srcStride, rows, cols int) {
	for r := range rows {
		for c, v := range src[r*srcStride : r*srcStride+cols] {
			dst[c*dstStride+r] = v
		}
	}
}

func halvesGeneric(dst []float32, x []uint16) {
	for i := range dst {
		dst[i] = tensor.F16ToFloat32(x[i])
	}
}

func bf16sGeneric(dst []float32, x []uint16) {
	for i := range dst {
		dst[i] = math.Float32frombits(uint32(x[i]) << 16)
	}
}

func widen4Generic(t *levelArgs) {
	half := t.nr / 2
	levels, dst := unsafe.Slice((*byte)(t.levels), t.terms*half), unsafe.Slice((*float32)(t.dst), t.terms*t.nr)
	for i, q := range levels {
		c := i / 4 % half
		low := (i/(4*half)*4+i%4)*t.nr + c
		dst[low] = t.weight(t.table[q&15], c)
		dst[low+half] = t.weight(t.table[q>>4], c+half)
	}
}

func widen8Generic(t *levelArgs) {
	levels, dst := unsafe.Slice((*int8)(t.levels), t.terms*t.nr), unsafe.Slice((*float32)(t.dst), t.terms*t.nr)
	for i, q := range levels {
		c := i / 4 % t.nr
		dst[(i/(4*t.nr)*4+i%4)*t.nr+c] = t.weight(float32(q), c)
	}
}

// chain goes on with chains over the numbers that widen makes of a few terms at a time.
func (t *levelArgs) chain(step int, widen func(dst []float32, term int)) {
	sum, x, w := unsafe.Slice((*float32)(t.dst), t.nr), unsafe.Slice((*float32)(t.x), t.terms), make([]float32, step*t.nr)
	for k := 0; k < t.terms; k += step {
		widen(w, k)
		for i := range step {
			for j := range sum {
				sum[j] = numeric.FMA(x[k+i], w[i*t.nr+j], sum[j])
			}
		}
	}
}

// four returns the arguments that widen four terms of t from k on to dst, whose levels take size bytes each.
func (t *levelArgs) four(dst []float32, k, size int) *levelArgs {
	some := *t
	some.levels, some.dst, some.terms = unsafe.Add(t.levels, k*size), unsafe.Pointer(&dst[0]), 4
	return &some
}

func chain4Generic(t *levelArgs) {
	t.eachGroup(t.nr/2, func(t *levelArgs) { t.chain(4, func(dst []float32, k int) { widen4Generic(t.four(dst, k, t.nr/2)) }) })
}

func chain8Generic(t *levelArgs) {
	t.eachGroup(t.nr, func(t *levelArgs) { t.chain(4, func(dst []float32, k int) { widen8Generic(t.four(dst, k, t.nr)) }) })
}

// eachGroup calls do with the arguments of each group, of which a term takes size bytes.
func (t *levelArgs) eachGroup(size int, do func(*levelArgs)) {
	var halves [2][maxNR]float32
	g := *t
	for n := range t.groups {
		if t.nested == 0 {
			for i := range 1 + t.hasMinimum {
				halvesGeneric(halves[i][:t.nr], unsafe.Slice((*uint16)(g.levels), t.nr))
				g.levels = unsafe.Add(g.levels, 2*t.nr)
			}
			g.scale, g.minimum = unsafe.Pointer(&halves[0]), unsafe.Pointer(&halves[1])
		}
		do(&g)
		if n+1 == t.groups { // behind the last one there may be nothing to point at
			break
		}
		g.levels, g.x = unsafe.Add(g.levels, t.terms*size), unsafe.Add(g.x, 4*t.terms)
		if t.nested != 0 {
			g.scale = unsafe.Add(g.scale, 4*t.nr)
			if t.hasMinimum != 0 {
				g.minimum = unsafe.Add(g.minimum, 4*t.nr)
			}
		}
	}
}

func chainHalvesGeneric(t *levelArgs) {
	words := unsafe.Slice((*uint16)(t.levels), t.terms*t.nr)
	t.chain(1, func(dst []float32, k int) { halvesGeneric(dst, words[k*t.nr:]) })
}

func chainBF16sGeneric(t *levelArgs) {
	words := unsafe.Slice((*uint16)(t.levels), t.terms*t.nr)
	t.chain(1, func(dst []float32, k int) { bf16sGeneric(dst, words[k*t.nr:]) })
}

func chainFloatsGeneric(t *levelArgs) {
	floats := unsafe.Slice((*float32)(t.levels), t.terms*t.nr)
	t.chain(1, func(dst []float32, k int) { copy(dst, floats[k*t.nr:]) })
}

// weight is the number of a level in column j.
func (t *levelArgs) weight(level float32, j int) float32 {
	w := float32(level * *at(t.scale, uintptr(4*j)))
	if t.hasMinimum != 0 {
		w += *at(t.minimum, uintptr(4*j))
	}
	return w
}

// lanes is the accumulator of a row reduction.
type lanes [16]float32

// tree adds the lanes in the order 8-4-2-1.
func (l *lanes) tree() float32 {
	for s := 8; s > 0; s /= 2 {
		for i := range s {
			l[i] += l[i+s]
		}
	}
	return l[0]
}

// pad16 counts the terms up to the next multiple of 16.
func pad16(n int) int { return (n + 15) &^ 15 }

func dotGeneric(x, y []float32) float32 {
	var l lanes
	for i := range x {
		l[i&15] = numeric.FMA(x[i], y[i], l[i&15])
	}
	for i := len(x); i < pad16(len(x)); i++ {
		l[i&15] += 0
	}
	return l.tree()
}

func sumGeneric(x []float32) float32 {
	var l lanes
	for i, v := range x {
		l[i&15] += v
	}
	return l.tree()
}

func maxGeneric(x []float32) float32 {
	inf := float32(math.Inf(-1))
	l := lanes{inf, inf, inf, inf, inf, inf, inf, inf, inf, inf, inf, inf, inf, inf, inf, inf}
	for i, v := range x {
		if v > l[i&15] {
			l[i&15] = v
		}
	}
	for s := 8; s > 0; s /= 2 {
		for i := range s {
			if l[i+s] > l[i] {
				l[i] = l[i+s]
			}
		}
	}
	return l[0]
}

func expSumGeneric(dst, x []float32, m float32) float32 {
	var l lanes
	for i, v := range x {
		e := numeric.Exp32(v - m)
		dst[i] = e
		l[i&15] += e
	}
	return l.tree()
}

func addGeneric(dst, a, b []float32) {
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}

func scaleGeneric(dst, x []float32, s float32) {
	for i := range dst {
		dst[i] = x[i] * s
	}
}

func fmaGeneric(acc, x, y []float32) {
	for i := range acc {
		acc[i] = numeric.FMA(x[i], y[i], acc[i])
	}
}

func lin2Generic(dst, a, b []float32, s, t float32) {
	for i := range dst {
		dst[i] = float32(a[i]*s) + float32(b[i]*t)
	}
}

func mulAddGeneric(dst, b, g []float32, s float32) {
	for i := range dst {
		dst[i] = float32(b[i]*s) + g[i]
	}
}

func divGeneric(dst, x []float32, s float32) {
	for i := range dst {
		dst[i] = x[i] / s
	}
}

func normApplyGeneric(y, x, w []float32, rstd float32) {
	for i := range y {
		y[i] = float32(x[i]*rstd) * w[i]
	}
}

func rmsDotGeneric(dy, w, x []float32, rstd float32) float32 {
	var l lanes
	for i := range dy {
		l[i&15] = numeric.FMA(float32(dy[i]*w[i]), float32(x[i]*rstd), l[i&15])
	}
	for i := len(dy); i < pad16(len(dy)); i++ {
		l[i&15] += 0
	}
	return l.tree()
}

func shiftGeneric(dst, x []float32, s float32) {
	for i := range dst {
		dst[i] = x[i] - s
	}
}

func layerApplyGeneric(dx, g, hat []float32, rstd, a, c float32) {
	for i := range dx {
		h := float32(hat[i] * c)
		dx[i] = rstd * ((g[i] - a) - h)
	}
}

func rmsApplyGeneric(dx, dy, w, x []float32, rstd, c float32) {
	for i := range dx {
		g := float32(dy[i] * w[i])
		h := float32(float32(x[i]*rstd) * c)
		dx[i] = rstd * (g - h)
	}
}

func rmsWeightGeneric(acc, dy, x []float32, rstd float32) {
	for i := range acc {
		acc[i] = numeric.FMA(dy[i], float32(x[i]*rstd), acc[i])
	}
}

func swigluGeneric(y, u, g []float32) {
	for i := range y {
		t := g[i] * numeric.Sigmoid32(g[i])
		y[i] = t * u[i]
	}
}

func swigluBackGeneric(du, dg, dy, u, g []float32) {
	for i := range dy {
		s := numeric.Sigmoid32(g[i])
		t := g[i] * s
		d := float32(dy[i] * u[i])
		r := s + float32(t*(1-s))
		du[i] = dy[i] * t
		dg[i] = d * r
	}
}

func ropeGeneric(y1, y2, x1, x2, cos, sin []float32) {
	for i := range y1 {
		a, b := x1[i], x2[i]
		y1[i] = float32(a*cos[i]) - float32(b*sin[i])
		y2[i] = float32(b*cos[i]) + float32(a*sin[i])
	}
}

func softmaxBackGeneric(p, ds, e, dp []float32, inv, delta, scale float32) {
	for i := range p {
		q := float32(e[i] * inv)
		d := float32(q*(dp[i]-delta)) * scale
		p[i], ds[i] = q, d
	}
}

// adamwScalars are one step's factors, computed in float64 and rounded once.
type adamwScalars struct {
	clip  float32 // factor of the gradient
	decay float32 // 1 − lr·wd
	beta1 float32
	omb1  float32 // 1 − β₁
	beta2 float32
	omb2  float32 // 1 − β₂
	step  float32 // lr / (1 − β₁ᵗ)
	root  float32 // sqrt(1 − β₂ᵗ)
	eps   float32
}

func adamwGeneric(p, m, v, g []float32, s *adamwScalars) {
	for i := range p {
		d := float32(g[i] * s.clip)
		q := float32(p[i] * s.decay)
		mi := float32(m[i]*s.beta1) + float32(d*s.omb1)
		vi := float32(v[i]*s.beta2) + float32(float32(d*d)*s.omb2)
		m[i], v[i] = mi, vi
		den := float32(numeric.Sqrt32(vi)/s.root) + s.eps
		p[i] = q - float32(mi*s.step)/den
	}
}
