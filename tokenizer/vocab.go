package tokenizer

import (
	"fmt"
	"math/bits"
)

// maxTokenID bounds ids, so that a damaged file cannot ask for an array of
// billions of entries.
const maxTokenID = 1<<24 - 1

// vocab is a set of tokens with ids, both ways.
type vocab struct {
	tokens []string // by id
	known  []bool   // by id: an id without a token is not the token ""
	count  int      // tokens in the set
	// slots is an open hash table of id+1, 0 for a free place; its length is a
	// power of two.
	slots []int32
}

// newVocab makes a vocabulary with room for n tokens.
func newVocab(n int) *vocab {
	size := 16
	for size < 2*n {
		size *= 2
	}
	return &vocab{slots: make([]int32, size)}
}

// hashString mixes the bytes of s.
func hashString(s string) uint64 {
	h := uint64(len(s)) * 0x9E3779B97F4A7C15
	for len(s) >= 8 {
		h = mix(h ^ load64(s, 0))
		s = s[8:]
	}
	var tail uint64
	for i := range len(s) {
		tail |= uint64(s[i]) << (8 * i)
	}
	return mix(h ^ tail)
}

func mix(x uint64) uint64 {
	hi, lo := bits.Mul64(x, 0x9FB21C651E98DF25)
	return hi ^ lo
}

// load64 reads 8 bytes of s at i, the first one lowest.
func load64(s string, i int) uint64 {
	_ = s[i+7]
	return uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
		uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
}

// id returns the id of s.
func (v *vocab) id(s string) (int32, bool) {
	mask := uint64(len(v.slots) - 1)
	for at := hashString(s) & mask; ; at = (at + 1) & mask {
		id := v.slots[at] - 1
		if id < 0 {
			return 0, false
		}
		if v.tokens[id] == s {
			return id, true
		}
	}
}

// has tells whether id has a token.
func (v *vocab) has(id int32) bool { return id >= 0 && int(id) < len(v.known) && v.known[id] }

// add gives s an id. The last id of a string and the last string of an id count,
// as in the reference.
func (v *vocab) add(s string, id int32) error {
	if id < 0 || id > maxTokenID {
		return fmt.Errorf("token %q has id %d, ids go from 0 to %d", s, id, maxTokenID)
	}
	if 2*(v.count+1) > len(v.slots) {
		v.grow()
	}
	for len(v.tokens) <= int(id) {
		v.tokens = append(v.tokens, "")
		v.known = append(v.known, false)
	}
	if v.known[id] && v.tokens[id] != s {
		return fmt.Errorf("tokens %q and %q both have id %d", v.tokens[id], s, id)
	}
	mask := uint64(len(v.slots) - 1)
	at := hashString(s) & mask
	for v.slots[at] != 0 {
		if old := v.slots[at] - 1; v.tokens[old] == s {
			if old != id {
				return fmt.Errorf("token %q has ids %d and %d", s, old, id)
			}
			return nil
		}
		at = (at + 1) & mask
	}
	v.slots[at] = id + 1
	v.tokens[id], v.known[id] = s, true
	v.count++
	return nil
}

// addLast is add for lists of pieces in which one may stand again: as in the
// reference, each id has its text and the text the last of its ids.
func (v *vocab) addLast(s string, id int32) error {
	if _, again := v.id(s); !again {
		return v.add(s, id)
	}
	if id > maxTokenID {
		return fmt.Errorf("token %q has id %d, ids go from 0 to %d", s, id, maxTokenID)
	}
	mask := uint64(len(v.slots) - 1)
	at := hashString(s) & mask
	for v.tokens[v.slots[at]-1] != s {
		at = (at + 1) & mask
	}
	v.slots[at] = id + 1
	v.tokens, v.known = append(v.tokens, s), append(v.known, true)
	v.count++
	return nil
}

func (v *vocab) grow() {
	old := v.slots
	v.slots = make([]int32, 2*len(old))
	mask := uint64(len(v.slots) - 1)
	for _, s := range old {
		if s == 0 {
			continue
		}
		at := hashString(v.tokens[s-1]) & mask
		for v.slots[at] != 0 {
			at = (at + 1) & mask
		}
		v.slots[at] = s
	}
}

// load32 reads 4 bytes of s at i, the first one lowest.
func load32(s string, i int) uint32 {
	_ = s[i+3]
	return uint32(s[i]) | uint32(s[i+1])<<8 | uint32(s[i+2])<<16 | uint32(s[i+3])<<24
}
