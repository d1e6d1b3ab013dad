package tagger

import (
	_ "embed"
	"strings"
	"sync"
	"unicode/utf8"
)

func init() {
	register("c4_v1", "C4's rules, javascript as a whole word", func(Options) (Tagger, error) { return &c4{wholeWord: true}, nil })
	register("c4_v2", "C4's rules, javascript anywhere", func(o Options) (Tagger, error) { return &c4{loweredOffsets: o.Compat}, nil })
}

// c4 marks what C4's filters look at: lines, bad words, code and filler.
//
// Raffel et al. 2020, section 2.2, as Dolma 1.2.1 has it in
// python/dolma/taggers/c4.py.
type c4 struct {
	wholeWord bool // v1: javascript must be a word of its own
	// v2 of Dolma measures line offsets in the lower-cased text, which is
	// longer where it holds U+0130.
	loweredOffsets bool
}

// minWordsPerLine is C4's least number of words in a line.
const minWordsPerLine = 3

// naughtyList is the English part of the "List of Dirty, Naughty, Obscene,
// and Otherwise Bad Words" that C4 uses (github.com/LDNOOBW, CC BY 4.0), one
// entry a line, as Dolma 1.2.1 ships it.
//
//go:embed naughty_words_en.txt
var naughtyList string

// naughtyWords is the list in the forms that the scan needs.
type naughtyWords struct {
	words map[string]bool
	// maybe has a bit for every first, second and length of a listed word.
	maybe [1 << 16 / 64]uint64
	// phrases are found by the characters around their first space.
	around  [1 << 16 / 64]uint64
	phrases map[[2]byte][]phrase
}

var naughtyEnglish = sync.OnceValue(func() *naughtyWords {
	n := &naughtyWords{words: map[string]bool{}, phrases: map[[2]byte][]phrase{}}
	addPhrase := func(text string, lorem bool) {
		at := strings.IndexByte(text, ' ')
		key := [2]byte{text[at-1], text[at+1]}
		n.phrases[key] = append(n.phrases[key], phrase{text, at, lorem})
		setBit(&n.around, uint16(key[0])<<8|uint16(key[1]))
	}
	for _, w := range strings.Split(strings.TrimRight(naughtyList, "\n"), "\n") {
		if strings.Contains(w, " ") {
			addPhrase(w, false)
			continue
		}
		n.words[w] = true
		if len(w) > 1 {
			setBit(&n.maybe, wordBit(w[0], w[1], len(w)))
		}
	}
	addPhrase("lorem ipsum", true)
	return n
})

type phrase struct {
	text  string
	at    int // of the first space
	lorem bool
}

func setBit(set *[1 << 16 / 64]uint64, i uint16)      { set[i/64] |= 1 << (i % 64) }
func hasBit(set *[1 << 16 / 64]uint64, i uint16) bool { return set[i/64]>>(i%64)&1 != 0 }

func wordBit(a, b byte, n int) uint16 {
	return uint16(a&0x1f)<<11 | uint16(b&0x3f)<<5 | uint16(min(n, 31))
}

func (c *c4) Tag(t *Text, out *Spans) error {
	naughty := naughtyEnglish()
	words := t.Words()
	lines := t.Lines()
	var isNaughty, javascript, lorem bool
	s := t.S
	lowered := func(i int) byte { // one byte, ASCII capitals made small
		b := s[i]
		if b-'A' < 26 {
			b |= 0x20
		}
		return b
	}
	exotic := !t.ASCII && strings.ContainsAny(s, "\u0130\u212a")
	for i, w := range words {
		start, end := int(w.start), int(w.end())
		if !w.has(hasHigh) {
			if n := end - start; !isNaughty && n > 1 && hasBit(&naughty.maybe, wordBit(lowered(start), lowered(start+1), n)) {
				isNaughty = naughty.words[lower(s[start:end])]
			}
			if c.wholeWord && end-start == len("javascript") && lowered(start) == 'j' {
				javascript = javascript || strings.EqualFold(s[start:end], "javascript")
			}
		} else {
			isNaughty = isNaughty || naughty.words[lower(s[start:end])]
			if exotic && c.wholeWord {
				javascript = javascript || lower(s[start:end]) == "javascript"
			}
		}
		// Phrases have single spaces: the words around one are neighbours.
		if i > 0 && start-int(words[i-1].end()) == 1 && s[start-1] == ' ' {
			key := [2]byte{lowered(start - 2), lowered(start)}
			if hasBit(&naughty.around, uint16(key[0])<<8|uint16(key[1])) {
				for _, p := range naughty.phrases[key] {
					from := start - 1 - p.at
					if from >= 0 && from+len(p.text) <= len(s) && equalLowered(s[from:from+len(p.text)], p.text) {
						lorem = lorem || p.lorem
						isNaughty = isNaughty || !p.lorem
					}
				}
			}
		}
	}
	if exotic {
		// Capitals above ASCII that turn into ASCII letters: search the
		// lower-cased text itself.
		low := lower(s)
		for _, ps := range naughty.phrases {
			for _, p := range ps {
				if strings.Contains(low, p.text) {
					lorem = lorem || p.lorem
					isNaughty = isNaughty || !p.lorem
				}
			}
		}
		if !c.wholeWord {
			javascript = strings.Contains(low, "javascript")
		}
	} else if !c.wholeWord {
		javascript = containsLowered(s, "javascript")
	}

	flag := func(name string, on bool) {
		if on {
			out.Add(name, 0, t.Len, 1)
		}
	}
	flag("has_curly_brace", strings.IndexByte(s, '{') >= 0)
	flag("has_lorem_ipsum", lorem)
	flag("has_javascript", javascript)
	flag("has_naughty_word", isNaughty)

	w, from := 0, 0 // the first word not before the line; its start in code points
	extra := c.loweredOffsets && exotic && strings.ContainsRune(s, 0x130)
	for i := range lines {
		end := t.lineEnd(i)
		next := end
		if i+1 < len(lines) {
			next++
		}
		to := t.Runes(next)
		if extra {
			to = utf8.RuneCountInString(s[:next]) + strings.Count(s[:next], "\u0130")
		}
		n := w
		for n < len(words) && int(words[n].start) < end {
			n++
		}
		ends := false
		if n > w {
			switch s[words[n-1].end()-1] {
			case '.', '?', '!', '"':
				ends = true
			}
		}
		if !ends {
			out.Add("lines_with_no_ending_punctuation", from, to, 1)
		}
		if n-w < minWordsPerLine {
			out.Add("lines_with_too_few_words", from, to, 1)
		}
		w, from = n, to
	}
	out.Add("line_count", 0, t.Len, float64(len(lines)))
	return nil
}

// equalLowered compares s, with ASCII capitals made small, with low.
func equalLowered(s, low string) bool {
	for i := range len(low) {
		b := s[i]
		if b-'A' < 26 {
			b |= 0x20
		}
		if b != low[i] {
			return false
		}
	}
	return true
}

// containsLowered looks for low, whose first letter is rare, in s without
// regard to ASCII case.
func containsLowered(s, low string) bool {
	for _, first := range [2]byte{low[0], low[0] - 0x20} {
		for i := 0; ; i++ {
			j := strings.IndexByte(s[i:], first)
			if j < 0 || i+j+len(low) > len(s) {
				break
			}
			if i += j; equalLowered(s[i:i+len(low)], low) {
				return true
			}
		}
	}
	return false
}
