package kernel

import (
	"math"

	"olmo/internal/parallel"
	"olmo/numeric"
)

// Attention describes causal attention of H query heads on KV ≤ H key heads of
// size D: for the query at position i of a head, over the keys j ≤ i that it sees,
//
//	sⱼ = qᵢ·kⱼ·scale + slope·(j − i)    m = max sⱼ    eⱼ = exp(sⱼ − m)    oᵢ = Σ eⱼ·vⱼ / Σ eⱼ
//
// where a cap c bends the scaled product to c·tanh(qᵢ·kⱼ·scale/c).
//
// The whole row of scores is there at once, so that m is the row's own: a running maximum would
// rescale sums, and their bits would depend on the blocks.
//
// Vaswani et al. 2017; grouped queries, Ainslie et al. 2023; ALiBi, Press et al. 2022.
type Attention struct {
	H, KV, D  int
	Scale     float32
	Cap       float32   // of scaled scores; 0: none
	Window    int       // keys that a query sees, itself included; 0: all before it
	Slopes    []float32 // ALiBi: slope of each head, or nil
	Precision numeric.Precision
}

// Segment is one sequence's part of a batch.
type Segment struct {
	Q, O  Matrix  // n×(H·D), new positions
	K, V  Matrix  // (Pos+n)×(KV·D), all positions from the first; not with pages
	Pos   int     // position of the first row of Q
	Stats Matrix  // n×(2·H): maximum and sum of each row and head
	First []int32 // first key that each new position may see (document mask), or nil
	// Padding is the padding mask, the keys that no query sees, or nil.
	Padding []bool
	// Drop zeroes probabilities, or is nil; Row is the number of the first new position in
	// the step's batch.
	Drop *numeric.Dropout
	Row  int
	// Keys and Values are the pages in which all positions are, by Table; or nil. A number below 0 stands for
	// a page that no query sees.
	Keys, Values *Pages
	Table        []int32
}

// low returns the first key that query row i of the segment sees.
func (a *Attention) low(s *Segment, i int) int {
	lo := 0
	if s.First != nil {
		lo = int(s.First[i])
	}
	if a.Window > 0 {
		lo = max(lo, s.Pos+i-a.Window+1)
	}
	return lo
}

// capSlot and its successor are the buffers of a scratch for the cap of scores.
const capSlot = 10

// score scales the raw scores of the keys from key on, seen from position p, and caps them: then
// it returns what tanh gave, in a buffer of s.
func (a *Attention) score(s *scratch, x []float32, head, key, p int) (t []float32) {
	isa.scale(x, x, a.Scale)
	if a.Cap > 0 {
		t = s.buf(capSlot, len(x))
		tanhRow(t, x, s.buf(capSlot+1, len(x)), a.Cap)
		isa.scale(x, t, a.Cap)
	}
	if a.Slopes != nil {
		for i := range x {
			x[i] += float32(a.Slopes[head] * float32(key+i-p))
		}
	}
	return t
}

// hide takes the padding among the keys from key on out of a row of scores.
func (s *Segment) hide(x []float32, key int) {
	if s.Padding == nil {
		return
	}
	for i, padding := range s.Padding[key : key+len(x)] {
		if padding {
			x[i] = float32(math.Inf(-1))
		}
	}
}

// drop applies dropout to the probabilities of the keys from key on, for query row i.
func (a *Attention) drop(s *Segment, x []float32, head, i, key int) {
	if s.Drop != nil {
		s.Drop.Row(x, x, uint64((s.Row+i)*a.H+head), key)
	}
}

// Forward computes O and Stats of every segment.
func (a *Attention) Forward(segs []Segment) {
	parallel.For(len(segs)*a.H, func(i int) { a.forward(&segs[i/a.H], i%a.H) })
}

// forward computes head h of a segment, a block of queries after the other. Of a single position, the heads that
// share keys and values are the rows of one block, which the first of them computes: so keys and values are read once.
func (a *Attention) forward(g *Segment, h int) {
	n, D, group := g.Q.Rows, a.D, a.H/a.KV
	if n == 0 || n == 1 && h%group != 0 {
		return
	}
	s := borrow()
	defer s.giveBack()
	nr, f := isa.nr, formatOf(a.Precision)
	kv := h / group
	keys := g.Pos + n
	queries, out := g.Q.Columns(h*D, D), g.O.Columns(h*D, D)
	if n == 1 {
		queries, out = Dense(g.Q.Row(0)[h*D:], group, D), Dense(g.O.Row(0)[h*D:], group, D)
	}
	q := left{queries, false}
	// Panels of keys by piece of D, and of values by piece of positions, as far as so many terms.
	key := paged{g.Keys, g.Table, kv}.keys
	value := paged{g.Values, g.Table, kv}.values
	if g.Keys == nil {
		var kp, vp Packed
		s.pack(&kp, 0, g.K.Columns(kv*D, D).Slice(0, keys), true, numeric.Cuts(D), f)
		s.pack(&vp, 1, g.V.Columns(kv*D, D).Slice(0, keys), false, numeric.Cuts(keys), f)
		key = func(_ *scratch, piece, j int) []float32 { return kp.panel(piece, j) }
		value = func(_ *scratch, piece, j, terms int) []float32 { return vp.panel(piece, j)[:terms*nr] }
	}
	ends := numeric.Cuts(D)
	stride := spans(keys, nr)*nr + 16
	block := 4 * isa.mr
	scores := s.buf(2, block*stride)
	inf := float32(math.Inf(-1))
	for i0 := 0; i0 < queries.Rows; i0 += block {
		rows := min(block, queries.Rows-i0)
		// row is the segment's row of a row of the block, and head its head.
		row, head := func(r int) int { return i0 + r }, func(int) int { return h }
		if n == 1 {
			row, head = func(int) int { return 0 }, func(r int) int { return h + i0 + r }
		}
		hi := g.Pos + row(rows-1) + 1
		lo := hi
		for r := range rows {
			lo = min(lo, a.low(g, row(r)))
		}
		// Scores of the block: key j stands in column j, from the panel on that holds the first
		// key which any of its queries sees.
		first := lo / nr
		k0 := 0
		for piece, k1 := range ends {
			pq := q.pack(s, 3, i0, rows, k0, k1-k0, f)
			for j := first; j*nr < hi; j++ {
				pq.multiply(s, 4, key(s, piece, j), nil, scores[j*nr:], stride, nr, piece > 0, f)
			}
			k0 = k1
		}
		o := out.Slice(i0, rows)
		for r := range rows {
			i, h := row(r), head(r)
			p, l := g.Pos+i, a.low(g, i)
			// A row's sums are in 16 lanes by absolute position, and those over keys are cut at
			// multiples of Cut: so x begins at a multiple of 16 with exp(−∞) = 0 before key l,
			// and before that the row is zero up to the cut.
			base := l &^ 15
			all := scores[r*stride : (r+1)*stride]
			clear(all[lo&^(numeric.Cut-1) : base])
			x := all[base : p+1]
			a.score(s, x[l-base:], h, l, p)
			g.hide(x[l-base:], l)
			for i := range x[:l-base] {
				x[i] = inf
			}
			m := isa.max(x)
			if m == inf {
				m = 0 // it sees nothing: no weight at all, and o is 0
			}
			sum := isa.expSum(x, x, m)
			if sum == 0 {
				sum = 1
			}
			a.drop(g, x[l-base:], h, i, l)
			clear(all[p+1 : hi]) // other queries of the block see further
			st := g.Stats.Row(i)
			st[2*h], st[2*h+1] = m, sum
		}
		a.valueSum(s, value, scores, stride, o, lo, hi, f)
		settle(f, o)
		for r := range rows {
			isa.div(o.Row(r), o.Row(r), g.Stats.Row(row(r))[2*head(r)+1])
		}
	}
}

// valueSum computes o = w·v over keys lo…hi, piece by piece.
func (a *Attention) valueSum(s *scratch, value func(s *scratch, piece, j, terms int) []float32, w []float32, stride int, o Matrix, lo, hi int, f format) {
	add := false
	for piece := lo / numeric.Cut; piece*numeric.Cut < hi; piece++ {
		k0 := piece * numeric.Cut
		kn := min(k0+numeric.Cut, hi) - k0
		pw := left{Matrix{Data: w, Rows: o.Rows, Cols: hi, Stride: stride}, false}.pack(s, 3, 0, o.Rows, k0, kn, f)
		for j := range spans(a.D, isa.nr) {
			c := j * isa.nr
			pw.multiply(s, 4, value(s, piece, j, pw.terms), nil, o.Data[c:], o.Stride, min(isa.nr, a.D-c), add, f)
		}
		add = true
	}
}

// pack packs b into the scratch, alone.
func (s *scratch) pack(p *Packed, slot int, b Matrix, transposed bool, ends []int, f format) {
	k, n := b.Rows, b.Cols
	if transposed {
		k, n = n, k
	}
	p.data = s.buf(slot, p.plan(k, n, ends, f))
	k0 := 0
	for piece, k1 := range ends {
		p.fillPanels(s, piece, 0, p.panels(), b, transposed, k0, 0)
		k0 = k1
	}
}

// Gradients are the gradients of one segment. DQ, DK and DV are written.
type Gradients struct {
	DO, DQ Matrix // n×(H·D)
	DK, DV Matrix // n×(KV·D)
}

// Backward computes the gradients of segments that start at position 0. For each row i, with the
// weights pⱼ = exp(sⱼ − m)/Σ from the kept maxima and sums,
//
//	dpⱼ = doᵢ·vⱼ    Δ = doᵢ·oᵢ = Σ pⱼ·dpⱼ    dsⱼ = pⱼ·(dpⱼ − Δ)·scale
//	dqᵢ = Σ dsⱼ·kⱼ    dkⱼ = Σ dsⱼ·qᵢ    dvⱼ = Σ pⱼ·doᵢ
//
// where a cap multiplies dsⱼ by its slope 1 − tanh².
//
// Dao et al. 2022 have Δ by the outputs.
func (a *Attention) Backward(segs []Segment, grads []Gradients) {
	parallel.For(len(segs)*a.KV, func(i int) { a.backward(&segs[i/a.KV], &grads[i/a.KV], i%a.KV) })
}

// backward computes the gradients of key head kv and of its query heads. One task has them all,
// since dk and dv are sums over these heads in a fixed order.
func (a *Attention) backward(g *Segment, d *Gradients, kv int) {
	n := g.Q.Rows
	if n == 0 {
		return
	}
	s := borrow()
	defer s.giveBack()
	D, nr, f := a.D, isa.nr, formatOf(a.Precision)
	group := a.H / a.KV
	k, v := g.K.Columns(kv*D, D), g.V.Columns(kv*D, D)
	dk, dv := d.DK.Columns(kv*D, D), d.DV.Columns(kv*D, D)
	for r := range n {
		clear(dk.Row(r))
		clear(dv.Row(r))
	}
	var kt, vt, kp, qp, dop Packed
	s.pack(&kt, 0, k, true, numeric.Cuts(D), f)
	s.pack(&vt, 1, v, true, numeric.Cuts(D), f)
	s.pack(&kp, 2, k, false, numeric.Cuts(n), f)
	// Tiles of at most Cut queries by Cut keys stay in the second-level cache; key
	// and query cuts are the pieces of every sum.
	stride := spans(numeric.Cut, nr)*nr + 16
	sc, dp := s.buf(3, numeric.Cut*stride), s.buf(4, numeric.Cut*stride)
	block := 4 * isa.mr
	for h := kv * group; h < (kv+1)*group; h++ {
		q, do, o := g.Q.Columns(h*D, D), d.DO.Columns(h*D, D), g.O.Columns(h*D, D)
		dq := d.DQ.Columns(h*D, D)
		s.pack(&qp, 5, q, false, numeric.Cuts(n), f)
		s.pack(&dop, 6, do, false, numeric.Cuts(n), f)
		for q0 := 0; q0 < n; q0 += numeric.Cut {
			qn := min(numeric.Cut, n-q0)
			delta := s.buf(7, numeric.Cut)
			lo := n
			for r := range qn {
				delta[r] = isa.dot(do.Row(q0+r), o.Row(q0+r))
				lo = min(lo, a.low(g, q0+r))
			}
			dqAdd := false
			for key0 := lo &^ (numeric.Cut - 1); key0 < q0+qn; key0 += numeric.Cut {
				kn := min(numeric.Cut, n-key0)
				for r0 := 0; r0 < qn; r0 += block {
					rows := min(block, qn-r0)
					a.tileScores(s, left{q, false}, &kt, sc[r0*stride:], stride, q0+r0, rows, key0, kn, f)
					a.tileScores(s, left{do, false}, &vt, dp[r0*stride:], stride, q0+r0, rows, key0, kn, f)
					for r := r0; r < r0+rows; r++ {
						a.rowBack(s, g, h, q0+r, key0, kn, delta[r], sc[r*stride:(r+1)*stride], dp[r*stride:(r+1)*stride])
					}
					// dQ: this key block is one piece of the sum over keys.
					hi := min(kn, q0+r0+rows-key0)
					pd := left{Matrix{Data: dp, Rows: qn, Cols: kn, Stride: stride}, false}.pack(s, 8, r0, rows, 0, hi, f)
					for j := range kp.panels() {
						c := j * nr
						pd.multiply(s, 9, kp.panel(key0/numeric.Cut, j)[:pd.terms*nr], nil, dq.Data[(q0+r0)*dq.Stride+c:], dq.Stride, min(nr, D-c), dqAdd, f)
					}
				}
				dqAdd = true
				a.keyGrads(s, left{Matrix{Data: sc, Rows: qn, Cols: kn, Stride: stride}, true}, &dop, dv, q0, qn, key0, kn, f)
				a.keyGrads(s, left{Matrix{Data: dp, Rows: qn, Cols: kn, Stride: stride}, true}, &qp, dk, q0, qn, key0, kn, f)
			}
			settle(f, dq.Slice(q0, qn))
		}
	}
	settle(f, dk)
	settle(f, dv)
}

// tileScores computes rows q0… of x by keys key0…key0+kn, as far as the last row sees.
func (a *Attention) tileScores(s *scratch, x left, kt *Packed, dst []float32, stride, q0, rows, key0, kn int, f format) {
	nr := isa.nr
	hi := min(key0+kn, q0+rows)
	k0 := 0
	for piece, k1 := range kt.ends {
		px := x.pack(s, 8, q0, rows, k0, k1-k0, f)
		for j := key0 / nr; j*nr < hi; j++ {
			px.multiply(s, 9, kt.panel(piece, j), nil, dst[j*nr-key0:], stride, nr, piece > 0, f)
		}
		k0 = k1
	}
}

// rowBack turns raw scores into probabilities and dP into dS, in place, with zeros
// where the key is masked.
func (a *Attention) rowBack(s *scratch, g *Segment, h, p, key0, kn int, delta float32, sc, dp []float32) {
	lo, hi := max(a.low(g, p), key0)-key0, min(p+1-key0, kn)
	if lo >= hi {
		clear(sc[:kn])
		clear(dp[:kn])
		return
	}
	st := g.Stats.Row(p)
	m, inv := st[2*h], 1/st[2*h+1]
	t := a.score(s, sc[lo:hi], h, key0+lo, p)
	g.hide(sc[lo:hi], key0+lo)
	isa.expSum(sc[lo:hi], sc[lo:hi], m)
	// Dropout stands between the weights and their use: dp passes it backwards before the softmax,
	// and the weights that dv takes are those after it.
	a.drop(g, dp[lo:hi], h, p, key0+lo)
	isa.softmaxBack(sc[lo:hi], dp[lo:hi], sc[lo:hi], dp[lo:hi], inv, delta, a.Scale)
	if t != nil {
		capBack(dp[lo:hi], dp[lo:hi], t)
	}
	a.drop(g, sc[lo:hi], h, p, key0+lo)
	clear(sc[:lo])
	clear(dp[:lo])
	clear(sc[hi:kn])
	clear(dp[hi:kn])
}

// keyGrads adds wᵀ·x, one piece of query positions, to the gradients of keys.
func (a *Attention) keyGrads(s *scratch, w left, x *Packed, dst Matrix, q0, qn, key0, kn int, f format) {
	mr, nr := isa.mr, isa.nr
	pw := w.pack(s, 8, 0, kn, 0, qn, f)
	for r := 0; r < kn; r += mr {
		// Queries before the key see nothing of it: their terms are zero, and a
		// sum may begin after them.
		skip := f.whole(max(key0+r-q0, 0))
		if skip >= qn {
			break
		}
		t := f.terms(skip)
		part := pw
		part.rows = min(mr, kn-r)
		part.data = pw.data[r*pw.terms+t*mr:]
		part.terms = pw.terms - t
		for j := range x.panels() {
			c := j * nr
			part.multiply(s, 9, x.panel(q0/numeric.Cut, j)[t*nr:], nil, dst.Data[(key0+r)*dst.Stride+c:], dst.Stride, min(nr, a.D-c), true, f)
		}
	}
}
