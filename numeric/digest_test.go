package numeric

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"testing"
)

// TestDigest holds the functions to the bits that they have on amd64; a compiler that fuses a
// product and a sum where the definition does not, as on arm64, changes them.
func TestDigest(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	sum := fnv.New64a()
	add := func(words ...uint64) {
		for _, w := range words {
			sum.Write(binary.LittleEndian.AppendUint64(nil, w))
		}
	}
	add64 := func(xs ...float64) {
		for _, x := range xs {
			if x != x {
				add(0x7ff8)
			} else {
				add(math.Float64bits(x))
			}
		}
	}
	add32 := func(xs ...float32) {
		for _, x := range xs {
			if x != x {
				add(0x7ff8)
			} else {
				add(uint64(math.Float32bits(x)))
			}
		}
	}
	var xs []float32
	for range 3000 { // made of bits, with no arithmetic: the same on every architecture
		u := r.Uint32()
		xs = append(xs, math.Float32frombits(u&0x807fffff|uint32(127-7+r.IntN(14))<<23))
	}
	for _, x := range xs {
		s, c := SinCos(float64(x) * 100)
		add64(Exp(float64(x)), Log(math.Abs(float64(x))), s, c, Pow(math.Abs(float64(x)), 0.3))
		add32(Exp32(x), Sigmoid32(x), FMA(x, 1.1, -x))
	}
	z := NewStream(7, "digest")
	for i := range uint64(1000) {
		add64(z.Normal(i, 2))
	}
	if got, want := sum.Sum64(), uint64(0x4fca1786bb9132cb); got != want {
		t.Errorf("digest %#016x, want %#016x", got, want)
	}
}
