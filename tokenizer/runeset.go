package tokenizer

import (
	"slices"
	"unicode/utf8"
)

// runeSet is a sorted list of ranges, both ends included.
type runeSet [][2]rune

func (s runeSet) contains(r rune) bool {
	lo, hi := 0, len(s)
	for lo < hi {
		mid := (lo + hi) / 2
		if s[mid][1] < r {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo < len(s) && s[lo][0] <= r
}

// codeSet is a runeSet whose first 128 code points are bits: nearly all of a text
// is asked there.
type codeSet struct {
	ascii  [2]uint64
	ranges runeSet
}

func newCodeSet(ranges runeSet) *codeSet {
	s := &codeSet{ranges: ranges}
	for c := range rune(128) {
		if ranges.contains(c) {
			s.ascii[c/64] |= 1 << (c % 64)
		}
	}
	return s
}

func (s *codeSet) contains(r rune) bool {
	if uint32(r) < 128 {
		return s.ascii[r/64]>>(r%64)&1 != 0
	}
	return s.ranges.contains(r)
}

// union sorts ranges and joins those that touch.
func union(list runeSet) runeSet {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b [2]rune) int { return int(a[0]) - int(b[0]) })
	out := list[:0]
	for _, r := range list {
		if n := len(out); n > 0 && r[0] <= out[n-1][1]+1 {
			out[n-1][1] = max(out[n-1][1], r[1])
		} else {
			out = append(out, r)
		}
	}
	return out
}

// complement returns what a sorted set lacks.
func complement(set runeSet) runeSet {
	out := make(runeSet, 0, len(set)+1)
	next := rune(0)
	for _, r := range set {
		if r[0] > next {
			out = append(out, [2]rune{next, r[0] - 1})
		}
		next = r[1] + 1
	}
	if next <= utf8.MaxRune {
		out = append(out, [2]rune{next, utf8.MaxRune})
	}
	return out
}

func intersection(a, b runeSet) runeSet {
	return complement(union(append(complement(a), complement(b)...)))
}
