package charset

import (
	"bytes"
	"errors"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// ErrNoText is the error of bytes that are no text.
var ErrNoText = errors.New("the file holds no text")

// What a declaration says for a set, in eighths of a bit. A server's default says little,
// nor does a declaration of UTF-8 in bytes of which none has its shape.
// All of a text in the shape of UTF-8 says much, even of one character.
const (
	declaredWorth = 30 * bit
	defaultWorth  = 8 * bit
	validWorth    = 20 * bit
)

// Decode decodes a text whose header, page or file says that it is in one of the sets
// declared, in any spelling; empty and unknown names say nothing.
// The text is, by the first of these that holds,
//
//   - in the set of its byte order mark;
//   - in UTF-16 or UTF-32 when NULs stand where these have them;
//   - none, which is ErrNoText, when it begins as files of images, programs and such do or is full of
//     control characters;
//   - in ISO-2022-JP, -KR, -CN or HZ when it has their escape sequences and else ASCII;
//   - in ASCII, or in UTF-8 if it is that without a fault and nothing else is declared;
//   - in that set, of those declared, UTF-8 and all that texts on the web and in files are in, in which it
//     is likeliest, where a declaration weighs as much as 30 bits of likelihood, one that is
//     most servers' default 8: a declared set keeps a text with some bytes that are none of it, and
//     does not have a text of which all of the bytes speak against it.
func Decode(b []byte, declared ...string) (string, error) {
	c, b, err := find(b, declared)
	if err != nil {
		return "", err
	}
	if c == nil {
		return string(b), nil
	}
	return c.decode(b), nil
}

// Detect names the set that Decode would decode a text by; "" of bytes that are no text,
// and utf-8 of ASCII.
func Detect(b []byte, declared ...string) string {
	c, _, err := find(b, declared)
	switch {
	case err != nil:
		return ""
	case c == nil:
		return "utf-8"
	}
	return c.Name
}

var marks = []struct{ mark, name string }{
	{"\xef\xbb\xbf", "utf-8"},
	{"\xff\xfe\x00\x00", "utf-32le"},
	{"\x00\x00\xfe\xff", "utf-32be"},
	{"\xff\xfe", "utf-16le"},
	{"\xfe\xff", "utf-16be"},
	{"\x84\x31\x95\x33", "gb18030"},
}

// find is the set of a text, nil when it is ASCII or UTF-8 without a fault, and the text
// without its mark.
func find(b []byte, names []string) (*Charset, []byte, error) {
	for _, m := range marks {
		if rest, ok := bytes.CutPrefix(b, []byte(m.mark)); ok {
			return byName[m.name], rest, nil
		}
	}
	c, err := unmarked(b, names)
	return c, b, err
}

// unmarked is find for what is no beginning.
func unmarked(b []byte, names []string) (*Charset, error) {
	declared, utf8Set := map[*Charset]int{}, byName["utf-8"]
	for i, name := range names {
		if c := Lookup(name); c != nil {
			worth := declaredWorth
			if i == 0 && c.Name == "windows-1252" {
				worth = defaultWorth
			}
			declared[c] += worth
		}
	}
	valid := utf8.Valid(b)
	if hasNUL := bytes.IndexByte(b, 0) >= 0; hasNUL || !valid {
		if hasNUL {
			if c := wide(b, declared); c != nil {
				return c, nil
			}
		}
		if isBinary(b) {
			return nil, ErrNoText
		}
	}
	if c := shifted(b, declared); c != nil {
		return c, nil
	}
	if _, itself := declared[utf8Set]; valid && (len(declared) == 0 || itself && len(declared) == 1 || isASCII(b)) {
		return nil, nil
	}
	if len(declared) == 0 && !valid && isNearlyUTF8(b) {
		return utf8Set, nil
	}
	return likeliest(b, declared, valid), nil
}

// isNearlyUTF8 tells whether a text is UTF-8 but for a bad byte: one, or one to eight
// characters of several bytes, which no other set gives by chance.
func isNearlyUTF8(b []byte) bool {
	good, bad := 0, 0
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		switch {
		case size > 1:
			good++
		case r == utf8.RuneError:
			bad++
		}
		b = b[size:]
	}
	return good > 0 && bad <= max(1, good/8)
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// likeliest is the set in which a text is likeliest.
func likeliest(b []byte, declared map[*Charset]int, valid bool) *Charset {
	text := sample(b)
	if len(text) == 0 { // all of it in tags
		text = b[:min(len(b), sampleBytes)]
	}
	utf8Set := byName["utf-8"]
	if worth := declared[utf8Set]; worth > 0 && !hasSequence(text) {
		declared[utf8Set] = defaultWorth
	}
	if valid {
		declared[utf8Set] += validWorth
	}
	var best *Charset
	cost := math.MaxInt / 2
	try := func(c *Charset, more int) {
		if got := c.cost(text, cost-more) + more; got < cost {
			best, cost = c, got
		}
	}
	// Those declared come first: of sets that give the same text they stay.
	for _, c := range sets {
		if worth, ok := declared[c]; ok {
			try(c, -worth)
		}
	}
	for name := range upperHalves {
		if worth, ok := declared[byName[name]]; ok {
			try(byName[name], -worth)
		}
	}
	for _, c := range sets {
		_, tried := declared[c]
		if !tried && (c.languages != "" || c == utf8Set) {
			try(c, c.rarity*bit)
		}
	}
	return best
}

// hasSequence tells whether a text has a character of several bytes in UTF-8.
func hasSequence(text []byte) bool {
	for len(text) > 0 {
		_, size := utf8.DecodeRune(text)
		if size > 1 {
			return true
		}
		text = text[size:]
	}
	return false
}

// wide is UTF-16 or UTF-32 when a text without a mark has the shape: characters below
// 256 have NULs in the same half of each.
func wide(b []byte, declared map[*Charset]int) *Charset {
	head := b[:min(len(b), 4096)&^3]
	if len(b) < 4 {
		head = b[:len(b)&^1]
	}
	var nul [4]int
	for i, c := range head {
		if c == 0 {
			nul[i%4]++
		}
	}
	quads, pairs := len(head)/4, len(head)/2
	le, be := nul[1]+nul[3], nul[0]+nul[2]
	name := ""
	switch {
	case quads > 0 && nul[2] == quads && nul[3] == quads && nul[0] < quads/2+1:
		name = "utf-32le"
	case quads > 0 && nul[0] == quads && nul[1] == quads && nul[3] < quads/2+1:
		name = "utf-32be"
	case le > 10*be && isShare(le, pairs, declared[byName["utf-16le"]]):
		name = "utf-16le"
	case be > 10*le && isShare(be, pairs, declared[byName["utf-16be"]]):
		name = "utf-16be"
	default:
		return nil
	}
	c := byName[name]
	if text := c.decode(head); strings.Count(text, "\ufffd") > 1 || isBinary([]byte(text)) {
		return nil
	}
	return c
}

// isShare tells whether so many of the characters have a NUL that the text can be UTF-16:
// a third, and where that is declared a twentieth.
func isShare(nuls, pairs, declared int) bool {
	if declared > 0 {
		return nuls > 0 && nuls*20 >= pairs
	}
	return nuls > 1 && nuls*3 >= pairs
}

// signatures are how files begin that are no text, though parts of some look like one.
var signatures = []string{
	"%PDF-", "\x89PNG", "GIF87a", "GIF89a", "\xff\xd8\xff", "PK\x03\x04", "\x7fELF", "MZ\x90\x00", "\xd0\xcf\x11\xe0", "\x1f\x8b", "BM\xf6", "RIFF",
	"OggS", "ID3\x02", "ID3\x03", "ID3\x04", "\x00\x00\x01\x00", "wOFF", "wOF2", "\x00asm", "SQLite format 3\x00", "\xca\xfe\xba\xbe", "\xcf\xfa\xed\xfe", "II*\x00", "MM\x00*",
	"%!PS-Adobe", "7z\xbc\xaf", "\xfd7zXZ", "Rar!\x1a", "fLaC", "\x00\x00\x00\x18ftyp", "\x00\x00\x00\x1cftyp", "\x00\x00\x00\x20ftyp", "FWS", "CWS",
}

func isSigned(b []byte) bool {
	return slices.ContainsFunc(signatures, func(s string) bool { return bytes.HasPrefix(b, []byte(s)) })
}

// isBinary tells of bytes which are not UTF-8, or have NULs, whether they are no text:
// more than 3 % of them are control characters, and more than three or two NULs together.
func isBinary(b []byte) bool {
	if isSigned(b) {
		return true
	}
	const look = 64 << 10
	head := b[:min(len(b), look)]
	controls := 0
	for _, c := range head {
		if c < '\t' || '\r' < c && c < ' ' && c != 0x1b && c != 0x1a && c != 0x0e && c != 0x0f || c == 0x7f {
			controls++
		}
	}
	return controls*100 > 3*len(head) && (controls > 3 || bytes.Contains(head, []byte("\x00\x00")) || controls == len(bytes.TrimSpace(head)))
}

// shifted is the set of seven bits whose escape sequences a text has.
func shifted(b []byte, declared map[*Charset]int) *Charset {
	switch {
	case bytes.IndexByte(b, 0x1b) >= 0:
		for _, escape := range []struct{ sequence, name string }{
			{"\x1b$)C", "iso-2022-kr"},
			{"\x1b$)A", "iso-2022-cn"},
			{"\x1b$B", "iso-2022-jp"},
			{"\x1b$@", "iso-2022-jp"},
			{"\x1b$(D", "iso-2022-jp"},
			{"\x1b(I", "iso-2022-jp"},
			{"\x1b(J", "iso-2022-jp"},
		} {
			if bytes.Contains(b, []byte(escape.sequence)) && isSeven(b) {
				return byName[escape.name]
			}
		}
	case bytes.Contains(b, []byte("~{")) && isSeven(b):
		if _, ok := declared[byName["hz-gb-2312"]]; ok || isHZ(b) {
			return byName["hz-gb-2312"]
		}
	}
	return nil
}

// isSeven tells whether all but a few bytes have seven bits.
func isSeven(b []byte) bool {
	high := 0
	for _, c := range b {
		if c >= utf8.RuneSelf {
			high++
		}
	}
	return high*50 <= len(b) && high < 20
}

// isHZ tells whether what stands between ~{ and ~} in a text is Chinese.
func isHZ(b []byte) bool {
	gb := byName["gb18030"]
	characters, cost := 0, 0
	for rest := b; ; {
		_, after, ok := bytes.Cut(rest, []byte("~{"))
		if !ok {
			break
		}
		inner, left, ok := bytes.Cut(after, []byte("~}"))
		if !ok || len(inner) == 0 || len(inner)%2 == 1 || bytes.ContainsFunc(inner, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return false
		}
		wide := bytes.Clone(inner)
		for i := range wide {
			wide[i] |= 0x80
		}
		characters += len(wide) / 2
		cost += gb.cost(wide, math.MaxInt/2)
		rest = left
	}
	return characters > 1 && cost < 13*bit*characters
}

// DecodeStrict decodes a text by one set as Python does: false when the name is unknown or a byte
// is none of the set, and Latin-1 is not the web's windows-1252.
func DecodeStrict(b []byte, name string) (string, bool) {
	for _, m := range marks {
		if rest, ok := bytes.CutPrefix(b, []byte(m.mark)); ok {
			b, name = rest, m.name
			break
		}
	}
	c := Lookup(name)
	if c == nil {
		return "", false
	}
	switch alias := squeeze(name); {
	case c.Name == "utf-8":
		return string(b), utf8.Valid(b)
	case strings.Contains(alias, "ascii"), strings.HasSuffix(alias, "646us"):
		return string(b), isASCII(b)
	case strings.Contains(alias, "8859"), strings.HasPrefix(alias, "l"), strings.HasSuffix(alias, "819"):
		if c.Name == "windows-1252" {
			c = byName["iso-8859-1"]
		}
	}
	text := c.decode(b)
	// Python's sets of Windows have nothing where the web's have control characters.
	none := func(r rune) bool {
		return r == utf8.RuneError || 0x80 <= r && r < 0xa0 && !strings.HasPrefix(c.Name, "iso-")
	}
	return text, !strings.ContainsFunc(text, none)
}

// cookie is what editors and Python take for a declaration in the first two lines of a text
// (PEP 263).
var cookie = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[^\n]{0,200}?(?:\n[^\n]{0,200}?)?\b(?:file)?(?:en)?coding[:=][ \t]*([-\w.]+)`)
})

// xmlDeclaration is that of XML 1.0, section 2.8.
var xmlDeclaration = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\s*<\?xml\s[^>]{0,200}?encoding\s*=\s*["']([-\w.:]+)["']`)
})

// Declared is the set that a text says itself that it is in: in an XML declaration, or in
// its first lines as editors and Python read them; "" when it says none.
func Declared(b []byte) string {
	head := b[:min(len(b), 512)]
	if !bytes.Contains(head, []byte("coding")) {
		return ""
	}
	if found := xmlDeclaration().FindSubmatch(head); found != nil {
		return string(found[1])
	}
	if found := cookie().FindSubmatch(head); found != nil && !bytes.HasPrefix(bytes.TrimSpace(head), []byte("<")) {
		return string(found[1])
	}
	return ""
}
