package tagger

import (
	"math/bits"
	"slices"
	"strings"
)

func init() {
	register("gopher_v1", "Gopher's quality and repetition signals", func(Options) (Tagger, error) { return &gopher{}, nil })
	register("gopher_v2", "Gopher's signals, runs of newlines as one line break", func(Options) (Tagger, error) { return &gopher{mergeNewlines: true}, nil })
}

// gopher measures the signals of Gopher's filters; the thresholds stand in
// mix configs.
//
// Rae et al. 2021, table A1, as Dolma 1.2.1 computes them in
// python/dolma/taggers/gopher.py.
type gopher struct {
	mergeNewlines bool

	// The candidates are places of words at which an n-gram begins that occurs more
	// than once: a bit each, and in their order the numbers of their n-grams.
	at    []uint64
	grams []uint32
	next  []uint32 // the numbers of (n+1)-grams while they are given
	// Of the n-grams in the table: how often each occurs, and where first.
	seen, first []int32
	table       pairTable
	long        []int32
	lineAt      []int32
}

var (
	commonNames    = [...]string{2: "fraction_of_characters_in_most_common_2grams", "fraction_of_characters_in_most_common_3grams", "fraction_of_characters_in_most_common_4grams"}
	duplicateNames = [...]string{
		5: "fraction_of_characters_in_duplicate_5grams", "fraction_of_characters_in_duplicate_6grams",
		"fraction_of_characters_in_duplicate_7grams", "fraction_of_characters_in_duplicate_8grams",
		"fraction_of_characters_in_duplicate_9grams", "fraction_of_characters_in_duplicate_10grams",
	}
)

func (g *gopher) Tag(t *Text, out *Spans) error {
	n := t.Len
	add := func(name string, v float64) { out.Add(name, 0, n, v) }
	if n == 0 {
		for _, name := range []string{
			"character_count", "word_count", "median_word_length", "symbol_to_word_ratio",
			"fraction_of_words_with_alpha_character", "required_word_count",
			"fraction_of_lines_starting_with_bullet_point", "fraction_of_lines_ending_with_ellipsis",
			"fraction_of_duplicate_lines", "fraction_of_characters_in_duplicate_lines",
		} {
			add(name, 0)
		}
		return nil
	}
	words := t.Words()
	total := 0
	var symbols, alphas, required int
	for _, w := range words {
		total += w.runes(t.S)
		if w.has(hasSymbol) {
			symbols++
		}
		if w.has(hasAlpha) {
			alphas++
			if requiredWord(t.S[w.start:w.end()]) {
				required++
			}
		}
	}
	g.ngrams(t.S, words, total, func(order int, v float64) {
		if order <= 4 {
			add(commonNames[order], v)
		} else {
			add(duplicateNames[order], v)
		}
	})
	perWord := func(k int) float64 { return float64(k) / float64(max(len(words), 1)) }
	add("character_count", float64(n))
	add("word_count", float64(len(words)))
	add("median_word_length", g.median(t.S, words))
	add("symbol_to_word_ratio", perWord(symbols))
	add("fraction_of_words_with_alpha_character", perWord(alphas))
	add("required_word_count", float64(required))
	g.lines(t, total, add)
	return nil
}

// requiredWord knows the stop words that English text needs, case and all.
func requiredWord(w string) bool {
	switch w {
	case "the", "be", "to", "of", "and", "that", "have", "with":
		return true
	}
	return false
}

// ngrams reports the share of characters in the most common 2- to 4-gram and
// in repeated 5- to 10-grams.
//
// A repeated n-gram begins and ends with repeated (n-1)-grams, so every order
// looks only at what the one before left, and a pair of their ids is an exact
// key: the work falls off quickly with the order, and no hash can collide.
func (g *gopher) ngrams(s string, words []word, chars int, report func(order int, v float64)) {
	total := float64(max(chars, 1))
	g.number(s, words)
	all := int64(0) // characters in all n-grams
	for order := 1; order <= 10 && order <= len(words); order++ {
		// The n-th words of all n-grams: all words but the first n-1, less those with
		// which the last shorter n-grams ended, and which begin none that is longer.
		all += int64(chars - runesOf(s, words[:order-1]) - runesOf(s, words[len(words)-order+1:]))
		if order == 1 {
			continue
		}
		most, where := g.repeated()
		if order <= 4 {
			report(order, float64(most)*float64(runesOf(s, words[where:where+order]))/total)
			continue
		}
		dup := int64(0)
		for i, set := range g.at {
			for ; set != 0; set &= set - 1 {
				at := 64*i + bits.TrailingZeros64(set)
				dup += int64(runesOf(s, words[at:at+order]))
			}
		}
		report(order, float64(dup)/float64(max(all, 1)))
	}
}

// runesOf is the number of code points of words of s.
func runesOf(s string, words []word) (n int) {
	for _, w := range words {
		n += w.runes(s)
	}
	return n
}

// mostKeys is how many n-grams the table is for. Where a very long document has more of
// them they are counted in parts, chosen by the key, one after the other.
var mostKeys = 1 << 19

const mostParts = 1 << 8

// inParts calls count for each part, with more and smaller parts when count says that
// one was too large.
func inParts(count func(part, parts uint64) bool) {
	for parts := uint64(1); ; parts *= 8 {
		part := uint64(0)
		for part < parts && count(part, parts) {
			part++
		}
		if part == parts {
			return
		}
	}
}

// tooMany tells whether a part has more keys than the table is for, and could have
// fewer.
func (g *gopher) tooMany(parts uint64) bool { return len(g.seen) > mostKeys && parts < mostParts }

// number gives equal words equal numbers, and keeps as candidates the places of words
// that occur more than once.
func (g *gopher) number(s string, words []word) {
	g.next = sized(g.next, len(words))
	base := uint32(1)
	inParts(func(part, parts uint64) bool {
		if part == 0 {
			base = 1
		}
		g.reset(len(words))
		if !g.countWords(s, words, base, part, parts) {
			return false
		}
		base += uint32(len(g.seen))
		return true
	})
	g.at = sized(g.at, (len(words)+63)/64)
	for i := range g.at {
		g.at[i] = ^uint64(0)
	}
	if n := len(words) % 64; n > 0 {
		g.at[len(g.at)-1] = 1<<n - 1
	}
	g.keep()
}

// countWords gives the words of a part numbers from base on, and 0 to those that occur
// once. It is false where they are too many for the table.
func (g *gopher) countWords(s string, words []word, base uint32, part, parts uint64) bool {
	next := g.next[:len(words)]
	for i, w := range words {
		key := wordKey(s, int(w.start), int(w.end()))
		if parts > 1 && partOf(key, parts) != part {
			continue
		}
		slot := g.table.slot(key)
		for {
			e := &g.table.entries[slot]
			if e.age != g.table.age {
				next[i] = base + uint32(len(g.seen))
				g.add(slot, key, i)
				break
			}
			if e.key == key {
				f := words[g.first[e.id]]
				if n := w.end() - w.start; f.end()-f.start == n && (n <= 8 || s[f.start:f.end()] == s[w.start:w.end()]) {
					g.seen[e.id]++
					next[i] = base + uint32(e.id)
					break
				}
			}
			slot = (slot + 1) & g.table.mask
		}
		if g.tooMany(parts) {
			return false
		}
	}
	g.dropOnce(next, base)
	return true
}

// dropOnce sets to 0 the numbers from base on that were given once; others are of other
// parts.
func (g *gopher) dropOnce(next []uint32, base uint32) {
	seen := g.seen
	for i, id := range next {
		if k := id - base; k < uint32(len(seen)) && seen[k] == 1 {
			next[i] = 0
		}
	}
}

// wordKey is a number for s[start:end]: its bytes when there are at most
// eight, a hash of them otherwise.
func wordKey(s string, start, end int) uint64 {
	n := end - start
	if n <= 8 {
		if start+8 <= len(s) {
			return load64(s[start:]) & (1<<(8*uint(n)) - 1)
		}
		var k uint64
		for i := n - 1; i >= 0; i-- {
			k = k<<8 | uint64(s[start+i])
		}
		return k
	}
	return hashBytes(s[start:end])
}

func load64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

const (
	mix1 = 0x9e3779b97f4a7c15
	mix2 = 0xd6e8feb86659fd93
)

// hashBytes mixes s eight bytes at a time; equal hashes are always checked
// against the text.
func hashBytes(s string) uint64 {
	h := uint64(len(s)) * mix2
	for len(s) > 8 {
		hi, lo := bits.Mul64(load64(s)^h, mix1)
		h = hi ^ lo
		s = s[8:]
	}
	var tail uint64
	if len(s) == 8 {
		tail = load64(s)
	} else {
		for i := len(s) - 1; i >= 0; i-- {
			tail = tail<<8 | uint64(s[i])
		}
	}
	hi, lo := bits.Mul64(tail^h, mix2)
	return hi ^ lo ^ h
}

// add gives the key in a free slot the next number; it was seen first at place i.
func (g *gopher) add(slot int, key uint64, i int) {
	g.table.entries[slot] = pairEntry{key, int32(len(g.seen)), g.table.age}
	g.seen, g.first = append(g.seen, 1), append(g.first, int32(i))
	if 4*len(g.seen) > 3*g.table.mask {
		g.table.grow()
	}
}

// keep leaves as candidates those whose next number is not 0.
func (g *gopher) keep() {
	next := g.next
	grams := sized(g.grams, len(next))
	k, n := 0, 0
	for i, set := range g.at {
		kept := uint64(0)
		for ; set != 0; set &= set - 1 {
			// Which one stays is as good as chance: no jump depends on it.
			id, bit, more := next[k], set&-set, n+1
			k++
			grams[n] = id
			if id == 0 {
				bit, more = 0, n
			}
			kept |= bit
			n = more
		}
		g.at[i] = kept
	}
	g.grams = grams[:n]
}

// repeated turns the candidates, places of repeated (n-1)-grams, into those of
// repeated n-grams, and tells how often the most common of these occurs and where it
// does first. Where none is repeated that is the text's first n-gram, once.
func (g *gopher) repeated() (most, where int) {
	g.next = sized(g.next, len(g.grams))
	base, pairs := uint32(1), 0
	inParts(func(part, parts uint64) (ok bool) {
		if part == 0 {
			base, most, where = 1, 1, 0
		}
		g.reset(len(g.grams))
		if pairs, ok = g.countPairs(base, part, parts); !ok {
			return false
		}
		for id, k := range g.seen {
			if first := int(g.first[id]); int(k) > most || k > 1 && int(k) == most && first < where {
				most, where = int(k), first
			}
		}
		g.dropOnce(g.next[:pairs], base)
		base += uint32(len(g.seen))
		return true
	})
	g.next = g.next[:pairs]
	for i := range g.at {
		g.at[i] &= g.following(i)
	}
	g.keep()
	return most, where
}

// following has a bit for each place of word i of the candidates' bits behind which
// there is another candidate.
func (g *gopher) following(i int) uint64 {
	if i+1 < len(g.at) {
		return g.at[i]>>1 | g.at[i+1]<<63
	}
	return g.at[i] >> 1
}

// countPairs gives the pairs of neighbouring candidates that are in a part numbers from
// base on. It tells how many pairs there are in all parts; ok is false where those of this one are
// too many for the table.
func (g *gopher) countPairs(base uint32, part, parts uint64) (pairs int, ok bool) {
	next, grams := g.next, g.grams
	j := 0
	for i, set := range g.at {
		following := g.following(i)
		for ; set != 0; set &= set - 1 {
			if j++; following&set&-set == 0 {
				continue
			}
			key := uint64(grams[j-1])<<32 | uint64(grams[j])
			pairs++
			if parts > 1 && partOf(key, parts) != part {
				continue
			}
			slot := g.table.slot(key)
			for {
				e := &g.table.entries[slot]
				if e.age != g.table.age {
					next[pairs-1] = base + uint32(len(g.seen))
					g.add(slot, key, 64*i+bits.TrailingZeros64(set))
					break
				}
				if e.key == key {
					g.seen[e.id]++
					next[pairs-1] = base + uint32(e.id)
					break
				}
				slot = (slot + 1) & g.table.mask
			}
			if g.tooMany(parts) {
				return 0, false
			}
		}
	}
	return pairs, true
}

// fewKeys is how many n-grams the table has room for at first: a long text has many places, but
// may have few different n-grams.
const fewKeys = 1 << 16

// reset empties the table for n keys, or fewer where the text is long.
func (g *gopher) reset(n int) {
	g.seen, g.first = g.seen[:0], g.first[:0]
	g.table.reset(min(n, fewKeys))
}

// sized is a slice of n values, in the memory of s where they fit.
func sized[T any](s []T, n int) []T {
	if n > cap(s) {
		return make([]T, n)
	}
	return s[:n]
}

// partOf is the part that a key belongs to, of a power of two.
func partOf(key, parts uint64) uint64 { return (key ^ key>>29) * mix1 >> 36 & (parts - 1) }

// pairTable is an open hash table that is emptied by counting its age.
type pairTable struct {
	entries []pairEntry
	mask    int
	shift   uint
	age     uint32
}

type pairEntry struct {
	key uint64
	id  int32
	age uint32
}

// reset empties the table and makes room for n keys at half load.
func (p *pairTable) reset(n int) {
	size := 1 << bits.Len(uint(max(2*n, 16)))
	if size > len(p.entries) {
		p.entries = nil // so that it can go before the new ones come
		p.entries = make([]pairEntry, size)
		p.age = 0
	}
	// A small document uses the first part of a large table, which is warm.
	p.mask, p.shift = size-1, uint(64-bits.Len(uint(size-1)))
	if p.age++; p.age == 0 {
		clear(p.entries)
		p.age = 1
	}
}

// grow makes room for twice as many keys, where a part of a long document has more
// than its share.
func (p *pairTable) grow() {
	old, age := p.entries[:p.mask+1], p.age
	*p = pairTable{}
	p.reset(len(old))
	for _, e := range old {
		if e.age != age {
			continue
		}
		slot := p.slot(e.key)
		for p.entries[slot].age == p.age {
			slot = (slot + 1) & p.mask
		}
		p.entries[slot] = pairEntry{e.key, e.id, p.age}
	}
}

func (p *pairTable) slot(key uint64) int {
	return int((key ^ key>>29) * mix1 >> p.shift)
}

// median is the median length of the words in code points, 0 without words.
func (g *gopher) median(s string, words []word) float64 {
	if len(words) == 0 {
		return 0
	}
	var counts [64]int
	g.long = g.long[:0]
	for _, w := range words {
		if n := w.runes(s); n < len(counts) {
			counts[n]++
		} else {
			g.long = append(g.long, int32(n))
		}
	}
	sorted := false
	nth := func(k int) int {
		for n, c := range counts {
			if k < c {
				return n
			}
			k -= c
		}
		if !sorted {
			slices.Sort(g.long)
			sorted = true
		}
		return int(g.long[k])
	}
	n := len(words)
	if n%2 == 1 {
		return float64(nth(n / 2))
	}
	return float64(nth(n/2-1)+nth(n/2)) / 2
}

// lines reports the signals of lines; total is the characters of all words.
func (g *gopher) lines(t *Text, total int, add func(string, float64)) {
	starts := t.Lines()
	g.lineAt = slices.Grow(g.lineAt[:0], len(starts))
	for i, start := range starts {
		end := t.lineEnd(i)
		// re.split(\n+) gives an empty piece only before a first and after a
		// last newline.
		if g.mergeNewlines && int(start) == end && i > 0 && i+1 < len(starts) {
			continue
		}
		g.lineAt = append(g.lineAt, int32(i))
	}
	at := func(i int32) (start, end int) { return int(starts[i]), t.lineEnd(int(i)) }
	bullets, ellipses, dup, dupChars := 0, 0, 0, 0
	inParts(func(part, parts uint64) bool {
		if part == 0 {
			bullets, ellipses, dup, dupChars = 0, 0, 0, 0
		}
		g.reset(len(g.lineAt))
		for _, i := range g.lineAt {
			start, end := at(i)
			line := t.S[start:end]
			key := hashBytes(line)
			if parts > 1 && partOf(key, parts) != part {
				continue
			}
			if line != "" && (line[0] == '*' || line[0] == '-') {
				bullets++
			}
			if strings.HasSuffix(line, "…") {
				ellipses++
			}
			slot := g.table.slot(key)
			for {
				e := &g.table.entries[slot]
				if e.age != g.table.age {
					g.add(slot, key, int(i))
					break
				}
				if e.key == key {
					if start, end := at(g.first[e.id]); t.S[start:end] == line {
						g.seen[e.id]++
						break
					}
				}
				slot = (slot + 1) & g.table.mask
			}
			if g.tooMany(parts) {
				return false
			}
		}
		for id, k := range g.seen {
			if k > 1 {
				start, end := at(g.first[id])
				dup += int(k)
				dupChars += int(k) * (t.Runes(end) - t.Runes(start))
			}
		}
		return true
	})
	n := float64(len(g.lineAt))
	add("fraction_of_lines_starting_with_bullet_point", float64(bullets)/n)
	add("fraction_of_lines_ending_with_ellipsis", float64(ellipses)/n)
	add("fraction_of_duplicate_lines", float64(dup)/n)
	add("fraction_of_characters_in_duplicate_lines", float64(dupChars)/float64(max(total, 1)))
}
