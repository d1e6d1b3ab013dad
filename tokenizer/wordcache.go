package tokenizer

import (
	"math/bits"
	"slices"
)

// maxShort is the length of the longest word that is a key of the cache.
const maxShort = 15

// shortMask keeps the first n bytes of two words.
var shortMask = func() (m [maxShort + 1][2]uint64) {
	for n := range m {
		for i := range n {
			m[n][i/8] |= 0xFF << (8 * (i % 8))
		}
	}
	return m
}()

// shortKey returns the key of a word of 1 to maxShort bytes.
func shortKey(s string) (k0, k1 uint64) {
	n := len(s)
	switch {
	case n >= 8:
		k0 = load64(s, 0)
		if n > 8 {
			k1 = load64(s, n-8) >> (8 * (16 - n))
		}
	case n >= 4:
		k0 = uint64(load32(s, 0)) | uint64(load32(s, n-4))<<(8*(n-4))
	default:
		// The first, the middle and the last byte are all there are.
		k0 = uint64(s[0]) | uint64(s[n/2])<<(8*(n/2)) | uint64(s[n-1])<<(8*(n-1))
	}
	return k0, k1 | uint64(n)<<56
}

func wordHash(k0, k1 uint64) uint64 {
	hi, lo := bits.Mul64(k0^0x9E3779B97F4A7C15, k1^0xC2B2AE3D27D4EB4F)
	return hi ^ lo
}

// tinyCache maps words of up to maxTiny bytes to their ids: buckets that fill
// one line of the processor's cache each. What comes first, which is mostly
// what is frequent, stays in front.
type tinyCache struct {
	buckets []tinyBucket
	shift   uint
	used    int
}

type tinyBucket [4]tinyEntry

// tinyEntry is a word with its length in the highest byte of key, and up to two
// ids. Above the first stands their count; if that is manyIDs, they are in the
// list of ids: id1 is the place, and the count is where the first id would be.
type tinyEntry struct {
	key      uint64
	id0, id1 uint32
}

const (
	maxTiny        = 7
	minTinyBuckets = 1 << 8
	maxTinyBuckets = 1 << 14
)

// tinyWord appends the ids of a word of at most maxTiny bytes.
func (e *Encoder) tinyWord(dst []int32, key uint64, s string) []int32 {
	if c := &e.tiny; len(c.buckets) > 0 {
		b := &c.buckets[key*mergeHash>>c.shift]
		for i := range b {
			w := &b[i]
			if w.key != key {
				continue
			}
			n := len(dst)
			if n+2 > cap(dst) {
				dst = slices.Grow(dst, max(2, n/2, 256))
			}
			count := int(w.id0 >> countShift)
			dst = dst[:n+2]
			dst[n], dst[n+1] = int32(w.id0&idMask), int32(w.id1)
			if count <= 2 {
				return dst[:n+count]
			}
			return append(dst[:n], e.long.ids.at(w.id1, int(w.id0&idMask))...)
		}
	}
	n := len(dst)
	dst = e.encodeShort(dst, key&(1<<56-1), key>>56<<56, s)
	w := tinyEntry{key: key}
	switch ids := dst[n:]; len(ids) {
	case 0:
	case 1:
		w.id0 = 1<<countShift | uint32(ids[0])
	case 2:
		w.id0, w.id1 = 2<<countShift|uint32(ids[0]), uint32(ids[1])
	default:
		w.id0, w.id1 = manyIDs<<countShift|uint32(len(ids)), e.long.ids.keep(ids)
	}
	e.tiny.put(w)
	return dst
}

// grow makes the cache an empty one of n buckets, a power of two.
func (c *tinyCache) grow(n int) {
	*c = tinyCache{buckets: make([]tinyBucket, n), shift: uint(64 - bits.TrailingZeros(uint(n)))}
}

func (c *tinyCache) put(w tinyEntry) {
	if c.used >= 2*len(c.buckets) && len(c.buckets) < maxTinyBuckets {
		old := c.buckets
		c.grow(min(maxTinyBuckets, max(minTinyBuckets, 4*len(old))))
		for i := range old {
			for _, v := range old[i] {
				if v.key != 0 {
					c.put(v)
				}
			}
		}
	}
	b := &c.buckets[w.key*mergeHash>>c.shift]
	for i := range b {
		if b[i].key == 0 {
			b[i] = w
			c.used++
			return
		}
	}
	b[len(b)-1] = b[len(b)-2]
	b[len(b)-2] = w
}

// wordCache does the same for words of up to maxShort bytes.
type wordCache struct {
	buckets []wordBucket
	shift   uint
	used    int
}

type wordBucket [2]wordEntry

// wordEntry is a word and up to four ids, as in tinyEntry.
type wordEntry struct {
	k0, k1 uint64
	ids    [4]uint32
}

const (
	minBuckets = 1 << 7
	maxBuckets = 1 << 15
	countShift = 24 // ids are smaller than 1<<24
	idMask     = 1<<countShift - 1
	manyIDs    = 255
)

// shortWord appends the ids of a word of at most maxShort bytes, whose key is
// k0 and k1.
func (e *Encoder) shortWord(dst []int32, k0, k1 uint64, s string) []int32 {
	if c := &e.cache; len(c.buckets) > 0 {
		b := &c.buckets[wordHash(k0, k1)>>c.shift]
		for i := range b {
			w := &b[i]
			if w.k0 != k0 || w.k1 != k1 {
				continue
			}
			n := len(dst)
			if n+4 > cap(dst) {
				dst = slices.Grow(dst, max(4, n/2, 256))
			}
			count := int(w.ids[0] >> countShift)
			dst = dst[:n+4]
			dst[n], dst[n+1], dst[n+2], dst[n+3] = int32(w.ids[0]&idMask), int32(w.ids[1]), int32(w.ids[2]), int32(w.ids[3])
			if count <= 4 {
				return dst[:n+count]
			}
			return append(dst[:n], e.long.ids.at(w.ids[1], int(w.ids[0]&idMask))...)
		}
	}
	n := len(dst)
	dst = e.encodeShort(dst, k0, k1, s)
	w := wordEntry{k0: k0, k1: k1}
	ids := dst[n:]
	if len(ids) <= len(w.ids) {
		for i, id := range ids {
			w.ids[i] = uint32(id)
		}
		w.ids[0] |= uint32(len(ids)) << countShift
	} else {
		w.ids[0], w.ids[1] = manyIDs<<countShift|uint32(len(ids)), e.long.ids.keep(ids)
	}
	e.cache.put(w)
	return dst
}

// grow makes the cache an empty one of n buckets, a power of two.
func (c *wordCache) grow(n int) {
	*c = wordCache{buckets: make([]wordBucket, n), shift: uint(64 - bits.TrailingZeros(uint(n)))}
}

func (c *wordCache) put(w wordEntry) {
	if c.used >= len(c.buckets) && len(c.buckets) < maxBuckets {
		old := c.buckets
		c.grow(min(maxBuckets, max(minBuckets, 4*len(old))))
		for i := range old {
			for _, v := range old[i] {
				if v.k1 != 0 {
					c.put(v)
				}
			}
		}
	}
	b := &c.buckets[wordHash(w.k0, w.k1)>>c.shift]
	if b[0].k1 == 0 {
		b[0] = w
	} else {
		b[1] = w
	}
	c.used++
}
