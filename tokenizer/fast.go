package tokenizer

import (
	"math/bits"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// fastBPE encodes byte-level BPE without pieces, offsets or GPT-2's alphabet.
// It stands for a tokenizer whose pre-tokenizer it knows; Encode remains the
// definition.
type fastBPE struct {
	t       *Tokenizer
	kind    kind
	spaces  [maxSpaces + 1]int32 // of kindNeoX: the tokens of runs of spaces
	nfc     bool
	ids     [256]int32  // of the single bytes
	lacks   []byte      // bytes of text that have no id
	first   []uint32    // merge of each pair of bytes, left<<8 | right
	merges  *mergeTable // of pairs of ids
	lengths []int32     // of the tokens, in bytes
	offset  int32       // results[rank] is rank+offset; −1 if it is not
	parts   [][2]int32  // by rank: what it joins
	singles singleTable // words that are one token
	results []int32     // by rank: what a merge makes
	cuts    *cutTable   // where no token can be
	raw     *finderPlan // nil for none
	norm    *finderPlan
	model   *bpe
}

// newFastBPE returns nil if t needs the general way.
func newFastBPE(t *Tokenizer) *fastBPE {
	m, ok := t.model.(*bpe)
	if !ok || m.prefix != "" || m.suffix != "" {
		return nil
	}
	f := &fastBPE{t: t, model: m}
	switch n := t.normalizer.(type) {
	case nil:
	case normalForm:
		if n != (normalForm{compose: true}) {
			return nil
		}
		f.nfc = true
	default:
		return nil
	}
	if f.kind, ok = kindOf(t.pre); !ok {
		return nil
	}
	if f.raw, ok = newFinderPlan(t.rawFinder); !ok {
		return nil
	}
	if f.norm, ok = newFinderPlan(t.normFinder); !ok {
		return nil
	}
	if f.norm != nil {
		f.takeSpaces(f.norm)
	}
	if !f.fillMerges() {
		return nil
	}
	return f
}

// kindOf returns the kind of words that pre cuts text into, up to the change of
// alphabet.
func kindOf(pre preTokenizer) (kind, bool) {
	switch p := pre.(type) {
	case byteLevel:
		return kindGPT2, p == byteLevel{useRegex: true}
	case preSequence:
		if len(p) != 2 {
			return 0, false
		}
		s, ok := p[0].(splitOn)
		if !ok {
			return 0, false
		}
		if _, ok := s.m.(numeric); ok {
			return kindDigits, s.behavior == splitIsolated && p[1] == byteLevel{useRegex: true}
		}
		// The matches tile the text: it is the same to keep them as parts or to
		// remove what lies between them.
		tiles := s.behavior == splitIsolated || s.behavior == splitRemoved && s.invert
		k, ok := s.m.(kind)
		return k, ok && tiles && p[1] == byteLevel{}
	}
	return 0, false
}

// takeSpaces leaves the finding of runs of spaces to the scanner, where the
// added tokens are all those of 2 to maxSpaces.
func (f *fastBPE) takeSpaces(p *finderPlan) {
	list := p.f.byFirst[' ']
	if f.kind != kindGPT2 || len(list) != maxSpaces-1 {
		return
	}
	for i, t := range list {
		if t.text != strings.Repeat(" ", maxSpaces-i) {
			return
		}
	}
	f.kind = kindNeoX
	for _, t := range list {
		f.spaces[len(t.text)] = t.token.ID
	}
	p.needles = slices.DeleteFunc(p.needles, func(s string) bool { return s[0] == ' ' })
}

// fillMerges translates the model to bytes; false if it is not byte-level, or
// too large for the packed table.
func (f *fastBPE) fillMerges() bool {
	m := f.model
	if len(m.vocab.tokens) > 1<<mergeIDBits || m.merges >= 1<<mergeRankBits {
		return false
	}
	if m.unk >= 0 || m.byteFallback {
		return false
	}
	for b := range f.ids {
		id, ok := m.vocab.id(string(byteChar[b]))
		if !ok {
			// The reference drops what a vocabulary lacks, unless there is an
			// unknown token. No text has bytes such as 0xFF.
			id = -1
			if need, _, _ := utf8Lead(byte(b)); need > 0 || b < 0xC0 {
				f.lacks = append(f.lacks, byte(b))
			}
		}
		f.ids[b] = id
	}
	f.results = make([]int32, m.merges)
	f.merges = newMergeTable(m.pairs.count)
	f.parts = make([][2]int32, m.merges)
	for rank := range f.parts {
		f.parts[rank][0] = -1 // of merges that come again later
	}
	for _, s := range m.pairs.slots {
		if s.key != emptyPair {
			f.merges.set(uint32(s.key>>32), uint32(s.key), s.rank)
			f.results[s.rank] = int32(s.id)
			f.parts[s.rank] = [2]int32{int32(s.key >> 32), int32(uint32(s.key))}
		}
	}
	// Most vocabularies number their tokens in the order of the merges.
	f.offset = -1
	if m.merges > 0 && f.results[0] >= 0 {
		f.offset = f.results[0]
		for rank, id := range f.results {
			if id != f.offset+int32(rank) {
				f.offset = -1
				break
			}
		}
	}
	f.first = make([]uint32, 1<<16)
	for a := range 256 {
		for b := range 256 {
			f.first[a<<8|b] = noMerge
			if f.ids[a] >= 0 && f.ids[b] >= 0 {
				f.first[a<<8|b] = f.merges.get(uint32(f.ids[a]), uint32(f.ids[b]))
			}
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		f.cuts = newCutTable(m, f)
		f.lengths = make([]int32, len(m.vocab.tokens))
		for id, s := range m.vocab.tokens {
			f.lengths[id] = int32(tokenBytes(s))
		}
	})
	f.fillSingles()
	wg.Wait()
	return true
}

// mergeTable maps pairs of ids to ranks. Most of the pairs that are asked for
// have no merge, and most of the others one of the first: so there is one bit
// per hash, which tells the former, and a small table of the latter before the
// large one. What is used all the time stays in the processor's cache.
type mergeTable struct {
	bits        []uint64
	filterShift uint
	hot, cold   packedTable
}

// packedTable is an open hash table of one word per slot.
type packedTable struct {
	slots []uint64 // left, right and rank, packed; free slots are mergeFree
	shift uint
}

const (
	mergeIDBits   = 21
	mergeRankBits = 64 - 2*mergeIDBits
	mergeFree     = ^uint64(0)
	noMerge       = 1 << 24 // above all ranks
	mergeHash     = 0x9E3779B97F4A7C15
	hotMerges     = 1 << 13
)

func newMergeTable(n int) *mergeTable {
	t := &mergeTable{hot: newPackedTable(min(n, hotMerges)), cold: newPackedTable(n)}
	t.filterShift = t.cold.shift - 3
	t.bits = make([]uint64, 1<<(64-t.filterShift)/64)
	return t
}

func newPackedTable(n int) packedTable {
	t := packedTable{shift: 60}
	for size := 16; size < n+n/4; size *= 2 {
		t.shift--
	}
	t.slots = make([]uint64, 1<<(64-t.shift))
	for i := range t.slots {
		t.slots[i] = mergeFree
	}
	return t
}

func (t *mergeTable) set(a, b, rank uint32) {
	key := uint64(a)<<mergeIDBits | uint64(b)
	h := key * mergeHash
	f := h >> t.filterShift
	t.bits[f/64] |= 1 << (f % 64)
	to := &t.cold
	if rank < hotMerges {
		to = &t.hot
	}
	mask := uint64(len(to.slots) - 1)
	at := h >> to.shift
	for to.slots[at] != mergeFree {
		at = (at + 1) & mask
	}
	to.slots[at] = key<<mergeRankBits | uint64(rank)
}

// get returns the rank of a pair, or noMerge.
func (t *mergeTable) get(a, b uint32) uint32 {
	key := uint64(a)<<mergeIDBits | uint64(b)
	h := key * mergeHash
	f := h >> t.filterShift
	if t.bits[f/64]>>(f%64)&1 == 0 {
		return noMerge
	}
	if rank := t.hot.find(key, h); rank != noMerge {
		return rank
	}
	return t.cold.find(key, h)
}

func (t *packedTable) find(key, h uint64) uint32 {
	slots := t.slots
	for at := h >> t.shift; ; at++ {
		s := slots[at&uint64(len(slots)-1)]
		if s>>mergeRankBits == key {
			return uint32(s & (1<<mergeRankBits - 1))
		}
		if s == mergeFree {
			return noMerge
		}
	}
}

// cutTable tells where a word can be cut in two that are encoded alone: at
// places that lie inside no token that merging can make. It looks at the two
// bytes on each side.
type cutTable struct {
	pairs [1 << 16 / 64]uint64 // the byte before and the byte behind a place inside a token
	quads []uint64             // hashed: two and two
}

const cutQuadBits = 19

func newCutTable(m *bpe, f *fastBPE) *cutTable {
	c := &cutTable{quads: make([]uint64, 1<<cutQuadBits/64)}
	var b []byte
	made := make([]bool, len(m.vocab.tokens))
	for _, id := range f.results {
		if made[id] {
			continue
		}
		made[id] = true
		b = appendTokenBytes(b[:0], m.vocab.tokens[id])
		for i := 1; i < len(b); i++ {
			if i >= 2 && i+2 <= len(b) {
				q := cutQuad(uint32(b[i-2]) | uint32(b[i-1])<<8 | uint32(b[i])<<16 | uint32(b[i+1])<<24)
				c.quads[q/64] |= 1 << (q % 64)
				continue
			}
			p := uint32(b[i-1])<<8 | uint32(b[i])
			c.pairs[p/64] |= 1 << (p % 64)
		}
	}
	return c
}

func cutQuad(x uint32) uint32 { return x * 0x9E3779B1 >> (32 - cutQuadBits) }

// free tells whether s can be cut before s[i]; 2 ≤ i ≤ len(s)−2.
func (c *cutTable) free(s string, i int) bool {
	p := uint32(s[i-1])<<8 | uint32(s[i])
	if c.pairs[p/64]>>(p%64)&1 != 0 {
		return false
	}
	q := cutQuad(uint32(s[i-2]) | uint32(s[i-1])<<8 | uint32(s[i])<<16 | uint32(s[i+1])<<24)
	return c.quads[q/64]>>(q%64)&1 == 0
}

// finderPlan finds added tokens without looking at every byte: by what the
// tokens with one first byte have in common.
type finderPlan struct {
	f       *tokenFinder
	needles []string
}

// newFinderPlan gives nil for no tokens, and false for tokens with flags.
func newFinderPlan(f *tokenFinder) (*finderPlan, bool) {
	if f == nil {
		return nil, true
	}
	p := &finderPlan{f: f}
	for _, c := range f.firsts {
		common := f.byFirst[c][0].text
		for _, t := range f.byFirst[c] {
			if t.token.LStrip || t.token.RStrip || t.token.SingleWord {
				return nil, false
			}
			for !strings.HasPrefix(t.text, common) {
				common = common[:len(common)-1]
			}
		}
		p.needles = append(p.needles, common)
	}
	return p, true
}

// each calls text for what lies between the added tokens of s[start:end], and
// token for those.
func (p *finderPlan) each(s string, next []int, text func(start, end int), token func(id int32)) []int {
	next = next[:0]
	for range p.needles {
		next = append(next, -1)
	}
	done := 0
	for from := 0; ; {
		// The place of the next occurrence of each needle; len(s) for none.
		at, which := len(s), -1
		for k, needle := range p.needles {
			if next[k] < from {
				if i := strings.Index(s[from:], needle); i < 0 {
					next[k] = len(s)
				} else {
					next[k] = from + i
				}
			}
			if next[k] < at {
				at, which = next[k], k
			}
		}
		if which < 0 {
			break
		}
		t, ok := p.f.at(s, at)
		if !ok {
			from = at + 1
			continue
		}
		if done < at {
			text(done, at)
		}
		token(t.token.ID)
		done = at + len(t.text)
		from = done
	}
	if done < len(s) {
		text(done, len(s))
	}
	return next
}

// Encoder holds the state that makes encoding fast: a cache of the words that
// it has met. It may be used by one goroutine at a time.
type Encoder struct {
	t       *Tokenizer
	f       *fastBPE // nil for tokenizers that it does not know
	tiny    tinyCache
	cache   wordCache
	long    longCache
	window  window
	merging merging
	symbols []token
	text    []byte
	nextRaw []int
	nextNor []int
}

// NewEncoder returns an encoder of its own, for a goroutine that encodes much:
// its caches, of 5 MB, are there from the start.
func (t *Tokenizer) NewEncoder() *Encoder {
	e := t.newEncoder()
	if e.f != nil {
		e.tiny.grow(maxTinyBuckets)
		e.cache.grow(maxBuckets)
		// The system gives memory when it is written first, page by page,
		// which would take time while encoding.
		const page = 4096
		for i := 0; i < maxTinyBuckets; i += page / 64 {
			e.tiny.buckets[i] = tinyBucket{}
		}
		for i := 0; i < maxBuckets; i += page / 64 {
			e.cache.buckets[i] = wordBucket{}
		}
		e.long.slots = make([]longEntry, 1<<16)
		for i := 0; i < len(e.long.slots); i += page / 32 {
			e.long.slots[i] = longEntry{}
		}
	}
	return e
}

// newEncoder returns an encoder whose caches grow with what they hold.
func (t *Tokenizer) newEncoder() *Encoder { return &Encoder{t: t, f: t.fast} }

// AppendEncode appends the ids of text to dst, without special tokens,
// truncation or padding.
func (e *Encoder) AppendEncode(dst []int32, text string) []int32 {
	if e.f == nil {
		return e.t.appendGeneral(dst, text)
	}
	start := len(dst)
	e.window.invalid = false
	if dst = e.all(dst, text); e.window.invalid {
		e.window.invalid = false
		dst = e.all(dst[:start], validText(text))
	}
	return dst
}

// all encodes text, or finds that it is invalid.
func (e *Encoder) all(dst []int32, text string) []int32 {
	if e.f.raw == nil {
		return e.normalized(dst, text)
	}
	e.nextRaw = e.f.raw.each(text, e.nextRaw,
		func(start, end int) { dst = e.normalized(dst, text[start:end]) },
		func(id int32) { dst = append(dst, id) })
	return dst
}

// normalized encodes text between the added tokens that are found as they are.
func (e *Encoder) normalized(dst []int32, text string) []int32 {
	if e.f.nfc {
		var ok bool
		if text, ok = composeText(text); !ok {
			e.window.invalid = true
			return dst
		}
	}
	if e.f.norm == nil {
		return e.segment(dst, text, 0, len(text))
	}
	e.nextNor = e.f.norm.each(text, e.nextNor,
		func(start, end int) { dst = e.segment(dst, text, start, end) },
		func(id int32) { dst = append(dst, id) })
	return dst
}

// segment encodes s[i:end], in which there are no added tokens but runs of
// spaces. Where that is not UTF-8 it stops and says so in window.invalid.
func (e *Encoder) segment(dst []int32, s string, i, end int) []int32 {
	f := e.f
	w := &e.window
	for i < end {
		stop := min(i+windowBytes, end)
		for k := 1; k < utf8.UTFMax && stop < end && !utf8.RuneStart(s[stop]); k++ {
			stop--
		}
		limit := w.find(f.kind, s, i, stop, stop == end)
		if w.invalid {
			return dst
		}
		if limit == 0 {
			// One by one, as far as the next window would tell anew.
			for stop = min(i+windowBytes/4, end); i < stop; {
				if i, dst = e.scanned(dst, s, i, end); w.invalid {
					return dst
				}
			}
			continue
		}
		from := i
		w.start[0] &^= 1
		for b := 0; b <= limit/blockBytes; b++ {
			m := w.start[b]
			if r := uint(limit - b*blockBytes); r < blockBytes-1 {
				m &= 1<<(r+1) - 1
			}
			base := from + b*blockBytes
			for ; m != 0; m &= m - 1 {
				j := base + bits.TrailingZeros64(m)
				n := j - i
				switch {
				case n > maxShort || i+16 > len(s):
					dst = e.word(dst, s[i:j])
				case n <= maxTiny:
					dst = e.tinyWord(dst, load64(s, i)&shortMask[n][0]|uint64(n)<<56, s[i:j])
				default:
					dst = e.shortWord(dst, load64(s, i), load64(s, i+8)&shortMask[n][1]|uint64(n)<<56, s[i:j])
				}
				i = j
			}
		}
		if i == from {
			// A word longer than the window.
			if i, dst = e.scanned(dst, s, i, end); w.invalid {
				return dst
			}
		}
	}
	return dst
}

// scanned encodes the word that the scanner finds at i, and returns its end.
func (e *Encoder) scanned(dst []int32, s string, i, end int) (int, []int32) {
	j := e.f.kind.scan(s[:end], i)
	if !utf8.ValidString(s[i:j]) {
		e.window.invalid = true
		return j, dst
	}
	return j, e.word(dst, s[i:j])
}

// maxShort is the length of the longest word that is a key of the cache.
const maxShort = 15

// shortMask keeps the first n bytes of two words.
var shortMask = func() (m [maxShort + 1][2]uint64) {
	for n := range m {
		for i := range n {
			m[n][i/8] |= 0xFF << (8 * (i % 8))
		}
	}
	return m
}()

// tinyCache maps words of up to maxTiny bytes to their ids: buckets that fill
// one line of the processor's cache each. What comes first, which is mostly
// what is frequent, stays in front.
type tinyCache struct {
	buckets []tinyBucket
	shift   uint
	used    int
}

type tinyBucket [4]tinyEntry

// tinyEntry is a word with its length in the highest byte of key, and up to two
// ids. Above the first stands their count; if that is manyIDs, they are in the
// list of ids: id1 is the place, and the count is where the first id would be.
type tinyEntry struct {
	key      uint64
	id0, id1 uint32
}

const (
	maxTiny        = 7
	minTinyBuckets = 1 << 8
	maxTinyBuckets = 1 << 14
)

// wordCache does the same for words of up to maxShort bytes.
type wordCache struct {
	buckets []wordBucket
	shift   uint
	used    int
}

type wordBucket [2]wordEntry

// wordEntry is a word and up to four ids, as in tinyEntry.
type wordEntry struct {
	k0, k1 uint64
	ids    [4]uint32
}

const (
	minBuckets = 1 << 7
	maxBuckets = 1 << 15
	countShift = 24 // ids are smaller than 1<<24
	idMask     = 1<<countShift - 1
	manyIDs    = 255
)

func wordHash(k0, k1 uint64) uint64 {
	hi, lo := bits.Mul64(k0^0x9E3779B97F4A7C15, k1^0xC2B2AE3D27D4EB4F)
	return hi ^ lo
}

// tinyWord appends the ids of a word of at most maxTiny bytes.
func (e *Encoder) tinyWord(dst []int32, key uint64, s string) []int32 {
	if c := &e.tiny; len(c.buckets) > 0 {
		b := &c.buckets[key*mergeHash>>c.shift]
		for i := range b {
			w := &b[i]
			if w.key != key {
				continue
			}
			n := len(dst)
			if n+2 > cap(dst) {
				dst = slices.Grow(dst, max(2, n/2, 256))
			}
			count := int(w.id0 >> countShift)
			dst = dst[:n+2]
			dst[n], dst[n+1] = int32(w.id0&idMask), int32(w.id1)
			if count <= 2 {
				return dst[:n+count]
			}
			return append(dst[:n], e.long.ids.at(w.id1, int(w.id0&idMask))...)
		}
	}
	n := len(dst)
	dst = e.encodeShort(dst, key&(1<<56-1), key>>56<<56, s)
	w := tinyEntry{key: key}
	switch ids := dst[n:]; len(ids) {
	case 0:
	case 1:
		w.id0 = 1<<countShift | uint32(ids[0])
	case 2:
		w.id0, w.id1 = 2<<countShift|uint32(ids[0]), uint32(ids[1])
	default:
		w.id0, w.id1 = manyIDs<<countShift|uint32(len(ids)), e.long.ids.keep(ids)
	}
	e.tiny.put(w)
	return dst
}

// grow makes the cache an empty one of n buckets, a power of two.
func (c *tinyCache) grow(n int) {
	*c = tinyCache{buckets: make([]tinyBucket, n), shift: uint(64 - bits.TrailingZeros(uint(n)))}
}

func (c *tinyCache) put(w tinyEntry) {
	if c.used >= 2*len(c.buckets) && len(c.buckets) < maxTinyBuckets {
		old := c.buckets
		c.grow(min(maxTinyBuckets, max(minTinyBuckets, 4*len(old))))
		for i := range old {
			for _, v := range old[i] {
				if v.key != 0 {
					c.put(v)
				}
			}
		}
	}
	b := &c.buckets[w.key*mergeHash>>c.shift]
	for i := range b {
		if b[i].key == 0 {
			b[i] = w
			c.used++
			return
		}
	}
	b[len(b)-1] = b[len(b)-2]
	b[len(b)-2] = w
}

// shortWord appends the ids of a word of at most maxShort bytes, whose key is
// k0 and k1.
func (e *Encoder) shortWord(dst []int32, k0, k1 uint64, s string) []int32 {
	if c := &e.cache; len(c.buckets) > 0 {
		b := &c.buckets[wordHash(k0, k1)>>c.shift]
		for i := range b {
			w := &b[i]
			if w.k0 != k0 || w.k1 != k1 {
				continue
			}
			n := len(dst)
			if n+4 > cap(dst) {
				dst = slices.Grow(dst, max(4, n/2, 256))
			}
			count := int(w.ids[0] >> countShift)
			dst = dst[:n+4]
			dst[n], dst[n+1], dst[n+2], dst[n+3] = int32(w.ids[0]&idMask), int32(w.ids[1]), int32(w.ids[2]), int32(w.ids[3])
			if count <= 4 {
				return dst[:n+count]
			}
			return append(dst[:n], e.long.ids.at(w.ids[1], int(w.ids[0]&idMask))...)
		}
	}
	n := len(dst)
	dst = e.encodeShort(dst, k0, k1, s)
	w := wordEntry{k0: k0, k1: k1}
	ids := dst[n:]
	if len(ids) <= len(w.ids) {
		for i, id := range ids {
			w.ids[i] = uint32(id)
		}
		w.ids[0] |= uint32(len(ids)) << countShift
	} else {
		w.ids[0], w.ids[1] = manyIDs<<countShift|uint32(len(ids)), e.long.ids.keep(ids)
	}
	e.cache.put(w)
	return dst
}

// encodeShort encodes a word that the caches lack.
func (e *Encoder) encodeShort(dst []int32, k0, k1 uint64, s string) []int32 {
	if e.f.isSpaces(s) {
		return append(dst, e.f.spaces[len(s)])
	}
	if id, ok := e.f.singles.get(k0, k1&^(cutPart<<56)); ok {
		return append(dst, id)
	}
	return e.bpe(dst, s, k1>>56&cutPart == 0)
}

// isSpaces tells a run of spaces that is an added token.
func (f *fastBPE) isSpaces(s string) bool {
	return f.kind == kindNeoX && len(s) > 1 && s[0] == ' ' && s[1] == ' '
}

// grow makes the cache an empty one of n buckets, a power of two.
func (c *wordCache) grow(n int) {
	*c = wordCache{buckets: make([]wordBucket, n), shift: uint(64 - bits.TrailingZeros(uint(n)))}
}

func (c *wordCache) put(w wordEntry) {
	if c.used >= len(c.buckets) && len(c.buckets) < maxBuckets {
		old := c.buckets
		c.grow(min(maxBuckets, max(minBuckets, 4*len(old))))
		for i := range old {
			for _, v := range old[i] {
				if v.k1 != 0 {
					c.put(v)
				}
			}
		}
	}
	b := &c.buckets[wordHash(w.k0, w.k1)>>c.shift]
	if b[0].k1 == 0 {
		b[0] = w
	} else {
		b[1] = w
	}
	c.used++
}

// word appends the ids of a word.
func (e *Encoder) word(dst []int32, s string) []int32 {
	if len(s) > maxShort {
		return e.longWord(dst, s)
	}
	return e.shortWordOf(dst, s, 0)
}

// cutPart marks keys of parts of words, to which ignore_merges does not apply.
const cutPart = 0x80

// shortWordOf is tinyWord or shortWord for a word of at most maxShort bytes.
func (e *Encoder) shortWordOf(dst []int32, s string, mark uint64) []int32 {
	k0, k1 := shortKey(s)
	k1 |= mark << 56
	if len(s) <= maxTiny {
		return e.tinyWord(dst, k0|k1, s)
	}
	return e.shortWord(dst, k0, k1, s)
}

// longWord appends the ids of a word that is no key of the cache.
func (e *Encoder) longWord(dst []int32, s string) []int32 {
	if len(s) <= maxLong {
		if ids, ok := e.long.get(s); ok {
			return append(dst, ids...)
		}
	}
	n := len(dst)
	id, ok := int32(0), false
	if e.f.isSpaces(s) {
		id, ok = e.f.spaces[len(s)], true
	} else if e.f.model.ignoreMerges {
		id, ok = e.f.wholeID(e, s)
	}
	if ok {
		dst = append(dst, id)
	} else {
		dst = e.cut(dst, e.known(s))
	}
	if len(s) <= maxLong {
		e.long.put(s, dst[n:])
	}
	if max(len(e.long.text.full), len(e.long.ids.full)) > maxLongBlocks {
		e.tiny, e.cache, e.long = tinyCache{}, wordCache{}, longCache{}
	}
	return dst
}

// known returns s without the bytes that have no id.
func (e *Encoder) known(s string) string {
	for _, b := range e.f.lacks {
		if strings.IndexByte(s, b) >= 0 {
			s = strings.ReplaceAll(s, string([]byte{b}), "")
		}
	}
	return s
}

// cut encodes a word in parts that no token crosses.
func (e *Encoder) cut(dst []int32, s string) []int32 {
	start := 0
	for i := 2; i+2 <= len(s); i++ {
		if utf8.RuneStart(s[i]) && e.f.cuts.free(s, i) {
			dst = e.part(dst, s[start:i])
			start = i
		}
	}
	return e.part(dst, s[start:])
}

func (e *Encoder) part(dst []int32, s string) []int32 {
	if len(s) <= maxShort {
		return e.shortWordOf(dst, s, cutPart)
	}
	return e.bpe(dst, s, false)
}

// wholeID returns the token that is all of s.
func (f *fastBPE) wholeID(e *Encoder, s string) (int32, bool) {
	e.text = e.text[:0]
	for i := range len(s) {
		e.text = utf8.AppendRune(e.text, byteChar[s[i]])
	}
	return f.model.vocab.id(string(e.text))
}

// bpe merges the bytes of s.
func (e *Encoder) bpe(dst []int32, s string, whole bool) []int32 {
	f := e.f
	if whole && f.model.ignoreMerges {
		if id, ok := f.wholeID(e, s); ok {
			return append(dst, id)
		}
	}
	s = e.known(s)
	if len(s) > maxMergeShort {
		e.symbols = e.symbols[:0]
		for i := range len(s) {
			e.symbols = append(e.symbols, token{f.ids[s[i]], span{i, i + 1}})
		}
		for _, t := range e.symbols[:f.model.merge(e.symbols)] {
			dst = append(dst, t.id)
		}
		return dst
	}
	return e.mergeShort(dst, s)
}

// maxMergeShort is the length from which a heap finds the next merge sooner.
const maxMergeShort = 48

// mergeShort merges the bytes of s by looking for the lowest rank again and
// again.
func (e *Encoder) mergeShort(dst []int32, s string) []int32 {
	f := e.f
	n := len(s)
	if n == 0 {
		return dst
	}
	// ids is a linked list; order[i] is the rank of ids[i] and its successor
	// with i below it, so that the least is the leftmost of the lowest rank.
	m := &e.merging
	ids, order, next, prev := &m.ids, &m.order, &m.next, &m.prev
	ids[0] = uint32(f.ids[s[0]])
	for i := 1; i < n; i++ {
		ids[i] = uint32(f.ids[s[i]])
		next[i-1], prev[i] = uint8(i), uint8(i-1)
		order[i-1] = orderOf(f.first[uint32(s[i-1])<<8|uint32(s[i])], uint8(i-1))
	}
	next[n-1] = uint8(n)
	for i := n - 1; i < n+3; i++ {
		order[i] = orderNone
	}
	for {
		// The least, without branches, as which one it is cannot be predicted,
		// and in four parts, so that they need not wait for each other.
		b0, b1, b2, b3 := order[0], order[1], order[2], order[3]
		for i := 4; i < n; i += 4 {
			o := order[i : i+4 : i+4]
			b0, b1, b2, b3 = lesser(b0, o[0]), lesser(b1, o[1]), lesser(b2, o[2]), lesser(b3, o[3])
		}
		best := lesser(lesser(b0, b1), lesser(b2, b3))
		if best >= orderNone {
			break
		}
		rank := uint32(best >> orderBits)
		i := uint8(best & (1<<orderBits - 1))
		j := next[i]
		id := rank + uint32(f.offset)
		if f.offset < 0 {
			id = uint32(f.results[rank])
		}
		ids[i] = id
		order[j] = orderNone
		k := next[j]
		next[i] = k
		if int(k) < n {
			prev[k] = i
			order[i] = orderOf(f.merges.get(id, ids[k]), i)
		} else {
			order[i] = orderNone
		}
		if i > 0 {
			h := prev[i]
			order[h] = orderOf(f.merges.get(ids[h], id), h)
		}
	}
	for i := 0; i < n; i = int(next[i]) {
		dst = append(dst, int32(ids[i]))
	}
	return dst
}

// An order is a rank with a position below it, or at least orderNone.
const (
	orderBits = 6
	orderNone = 1<<30 - 1<<orderBits
)

func orderOf(rank uint32, at uint8) int32 {
	return int32(min(rank<<orderBits, orderNone) | uint32(at))
}

// lesser is the smaller one of two orders.
func lesser(a, b int32) int32 {
	d := b - a
	return a + d&(d>>31)
}

// merging is the scratch space of mergeShort; indices are bytes, so that the
// arrays need no checks.
type merging struct {
	ids        [256]uint32
	order      [256 + 4]int32
	next, prev [256]uint8
}

// singleTable holds the words of up to maxSingle bytes that are one token: an
// open hash table that is filled once and shared by all encoders.
type singleTable struct {
	slots []single
	bits  []uint64 // one per hash: few words that are looked for are there
	shift uint
}

// single is a word as its key in wordCache; the token lies between the last
// bytes and the length.
type single struct{ k0, k1 uint64 }

const (
	maxSingle    = 12
	singleFilter = 3 // log2 of bits per slot
	singleIDBits = 24
	singleShift  = 32
	singleMask   = (1<<singleIDBits - 1) << singleShift
)

func (t *singleTable) get(k0, k1 uint64) (int32, bool) {
	slots := t.slots
	h := wordHash(k0, k1)
	if b := h >> (t.shift - singleFilter); t.bits[b/64]>>(b%64)&1 == 0 {
		return 0, false
	}
	for at := h >> t.shift; ; at++ {
		s := &slots[at&uint64(len(slots)-1)]
		if s.k0 == k0 && s.k1&^singleMask == k1 {
			return int32(s.k1 & singleMask >> singleShift), true
		}
		if s.k1 == 0 {
			return 0, false
		}
	}
}

func (t *singleTable) put(k0, k1 uint64, id int32) {
	mask := uint64(len(t.slots) - 1)
	h := wordHash(k0, k1)
	b := h >> (t.shift - singleFilter)
	t.bits[b/64] |= 1 << (b % 64)
	at := h >> t.shift
	for t.slots[at].k1 != 0 {
		at = (at + 1) & mask
	}
	t.slots[at] = single{k0, k1 | uint64(id)<<singleShift}
}

// fillSingles finds the tokens whose own bytes encode to just them. Nearly all
// do, but a file can have merges in any order.
func (f *fastBPE) fillSingles() {
	v := f.model.vocab
	f.singles.shift = 60
	for size := 16; size < v.count+v.count/4; size *= 2 {
		f.singles.shift--
	}
	f.singles.slots = make([]single, 1<<(64-f.singles.shift))
	f.singles.bits = make([]uint64, 1<<(64-f.singles.shift+singleFilter)/64)
	// madeAt is the rank that makes a token which encodes to itself: −1 for
	// bytes, never for others.
	const never = 1 << 30
	madeAt := make([]int32, len(v.tokens))
	for id := range madeAt {
		madeAt[id] = never
	}
	for _, id := range f.ids {
		if id >= 0 {
			madeAt[id] = -1
		}
	}
	var b []byte
	for rank, part := range f.parts {
		id := f.results[rank]
		if part[0] < 0 || madeAt[id] != never || !f.joins(part[0], part[1], int32(rank), madeAt) {
			continue
		}
		madeAt[id] = int32(rank)
		b = appendTokenBytes(b[:0], v.tokens[id])
		if len(b) <= maxSingle && id < 1<<singleIDBits {
			k0, k1 := shortKey(string(b))
			f.singles.put(k0, k1, id)
		}
	}
}

// joins tells whether the bytes of a followed by those of b encode to the one
// token that the merge of a and b at rank makes. Both encode to themselves.
//
// It goes back in time: at any rank the last part of a and the first part of b
// are neighbours, and no merge may join them while they are. It is the parts
// that came last that are taken apart again.
func (f *fastBPE) joins(a, b, rank int32, madeAt []int32) bool {
	if madeAt[a] >= rank || madeAt[b] >= rank {
		return false
	}
	for {
		ra, rb := madeAt[a], madeAt[b]
		if ra < 0 && rb < 0 {
			return true
		}
		// Until which rank the two neighbours of the step before last. Of
		// equal ranks the left merge comes first.
		last := uint32(ra)
		if ra > rb {
			a = f.parts[ra][1]
			last--
		} else {
			b = f.parts[rb][0]
			last = uint32(rb)
		}
		if f.merges.get(uint32(a), uint32(b)) <= last {
			return false
		}
	}
}

// shortKey returns the key of a word of 1 to maxShort bytes.
func shortKey(s string) (k0, k1 uint64) {
	n := len(s)
	switch {
	case n >= 8:
		k0 = load64(s, 0)
		if n > 8 {
			k1 = load64(s, n-8) >> (8 * (16 - n))
		}
	case n >= 4:
		k0 = uint64(load32(s, 0)) | uint64(load32(s, n-4))<<(8*(n-4))
	default:
		// The first, the middle and the last byte are all there are.
		k0 = uint64(s[0]) | uint64(s[n/2])<<(8*(n/2)) | uint64(s[n-1])<<(8*(n-1))
	}
	return k0, k1 | uint64(n)<<56
}

// longCache maps longer words to their ids.
type longCache struct {
	slots []longEntry
	count int
	text  blocks[byte]
	ids   blocks[int32]
}

// blocks keeps short lists for good, without ever moving them.
type blocks[T any] struct {
	full [][]T
	room []T // the rest of the last block
}

const blockBits = 14 // of a place within a block

// keep copies list, which is shorter than a block, and returns its place.
func (b *blocks[T]) keep(list []T) uint32 {
	if len(list) > len(b.room) {
		b.room = make([]T, 1<<blockBits)
		b.full = append(b.full, b.room)
	}
	at := 1<<blockBits - len(b.room)
	copy(b.room, list)
	b.room = b.room[len(list):]
	return uint32(len(b.full)-1)<<blockBits | uint32(at)
}

func (b *blocks[T]) at(place uint32, n int) []T {
	return b.full[place>>blockBits][place&(1<<blockBits-1):][:n]
}

type longEntry struct {
	hash         uint64
	text, ids    uint32
	length, nIDs int32
}

const (
	maxLong       = 256     // bytes of a word that is kept
	maxLongBlocks = 1 << 10 // of text or ids (at most 64 MB); then all is forgotten
)

func (c *longCache) get(s string) ([]int32, bool) {
	if len(c.slots) == 0 {
		return nil, false
	}
	h := hashString(s)
	mask := uint64(len(c.slots) - 1)
	for at := h & mask; ; at = (at + 1) & mask {
		l := &c.slots[at]
		if l.length == 0 {
			return nil, false
		}
		if l.hash == h && string(c.text.at(l.text, int(l.length))) == s {
			return c.ids.at(l.ids, int(l.nIDs)), true
		}
	}
}

func (c *longCache) put(s string, ids []int32) {
	if 2*(c.count+1) > len(c.slots) {
		old := c.slots
		c.slots = make([]longEntry, max(1<<8, 4*len(old)))
		for _, l := range old {
			if l.length > 0 {
				*c.free(l.hash) = l
			}
		}
	}
	h := hashString(s)
	*c.free(h) = longEntry{h, c.text.keep([]byte(s)), c.ids.keep(ids), int32(len(s)), int32(len(ids))}
	c.count++
}

func (c *longCache) free(h uint64) *longEntry {
	mask := uint64(len(c.slots) - 1)
	at := h & mask
	for c.slots[at].length != 0 {
		at = (at + 1) & mask
	}
	return &c.slots[at]
}
