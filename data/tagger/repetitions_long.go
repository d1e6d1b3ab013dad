package tagger

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"
)

// repeat says that the shortest repeated piece has piece bytes at every place of
// [start, end) at which no shorter one than windowPiece starts, in bytes of a text.
type repeat struct{ start, end, piece int }

// longPieces looks for repeated pieces that are too long for a window.
//
// A piece of size to 2·size bytes that starts at p holds the size/2 bytes at any a
// that is less than size/2 after p. So a text is cut every size/2 bytes, in each part
// one such a is chosen, and all places with one of these blocks are found by one pass
// with a rolling hash. A block that has few places after it, because an a at which
// a shorter piece is repeated is not chosen: eight or more places within its reach
// would overlap, and make it periodic.
type longPieces struct {
	s     string
	lines []slice  // those that a long piece can be in; pieces hold no newline
	done  []uint64 // a bit for each byte: no piece starts there, or a shorter one is found
	found []repeat
}

// longRepeats are the pieces of windowPiece bytes and more, in order and apart.
func (r *repetitions) longRepeats(s string) []repeat {
	l := longPieces{s: s}
	for start := 0; start < len(s); {
		end := len(s)
		if n := strings.IndexByte(s[start:], '\n'); n >= 0 {
			end = start + n
		}
		if end-start >= windowPiece {
			l.lines = append(l.lines, slice{start, end})
		}
		start = end + 1
	}
	if len(l.lines) == 0 {
		return nil
	}
	l.done = make([]uint64, len(s)/64+1)
	for _, line := range l.lines {
		r.markShort(&l, line)
	}
	var all []repeat
	for size := windowPiece; 4*size <= len(s); size *= 2 {
		l.search(size)
		// A piece counts where none shorter is.
		slices.SortFunc(l.found, func(a, b repeat) int { return cmp.Or(cmp.Compare(a.piece, b.piece), cmp.Compare(a.start, b.start)) })
		for _, f := range l.found {
			open := false
			for p := f.start; p < f.end; p++ {
				switch {
				case l.isDone(p):
					open = false
				case open:
					all[len(all)-1].end = p + 1
					l.setDone(p)
				default:
					all = append(all, repeat{p, p + 1, f.piece})
					l.setDone(p)
					open = true
				}
			}
		}
		l.found = l.found[:0]
	}
	slices.SortFunc(all, func(a, b repeat) int { return cmp.Compare(a.start, b.start) })
	return all
}

// markShort marks the places of a line at which a piece that fits a window is
// repeated, and those at which no character starts.
func (r *repetitions) markShort(l *longPieces, line slice) {
	for at := line.start; at < line.end; {
		for _, n := range r.least[:r.fill(l.s[at:line.end], windowPiece)] {
			if n > 0 {
				l.setDone(at)
			}
			for at++; at < line.end && l.s[at]&0xc0 == 0x80; at++ {
				l.setDone(at)
			}
		}
	}
}

func (l *longPieces) isDone(p int) bool { return l.done[p/64]>>(p%64)&1 != 0 }
func (l *longPieces) setDone(p int)     { l.done[p/64] |= 1 << (p % 64) }

// lastOpen is the last place of [start, end) that is not done, -1 if all are.
func (l *longPieces) lastOpen(start, end int) int {
	for p := end - 1; p >= start; {
		open := ^l.done[p/64] << (63 - p%64)
		if open != 0 {
			p -= bits.LeadingZeros64(open)
			if p < start {
				return -1
			}
			return p
		}
		p = p/64*64 - 1
	}
	return -1
}

// block is chosen for the starts [start, at] of pieces in a line that ends at end.
type block struct{ start, at, end, next int }

// hashBase is the multiplier of the rolling hash, modulo 2⁶⁴.
const hashBase = 0x9e3779b97f4a7c15

// search adds the pieces of size to 2·size bytes to l.found.
func (l *longPieces) search(size int) {
	s, half := l.s, size/2
	hash, power := func(at int) (h uint64) {
		for i := range half {
			h = h*hashBase + uint64(s[at+i])
		}
		return h
	}, uint64(1)
	for range half - 1 {
		power *= hashBase
	}
	var blocks []block
	first := map[uint64]int{} // the first block with a hash; others follow by next
	last := map[uint64]int{}
	var maybe [1 << 12]uint64 // by the first bits of a hash: there is such a block
	for _, line := range l.lines {
		for start := line.start; start+size <= line.end; start += half {
			at := l.lastOpen(start, min(start+half, line.end-size+1))
			if at < 0 {
				continue
			}
			h, i := hash(at), len(blocks)
			blocks = append(blocks, block{start, at, line.end, -1})
			if j, ok := last[h]; ok {
				blocks[j].next = i
			} else {
				first[h] = i
				maybe[h>>52] |= 1 << (h >> 46 & 63)
			}
			last[h] = i
		}
	}
	if len(blocks) == 0 {
		return
	}
	reach := 2*size + 3 // a piece, and a white space character
	for _, line := range l.lines {
		if line.end-line.start < size {
			continue
		}
		h := hash(line.start)
		for q := line.start; ; q++ {
			if maybe[h>>52]>>(h>>46&63)&1 != 0 {
				i, ok := first[h]
				for ok && i >= 0 && blocks[i].at+reach <= q {
					i = blocks[i].next // out of reach of all that follow too
					first[h] = i
				}
				for ; ok && i >= 0 && blocks[i].at+size <= q; i = blocks[i].next {
					if at := blocks[i].at; s[at:at+half] == s[q:q+half] {
						l.try(blocks[i], size, q-at)
					}
				}
			}
			if q+half >= line.end {
				break
			}
			h = (h-uint64(s[q])*power)*hashBase + uint64(s[q+half])
		}
	}
}

// try adds the pieces, of size to 2·size bytes, that start at or before a block and
// have their first repetition distance bytes later.
func (l *longPieces) try(b block, size, distance int) {
	s := l.s
	start, end := b.at, b.at+size/2 // where the text equals the one distance later
	for start > b.start && s[start-1] == s[start-1+distance] {
		start--
	}
	for limit := min(b.end, b.at+2*size, len(s)-distance); end < limit && s[end] == s[end+distance]; end++ {
	}
	for w := range 4 { // bytes of the white space character between the two, or none
		n := distance - w
		if n < size || n >= 2*size {
			continue
		}
		same := equalRuns{s: s, n: n}
		for p := start; p <= min(b.at, end-n); p++ {
			if l.isDone(p) || w > 0 && spaceAt(s[p+n:]) != w || !same.more(2, p+distance) {
				continue
			}
			if k := len(l.found) - 1; k >= 0 && l.found[k].end == p && l.found[k].piece == n {
				l.found[k].end++
			} else {
				l.found = append(l.found, repeat{p, p + 1, n})
			}
		}
	}
}

// equalRuns tells whether pieces of n bytes are followed by more of the same, for
// pieces at ascending places, and compares each byte about once: runs[k][w] is where,
// as far as is known, the text equals the one n+w bytes later, for the repetition that
// has k more after it.
type equalRuns struct {
	s    string
	n    int
	runs [3][4]struct {
		slice
		ended bool // the text differs at end
	}
}

// more says whether left repetitions follow the piece at p.
func (e *equalRuns) more(left, p int) bool {
	if left == 0 {
		return true
	}
	if w := spaceAt(e.s[p+e.n:]); w > 0 && e.same(left, w, p) && e.more(left-1, p+e.n+w) {
		return true
	}
	return e.same(left, 0, p) && e.more(left-1, p+e.n)
}

// same says whether the n bytes at p come again w bytes after their end.
func (e *equalRuns) same(left, w, p int) bool {
	s, d, r := e.s, e.n+w, &e.runs[left][w]
	if p+d+e.n > len(s) {
		return false
	}
	if p < r.start && r.end > r.start { // by as much as white space takes
		for i := p; i < r.start; i++ {
			if s[i] != s[i+d] {
				return false
			}
		}
		r.start = p
	}
	if p >= r.end || r.end == r.start {
		r.slice, r.ended = slice{p, p}, false
	}
	for r.end < p+e.n && !r.ended {
		if s[r.end] != s[r.end+d] {
			r.ended = true
		} else {
			r.end++
		}
	}
	return r.end >= p+e.n
}
