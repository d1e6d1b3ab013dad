//go:build !purego

package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// TestPrimitivesNEON compares every row function with its definition.
func TestPrimitivesNEON(t *testing.T) {
	const guard = 19
	type call struct {
		name string
		in   int // slices read
		out  int // slices written; the first may hold old values
		run  func(p *primitives, out, in [][]float32, s []float32) float32
	}
	words := func(x []float32) []uint32 {
		return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
	}
	even := func(x []float32, n int) []float32 { return x[: n+n&1 : n+n&1] }
	calls := []call{
		{"round", 1, 1, func(p *primitives, o, x [][]float32, s []float32) float32 { p.round(o[0], x[0]); return 0 }},
		{"roundSwap", 1, 1, func(p *primitives, o, x [][]float32, s []float32) float32 {
			p.roundSwap(even(o[0][:len(x[0]):cap(o[0])], len(x[0])), x[0])
			return 0
		}},
		{"roundPairs", 1, 1, func(p *primitives, o, x [][]float32, s []float32) float32 {
			p.roundPairs(words(o[0])[:(len(x[0])+1)/2], x[0])
			return 0
		}},
		{"interleave", 2, 1, func(p *primitives, o, x [][]float32, s []float32) float32 {
			p.interleave(words(o[0]), x[0], x[1])
			return 0
		}},
		{"dot", 2, 0, func(p *primitives, o, x [][]float32, s []float32) float32 { return p.dot(x[0], x[1]) }},
		{"sum", 1, 0, func(p *primitives, o, x [][]float32, s []float32) float32 { return p.sum(x[0]) }},
		{"max", 1, 0, func(p *primitives, o, x [][]float32, s []float32) float32 { return p.max(x[0]) }},
		{"expSum", 1, 1, func(p *primitives, o, x [][]float32, s []float32) float32 { return p.expSum(o[0], x[0], s[0]) }},
		{"add", 2, 1, func(p *primitives, o, x [][]float32, s []float32) float32 { p.add(o[0], x[0], x[1]); return 0 }},
		{"scale", 1, 1, func(p *primitives, o, x [][]float32, s []float32) float32 { p.scale(o[0], x[0], s[0]); return 0 }},
		{"fma", 2, 1, func(p *primitives, o, x [][]float32, s []float32) float32 { p.fma(o[0], x[0], x[1]); return 0 }},
		{"lin2", 2, 1, func(p *primitives, o, x [][]float32, s []float32) float32 {
			p.lin2(o[0], x[0], x[1], s[0], s[1])
			return 0
		}},
		{"mulAdd", 2, 1, func(p *primitives, o, x [][]float32, s []float32) float32 {
			p.mulAdd(o[0], x[0], x[1], s[0])
			return 0
		}},
		{"div", 1, 1, func(p *primitives, o, x [][]float32, s []float32) float32 { p.div(o[0], x[0], s[0]); return 0 }},
		{"normApply", 2, 1, func(p *primitives, o, x [][]float32, s []float32) float32 {
			p.normApply(o[0], x[0], x[1], s[0])
			return 0
		}},
		{"rmsDot", 3, 0, func(p *primitives, o, x [][]float32, s []float32) float32 {
			return p.rmsDot(x[0], x[1], x[2], s[0])
		}},
		{"rmsApply", 3, 1, func(p *primitives, o, x [][]float32, s []float32) float32 {
			p.rmsApply(o[0], x[0], x[1], x[2], s[0], s[1])
			return 0
		}},
		{"rmsWeight", 2, 1, func(p *primitives, o, x [][]float32, s []float32) float32 {
			p.rmsWeight(o[0], x[0], x[1], s[0])
			return 0
		}},
		{"swiglu", 2, 1, func(p *primitives, o, x [][]float32, s []float32) float32 { p.swiglu(o[0], x[0], x[1]); return 0 }},
		{"swigluBack", 3, 2, func(p *primitives, o, x [][]float32, s []float32) float32 {
			p.swigluBack(o[0], o[1], x[0], x[1], x[2])
			return 0
		}},
		{"rope", 4, 2, func(p *primitives, o, x [][]float32, s []float32) float32 {
			p.rope(o[0], o[1], x[0], x[1], x[2], x[3])
			return 0
		}},
		{"softmaxBack", 2, 2, func(p *primitives, o, x [][]float32, s []float32) float32 {
			p.softmaxBack(o[0], o[1], x[0], x[1], s[0], s[1], s[2])
			return 0
		}},
		{"adamw", 1, 3, func(p *primitives, o, x [][]float32, s []float32) float32 {
			p.adamw(o[0], o[1], o[2], x[0], &adamwScalars{s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8]})
			return 0
		}},
	}
	forEach(t, func(t *testing.T, p *primitives, r *rand.Rand) {
		for _, c := range calls {
			for _, n := range lengths {
				for round := range 24 {
					special := round%2 == 1
					s := values(r, 9, special)
					var in, got, want [][]float32
					var gotAll, wantAll [][]float32
					for range c.in {
						off := r.IntN(4)
						x := values(r, n+off, special)
						if c.name == "expSum" || c.name[0] == 's' {
							for i := range x {
								x[i] *= 30
							}
						}
						if round%8 == 7 && len(x) > 0 {
							for range 1 + len(x)/16 {
								x[r.IntN(len(x))] = []float32{float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())}[r.IntN(3)]
							}
						}
						in = append(in, x[off:])
					}
					for i := range c.out {
						off := r.IntN(4)
						x := values(r, n+off+guard, special)
						if round%3 == 2 && i < c.in && c.name != "roundSwap" && c.name != "roundPairs" {
							copy(x[off:], in[i]) // to alias
						}
						y := append([]float32(nil), x...)
						gotAll, wantAll = append(gotAll, x), append(wantAll, y)
						got, want = append(got, x[off:off+n]), append(want, y[off:off+n])
					}
					gin, win := append([][]float32(nil), in...), append([][]float32(nil), in...)
					if round%3 == 2 && c.name != "roundSwap" && c.name != "roundPairs" {
						for i := 0; i < c.in && i < c.out; i++ {
							gin[i], win[i] = got[i], want[i]
						}
					}
					g, w := c.run(p, got, gin, s), c.run(generic, want, win, s)
					err := sameBits([]float32{g}, []float32{w})
					for i := range gotAll {
						if e := sameBits(gotAll[i], wantAll[i]); err == nil && e != nil {
							err = fmt.Errorf("output %d: %w", i, e)
						}
					}
					if err != nil {
						t.Fatalf("%s of %d, round %d: %v", c.name, n, round, err)
					}
				}
			}
		}
	})
}

func TestTransposeNEON(t *testing.T) {
	forEach(t, func(t *testing.T, p *primitives, r *rand.Rand) {
		for _, rows := range []int{0, 1, 3, 4, 5, 8, 17} {
			for _, cols := range []int{0, 1, 2, 4, 7, 16, 33} {
				ss, ds := cols+2, rows+3
				src := values(r, rows*ss+1, true)[1:]
				got := values(r, cols*ds+9, true)
				want := append([]float32(nil), got...)
				p.transpose(got, src, ds, ss, rows, cols)
				transposeGeneric(want, src, ds, ss, rows, cols)
				if err := sameBits(got, want); err != nil {
					t.Fatalf("%d×%d: %v", rows, cols, err)
				}
			}
		}
	})
}
