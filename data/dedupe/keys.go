package dedupe

import (
	"encoding/json"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"github.com/clipperhouse/uax29/v2/words"

	"olmo/data"
	"olmo/data/jsonpath"
)

// run is the state of one Run. Batches of lines are parsed, cut into keys and
// hashed in parallel; the filter is asked and filled by one goroutine at a
// time, in the order of the corpus.
type run struct {
	cfg    *Config
	key    *jsonpath.Path
	fields []string // of the key, when it is a plain path
	pool   *data.Pool
	filter *Filter // nil while keys are counted
	wide   bool    // positions need 64 bits
	// A filter that does not fit into memory is cut into one for each pass; the
	// last pass has the answers of the earlier ones.
	pass, passes int
	earlier      []*answers
	free         sync.Pool // of *batch, for their memory

	stage     *data.Stage // nil for a marker without one
	documents []*document // all files of the run
	todo      []*document // those that are not done, and
	files     []string    // their names
	whole     *data.Unit  // of what is not of one file, such as the filter
	// The filter is filled, has these files, and was empty before the recorded
	// runs and this one.
	fills  bool
	filled []string
	fresh  bool

	report  Report
	marking string // the file that is being marked, and what was found in it
	now     Counts
	tooLong []rowSize // of the batch that is being marked
}

func (r *run) prepare() {
	if r.key != nil {
		r.fields, _ = r.key.Fields()
	}
}

// unit is something that can be marked: a document or a paragraph. There are
// many: lines are short, and 32 bits are enough for each.
type unit struct {
	start, end int32
	keys       int32 // looked up by n-gram, or 1
	ngrams     int32 // in it, of other partitions too
	hits       int32 // of its keys that were asked for before, with what followed still to be cut
	// whole tells that the last key is all of a paragraph that has too few
	// n-grams to compare by them; elsewhere that it was left to another
	// partition.
	whole, elsewhere bool
}

// row is one document of a batch.
type row struct {
	id        string
	from, to  int        // its units among those of the batch
	sentences []sentence // where runs of them are compared, one a unit
	absent    bool       // the attribute is not written at all
	noKey     bool
	skipped   int
	document  bool
	// late is a document that is cut while it is marked, by pieces: the keys of a long
	// text, all at once, would take many times its size.
	late *data.Document
}

// Tests lower them.
var (
	longText   = 1 << 20 // the size in bytes of a text that is cut late
	pieceKeys  = 1 << 15 // after how many keys or units a piece of it ends
	ngramWords = 1 << 13 // how many words are prepared for their n-grams at a time
)

// later tells whether a document is cut late: a long one, and what follows it in its
// batch, so that keys keep their order.
func (r *run) later(d *data.Document, before bool) bool {
	return r.cfg.Dedupe.Paragraphs != nil && (before || len(d.Text) > longText)
}

// cutLate cuts a document and gives its pieces, in order, to each: a batch whose units are
// whole, and one of which keys are still to come, nil at the end; next answers for the
// keys of all of them.
func (r *run) cutLate(d *data.Document, each func(b *batch, part *unit, next func() bool)) row {
	c := cutter{run: r}
	c.reuse()
	c.piece = func(part *unit) {
		each(&c.out, part, r.asker(&c.out))
		clear(c.out.table)
		c.out = batch{units: c.out.units[:0], keys: c.out.keys[:0], narrow: c.out.narrow[:0], wide: c.out.wide[:0], table: c.out.table, hit: c.out.hit[:0]}
	}
	out := c.cut(d)
	c.piece(nil)
	r.keep(&c.out)
	return out
}

// enough ends a piece where a document is cut late; part has keys already, and more
// follow.
func (c *cutter) enough(part *unit) {
	if c.piece != nil && max(len(c.out.keys), len(c.out.units)) >= pieceKeys {
		c.piece(part)
	}
}

// batch is what the parallel part makes of a run of lines.
type batch struct {
	rows  []row
	units []unit
	// keys names the keys of all units in order, by their numbers among the
	// distinct ones, which are in the order of their first occurrence; −1−p is
	// a key that pass p has looked up already.
	keys     []int32
	distinct int
	// The places of each distinct key's bits, K of them; one of the two is used.
	narrow []uint32
	wide   []uint64
	table  []slot // of distinct keys
	hit    []bool // what the filter said of each distinct key
}

// slot finds a distinct key by its first hash.
type slot struct {
	hash   uint64
	number int32 // plus one; 0 is empty
}

// number is the number of the key with this first hash, and whether it is new.
// Two keys with the same 64 bits count as one: at a million keys the chance is
// below 1e-7, far below that of the filter.
func (b *batch) number(hash uint64) (n int32, isNew bool) {
	if 2*b.distinct >= len(b.table) {
		old := b.table
		b.table = make([]slot, max(1<<10, 2*len(old)))
		for _, s := range old {
			if s.number != 0 {
				*b.find(s.hash) = s
			}
		}
	}
	s := b.find(hash)
	if isNew = s.number == 0; isNew {
		b.distinct++
		*s = slot{hash, int32(b.distinct)}
	}
	return s.number - 1, isNew
}

func (b *batch) find(hash uint64) *slot {
	mask := len(b.table) - 1
	for i := int(hash) & mask; ; i = (i + 1) & mask {
		if s := &b.table[i]; s.number == 0 || s.hash == hash {
			return s
		}
	}
}

// cutter turns documents into keys and collects their hashes.
type cutter struct {
	run     *run
	out     batch
	counted int              // keys, while the run has no filter yet
	piece   func(part *unit) // takes what is cut so far; nil where a batch is one piece
	key     hashKey
	ngrams  *ngramHasher
	hashes  []uint64
	words   []string
	hashed  []byte // words of sentences
	starts  []int  // of the sentences in hashed
}

// keep lets the memory of a batch be used again, unless it is that of one long
// text.
func (r *run) keep(b *batch) {
	const most = 32 << 20
	if 4*cap(b.narrow)+8*cap(b.wide)+16*cap(b.table) <= most {
		r.free.Put(b)
	}
}

// reuse takes the memory of a batch that is done.
func (c *cutter) reuse() {
	if old, ok := c.run.free.Get().(*batch); ok {
		clear(old.table)
		c.out = batch{rows: old.rows[:0], units: old.units[:0], keys: old.keys[:0], narrow: old.narrow[:0], wide: old.wide[:0], table: old.table, hit: old.hit[:0]}
	}
}

// add hashes a key and tells whether it belongs to this run's partition.
func (c *cutter) add(partition bool, s string) bool {
	r := c.run
	if r.filter == nil {
		c.counted++
		return true
	}
	c.key.reset(1)
	c.key.add(s)
	states := r.filter.states
	h0, h1, h2, h3 := c.key.hash4(states)
	isNew, ok := c.first(h0, partition)
	if isNew {
		c.hashes = append(c.hashes[:0], h0, h1, h2, h3)
		c.place(c.key.hashes(c.hashes, states[4:]))
	}
	return ok
}

// addNgram is add for the n-gram of the words [start, end), which are in
// c.ngrams.
func (c *cutter) addNgram(start, end int) bool {
	r := c.run
	if r.filter == nil {
		c.counted++
		return true
	}
	if c.ngrams == nil {
		c.ngrams = &ngramHasher{states: r.filter.states}
	}
	if end > c.ngrams.to {
		c.ngrams.to = min(len(c.words), start+ngramWords+end-start)
		c.ngrams.from = start
		c.ngrams.set(c.words[start:c.ngrams.to])
	}
	start, end = start-c.ngrams.from, end-c.ngrams.from
	h0, h1, h2, h3 := c.ngrams.hash4(start, end, 0)
	isNew, ok := c.first(h0, true)
	if isNew {
		c.hashes = append(c.hashes[:0], h0, h1, h2, h3)
		for at := 4; at < len(c.ngrams.states); at += 4 {
			h0, h1, h2, h3 = c.ngrams.hash4(start, end, at)
			c.hashes = append(c.hashes, h0, h1, h2, h3)
		}
		c.place(c.hashes)
	}
	return ok
}

// first takes the first hash of a key: ok is false for one of another
// partition, isNew true for one that this batch has not seen.
func (c *cutter) first(hash uint64, partition bool) (isNew, ok bool) {
	set := &c.run.cfg.Dedupe
	if n := uint64(set.NumPartitions); n > 1 && partition && hash%n != uint64(set.PartitionIndex) {
		return false, false
	}
	if r := c.run; r.passes > 1 {
		// The places of the bits follow from the low bits of the hash.
		hi, _ := bits.Mul64(hash, uint64(r.passes))
		if p := int(hi); p != r.pass {
			if p < r.pass && r.pass == r.passes-1 {
				c.out.keys = append(c.out.keys, int32(-1-p))
			}
			return false, true
		}
	}
	n, isNew := c.out.number(hash)
	c.out.keys = append(c.out.keys, n)
	return isNew, true
}

// place keeps the places of a new key's bits.
func (c *cutter) place(hashes []uint64) {
	c.hashes = hashes
	hashes = hashes[:c.run.filter.K()]
	if c.run.wide {
		c.out.wide = positionsOf(c.run.filter, c.out.wide, hashes)
	} else {
		c.out.narrow = positionsOf(c.run.filter, c.out.narrow, hashes)
	}
}

func (c *cutter) cut(d *data.Document) row {
	from := len(c.out.units)
	var out row
	switch set := &c.run.cfg.Dedupe; {
	case set.Documents != nil:
		out = c.cutDocument(d)
	case set.Sentences != nil:
		out = c.cutSentences(d)
	default:
		out = c.cutParagraphs(d)
	}
	out.from, out.to = from, len(c.out.units)
	return out
}

// byNgram tells whether paragraphs are compared by n-grams.
func (s *Settings) byNgram() bool {
	return s.Paragraphs != nil && s.Paragraphs.ByNgram != nil && s.Paragraphs.ByNgram.NgramLength > 0
}

// keyOf finds the string by which whole documents are compared.
func (r *run) keyOf(d *data.Document) (string, bool) {
	if len(r.fields) == 1 {
		switch r.fields[0] {
		case "text":
			return d.Text, true
		case "id":
			return d.ID, true
		}
	}
	var v any
	if json.Unmarshal(d.Raw, &v) != nil {
		return "", false
	}
	found := r.key.Find(v)
	if len(found) == 0 {
		return "", false
	}
	s, ok := found[0].(string)
	return s, ok
}

func (c *cutter) cutDocument(d *data.Document) row {
	cfg := c.run.cfg
	key, ok := c.run.keyOf(d)
	out := row{id: d.ID, document: true, noKey: !ok}
	switch set := &cfg.Dedupe; {
	case !ok:
		return out
	case cfg.Compat && set.MinWords > 0:
		// Dolma compares no document of enough words at all.
		if out.absent = !fewerWords(key, set.MinWords); !out.absent {
			out.skipped = 1
		}
		return out
	case fewerWords(key, set.MinWords), len(key) < set.MinLength, set.SkipEmpty && strings.TrimSpace(key) == "":
		out.skipped = 1
		return out
	}
	u := unit{end: int32(len(key))}
	if !cfg.Compat {
		u.end = int32(codePoints(key))
	}
	if c.add(true, key) {
		u.keys = 1
		c.out.units = append(c.out.units, u)
		out.absent = true // unless it turns out to be a duplicate
	}
	return out
}

// codePoints is utf8.RuneCountInString for a text that is valid UTF-8, eight
// bytes at a time: every byte counts that does not continue a code point.
func codePoints(s string) int {
	n, i := 0, 0
	for ; i+8 <= len(s); i += 8 {
		w := le64(s[i:])
		n += 8 - bits.OnesCount64(w>>7&^(w>>6)&0x0101010101010101)
	}
	for ; i < len(s); i++ {
		if s[i]&0xc0 != 0x80 {
			n++
		}
	}
	return n
}

// fewerWords tells whether s has fewer than n words: pieces between the word
// boundaries of UAX #29 that are not white space only.
func fewerWords(s string, n int) bool {
	if n <= 0 {
		return false
	}
	for it := words.FromString(s); it.Next(); {
		if !isSpace(it.Value()) {
			if n--; n == 0 {
				return false
			}
		}
	}
	return true
}

func isSpace(s string) bool {
	for _, r := range s {
		if !unicode.IsSpace(r) {
			return false
		}
	}
	return true
}

func (c *cutter) cutParagraphs(d *data.Document) row {
	out := row{id: d.ID, absent: d.Text == ""}
	if out.absent {
		return out
	}
	cfg := c.run.cfg
	set := &cfg.Dedupe
	sep := set.Paragraphs.Separator
	sepLen := codePoints(sep)
	at := 0
	for rest, more := d.Text, true; more; {
		var p string
		p, rest, more = strings.Cut(rest, sep)
		chars := codePoints(p)
		u := unit{start: int32(at), end: int32(at + chars)}
		switch {
		case cfg.Compat:
			// Dolma counts a separator of one character while it is not at the
			// end of the text, which it measures in bytes.
			if int(u.end) < len(d.Text)-1 {
				u.end++
			}
		case more:
			u.end += int32(sepLen)
		}
		at = int(u.end)
		if cfg.Compat && set.MinWords > 0 && chars >= set.MinLength {
			// Dolma compares no paragraph of enough words at all.
			if fewerWords(p, set.MinWords) {
				out.skipped++
			}
			continue
		}
		if chars < set.MinLength || fewerWords(p, set.MinWords) || set.SkipEmpty && strings.TrimSpace(p) == "" {
			out.skipped++
			continue
		}
		if set.byNgram() {
			c.cutNgrams(&u, p)
		} else if c.add(true, p) {
			u.keys = 1
		}
		c.out.units = append(c.out.units, u)
		c.enough(nil)
	}
	return out
}

// cutNgrams takes the n-grams of words of one paragraph, or the whole of it
// when it has fewer than two.
func (c *cutter) cutNgrams(u *unit, p string) {
	cfg := c.run.cfg
	set := cfg.Dedupe.Paragraphs.ByNgram
	c.words = c.words[:0]
	// The words are those from first on, of which a long paragraph has millions.
	first, start, last := 0, 0, 0
	it := words.FromString(p)
	for more := true; more; {
		for len(c.words) < set.NgramLength+ngramWords {
			if more = it.Next(); !more {
				break
			}
			if !isSpace(it.Value()) {
				c.words = append(c.words, it.Value())
			}
		}
		if c.ngrams != nil {
			c.ngrams.from, c.ngrams.to = 0, 0
		}
		for ; start+set.NgramLength <= first+len(c.words); start++ {
			// Dolma takes the start 0 for "none yet" and so lets the n-gram at 1
			// through whatever the stride.
			free := start == 0 || cfg.Compat && last == 0
			if !free && start-last < set.Stride {
				continue
			}
			last = start
			u.ngrams++
			if c.addNgram(start-first, start-first+set.NgramLength) {
				u.keys++
			}
			c.enough(u)
		}
		c.words = append(c.words[:0], c.words[start-first:]...)
		first = start
	}
	if u.ngrams < 2 && !set.SkipShortParagraphs {
		u.whole = true
		// Dolma looks the whole paragraph up in every partition.
		if c.add(!cfg.Compat, p) {
			u.keys++
		} else {
			u.elsewhere = true
		}
	}
}

// asker returns a function that tells, one after the other, whether the keys of
// a batch were seen before.
func asker[P position](r *run, b *batch, positions []P) func() bool {
	k, insert := r.filter.K(), !r.cfg.BloomFilter.ReadOnly
	keys := b.keys
	return func() bool {
		n := int(keys[0])
		keys = keys[1:]
		if n < 0 {
			return r.earlier[-1-n].next()
		}
		if n < len(b.hit) { // seen in this batch: inserted then, unless nothing is
			return insert || b.hit[n]
		}
		h := known(r.filter, positions[:k], insert)
		positions = positions[k:]
		b.hit = append(b.hit, h)
		return h
	}
}

// asker is the asker of a batch's keys.
func (r *run) asker(b *batch) func() bool {
	if r.wide {
		return asker(r, b, b.wide)
	}
	return asker(r, b, b.narrow)
}

// marking writes the marks of documents or paragraphs.
type marking struct {
	r         *run
	dst       []byte
	name      []byte // of the attribute, and the start of its list
	byNgram   bool
	threshold float32
	marks     int // in the document
}

// mark asks the filter for the keys of a batch, in order, and appends the
// batch's attribute rows to dst.
func mark(r *run, dst []byte, b *batch) []byte {
	next := r.asker(b)
	set := &r.cfg.Dedupe
	m := marking{r: r, dst: dst, byNgram: set.byNgram()}
	attribute := ""
	switch {
	case set.Documents != nil:
		attribute = r.cfg.suffixed(set.Documents.AttributeName)
	case set.Paragraphs != nil:
		attribute = r.cfg.suffixed(set.Paragraphs.AttributeName)
		if m.byNgram {
			m.threshold = float32(set.Paragraphs.ByNgram.OverlapThreshold)
		}
	}
	m.name = append(data.AppendString(nil, attribute), ':', '[')
	r.now.Keys += int64(len(b.keys))
	r.now.Documents += int64(len(b.rows))
	r.cfg.Progress.Documents.Add(int64(len(b.rows)))
	for i := range b.rows {
		row := &b.rows[i]
		if row.late != nil {
			if n := m.late(row.late); n > 0 {
				r.tooLong = append(r.tooLong, rowSize{i, n})
			}
			continue
		}
		if set.Sentences != nil {
			r.countRow(row)
			m.dst = append(m.dst, `{"attributes":{`...)
			m.dst = r.markSentences(m.dst, row, b.units[row.from:row.to], next)
			m.dst = closeRow(m.dst, row.id)
			continue
		}
		open := m.open()
		m.units(b.units[row.from:row.to], next)
		m.close(row, open)
	}
	return m.dst
}

// countRow counts what was passed over in a document.
func (r *run) countRow(row *row) {
	r.now.Skipped += int64(row.skipped)
	if row.noKey {
		r.now.WithoutKey++
	}
}

// open begins a row, and gives where its attribute begins.
func (m *marking) open() int {
	m.dst = append(m.dst, `{"attributes":{`...)
	open := len(m.dst)
	m.dst = append(m.dst, m.name...)
	m.marks = 0
	return open
}

// close ends the row whose attribute begins at open.
func (m *marking) close(row *row, open int) {
	m.r.countRow(row)
	if m.marks > 0 {
		m.r.now.Affected++
	}
	if row.absent && m.marks == 0 {
		m.dst = m.dst[:open]
	} else {
		m.dst = append(m.dst, ']')
	}
	m.dst = closeRow(m.dst, row.id)
}

// closeRow appends what stands behind the attributes of a row.
func closeRow(dst []byte, id string) []byte {
	dst = append(dst, `},"id":`...)
	dst = data.AppendString(dst, id)
	return append(dst, '}', '\n')
}

// spareRow is more than a piece of a text adds to its row.
const spareRow = 1 << 20

// late appends the row of a document that is cut late. A row that would be too long for
// a file is never made: its size, with the newline, is returned, and it has no attribute.
func (m *marking) late(d *data.Document) (tooLong int) {
	row, start := len(m.dst), m.open()
	list, left := len(m.dst), 0
	out := m.r.cutLate(d, func(b *batch, part *unit, next func() bool) {
		m.r.now.Keys += int64(len(b.keys))
		m.units(b.units, next)
		if part != nil {
			part.hits += part.ask(next)
			part.keys = 0
		}
		switch size := len(m.dst) - row; {
		case left+size > maxRow:
			left += len(m.dst) - list
			m.dst = m.dst[:list]
		case size > maxRow/8 && cap(m.dst)-len(m.dst) < spareRow && len(b.units) > 0:
			// As long as the rest of the text makes it, since what grows is there twice.
			at := max(1, int(b.units[len(b.units)-1].end))
			rest := float64(size) * float64(len(d.Text)-at) / float64(at)
			m.dst = slices.Grow(m.dst, min(int(1.1*rest)+2*spareRow, maxRow+maxRow/8-size))
		}
	})
	m.close(&out, start)
	if left == 0 {
		return 0
	}
	tooLong = left + len(m.dst) - row
	m.dst = closeRow(m.dst[:start], d.ID)
	return tooLong
}

// ask asks for a unit's keys, and gives how many of them were seen before.
func (u *unit) ask(next func() bool) (hits int32) {
	for range u.keys {
		if next() {
			hits++
		}
	}
	return hits
}

// units appends the marks of units.
func (m *marking) units(units []unit, next func() bool) {
	dst := m.dst
	for i := range units {
		u := &units[i]
		hits, last := u.hits, false
		for range u.keys {
			if last = next(); last {
				hits++
			}
		}
		score, marked := float32(1), hits > 0
		switch {
		case m.byNgram && u.elsewhere:
			marked = false
		case m.byNgram && u.whole:
			if score = 0; last {
				score = 1
			}
			marked = score >= m.threshold
		case m.byNgram:
			score = float32(hits) / float32(u.ngrams) // NaN without n-grams, which is no mark
			marked = score >= m.threshold
		}
		if !marked {
			continue
		}
		if m.marks++; m.marks > 1 {
			dst = append(dst, ',')
		}
		dst = append(dst, '[')
		dst = strconv.AppendInt(dst, int64(u.start), 10)
		dst = append(dst, ',')
		dst = strconv.AppendInt(dst, int64(u.end), 10)
		dst = append(dst, ',')
		if m.byNgram {
			dst = data.AppendFloat(dst, float64(score))
		} else {
			dst = append(dst, '1')
		}
		dst = append(dst, ']')
		if score > 0 {
			m.r.now.Duplicates++
			m.r.now.Characters += int64(u.end - u.start)
		}
	}
	m.dst = dst
}

// appendMarks appends spans as dedupe writes them, the score a whole number.
func appendMarks(dst []byte, spans []data.Span) []byte {
	dst = append(dst, '[')
	for i, s := range spans {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '[')
		dst = strconv.AppendInt(dst, int64(s.Start), 10)
		dst = append(dst, ',')
		dst = strconv.AppendInt(dst, int64(s.End), 10)
		dst = append(dst, `,1]`...)
	}
	return append(dst, ']')
}
