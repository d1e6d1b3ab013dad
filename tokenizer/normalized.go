package tokenizer

import (
	"strings"
	"unicode/utf8"
	"unsafe"
)

// span is a range of bytes, [start, end).
type span struct{ start, end int }

// piece is a part of the input on its way to tokens: a part of the original
// text, what normalisation made of it, and for every byte of that the bytes of
// the original that it stands for. It follows the reference's NormalizedString,
// whose rules decide the offsets of tokens, odd ones included.
//
// Where only ids are wanted a piece is bare: it has no align, which takes 16 bytes for
// each byte of text, but what the rules that decide about texts ask of it. These
// are whether a byte stands for nothing, and whether it stands for the beginning of
// the original; both are so of the first bytes only. Offsets are then 0 for the
// beginning, and 1 or 2 for what lies behind it.
type piece struct {
	text  string // normalised
	align []span // len(text) entries, offsets into the whole original; nil in a bare piece
	orig  span
	// token is an added token's id, or −1 for a piece still to be encoded.
	token int32
	edges
}

// edges is what a bare piece knows of its alignment.
type edges struct {
	bare  bool
	blank int // bytes at the beginning of the text that stand for nothing
	first int // and those up to the last that stands for the beginning of the original
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

// newBarePiece is newPiece without alignment.
func newBarePiece(s string) piece {
	p := piece{text: s, orig: span{0, min(len(s), 2)}, token: -1, edges: edges{bare: true}}
	_, p.first = utf8.DecodeRuneInString(s)
	return p
}

// at returns the bytes of the original that byte i of p's text stands for.
func (p *piece) at(i int) span {
	switch {
	case !p.bare:
		return p.align[i]
	case i < p.blank:
		return span{p.orig.start, p.orig.start}
	case i < p.first:
		return span{0, 1}
	default:
		return span{1, 2}
	}
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
	q := piece{text: p.text[start:end], orig: span{p.orig.start + start, p.orig.start + start}, token: -1, edges: p.edges}
	if start < end {
		q.orig = span{p.at(start).start, p.at(end - 1).end}
	}
	if p.bare {
		q.blank, q.first = within(p.blank-start, end-start), within(p.first-start, end-start)
	} else {
		q.align = p.align[start:end]
	}
	return q
}

// original returns the bytes of the whole original that stand behind [start,
// end) of p's normalised text.
func (p *piece) original(start, end int) span {
	switch {
	case start == end:
		// Nothing to convert: the reference takes the range itself.
		return span{p.orig.start + start, p.orig.start + end}
	case end > len(p.text):
		// Bytes of a prefix or suffix, which no text stands behind. The
		// reference does not add the piece's place here.
		return span{start, end}
	default:
		return span{p.align[start].start, p.align[end-1].end}
	}
}

// within returns the one of 0 … n that is nearest to i.
func within(i, n int) int { return min(max(i, 0), n) }

// rewriting is a piece's next text while it is written.
type rewriting struct {
	text  []byte
	align []span
	edges
}

// rewrite begins a text that takes the place of p's and has about n bytes.
func (p *piece) rewrite(n int) *rewriting {
	w := &rewriting{text: make([]byte, 0, n), edges: edges{bare: p.bare}}
	if !p.bare {
		w.align = make([]span, 0, n)
	}
	return w
}

// room makes room in the text for n bytes when the part done of total is written, and for the rest at
// the same rate: growing by the half leaves behind several times a text of megabytes.
func (w *rewriting) room(n, done, total int) {
	if len(w.text)+n > cap(w.text) {
		w.text = grown(w.text, 0, n, done, total)
	}
}

// grown is s with room for n more, and for as many as there will be if those of s[from:] are the part done of total.
func grown[T any](s []T, from, n, done, total int) []T {
	size := from + int(float64(len(s)-from)*float64(total)/float64(max(done, 1))*1.02)
	size = min(max(size, len(s)+len(s)/4), 4*len(s)) + n + 64
	return append(make([]T, 0, size), s...)
}

// add appends n bytes that stand for the bytes at of the original; the caller appends them to text then.
func (w *rewriting) add(at span, n int) {
	switch {
	case !w.bare:
		for range n {
			w.align = append(w.align, at)
		}
	case at.start == at.end && w.blank == len(w.text):
		w.blank += n
		w.first = w.blank
	case at.start == 0 && at.end > 0 && w.first == len(w.text):
		w.first += n
	}
}

// keep appends the part [from, to) of p as it is.
func (w *rewriting) keep(p *piece, from, to int) {
	if !w.bare {
		w.align = append(w.align, p.align[from:to]...)
	} else {
		n, blank, first := len(w.text), within(p.blank-from, to-from), within(p.first-from, to-from)
		if w.blank == n {
			w.blank += blank
			w.first = w.blank
		}
		if w.first == n+blank {
			w.first = n + first
		}
	}
	w.text = append(w.text, p.text[from:to]...)
}

// end gives p the text.
func (w *rewriting) end(p *piece) {
	p.text, p.align, p.edges = unsafe.String(unsafe.SliceData(w.text), len(w.text)), w.align, w.edges
}

// changes calls emit for the code points of a transformed string.
type changes = func(emit func(change))

// transform replaces p's normalised text by list. removed counts the code
// points dropped before the first of them.
func (p *piece) transform(list changes, removed int) {
	// The reference takes the range that the whole original converts to, which
	// leaves out leading bytes that stand for nothing.
	from, to := -1, -1
	switch {
	case p.orig.start == p.orig.end:
		from, to = 0, 0
	case p.bare:
		if p.text == "" {
			return
		}
		from, to = p.blank, len(p.text)
	default:
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
func (p *piece) transformRange(from, to int, list changes, removed int) {
	old := p.text[from:to]
	next := func() int { // length of the next old code point, 0 at the end
		if old == "" {
			return 0
		}
		n := 1
		if old[0] >= utf8.RuneSelf {
			_, n = utf8.DecodeRuneInString(old)
		}
		old = old[n:]
		return n
	}
	offset := from
	for range removed {
		offset += next()
	}
	w := p.rewrite(len(p.text))
	w.keep(p, 0, from)
	list(func(c change) {
		at := span{p.orig.start, p.orig.start}
		if c.delta > 0 {
			if offset >= 1 {
				at = p.at(offset - 1)
			}
		} else {
			if offset < len(p.text) {
				at = p.at(offset)
			}
			offset += next()
			for range -c.delta {
				offset += next()
			}
		}
		w.room(utf8.UTFMax, offset, len(p.text))
		w.add(at, utf8.RuneLen(c.r))
		w.text = utf8.AppendRune(w.text, c.r)
	})
	w.keep(p, to, len(p.text))
	w.end(p)
}

// prepend puts s before p's text, unless that is empty.
func (p *piece) prepend(s string) {
	if p.text == "" {
		return
	}
	first, n := utf8.DecodeRuneInString(p.text)
	p.transformRange(0, n, func(emit func(change)) {
		for i, r := range s {
			emit(change{r, min(i, 1)})
		}
		emit(change{first, 1})
	}, 0)
}

// mapRunes replaces every code point by what f appends for it.
func (p *piece) mapRunes(f func(dst []change, r rune) []change) {
	text := p.text
	p.transform(func(emit func(change)) {
		var list []change
		for _, r := range text {
			list = f(list[:0], r)
			for _, c := range list {
				emit(c)
			}
		}
	}, 0)
}

// filter keeps the code points for which keep is true.
func (p *piece) filter(keep func(rune) bool) {
	text, before := p.text, 0
	start := strings.IndexFunc(text, keep)
	if start >= 0 {
		before = utf8.RuneCountInString(text[:start])
	}
	p.transform(func(emit func(change)) {
		if start < 0 {
			return
		}
		var last change // kept; it swallows what is removed behind it
		for i, r := range text[start:] {
			if !keep(r) {
				last.delta--
				continue
			}
			if i > 0 {
				emit(last)
			}
			last = change{r, 0}
		}
		emit(last)
	}, before)
}

// strip removes white space from the ends of p's text.
func (p *piece) strip(left, right bool) {
	kept, size := p.text, len(p.text)
	leading, trailing := 0, 0 // code points
	if right {
		kept = strings.TrimRightFunc(kept, isSpace)
		trailing = utf8.RuneCountInString(p.text[len(kept):])
	}
	if left {
		n := size - len(strings.TrimLeftFunc(p.text, isSpace))
		leading = utf8.RuneCountInString(p.text[:n])
		kept = kept[min(n, len(kept)):]
	}
	if len(kept) == size {
		return
	}
	p.transform(func(emit func(change)) {
		i := leading
		for _, r := range kept {
			c := change{r, 0}
			// The reference compares a count of code points with a length in
			// bytes here (normalizer.rs, lrstrip), so that only ASCII text
			// notes the code points dropped at its end; nothing follows them.
			if i == size-trailing-1 {
				c.delta = -trailing
			}
			emit(c)
			i++
		}
	}, leading)
}

// replace puts content in place of every match.
func (p *piece) replace(m matcher, content string) {
	if p.text == "" {
		return
	}
	var w *rewriting
	last := 0
	eachMatch(m, p.text, func(start, end int) {
		if w == nil {
			w = p.rewrite(len(p.text))
		}
		w.room(start-last+len(content), end, len(p.text))
		w.keep(p, last, start)
		at := span{p.orig.start, p.orig.start}
		if end >= 1 {
			at = p.at(end - 1)
		}
		w.add(at, len(content))
		w.text = append(w.text, content...)
		last = end
	})
	if w == nil {
		return
	}
	w.keep(p, last, len(p.text))
	w.end(p)
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
