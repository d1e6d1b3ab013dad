package numeric

import "math"

// Stream is a source of random numbers that are functions of (seed, stream,
// element): no state, so any part can be drawn in any order.
type Stream struct{ key uint64 }

// NewStream returns the numbers of a seed for a purpose, such as a parameter's name.
func NewStream(seed uint64, purpose string) Stream {
	h := mix64(seed ^ 0x9e3779b97f4a7c15)
	for _, c := range []byte(purpose) {
		h = mix64(h ^ uint64(c))
	}
	return Stream{h}
}

// mix64 is the finaliser of splitmix64 (Steele, Lea and Flood 2014).
func mix64(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Bits returns 64 random bits for element i, draw d.
func (s Stream) Bits(i, d uint64) uint64 { return mix64(mix64(s.key^mix64(i)) + d*0xd1342543de82ef95) }

// Uniform returns a number in (0, 1) for element i, draw d.
func (s Stream) Uniform(i, d uint64) float64 { return (float64(s.Bits(i, d)>>11) + 0.5) / (1 << 53) }

// Normal returns a standard normal number for element i, redrawn until its
// magnitude is at most cutoff (0: no limit).
func (s Stream) Normal(i uint64, cutoff float64) float64 {
	for d := uint64(0); ; d += 2 {
		r := math.Sqrt(-2 * Log(s.Uniform(i, d)))
		_, c := SinCos(2 * math.Pi * s.Uniform(i, d+1))
		if z := r * c; cutoff == 0 || math.Abs(z) <= cutoff {
			return z
		}
	}
}
