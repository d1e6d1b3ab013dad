package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"olmo/numeric"
)

// attentionRef computes one head by its definition: forward, and the gradients'
// pieces are left to the caller.
type attentionRef struct {
	a    *Attention
	g    *Segment
	h    int
	e    [][]float32 // exp(s − m) by row and key
	m, l []float32
}

func newAttentionRef(a *Attention, g *Segment, h int) *attentionRef {
	r := &attentionRef{a: a, g: g, h: h}
	D, kv := a.D, h/(a.H/a.KV)
	for i := range g.Q.Rows {
		p := g.Pos + i
		lo := a.low(g, i)
		e := make([]float32, g.Pos+g.Q.Rows)
		q := g.Q.Row(i)[h*D:]
		var m float32
		for k := lo; k <= p; k++ {
			kr := g.K.Row(k)[kv*D:]
			e[k] = float32(productRef(0, numeric.Cuts(D), func(d int) float32 { return q[d] }, func(d int) float32 { return kr[d] }, a.Precision) * a.Scale)
			if a.Slopes != nil {
				e[k] += float32(a.Slopes[h] * float32(k-p))
			}
			if k == lo || e[k] > m {
				m = e[k]
			}
		}
		var l lanes
		for k := lo; k <= p; k++ {
			e[k] = numeric.Exp32(e[k] - m)
			l[k&15] += e[k]
		}
		r.e, r.m, r.l = append(r.e, e), append(r.m, m), append(r.l, l.tree())
	}
	return r
}

func (r *attentionRef) out(i, d int) float32 {
	kv := r.h / (r.a.H / r.a.KV)
	n := len(r.e[i])
	v := func(k int) float32 { return r.g.V.Row(k)[kv*r.a.D+d] }
	return settled(productRef(0, numeric.Cuts(n), func(k int) float32 { return r.e[i][k] }, v, r.a.Precision), r.a.Precision) / r.l[i]
}

// settled is x + (+0) where sums over keys or queries are taken so.
func settled(x float32, precision numeric.Precision) float32 {
	if x == 0 && precision == numeric.AMPBF16Tile {
		return 0
	}
	return x
}

func TestAttention(t *testing.T) {
	cases := []struct {
		name        string
		a           Attention
		n, pos, doc int
	}{
		{"small", Attention{H: 2, KV: 2, D: 8}, 5, 0, 0},
		{"one", Attention{H: 1, KV: 1, D: 4}, 1, 0, 0},
		{"odd", Attention{H: 2, KV: 2, D: 10}, 67, 0, 0},
		{"grouped, more than one cut", Attention{H: 4, KV: 2, D: 16}, 300, 0, 0},
		{"window", Attention{H: 2, KV: 1, D: 8, Window: 40}, 290, 0, 0},
		{"documents", Attention{H: 1, KV: 1, D: 8}, 290, 0, 61},
		{"alibi", Attention{H: 2, KV: 2, D: 8, Slopes: []float32{0.25, 0.0625}}, 70, 0, 0},
		{"cache", Attention{H: 2, KV: 1, D: 8}, 3, 270, 0},
	}
	withTables(t, func(t *testing.T) {
		for _, c := range cases {
			for _, precision := range numeric.Precisions() {
				t.Run(fmt.Sprint(c.name, precision), func(t *testing.T) {
					a := c.a
					a.Precision, a.Scale = precision, 0.3
					r := rand.New(rand.NewPCG(13, 14))
					keys := c.pos + c.n
					g := Segment{
						Q: Dense(values(r, c.n*a.H*a.D, false), c.n, a.H*a.D), O: Dense(make([]float32, c.n*a.H*a.D), c.n, a.H*a.D),
						K: Dense(values(r, keys*a.KV*a.D, false), keys, a.KV*a.D), V: Dense(values(r, keys*a.KV*a.D, false), keys, a.KV*a.D),
						Pos: c.pos, Stats: Dense(make([]float32, c.n*2*a.H), c.n, 2*a.H),
					}
					if c.doc > 0 {
						for i := range c.n {
							g.First = append(g.First, int32(i/c.doc*c.doc))
						}
					}
					a.Forward([]Segment{g})
					want := Dense(make([]float32, c.n*a.H*a.D), c.n, a.H*a.D)
					refs := make([]*attentionRef, a.H)
					for h := range a.H {
						refs[h] = newAttentionRef(&a, &g, h)
						for i := range c.n {
							for d := range a.D {
								want.Row(i)[h*a.D+d] = refs[h].out(i, d)
							}
						}
					}
					if err := sameBits(g.O.Data, want.Data); err != nil {
						t.Fatal("forward: ", err)
					}
					if c.pos > 0 {
						return
					}
					do := Dense(values(r, c.n*a.H*a.D, false), c.n, a.H*a.D)
					q, kv := func() Matrix { return Dense(make([]float32, c.n*a.H*a.D), c.n, a.H*a.D) }, func() Matrix { return Dense(make([]float32, c.n*a.KV*a.D), c.n, a.KV*a.D) }
					got := Gradients{DO: do, DQ: q(), DK: kv(), DV: kv()}
					a.Backward([]Segment{g}, []Gradients{got})
					ref := Gradients{DO: do, DQ: q(), DK: kv(), DV: kv()}
					for h := range a.H {
						refs[h].backward(&ref)
					}
					for _, x := range []struct {
						name string
						g, w Matrix
					}{{"dQ", got.DQ, ref.DQ}, {"dK", got.DK, ref.DK}, {"dV", got.DV, ref.DV}} {
						if err := sameBits(x.g.Data, x.w.Data); err != nil {
							t.Fatal(x.name, ": ", err)
						}
					}
				})
			}
		}
	})
}

func (r *attentionRef) backward(out *Gradients) {
	a, g, D := r.a, r.g, r.a.D
	kv := r.h / (a.H / a.KV)
	n := g.Q.Rows
	P, dS := make([][]float32, n), make([][]float32, n)
	for i := range n {
		P[i], dS[i] = make([]float32, n), make([]float32, n)
		do, o := out.DO.Row(i)[r.h*D:][:D], g.O.Row(i)[r.h*D:][:D]
		delta := dotGeneric(do, o)
		for k := a.low(g, i); k <= i; k++ {
			v := g.V.Row(k)[kv*D:]
			dp := productRef(0, numeric.Cuts(D), func(d int) float32 { return do[d] }, func(d int) float32 { return v[d] }, a.Precision)
			P[i][k] = r.e[i][k] * (1 / r.l[i])
			dS[i][k] = (P[i][k] * (dp - delta)) * a.Scale
		}
		for d := range D {
			dq := productRef(0, numeric.Cuts(n), func(k int) float32 { return dS[i][k] }, func(k int) float32 { return g.K.Row(k)[kv*D+d] }, a.Precision)
			out.DQ.Row(i)[r.h*D+d] = settled(dq, a.Precision)
		}
	}
	for k := range n {
		for d := range D {
			dk, dv := &out.DK.Row(k)[kv*D+d], &out.DV.Row(k)[kv*D+d]
			*dk = productRef(*dk, numeric.Cuts(n), func(i int) float32 { return dS[i][k] }, func(i int) float32 { return g.Q.Row(i)[r.h*D+d] }, a.Precision)
			*dv = productRef(*dv, numeric.Cuts(n), func(i int) float32 { return P[i][k] }, func(i int) float32 { return out.DO.Row(i)[r.h*D+d] }, a.Precision)
			if r.h%(a.H/a.KV) == a.H/a.KV-1 {
				*dk, *dv = settled(*dk, a.Precision), settled(*dv, a.Precision)
			}
		}
	}
}
