package tokenizer

import (
	"bytes"
	"math/bits"
	"unicode/utf8"
	"unsafe"
)

// Words are found for a window of text at once: the classes of its bytes become
// bit masks, and the places where words start follow from them by shifts,
// without a branch per word. What the masks cannot tell (white space beyond
// ASCII, mainly) is left to the scanner, which is also the definition.

const (
	windowBlocks = 16
	windowBytes  = windowBlocks * blockBytes
	// lookAhead is how far behind a place its start may depend on: a
	// contraction is three bytes long.
	lookAhead = 8
)

// window holds the masks of a window, block by block, with an empty block on
// each side for shifts across blocks.
type window struct {
	class  [windowBlocks]classBlock
	letter [windowBlocks + 2]uint64 // these four tile the window
	number [windowBlocks + 2]uint64
	space  [windowBlocks + 2]uint64
	other  [windowBlocks + 2]uint64
	blank  [windowBlocks + 2]uint64 // spaces that may join what follows
	start  [windowBlocks + 2]uint64 // the result; start[0] is the first block's
	inner  [windowBlocks + 2]uint64 // bytes of other code points but the first
	ends   [windowBlocks + 2]uint64 // scratch
	bar    [windowBlocks + 2]uint64 // runs of spaces that are added tokens
	tail   [blockBytes]byte         // text that ends inside a block

	invalid bool // the text is not UTF-8
}

// find marks where words start in s[i:stop], and returns up to where it knows;
// 0 if it does not. Bit 0 is s[i]. A word starts at i; last tells that s[:stop]
// ends there.
func (w *window) find(k kind, s string, i, stop int, last bool) int {
	n := stop - i
	blocks := (n + blockBytes - 1) / blockBytes
	text := unsafe.Slice(unsafe.StringData(s), len(s))
	whole := min(blocks, (len(s)-i)/blockBytes)
	if whole > 0 {
		classify(w.class[:whole], text[i:])
	}
	if whole < blocks {
		at := whole * blockBytes
		clear(w.tail[:])
		copy(w.tail[:], text[i+at:])
		classify(w.class[whole:blocks], w.tail[:])
	}
	var high uint64
	for b := range blocks {
		c := &w.class[b]
		w.letter[b+1], w.number[b+1], w.space[b+1], w.blank[b+1] = c.letter, c.digit, c.space, c.blank
		w.inner[b+1] = 0
		high |= c.high
	}
	w.letter[blocks+1], w.number[blocks+1], w.space[blocks+1], w.blank[blocks+1] = 0, 0, 0, 0
	w.other[0], w.other[blocks+1], w.inner[blocks+1] = 0, 0, 0
	// Nothing counts behind the end.
	if r := uint(n % blockBytes); r > 0 {
		keep := uint64(1)<<r - 1
		w.letter[blocks] &= keep
		w.number[blocks] &= keep
		w.space[blocks] &= keep
		w.blank[blocks] &= keep
		w.class[blocks-1].line &= keep
		w.class[blocks-1].quote &= keep
		w.class[blocks-1].high &= keep
	}
	if high != 0 && !w.beyondASCII(k, text[i:stop], blocks) {
		return 0
	}
	for b := 1; b <= blocks; b++ {
		w.other[b] = ^(w.letter[b] | w.number[b] | w.space[b])
	}
	if r := uint(n % blockBytes); r > 0 {
		w.other[blocks] &= 1<<r - 1
	}
	// The end of the text is like white space behind it: a run of spaces that
	// reaches it is one word.
	if last {
		w.space[n/blockBytes+1] |= 1 << (n % blockBytes)
	}
	if k == kindCL100K {
		w.startsCL100K(s, i, stop, blocks)
	} else {
		if k == kindNeoX && !w.barSpaces(text[i:stop], blocks) {
			return 0
		}
		w.startsGPT2(k, s, i, stop, blocks)
	}
	if last {
		w.start[blocks] = 0
		w.start[n/blockBytes] |= 1 << (n % blockBytes)
		return n
	}
	// Starts are certain up to the last code point that is no space, far
	// enough from the end.
	limit := n - lookAhead
	for b := (limit - 1) / blockBytes; b >= 0; b-- {
		m := w.letter[b+1] | w.number[b+1] | w.other[b+1]
		if r := uint(limit - b*blockBytes); r < blockBytes {
			m &= 1<<r - 1
		}
		if m != 0 {
			return b*blockBytes + 63 - bits.LeadingZeros64(m)
		}
	}
	return 0
}

// beyondASCII adds the code points beyond ASCII to the masks; false if there
// are any that the masks have no rule for, or bytes that are none.
func (w *window) beyondASCII(k kind, text []byte, blocks int) bool {
	props := unicodeTables().props
	hard := false
	for b := range blocks {
		high := w.class[b].high
		for high != 0 {
			at := bits.TrailingZeros64(high)
			r, n := decodeRune(text[b*blockBytes+at:])
			if n == 0 {
				w.invalid = true
				return false
			}
			class := props.of(r) & classMask
			ones := uint64(1)<<n - 1
			here := ones << at
			over := ones >> (blockBytes - at) // 0 unless it crosses into the next block
			high &^= here
			if over != 0 {
				w.class[b+1].high &^= over
			}
			switch class {
			case classLetter:
				w.letter[b+1] |= here
				w.letter[b+2] |= over
			case classNumber:
				hard = hard || k == kindCL100K || k == kindDigits
				w.number[b+1] |= here
				w.number[b+2] |= over
			case classSpace:
				hard = true
			default:
				hard = hard || k == kindDigits && isNumeric(r)
				w.inner[b+1] |= here &^ (1 << at)
				w.inner[b+2] |= over
			}
		}
	}
	return !hard
}

// decodeRune returns the code point beyond ASCII at the start of c and its
// length, 0 if there is none.
func decodeRune(c []byte) (r rune, n uint) {
	switch {
	case len(c) < 2 || c[0] < 0xC2 || c[1]&0xC0 != 0x80:
		return 0, 0
	case c[0] < 0xE0:
		return rune(c[0]&0x1F)<<6 | rune(c[1]&0x3F), 2
	case len(c) < 3 || c[2]&0xC0 != 0x80:
		return 0, 0
	case c[0] < 0xF0:
		r = rune(c[0]&0x0F)<<12 | rune(c[1]&0x3F)<<6 | rune(c[2]&0x3F)
		if r < 0x800 || r >= 0xD800 && r < 0xE000 {
			return 0, 0
		}
		return r, 3
	case len(c) < 4 || c[3]&0xC0 != 0x80:
		return 0, 0
	}
	r = rune(c[0]&0x07)<<18 | rune(c[1]&0x3F)<<12 | rune(c[2]&0x3F)<<6 | rune(c[3]&0x3F)
	if r < 0x10000 || r > utf8.MaxRune || c[0] >= 0xF8 {
		return 0, 0
	}
	return r, 4
}

// barSpaces takes runs of two and more spaces out of the masks of spaces, so
// that each becomes a word of its own (in bar) and the end of the text before
// it. False if there is a run so long that it is several tokens.
func (w *window) barSpaces(text []byte, blocks int) bool {
	blank := &w.blank
	before := uint64(0)
	some := false
	for b := 1; b <= blocks; b++ {
		m := blank[b]
		m &= m<<1 | before>>63 | m>>1 | blank[b+1]<<63
		before = blank[b]
		w.bar[b] = m
		if m == 0 {
			continue
		}
		some = true
		m &= m << 1
		m &= m << 2
		m &= m << 4
		// Half of a run that is too long lies in one block.
		if m&(m<<4) != 0 && bytes.Contains(text, tooManySpaces) {
			return false
		}
	}
	w.bar[blocks+1] = 0
	if some {
		for b := 1; b <= blocks; b++ {
			w.space[b] &^= w.bar[b]
			blank[b] &^= w.bar[b]
		}
	}
	return true
}

// maxSpaces is the longest run of spaces that is one added token.
const maxSpaces = 24

var tooManySpaces = bytes.Repeat([]byte{' '}, maxSpaces+1)

// up shifts block b of m towards the end of the text by one byte.
func up(m *[windowBlocks + 2]uint64, b int) uint64 { return m[b]<<1 | m[b-1]>>63 }

// down shifts block b of m towards its start.
func down(m *[windowBlocks + 2]uint64, b int) uint64 { return m[b]>>1 | m[b+1]<<63 }

// startsGPT2 fills start for gpt2Pattern and its relatives.
func (w *window) startsGPT2(k kind, s string, i, stop, blocks int) {
	// ends holds what follows white space as the end of the text would.
	ends := &w.space
	switch k {
	case kindNeoX:
		for b := 1; b <= blocks+1; b++ {
			w.ends[b] = w.space[b] | w.bar[b]
		}
		ends = &w.ends
	case kindDigits:
		for b := 1; b <= blocks+1; b++ {
			w.ends[b] = w.space[b] | w.number[b]
		}
		ends = &w.ends
	}
	for b := 1; b <= blocks; b++ {
		space, number := w.space[b], w.number[b]
		// A run of one class starts a word, unless a space before it does.
		runs := w.letter[b]&^up(&w.letter, b) | w.other[b]&^up(&w.other, b)
		alone := uint64(0)
		switch k {
		case kindDigits:
			alone = number
		case kindNeoX:
			alone = w.bar[b] &^ up(&w.bar, b)
			fallthrough
		default:
			runs |= number &^ up(&w.number, b)
		}
		runs &^= up(&w.blank, b)
		// White space starts a word, and its last code point another one.
		w.start[b-1] = runs | alone | space&^up(&w.space, b) | space&^down(ends, b)
	}
	w.start[blocks] = 0
	w.contractions(s, i, stop, blocks, contraction)
}

// contractions makes words of 's and its like where an apostrophe starts one.
func (w *window) contractions(s string, i, stop, blocks int, length func(s string, i int) int) {
	for b := range blocks {
		for m := w.class[b].quote & w.start[b]; m != 0; m &= m - 1 {
			at := b*blockBytes + bits.TrailingZeros64(m)
			if n := length(s, i+at); n > 0 && i+at+n <= stop {
				w.start[(at+1)/blockBytes] &^= 1 << ((at + 1) % blockBytes)
				w.start[(at+n)/blockBytes] |= 1 << ((at + n) % blockBytes)
			}
		}
	}
}

// startsCL100K fills start for cl100kPattern.
func (w *window) startsCL100K(s string, i, stop, blocks int) {
	// Line breaks behind other characters belong to those.
	carry := uint64(0)
	for b := 1; b <= blocks; b++ {
		line := w.class[b-1].line
		sum, over := bits.Add64(line, up(&w.other, b)&line, carry)
		carry = over
		w.space[b] &^= line &^ sum
		// blank is now all white space that may come before a letter.
		w.ends[b] = w.space[b] &^ line
	}
	w.ends[blocks+1] = w.space[blocks+1]
	w.ends[0] = 0
	first, numbers := uint64(0), uint64(0)
	lines := uint64(0)
	for b := 1; b <= blocks; b++ {
		space, letter, number := w.space[b], w.letter[b], w.number[b]
		others := w.other[b] &^ up(&w.other, b) &^ up(&w.blank, b)
		// A letter right behind the first and only other character of a run
		// joins it.
		before := first
		first = others
		if inner := w.inner[b]; inner != 0 {
			for range 3 {
				first |= (first<<1 | before>>63) & inner
			}
		}
		letters := letter &^ up(&w.letter, b) &^ (first<<1 | before>>63) &^ up(&w.ends, b)
		// Numbers start a word at every third one.
		starts := number &^ up(&w.number, b)
		if number != 0 {
			third := number & up(&w.number, b) & (number<<2 | w.number[b-1]>>62)
			starts |= numbers >> 61 & third
			for {
				more := starts | starts<<3&third
				if more == starts {
					break
				}
				starts = more
			}
		}
		numbers = starts
		w.start[b-1] = letters | starts | others | space&^up(&w.space, b) | w.ends[b]&^down(&w.space, b)
		// White space after the last line break of a run is a word.
		broken := space &^ w.ends[b]
		for m := w.ends[b] & (broken<<1 | lines>>63); m != 0; m &= m - 1 {
			if at := bits.TrailingZeros64(m); w.endsRun(b, at) {
				w.start[b-1] |= 1 << at
			}
		}
		lines = broken
	}
	w.start[blocks] = 0
	w.contractions(s, i, stop, blocks, contractionFold)
}

// endsRun tells whether no line break follows in the run of white space that
// goes through bit at of block b.
func (w *window) endsRun(b, at int) bool {
	for ; b < len(w.ends); b, at = b+1, 0 {
		if rest := ^w.ends[b] >> at; rest != 0 {
			at += bits.TrailingZeros64(rest)
			return w.space[b]>>at&1 == 0
		}
	}
	return true
}
