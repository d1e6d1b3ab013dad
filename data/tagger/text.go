package tagger

import (
	"iter"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"olmo/data"
)

// Text is a document with what several taggers ask of it, found once: its
// length, words, lines and paragraphs. Byte offsets are into S; Len and
// everything that Spans take count code points, as Python does.
type Text struct {
	Doc   *data.Document
	S     string
	Len   int
	ASCII bool

	words     []word
	haveWords bool
	lines     []int32 // byte offset of each line's start
	haveLines bool
	counts    []int32 // code points before each block of 64 bytes
}

// word is a run without white space, in the sense of Python's str.split. A text may
// have millions, so that it takes eight bytes: a text, within a line of at most
// data.MaxLine, is no longer than 27 bits can say.
type word struct {
	start int32  // byte
	size  uint32 // bytes, above wordFlags bits of flags
}

const wordFlags = 5

// end is the byte after the word.
func (w word) end() int32 { return w.start + int32(w.size>>wordFlags) }

func (w word) has(flag uint8) bool { return w.size&uint32(flag) != 0 }

// runes is the number of code points of a word of s.
func (w word) runes(s string) int {
	if !w.has(hasHigh) {
		return int(w.size >> wordFlags)
	}
	return utf8.RuneCountInString(s[w.start:w.end()])
}

// What a word holds.
const (
	hasAlpha  uint8 = 1 << iota // a letter (str.isalpha)
	hasSymbol                   // '#' or '…'
	hasUpper                    // an ASCII capital
	hasHigh                     // a character above ASCII
	isBlank                     // white space: ends the word
)

// slice is a piece of a text, [start, end) in bytes.
type slice struct{ start, end int }

// Reset makes t stand for d.
func (t *Text) Reset(d *data.Document) {
	t.Doc, t.S = d, d.Text
	t.haveWords, t.haveLines = false, false
	t.counts = t.counts[:0]
	t.Len = utf8.RuneCountInString(t.S)
	t.ASCII = t.Len == len(t.S)
}

// classes tells what each byte is to words: space, letter, symbol.
var classes = func() (c [256]uint8) {
	for b := range 256 {
		switch {
		case b >= 0x80:
			c[b] = hasHigh
		case b >= 'a' && b <= 'z':
			c[b] = hasAlpha
		case b >= 'A' && b <= 'Z':
			c[b] = hasAlpha | hasUpper
		case b == '#':
			c[b] = hasSymbol
		case b == ' ' || b >= 9 && b <= 13 || b >= 0x1c && b <= 0x1f:
			c[b] = isBlank
		}
	}
	return c
}()

// isSpace is Python's str.isspace for one character.
func isSpace(r rune) bool {
	if r < 0x80 {
		return classes[r] == isBlank
	}
	switch r {
	case 0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000:
		return true
	}
	return r >= 0x2000 && r <= 0x200a
}

// spaceAt returns the length in bytes of the white space character at the
// start of s, 0 if there is none.
func spaceAt(s string) int {
	if len(s) == 0 {
		return 0
	}
	switch b := s[0]; {
	case b < 0x80:
		if classes[b] == isBlank {
			return 1
		}
		return 0
	case b != 0xc2 && b != 0xe1 && b != 0xe2 && b != 0xe3:
		return 0 // no space starts with any other byte
	}
	if r, n := utf8.DecodeRuneInString(s); isSpace(r) {
		return n
	}
	return 0
}

// Words are the pieces between white space, as str.split gives them.
func (t *Text) Words() []word {
	if t.haveWords {
		return t.words
	}
	t.haveWords = true
	s, words := t.S, t.words[:0]
	if len(s) > longText {
		words = slices.Grow(words, countWords(s))
	}
	for i := 0; i < len(s); {
		c := classes[s[i]]
		if c == isBlank {
			i++
			continue
		}
		if c == hasHigh {
			if n := spaceAt(s[i:]); n > 0 {
				i += n
				continue
			}
		}
		start := i
		var flags uint8
		for i < len(s) {
			c := classes[s[i]]
			if c&(isBlank|hasHigh) != 0 {
				if c == isBlank || spaceAt(s[i:]) > 0 {
					break
				}
				flags |= hasHigh
				// Past the whole character: its other bytes are no leads.
				for i++; i < len(s) && s[i]&0xc0 == 0x80; i++ {
				}
				continue
			}
			flags |= c
			i++
		}
		if flags&hasHigh != 0 {
			text := s[start:i]
			if flags&hasAlpha == 0 && strings.IndexFunc(text, unicode.IsLetter) >= 0 {
				flags |= hasAlpha
			}
			if flags&hasSymbol == 0 && strings.Contains(text, "…") {
				flags |= hasSymbol
			}
		}
		words = append(words, word{int32(start), uint32(i-start)<<wordFlags | uint32(flags)})
	}
	t.words = words
	return words
}

// countWords is about how many words s has, and no fewer: where a slice of millions
// would grow, there would be two of them.
func countWords(s string) int {
	n, inWord := 0, false
	for i := range len(s) {
		switch b := s[i]; {
		case classes[b] == isBlank:
			inWord = false
		case !inWord, b == 0xc2, b >= 0xe1 && b <= 0xe3: // as spaces above ASCII begin
			n++
			inWord = true
		}
	}
	return n
}

// Lines are the byte offsets at which the pieces of str.split("\n") start.
// There is always at least one; a line ends before the newline that precedes
// the next, the last at the end of the text.
func (t *Text) Lines() []int32 {
	if t.haveLines {
		return t.lines
	}
	t.haveLines = true
	t.lines = append(slices.Grow(t.lines[:0], strings.Count(t.S, "\n")+1), 0)
	for i := 0; ; i++ {
		j := strings.IndexByte(t.S[i:], '\n')
		if j < 0 {
			return t.lines
		}
		i += j
		t.lines = append(t.lines, int32(i+1))
	}
}

// lineEnd is where line i ends, its newline left out.
func (t *Text) lineEnd(i int) int {
	if i+1 < len(t.lines) {
		return int(t.lines[i+1]) - 1
	}
	return len(t.S)
}

// Paragraphs are Dolma's split_paragraphs: lines with their newline, those of
// white space only left out.
//
// Dolma 1.2.1, python/dolma/core/utils.py.
func (t *Text) Paragraphs() iter.Seq[slice] {
	return func(yield func(slice) bool) {
		for p := range t.linesWithEnds() {
			if strings.IndexFunc(t.S[p.start:p.end], notSpace) >= 0 && !yield(p) {
				return
			}
		}
	}
}

// linesWithEnds are the lines with their newline.
func (t *Text) linesWithEnds() iter.Seq[slice] {
	return func(yield func(slice) bool) {
		for start := 0; start < len(t.S); {
			end := len(t.S)
			if n := strings.IndexByte(t.S[start:], '\n'); n >= 0 {
				end = start + n + 1
			}
			if !yield(slice{start, end}) {
				return
			}
			start = end
		}
	}
}

func notSpace(r rune) bool { return !isSpace(r) }

// Runes returns the number of code points before byte offset i.
func (t *Text) Runes(i int) int {
	if t.ASCII {
		return i
	}
	if len(t.counts) == 0 {
		n := int32(0)
		for at := 0; at < len(t.S); at += 64 {
			t.counts = append(t.counts, n)
			n += int32(runeStarts(t.S[at:min(at+64, len(t.S))]))
		}
		t.counts = append(t.counts, n)
	}
	block := i / 64
	return int(t.counts[block]) + runeStarts(t.S[block*64:i])
}

// runeStarts counts the bytes of s that begin a character.
func runeStarts(s string) (n int) {
	for i := range len(s) {
		if s[i]&0xc0 != 0x80 {
			n++
		}
	}
	return n
}

// lower is Python's str.lower: simple mappings, U+0130 as two characters, and
// the Greek final sigma.
func lower(s string) string {
	high := false
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			high = true
			break
		}
	}
	if !high {
		return strings.ToLower(s)
	}
	var b strings.Builder
	b.Grow(len(s) + 8)
	for i, r := range s {
		switch r {
		case 0x130:
			b.WriteString("i\u0307")
		case 0x3a3:
			if finalSigma(s[:i], s[i+2:]) {
				b.WriteRune(0x3c2)
			} else {
				b.WriteRune(0x3c3)
			}
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// finalSigma says whether a capital sigma between before and after ends a
// word (Unicode's Final_Sigma condition).
func finalSigma(before, after string) bool {
	cased := func(r rune) bool {
		return unicode.IsLower(r) || unicode.IsUpper(r) || unicode.IsTitle(r) || unicode.In(r, unicode.Other_Lowercase, unicode.Other_Uppercase)
	}
	ignorable := func(r rune) bool {
		switch r {
		case '\'', '.', ':', '^', '`', 0xa8, 0xad, 0xaf, 0xb4, 0xb7, 0xb8, 0x2018, 0x2019, 0x2024, 0x2027:
			return true
		}
		return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk)
	}
	for len(before) > 0 {
		r, n := utf8.DecodeLastRuneInString(before)
		before = before[:len(before)-n]
		if ignorable(r) {
			continue
		}
		if !cased(r) {
			return false
		}
		for _, r := range after {
			if !ignorable(r) {
				return !cased(r)
			}
		}
		return true
	}
	return false
}
