package tokenizer

import (
	"slices"
	"unicode/utf8"
)

// Conjoining Hangul, The Unicode Standard 9.0, section 3.12.
const (
	hangulS, hangulSCount = 0xAC00, 11172
	hangulL, hangulLCount = 0x1100, 19
	hangulV, hangulVCount = 0x1161, 21
	hangulT, hangulTCount = 0x11A7, 28
	hangulN               = hangulVCount * hangulTCount
)

// change is one code point of a transformed string and what it stands for:
// delta 1 is a code point that is new, 0 one that replaces the next of the old
// string, −n one that replaces the next and swallows n more (the reference's
// NormalizedString.transform).
type change struct {
	r     rune
	delta int
}

// decompose appends the canonical order of s's decomposition (NFD, or NFKD with
// compat) to dst. Deltas are as unicode-normalization-alignments 0.1.12 gives
// them, which keeps a code point's delta with it when marks are reordered.
func decompose(dst []change, s string, compat bool) []change {
	d := unicodeTables()
	start := len(dst) // of the run of marks that is not yet in order
	order := func() {
		if len(dst)-start > 1 {
			slices.SortStableFunc(dst[start:], func(a, b change) int { return int(d.ccc[a.r]) - int(d.ccc[b.r]) })
		}
	}
	push := func(r rune, delta int) {
		if r < 0x300 || d.ccc[r] == 0 {
			order()
			start = len(dst) + 1
		}
		dst = append(dst, change{r, delta})
	}
	for _, r := range s {
		if r < utf8.RuneSelf {
			push(r, 0)
			continue
		}
		if r >= hangulS && r < hangulS+hangulSCount {
			i := r - hangulS
			push(hangulL+i/hangulN, 0)
			push(hangulV+i%hangulN/hangulTCount, 1)
			if t := i % hangulTCount; t > 0 {
				push(hangulT+t, 1)
			}
			continue
		}
		full, ok := []rune(nil), false
		if compat {
			full, ok = d.nfkd[r]
		}
		if !ok {
			full, ok = d.nfd[r]
		}
		if !ok {
			push(r, 0)
			continue
		}
		for i, c := range full {
			push(c, min(i, 1))
		}
	}
	order()
	return dst
}

// composePair returns the primary composite of a and b.
func composePair(d *unicodeData, a, b rune) (rune, bool) {
	switch {
	case a >= hangulL && a < hangulL+hangulLCount && b >= hangulV && b < hangulV+hangulVCount:
		return hangulS + (a-hangulL)*hangulN + (b-hangulV)*hangulTCount, true
	case a >= hangulS && a < hangulS+hangulSCount && b > hangulT && b < hangulT+hangulTCount && (a-hangulS)%hangulTCount == 0:
		return a + b - hangulT, true
	}
	c, ok := d.compose[[2]rune{a, b}]
	return c, ok
}

// recompose applies canonical composition in place to what decompose gave (NFC,
// or NFKC), and returns the shortened list.
func recompose(list []change) []change {
	d := unicodeTables()
	starter := -1   // index in out of the last code point of class 0
	blocked := -1   // class of the last mark kept behind the starter, -1 for none
	out := list[:0] // never longer than what was read
	for _, c := range list {
		class := int(d.ccc[c.r])
		if starter >= 0 && class > blocked {
			if r, ok := composePair(d, out[starter].r, c.r); ok {
				out[starter] = change{r, out[starter].delta + c.delta - 1}
				continue
			}
		}
		if class == 0 {
			starter, blocked = len(out), -1
		} else if starter >= 0 {
			blocked = class
		}
		out = append(out, c)
	}
	return out
}

// validText replaces each maximal ill-formed part of s by U+FFFD.
func validText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string(appendLossy(nil, []byte(s)))
}

// composeText returns normal form C of s, and false if s is not UTF-8. Where it can,
// it sees by the classes that text is in that form already; elsewhere it works
// from one code point that nothing before it changes to the next.
func composeText(s string) (string, bool) {
	d := unicodeTables()
	var out []byte
	done := 0                           // s[:done] is in out
	start := 0                          // the last code point of class 0 so far
	class, previous := uint8(0), '\x00' // the last one's class, and itself
	for i := 0; i < len(s); {
		if s[i] < utf8.RuneSelf {
			if i+8 <= len(s) && load64(s, i)&highBits == 0 {
				i += 8
				start, class, previous = i-1, 0, rune(s[i-1])
				continue
			}
			start, class, previous = i, 0, rune(s[i])
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			return "", false
		}
		c := d.norm.of(r)
		if c == 0 {
			start, class, previous = i, 0, r
			i += n
			continue
		}
		if c == normUnsure {
			_, changes := d.nfd[r]
			if !changes && class == 0 && i > 0 && d.ccc[r] > 0 {
				// It may go between the parts of what stands before.
				_, changes = d.nfd[previous]
			}
			if !changes && class == 0 && i > 0 {
				if _, joins := composePair(d, previous, r); !joins {
					class, previous = d.ccc[r], r
					if class == 0 {
						start = i
					}
					i += n
					continue
				}
			}
		} else if c >= class {
			class, previous = c, r
			i += n
			continue
		}
		// Normalise from the last code point that what is before leaves alone
		// to the next one.
		end := i + n
		for end < len(s) {
			r, n := utf8.DecodeRuneInString(s[end:])
			if d.norm.of(r) == 0 {
				break
			}
			end += n
		}
		for start > 0 && d.norm.of(runeAt(s, start)) != 0 {
			_, n := utf8.DecodeLastRuneInString(s[:start])
			start -= n
		}
		out = append(out, s[done:start]...)
		for _, c := range recompose(decompose(nil, s[start:end], false)) {
			out = utf8.AppendRune(out, c.r)
		}
		done, i, start = end, end, end
		class, previous = 0, utf8.RuneError
	}
	if done == 0 {
		return s, true
	}
	return string(append(out, s[done:]...)), true
}

func runeAt(s string, i int) rune {
	r, _ := utf8.DecodeRuneInString(s[i:])
	return r
}
