package kernel

import (
	"fmt"
	"hash"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"testing"

	"olmo/numeric"
)

// digestor draws numbers that are the same on every architecture (made of bits,
// with no arithmetic) and takes the digest of results.
type digestor struct {
	r         *rand.Rand
	sum       hash.Hash64
	precision numeric.Precision
}

// draw returns numbers with magnitudes from 2^(−spread) to 2^spread.
func (d *digestor) draw(n, spread int) []float32 {
	x := make([]float32, n)
	for i := range x {
		u := d.r.Uint32()
		x[i] = math.Float32frombits(u&0x807fffff | uint32(127-spread+d.r.IntN(2*spread))<<23)
	}
	return x
}

func (d *digestor) matrix(rows, cols, spread int) Matrix {
	return Dense(d.draw(rows*cols, spread), rows, cols)
}

func (d *digestor) add(xs ...[]float32) {
	for _, x := range xs {
		for _, v := range x {
			d.word(uint64(math.Float32bits(v)), v != v)
		}
	}
}

func (d *digestor) add64(xs ...float64) {
	for _, v := range xs {
		d.word(math.Float64bits(v), v != v)
	}
}

func (d *digestor) word(bits uint64, nan bool) {
	if nan {
		bits = 0x7ff8
	}
	var b [8]byte
	for i := range b {
		b[i] = byte(bits >> (8 * i))
	}
	d.sum.Write(b[:])
}

// TestDigests runs operations with every table. Their digests are those of plain Go
// on amd64; a compiler that fuses a product and a sum where the definition
// does not, as on arm64, changes them.
func TestDigests(t *testing.T) {
	cases := []struct {
		name string
		want [3]uint64 // by precision
		run  func(d *digestor)
	}{
		{"matmul", [3]uint64{0x6c054150537126a5, 0x222a94d2c1836d99, 0xb87e55079aa82a29}, func(d *digestor) {
			for _, spread := range []int{4, 60} { // the wide one overflows, and is flushed
				a, b, bt := d.matrix(21, 300, spread), d.matrix(300, 37, spread), d.matrix(37, 300, spread)
				at, c, res := d.matrix(300, 21, spread), d.matrix(21, 37, spread), d.matrix(21, 37, spread)
				MatMulTN(c, at, b, []int{100, 300}, d.precision)
				d.add(c.Data)
				MatMulNN(c, a, b, nil, d.precision)
				d.add(c.Data)
				MatMulNT(c, a, bt, &res, d.precision)
				d.add(c.Data)
			}
		}},
		{"attention", [3]uint64{0x69d2044704c02e66, 0xfebdf25a50f00a24, 0xca3828734159e485}, func(d *digestor) {
			for _, a := range []Attention{
				{H: 2, KV: 1, D: 10, Scale: 0.3, Slopes: []float32{0.5, 0.0625}},
				{H: 2, KV: 2, D: 8, Scale: 0.3, Window: 37},
			} {
				const n = 270
				a.Precision = d.precision
				q := func() Matrix { return d.matrix(n, a.H*a.D, 2) }
				k := func() Matrix { return d.matrix(n, a.KV*a.D, 2) }
				s := Segment{Q: q(), O: q(), K: k(), V: k(), Stats: d.matrix(n, 2*a.H, 1)}
				a.Forward([]Segment{s})
				d.add(s.O.Data, s.Stats.Data)
				g := Gradients{DO: q(), DQ: q(), DK: k(), DV: k()}
				a.Backward([]Segment{s}, []Gradients{g})
				d.add(g.DQ.Data, g.DK.Data, g.DV.Data)
			}
		}},
		{"head", [3]uint64{0xdf141f8414f12e83, 0x2e4576257415ce85, 0xc4995d4b237f7bf0}, func(d *digestor) {
			const n, c, v = 20, 24, 101
			ce, lse := make([]float32, n), make([]float32, n)
			targets := make([]int32, n)
			for i := range targets {
				targets[i] = int32(d.r.IntN(v+5)) - 5
			}
			dx, dw := d.matrix(n, c, 1), d.matrix(v, c, 1)
			h := Head{X: d.matrix(n, c, 2), W: d.matrix(v, c, 2), Targets: targets, Ends: []int{13, n}, Precision: d.precision}
			h.Loss(ce, lse, &HeadGradients{Scale: func(int) float32 { return 0.01 }, ZMul: 1e-4, DX: dx, DW: &dw})
			d.add(ce, lse, dx.Data, dw.Data)
		}},
		{"capped attention", [3]uint64{0xf7e4fa393b1c6f63, 0xba72354f6bed851c, 0x1760706a34dde8fa}, func(d *digestor) {
			const n = 270
			a := Attention{H: 2, KV: 1, D: 10, Scale: 0.3, Cap: 2, Window: 37, Precision: d.precision}
			q := func() Matrix { return d.matrix(n, a.H*a.D, 2) }
			k := func() Matrix { return d.matrix(n, a.KV*a.D, 2) }
			s := Segment{Q: q(), O: q(), K: k(), V: k(), Stats: d.matrix(n, 2*a.H, 1)}
			a.Forward([]Segment{s})
			d.add(s.O.Data, s.Stats.Data)
			g := Gradients{DO: q(), DQ: q(), DK: k(), DV: k()}
			a.Backward([]Segment{s}, []Gradients{g})
			d.add(g.DQ.Data, g.DK.Data, g.DV.Data)
		}},
		{"capped head", [3]uint64{0x612a2f0173f87838, 0x816904593909ffa3, 0xcba1a01af5b4f5f8}, func(d *digestor) {
			const n, c, v = 20, 24, 101
			ce, lse := make([]float32, n), make([]float32, n)
			targets := make([]int32, n)
			for i := range targets {
				targets[i] = int32(d.r.IntN(v+5)) - 5
			}
			dx, dw := d.matrix(n, c, 1), d.matrix(v, c, 1)
			h := Head{X: d.matrix(n, c, 2), W: d.matrix(v, c, 2), Cap: 3, Targets: targets, Ends: []int{13, n}, Precision: d.precision}
			h.Loss(ce, lse, &HeadGradients{Scale: func(int) float32 { return 0.01 }, ZMul: 1e-4, DX: dx, DW: &dw})
			d.add(ce, lse, dx.Data, dw.Data)
		}},
		{"low rank", [3]uint64{0xca433ccb9afdeb96, 0xefab6fceabbc47b1, 0x7f88834cd09d5772}, func(d *digestor) {
			const n, c, f, rank = 300, 24, 40, 3
			dA, dB := d.matrix(rank, c, 1), d.matrix(f, rank, 1)
			l := LowRank{A: d.matrix(rank, c, 2), B: d.matrix(f, rank, 2), Scale: 0.3, Precision: d.precision}
			x, y, h, dx := d.matrix(n, c, 2), d.matrix(n, f, 2), d.matrix(n, rank, 1), d.matrix(n, c, 1)
			l.Forward(y, h, y, x)
			l.Backward(dx, d.matrix(n, f, 2), x, h, LowRankGrads{&dA, &dB}, []int{200, n})
			d.add(y.Data, h.Data, dx.Data, dA.Data, dB.Data)
		}},
		{"norms of heads, GeGLU, softcap", [3]uint64{0xe238ced6630bad9f, 0xe238ced6630bad9f, 0xe238ced6630bad9f}, func(d *digestor) {
			const n, heads, D = 9, 5, 24
			x, y, dy, dx := d.matrix(n, heads*D, 3), d.matrix(n, heads*D, 3), d.matrix(n, heads*D, 3), d.matrix(n, heads*D, 3)
			w, rstd, dw := d.draw(D, 1), make([]float32, n*heads), make([]float32, D)
			OnePlus(w, w)
			RMSNorm(y, x, rstd, w, 1e-6)
			RMSNormBackward(dx, dy, x, rstd, w, dw, []int{5, n})
			d.add(w, y.Data, rstd, dx.Data, dw)
			for _, gateFirst := range []bool{false, true} {
				u, du := d.matrix(n, 2*heads*D, 6), d.matrix(n, 2*heads*D, 3)
				GeGLU(y, u, gateFirst)
				GeGLUBackward(du, dy, u, gateFirst)
				d.add(y.Data, du.Data)
				SwiGLU(y, u, gateFirst)
				SwiGLUBackward(du, dy, u, gateFirst)
				d.add(y.Data, du.Data)
			}
			x = d.matrix(n, heads*D, 8)
			Softcap(y, x, 3)
			SoftcapBackward(dx, dy, x, 3)
			d.add(y.Data, dx.Data)
		}},
		{"rows", [3]uint64{0x9b4df93287a6c338, 0x9b4df93287a6c338, 0x9b4df93287a6c338}, func(d *digestor) {
			const n, c = 9, 100
			x, y, dy, dx := d.matrix(n, c, 3), d.matrix(n, c, 3), d.matrix(n, c, 3), d.matrix(n, c, 3)
			w, rstd, dw := d.draw(c, 1), make([]float32, n), make([]float32, c)
			RMSNorm(y, x, rstd, w, 1e-6)
			RMSNormBackward(dx, dy, x, rstd, w, dw, []int{5, n})
			d.add(y.Data, rstd, dx.Data, dw)
			u, du := d.matrix(n, 2*c, 6), d.matrix(n, 2*c, 3)
			SwiGLU(y, u, false)
			SwiGLUBackward(du, dy, u, false)
			d.add(y.Data, du.Data)
			positions := []int32{0, 1, 2, 3, 4, 5, 6, 7, 8}
			Rotary(y, x, 20, 20, positions, d.draw(n*10, 1), d.draw(n*10, 1))
			d.add(y.Data)
		}},
		{"families", [3]uint64{0x9621ef85080e31ce, 0x249b5bb36186bbbb, 0xa100d9570d8fb5cd}, func(d *digestor) {
			const n, c = 9, 100
			ends := []int{5, n}
			x, y, dy, dx := d.matrix(n, c, 3), d.matrix(n, c, 3), d.matrix(n, c, 3), d.matrix(n, c, 3)
			w, b, mean, rstd := d.draw(c, 1), d.draw(c, 1), make([]float32, n), make([]float32, n)
			dw, db := make([]float32, c), make([]float32, c)
			LayerNorm(y, x, mean, rstd, w, b, 1e-5)
			LayerNormBackward(dx, dy, x, mean, rstd, w, dw, db, ends)
			d.add(y.Data, mean, rstd, dx.Data, dw, db)
			for _, f := range []struct {
				forward  func(y, x Matrix)
				backward func(dx, dy, x Matrix)
			}{{GELU, GELUBackward}, {GELUTanh, GELUTanhBackward}, {ReLU, ReLUBackward}} {
				f.forward(y, x)
				f.backward(dx, dy, x)
				d.add(y.Data, dx.Data)
			}
			Clamp(y, x, 0.5)
			ClampBackward(dx, dy, x, 0.5)
			d.add(y.Data, dx.Data)
			const E, K, F = 5, 2, 20
			weights, p, dl, dweights := d.matrix(n, E, 1), d.matrix(n, E, 1), d.matrix(n, E, 1), d.matrix(n, E, 1)
			Router(weights, p, d.matrix(n, E, 2), K, false)
			RouterBackward(dl, d.matrix(n, E, 1), weights, p, false)
			d.add(weights.Data, p.Data, dl.Data)
			mix := &Experts{K: K, Precision: d.precision}
			grads := &Experts{}
			for range E {
				for _, m := range []*Experts{mix, grads} {
					m.Up, m.Gate, m.Down = append(m.Up, d.matrix(F, c, 1)), append(m.Gate, d.matrix(F, c, 1)), append(m.Down, d.matrix(c, F, 1))
				}
			}
			h := d.matrix(n, K*2*F, 1)
			mix.Forward(y, h, x, weights)
			mix.Backward(dx, dweights, dy, x, weights, h, grads, ends)
			d.add(y.Data, h.Data, dx.Data, dweights.Data)
			for e := range E {
				d.add(grads.Up[e].Data, grads.Gate[e].Data, grads.Down[e].Data)
			}
		}},
		{"optimisers", [3]uint64{0x605cb77e2a3b560e, 0x50de1b6c764ed924, 0x224b4c0e32e18b26}, func(d *digestor) {
			const n = 333
			p, m, v, g := d.draw(n, 3), d.draw(n, 3), d.draw(n, 3), d.draw(n, 3)
			for i := range v {
				v[i] = float32(math.Abs(float64(v[i])))
			}
			AdamW{LR: 1e-3, WeightDecay: 0.1, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Step: 11, Clip: 0.7}.Update(p, m, v, g)
			d.add(p, m, v)
			w, b, dw := d.matrix(24, 15, 2), d.matrix(24, 15, 2), d.matrix(24, 15, 2)
			UpdateMuon([]MuonStep{{Muon: Muon{LR: 1e-2, WeightDecay: 0.1, Momentum: 0.95, Clip: 0.7, Blocks: 2, Precision: d.precision, Factor: 0.2 * math.Sqrt(15)}, P: w, B: b, G: dw}})
			d.add(w.Data, b.Data)
			d.add64(SumSquares(d.draw(normChunk+77, 3)))
		}},
		{"NorMuon, Dion, dropout", [3]uint64{0x7d0cfcfe33e2e89f, 0x2da8d09fbbbdf4b2, 0x6935d16fd2f5d795}, func(d *digestor) {
			w, b, dw := d.matrix(24, 15, 2), d.matrix(24, 15, 2), d.matrix(24, 15, 2)
			v := make([]float32, 24)
			UpdateMuon([]MuonStep{{Muon: Muon{LR: 1e-2, WeightDecay: 0.1, Momentum: 0.95, Clip: 0.7, Blocks: 2, Precision: d.precision, Heavy: true, Cautious: true, Factor: math.Sqrt(12.0 / 15), Beta2: 0.9}, P: w, B: b, G: dw, V: v}})
			d.add(w.Data, b.Data, v)
			q := d.matrix(2*5, 12, 2)
			UpdateDion([]DionStep{{LR: 1e-2, WeightDecay: 0.1, Momentum: 0.95, Clip: 0.7, Blocks: 2, Rank: 5, P: w, B: b, G: dw, Q: q}})
			d.add(w.Data, b.Data, q.Data)
			x := d.matrix(40, 37, 2)
			Dropout(x, x, numeric.NewDropout(0.3, 5, 6, 7), 11)
			d.add(x.Data)
		}},
		{"NEFTune", [3]uint64{0xaf6cf6696e103532, 0xaf6cf6696e103532, 0xaf6cf6696e103532}, func(d *digestor) {
			x := d.matrix(40, 37, 2)
			NEFTune(x, x, numeric.NewNEFTune(5, 6), 11, []int{13, 27}, []float32{0.3, 1.7})
			d.add(x.Data)
		}},
	}
	withTables(t, func(t *testing.T) {
		for _, c := range cases {
			for i, want := range c.want {
				t.Run(fmt.Sprint(c.name, i), func(t *testing.T) {
					d := &digestor{rand.New(rand.NewPCG(15, 16)), fnv.New64a(), numeric.Precision(i)}
					c.run(d)
					if got := d.sum.Sum64(); got != want {
						t.Errorf("digest %#016x, want %#016x", got, want)
					}
				})
			}
		}
	})
}
