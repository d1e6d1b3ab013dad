package charset

import (
	_ "embed"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

// models.txt says how letters follow each other in each language; models.py made it and
// describes it.
//
//go:embed models.txt
var modelsText string

// All costs are in eighths of a bit: 8 × -log2 of a frequency.
const bit = 8

// language is an alphabet with how often its letters follow each other.
type language struct {
	code  string
	latin bool
	// class is a letter's row and column in costs: 0 is the boundary of words, and 1
	// that of ASCII letters in an alphabet that is not Latin.
	class map[rune]uint8
	n     int
	costs []uint8 // (n, n), of the second behind the first
}

// models are all languages: alphabets, and for those of many characters the cost of
// each.
type models struct {
	alphabets  map[string]*language
	characters map[string]map[rune]uint8
}

var loadModels = sync.OnceValue(func() models {
	m := models{map[string]*language{}, map[string]map[rune]uint8{}}
	var l *language
	var characters map[rune]uint8
	for line := range strings.Lines(modelsText) {
		line = strings.TrimSuffix(line, "\n")
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case word == "language":
			l, characters = &language{code: rest, class: map[rune]uint8{}, n: 1}, nil
			m.alphabets[rest] = l
		case word == "characters":
			l, characters = nil, map[rune]uint8{}
			m.characters[rest] = characters
		case l != nil && word == "letters":
			if l.latin = strings.HasPrefix(rest, "a"); !l.latin {
				l.n++
				for c := 'a'; c <= 'z'; c++ {
					l.class[c] = 1
				}
			}
			for _, c := range rest {
				l.class[c] = uint8(l.n)
				l.n++
			}
		case l != nil:
			for i := range len(line) {
				l.costs = append(l.costs, line[i]-0x23)
			}
		default:
			cost, err := strconv.ParseUint(word, 10, 8)
			if err != nil {
				panic("models.txt: " + err.Error())
			}
			for _, c := range rest {
				characters[c] = uint8(cost)
			}
		}
	}
	return m
})

// folded are letters that models do not tell apart, because the old sets have one of
// them.
var folded = map[rune]rune{'ș': 'ş', 'ț': 'ţ', 'ی': 'ي', 'ى': 'ي'}

// letter is a rune as the models have it.
func letter(r rune) rune {
	r = unicode.ToLower(r)
	if f, ok := folded[r]; ok {
		return f
	}
	return r
}

// symbolCost is the cost of a rune of one byte that is no letter of the language: of what
// texts are full of little, of what hardly any holds much.
func symbolCost(r rune) uint16 {
	switch {
	case r < 0x80:
		return 0
	case r == unicode.ReplacementChar:
		return 20 * bit
	case r < 0xa0:
		return 16 * bit
	case strings.ContainsRune("\u00a0«»„“”‘’–—…،؟", r):
		return 5 * bit
	case strings.ContainsRune("©®™§°•·№€£´¡¿ªº", r):
		return 8 * bit
	case strings.ContainsRune("¢¨±²³µ¼½¾×÷†‡‰‹›¥\u00ad;\u200c\u200d\u200e\u200f", r):
		return 10 * bit
	case 0x2500 <= r && r < 0x25a0:
		return 11 * bit
	case unicode.IsLetter(r), unicode.IsMark(r):
		return 13 * bit
	}
	return 14 * bit
}
