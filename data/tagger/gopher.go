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

	ids    []int32 // of each word
	seen   []int32 // how often each id occurs
	first  []int32 // the position where an id was seen first
	chars  []int32 // code points of all words before each
	at     []int32 // positions of n-grams that occur more than once
	gram   []int32 // their ids
	table  pairTable
	long   []int32
	lineAt []slice
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
	g.chars = append(g.chars[:0], 0)
	total := int32(0)
	var symbols, alphas, required int
	for _, w := range words {
		total += w.runes
		g.chars = append(g.chars, total)
		if w.flags&hasSymbol != 0 {
			symbols++
		}
		if w.flags&hasAlpha != 0 {
			alphas++
			if requiredWord(t.S[w.start:w.end]) {
				required++
			}
		}
	}
	g.ngrams(t.S, words, func(order int, v float64) {
		if order <= 4 {
			add(commonNames[order], v)
		} else {
			add(duplicateNames[order], v)
		}
	})
	perWord := func(k int) float64 { return float64(k) / float64(max(len(words), 1)) }
	add("character_count", float64(n))
	add("word_count", float64(len(words)))
	add("median_word_length", g.median(words))
	add("symbol_to_word_ratio", perWord(symbols))
	add("fraction_of_words_with_alpha_character", perWord(alphas))
	add("required_word_count", float64(required))
	g.lines(t, int(total), add)
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
func (g *gopher) ngrams(s string, words []word, report func(order int, v float64)) {
	total := float64(max(int(g.chars[len(words)]), 1))
	g.number(s, words)
	for order := 2; order <= 10 && order <= len(words); order++ {
		g.repeated()
		if order <= 4 {
			// Without any repetition the first n-gram counts, once.
			most, where := int32(1), int32(0)
			for id, k := range g.seen {
				if k > most {
					most, where = k, g.first[id]
				}
			}
			report(order, float64(most)*float64(g.chars[int(where)+order]-g.chars[where])/total)
			continue
		}
		dup, all := int64(0), int64(0)
		for _, i := range g.at {
			dup += int64(g.chars[int(i)+order] - g.chars[i])
		}
		// Each word is in the n-grams that start up to n-1 words before it.
		for i := 0; i+order <= len(words); i++ {
			all += int64(g.chars[i+order] - g.chars[i])
		}
		report(order, float64(dup)/float64(max(all, 1)))
	}
}

// number gives equal words equal ids, in the order of their first place, and
// keeps as candidates the places of words that occur more than once.
func (g *gopher) number(s string, words []word) {
	g.ids, g.seen, g.first = g.ids[:0], g.seen[:0], g.first[:0]
	g.table.reset(len(words))
	for i, w := range words {
		text := s[w.start:w.end]
		key := wordKey(s, int(w.start), int(w.end))
		slot := g.table.slot(key)
		var id int32
		for {
			e := &g.table.entries[slot]
			if e.age != g.table.age {
				id = int32(len(g.seen))
				*e = pairEntry{key, id, g.table.age}
				g.seen, g.first = append(g.seen, 0), append(g.first, int32(i))
				break
			}
			if e.key == key {
				f := words[g.first[e.id]]
				if f.end-f.start == w.end-w.start && (len(text) <= 8 || s[f.start:f.end] == text) {
					id = e.id
					break
				}
			}
			slot = (slot + 1) & g.table.mask
		}
		g.seen[id]++
		g.ids = append(g.ids, id)
	}
	g.at, g.gram = g.at[:0], g.gram[:0]
	for i, id := range g.ids {
		if g.seen[id] > 1 {
			g.at, g.gram = append(g.at, int32(i)), append(g.gram, id)
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

// repeated turns the candidates, places of repeated (n-1)-grams, into
// those of repeated n-grams. seen and first are per new id.
func (g *gopher) repeated() {
	g.seen, g.first = g.seen[:0], g.first[:0]
	g.table.reset(len(g.at))
	k := 0
	for i := 0; i+1 < len(g.at); i++ {
		if g.at[i]+1 != g.at[i+1] {
			continue
		}
		key := uint64(g.gram[i])<<32 | uint64(g.gram[i+1])
		slot := g.table.slot(key)
		var id int32
		for {
			e := &g.table.entries[slot]
			if e.age != g.table.age {
				id = int32(len(g.seen))
				*e = pairEntry{key, id, g.table.age}
				g.seen, g.first = append(g.seen, 0), append(g.first, g.at[i])
				break
			}
			if e.key == key {
				id = e.id
				break
			}
			slot = (slot + 1) & g.table.mask
		}
		g.seen[id]++
		g.at[k], g.gram[k] = g.at[i], id
		k++
	}
	kept := 0
	for i := range k {
		if id := g.gram[i]; g.seen[id] > 1 {
			g.at[kept], g.gram[kept] = g.at[i], id
			kept++
		}
	}
	g.at, g.gram = g.at[:kept], g.gram[:kept]
}

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

// reset empties the table and makes room for n keys at half load, of a very
// long document at three quarters.
func (p *pairTable) reset(n int) {
	size := 1 << bits.Len(uint(max(2*n, 16)))
	if n > 1<<18 && size/4*3 > 2*n {
		size /= 2
	}
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

func (p *pairTable) slot(key uint64) int {
	return int((key ^ key>>29) * mix1 >> p.shift)
}

// median is the median length of the words in code points, 0 without words.
func (g *gopher) median(words []word) float64 {
	if len(words) == 0 {
		return 0
	}
	var counts [64]int
	g.long = g.long[:0]
	for _, w := range words {
		if w.runes < int32(len(counts)) {
			counts[w.runes]++
		} else {
			g.long = append(g.long, w.runes)
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
	g.lineAt = g.lineAt[:0]
	for i, start := range starts {
		end := t.lineEnd(i)
		// re.split(\n+) gives an empty piece only before a first and after a
		// last newline.
		if g.mergeNewlines && int(start) == end && i > 0 && i+1 < len(starts) {
			continue
		}
		g.lineAt = append(g.lineAt, slice{int(start), end})
	}
	bullets, ellipses := 0, 0
	g.seen, g.first = g.seen[:0], g.first[:0]
	g.table.reset(len(g.lineAt))
	for i, l := range g.lineAt {
		line := t.S[l.start:l.end]
		if line != "" && (line[0] == '*' || line[0] == '-') {
			bullets++
		}
		if strings.HasSuffix(line, "…") {
			ellipses++
		}
		key := hashBytes(line)
		slot := g.table.slot(key)
		for {
			e := &g.table.entries[slot]
			if e.age != g.table.age {
				*e = pairEntry{key, int32(len(g.seen)), g.table.age}
				g.seen, g.first = append(g.seen, 1), append(g.first, int32(i))
				break
			}
			if f := g.lineAt[g.first[e.id]]; e.key == key && t.S[f.start:f.end] == line {
				g.seen[e.id]++
				break
			}
			slot = (slot + 1) & g.table.mask
		}
	}
	dup, dupChars := 0, 0
	for id, k := range g.seen {
		if k > 1 {
			f := g.lineAt[g.first[id]]
			dup += int(k)
			dupChars += int(k) * (t.Runes(f.end) - t.Runes(f.start))
		}
	}
	n := float64(len(g.lineAt))
	add("fraction_of_lines_starting_with_bullet_point", float64(bullets)/n)
	add("fraction_of_lines_ending_with_ellipsis", float64(ellipses)/n)
	add("fraction_of_duplicate_lines", float64(dup)/n)
	add("fraction_of_characters_in_duplicate_lines", float64(dupChars)/float64(max(total, 1)))
}
