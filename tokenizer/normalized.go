package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// span is a range of bytes, [start, end).
type span struct{ start, end int }

// piece is a part of the input on its way to tokens: a part of the original
// text, what normalisation made of it, and for every byte of that the bytes of
// the original that it stands for. It follows the reference's NormalizedString,
// whose rules decide the offsets of tokens, odd ones included.
type piece struct {
	text  string // normalised
	align []span // len(text) entries, offsets into the whole original
	orig  span
	// token is an added token's id, or −1 for a piece still to be encoded.
	token int32
}

// newPiece makes the piece that is the whole of s.
func newPiece(s string) piece {
	align := make([]span, len(s))
	for i, r := range s {
		n := runeLen(r, s[i:])
		for j := i; j < i+n; j++ {
			align[j] = span{i, i + n}
		}
	}
	return piece{text: s, align: align, orig: span{0, len(s)}, token: -1}
}

// runeLen returns the length of the first code point of s, which range found to
// be r; an invalid byte counts 1.
func runeLen(r rune, s string) int {
	if r != utf8.RuneError {
		return utf8.RuneLen(r)
	}
	_, n := utf8.DecodeRuneInString(s)
	return n
}

// slice returns the part [start, end) of p's normalised text.
func (p *piece) slice(start, end int) piece {
	orig := span{p.orig.start + start, p.orig.start + start}
	if start < end {
		orig = span{p.align[start].start, p.align[end-1].end}
	}
	return piece{text: p.text[start:end], align: p.align[start:end], orig: orig, token: -1}
}

// original returns the bytes of the whole original that stand behind [start,
// end) of p's normalised text.
func (p *piece) original(start, end int) span {
	switch {
	case start == end:
		// Nothing to convert: the reference takes the range itself.
		return span{p.orig.start + start, p.orig.start + end}
	case end > len(p.align):
		// Bytes of a prefix or suffix, which no text stands behind. The
		// reference does not add the piece's place here.
		return span{start, end}
	default:
		return span{p.align[start].start, p.align[end-1].end}
	}
}

// transform replaces p's normalised text by list. removed counts the code
// points dropped before the first of them.
func (p *piece) transform(list []change, removed int) {
	// The reference takes the range that the whole original converts to, which
	// leaves out leading bytes that stand for nothing.
	from, to := -1, -1
	if p.orig.start == p.orig.end {
		from, to = 0, 0
	} else {
		for i, a := range p.align {
			if a.end > p.orig.end {
				break
			}
			if from < 0 && a.start != a.end {
				from = i
			}
			to = i + 1
		}
		switch {
		case to < 0:
			return
		case from < 0:
			from = to
		}
	}
	p.transformRange(from, to, list, removed)
}

// transformRange is transform for the part [from, to).
func (p *piece) transformRange(from, to int, list []change, removed int) {
	old := p.text[from:to]
	next := func() int { // length of the next old code point, 0 at the end
		_, n := utf8.DecodeRuneInString(old)
		old = old[n:]
		return n
	}
	offset := from
	for range removed {
		offset += next()
	}
	var text strings.Builder
	text.Grow(len(p.text) + len(list))
	align := make([]span, 0, len(p.text)+len(list))
	text.WriteString(p.text[:from])
	align = append(align, p.align[:from]...)
	for _, c := range list {
		at := span{p.orig.start, p.orig.start}
		if c.delta > 0 {
			if offset >= 1 {
				at = p.align[offset-1]
			}
		} else {
			if offset < len(p.align) {
				at = p.align[offset]
			}
			offset += next()
			for range -c.delta {
				offset += next()
			}
		}
		text.WriteRune(c.r)
		for range utf8.RuneLen(c.r) {
			align = append(align, at)
		}
	}
	text.WriteString(p.text[to:])
	align = append(align, p.align[to:]...)
	p.text, p.align = text.String(), align
}

// prepend puts s before p's text, unless that is empty.
func (p *piece) prepend(s string) {
	if p.text == "" {
		return
	}
	first, n := utf8.DecodeRuneInString(p.text)
	list := make([]change, 0, len(s)+1)
	for i, r := range s {
		list = append(list, change{r, min(i, 1)})
	}
	p.transformRange(0, n, append(list, change{first, 1}), 0)
}

// mapRunes replaces every code point by what f appends for it.
func (p *piece) mapRunes(f func(dst []change, r rune) []change) {
	list := make([]change, 0, len(p.text))
	for _, r := range p.text {
		list = f(list, r)
	}
	p.transform(list, 0)
}

// filter keeps the code points for which keep is true.
func (p *piece) filter(keep func(rune) bool) {
	list := make([]change, 0, len(p.text))
	before, removed := 0, 0
	for _, r := range p.text {
		if !keep(r) {
			removed++
			continue
		}
		if len(list) > 0 {
			list[len(list)-1].delta = -removed
		} else {
			before = removed
		}
		list = append(list, change{r, 0})
		removed = 0
	}
	if len(list) > 0 {
		list[len(list)-1].delta = -removed
	}
	p.transform(list, before)
}

// strip removes white space from the ends of p's text.
func (p *piece) strip(left, right bool) {
	leading, trailing, count := 0, 0, utf8.RuneCountInString(p.text)
	if left {
		for _, r := range p.text {
			if !isSpace(r) {
				break
			}
			leading++
		}
	}
	if right {
		for s := p.text; s != ""; {
			r, n := utf8.DecodeLastRuneInString(s)
			if !isSpace(r) {
				break
			}
			s = s[:len(s)-n]
			trailing++
		}
	}
	if leading == 0 && trailing == 0 {
		return
	}
	var list []change
	i := 0
	for _, r := range p.text {
		if i >= leading && i < count-trailing {
			c := change{r, 0}
			// The reference compares a count of code points with a length in
			// bytes here (normalizer.rs, lrstrip), so that only ASCII text
			// notes the code points dropped at its end; nothing follows them.
			if i == len(p.text)-trailing-1 {
				c.delta = -trailing
			}
			list = append(list, c)
		}
		i++
	}
	p.transform(list, leading)
}

// replace puts content in place of every match.
func (p *piece) replace(m matcher, content string) {
	if p.text == "" {
		return
	}
	var text strings.Builder
	align := make([]span, 0, len(p.align))
	last := 0
	eachMatch(m, p.text, func(start, end int) {
		text.WriteString(p.text[last:start])
		align = append(align, p.align[last:start]...)
		at := span{p.orig.start, p.orig.start}
		if end >= 1 {
			at = p.align[end-1]
		}
		text.WriteString(content)
		for range len(content) {
			align = append(align, at)
		}
		last = end
	})
	if last == 0 && len(align) == 0 {
		return
	}
	text.WriteString(p.text[last:])
	p.text, p.align = text.String(), append(align, p.align[last:]...)
}

// isSpace tells white space as the reference has it.
func isSpace(r rune) bool {
	switch {
	case r < utf8.RuneSelf:
		return r == ' ' || r >= '\t' && r <= '\r'
	default:
		return unicodeTables().props.of(r)&propSpace != 0
	}
}
