package dedupe

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"unicode/utf8"
	"unsafe"

	"olmo/data"
	"olmo/internal/memory"
	"olmo/tokenizer"
)

// Substrings marks the pieces of texts, at least Length long, that the corpus
// holds word for word at an earlier place; the first occurrence stays. Pieces
// lie within a document each, and an occurrence does not overlap the one that
// it repeats.
//
// Lee et al. 2021 (Deduplicating Training Data Makes Language Models Better,
// section 4.1) find them in a suffix array of the corpus. Here windows of Length
// are compared by fingerprints of 122 bits, which needs no array: equal windows
// have the same anchor (the least hash among their n-grams: Schleimer et al.
// 2003, winnowing), few anchors come twice, and only windows with such an
// anchor are kept in a table. Where the table does not hold them, the corpus is
// read again for the others: memory decides the number of passes, never the
// result.
type Substrings struct {
	AttributeName string `yaml:"attribute_name" json:"attribute_name" help:"name of the attribute"`
	Length        int    `yaml:"length" limits:"0..1048576" json:"length" help:"length of the shortest piece: in bytes, or in tokens of the tokenizer (default 200 bytes or 50 tokens)"`
	Tokenizer     string `yaml:"tokenizer" json:"tokenizer" help:"tokenizer.json whose tokens the length counts"`
	Seed          uint64 `yaml:"seed" limits:"0.." json:"seed" help:"chooses the fingerprints"`
}

const (
	defaultSubstringBytes  = 200
	defaultSubstringTokens = 50
	// defaultSubstringMemory is for tables when the settings do not say.
	defaultSubstringMemory = 1 << 30
	// lateBytes is the size of a document whose windows are not collected by
	// the workers: 24 bytes a window would be too many.
	lateBytes = 1 << 20
)

func (s *Substrings) check() error {
	if s.Length == 0 {
		s.Length = defaultSubstringBytes
		if s.Tokenizer != "" {
			s.Length = defaultSubstringTokens
		}
	}
	if s.Length < 4 || s.Length > 1<<20 {
		return fmt.Errorf("dedupe.substrings.length is %d, want 4 to %d", s.Length, 1<<20)
	}
	return nil
}

// fingerprintPrime is the modulus of the polynomials over a window.
const fingerprintPrime = 1<<61 - 1

func mulPrime(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return reducePrime(lo&fingerprintPrime + (lo>>61 | hi<<3))
}

func reducePrime(r uint64) uint64 {
	if r >= fingerprintPrime {
		r -= fingerprintPrime
	}
	return r
}

// polynomial hashes windows of a fixed length, one from the one before it:
// Σ (item+1)·base^(length-1-i) modulo 2⁶¹−1 (Karp and Rabin 1987).
type polynomial struct {
	base, top uint64 // top is −base^length
	drop      [256]uint64
}

func newPolynomial(length int, seed *uint64) *polynomial {
	p := &polynomial{base: splitmix64(seed)%(fingerprintPrime-1<<20) + 1<<20}
	power := uint64(1)
	for range length {
		power = mulPrime(power, p.base)
	}
	p.top = fingerprintPrime - power
	for i := range p.drop {
		p.drop[i] = mulPrime(uint64(i)+1, p.top)
	}
	return p
}

// push appends an item to a window that is not full yet.
func (p *polynomial) push(h, item uint64) uint64 {
	return reducePrime(mulPrime(h, p.base) + item + 1)
}

// roll appends an item to a full window and takes the first away.
func (p *polynomial) roll(h, item, first uint64) uint64 {
	var d uint64
	if first < uint64(len(p.drop)) {
		d = p.drop[first]
	} else {
		d = mulPrime(first+1, p.top)
	}
	// Below 2⁶² and some: one subtraction may not be enough for the sum.
	r := mulPrime(h, p.base) + d + item + 1
	return reducePrime(r&fingerprintPrime + r>>61)
}

// mix makes all bits of a polynomial depend on each other.
func mix(h uint64) uint64 {
	h = (h ^ h>>32) * 0xd6e8feb86659fd93
	h = (h ^ h>>32) * 0xd6e8feb86659fd93
	return h ^ h>>32
}

// windows knows the anchors and fingerprints of the windows of a run. It may be
// used from several goroutines.
type windows struct {
	length, gram int
	anchor       *polynomial    // of the n-grams
	prints       [2]*polynomial // of whole windows
}

func newWindows(length int, seed uint64) *windows {
	w := &windows{length: length, gram: max(1, length/4)}
	w.anchor = newPolynomial(w.gram, &seed)
	w.prints = [2]*polynomial{newPolynomial(length, &seed), newPolynomial(length, &seed)}
	return w
}

// queue is a monotone queue: the n-grams that may yet be the least of a
// window.
type queue struct {
	hashes     []uint64
	at         []int
	head, tail int
}

// item is a byte or a token.
type item interface{ ~byte | ~int32 }

// runs calls each for every run of windows [from, to) of the items that have
// the same anchor, whose hash is given. The anchor is the least n-gram of the
// window, the first of equal ones.
func runs[T item](w *windows, q *queue, items []T, each func(anchor uint64, from, to int)) {
	if len(items) < w.length {
		return
	}
	grams := w.length - w.gram + 1 // in a window
	size := 1 << bits.Len(uint(grams))
	if len(q.hashes) < size {
		q.hashes, q.at = make([]uint64, size), make([]int, size)
	}
	mask := size - 1
	q.head, q.tail = 0, 0
	h := uint64(0)
	for _, x := range items[:w.gram-1] {
		h = w.anchor.push(h, uint64(x))
	}
	from, anchor, place := 0, uint64(0), -1
	for i := w.gram - 1; i < len(items); i++ {
		at := i - w.gram + 1
		if at == 0 {
			h = w.anchor.push(h, uint64(items[i]))
		} else {
			h = w.anchor.roll(h, uint64(items[i]), uint64(items[at-1]))
		}
		m := mix(h)
		for q.tail > q.head && q.hashes[(q.tail-1)&mask] > m {
			q.tail--
		}
		q.hashes[q.tail&mask], q.at[q.tail&mask] = m, at
		q.tail++
		s := at - grams + 1
		if s < 0 {
			continue
		}
		if q.at[q.head&mask] < s {
			q.head++
		}
		if p := q.at[q.head&mask]; p != place {
			if place >= 0 {
				each(anchor, from, s)
			}
			from, anchor, place = s, q.hashes[q.head&mask], p
		}
	}
	each(anchor, from, len(items)-w.length+1)
}

// window is one window of a document.
type window struct {
	a, b uint64 // fingerprint
	at   uint32 // first item
}

// compared calls each for the windows whose anchor is wanted.
func compared[T item](w *windows, q *queue, items []T, wanted func(anchor uint64) bool, each func(window)) {
	next := -1 // the window that a and b can roll to
	var a, b uint64
	runs(w, q, items, func(anchor uint64, from, to int) {
		if !wanted(anchor) {
			return
		}
		p, r := w.prints[0], w.prints[1]
		if next != from {
			a, b = 0, 0
			for _, x := range items[from : from+w.length] {
				a, b = p.push(a, uint64(x)), r.push(b, uint64(x))
			}
		}
		for s := from; s < to; s++ {
			if s == next || s > from {
				first, last := uint64(items[s-1]), uint64(items[s-1+w.length])
				a, b = p.roll(a, last, first), r.roll(b, last, first)
			}
			each(window{a, b, uint32(s)})
		}
		next = to
	})
}

// anchorRun is a run of windows with one anchor.
type anchorRun struct {
	anchor  uint64
	windows uint32
}

// anchorSet is a set of anchors; 0 is in every set.
type anchorSet struct{ slots []uint64 }

// repeated takes the anchors that come more than once from a list, which it
// sorts, and the number of their windows.
func repeated(list []anchorRun) (set anchorSet, windows int) {
	slices.SortFunc(list, func(a, b anchorRun) int { return cmp.Compare(a.anchor, b.anchor) })
	var found []uint64
	for i := 0; i < len(list); {
		j, n := i, 0
		for ; j < len(list) && list[j].anchor == list[i].anchor; j++ {
			n += int(list[j].windows)
		}
		if j > i+1 {
			found = append(found, list[i].anchor)
			windows += n
		}
		i = j
	}
	set.slots = make([]uint64, 1<<bits.Len(uint(2*len(found))))
	for _, a := range found {
		i := int(a) & (len(set.slots) - 1)
		for set.slots[i] != 0 {
			i = (i + 1) & (len(set.slots) - 1)
		}
		set.slots[i] = a
	}
	return set, windows
}

func (s *anchorSet) has(anchor uint64) bool {
	mask := len(s.slots) - 1
	for i := int(anchor) & mask; ; i = (i + 1) & mask {
		if v := s.slots[i]; v == anchor {
			return true
		} else if v == 0 {
			return false
		}
	}
}

// firsts is the table of windows with their first places in the corpus. When
// it is full it gives up the upper half of the fingerprints that it looks
// after, for a later pass.
type firsts struct {
	slots    []firstPlace
	used     int
	from, to uint64 // the fingerprints looked after, to included
	fetched  uint64
}

// firstPlace has 61 bits of the fingerprint in print and 24 in the top of
// place, below them the place plus one; 0 is an empty slot.
type firstPlace struct{ print, place uint64 }

const (
	placeBits    = 40
	maxPlace     = 1<<placeBits - 2
	maxTableLoad = 0.85
)

func (t *firsts) home(print uint64) int {
	hi, _ := bits.Mul64(print*0x9e3779b97f4a7c15, uint64(len(t.slots)))
	return int(hi)
}

func (t *firsts) after(i int) int {
	if i++; i == len(t.slots) {
		return 0
	}
	return i
}

// find returns the first place of a window, which is the one given when it was
// not seen before; ok is false for a window of another pass.
func (t *firsts) find(w window, place uint64) (first uint64, ok bool) {
	print := mix(w.a)
	if print < t.from || print > t.to {
		return 0, false
	}
	more := mix(w.b) << placeBits
	i := t.home(print)
	for ; t.slots[i].place != 0; i = t.after(i) {
		if s := t.slots[i]; s.print == print && s.place&^(1<<placeBits-1) == more {
			return s.place&(1<<placeBits-1) - 1, true
		}
	}
	t.slots[i] = firstPlace{print, more | (place + 1)}
	if t.used++; float64(t.used) > maxTableLoad*float64(len(t.slots)) {
		t.halve()
	}
	return place, true
}

// fetch reads the slots of some windows that will be looked up: their cache
// misses overlap here, one after the other they cost three times as much.
func (t *firsts) fetch(ws []window) {
	x := uint64(0)
	for _, w := range ws {
		x |= t.slots[t.home(mix(w.a))].place
	}
	t.fetched = x
}

// halve drops the upper half of the fingerprints.
func (t *firsts) halve() {
	t.to = t.from + (t.to-t.from)/2
	start := 0
	for t.slots[start].place != 0 {
		start++
	}
	for i := t.after(start); i != start; i = t.after(i) {
		for t.slots[i].place != 0 && t.slots[i].print > t.to {
			t.remove(i)
			t.used--
		}
	}
}

// remove empties a slot and closes the gap (Knuth 6.4, algorithm R).
func (t *firsts) remove(hole int) {
	n := len(t.slots)
	for j := t.after(hole); t.slots[j].place != 0; j = t.after(j) {
		if home := t.home(t.slots[j].print); (j-home+n)%n >= (j-hole+n)%n {
			t.slots[hole] = t.slots[j]
			hole = j
		}
	}
	t.slots[hole] = firstPlace{}
}

// piece is a marked piece of a document: bytes, or code points where tokens
// are compared.
type piece struct{ document, start, end uint32 }

// verbatim is the state of one run of Substrings.
type verbatim struct {
	*run
	set    *Substrings
	w      *windows
	tok    *tokenizer.Tokenizer
	memory int
	pieces []piece // in order
	queue  queue   // of the emitting goroutine
}

// looked is what a worker makes of a document.
type looked struct {
	text    string // of a long document, which is left to the emitting goroutine
	items   int
	windows []window
	places  [][2]int // of the tokens, in code points
	err     error
}

func (v *verbatim) tokens(text string) ([]int32, [][2]int, error) {
	e, err := v.tok.Encode(text, false)
	return e.IDs, e.Offsets, err
}

// bytesOf is the text as items. The slice must not be written to.
func bytesOf(text string) []byte { return unsafe.Slice(unsafe.StringData(text), len(text)) }

// find marks the pieces of all files.
func (v *verbatim) find(ctx context.Context) error {
	v.w = newWindows(v.set.Length, v.set.Seed)
	// Anchors are looked after in ranges too, but their list is a hundredth of
	// the corpus: it seldom has more than one.
	for from, more := uint64(0), true; more; {
		to := uint64(math.MaxUint64)
		list, err := v.listAnchors(ctx, from, &to)
		if err != nil {
			return err
		}
		set, count := repeated(list)
		if err := v.compare(ctx, &set, count); err != nil {
			return err
		}
		more = to < math.MaxUint64
		from = to + 1
	}
	v.merge()
	return nil
}

// listAnchors lists the anchors of the corpus from `from` on; to becomes the
// last one for which the list had room.
func (v *verbatim) listAnchors(ctx context.Context, from uint64, to *uint64) ([]anchorRun, error) {
	const anchorBytes = 16
	var list []anchorRun
	items, documents, windows := uint64(0), 0, int64(0)
	type counted struct {
		items, documents int
		windows          int64
		list             []anchorRun
		err              error
	}
	work := func(docs []data.Document) counted {
		out := counted{documents: len(docs)}
		var q queue
		for i := range docs {
			last, again := uint64(0), false
			each := func(anchor uint64, a, b int) {
				n := uint32(b - a)
				out.windows += int64(n)
				if anchor < from {
					return
				}
				if len(out.list) > 0 && anchor == last {
					// In a row of equal n-grams, a run of spaces, every window
					// would be listed; twice is enough to know that it repeats.
					if !again {
						again = true
						out.list = append(out.list, anchorRun{anchor, n})
					} else {
						out.list[len(out.list)-1].windows += n
					}
					return
				}
				last, again = anchor, false
				out.list = append(out.list, anchorRun{anchor, n})
			}
			if v.tok != nil {
				ids, _, err := v.tokens(docs[i].Text)
				if err != nil {
					out.err = fmt.Errorf("document %s: %w", docs[i].ID, err)
					return out
				}
				out.items += len(ids)
				runs(v.w, &q, ids, each)
				continue
			}
			out.items += len(docs[i].Text)
			runs(v.w, &q, bytesOf(docs[i].Text), each)
		}
		return out
	}
	err := eachDocument(ctx, v.run, work, func(c counted) error {
		if c.err != nil {
			return c.err
		}
		items += uint64(c.items)
		windows += c.windows
		if documents += c.documents; documents > math.MaxUint32 || items > maxPlace {
			return fmt.Errorf("there are more than %d documents or %d items\nhint: cut the corpus and run on its parts", uint32(math.MaxUint32), uint64(maxPlace))
		}
		for _, a := range c.list {
			if a.anchor <= *to {
				list = append(list, a)
			}
		}
		for len(list) > max(v.memory/anchorBytes, 1<<10) && *to > from {
			*to = from + (*to-from)/2
			list = slices.DeleteFunc(list, func(a anchorRun) bool { return a.anchor > *to })
		}
		return nil
	})
	v.report.Keys = windows
	return list, err
}

// compare marks the windows with one of the anchors, of which there are at
// most count.
func (v *verbatim) compare(ctx context.Context, anchors *anchorSet, count int) error {
	if count == 0 {
		return nil
	}
	need := int(float64(count)/maxTableLoad) + 64
	room := max(v.memory/16, 1<<10)
	v.cfg.Logf("substrings: %d windows of %d %s may come again; %s hold %d of them", count, v.set.Length, v.unit(), memory.Text(uint64(16*min(need, room))), min(count, int(maxTableLoad*float64(room))))
	if err := memory.Room("a table of them", 16*uint64(min(need, room))); err != nil {
		return fmt.Errorf("substrings: %w\nhint: give a smaller --memory: several passes do with less", err)
	}
	t := firsts{slots: make([]firstPlace, min(need, room))}
	defer boundGarbage(16 * len(t.slots))()
	v.report.TableBytes = max(v.report.TableBytes, 16*len(t.slots))
	for t.to = math.MaxUint64; ; {
		v.report.Passes++
		if err := v.pass(ctx, anchors, &t); err != nil {
			return err
		}
		if t.to == math.MaxUint64 {
			return nil
		}
		v.cfg.Logf("substrings: the memory held %.2g of what is left; the corpus is read again", float64(t.to-t.from)/float64(math.MaxUint64-t.from))
		clear(t.slots)
		t.used, t.from, t.to = 0, t.to+1, math.MaxUint64
	}
}

func (v *verbatim) unit() string {
	if v.tok != nil {
		return "tokens"
	}
	return "bytes"
}

// pass looks up the windows of the corpus that t looks after.
func (v *verbatim) pass(ctx context.Context, anchors *anchorSet, t *firsts) error {
	work := func(docs []data.Document) []looked {
		out := make([]looked, len(docs))
		var q queue
		for i := range docs {
			l := &out[i]
			if l.items = len(docs[i].Text); l.items > lateBytes {
				l.text = docs[i].Text
				continue
			}
			err := v.look(l, &q, docs[i].Text, anchors, func(w window) { l.windows = append(l.windows, w) })
			if err != nil {
				l.err = fmt.Errorf("document %s: %w", docs[i].ID, err)
			}
		}
		return out
	}
	document, base := uint32(0), uint64(0)
	length := uint64(v.set.Length)
	return eachDocument(ctx, v.run, work, func(docs []looked) error {
		for i := range docs {
			l := &docs[i]
			if l.err != nil {
				return l.err
			}
			mark := func(w window) {
				at := base + uint64(w.at)
				if first, ok := t.find(w, at); !ok || at < first+length {
					return
				}
				start, end := w.at, w.at+uint32(length)
				if l.places != nil {
					start, end = uint32(l.places[start][0]), uint32(l.places[end-1][1])
				}
				if n := len(v.pieces); n > 0 && v.pieces[n-1].document == document && start <= v.pieces[n-1].end && start >= v.pieces[n-1].start {
					v.pieces[n-1].end = max(end, v.pieces[n-1].end)
				} else {
					v.pieces = append(v.pieces, piece{document, start, end})
				}
			}
			if l.text != "" {
				if err := v.look(l, &v.queue, l.text, anchors, mark); err != nil {
					return err
				}
			}
			for len(l.windows) > 0 {
				n := min(64, len(l.windows))
				t.fetch(l.windows[:n])
				for _, w := range l.windows[:n] {
					mark(w)
				}
				l.windows = l.windows[n:]
			}
			base += uint64(l.items)
			document++
		}
		return nil
	})
}

// look calls each for the windows of a text that have one of the anchors.
func (v *verbatim) look(l *looked, q *queue, text string, anchors *anchorSet, each func(window)) error {
	if v.tok == nil {
		compared(v.w, q, bytesOf(text), anchors.has, each)
		return nil
	}
	ids, places, err := v.tokens(text)
	if err != nil {
		return err
	}
	l.places, l.items = places, len(ids)
	compared(v.w, q, ids, anchors.has, each)
	return nil
}

// merge joins the pieces that several passes found.
func (v *verbatim) merge() {
	slices.SortFunc(v.pieces, func(a, b piece) int {
		return cmp.Or(cmp.Compare(a.document, b.document), cmp.Compare(a.start, b.start))
	})
	out := v.pieces[:0]
	for _, p := range v.pieces {
		if n := len(out); n > 0 && out[n-1].document == p.document && p.start <= out[n-1].end {
			out[n-1].end = max(out[n-1].end, p.end)
		} else {
			out = append(out, p)
		}
	}
	v.pieces = out
}

// write writes the attributes of all files.
func (v *verbatim) write(ctx context.Context) error {
	type textRow struct{ id, text string }
	work := func(b *docBatch) ([]textRow, error) {
		rows := make([]textRow, 0, len(b.Lines))
		b.each(func(d *data.Document) { rows = append(rows, textRow{d.ID, d.Text}) })
		return rows, nil
	}
	name := append(data.AppendString(nil, v.set.AttributeName), ':', '[')
	pieces := v.pieces
	document := uint32(0)
	return writeRows(ctx, v.run, work, func(dst []byte, rows []textRow) ([]byte, error) {
		for _, d := range rows {
			dst = append(dst, `{"attributes":{`...)
			v.now.Documents++
			marks := 0
			at, chars := 0, 0 // the same place in bytes and in code points
			for ; len(pieces) > 0 && pieces[0].document == document; pieces = pieces[1:] {
				start, end := int(pieces[0].start), int(pieces[0].end)
				if v.tok == nil {
					if end > len(d.text) {
						return nil, fmt.Errorf("document %q has changed: %w", d.id, data.ErrChanged)
					}
					// A window may begin or end within a code point, which stays.
					for start < end && !utf8.RuneStart(d.text[start]) {
						start++
					}
					for end > start && end < len(d.text) && !utf8.RuneStart(d.text[end]) {
						end--
					}
					first := chars + codePoints(d.text[at:start])
					chars = first + codePoints(d.text[start:end])
					at = end
					start, end = first, chars
				}
				if marks++; marks == 1 {
					dst = append(dst, name...)
				} else {
					dst = append(dst, ',')
				}
				dst = append(dst, '[')
				dst = strconv.AppendInt(dst, int64(start), 10)
				dst = append(dst, ',')
				dst = strconv.AppendInt(dst, int64(end), 10)
				dst = append(dst, `,1]`...)
				v.now.Duplicates++
				v.now.Characters += int64(end - start)
			}
			if marks > 0 {
				dst = append(dst, ']')
				v.now.Affected++
			}
			dst = append(dst, `},"id":`...)
			dst = data.AppendString(dst, d.id)
			dst = append(dst, '}', '\n')
			document++
		}
		v.cfg.Progress.Documents.Add(int64(len(rows)))
		return dst, nil
	})
}
