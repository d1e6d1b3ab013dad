package dedupe

import (
	"math/bits"
)

// ahash is a seeded hasher of the Rust crate ahash 0.8.11 (its fallback
// algorithm, which builds without compile-time AES use, the PyPI x86-64 wheel
// of Dolma among them). A wheel built for a target with AES, such as macOS on
// arm64, writes filters that only such wheels can read.
type ahash struct {
	buffer, pad, k2, k3 uint64
}

const ahashMultiple = 6364136223846793005

// newAhash is RandomState::with_seeds: the seeds are mixed with digits of pi.
func newAhash(s [4]uint64) ahash {
	return ahash{
		pad:    s[0] ^ 0x452821e638d01377,
		buffer: s[1] ^ 0xbe5466cf34e90c6c,
		k2:     s[2] ^ 0xc0ac29b7c97c50dd,
		k3:     s[3] ^ 0x3f84d5b5b5470917,
	}
}

func foldedMultiply(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// A hashKey is a key broken into the words that the hasher reads, which do not
// depend on the seed: k hash functions then share the reading. It mirrors
// Hash for VecDeque<&str>: the number of strings, then each string's bytes and
// a byte 0xff.
type hashKey struct {
	strings uint64
	// parts holds for each string its length in bytes, and pairs the 16-byte
	// blocks of all strings, blocksOf(length) for each.
	parts []uint64
	pairs [][2]uint64
}

func (k *hashKey) reset(strings int) {
	k.strings = uint64(strings)
	k.parts = k.parts[:0]
	k.pairs = k.pairs[:0]
}

// blocksOf is how many blocks the hasher reads of n bytes: the last 16, then
// the ones from the start while more than 16 are left.
func blocksOf(n uint64) int {
	if n <= 16 {
		return 1
	}
	return int((n-1)/16) + 1
}

// add appends a string.
func (k *hashKey) add(s string) {
	n := len(s)
	k.parts = append(k.parts, uint64(n))
	switch {
	case n > 16:
		k.pairs = append(k.pairs, [2]uint64{le64(s[n-16:]), le64(s[n-8:])})
		for ; len(s) > 16; s = s[16:] {
			k.pairs = append(k.pairs, [2]uint64{le64(s), le64(s[8:])})
		}
	case n > 8:
		k.pairs = append(k.pairs, [2]uint64{le64(s), le64(s[n-8:])})
	case n >= 4:
		k.pairs = append(k.pairs, [2]uint64{le32(s), le32(s[n-4:])})
	case n >= 2:
		k.pairs = append(k.pairs, [2]uint64{uint64(s[0]) | uint64(s[1])<<8, uint64(s[n-1])})
	case n == 1:
		k.pairs = append(k.pairs, [2]uint64{uint64(s[0]), uint64(s[0])})
	default:
		k.pairs = append(k.pairs, [2]uint64{})
	}
}

func le64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func le32(s string) uint64 {
	_ = s[3]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24
}

// hashes appends the hash under each state.
func (k *hashKey) hashes(dst []uint64, states []ahash) []uint64 {
	for len(states) >= 4 {
		a, b, c, d := k.hash4(states)
		dst = append(dst, a, b, c, d)
		states = states[4:]
	}
	for i := range states {
		dst = append(dst, k.hash(&states[i]))
	}
	return dst
}

func (k *hashKey) hash(s *ahash) uint64 {
	b := foldedMultiply(k.strings^s.buffer, ahashMultiple)
	pairs := k.pairs
	for _, n := range k.parts {
		b = (b + n) * ahashMultiple
		blocks := blocksOf(n)
		for _, p := range pairs[:blocks] {
			b = bits.RotateLeft64((b+s.pad)^foldedMultiply(p[0]^s.k2, p[1]^s.k3), 23)
		}
		pairs = pairs[blocks:]
		b = foldedMultiply(0xff^b, ahashMultiple)
	}
	return bits.RotateLeft64(foldedMultiply(b, s.pad), int(b&63))
}

// hash4 is hash under four states at once. One hash is a chain of dependent
// multiplications; four side by side keep the multiplier busy.
func (k *hashKey) hash4(s []ahash) (h0, h1, h2, h3 uint64) {
	s = s[:4:4]
	b0 := foldedMultiply(k.strings^s[0].buffer, ahashMultiple)
	b1 := foldedMultiply(k.strings^s[1].buffer, ahashMultiple)
	b2 := foldedMultiply(k.strings^s[2].buffer, ahashMultiple)
	b3 := foldedMultiply(k.strings^s[3].buffer, ahashMultiple)
	pairs := k.pairs
	for _, n := range k.parts {
		b0 = (b0 + n) * ahashMultiple
		b1 = (b1 + n) * ahashMultiple
		b2 = (b2 + n) * ahashMultiple
		b3 = (b3 + n) * ahashMultiple
		blocks := blocksOf(n)
		for i := range pairs[:blocks] {
			x, y := pairs[i][0], pairs[i][1]
			b0 = bits.RotateLeft64((b0+s[0].pad)^foldedMultiply(x^s[0].k2, y^s[0].k3), 23)
			b1 = bits.RotateLeft64((b1+s[1].pad)^foldedMultiply(x^s[1].k2, y^s[1].k3), 23)
			b2 = bits.RotateLeft64((b2+s[2].pad)^foldedMultiply(x^s[2].k2, y^s[2].k3), 23)
			b3 = bits.RotateLeft64((b3+s[3].pad)^foldedMultiply(x^s[3].k2, y^s[3].k3), 23)
		}
		pairs = pairs[blocks:]
		b0 = foldedMultiply(0xff^b0, ahashMultiple)
		b1 = foldedMultiply(0xff^b1, ahashMultiple)
		b2 = foldedMultiply(0xff^b2, ahashMultiple)
		b3 = foldedMultiply(0xff^b3, ahashMultiple)
	}
	return bits.RotateLeft64(foldedMultiply(b0, s[0].pad), int(b0&63)),
		bits.RotateLeft64(foldedMultiply(b1, s[1].pad), int(b1&63)),
		bits.RotateLeft64(foldedMultiply(b2, s[2].pad), int(b2&63)),
		bits.RotateLeft64(foldedMultiply(b3, s[3].pad), int(b3&63))
}

// pathHash is the hash of a path by which file_partition deals out files:
// RandomState::with_seeds(0, 1, 2, 3) over a string without the length prefix
// of a list (src/deduper.rs, run).
func pathHash(path string) uint64 {
	s := newAhash([4]uint64{0, 1, 2, 3})
	var k hashKey
	k.reset(0)
	k.add(path)
	b := s.buffer
	b = (b + uint64(len(path))) * ahashMultiple
	for _, p := range k.pairs {
		b = bits.RotateLeft64((b+s.pad)^foldedMultiply(p[0]^s.k2, p[1]^s.k3), 23)
	}
	b = foldedMultiply(0xff^b, ahashMultiple)
	return bits.RotateLeft64(foldedMultiply(b, s.pad), int(b&63))
}
