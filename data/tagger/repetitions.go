package tagger

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Repetitions, as in Dolma 1.2.1, python/dolma/taggers/repetitions/.
func init() {
	register("repetitions_v1", "characters repeated four times or more", func(Options) (Tagger, error) { return &repetitions{}, nil })
	register("paragraph_repetitions_v1", "the same within paragraphs", func(Options) (Tagger, error) { return &repetitions{paragraphs: true}, nil })
}

// repetitions finds the matches of (.+?)(\s?\1){3,}.
//
// A regular expression engine with back-references takes quadratic time. Here
// pieces of 1, 2, 4, … characters that occur more than once are numbered, each
// size from the one before; a piece of up to twice that length is compared
// with another by two numbers. A start for which many candidates of one size
// exist is periodic, so a shorter piece has matched already, and the whole
// takes n·log n steps for any text.
//
// That needs lists of 30 to 60 bytes a character, so it is done for a window of
// the text at a time; pieces too long for a window are longRepeats.
type repetitions struct {
	paragraphs bool
	runes      []rune  // of the window; what follows is of it too
	ids        []int32 // of the piece of the current size at each place, -1 if it is unique or holds a newline
	next       []int32 // the next place with the same piece, -1 none
	live       []int32 // places with ids
	seen       []int32
	least      []int32 // the shortest repeated piece that starts at each place
	table      pairTable
}

// A window has windowRunes characters. In a text that does not fit into one, its
// pieces have fewer than windowPiece, a power of two, so that four of them and
// what may stand between them end within the window if they begin in its first
// windowRunes - 4·windowPiece places.
var (
	windowRunes = 1 << 17
	windowPiece = 1 << 13
)

func (r *repetitions) Tag(t *Text, out *Spans) error {
	all := repeats{out: out}
	find := func(s string, offset int) {
		r.find(s, func(start, end, count int) { all.add(offset+start, offset+end, float64(count)) })
	}
	if r.paragraphs {
		lines := t.Lines()
		for i, start := range lines {
			end := len(t.S)
			if i+1 < len(lines) {
				end = int(lines[i+1])
			}
			find(t.S[start:end], t.Runes(int(start)))
		}
	} else {
		find(t.S, 0)
	}
	all.finish(t, true)
	return nil
}

// repeats adds the spans of a document, and then what they amount to.
type repeats struct {
	out             *Spans
	n, longest, sum int
	most            float64
}

func (r *repeats) add(start, end int, score float64) {
	r.out.Add("repetition", start, end, score)
	if r.n == 0 || score > r.most {
		r.most = score
	}
	r.n++
	r.longest = max(r.longest, end-start)
	r.sum += end - start
}

func (r *repeats) finish(t *Text, whenEmpty bool) {
	if r.n == 0 && !whenEmpty {
		return
	}
	frac := 0.0
	if r.n > 0 {
		frac = float64(r.sum) / float64(t.Len)
	}
	r.out.Add("doc_max_score_repetition", 0, t.Len, r.most)
	r.out.Add("doc_max_length_repetition", 0, t.Len, float64(r.longest))
	r.out.Add("doc_frac_repetition", 0, t.Len, frac)
}

// find reports the matches in s, in code points, with how often the repeated
// piece occurs in each.
func (r *repetitions) find(s string, found func(start, end, count int)) {
	if !utf8.ValidString(s) {
		s = string([]rune(s)) // bytes are compared below: let what is no character be U+FFFD
	}
	var long []repeat
	if len(s) > windowRunes {
		long = r.longRepeats(s)
	}
	at, runes := 0, 0 // where the search stands, in bytes and code points
	for at < len(s) {
		starts := r.fill(s[at:], len(s))
		for i := 0; i < starts; {
			if len(long) == 0 { // most places
				from := i
				for i < starts && r.least[i] == 0 {
					i++
				}
				at += bytesOf(r.runes[from:i])
				if runes += i - from; i == starts {
					break
				}
			}
			for len(long) > 0 && long[0].end <= at {
				long = long[1:]
			}
			n := 0
			switch {
			case r.least[i] > 0:
				n = bytesOf(r.runes[i : i+int(r.least[i])])
			case len(long) > 0 && long[0].start <= at:
				n = long[0].piece
			default:
				at += utf8.RuneLen(r.runes[i])
				runes++
				i++
				continue
			}
			end := matchEnd(s, at, n)
			length := utf8.RuneCountInString(s[at:end])
			found(runes, runes+length, strings.Count(s[at:end], s[at:at+n]))
			at, runes, i = end, runes+length, i+length
		}
	}
}

// fill takes the window at the start of s, and says in how many of its places
// r.least is known; most holds where s is all in the window.
func (r *repetitions) fill(s string, most int) int {
	x := r.runes[:0]
	for _, c := range s {
		if len(x) == windowRunes {
			r.runes = x
			r.shortest(windowPiece)
			return windowRunes - 4*windowPiece
		}
		x = append(x, c)
	}
	r.runes = x
	r.shortest(most)
	return len(x)
}

// bytesOf is the length of characters in UTF-8.
func bytesOf(x []rune) int {
	n := len(x)
	for _, c := range x {
		if c >= utf8.RuneSelf {
			n += utf8.RuneLen(c) - 1
		}
	}
	return n
}

// matchEnd is the end of the match whose piece is the n bytes at p.
func matchEnd(s string, p, n int) int {
	piece := s[p : p+n]
	space := func(q int) int { return spaceAt(s[q:]) }
	is := func(q int) bool { return q+n <= len(s) && s[q:q+n] == piece }
	end, _ := more(3, p+n, n, space, is)
	for {
		if w := space(end); w > 0 && is(end+w) {
			end += w + n
		} else if is(end) {
			end += n
		} else {
			return end
		}
	}
}

// more passes over left repetitions, from q on, of a piece of length n in the
// order in which a backtracking engine tries them: the choice of white space
// matters where the piece is white space itself. space is the length of the white
// space character at a place, or 0; is says whether the piece is there.
func more(left, q, n int, space func(q int) int, is func(q int) bool) (end int, ok bool) {
	if left == 0 {
		return q, true
	}
	if w := space(q); w > 0 && is(q+w) {
		if end, ok := more(left-1, q+w+n, n, space, is); ok {
			return end, true
		}
	}
	if is(q) {
		return more(left-1, q+n, n, space, is)
	}
	return 0, false
}

// shortest fills r.least, with pieces of fewer than most characters.
func (r *repetitions) shortest(most int) {
	x := r.runes
	n := len(x)
	r.least = resized(r.least, n)
	clear(r.least)
	r.ids, r.next = resized(r.ids, n), resized(r.next, n)
	r.seen = r.seen[:0]
	r.table.reset(n)
	r.live = r.live[:0]
	for i, c := range x {
		r.ids[i] = -1
		if c != '\n' {
			r.ids[i] = r.intern(uint64(uint32(c)))
			r.live = append(r.live, int32(i))
		}
	}
	for size := 1; ; size *= 2 {
		r.dropUnique()
		if len(r.live) == 0 {
			return
		}
		r.link()
		for _, p := range r.live {
			if r.least[p] == 0 {
				r.least[p] = int32(r.tryPieces(int(p), size))
			}
		}
		if 8*size > n || 2*size >= most {
			return // four pieces of twice the size do not fit
		}
		// Pieces of twice the size.
		r.seen = r.seen[:0]
		r.table.reset(len(r.live))
		k := 0
		for _, p := range r.live {
			id := int32(-1)
			if q := int(p) + size; q < n && r.ids[q] >= 0 {
				id = r.intern(uint64(r.ids[p])<<32 | uint64(r.ids[q]))
				r.live[k] = p
				k++
			}
			r.ids[p] = id
		}
		r.live = r.live[:k]
	}
}

func resized(s []int32, n int) []int32 {
	if cap(s) < n {
		return make([]int32, n)
	}
	return s[:n]
}

func (r *repetitions) intern(key uint64) int32 {
	slot := r.table.slot(key)
	for {
		e := &r.table.entries[slot]
		if e.age != r.table.age {
			id := int32(len(r.seen))
			*e = pairEntry{key, id, r.table.age}
			r.seen = append(r.seen, 1)
			return id
		}
		if e.key == key {
			r.seen[e.id]++
			return e.id
		}
		slot = (slot + 1) & r.table.mask
	}
}

// dropUnique takes pieces that occur once out of r.live.
func (r *repetitions) dropUnique() {
	k := 0
	for _, p := range r.live {
		if r.seen[r.ids[p]] > 1 {
			r.live[k] = p
			k++
		} else {
			r.ids[p] = -1
		}
	}
	r.live = r.live[:k]
}

// link sets r.next for the places in r.live.
func (r *repetitions) link() {
	last := r.seen // by id; the counts are not needed any more
	for i := range last {
		last[i] = -1
	}
	for _, p := range slices.Backward(r.live) {
		id := r.ids[p]
		r.next[p] = last[id]
		last[id] = p
	}
}

// tryPieces returns the length, size or more but less than twice it, of the
// shortest piece at p that is repeated three times; 0 if there is none.
func (r *repetitions) tryPieces(p, size int) int {
	if r.next[p] < 0 {
		return 0
	}
	x := r.runes
	space := func(q int) int {
		if q < len(x) && isSpace(x[q]) {
			return 1
		}
		return 0
	}
	tried := 0
	try := func(n int) bool {
		if n < size || n >= 2*size || n == tried {
			return false
		}
		tried = n
		last := p + n - size // the piece's last part of the current size
		if r.ids[last] < 0 {
			return false
		}
		is := func(q int) bool {
			return q+n <= len(x) && r.ids[q] == r.ids[p] && r.ids[q+n-size] == r.ids[last]
		}
		if !is(p+n) && !(p+n < len(x) && isSpace(x[p+n]) && is(p+n+1)) {
			return false // most end here
		}
		_, ok := more(3, p+n, n, space, is)
		return ok
	}
	for q := r.next[p]; q >= 0; q = r.next[q] {
		n := int(q) - p
		if n > 2*size {
			break
		}
		if isSpace(x[q-1]) && try(n-1) {
			return n - 1
		}
		if try(n) {
			return n
		}
	}
	return 0
}

// period is a run of tokens that repeats.
type period struct{ start, end, times int }

// findPeriods finds sequences of 1 to 13 ids that repeat three times or more.
// It keeps the reference's ways: ids are laid out in rows of the period's
// length, so a run must fill a row to be seen, and runs of several periods are
// reported for each.
//
// Dolma 1.2.1, python/dolma/taggers/repetitions/utils.py,
// find_periodic_sequences.
func findPeriods(ids []int32, longest int, found func(period)) {
	n := len(ids)
	for size := 1; size <= min(longest, n/3); size++ {
		// The reference pads the last row, and adds one if it is full, with a
		// value that equals nothing; the first row is compared with the last.
		rows := n/size + 1
		equal := func(row, col int) bool {
			i := row*size + col
			if row == 0 {
				i, j := col, (rows-1)*size+col
				return j < n && ids[i] == ids[j]
			}
			return i < n && ids[i] == ids[i-size]
		}
		whole := func(row int) bool {
			for c := range size {
				if !equal(row, c) {
					return false
				}
			}
			return true
		}
		for row := 0; row < rows; row++ {
			if !whole(row) {
				continue
			}
			first := row
			for row+1 < rows && whole(row+1) {
				row++
			}
			before := 0 // equal values at the end of the row before
			if first > 0 {
				for before < size && equal(first-1, size-1-before) {
					before++
				}
			}
			after := 0 // and at the start of the one after
			for row+1 < rows && after < size && equal(row+1, after) {
				after++
			}
			p := period{start: (first-1)*size - before, end: (row+1)*size + after}
			if p.times = (p.end - p.start) / size; p.times > 2 {
				found(p)
			}
		}
	}
}

// outermost sorts spans and leaves out those that lie within the one before.
func outermost(spans []spanOf) []spanOf {
	slices.SortStableFunc(spans, func(a, b spanOf) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(b.end, a.end), cmp.Compare(b.score, a.score))
	})
	start, end := -1, -1
	return slices.DeleteFunc(spans, func(s spanOf) bool {
		if s.start >= start && s.end <= end {
			return true
		}
		start, end = s.start, s.end
		return false
	})
}
