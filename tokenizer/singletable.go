package tokenizer

import "unicode/utf8"

// singleTable holds the words of up to maxSingle bytes that are one token: an
// open hash table that is filled once and shared by all encoders.
type singleTable struct {
	slots []single
	bits  []uint64 // one per hash: few words that are looked for are there
	shift uint
}

// single is a word as its key in wordCache; the token lies between the last
// bytes and the length.
type single struct{ k0, k1 uint64 }

const (
	maxSingle    = 12
	singleFilter = 3 // log2 of bits per slot
	singleIDBits = 24
	singleShift  = 32
	singleMask   = (1<<singleIDBits - 1) << singleShift
)

func (t *singleTable) get(k0, k1 uint64) (int32, bool) {
	slots := t.slots
	h := wordHash(k0, k1)
	if b := h >> (t.shift - singleFilter); t.bits[b/64]>>(b%64)&1 == 0 {
		return 0, false
	}
	for at := h >> t.shift; ; at++ {
		s := &slots[at&uint64(len(slots)-1)]
		if s.k0 == k0 && s.k1&^singleMask == k1 {
			return int32(s.k1 & singleMask >> singleShift), true
		}
		if s.k1 == 0 {
			return 0, false
		}
	}
}

func (t *singleTable) put(k0, k1 uint64, id int32) {
	mask := uint64(len(t.slots) - 1)
	h := wordHash(k0, k1)
	b := h >> (t.shift - singleFilter)
	t.bits[b/64] |= 1 << (b % 64)
	at := h >> t.shift
	for t.slots[at].k1 != 0 {
		at = (at + 1) & mask
	}
	t.slots[at] = single{k0, k1 | uint64(id)<<singleShift}
}

// fillSingles finds the tokens whose own bytes encode to just them. Nearly all
// do, but a file can have merges in any order.
func (f *fastBPE) fillSingles() {
	v := f.model.vocab
	f.singles.shift = 60
	for size := 16; size < v.count+v.count/4; size *= 2 {
		f.singles.shift--
	}
	f.singles.slots = make([]single, 1<<(64-f.singles.shift))
	f.singles.bits = make([]uint64, 1<<(64-f.singles.shift+singleFilter)/64)
	// madeAt is the rank that makes a token which encodes to itself: −1 for
	// bytes, never for others.
	const never = 1 << 30
	madeAt := make([]int32, len(v.tokens))
	for id := range madeAt {
		madeAt[id] = never
	}
	for _, id := range f.ids {
		if id >= 0 {
			madeAt[id] = -1
		}
	}
	if f.space.mark != "" {
		for id, s := range v.tokens {
			if _, n := utf8.DecodeRuneInString(s); n == len(s) && s != " " {
				madeAt[id] = -1
			}
		}
	}
	var b []byte
	for rank, part := range f.parts {
		id := f.results[rank]
		if part[0] < 0 || madeAt[id] != never || !f.joins(part[0], part[1], int32(rank), madeAt) {
			continue
		}
		madeAt[id] = int32(rank)
		b = f.appendText(b[:0], v.tokens[id])
		if len(b) <= maxSingle && id < 1<<singleIDBits {
			k0, k1 := shortKey(string(b))
			f.singles.put(k0, k1, id)
		}
	}
}

// joins tells whether the bytes of a followed by those of b encode to the one
// token that the merge of a and b at rank makes. Both encode to themselves.
//
// It goes back in time: at any rank the last part of a and the first part of b
// are neighbours, and no merge may join them while they are. It is the parts
// that came last that are taken apart again.
func (f *fastBPE) joins(a, b, rank int32, madeAt []int32) bool {
	if madeAt[a] >= rank || madeAt[b] >= rank {
		return false
	}
	for {
		ra, rb := madeAt[a], madeAt[b]
		if ra < 0 && rb < 0 {
			return true
		}
		// Until which rank the two neighbours of the step before last. Of
		// equal ranks the left merge comes first.
		last := uint32(ra)
		if ra > rb {
			a = f.parts[ra][1]
			last--
		} else {
			b = f.parts[rb][0]
			last = uint32(rb)
		}
		if f.merges.get(uint32(a), uint32(b)) <= last {
			return false
		}
	}
}
