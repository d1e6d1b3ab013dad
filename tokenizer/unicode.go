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

// Properties of a code point, as bits of unicodeData.props.
const (
	propLetter = 1 << iota
	propNumber
	propSpace
	propUpper // Lu and Lt; Lm and Lo have this and propLower
	propLower // Ll
	propMark
)

const propBlock = 128

// unicodeData is unicode.txt, parsed.
type unicodeData struct {
	classes map[string]runeSet
	props   *runeTable // of prop bits
	norm    *runeTable // of canonical combining classes, or normUnsure
	ccc     map[rune]uint8
	// nfd and nfkd give full decompositions, compose the primary composite of
	// a pair; Hangul is not in them.
	nfd, nfkd map[rune][]rune
	compose   map[[2]rune]rune
	lower     map[rune][]rune
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
	d.fillNorm()
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

// fillProps builds the table of prop bits.
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
	d.props = newRuneTable(flat)
}

// normUnsure is the class, in norm, of code points that normal form C may
// change or join with what stands before.
const normUnsure = 255

// fillNorm builds the table of combining classes, with normUnsure among them.
func (d *unicodeData) fillNorm() {
	flat := make([]uint8, utf8.MaxRune+1)
	for c, class := range d.ccc {
		flat[c] = class
	}
	for c := range d.nfd {
		flat[c] = normUnsure
	}
	for _, c := range d.compose {
		flat[c] = 0
	}
	for pair := range d.compose {
		flat[pair[1]] = normUnsure
	}
	// Hangul vowels and final consonants compose with what stands before.
	for c := range rune(hangulVCount) {
		flat[hangulV+c] = normUnsure
	}
	for c := rune(1); c < hangulTCount; c++ {
		flat[hangulT+c] = normUnsure
	}
	d.norm = newRuneTable(flat)
}

// runeTable is a byte for each code point, in two stages.
type runeTable struct {
	index  [(utf8.MaxRune + 1) / propBlock]uint8
	blocks [][propBlock]uint8
}

func newRuneTable(flat []uint8) *runeTable {
	t := &runeTable{}
	seen := map[[propBlock]uint8]uint8{}
	for i := range t.index {
		block := [propBlock]uint8(flat[i*propBlock:])
		n, ok := seen[block]
		if !ok {
			if len(t.blocks) > 255 {
				panic("tokenizer: more than 256 blocks of Unicode properties")
			}
			n = uint8(len(t.blocks))
			seen[block] = n
			t.blocks = append(t.blocks, block)
		}
		t.index[i] = n
	}
	return t
}

// of returns the byte of r, a code point up to utf8.MaxRune.
func (t *runeTable) of(r rune) uint8 {
	return t.blocks[t.index[uint32(r)/propBlock]][uint32(r)%propBlock]
}
