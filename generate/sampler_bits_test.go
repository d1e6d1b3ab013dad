package generate

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"testing"
)

// TestSamplerBits holds the choices that temperature, top-k and top-p make, with their figures, to those
// that they made before there were other samplers.
func TestSamplerBits(t *testing.T) {
	const want = "0581a987b7f57ded"
	h := sha256.New()
	r := rand.New(rand.NewPCG(5, 6))
	for _, V := range []int{1, 2, 37, 1000, 50304} {
		logits := make([]float32, V)
		for i := range logits {
			logits[i] = float32(r.NormFloat64() * 3)
			if i%5 == 4 {
				logits[i] = logits[i-3] // ties
			}
		}
		for _, temperature := range []float64{0, 1e-300, 1e-5, 0.3, 0.8, 1, 1.7} {
			for _, k := range []int{0, 1, 5, 40, V} {
				for _, p := range []float64{0, 1e-9, 0.5, 0.95, 1} {
					if V > 1000 && (k == V || p == 0.5 || temperature == 0.3) {
						continue
					}
					s := newSampler(Sampling{Temperature: temperature, TopK: k, TopP: p, Seed: uint64(V + k)}, nil, nil)
					for n := range 4 {
						c := s.next(logits, n, nil)
						binary.Write(h, binary.LittleEndian, []uint64{uint64(c.id), math.Float64bits(c.logprob), math.Float64bits(c.drawn)})
					}
				}
			}
		}
	}
	if got := hex.EncodeToString(h.Sum(nil)[:8]); got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
}
