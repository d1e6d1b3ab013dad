package tokenizer

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// unicodeText holds the classes of code points. Go's own tables are of another
// Unicode version than the reference's, and change with the compiler; these
// ranges are what the reference answers.
//
//go:embed unicode.txt
var unicodeText string

// Properties of a code point, as bits of runeProps.
const (
	propLetter = 1 << iota
	propNumber
	propSpace
	propUpper // Lu and Lt; Lm and Lo have this and propLower
	propLower // Ll
	propMark
	propNFC // normal form C may change it, or text around it
)

const propBlock = 128

// unicodeData is unicode.txt, parsed.
type unicodeData struct {
	classes map[string]runeSet
	// index and blocks are a table in two stages of prop bits.
	index  [(utf8.MaxRune + 1) / propBlock]uint8
	blocks [][propBlock]uint8
	ccc    map[rune]uint8
	// nfd and nfkd give full decompositions, compose the primary composite of
	// a pair; Hangul is not in them.
	nfd, nfkd map[rune][]rune
	compose   map[[2]rune]rune
	lower     map[rune][]rune
}

// runeSet is a sorted list of ranges, both ends included.
type runeSet [][2]rune

func (s runeSet) contains(r rune) bool {
	lo, hi := 0, len(s)
	for lo < hi {
		mid := (lo + hi) / 2
		if s[mid][1] < r {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo < len(s) && s[lo][0] <= r
}

// unicodeTables parses unicode.txt on its first call.
var unicodeTables = sync.OnceValue(func() *unicodeData {
	d, err := parseUnicode(unicodeText)
	if err != nil {
		panic("tokenizer: unicode.txt: " + err.Error())
	}
	return d
})

func parseUnicode(text string) (*unicodeData, error) {
	d := &unicodeData{classes: map[string]runeSet{}, ccc: map[rune]uint8{}, compose: map[[2]rune]rune{}}
	var composites runeSet
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		kind, rest, _ := strings.Cut(line, " ")
		var err error
		switch kind {
		case "#":
		case "class":
			name, ranges, _ := strings.Cut(rest, " ")
			d.classes[name], err = parseRanges(ranges)
		case "ccc":
			class, ranges, _ := strings.Cut(rest, " ")
			var c uint64
			if c, err = strconv.ParseUint(class, 10, 8); err != nil {
				return nil, err
			}
			var set runeSet
			set, err = parseRanges(ranges)
			for _, r := range set {
				for c0 := r[0]; c0 <= r[1]; c0++ {
					d.ccc[c0] = uint8(c)
				}
			}
		case "nfd":
			d.nfd, err = parseMappings(rest)
		case "nfkd":
			d.nfkd, err = parseMappings(rest)
		case "lower":
			d.lower, err = parseMappings(rest)
		case "composite":
			composites, err = parseRanges(rest)
		default:
			err = fmt.Errorf("unknown line %q", kind)
		}
		if err != nil {
			return nil, err
		}
	}
	d.fillCompose(composites)
	d.fillProps()
	return d, nil
}

func parseRune(s string) (rune, error) {
	v, err := strconv.ParseUint(s, 16, 32)
	return rune(v), err
}

func parseRanges(s string) (runeSet, error) {
	set := make(runeSet, 0, strings.Count(s, " ")+1)
	for f := range strings.SplitSeq(s, " ") {
		a, b, two := strings.Cut(f, "-")
		lo, err := parseRune(a)
		if err != nil {
			return nil, err
		}
		hi := lo
		if two {
			if hi, err = parseRune(b); err != nil {
				return nil, err
			}
		}
		set = append(set, [2]rune{lo, hi})
	}
	return set, nil
}

func parseMappings(s string) (map[rune][]rune, error) {
	m := make(map[rune][]rune, strings.Count(s, " ")+1)
	for f := range strings.SplitSeq(s, " ") {
		from, to, _ := strings.Cut(f, "=")
		r, err := parseRune(from)
		if err != nil {
			return nil, err
		}
		var list []rune
		for t := range strings.SplitSeq(to, "+") {
			c, err := parseRune(t)
			if err != nil {
				return nil, err
			}
			list = append(list, c)
		}
		m[r] = list
	}
	return m, nil
}

// fillCompose derives the pairs from full decompositions: a composite is what
// its decomposition without the last code point composes to, and that one.
func (d *unicodeData) fillCompose(composites runeSet) {
	byText := map[string]rune{}
	for length := 2; length <= 4; length++ {
		for _, r := range composites {
			for c := r[0]; c <= r[1]; c++ {
				full := d.nfd[c]
				if len(full) != length {
					continue
				}
				head := full[0]
				if length > 2 {
					head = byText[string(full[:length-1])]
				}
				byText[string(full)] = c
				d.compose[[2]rune{head, full[length-1]}] = c
			}
		}
	}
}

// fillProps builds the two-stage table of prop bits.
func (d *unicodeData) fillProps() {
	flat := make([]uint8, utf8.MaxRune+1)
	mark := func(set runeSet, bits uint8) {
		for _, r := range set {
			for c := r[0]; c <= r[1]; c++ {
				flat[c] |= bits
			}
		}
	}
	for class, bits := range map[string]uint8{
		"Lu": propLetter | propUpper, "Lt": propLetter | propUpper, "Ll": propLetter | propLower,
		"Lm": propLetter | propUpper | propLower, "Lo": propLetter | propUpper | propLower,
		"Mn": propMark, "Mc": propMark, "Me": propMark,
		"Nd": propNumber, "Nl": propNumber, "No": propNumber, "space": propSpace,
	} {
		mark(d.classes[class], bits)
	}
	// Whatever does not stay itself, reorders, or can be the second half of a
	// pair that composes.
	for c := range d.ccc {
		flat[c] |= propNFC
	}
	for pair := range d.compose {
		flat[pair[1]] |= propNFC
	}
	for c := range d.nfd {
		flat[c] |= propNFC
	}
	for _, c := range d.compose {
		flat[c] &^= propNFC
	}
	// Hangul vowels and final consonants compose with what stands before.
	mark(runeSet{{hangulV, hangulV + hangulVCount - 1}, {hangulT + 1, hangulT + hangulTCount - 1}}, propNFC)
	seen := map[[propBlock]uint8]uint8{}
	for i := range d.index {
		block := [propBlock]uint8(flat[i*propBlock:])
		n, ok := seen[block]
		if !ok {
			if len(d.blocks) > 255 {
				panic("tokenizer: more than 256 blocks of Unicode properties")
			}
			n = uint8(len(d.blocks))
			seen[block] = n
			d.blocks = append(d.blocks, block)
		}
		d.index[i] = n
	}
}

// props returns the prop bits of r, a code point up to utf8.MaxRune.
func (d *unicodeData) props(r rune) uint8 {
	return d.blocks[d.index[uint32(r)/propBlock]][uint32(r)%propBlock]
}
