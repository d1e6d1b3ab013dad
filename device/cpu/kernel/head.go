package kernel

import "olmo/numeric"

// Loss is what the language-model head computes for each token.
type Loss struct {
	CE  []float32 // lse − logit of the target, nats; 0 without a target
	LSE []float32 // log of the sum of exp(logits)
	Cap float32   // logits become Cap·tanh(l/Cap); 0: they stay
	// Logits is room for HeadRoom numbers; nil stands for buffers of this package's own.
	Logits []float32
}

// headTokens is how many tokens have their logits at the same time.
const headTokens = 2 * numeric.Cut

// headGap keeps rows of logits that many numbers apart, so that they do not compete for
// the same places of the cache.
const headGap = 16

// HeadRoom is how many numbers HeadLoss holds for N tokens and a vocabulary of V.
func HeadRoom(N, V int) int { return min(N, headTokens) * (V + headGap) }

// HeadLoss is the language-model head with cross entropy and z-loss in one
// operation: with the logits l = x·wᵀ + bias of a token and its target t,
//
//	lse = log Σ exp(lⱼ)    ce = lse − lₜ    dlⱼ = scale·(exp(lⱼ − lse)·(1 + 2·zmul·lse) − [j = t])
//
// A cap c makes l = c·tanh(l/c), and multiplies dl by 1 − tanh².
//
// x is N×C, w is V×C, bias V long or nil, targets holds N ids, negative
// where there is none; ends are the pieces of N. It never holds the logits of more than
// 512 tokens.
//
// With dx (N×C), dw (V×C, added to) and, with a bias, db (V, added to) it also computes
// the gradients of
//
//	scale · Σ (ce + zmul·lse²)
//
// from the same logits.
func HeadLoss(out Loss, x, w Matrix, bias []float32, targets []int32, ends []int, scale, zmul float32, bf16 bool, dx, dw *Matrix, db []float32) {
	V := w.Rows
	s := borrowWide()
	defer s.giveBack()
	room := out.Logits
	if room == nil {
		room = s.buf(0, HeadRoom(x.Rows, V))
	}
	begin := 0
	for i := 0; i < len(ends); {
		// Two pieces at a time: each time the weights come from memory, and their
		// gradient goes there and back.
		first := i
		for i < len(ends) && (i == first || ends[i]-begin <= headTokens) {
			i++
		}
		pieces := within(ends[first:i], begin)
		end := ends[i-1]
		n := end - begin
		rows := x.Slice(begin, n)
		logits := Matrix{Data: room, Rows: n, Cols: V, Stride: V + headGap}
		MatMulNT(logits, rows, w, nil, bf16)
		b := begin
		eachRowOf(n, 4, func(r int) {
			l, t := logits.Row(r), targets[b+r]
			if bias != nil {
				isa.add(l, l, bias)
			}
			var bent []float32
			if out.Cap > 0 {
				s := borrow()
				defer s.giveBack()
				bent = s.buf(0, V)
				tanhRow(bent, l, s.buf(1, V), out.Cap)
				isa.scale(l, bent, out.Cap)
			}
			m := isa.max(l)
			var target float32
			if t >= 0 {
				target = l[t]
			}
			sum := isa.expSum(l, l, m)
			lse := m + float32(numeric.Log(float64(sum)))
			out.LSE[b+r], out.CE[b+r] = lse, 0
			if t >= 0 {
				out.CE[b+r] = lse - target
			}
			if dx == nil {
				return
			}
			if t < 0 {
				clear(l)
				return
			}
			a := scale * (1 + float32(float32(2*zmul)*lse))
			isa.scale(l, l, a/sum)
			l[t] -= scale
			if bent != nil {
				capBack(l, l, bent)
			}
		})
		if dx != nil {
			MatMulNN(dx.Slice(begin, n), logits, w, nil, bf16)
			MatMulTN(*dw, logits, rows, pieces, bf16)
			if bias != nil {
				BiasBackward(db, logits, pieces)
			}
		}
		begin = end
	}
}
