package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"olmo/numeric"
)

// primitiveCase is one row primitive: its inputs and results as slices of one
// length, so that one test serves all.
type primitiveCase struct {
	name string
	// Slices that are read only, and slices that are written (and may be read).
	in, out int
	// aliases pairs a result with an input that it may overwrite exactly.
	aliases [][2]int
	draw    func(r *rand.Rand, n int) []float32 // nil: values with special ones
	run     func(p *primitives, out, in [][]float32, s []float32) []float32
}

var primitiveCases = []primitiveCase{
	{name: "dot", in: 2, run: func(p *primitives, _, in [][]float32, _ []float32) []float32 {
		return []float32{p.dot(in[0], in[1])}
	}},
	{name: "sum", in: 1, run: func(p *primitives, _, in [][]float32, _ []float32) []float32 {
		return []float32{p.sum(in[0])}
	}},
	{name: "max", in: 1, draw: withNaN, run: func(p *primitives, _, in [][]float32, _ []float32) []float32 {
		return []float32{p.max(in[0])}
	}},
	{name: "expSum", in: 1, out: 1, aliases: [][2]int{{0, 0}}, draw: exponents, run: func(p *primitives, out, in [][]float32, s []float32) []float32 {
		return []float32{p.expSum(out[0], in[0], s[0])}
	}},
	{name: "add", in: 2, out: 1, aliases: [][2]int{{0, 0}, {0, 1}}, run: func(p *primitives, out, in [][]float32, _ []float32) []float32 {
		p.add(out[0], in[0], in[1])
		return nil
	}},
	{name: "scale", in: 1, out: 1, aliases: [][2]int{{0, 0}}, run: func(p *primitives, out, in [][]float32, s []float32) []float32 {
		p.scale(out[0], in[0], s[0])
		return nil
	}},
	{name: "fma", in: 2, out: 1, run: func(p *primitives, out, in [][]float32, _ []float32) []float32 {
		p.fma(out[0], in[0], in[1])
		return nil
	}},
	{name: "lin2", in: 2, out: 1, aliases: [][2]int{{0, 0}, {0, 1}}, run: func(p *primitives, out, in [][]float32, s []float32) []float32 {
		p.lin2(out[0], in[0], in[1], s[0], s[1])
		return nil
	}},
	{name: "mulAdd", in: 2, out: 1, aliases: [][2]int{{0, 0}, {0, 1}}, run: func(p *primitives, out, in [][]float32, s []float32) []float32 {
		p.mulAdd(out[0], in[0], in[1], s[0])
		return nil
	}},
	{name: "div", in: 1, out: 1, aliases: [][2]int{{0, 0}}, run: func(p *primitives, out, in [][]float32, s []float32) []float32 {
		p.div(out[0], in[0], s[0])
		return nil
	}},
	{name: "shift", in: 1, out: 1, aliases: [][2]int{{0, 0}}, run: func(p *primitives, out, in [][]float32, s []float32) []float32 {
		p.shift(out[0], in[0], s[0])
		return nil
	}},
	{name: "layerApply", in: 2, out: 1, aliases: [][2]int{{0, 0}, {0, 1}}, run: func(p *primitives, out, in [][]float32, s []float32) []float32 {
		p.layerApply(out[0], in[0], in[1], s[0], s[1], s[2])
		return nil
	}},
	{name: "normApply", in: 2, out: 1, aliases: [][2]int{{0, 0}}, run: func(p *primitives, out, in [][]float32, s []float32) []float32 {
		p.normApply(out[0], in[0], in[1], s[0])
		return nil
	}},
	{name: "rmsDot", in: 3, run: func(p *primitives, _, in [][]float32, s []float32) []float32 {
		return []float32{p.rmsDot(in[0], in[1], in[2], s[0])}
	}},
	{name: "rmsApply", in: 3, out: 1, aliases: [][2]int{{0, 0}, {0, 2}}, run: func(p *primitives, out, in [][]float32, s []float32) []float32 {
		p.rmsApply(out[0], in[0], in[1], in[2], s[0], s[1])
		return nil
	}},
	{name: "rmsWeight", in: 2, out: 1, run: func(p *primitives, out, in [][]float32, s []float32) []float32 {
		p.rmsWeight(out[0], in[0], in[1], s[0])
		return nil
	}},
	{name: "swiglu", in: 2, out: 1, aliases: [][2]int{{0, 0}, {0, 1}}, draw: exponents, run: func(p *primitives, out, in [][]float32, _ []float32) []float32 {
		p.swiglu(out[0], in[0], in[1])
		return nil
	}},
	{name: "swigluBack", in: 3, out: 2, aliases: [][2]int{{0, 0}, {0, 1}, {1, 2}}, draw: exponents, run: func(p *primitives, out, in [][]float32, _ []float32) []float32 {
		p.swigluBack(out[0], out[1], in[0], in[1], in[2])
		return nil
	}},
	{name: "rope", in: 4, out: 2, aliases: [][2]int{{0, 0}, {1, 1}}, run: func(p *primitives, out, in [][]float32, _ []float32) []float32 {
		p.rope(out[0], out[1], in[0], in[1], in[2], in[3])
		return nil
	}},
	{name: "softmaxBack", in: 2, out: 2, aliases: [][2]int{{0, 0}, {1, 1}}, run: func(p *primitives, out, in [][]float32, s []float32) []float32 {
		p.softmaxBack(out[0], out[1], in[0], in[1], s[0], s[1], s[2])
		return nil
	}},
	{name: "adamw", in: 1, out: 3, draw: positive, run: func(p *primitives, out, in [][]float32, s []float32) []float32 {
		p.adamw(out[0], out[1], out[2], in[0], &adamwScalars{
			clip: s[0], decay: 0.999, beta1: 0.9, omb1: 0.1, beta2: 0.95, omb2: 0.05, step: s[1], root: 0.3, eps: 1e-8,
		})
		return nil
	}},
	{name: "round", in: 1, out: 1, aliases: [][2]int{{0, 0}}, draw: anyBits, run: func(p *primitives, out, in [][]float32, _ []float32) []float32 {
		p.round(out[0], in[0])
		return nil
	}},
}

func withNaN(r *rand.Rand, n int) []float32 {
	x := values(r, n, true)
	for i := range x {
		switch r.IntN(20) {
		case 0:
			x[i] = float32(math.NaN())
		case 1:
			x[i] = float32(math.Inf(2*r.IntN(2) - 1))
		}
	}
	return x
}

// exponents covers the whole range of exp, and its ends closely.
func exponents(r *rand.Rand, n int) []float32 {
	x := withNaN(r, n)
	for i := range x {
		switch r.IntN(8) {
		case 0, 1, 2:
			x[i] *= 10
		case 3, 4:
			x[i] = 200*r.Float32() - 100
		case 5:
			x[i] = math.Float32frombits(math.Float32bits(numeric.Exp32Min) + uint32(r.IntN(7)) - 3)
		case 6:
			x[i] = math.Float32frombits(math.Float32bits(numeric.Exp32Max) + uint32(r.IntN(7)) - 3)
		}
	}
	return x
}

// positive keeps square roots out of NaN.
func positive(r *rand.Rand, n int) []float32 {
	x := values(r, n, true)
	for i := range x {
		x[i] = float32(math.Abs(float64(x[i])))
	}
	return x
}

func anyBits(r *rand.Rand, n int) []float32 {
	x := withNaN(r, n)
	for i := range x {
		switch r.IntN(4) {
		case 0:
			x[i] = math.Float32frombits(r.Uint32())
		case 1: // ties
			x[i] = math.Float32frombits(r.Uint32()&0xffff0000 | 0x8000)
		}
	}
	return x
}

// guarded returns n elements at an odd place of a larger slice, and a function
// that reports a change of what surrounds them.
func guarded(n, shift int) ([]float32, func() error) {
	all := make([]float32, n+64)
	for i := range all {
		all[i] = math.Float32frombits(0xdeadbe00 + uint32(i&0xff))
	}
	start := 17 + shift
	return all[start : start+n : start+n], func() error {
		for i, v := range all {
			if (i < start || i >= start+n) && math.Float32bits(v) != 0xdeadbe00+uint32(i&0xff) {
				return fmt.Errorf("wrote element %d of %d", i-start, n)
			}
		}
		return nil
	}
}

func TestPrimitives(t *testing.T) {
	forEach(t, func(t *testing.T, p *primitives, r *rand.Rand) {
		for _, c := range primitiveCases {
			draw := c.draw
			if draw == nil {
				draw = func(r *rand.Rand, n int) []float32 { return values(r, n, true) }
			}
			check := func(n int, alias [2]int, aliased bool) error {
				s := []float32{float32(r.NormFloat64()), float32(r.NormFloat64()), float32(r.NormFloat64())}
				var in, out, ref, inRef [][]float32
				var guards []func() error
				place := func(x []float32) []float32 {
					y, guard := guarded(len(x), r.IntN(16))
					copy(y, x)
					guards = append(guards, guard)
					return y
				}
				for range c.in {
					x := draw(r, n)
					inRef = append(inRef, x)
					in = append(in, place(x))
				}
				for i := range c.out {
					x := draw(r, n)
					ref = append(ref, append([]float32(nil), x...))
					if aliased && alias[0] == i {
						out = append(out, in[alias[1]])
					} else {
						out = append(out, place(x))
					}
				}
				want := c.run(generic, ref, inRef, s)
				got := c.run(p, out, in, s)
				if err := sameBits(got, want); err != nil {
					return fmt.Errorf("result: %w", err)
				}
				for i := range out {
					if err := sameBits(out[i], ref[i]); err != nil {
						return fmt.Errorf("slice %d written: %w", i, err)
					}
				}
				for i := range in {
					if aliased && alias[1] == i {
						continue
					}
					if err := sameBits(in[i], inRef[i]); err != nil {
						return fmt.Errorf("slice %d read: %w", i, err)
					}
				}
				for _, g := range guards {
					if err := g(); err != nil {
						return err
					}
				}
				return nil
			}
			t.Run(c.name, func(t *testing.T) {
				for _, n := range lengths {
					for range 4 {
						if err := check(n, [2]int{}, false); err != nil {
							t.Fatalf("n %d: %v", n, err)
						}
					}
					for _, alias := range c.aliases {
						if err := check(n, alias, true); err != nil {
							t.Fatalf("n %d, result %d over input %d: %v", n, alias[0], alias[1], err)
						}
					}
				}
			})
		}
	})
}

// TestPacking holds the primitives that pack operands to their definitions.
func TestPacking(t *testing.T) {
	asWords := func(x []float32) []uint32 {
		w := make([]uint32, len(x))
		for i, v := range x {
			w[i] = math.Float32bits(v)
		}
		return w
	}
	equal := func(t *testing.T, n int, got, want []uint32) {
		t.Helper()
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("n %d: word %d = %#08x, want %#08x", n, i, got[i], want[i])
			}
		}
	}
	const guard = 0xdeadbeef
	words := func(n int) []uint32 {
		w := make([]uint32, n+32)
		for i := range w {
			w[i] = guard
		}
		return w
	}
	forEach(t, func(t *testing.T, p *primitives, r *rand.Rand) {
		for _, n := range lengths {
			for range 8 {
				x, y := anyBits(r, n+3)[3:], anyBits(r, n+5)[5:]
				pairs := (n + 1) / 2

				got, want := words(pairs), words(pairs)
				p.roundPairs(got[:pairs], x)
				roundPairsGeneric(want[:pairs], x)
				equal(t, n, got, want)

				got, want = words(n), words(n)
				p.interleave(got[:n], x, y)
				interleaveGeneric(want[:n], x, y)
				equal(t, n, got, want)

				swapped, guard := guarded(2*pairs, r.IntN(16))
				ref := make([]float32, 2*pairs)
				p.roundSwap(swapped, x)
				roundSwapGeneric(ref, x)
				equal(t, n, asWords(swapped), asWords(ref))
				if err := guard(); err != nil {
					t.Fatalf("roundSwap, n %d: %v", n, err)
				}
			}
		}
	})
}

func TestTranspose(t *testing.T) {
	forEach(t, func(t *testing.T, p *primitives, r *rand.Rand) {
		sizes := []int{0, 1, 2, 7, 8, 9, 15, 16, 17, 24, 31, 32, 40, 65}
		for _, rows := range sizes {
			for _, cols := range sizes {
				srcStride, dstStride := cols+r.IntN(4), rows+r.IntN(4)
				src := anyBits(r, rows*srcStride+1)
				n := cols*dstStride + 1
				got, guard := guarded(n, r.IntN(16))
				want := append([]float32(nil), got...)
				p.transpose(got, src, dstStride, srcStride, rows, cols)
				transposeGeneric(want, src, dstStride, srcStride, rows, cols)
				for i := range want {
					if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
						t.Fatalf("%d×%d: element %d = %#08x, want %#08x", rows, cols, i, math.Float32bits(got[i]), math.Float32bits(want[i]))
					}
				}
				if err := guard(); err != nil {
					t.Fatalf("%d×%d: %v", rows, cols, err)
				}
			}
		}
	})
}

// TestExp compares exp with its definition for every exponent and a sample of
// significands, and around the bounds for every value.
func TestExp(t *testing.T) {
	forEach(t, func(t *testing.T, p *primitives, r *rand.Rand) {
		check := func(x []float32) {
			got, want := make([]float32, len(x)), make([]float32, len(x))
			p.expSum(got, x, 0)
			expSumGeneric(want, x, 0)
			if err := sameBits(got, want); err != nil {
				t.Fatal(err)
			}
		}
		const n = 4096
		x := make([]float32, n)
		for e := range uint32(512) {
			for i := range x {
				x[i] = math.Float32frombits(e<<23 | r.Uint32()&0x7fffff)
			}
			check(x)
		}
		for _, bound := range []float32{numeric.Exp32Max, numeric.Exp32Min, 104, -104} {
			for i := range x {
				x[i] = math.Float32frombits(math.Float32bits(bound) + uint32(i) - n/2)
			}
			check(x)
		}
	})
}

// BenchmarkPrimitives gives the rate of each row primitive on rows that stay in the cache.
func BenchmarkPrimitives(b *testing.B) {
	for _, p := range available() {
		if p == generic {
			continue
		}
		for _, c := range primitiveCases {
			b.Run(p.name+"/"+c.name, func(b *testing.B) {
				const n = 1024
				r := rand.New(rand.NewPCG(1, 2))
				var in, out [][]float32
				for range c.in {
					in = append(in, values(r, n, false))
				}
				for range c.out {
					out = append(out, positive(r, n))
				}
				s := []float32{1, 1e-3, 1}
				for b.Loop() {
					c.run(p, out, in, s)
				}
				seconds := b.Elapsed().Seconds() / float64(b.N)
				b.ReportMetric(n/seconds/1e9, "Gelem/s")
				b.ReportMetric(4*float64(n)*float64(c.in+c.out)/seconds/1e9, "GB/s")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
