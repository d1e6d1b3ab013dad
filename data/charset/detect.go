package charset

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"
)

// A text without a declaration is in the set, and the language, in which its bytes are
// the least surprising: the cost of a reading is what is needed to tell its letters
// one by one, 8 × -log2 of how often each follows the one before. All sets have ASCII in
// common, so only words with other bytes are looked at.

// What is no letter that a model knows.
const (
	badCost    = 20 * bit // bytes that are no character of the set
	asciiCost  = 44       // an ASCII letter where the model does not have it: some more than log2 of 26
	besideCost = 5 * bit  // an ASCII letter without a space beside a character of two bytes
	kanaCost   = 10 * bit // a katakana of half width
	rareCost   = 22 * bit // a character of three or four bytes
)

// sampleBytes is how much of a text is looked at.
const sampleBytes = 3 << 10

// sample are the words of a text, or of a page without its tags, that have bytes which are not
// ASCII, each with the word before and the one behind it: a single letter is a word in
// many languages, and says little alone. None of the bytes that part words is the second of a
// character in any set.
func sample(b []byte) []byte {
	var out, before []byte // before is the last word when it is not in out
	behind := false        // the last word in out is one of those looked for
	for i := 0; i < len(b) && len(out) < sampleBytes; {
		if b[i] == '<' {
			i += tag(b[i:])
			continue
		}
		if b[i] <= ' ' {
			i++
			continue
		}
		start, plain := i, true
		for i < len(b) && b[i] > ' ' && (b[i] != '<' || i == start) && i-start < sampleBytes {
			plain = plain && b[i] < utf8.RuneSelf
			i++
		}
		word := b[start:i]
		switch {
		case !plain:
			if len(before) > 0 && len(before) < longWord {
				out = append(append(out, before...), ' ')
			}
			out = append(append(out, word...), ' ')
			before, behind = nil, true
		case behind && len(word) < longWord:
			out = append(append(out, word...), ' ')
			before, behind = nil, false
		default:
			before, behind = word, false
		}
	}
	return out
}

// longWord is the length of what is no word of a language.
const longWord = 30

// tag is the length of the tag, comment or script that b begins with; 1 of a < that begins none.
func tag(b []byte) int {
	until := func(end string) int {
		const longest = 1 << 16
		if i := bytes.Index(b[:min(len(b), longest)], []byte(end)); i >= 0 {
			return i + len(end)
		}
		return 1
	}
	named := func(name string) bool {
		return len(b) > len(name) && bytes.EqualFold(b[1:1+len(name)], []byte(name))
	}
	switch {
	case len(b) < 2:
		return 1
	case bytes.HasPrefix(b, []byte("<!--")):
		return until("-->")
	case named("script"):
		return max(until("</script"), until("</SCRIPT"))
	case named("style"):
		return max(until("</style"), until("</STYLE"))
	case b[1] == '/', b[1] == '!', b[1] == '?', 'a' <= b[1]|0x20 && b[1]|0x20 <= 'z':
		return until(">")
	}
	return 1
}

// What a byte stands for, besides its letter: words in which capitals follow small
// letters are rare, and so are those with a symbol between two letters.
const (
	boundary = iota
	uncased
	lowerCase
	upperCase
	symbol
)

// kindCosts are those of the second behind the first; a symbol comes first only when it is
// behind a letter.
var kindCosts = [5][5]int{
	boundary:  {0, 0, 0, 2 * bit, 0},
	uncased:   {0, 0, 0, 2 * bit, 0},
	lowerCase: {0, 0, 0, 8 * bit, 0},
	upperCase: {0, 0, 0, bit, 0},
	symbol:    {0, 6 * bit, 6 * bit, 6 * bit, 0},
}

// byteModel is a language in a set of one byte a character.
type byteModel struct {
	lang *language
	// class is that of the letter that a byte stands for, second that of another one that it
	// stands for, too (a letter with a mark), symbol the cost of what is no letter.
	class, second, kind [256]uint8
	symbol              [256]uint16
}

func kindOf(r rune) uint8 {
	switch {
	case unicode.IsUpper(r):
		return upperCase
	case unicode.IsLower(r):
		return lowerCase
	case unicode.IsLetter(r), unicode.IsMark(r):
		return uncased
	case r < utf8.RuneSelf, strings.ContainsRune("’·\u00ad\u200c\u200d", r):
		return boundary
	}
	return symbol
}

// runes are the characters of a set of one byte each; nil of any other.
func (c *Charset) runes() *[256]rune {
	switch coding := c.coding.(type) {
	case *charmap.Charmap:
		var t [256]rune
		for i := range t {
			t[i] = coding.DecodeByte(byte(i))
		}
		return &t
	case upper:
		return coding.runes()
	}
	return nil
}

func newByteModel(runes *[256]rune, l *language) *byteModel {
	m := &byteModel{lang: l}
	for i, r := range runes {
		m.kind[i] = kindOf(r)
		if class, ok := l.class[letter(r)]; ok {
			m.class[i] = class
			if class == 1 && !l.latin {
				m.symbol[i] = asciiCost
			}
			continue
		}
		if parts := []rune(norm.NFD.String(string(r))); len(parts) == 2 && l.code == "vi" {
			first, ok := l.class[letter(parts[0])]
			second, too := l.class[parts[1]]
			if ok && too {
				m.class[i], m.second[i] = first, second
				continue
			}
		}
		m.symbol[i] = symbolCost(r)
	}
	return m
}

// cost is that of a text; when it is above limit, some number above limit.
func (m *byteModel) cost(text []byte, limit int) int {
	total, before, kind := 0, 0, 0
	n, costs := m.lang.n, m.lang.costs
	for _, c := range text {
		class, k := int(m.class[c]), int(m.kind[c])
		total += int(costs[before*n+class]) + int(m.symbol[c]) + kindCosts[kind][k]
		if before = class; k == symbol && (kind == boundary || kind == symbol) {
			k = boundary
		}
		kind = k
		if second := int(m.second[c]); second > 0 {
			total += int(costs[before*n+second])
			before = second
		}
		if total > limit {
			break
		}
	}
	return total
}

// pairModel is a language in a set of two bytes a character.
type pairModel struct {
	// costs are those of two bytes, the first in the upper eight bits; noPair of what is no
	// character.
	costs []uint8
	set   string
}

const noPair = 0xff

func newPairModel(c *Charset, known map[rune]uint8) *pairModel {
	m := &pairModel{costs: bytes.Repeat([]byte{noPair}, 1<<16), set: c.Name}
	var all []byte
	for first := 0x81; first < 0xff; first++ {
		for second := 0x40; second < 0xff; second++ {
			all = append(all, byte(first), byte(second), '\n')
		}
	}
	lines := strings.Split(c.decode(all), "\n")
	for i, line := range lines[:len(lines)-1] {
		r, size := utf8.DecodeRuneInString(line)
		if r == utf8.RuneError || size != len(line) {
			continue
		}
		first, second := 0x81+i/(0xff-0x40), 0x40+i%(0xff-0x40)
		cost, ok := known[r]
		if !ok {
			cost = m.unseen(r, first, second)
		}
		m.costs[first<<8|second] = cost
	}
	return m
}

// unseen is the cost of a character that the model does not have. Each standard has its
// common characters in a first part.
func (m *pairModel) unseen(r rune, first, second int) uint8 {
	common, rare := false, false
	switch m.set {
	case "gb18030":
		common = 0xb0 <= first && first <= 0xd7 && second > 0xa0
		rare = first < 0xb0 || first > 0xf7 || second <= 0xa0
	case "big5":
		common, rare = 0xa4 <= first && first <= 0xc6, first < 0xa4
	case "shift_jis":
		common, rare = 0x88 <= first && first <= 0x98, first > 0xea
	case "euc-jp":
		common = 0xb0 <= first && first <= 0xcf
	case "euc-kr":
		common = 0xb0 <= first && first <= 0xc8 && second > 0xa0
	}
	switch {
	case 0x3000 <= r && r < 0x3040:
		return 6*bit + bit/2
	case 0x3040 <= r && r < 0x3100:
		return 13 * bit
	case 0xff01 <= r && r < 0xff61:
		return 7*bit + bit/2
	case strings.ContainsRune("“”‘’—…·―", r):
		return 7 * bit
	case unicode.Is(unicode.Co, r):
		return badCost
	case !unicode.Is(unicode.Han, r) && !unicode.Is(unicode.Hangul, r):
		return 14 * bit
	case common:
		return 14 * bit
	case rare:
		return 19 * bit
	}
	return 17 * bit
}

// cost is as that of byteModel.
func (m *pairModel) cost(text []byte, limit int) int {
	total, ascii, pair := 0, false, false // what was before
	for i := 0; i < len(text) && total <= limit; {
		c := text[i]
		if c < utf8.RuneSelf {
			if ascii = 'a' <= c|0x20 && c|0x20 <= 'z'; ascii {
				total += asciiCost
				if pair {
					total += besideCost
				}
			}
			pair = false
			i++
			continue
		}
		cost, size := m.character(text[i:])
		if total += cost; ascii {
			total += besideCost
		}
		ascii, pair = false, true
		i += size
	}
	return total
}

// character is the cost and the size of the character that b begins with.
func (m *pairModel) character(b []byte) (cost, size int) {
	switch {
	case m.set == "shift_jis" && 0xa1 <= b[0] && b[0] <= 0xdf:
		return kanaCost, 1
	case len(b) == 1:
		return 0, 1 // cut
	case m.set == "euc-jp" && b[0] == 0x8e && 0xa1 <= b[1] && b[1] <= 0xdf:
		return kanaCost, 2
	case m.set == "euc-jp" && b[0] == 0x8f && len(b) > 2 && b[1] > 0xa0 && b[2] > 0xa0:
		return rareCost, 3
	case m.set == "gb18030" && len(b) > 3 && '0' <= b[1] && b[1] <= '9' && b[2] > 0x80 && '0' <= b[3] && b[3] <= '9':
		return rareCost, 4
	}
	if cost := m.costs[int(b[0])<<8|int(b[1])]; cost != noPair {
		return int(cost), 2
	}
	return badCost, 1
}

// models are made when the first text is compared with the set.
func (c *Charset) models() {
	c.once.Do(func() {
		m := loadModels()
		runes := c.runes()
		if runes == nil {
			if known, ok := m.characters[c.languages]; ok {
				c.pairCosts = newPairModel(c, known)
			}
			return
		}
		languages := strings.Fields(c.languages)
		if len(languages) == 0 { // one that was only declared
			for code := range m.alphabets {
				languages = append(languages, code)
			}
			slices.Sort(languages)
		}
		for _, code := range languages {
			c.byteCosts = append(c.byteCosts, newByteModel(runes, m.alphabets[code]))
		}
	})
}

// cost is that of a text in the language that fits it best; when it is above limit, some
// number above limit.
func (c *Charset) cost(text []byte, limit int) int {
	if c.Name == "utf-8" {
		return utf8Cost(text)
	}
	c.models()
	if c.pairCosts != nil {
		return c.pairCosts.cost(text, limit)
	}
	best := limit + 1
	for _, m := range c.byteCosts {
		best = min(best, m.cost(text, best))
	}
	return best
}

// utf8Cost is that of a text in UTF-8, of which no other bytes have the shape: it needs no
// language.
func utf8Cost(text []byte) int {
	total := 0
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1:
			total += badCost
		case size == 1 && ('a' <= r|0x20 && r|0x20 <= 'z'):
			total += asciiCost
		case size == 2:
			total += 5 * bit
		case size > 2:
			total += 10 * bit
		}
		text = text[size:]
	}
	return total
}
