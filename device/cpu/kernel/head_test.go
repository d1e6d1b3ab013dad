package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"

	"olmo/numeric"
)

// headTest is a head with everything it can have, on random numbers.
func headTest(r *rand.Rand, n, c, v int, ends []int) *Head {
	h := &Head{
		X: Dense(values(r, n*c, false), n, c), W: Dense(values(r, v*c, false), v, c), Bias: values(r, v, false),
		Targets: make([]int32, n), Ends: ends,
	}
	for i := range h.Targets {
		h.Targets[i] = int32(r.IntN(v+3)) - 3
	}
	return h
}

// headResult is all that a head gives.
type headResult struct{ ce, lse, dx, dw, db []float32 }

func newHeadResult(h *Head) headResult {
	n, c, v := h.X.Rows, h.X.Cols, h.W.Rows
	return headResult{make([]float32, n), make([]float32, n), make([]float32, n*c), make([]float32, v*c), make([]float32, v)}
}

// gradients are those of h into o, with a factor for each token.
func (o *headResult) gradients(h *Head, zmul float32, scale func(r int) float32) *HeadGradients {
	dw := Dense(o.dw, h.W.Rows, h.W.Cols)
	return &HeadGradients{Scale: scale, ZMul: zmul, DX: Dense(o.dx, h.X.Rows, h.X.Cols), DW: &dw, DB: o.db}
}

func (o *headResult) same(t *testing.T, want headResult, what string) {
	t.Helper()
	for i, pair := range [][2][]float32{{o.ce, want.ce}, {o.lse, want.lse}, {o.dx, want.dx}, {o.dw, want.dw}, {o.db, want.db}} {
		if !slices.Equal(asWords(pair[0]), asWords(pair[1])) {
			t.Errorf("%s: result %d differs", what, i)
		}
	}
}

// TestHeadPieces: all tokens at once give the bits of one piece after the other.
func TestHeadPieces(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	const n = 900
	ends := []int{200, 256, 500, 756, 800, n}
	h := headTest(r, n, 20, 77, ends)
	scale := func(r int) float32 { return 0.01 * float32(1+r%3) }
	for _, h.Precision = range numeric.Precisions() {
		a, b := newHeadResult(h), newHeadResult(h)
		h.Loss(a.ce, a.lse, a.gradients(h, 1e-4, scale))
		begin := 0
		for _, end := range ends {
			part := *h
			part.X, part.Targets, part.Ends = h.X.Slice(begin, end-begin), h.Targets[begin:end], []int{end - begin}
			g := b.gradients(h, 1e-4, func(r int) float32 { return scale(begin + r) })
			g.DX = g.DX.Slice(begin, end-begin)
			part.Loss(b.ce[begin:end], b.lse[begin:end], g)
			begin = end
		}
		a.same(t, b, h.Precision.String())
	}
}

// TestHeadHalves: losses first, gradients later, and losses again when the weights' gradient is
// not wanted, give the bits that one pass gives.
func TestHeadHalves(t *testing.T) {
	withTables(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(7, 8))
		h := headTest(r, 300, 20, 77, []int{256, 300})
		for _, c := range []struct {
			name             string
			cap, temperature float32
			precision        numeric.Precision
		}{{"plain", 0, 0, numeric.FP32}, {"capped", 2, 0, numeric.FP32}, {"at 0.7", 0, 0.7, numeric.FP32}, {"capped, at 1.3, bf16", 2, 1.3, numeric.AMPBF16}, {"capped, at 1.3, in blocks", 2, 1.3, numeric.AMPBF16Tile}} {
			h.Cap, h.Temperature, h.Precision = c.cap, c.temperature, c.precision
			scale := func(r int) float32 { return float32(r%5) - 1.5 }
			one, two := newHeadResult(h), newHeadResult(h)
			h.Loss(one.ce, one.lse, one.gradients(h, 0, scale))
			h.Loss(two.ce, two.lse, nil)
			h.Backward(two.gradients(h, 0, scale))
			two.same(t, one, c.name)

			frozen := newHeadResult(h)
			g := frozen.gradients(h, 0, scale)
			g.DW, g.DB = nil, nil
			h.Backward(g)
			if !slices.Equal(asWords(frozen.dx), asWords(one.dx)) {
				t.Errorf("%s: dx differs without the gradient of the weights", c.name)
			}
			for i, l := range one.ce {
				if (h.Targets[i] < 0) != (l == 0) {
					t.Errorf("%s: ce[%d] = %v with target %d", c.name, i, l, h.Targets[i])
				}
			}
		}
	})
}

// TestHeadTemperature: a head at a temperature is one whose logits the temperature has divided.
func TestHeadTemperature(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	const n, c, v = 40, 20, 77
	h := headTest(r, n, c, v, []int{n})
	h.Temperature = 0.7
	ce, lse := make([]float32, n), make([]float32, n)
	h.Loss(ce, lse, nil)
	l := Dense(make([]float32, n*v), n, v)
	MatMulNT(l, h.X, h.W, nil, numeric.FP32)
	for i := range n {
		for j := range l.Row(i) {
			l.Row(i)[j] = (l.Row(i)[j] + h.Bias[j]) / float32(0.7)
		}
		var want, wantLSE float32
		if t := h.Targets[i]; t >= 0 {
			wantLSE = LSE(l.Row(i))
			want = wantLSE - l.Row(i)[t]
		}
		if lse[i] != wantLSE || ce[i] != want {
			t.Errorf("token %d: ce %v, lse %v; of its divided logits %v, %v", i, ce[i], lse[i], want, wantLSE)
		}
	}
}

// TestHeadWithoutTargets: tokens without a target are left out, and the gradients have the bits that they
// have with logits' gradients of 0 in their place.
func TestHeadWithoutTargets(t *testing.T) {
	withTables(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(11, 12))
		const c, v = 20, 77
		ends := []int{256, 300, 310, 560, 700} // the third piece has no target at all
		n := ends[len(ends)-1]
		h := headTest(r, n, c, v, ends)
		for begin := 0; begin < n; {
			run := min(1+r.IntN(40), n-begin)
			for i := begin; i < begin+run; i++ {
				h.Targets[i] = int32(r.IntN(v))
			}
			gap := min(r.IntN(60), n-begin-run)
			for i := begin + run; i < begin+run+gap; i++ {
				h.Targets[i] = -1
			}
			begin += run + gap
		}
		for i := ends[1]; i < ends[2]; i++ {
			h.Targets[i] = -1
		}
		targets, kept := 0, 0
		for _, t := range h.Targets {
			if t >= 0 {
				targets++
			}
		}
		for _, p := range h.parts() {
			kept += len(p.tokens)
		}
		if kept < targets || kept > targets+n/20 || targets > n*3/4 {
			t.Errorf("%d of %d tokens have a target, and %d are computed", targets, n, kept)
		}
		for _, h.Precision = range numeric.Precisions() {
			got, want := newHeadResult(h), newHeadResult(h)
			scale := func(r int) float32 { return float32(r%5) - 1.5 }
			h.Loss(got.ce, got.lse, got.gradients(h, 1e-4, scale))

			all := want.gradients(h, 1e-4, scale)
			l := Dense(make([]float32, n*v), n, v)
			MatMulNT(l, h.X, h.W, nil, h.Precision)
			for i := range n {
				h.row(l.Row(i), i, want.ce, want.lse, all)
			}
			MatMulNN(all.DX, l, h.W, nil, h.Precision)
			MatMulTN(*all.DW, l, h.X, ends, h.Precision)
			BiasBackward(all.DB, l, ends)
			got.same(t, want, h.Precision.String())
		}
	})
}
