package kernel

import (
	"math"
	"slices"
)

// normChunk is the length of the chunks of a sum of squares.
const normChunk = 65536

// SumSquares returns Σ x² in float64: chunks of 65,536 elements, each in 16 float32
// lanes, the chunks added in order.
func SumSquares(x []float32) float64 {
	n := spans(len(x), normChunk)
	sums := make([]float32, n)
	Parallel(n, func(i int) {
		c := x[i*normChunk : min(len(x), (i+1)*normChunk)]
		sums[i] = isa.dot(c, c)
	})
	var total float64
	for _, s := range sums {
		total += float64(s)
	}
	return total
}

// AdamW holds the numbers of one step of one parameter group.
type AdamW struct {
	LR, WeightDecay, Beta1, Beta2, Eps float64
	Step                               int     // of the optimiser, from 1
	Clip                               float64 // factor of the gradient
	Selective                          bool    // elements without a gradient stay as they are
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

// Update does one step on parameter p with gradient g and moments m and v.
//
// Loshchilov and Hutter 2019, in the form of torch.optim.AdamW.
func (a AdamW) Update(p, m, v, g []float32) {
	s := a.scalars()
	if !a.Selective {
		eachSpan(len(p), func(lo, hi int) { isa.adamw(p[lo:hi], m[lo:hi], v[lo:hi], g[lo:hi], s) })
		return
	}
	eachSpan(len(p), func(lo, hi int) {
		// Runs of elements with a gradient are updated, those between are not.
		for i := lo; i < hi; {
			j := i
			for j < hi && g[j]*s.clip != 0 {
				j++
			}
			if j > i {
				isa.adamw(p[i:j], m[i:j], v[i:j], g[i:j], s)
			}
			for i = j; i < hi && g[i]*s.clip == 0; i++ {
			}
		}
	})
}

// Lion holds the numbers of one step of one parameter group.
type Lion struct {
	LR, WeightDecay, Beta1, Beta2 float64
	Clip                          float64 // factor of the gradient
	Selective                     bool    // elements without a gradient stay as they are
}

// Update does one step on parameter p with gradient g and momentum m.
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
	BF16                      bool
}

// Newton–Schulz coefficients of Jordan et al. 2024.
const nsA, nsB, nsC, nsSteps = 3.4445, -4.7750, 2.0315, 5

// MuonStep is one matrix to update: P with gradient G and momentum buffer B. G is
// overwritten.
type MuonStep struct {
	Muon
	P, B, G Matrix
}

// UpdateMuon does one step on every matrix.
//
// Jordan et al. 2024 (Newton–Schulz, Nesterov), scaled to AdamW's update size after
// Liu et al. 2025 (0.2·sqrt(max(rows, columns))).
func UpdateMuon(steps []MuonStep) {
	// The blocks are independent and their products small: one thread each keeps the
	// threads busier than all threads on one product after the other. Large ones first.
	type block struct {
		x    Matrix
		bf16 bool
	}
	var blocks []block
	for _, u := range steps {
		mu, clip := float32(u.Momentum), float32(u.Clip)
		b, g := u.B.Data, u.G.Data
		eachSpan(u.P.Rows*u.P.Cols, func(lo, hi int) {
			if clip != 1 {
				isa.scale(g[lo:hi], g[lo:hi], clip)
			}
			isa.mulAdd(b[lo:hi], b[lo:hi], g[lo:hi], mu)
			isa.mulAdd(g[lo:hi], b[lo:hi], g[lo:hi], mu)
		})
		rows := u.P.Rows / u.Blocks
		for i := range u.Blocks {
			blocks = append(blocks, block{u.G.Slice(i*rows, rows), u.BF16})
		}
	}
	work := func(b block) int { return min(b.x.Rows, b.x.Cols) * b.x.Rows * b.x.Cols }
	slices.SortStableFunc(blocks, func(a, b block) int { return work(b) - work(a) })
	Parallel(len(blocks), func(i int) { orthogonalize(blocks[i].x, blocks[i].bf16) })
	for _, u := range steps {
		decay := float32(1 - float64(u.LR*u.WeightDecay))
		rate := float32(-(u.LR * 0.2 * math.Sqrt(float64(max(u.P.Rows/u.Blocks, u.P.Cols)))))
		p, g := u.P.Data, u.G.Data
		eachSpan(u.P.Rows*u.P.Cols, func(lo, hi int) { isa.lin2(p[lo:hi], p[lo:hi], g[lo:hi], decay, rate) })
	}
}

// orthogonalize replaces x by an approximation of the nearest matrix whose
// singular values are all one.
func orthogonalize(x Matrix, bf16 bool) {
	s := borrow()
	defer s.giveBack()
	norm := math.Sqrt(SumSquares(x.Data[:x.Rows*x.Cols])) + 1e-7
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
	for range nsSteps {
		MatMulSym(a, y, bf16)
		MatMulSym(a2, a, bf16) // a is symmetric: a·a = a·aᵀ
		each(a.Data, a.Data, a2.Data, nsB, nsC)
		MatMulNN(z, a, y, nil, bf16)
		eachSpan(m*n, func(lo, hi int) {
			isa.scale(y.Data[lo:hi], y.Data[lo:hi], nsA)
			isa.add(y.Data[lo:hi], y.Data[lo:hi], z.Data[lo:hi])
		})
	}
	if x.Rows > x.Cols {
		isa.transpose(x.Data, y.Data, x.Stride, y.Stride, m, n)
	} else {
		copy(x.Data[:m*n], y.Data)
	}
}
