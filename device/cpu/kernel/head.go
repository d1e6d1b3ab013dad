package kernel

import "olmo/numeric"

// Head is the language-model head on the tokens of a batch. The logits of a token are
//
//	l = x·wᵀ + bias    with a cap c then c·tanh(l/c)    at a temperature T then l/T
//
// and with its target t
//
//	lse = log Σ exp(lⱼ)    ce = lse − lₜ
//
// It never holds the logits of more than 512 tokens.
type Head struct {
	X, W        Matrix
	Bias        []float32 // nil: none
	Cap         float32   // 0: none
	Temperature float32   // 0: none
	Targets     []int32   // N ids, negative where there is none
	Ends        []int     // the pieces of N
	BF16        bool
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

// headGap keeps rows of logits that many numbers apart, so that they do not compete for
// the same places of the cache.
const headGap = 16

// HeadRoom is how many numbers the head holds for N tokens and a vocabulary of V.
func HeadRoom(N, V int) int { return min(N, headTokens) * (V + headGap) }

// Loss writes each token's ce, 0 without a target, and lse. With g it also computes the gradients
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
	begin := 0
	for i := 0; i < len(h.Ends); {
		// Two pieces at a time: each time the weights come from memory, and their
		// gradient goes there and back.
		first := i
		for i < len(h.Ends) && (i == first || h.Ends[i]-begin <= headTokens) {
			i++
		}
		end := h.Ends[i-1]
		n := end - begin
		rows := h.X.Slice(begin, n)
		logits := Matrix{Data: room, Rows: n, Cols: V, Stride: V + headGap}
		MatMulNT(logits, rows, h.W, nil, h.BF16)
		eachRowOf(n, 4, func(r int) { h.row(logits.Row(r), begin+r, ce, lse, g) })
		if g != nil {
			MatMulNN(g.DX.Slice(begin, n), logits, h.W, nil, h.BF16)
			pieces := within(h.Ends[first:i], begin)
			if g.DW != nil {
				MatMulTN(*g.DW, logits, rows, pieces, h.BF16)
			}
			if g.DB != nil {
				BiasBackward(g.DB, logits, pieces)
			}
		}
		begin = end
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
	if ce != nil {
		ce[r], lse[r] = 0, logSum
		if t >= 0 {
			ce[r] = logSum - target
		}
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
