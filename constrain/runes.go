package constrain

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// runeSet is a set of code points: pairs lo, hi, ascending, neither touching nor overlapping.
// Surrogates are no code points here: no text holds them.
type runeSet []rune

var anyRune = runeSet{0, 0xD7FF, 0xE000, utf8.MaxRune}

// newRuneSet makes a set of ranges in any order.
func newRuneSet(pairs []rune) runeSet {
	type span struct{ lo, hi rune }
	var spans []span
	add := func(lo, hi rune) {
		if lo <= hi {
			spans = append(spans, span{lo, hi})
		}
	}
	for i := 0; i < len(pairs); i += 2 {
		lo, hi := max(pairs[i], 0), min(pairs[i+1], utf8.MaxRune)
		add(lo, min(hi, 0xD7FF))
		add(max(lo, 0xE000), hi)
	}
	slices.SortFunc(spans, func(a, b span) int { return int(a.lo - b.lo) })
	var s runeSet
	for _, x := range spans {
		if n := len(s); n > 0 && x.lo <= s[n-1]+1 {
			s[n-1] = max(s[n-1], x.hi)
			continue
		}
		s = append(s, x.lo, x.hi)
	}
	return s
}

// complement returns the code points that are not in s.
func (s runeSet) complement() runeSet {
	var out []rune
	next := rune(0)
	for i := 0; i < len(s); i += 2 {
		out = append(out, next, s[i]-1)
		next = s[i+1] + 1
	}
	return newRuneSet(append(out, next, utf8.MaxRune))
}

// and returns the code points that are in both.
func (s runeSet) and(o runeSet) runeSet {
	var out runeSet
	for i, j := 0, 0; i < len(s) && j < len(o); {
		if lo, hi := max(s[i], o[j]), min(s[i+1], o[j+1]); lo <= hi {
			out = append(out, lo, hi)
		}
		if s[i+1] < o[j+1] {
			i += 2
		} else {
			j += 2
		}
	}
	return out
}

func (s runeSet) has(r rune) bool {
	for i := 0; i < len(s); i += 2 {
		if r <= s[i+1] {
			return r >= s[i]
		}
	}
	return false
}

// utf8Lengths are the largest code points of one to four bytes.
var utf8Lengths = [...]rune{0x7F, 0x7FF, 0xFFFF, utf8.MaxRune}

// runes adds edges from a state to a state by the UTF-8 of each code point of s.
func (b *builder) runes(from int32, s runeSet, to int32) {
	// tails[n] goes to `to` by n bytes 80 to BF.
	tails := [4]int32{to}
	tail := func(n int) int32 {
		for i := 1; i <= n; i++ {
			if tails[i] == 0 {
				tails[i] = b.state()
				b.edge(tails[i], 0x80, 0xBF, tails[i-1])
			}
		}
		return tails[n]
	}
	// span adds the code points lo to hi whose UTF-8 differs in the last n bytes alone, of
	// which the ones before are written.
	var span func(from int32, lo, hi []byte)
	span = func(from int32, lo, hi []byte) {
		n := len(lo) - 1
		switch {
		case b.full():
		case n == 0:
			b.edge(from, lo[0], hi[0], to)
		case lo[0] == hi[0]:
			next := b.state()
			b.edge(from, lo[0], lo[0], next)
			span(next, lo[1:], hi[1:])
		default:
			first, last := lo[0], hi[0]
			if slices.ContainsFunc(lo[1:], func(c byte) bool { return c != 0x80 }) {
				next := b.state()
				b.edge(from, first, first, next)
				span(next, lo[1:], slices.Repeat([]byte{0xBF}, n))
				first++
			}
			if slices.ContainsFunc(hi[1:], func(c byte) bool { return c != 0xBF }) {
				next := b.state()
				b.edge(from, last, last, next)
				span(next, slices.Repeat([]byte{0x80}, n), hi[1:])
				last--
			}
			if first <= last {
				b.edge(from, first, last, tail(n))
			}
		}
	}
	for i := 0; i < len(s); i += 2 {
		lo, hi := s[i], s[i+1]
		for _, end := range utf8Lengths {
			if lo <= min(hi, end) {
				span(from, utf8.AppendRune(nil, lo), utf8.AppendRune(nil, min(hi, end)))
				lo = end + 1
			}
		}
	}
}

// jsonPlain are the code points that stand for themselves in a JSON string.
var jsonPlain = newRuneSet([]rune{' ', '!', '#', '[', ']', utf8.MaxRune})

// jsonShort are the code points with an escape of one letter.
var jsonShort = map[rune]byte{'"': '"', '\\': '\\', '\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't'}

// jsonRunes adds edges by the canonical writing of each code point of s in a JSON string:
// itself where it may be, else the escape of one letter where there is one, else \u00XX in
// lower case.
func (b *builder) jsonRunes(from int32, s runeSet, to int32) {
	b.runes(from, s.and(jsonPlain), to)
	var escape int32
	hex := [2]int32{}
	for _, r := range append([]rune{'"', '\\'}, control...) {
		if !s.has(r) {
			continue
		}
		if escape == 0 {
			escape = b.state()
			b.edge(from, '\\', '\\', escape)
		}
		if c, ok := jsonShort[r]; ok {
			b.edge(escape, c, c, to)
			continue
		}
		if high := r >> 4; hex[high] == 0 {
			hex[high] = b.literal(escape, fmt.Sprintf("u00%d", high))
		}
		c := "0123456789abcdef"[r&15]
		b.edge(hex[r>>4], c, c, to)
	}
}

// control are the code points that must be escaped beside the quote and the backslash.
var control = func() (rs []rune) {
	for r := rune(0); r < ' '; r++ {
		rs = append(rs, r)
	}
	return rs
}()

// jsonAnyRune adds edges by every writing of every code point in a JSON string: escapes of
// one letter, and \uXXXX, in pairs of surrogates too, wherever they may be.
func (b *builder) jsonAnyRune(from, to int32) {
	b.runes(from, jsonPlain, to)
	escape := b.state()
	b.edge(from, '\\', '\\', escape)
	for _, c := range `"\/bfnrt` {
		b.edge(escape, byte(c), byte(c), to)
	}
	digits := func(from int32, lo, hi byte, to int32) { // hexadecimal, of either case
		for _, r := range [][2]byte{{'0', '9'}, {'A', 'F'}, {'a', 'f'}} {
			if l, h := max(lo, r[0]), min(hi, r[1]); l <= h {
				b.edge(from, l, h, to)
			}
		}
	}
	any := func(from int32, n int, to int32) {
		for range n - 1 {
			next := b.state()
			digits(from, '0', 'f', next)
			from = next
		}
		digits(from, '0', 'f', to)
	}
	u := b.state()
	b.edge(escape, 'u', 'u', u)
	three, d := b.state(), b.state()
	digits(u, '0', '9', three)
	for _, c := range "ABCEFabcef" {
		b.edge(u, byte(c), byte(c), three)
	}
	any(three, 3, to)
	for _, c := range "Dd" {
		b.edge(u, byte(c), byte(c), d)
	}
	two := b.state() // of \uD000 to \uD7FF
	b.edge(d, '0', '7', two)
	any(two, 2, to)
	high := b.state() // a high surrogate, which its low one must follow
	b.edge(d, '8', '9', high)
	b.edge(d, 'A', 'B', high)
	b.edge(d, 'a', 'b', high)
	slash := b.state()
	any(high, 2, slash)
	dd := b.literal(slash, `\u`)
	low, last := b.state(), b.state()
	b.edge(dd, 'D', 'D', low)
	b.edge(dd, 'd', 'd', low)
	b.edge(low, 'C', 'F', last)
	b.edge(low, 'c', 'f', last)
	any(last, 2, to)
}

// all tells whether a text has code points of s alone, and at least one.
func (s runeSet) all(text string) bool {
	for _, r := range text {
		if !s.has(r) {
			return false
		}
	}
	return text != ""
}
