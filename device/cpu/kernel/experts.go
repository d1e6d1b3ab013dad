package kernel

import "olmo/numeric"

// DeinterleaveHeads copies part i of each head of x, N×(H·parts·D), to out[i], N×(H·D).
func DeinterleaveHeads(out []Matrix, x Matrix, D int) {
	eachRow(x.Rows, func(r int) {
		row := x.Row(r)
		for o := 0; o < len(row); o += D {
			h, i := o/D/len(out), o/D%len(out)
			copy(out[i].Row(r)[h*D:(h+1)*D], row[o:o+D])
		}
	})
}

// InterleaveHeads is the inverse of DeinterleaveHeads.
func InterleaveHeads(y Matrix, in []Matrix, D int) {
	eachRow(y.Rows, func(r int) {
		row := y.Row(r)
		for o := 0; o < len(row); o += D {
			h, i := o/D/len(in), o/D%len(in)
			copy(row[o:o+D], in[i].Row(r)[h*D:(h+1)*D])
		}
	})
}

// Router writes the softmax of the logits, N×E, to p, and its k largest values to w,
// which is zero elsewhere; of equal values the first count. With normalize the chosen
// are divided by their sum.
func Router(w, p, logits Matrix, k int, normalize bool) {
	eachRow(logits.Rows, func(r int) {
		l, p, w := logits.Row(r), p.Row(r), w.Row(r)
		isa.div(p, p, isa.expSum(p, l, isa.max(l)))
		clear(w)
		taken := make([]bool, len(p))
		for range k {
			best := -1
			for i, v := range p {
				if !taken[i] && (best < 0 || v > p[best]) {
					best = i
				}
			}
			taken[best] = true
			w[best] = p[best]
		}
		if normalize {
			isa.div(w, w, isa.sum(w))
		}
	})
}

// RouterBackward computes, with the sum over the chosen experts alone, whose weights are not zero,
//
//	dlᵢ = pᵢ·(dwᵢ − Σ dwⱼ·pⱼ)    and dwᵢ = 0 for the others
//
// With normalize the chosen experts' weights are themselves a softmax, over the chosen, and stand
// in place of p. All are N×E.
func RouterBackward(dl, dw, w, p Matrix, normalize bool) {
	eachRowScratch(dl.Rows, func(s *scratch, r int) {
		dw, w, p, dl := dw.Row(r), w.Row(r), p.Row(r), dl.Row(r)
		if normalize {
			p = w
		}
		d := s.buf(0, len(w))
		for i, v := range w {
			d[i] = 0
			if v != 0 {
				d[i] = dw[i]
			}
		}
		sum := isa.dot(d, p)
		for i := range dl {
			dl[i] = p[i] * (d[i] - sum)
		}
	})
}

// RouterLosses are the weights of the losses that keep the experts of a router busy
// alike and its logits small.
type RouterLosses struct {
	K              int
	Balance, ZLoss float64
	Scale          float32 // of the gradient
	// Pooled, where it is not nil, has for each sequence what stands in the place of f, and the
	// only factor: balance is Σ f·p, and dl the gradient of its sum.
	Pooled [][]float32
}

// Run computes both losses of each token from logits, weights and softmax of a router, and
// with dl (N×E) the gradient of
//
//	scale · Σ (Balance·balance + ZLoss·z)
//
// where balance is E/K·Σ f·p with f the share of the sequence's tokens that each expert
// got, and z the squared log of the sum of exponentials. lengths are those of the
// sequences.
//
// Shazeer et al. 2017 and Fedus et al. 2021 for balance, Zoph et al. 2022 for z; by
// instance as in OLMo-core (nn/moe/loss.py, granularity instance).
func (l RouterLosses) Run(balance, z []float32, logits, w, p Matrix, lengths []int, dl *Matrix) {
	E := w.Cols
	ratio := float64(E) / float64(l.K)
	r32 := float32(ratio)
	cb, cz := float32(float64(l.Scale)*l.Balance*ratio), float32(float64(l.Scale)*l.ZLoss*2)
	if l.Pooled != nil {
		r32, cb, cz = 1, 1, 0
	}
	begin := 0
	for i, n := range lengths {
		f := make([]float32, E)
		for e := range f {
			count := 0
			for r := begin; r < begin+n; r++ {
				if w.Row(r)[e] != 0 {
					count++
				}
			}
			f[e] = float32(count) / float32(n)
		}
		if l.Pooled != nil {
			copy(f, l.Pooled[i])
		}
		at := begin
		eachRowScratch(n, func(s *scratch, i int) {
			r := at + i
			x, p := logits.Row(r), p.Row(r)
			u := isa.dot(f, p)
			m := isa.max(x)
			lse := m + float32(numeric.Log(float64(isa.expSum(s.buf(0, E), x, m))))
			balance[r], z[r] = float32(u*r32), float32(lse*lse)
			if dl == nil {
				return
			}
			d := dl.Row(r)
			for e := range d {
				d[e] = p[e] * (float32(cb*(f[e]-u)) + float32(cz*lse))
			}
		})
		begin += n
	}
}

// Experts is a mixture of SwiGLU MLPs: up and gate are F×C, down is C×F, for each
// expert.
type Experts struct {
	Up, Gate, Down []Matrix
	K              int // experts of a token, at most
	Precision      numeric.Precision
	// Packed, if set, returns up, gate and down of an expert packed for Forward.
	Packed func(e int) [3]*Packed
}

// products returns the three products of an expert.
func (m *Experts) products(e int) (up, gate, down func(y, x Matrix)) {
	if m.Packed != nil {
		p := m.Packed(e)
		by := func(w *Packed) func(y, x Matrix) { return func(y, x Matrix) { MatMulPacked(y, x, w, nil) } }
		return by(p[0]), by(p[1]), by(p[2])
	}
	by := func(w Matrix) func(y, x Matrix) { return func(y, x Matrix) { MatMulNT(y, x, w, nil, m.Precision) } }
	return by(m.Up[e]), by(m.Gate[e]), by(m.Down[e])
}

// routed lists the rows of each expert, and for each the place of the expert among
// the row's.
func (m *Experts) routed(w Matrix) (rows, slots [][]int) {
	rows, slots = make([][]int, len(m.Up)), make([][]int, len(m.Up))
	for r := range w.Rows {
		slot := 0
		for e, v := range w.Row(r) {
			if v != 0 && slot < m.K {
				rows[e], slots[e] = append(rows[e], r), append(slots[e], slot)
				slot++
			}
		}
	}
	return rows, slots
}

// take copies rows of x side by side.
func take(s *scratch, slot int, x Matrix, rows []int) Matrix {
	y := Dense(s.buf(slot, len(rows)*x.Cols), len(rows), x.Cols)
	for i, r := range rows {
		copy(y.Row(i), x.Row(r))
	}
	return y
}

func (s *scratch) matrix(slot, rows, cols int) Matrix {
	return Dense(s.buf(slot, rows*cols), rows, cols)
}

// Forward computes y = Σ wₑ·downₑ·(silu(gateₑ·x)·(upₑ·x)), experts ascending, and writes what the
// backward pass needs, upₑ·x and gateₑ·x of each row's experts, to h, N×(K·2F). x and y are N×C; w is
// N×E, zero for the experts that do not take part.
func (m *Experts) Forward(y, h, x, w Matrix) {
	eachRow(y.Rows, func(r int) { clear(y.Row(r)) })
	rows, slots := m.routed(w)
	s := borrowWide()
	defer s.giveBack()
	for e, rs := range rows {
		n, F := len(rs), m.Up[e].Rows
		if n == 0 {
			continue
		}
		xe := take(s, 0, x, rs)
		hidden, act, out := s.matrix(1, n, 2*F), s.matrix(2, n, F), s.matrix(3, n, x.Cols)
		up, gate, down := m.products(e)
		up(hidden.Columns(0, F), xe)
		gate(hidden.Columns(F, F), xe)
		SwiGLU(act, hidden, false)
		down(out, act)
		for i, r := range rs {
			copy(h.Row(r)[slots[e][i]*2*F:], hidden.Row(i))
			isa.lin2(y.Row(r), y.Row(r), out.Row(i), 1, w.Row(r)[e])
		}
	}
}

// Backward computes, for each expert e with aₑ = silu(gateₑ·x)·(upₑ·x) and bₑ = downₑᵀ·dy,
//
//	dwₑ = bₑ·aₑ    ddownₑ += wₑ·dyᵀ·aₑ    dup, dgate = SwiGLU's gradient of wₑ·bₑ
//	dx = Σ upₑᵀ·dup + gateₑᵀ·dgate    and dupᵀ·x, dgateᵀ·x are added to the matrices' gradients
//
// A sum over tokens skips those that the router sends elsewhere; its pieces are cut at ends all the same. grads
// may be nil: then the matrices have no gradients.
func (m *Experts) Backward(dx, dw, dy, x, w, h Matrix, grads *Experts, ends []int) {
	eachRow(dx.Rows, func(r int) {
		clear(dx.Row(r))
		clear(dw.Row(r))
	})
	rows, slots := m.routed(w)
	s := borrowWide()
	defer s.giveBack()
	for e, rs := range rows {
		n, F := len(rs), m.Up[e].Rows
		if n == 0 {
			continue
		}
		xe, dye := take(s, 0, x, rs), take(s, 1, dy, rs)
		hidden := s.matrix(2, n, 2*F)
		for i, r := range rs {
			copy(hidden.Row(i), h.Row(r)[slots[e][i]*2*F:])
		}
		act, back, part := s.matrix(3, n, F), s.matrix(4, n, F), s.matrix(5, n, x.Cols)
		dh := s.matrix(6, n, 2*F)
		SwiGLU(act, hidden, false)
		MatMulNN(back, dye, m.Down[e], nil, m.Precision)
		for i, r := range rs {
			dw.Row(r)[e] = isa.dot(back.Row(i), act.Row(i))
			weight := w.Row(r)[e]
			isa.scale(back.Row(i), back.Row(i), weight)
			isa.scale(dye.Row(i), dye.Row(i), weight)
		}
		SwiGLUBackward(dh, back, hidden, false)
		up, gate := dh.Columns(0, F), dh.Columns(F, F)
		if grads != nil {
			pieces := piecesOf(rs, ends)
			MatMulTN(grads.Down[e], dye, act, pieces, m.Precision)
			MatMulTN(grads.Up[e], up, xe, pieces, m.Precision)
			MatMulTN(grads.Gate[e], gate, xe, pieces, m.Precision)
		}
		for _, side := range []struct{ d, weight Matrix }{{up, m.Up[e]}, {gate, m.Gate[e]}} {
			MatMulNN(part, side.d, side.weight, nil, m.Precision)
			for i, r := range rs {
				isa.add(dx.Row(r), dx.Row(r), part.Row(i))
			}
		}
	}
}

// piecesOf returns the ends of the pieces among chosen rows, empty ones left out.
func piecesOf(rows, ends []int) []int {
	var out []int
	i := 0
	for _, end := range ends {
		begin := i
		for i < len(rows) && rows[i] < end {
			i++
		}
		if i > begin {
			out = append(out, i)
		}
	}
	return out
}
