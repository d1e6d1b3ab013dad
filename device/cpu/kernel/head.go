package kernel

import (
	"slices"

	"olmo/numeric"
)

// Head is the language-model head on the tokens of a batch. The logits of a token are
//
//	l = x·wᵀ + bias    with a cap c then c·tanh(l/c)    at a temperature T then l/T
//
// and with its target t
//
//	lse = log Σ exp(lⱼ)    ce = lse − lₜ
//
// It never holds the logits of more than 512 tokens, and computes none of tokens without a target,
// whose ce and lse are 0: neither a prompt nor padding costs a product with the vocabulary.
type Head struct {
	X, W        Matrix
	Bias        []float32 // nil: none
	Cap         float32   // 0: none
	Temperature float32   // 0: none
	Targets     []int32   // N ids, negative where there is none
	Ends        []int     // the pieces of N
	Precision   numeric.Precision
	// Logits is room for HeadRoom numbers; nil stands for buffers of this package's own.
	Logits []float32
}

// HeadGradients is what the head's gradients go to.
type HeadGradients struct {
	// Scale is the factor of each token's loss.
	Scale func(r int) float32
	// ZMul is the factor of lse² in a token's loss ce + ZMul·lse².
	ZMul float32
	DX   Matrix
	DW   *Matrix   // V×C, added to; nil: not wanted
	DB   []float32 // V, added to; nil: not wanted
}

// headTokens is how many tokens have their logits at the same time.
const headTokens = 2 * numeric.Cut

// headPart is some of the tokens that have their logits at the same time.
type headPart struct {
	tokens []int // ascending
	ends   []int // of the pieces among them
}

// parts leaves out what has no target, where no token of a pair or block has one: the others stay the
// pairs and blocks that they were. The sums over tokens lose terms that are ±0 by it, which changes no bit.
func (h *Head) parts() []headPart {
	var parts []headPart
	var p headPart
	begin, unit := 0, 2
	if h.Precision == numeric.AMPBF16Tile {
		unit = numeric.Block
	}
	for _, end := range h.Ends {
		before := len(p.tokens)
		for r := begin; r < end; r += unit {
			next := min(r+unit, end)
			if !slices.ContainsFunc(h.Targets[r:next], func(t int32) bool { return t >= 0 }) {
				continue
			}
			for i := r; i < next; i++ {
				p.tokens = append(p.tokens, i)
			}
		}
		// Two pieces at a time: each time the weights come from memory, and their
		// gradient goes there and back.
		if len(p.tokens) > headTokens {
			parts = append(parts, headPart{p.tokens[:before:before], p.ends})
			p = headPart{tokens: p.tokens[before:]}
			before = 0
		}
		if len(p.tokens) > before {
			p.ends = append(p.ends, len(p.tokens))
		}
		begin = end
	}
	if len(p.tokens) > 0 {
		parts = append(parts, p)
	}
	return parts
}

// clearLeftOut clears the rows of dx that are in no part: in pre-training there are none.
func clearLeftOut(dx Matrix, parts []headPart) {
	next := 0
	for _, p := range parts {
		for _, r := range p.tokens {
			for ; next < r; next++ {
				clear(dx.Row(next))
			}
			next = r + 1
		}
	}
	for ; next < dx.Rows; next++ {
		clear(dx.Row(next))
	}
}

// headGap keeps rows of logits that many numbers apart, so that they do not compete for
// the same places of the cache.
const headGap = 16

// HeadRoom is how many numbers the head holds for N tokens and a vocabulary of V.
func HeadRoom(N, V int) int { return min(N, headTokens) * (V + headGap) }

// Loss writes each token's ce and lse, 0 without a target. With g it also computes the gradients
// of Σ scale·(ce + zmul·lse²) from the same logits:
//
//	dlⱼ = scale·(exp(lⱼ − lse)·(1 + 2·zmul·lse) − [j = t])
//
// divided by the temperature, and multiplied by 1 − tanh² with a cap.
func (h *Head) Loss(ce, lse []float32, g *HeadGradients) { h.run(ce, lse, g) }

// Backward computes the gradients that Loss would, and the logits once more for them.
func (h *Head) Backward(g *HeadGradients) { h.run(nil, nil, g) }

func (h *Head) run(ce, lse []float32, g *HeadGradients) {
	V := h.W.Rows
	s := borrowWide()
	defer s.giveBack()
	room := h.Logits
	if room == nil {
		room = s.buf(0, HeadRoom(h.X.Rows, V))
	}
	clear(ce)
	clear(lse)
	parts := h.parts()
	if g != nil {
		clearLeftOut(g.DX, parts)
	}
	for _, p := range parts {
		n, first := len(p.tokens), p.tokens[0]
		rows, dx := h.X, Matrix{}
		if g != nil {
			dx = g.DX
		}
		apart := p.tokens[n-1] >= first+n
		if apart {
			rows = Dense(s.buf(1, n*h.X.Cols), n, h.X.Cols)
			eachRow(n, func(r int) { copy(rows.Row(r), h.X.Row(p.tokens[r])) })
			dx = rows // which the gradient of the weights has read by then
		} else {
			rows = rows.Slice(first, n)
			if g != nil {
				dx = dx.Slice(first, n)
			}
		}
		logits := Matrix{Data: room, Rows: n, Cols: V, Stride: V + headGap}
		MatMulNT(logits, rows, h.W, nil, h.Precision)
		eachRowOf(n, 4, func(r int) { h.row(logits.Row(r), p.tokens[r], ce, lse, g) })
		if g == nil {
			continue
		}
		if g.DW != nil {
			MatMulTN(*g.DW, logits, rows, p.ends, h.Precision)
		}
		if g.DB != nil {
			BiasBackward(g.DB, logits, p.ends)
		}
		MatMulNN(dx, logits, h.W, nil, h.Precision)
		if apart {
			eachRow(n, func(r int) { copy(g.DX.Row(p.tokens[r]), dx.Row(r)) })
		}
	}
}

// row takes the products l of token r, and with g leaves the gradient of its logits in their
// place. ce and lse may be nil.
func (h *Head) row(l []float32, r int, ce, lse []float32, g *HeadGradients) {
	if h.Bias != nil {
		isa.add(l, l, h.Bias)
	}
	var bent []float32
	if h.Cap > 0 {
		s := borrow()
		defer s.giveBack()
		bent = s.buf(0, len(l))
		tanhRow(bent, l, s.buf(1, len(l)), h.Cap)
		isa.scale(l, bent, h.Cap)
	}
	if h.Temperature > 0 {
		isa.div(l, l, h.Temperature)
	}
	m, t := isa.max(l), h.Targets[r]
	var target float32
	if t >= 0 {
		target = l[t]
	}
	sum := isa.expSum(l, l, m)
	logSum := m + float32(numeric.Log(float64(sum)))
	if ce != nil && t >= 0 {
		ce[r], lse[r] = logSum-target, logSum
	}
	if g == nil {
		return
	}
	if t < 0 {
		clear(l)
		return
	}
	scale := g.Scale(r)
	a := scale * (1 + float32(float32(2*g.ZMul)*logSum))
	isa.scale(l, l, a/sum)
	l[t] -= scale
	if h.Temperature > 0 {
		isa.div(l, l, h.Temperature)
	}
	if bent != nil {
		capBack(l, l, bent)
	}
}
