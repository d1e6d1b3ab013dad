package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestHeadLossPieces: all tokens at once give the bits of one piece after the other.
func TestHeadLossPieces(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	const n, c, v = 900, 20, 77
	ends := []int{200, 256, 500, 756, 800, n}
	x, w := Dense(values(r, n*c, false), n, c), Dense(values(r, v*c, false), v, c)
	bias := values(r, v, false)
	targets := make([]int32, n)
	for i := range targets {
		targets[i] = int32(r.IntN(v+3)) - 3
	}
	type result struct{ ce, lse, dx, dw, db []float32 }
	run := func(bf16 bool, groups [][]int) result {
		o := result{make([]float32, n), make([]float32, n), make([]float32, n*c), make([]float32, v*c), make([]float32, v)}
		dx, dw := Dense(o.dx, n, c), Dense(o.dw, v, c)
		begin := 0
		for _, g := range groups {
			end := g[len(g)-1]
			part := dx.Slice(begin, end-begin)
			HeadLoss(Loss{CE: o.ce[begin:end], LSE: o.lse[begin:end]}, x.Slice(begin, end-begin), w, bias, targets[begin:end],
				within(g, begin), 0.01, 1e-4, bf16, &part, &dw, o.db)
			begin = end
		}
		return o
	}
	var single [][]int
	for _, e := range ends {
		single = append(single, []int{e})
	}
	for _, bf16 := range []bool{false, true} {
		a, b := run(bf16, [][]int{ends}), run(bf16, single)
		for i, pair := range [][2][]float32{{a.ce, b.ce}, {a.lse, b.lse}, {a.dx, b.dx}, {a.dw, b.dw}, {a.db, b.db}} {
			if !slices.Equal(asWords(pair[0]), asWords(pair[1])) {
				t.Errorf("bf16 %v: result %d differs", bf16, i)
			}
		}
	}
}
