package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"unsafe"

	"olmo/numeric"
)

// TestMain chooses the kernels, as the first device does.
func TestMain(m *testing.M) {
	if err := Check(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	m.Run()
}

// values draws numbers that find mistakes: ordinary ones, exact and signed
// zeros, denormals, powers of two, numbers next to overflow.
func values(r *rand.Rand, n int, special bool) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
		if special && r.IntN(8) == 0 {
			switch r.IntN(8) {
			case 0:
				x[i] = 0
			case 1:
				x[i] = float32(math.Copysign(0, -1))
			case 2:
				x[i] = math.Float32frombits(r.Uint32() & 0x807fffff)
			case 3:
				x[i] *= 1e-30
			case 4:
				x[i] *= 1e-19
			case 5:
				x[i] *= 1e18
			case 6:
				x[i] = math.Float32frombits(uint32(r.IntN(254)+1)<<23 | r.Uint32()&0x80000000)
			case 7:
				x[i] = float32(r.IntN(17) - 8)
			}
		}
	}
	return x
}

// sameBits reports the first difference between two results.
func sameBits(got, want []float32) error {
	for i := range want {
		g, w := got[i], want[i]
		if math.Float32bits(g) != math.Float32bits(w) && (g == g || w == w) {
			return fmt.Errorf("element %d of %d = %v (%#08x), want %v (%#08x)", i, len(want), g, math.Float32bits(g), w, math.Float32bits(w))
		}
	}
	return nil
}

// forEach runs a test for every table but the definition.
func forEach(t *testing.T, f func(t *testing.T, p *primitives, r *rand.Rand)) {
	for _, p := range available() {
		if p != generic {
			t.Run(p.name, func(t *testing.T) { f(t, p, rand.New(rand.NewPCG(1, 2))) })
		}
	}
}

var lengths = []int{0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 255, 256, 257, 1000}

// tileRef is the tile by its definition, for any panel width.
func tileRef(a []float32, rs, ks int, b []float32, nr int, c []float32, ldc, k, rows, mode int) {
	for i := range rows {
		for j := range nr {
			var acc float32
			for x := range k {
				if mode&tileFlush != 0 {
					acc = numeric.FlushedFMA(a[i*rs+x*ks], b[x*nr+j], acc)
				} else {
					acc = numeric.FMA(a[i*rs+x*ks], b[x*nr+j], acc)
				}
			}
			var old float32
			if mode&tileAdd != 0 {
				old = c[i*ldc+j]
			}
			if mode&tileFlush != 0 {
				c[i*ldc+j] = numeric.FlushedAdd(old, acc)
			} else {
				c[i*ldc+j] = old + acc
			}
		}
	}
}

func TestTile(t *testing.T) {
	for _, p := range available() {
		t.Run(p.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(3, 4))
			for _, k := range []int{0, 1, 2, 3, 5, 8, 64, 255, 256} {
				for rows := 1; rows <= p.mr; rows++ {
					for mode := range 4 {
						if p.pairs && mode&tileFlush != 0 {
							continue // TestTilePairs
						}
						if k > 8 && rows > 2 && rows < p.mr-1 {
							continue
						}
						for _, kMajor := range []bool{false, true} {
							rs, ks := k+3, 1
							if kMajor {
								rs, ks = 1, p.mr+1
							}
							a := values(r, (p.mr+1)*(k+4)+8, true)
							b := values(r, k*p.nr, true)
							if mode&tileFlush != 0 {
								roundGeneric(a, a)
								roundGeneric(b, b)
							}
							ldc := p.nr + 5
							c := values(r, p.mr*ldc, true)
							want := append([]float32(nil), c...)
							tileRef(a, rs, ks, b, p.nr, want, ldc, k, rows, mode)
							b = append(b, 0)
							p.tile(&tileArgs{
								a: unsafe.Pointer(&a[0]), b: unsafe.Pointer(&b[0]), c: unsafe.Pointer(&c[0]),
								rowStride: uintptr(rs * 4), kStride: uintptr(ks * 4), ldc: uintptr(ldc * 4), k: k, rows: rows, mode: mode,
							})
							if err := sameBits(c, want); err != nil {
								t.Fatalf("k %d rows %d mode %d kMajor %v: %v", k, rows, mode, kMajor, err)
							}
						}
					}
				}
			}
		})
	}
}

// TestTileBlocks holds the tile of sums in blocks to its definition, also near 2⁻¹²⁶, where chains,
// their sums and c are flushed.
func TestTileBlocks(t *testing.T) {
	for _, p := range available() {
		t.Run(p.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(7, 9))
			for _, k := range []int{0, 2, 4, 30, 32, 34, 64, 94, 96, 128, 256} {
				for rows := 1; rows <= p.mr; rows++ {
					if half := p.mr / 2; k > 34 && rows > 2 && rows != half && rows != half+1 && rows < p.mr-1 {
						continue
					}
					for _, spread := range []string{"values", "small", "zeros"} {
						for _, kMajor := range []bool{false, true} {
							for mode := tileFlush; mode <= tileFlush|tileAdd; mode++ {
								rs, ks := k+3, 1
								if kMajor {
									rs, ks = 1, p.mr+1
								}
								ldc := p.nr + 5
								a, b, c := values(r, (p.mr+1)*(k+4)+8, true), values(r, k*p.nr, true), values(r, p.mr*ldc, true)
								for _, x := range [][]float32{a, b, c} {
									for i := range x {
										switch spread {
										case "small":
											x[i] *= 0x1p-63
										case "zeros":
											x[i] *= 0x1p-100
										}
									}
								}
								if spread == "small" {
									for i := range c {
										c[i] *= 0x1p-63
									}
								}
								roundGeneric(a, a)
								roundGeneric(b, b)
								want := append([]float32(nil), c...)
								for i := range rows {
									for j := range p.nr {
										acc := &want[i*ldc+j]
										if mode&tileAdd == 0 {
											*acc = 0
										}
										// The odd term of a pair stands first.
										*acc = blocksRef(*acc, 0, k, func(k int) float32 { return a[i*rs+(k^1)*ks] }, func(k int) float32 { return b[(k^1)*p.nr+j] })
									}
								}
								b = append(b, 0)
								p.tileBlocks(&tileArgs{
									a: unsafe.Pointer(&a[0]), b: unsafe.Pointer(&b[0]), c: unsafe.Pointer(&c[0]), ahead: unsafe.Pointer(&b[0]),
									rowStride: uintptr(rs * 4), kStride: uintptr(ks * 4), ldc: uintptr(ldc * 4), k: k, rows: rows, mode: mode,
								})
								if err := sameBits(c, want); err != nil {
									t.Fatalf("%s, k %d rows %d mode %d kMajor %v: %v", spread, k, rows, mode, kMajor, err)
								}
							}
						}
					}
				}
			}
		})
	}
}

// TestTilePairs holds the dot product instruction to its definition.
func TestTilePairs(t *testing.T) {
	for _, p := range available() {
		if !p.pairs {
			continue
		}
		r := rand.New(rand.NewPCG(5, 6))
		for _, k := range []int{1, 2, 3, 64, 127, 128} { // words
			for _, rows := range []int{1, 2, p.mr - 1, p.mr} {
				for mode := tileFlush; mode < 4; mode++ {
					a, b := make([]uint32, rows*k), make([]uint32, k*p.nr)
					roundPairsGeneric(a, values(r, 2*len(a), true))
					roundPairsGeneric(b, values(r, 2*len(b), true))
					c := values(r, rows*p.nr, true)
					want := append([]float32(nil), c...)
					half := func(w uint32, odd int) float32 {
						if odd == 0 {
							w <<= 16
						}
						return math.Float32frombits(w & 0xffff0000)
					}
					ea, eb := make([]float32, rows*2*k), make([]float32, 2*k*p.nr)
					for i, w := range a { // the odd half first
						ea[2*i], ea[2*i+1] = half(w, 1), half(w, 0)
					}
					for x := range k {
						for j := range p.nr {
							eb[2*x*p.nr+j], eb[(2*x+1)*p.nr+j] = half(b[x*p.nr+j], 1), half(b[x*p.nr+j], 0)
						}
					}
					tileRef(ea, 2*k, 1, eb, p.nr, want, p.nr, 2*k, rows, mode)
					p.tile(&tileArgs{
						a: unsafe.Pointer(&a[0]), b: unsafe.Pointer(&b[0]), c: unsafe.Pointer(&c[0]),
						rowStride: uintptr(k * 4), kStride: 4, ldc: uintptr(p.nr * 4), k: k, rows: rows, mode: mode,
					})
					if err := sameBits(c, want); err != nil {
						t.Fatalf("%s: k %d rows %d mode %d: %v", p.name, k, rows, mode, err)
					}
				}
			}
		}
	}
}
