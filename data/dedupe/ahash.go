package dedupe

import (
	"math/bits"
	"slices"
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
	blocks  []block
}

// A block is 16 bytes of a string (or fewer, spread as the hasher reads them).
type block struct {
	x, y uint64
	// length is that of the string in its first block, noLength in the others;
	// last marks its last block.
	length uint64
	last   bool
}

const noLength = 1 << 63

func (k *hashKey) reset(strings int) {
	k.strings = uint64(strings)
	k.blocks = k.blocks[:0]
}

// add appends a string: its last 16 bytes, then the ones from the start while
// more than 16 are left; up to 16 bytes are one block.
func (k *hashKey) add(s string) {
	n := len(s)
	b := block{length: uint64(n), last: true}
	switch {
	case n > 16:
		if n > longText {
			k.blocks = slices.Grow(k.blocks, n/16+1)
		}
		b.x, b.y, b.last = le64(s[n-16:]), le64(s[n-8:]), false
		k.blocks = append(k.blocks, b)
		for ; len(s) > 16; s = s[16:] {
			k.blocks = append(k.blocks, block{le64(s), le64(s[8:]), noLength, len(s) <= 32})
		}
		return
	case n > 8:
		b.x, b.y = le64(s), le64(s[n-8:])
	case n >= 4:
		b.x, b.y = le32(s), le32(s[n-4:])
	case n >= 2:
		b.x, b.y = uint64(s[0])|uint64(s[1])<<8, uint64(s[n-1])
	case n == 1:
		b.x, b.y = uint64(s[0]), uint64(s[0])
	}
	k.blocks = append(k.blocks, b)
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

// hashes appends the hash under each state; their number is a multiple of
// four, as padStates makes it.
func (k *hashKey) hashes(dst []uint64, states []ahash) []uint64 {
	dst, states = k.hashes8(dst, states)
	for ; len(states) >= 4; states = states[4:] {
		a, b, c, d := k.hash4(states)
		dst = append(dst, a, b, c, d)
	}
	return dst
}

// padStates adds states that nobody asks for up to a multiple of four.
func padStates(states []ahash) []ahash {
	for len(states)%4 != 0 {
		states = append(states, ahash{})
	}
	return states
}

// hash4 is the key's hash under four states. One hash is a chain of dependent
// multiplications; four side by side keep the multiplier busy.
func (k *hashKey) hash4(s []ahash) (h0, h1, h2, h3 uint64) {
	s0, s1, s2, s3 := &s[0], &s[1], &s[2], &s[3]
	h0 = foldedMultiply(k.strings^s0.buffer, ahashMultiple)
	h1 = foldedMultiply(k.strings^s1.buffer, ahashMultiple)
	h2 = foldedMultiply(k.strings^s2.buffer, ahashMultiple)
	h3 = foldedMultiply(k.strings^s3.buffer, ahashMultiple)
	for i := range k.blocks {
		b := &k.blocks[i]
		if n := b.length; n != noLength {
			h0 = (h0 + n) * ahashMultiple
			h1 = (h1 + n) * ahashMultiple
			h2 = (h2 + n) * ahashMultiple
			h3 = (h3 + n) * ahashMultiple
		}
		x, y := b.x, b.y
		h0 = bits.RotateLeft64((h0+s0.pad)^foldedMultiply(x^s0.k2, y^s0.k3), 23)
		h1 = bits.RotateLeft64((h1+s1.pad)^foldedMultiply(x^s1.k2, y^s1.k3), 23)
		h2 = bits.RotateLeft64((h2+s2.pad)^foldedMultiply(x^s2.k2, y^s2.k3), 23)
		h3 = bits.RotateLeft64((h3+s3.pad)^foldedMultiply(x^s3.k2, y^s3.k3), 23)
		if b.last {
			h0 = foldedMultiply(0xff^h0, ahashMultiple)
			h1 = foldedMultiply(0xff^h1, ahashMultiple)
			h2 = foldedMultiply(0xff^h2, ahashMultiple)
			h3 = foldedMultiply(0xff^h3, ahashMultiple)
		}
	}
	return bits.RotateLeft64(foldedMultiply(h0, s0.pad), int(h0&63)),
		bits.RotateLeft64(foldedMultiply(h1, s1.pad), int(h1&63)),
		bits.RotateLeft64(foldedMultiply(h2, s2.pad), int(h2&63)),
		bits.RotateLeft64(foldedMultiply(h3, s3.pad), int(h3&63))
}

// An ngramHasher hashes the n-grams of a row of strings. Half of the work on a
// string depends on it and on the seed but not on its place in the n-gram, so
// it is done once and shared by the n-grams that hold the string.
type ngramHasher struct {
	states []ahash // a multiple of four
	key    hashKey
	starts []int // of each string among the blocks, and the end
	// The caller's: which of its strings were set.
	from, to int
	mixed    []uint64 // per block and state
}

// set takes the strings whose n-grams will be hashed.
func (h *ngramHasher) set(strings []string) {
	h.key.reset(0)
	h.starts = h.starts[:0]
	for _, s := range strings {
		h.starts = append(h.starts, len(h.key.blocks))
		h.key.add(s)
	}
	h.starts = append(h.starts, len(h.key.blocks))
	h.mixed = h.mixed[:0]
	for i := range h.key.blocks {
		b := &h.key.blocks[i]
		for j := range h.states {
			s := &h.states[j]
			h.mixed = append(h.mixed, foldedMultiply(b.x^s.k2, b.y^s.k3))
		}
	}
}

// hash4 is the hashes from..from+3 of the n-gram of the strings [start, end).
func (h *ngramHasher) hash4(start, end, from int) (h0, h1, h2, h3 uint64) {
	n := uint64(end - start)
	s0, s1, s2, s3 := &h.states[from], &h.states[from+1], &h.states[from+2], &h.states[from+3]
	h0 = foldedMultiply(n^s0.buffer, ahashMultiple)
	h1 = foldedMultiply(n^s1.buffer, ahashMultiple)
	h2 = foldedMultiply(n^s2.buffer, ahashMultiple)
	h3 = foldedMultiply(n^s3.buffer, ahashMultiple)
	p0, p1, p2, p3 := s0.pad, s1.pad, s2.pad, s3.pad
	first := h.starts[start]
	blocks := h.key.blocks[first:h.starts[end]]
	mixed := h.mixed[first*len(h.states)+from:]
	for i := range blocks {
		b := &blocks[i]
		if n := b.length; n != noLength {
			h0 = (h0 + n) * ahashMultiple
			h1 = (h1 + n) * ahashMultiple
			h2 = (h2 + n) * ahashMultiple
			h3 = (h3 + n) * ahashMultiple
		}
		m := mixed[i*len(h.states):][:4]
		h0 = bits.RotateLeft64((h0+p0)^m[0], 23)
		h1 = bits.RotateLeft64((h1+p1)^m[1], 23)
		h2 = bits.RotateLeft64((h2+p2)^m[2], 23)
		h3 = bits.RotateLeft64((h3+p3)^m[3], 23)
		if b.last {
			h0 = foldedMultiply(0xff^h0, ahashMultiple)
			h1 = foldedMultiply(0xff^h1, ahashMultiple)
			h2 = foldedMultiply(0xff^h2, ahashMultiple)
			h3 = foldedMultiply(0xff^h3, ahashMultiple)
		}
	}
	return bits.RotateLeft64(foldedMultiply(h0, p0), int(h0&63)),
		bits.RotateLeft64(foldedMultiply(h1, p1), int(h1&63)),
		bits.RotateLeft64(foldedMultiply(h2, p2), int(h2&63)),
		bits.RotateLeft64(foldedMultiply(h3, p3), int(h3&63))
}

// pathHash is the hash of a path by which file_partition deals out files:
// RandomState::with_seeds(0, 1, 2, 3) over a string without the length prefix
// of a list (src/deduper.rs, run).
func pathHash(path string) uint64 {
	s := newAhash([4]uint64{0, 1, 2, 3})
	var k hashKey
	k.add(path)
	h := s.buffer + uint64(len(path))
	h *= ahashMultiple
	for _, b := range k.blocks {
		h = bits.RotateLeft64((h+s.pad)^foldedMultiply(b.x^s.k2, b.y^s.k3), 23)
	}
	h = foldedMultiply(0xff^h, ahashMultiple)
	return bits.RotateLeft64(foldedMultiply(h, s.pad), int(h&63))
}
