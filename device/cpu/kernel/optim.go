package kernel

import (
	"math"
	"slices"

	"olmo/internal/parallel"
	"olmo/numeric"
)

// normChunk is the length of the chunks of a sum of squares.
const normChunk = 65536

// SumSquares returns Σ x² in float64: chunks of 65,536 elements, each in 16 float32
// lanes, the chunks added in order.
func SumSquares(x []float32) float64 {
	n := spans(len(x), normChunk)
	sums := make([]float32, n)
	parallel.For(n, func(i int) {
		c := x[i*normChunk : min(len(x), (i+1)*normChunk)]
		sums[i] = isa.dot(c, c)
	})
	var total float64
	for _, s := range sums {
		total += float64(s)
	}
	return total
}

// AdamW holds the numbers of step t of one parameter group.
type AdamW struct {
	LR, WeightDecay, Beta1, Beta2, Eps float64
	Step                               int     // of the optimiser, from 1
	Clip                               float64 // factor of the gradient
	Selective                          bool    // elements without a gradient stay as they are
	Zero                               bool    // the gradient is 0 afterwards
}

func (a AdamW) scalars() *adamwScalars {
	power := func(b float64) float64 { // by squaring: exact rules, no logarithm
		r, n := 1.0, a.Step
		for ; n > 0; n >>= 1 {
			if n&1 == 1 {
				r *= b
			}
			b *= b
		}
		return r
	}
	return &adamwScalars{
		clip: float32(a.Clip), decay: float32(1 - float64(a.LR*a.WeightDecay)),
		beta1: float32(a.Beta1), omb1: float32(1 - a.Beta1), beta2: float32(a.Beta2), omb2: float32(1 - a.Beta2),
		step: float32(a.LR / (1 - power(a.Beta1))), root: float32(math.Sqrt(1 - power(a.Beta2))), eps: float32(a.Eps),
	}
}

// Update does one step on parameter p with gradient g and moments m and v:
//
//	d = g·clip    m = β₁·m + (1 − β₁)·d    v = β₂·v + (1 − β₂)·d²
//	p = p·(1 − lr·wd) − lr/(1 − β₁ᵗ)·m / (√v/√(1 − β₂ᵗ) + eps)
//
// Loshchilov and Hutter 2019, in the form of torch.optim.AdamW.
func (a AdamW) Update(p, m, v, g []float32) {
	s := a.scalars()
	eachSpan(len(p), func(lo, hi int) {
		if a.Selective {
			s.selective(p[lo:hi], m[lo:hi], v[lo:hi], g[lo:hi])
		} else {
			isa.adamw(p[lo:hi], m[lo:hi], v[lo:hi], g[lo:hi], s)
		}
		if a.Zero { // while it is near
			clear(g[lo:hi])
		}
	})
}

// selective updates runs of elements with a gradient, and none of those between.
func (s *adamwScalars) selective(p, m, v, g []float32) {
	for i := 0; i < len(p); {
		j := i
		for j < len(p) && g[j]*s.clip != 0 {
			j++
		}
		if j > i {
			isa.adamw(p[i:j], m[i:j], v[i:j], g[i:j], s)
		}
		for i = j; i < len(p) && g[i]*s.clip == 0; i++ {
		}
	}
}

// Lion holds the numbers of one step of one parameter group.
type Lion struct {
	LR, WeightDecay, Beta1, Beta2 float64
	Clip                          float64 // factor of the gradient
	Selective                     bool    // elements without a gradient stay as they are
}

// Update does one step on parameter p with gradient g and momentum m:
//
//	d = g·clip    p = p·(1 − lr·wd) − lr·sign(β₁·m + (1 − β₁)·d)    m = β₂·m + (1 − β₂)·d
//
// Chen et al. 2023, with decoupled weight decay, in the form of LionW of the ai2-olmo
// package (olmo/optim.py, 0.6.0).
func (l Lion) Update(p, m, g []float32) {
	clip, lr, decay := float32(l.Clip), float32(l.LR), float32(1-float64(l.LR*l.WeightDecay))
	b1, c1, b2, c2 := float32(l.Beta1), float32(1-l.Beta1), float32(l.Beta2), float32(1-l.Beta2)
	eachSpan(len(p), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			d := float32(g[i] * clip)
			if l.Selective && d == 0 {
				continue
			}
			u := float32(m[i]*b1) + float32(d*c1)
			switch {
			case u > 0:
				u = 1
			case u < 0:
				u = -1
			}
			p[i] = float32(p[i]*decay) - float32(u*lr)
			m[i] = float32(m[i]*b2) + float32(d*c2)
		}
	})
}

// Muon holds the numbers of one step of one matrix.
type Muon struct {
	LR, WeightDecay, Momentum float64
	Clip                      float64 // factor of the gradient
	Blocks                    int     // equal blocks of rows, each made orthogonal by itself
	Precision                 numeric.Precision
	Heavy                     bool    // plain momentum, not Nesterov's
	Factor                    float64 // of LR, for the shape of a block
	Cautious                  bool    // only weights that the update makes smaller decay
	Beta2                     float64 // of NorMuon
}

// polynomials make singular values one, step by step: y·a + (A·b + A²·c)·y, A = y·yᵀ, from a
// matrix that has been divided by its norm.
type polynomials struct {
	safety, eps float64 // the norm is multiplied and added to
	steps       [5][3]float64
}

var (
	// Jordan et al. 2024.
	newtonSchulz = &polynomials{1, 1e-7, [5][3]float64{
		{3.4445, -4.7750, 2.0315}, {3.4445, -4.7750, 2.0315}, {3.4445, -4.7750, 2.0315}, {3.4445, -4.7750, 2.0315}, {3.4445, -4.7750, 2.0315},
	}}
	// Amsel et al. 2025 (Polar Express), as NorMuon has them in the dion package.
	polarExpress = &polynomials{1.02, 1e-8, [5][3]float64{
		{8.156554524902461, -22.48329292557795, 15.878769915207462},
		{4.042929935166739, -2.808917465908714, 0.5000178451051316},
		{3.8916678022926607, -2.772484153217685, 0.5060648178503393},
		{3.285753657755655, -2.3681294933425376, 0.46449024233003106},
		{2.3465413258596377, -1.7097828382687081, 0.42323551169305323},
	}}
)

// MuonStep is one matrix to update: P with gradient G and momentum buffer B. G is
// overwritten. V, one number for each row, makes it NorMuon.
type MuonStep struct {
	Muon
	P, B, G Matrix
	V       []float32
}

// UpdateMuon does one step on every matrix:
//
//	b = μ·b + g·clip    u = μ·b + g·clip, or b when heavy    p = p·(1 − lr·wd) − lr·factor·orthogonal(u)
//
// Jordan et al. 2024 (Newton–Schulz); with V NorMuon, Li et al. 2025, as in the dion package
// (dion/normuon.py, 2026-08).
func UpdateMuon(steps []MuonStep) {
	// The blocks are independent and their products small: one thread each keeps the
	// threads busier than all threads on one product after the other. Large ones first.
	type block struct {
		*MuonStep
		x Matrix
		v []float32
	}
	var blocks []block
	for i := range steps {
		u := &steps[i]
		mu, clip := float32(u.Momentum), float32(u.Clip)
		b, g := u.B.Data, u.G.Data
		eachSpan(u.P.Rows*u.P.Cols, func(lo, hi int) {
			if clip != 1 {
				isa.scale(g[lo:hi], g[lo:hi], clip)
			}
			isa.mulAdd(b[lo:hi], b[lo:hi], g[lo:hi], mu)
			if u.Heavy {
				copy(g[lo:hi], b[lo:hi])
			} else {
				isa.mulAdd(g[lo:hi], b[lo:hi], g[lo:hi], mu)
			}
		})
		rows := u.P.Rows / u.Blocks
		for i := range u.Blocks {
			c := block{MuonStep: u, x: u.G.Slice(i*rows, rows)}
			if u.V != nil {
				c.v = u.V[i*rows : (i+1)*rows]
			}
			blocks = append(blocks, c)
		}
	}
	work := func(b block) int { return min(b.x.Rows, b.x.Cols) * b.x.Rows * b.x.Cols }
	slices.SortStableFunc(blocks, func(a, b block) int { return work(b) - work(a) })
	parallel.For(len(blocks), func(i int) {
		b := &blocks[i]
		if b.v == nil {
			orthogonalize(b.x, newtonSchulz, b.Precision)
			return
		}
		orthogonalize(b.x, polarExpress, b.Precision)
		normalizeRows(b.x, b.v, b.Beta2)
	})
	for _, u := range steps {
		decayAndAdd(u.P.Data[:u.P.Rows*u.P.Cols], u.G.Data, float64(u.LR*u.WeightDecay), u.LR*u.Factor, u.Cautious)
	}
}

// decayAndAdd subtracts u·rate from p after p has decayed by the share decay: everywhere or,
// when cautious, where p and u have the same sign.
func decayAndAdd(p, u []float32, decay, rate float64, cautious bool) {
	d, r, keep := float32(decay), float32(rate), float32(1-decay)
	eachSpan(len(p), func(lo, hi int) {
		if !cautious {
			isa.lin2(p[lo:hi], p[lo:hi], u[lo:hi], keep, -r)
			return
		}
		for i := lo; i < hi; i++ {
			v := p[i]
			if float32(v*u[i]) >= 0 {
				v -= float32(v * d)
			}
			p[i] = v - float32(u[i]*r)
		}
	})
}

// normalizeRows divides each row by the root of the running average v of its mean square, and
// gives the whole its old norm back.
func normalizeRows(x Matrix, v []float32, beta2 float64) {
	n := x.Rows * x.Cols
	before := math.Sqrt(SumSquares(x.Data[:n]))
	b, c := float32(beta2), float32(1-beta2)
	for r := range x.Rows {
		row := x.Row(r)
		mean := isa.dot(row, row) / float32(x.Cols)
		v[r] = float32(v[r]*b) + float32(mean*c)
		isa.div(row, row, float32(math.Sqrt(float64(v[r])))+1e-8)
	}
	k := float32(before / max(math.Sqrt(SumSquares(x.Data[:n])), 1e-8))
	isa.scale(x.Data[:n], x.Data[:n], k)
}

// orthogonalize replaces x by an approximation of the nearest matrix whose
// singular values are all one.
func orthogonalize(x Matrix, poly *polynomials, precision numeric.Precision) {
	s := borrowWide()
	defer s.giveBack()
	norm := float64(math.Sqrt(SumSquares(x.Data[:x.Rows*x.Cols]))*poly.safety) + poly.eps
	m, n := min(x.Rows, x.Cols), max(x.Rows, x.Cols)
	y := Dense(s.buf(0, m*n), m, n)
	if x.Rows > x.Cols {
		isa.transpose(y.Data, x.Data, y.Stride, x.Stride, x.Rows, x.Cols)
	} else {
		copy(y.Data, x.Data[:m*n])
	}
	each := func(d, a, b []float32, p, q float32) {
		eachSpan(len(d), func(lo, hi int) { isa.lin2(d[lo:hi], a[lo:hi], b[lo:hi], p, q) })
	}
	inv := float32(1 / norm)
	eachSpan(m*n, func(lo, hi int) { isa.scale(y.Data[lo:hi], y.Data[lo:hi], inv) })
	a := Dense(s.buf(1, m*m), m, m)
	a2 := Dense(s.buf(2, m*m), m, m)
	z := Dense(s.buf(3, m*n), m, n)
	for _, k := range poly.steps {
		MatMulSym(a, y, precision)
		MatMulSym(a2, a, precision) // a is symmetric: a·a = a·aᵀ
		each(a.Data, a.Data, a2.Data, float32(k[1]), float32(k[2]))
		MatMulNN(z, a, y, nil, precision)
		eachSpan(m*n, func(lo, hi int) {
			isa.scale(y.Data[lo:hi], y.Data[lo:hi], float32(k[0]))
			isa.add(y.Data[lo:hi], y.Data[lo:hi], z.Data[lo:hi])
		})
	}
	if x.Rows > x.Cols {
		isa.transpose(x.Data, y.Data, x.Stride, y.Stride, m, n)
	} else {
		copy(x.Data[:m*n], y.Data)
	}
}
