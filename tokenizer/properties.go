package tokenizer

import (
	_ "embed"
	"iter"
	"strings"
	"sync"
	"unicode/utf8"
)

// propertiesText holds what \p{…}, [[:…:]], (?i) and \X need to know of code
// points, as the reference answers it (testdata/properties.py). It is read only
// where an expression asks for it.
//
//go:embed properties.txt
var propertiesText string

// propertyLines gives the lines of a kind: what stands before the colon, and
// what stands behind it.
func propertyLines(kind string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for line := range strings.Lines(propertiesText) {
			rest, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), kind+" ")
			if !ok {
				continue
			}
			names, text, _ := strings.Cut(rest, ": ")
			if !yield(names, text) {
				return
			}
		}
	}
}

// propertyRanges gives the text of each property's ranges by its names.
var propertyRanges = sync.OnceValue(func() map[string]string {
	m := map[string]string{}
	for names, text := range propertyLines("property") {
		for name := range strings.FieldsSeq(names) {
			m[name] = text
		}
	}
	return m
})

// plainName is a property's name without case, spaces, hyphens and underscores.
func plainName(name string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(name))
}

// propertyOf returns the code points of a property, by its plain name.
func propertyOf(name string) (runeSet, bool) {
	text, ok := propertyRanges()[name]
	if !ok {
		return nil, false
	}
	set := runeSet{}
	if text != "" {
		set = mustRanges(text)
	}
	return set, true
}

// mustRanges is parseRanges for a text of ours.
func mustRanges(text string) runeSet {
	set, err := parseRanges(text)
	if err != nil {
		panic("tokenizer: properties.txt: " + err.Error())
	}
	return set
}

// foldTables says which code points are one where case does not count.
type foldTables struct {
	// equal holds the others that one code point is equal to; ß and ẞ are.
	equal map[rune][]rune
	// long holds the two or three code points, folded, that one is equal to;
	// short is its inverse.
	long  map[rune][]rune
	short map[string][]rune
	// low is one of each class, for comparing.
	low map[rune]rune
}

var folds = sync.OnceValue(func() *foldTables {
	t := &foldTables{equal: map[rune][]rune{}, long: map[rune][]rune{}, short: map[string][]rune{}, low: map[rune]rune{}}
	members := func(text string) []rune {
		var list []rune
		for _, r := range mustRanges(text) {
			list = append(list, r[0])
		}
		return list
	}
	for _, text := range propertyLines("fold") {
		list := members(text)
		for i, r := range list {
			t.low[r] = list[0]
			t.equal[r] = append(append(t.equal[r], list[:i]...), list[i+1:]...)
		}
	}
	for from, text := range propertyLines("long") {
		long := members(from)
		for _, r := range members(text) {
			t.long[r] = long
		}
		t.short[string(long)] = members(text)
	}
	return t
})

// scripts holds the script of each code point as the pre-tokenizer UnicodeScripts
// has them, from 1; 0 joins any. Kana is in one script with Han.
var scripts = sync.OnceValue(func() *runeTable {
	flat := make([]uint8, utf8.MaxRune+1)
	script := uint8(0)
	for _, text := range propertyLines("script") {
		script++
		for _, r := range mustRanges(text) {
			for c := r[0]; c <= r[1]; c++ {
				flat[c] = script
			}
		}
	}
	return newRuneTable(flat)
})

// Kinds of code points in the rules of grapheme clusters (Unicode Standard Annex
// 29, table 2).
const (
	clusterOther = iota
	clusterControl
	clusterExtend
	clusterPrepend
	clusterSpacing
	clusterL
	clusterV
	clusterT
	clusterLVT
	clusterRegional
	clusterPicture
)

var clusterNames = []string{
	"other", "control", "extend", "prepend", "spacing", "l", "v", "t", "lvt", "regional", "picture",
}

var clusters = sync.OnceValue(func() *runeTable {
	flat := make([]uint8, utf8.MaxRune+1)
	for name, text := range propertyLines("cluster") {
		for kind, n := range clusterNames {
			if n != name {
				continue
			}
			for _, r := range mustRanges(text) {
				for c := r[0]; c <= r[1]; c++ {
					flat[c] = uint8(kind)
				}
			}
		}
	}
	return newRuneTable(flat)
})

const zeroWidthJoiner = 0x200D

// charEdge tells whether a grapheme cluster ends at pos, by the rules GB1 to
// GB999 as Oniguruma has them: without GB9c, of Indic conjuncts.
func charEdge(s string, pos int) bool {
	if pos == 0 || pos == len(s) {
		return true
	}
	before, n := utf8.DecodeLastRuneInString(s[:pos])
	after, _ := utf8.DecodeRuneInString(s[pos:])
	kinds := clusters()
	a, b := kinds.of(before), kinds.of(after)
	switch {
	case before == '\r' && after == '\n':
		return false
	case a == clusterControl || b == clusterControl:
		return true
	case isHangulKind(a) && isHangulKind(b):
		return hangulEdge(before, a, after, b)
	case b == clusterExtend || b == clusterSpacing || a == clusterPrepend:
		return false
	case before == zeroWidthJoiner && b == clusterPicture:
		return !afterPicture(s[:pos-n])
	case a == clusterRegional && b == clusterRegional:
		return regionalBefore(s[:pos-n])%2 == 1
	}
	return true
}

func isHangulKind(k uint8) bool { return k >= clusterL && k <= clusterLVT }

// hangulEdge is rules GB6 to GB8. A syllable of two letters is in clusterLVT too
// and known by its number.
func hangulEdge(before rune, a uint8, after rune, b uint8) bool {
	open := a == clusterV || a == clusterLVT && isLV(before)
	switch {
	case a == clusterL && b != clusterT:
		return false
	case open && (b == clusterV || b == clusterT):
		return false
	case b == clusterT && (a == clusterLVT || a == clusterT):
		return false
	}
	return true
}

func isLV(r rune) bool { return (r-hangulS)%hangulTCount == 0 }

// afterPicture tells whether s ends with a picture and what extends it.
func afterPicture(s string) bool {
	kinds := clusters()
	for s != "" {
		r, n := utf8.DecodeLastRuneInString(s)
		switch {
		case kinds.of(r) == clusterPicture:
			return true
		case kinds.of(r) != clusterExtend || r == zeroWidthJoiner:
			return false
		}
		s = s[:len(s)-n]
	}
	return false
}

// regionalBefore counts the regional indicators at the end of s.
func regionalBefore(s string) int {
	kinds := clusters()
	count := 0
	for s != "" {
		r, n := utf8.DecodeLastRuneInString(s)
		if kinds.of(r) != clusterRegional {
			break
		}
		count++
		s = s[:len(s)-n]
	}
	return count
}
