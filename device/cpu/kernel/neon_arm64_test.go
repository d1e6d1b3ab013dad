//go:build !purego

package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// TestTileFlushing shows which of its three ways a flushing tile takes, and that
// the faster ones decline rather than give other bits.
func TestTileFlushing(t *testing.T) {
	const least = 0x1p-126
	cases := []struct {
		name   string
		a, b   []float32 // terms of one chain, bf16
		c      float32
		flags  uint32 // of tileNEON
		decide bool   // of tileFlushRowNEON
	}{
		{"ordinary", []float32{1, 2, 3}, []float32{4, -5, 6}, 1, 0, true},
		{"zeros", []float32{0, 0, 1}, []float32{3, float32(math.Copysign(0, -1)), 0}, float32(math.Copysign(0, -1)), 0, true},
		{"cancels", []float32{1, -1}, []float32{5, 5}, 0, 0, true},
		{"overflow", []float32{1e38, 1}, []float32{1e38, 1}, 0, 0, true},
		{"exactly 2^-126", []float32{0x1p-63}, []float32{0x1p-63}, 0, 0, false},
		{"underflow", []float32{0x1p-70, 1}, []float32{0x1p-70, 1}, 0, 8, true},
		{"denormal, exact", []float32{0x1p-64}, []float32{0x1p-64}, 0, 8, true},
		{"flushed, then larger", []float32{0x1p-64, 0x1p-62}, []float32{0x1p-64, -0x1p-62}, 0, 8, true},
		{"rounded up to 2^-126", []float32{least, 0x1p-80}, []float32{1, -0x1p-72}, 0, 8, false},
		{"rounds to less, as a denormal to 2^-126", []float32{least, 0x1p-80}, []float32{1, -0x1.8p-71}, 0, 8, false},
		{"the sum underflows", []float32{least}, []float32{1.5}, -least, 8, true},
		{"old value denormal", []float32{1}, []float32{1}, 0x1p-140, 0x80, true},
		{"operand denormal", []float32{0x1p-130}, []float32{1e30}, 0, 0x80, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			nr := neon.nr
			b := make([]float32, len(c.b)*nr)
			for i, v := range c.b {
				for j := range nr {
					b[i*nr+j] = v
				}
			}
			old := make([]float32, nr)
			for j := range old {
				old[j] = c.c
			}
			got := append([]float32(nil), old...)
			args := tileArgs{
				a: unsafe.Pointer(&c.a[0]), b: unsafe.Pointer(&b[0]), c: unsafe.Pointer(&got[0]),
				kStride: 4, k: len(c.a), rows: 1, mode: tileFlush | tileAdd,
			}
			want := append([]float32(nil), old...)
			tileRef(c.a, 0, 1, b, nr, want, nr, len(c.a), 1, tileFlush|tileAdd)
			check := func(name string, written bool) {
				t.Helper()
				expect := want
				if !written {
					expect = old
				}
				if err := sameBits(got, expect); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				copy(got, old)
			}
			flags := tileNEON(&args)
			if flags != c.flags {
				t.Errorf("tileNEON flags %#x, want %#x", flags, c.flags)
			}
			check("tileNEON", flags == 0)
			if c.flags&inputDenormal == 0 {
				decided := tileFlushRowNEON(&args)
				if decided != c.decide {
					t.Errorf("tileFlushRowNEON decides: %v, want %v", decided, c.decide)
				}
				check("tileFlushRowNEON", decided)
			}
			tileFlushing(&args)
			check("tileFlushing", true)
		})
	}
}

// TestFlagsStay makes sure that a flushing tile leaves denormals on for others.
func TestFlagsStay(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	a, b, c := values(r, 6, true), values(r, 16, true), make([]float32, 6*16)
	tileFlushing(&tileArgs{
		a: unsafe.Pointer(&a[0]), b: unsafe.Pointer(&b[0]), c: unsafe.Pointer(&c[0]),
		rowStride: 4, kStride: 4, ldc: 64, k: 1, rows: 6, mode: tileFlush,
	})
	x := []float32{0x1p-140, 0x1p-130, 1, 1, 0x1p-140}
	want := make([]float32, len(x))
	got := make([]float32, len(x))
	addGeneric(want, x, x)
	addNEON(got, x, x)
	if err := sameBits(got, want); err != nil || want[0] != 0x1p-139 {
		t.Error(err, want[0])
	}
}
