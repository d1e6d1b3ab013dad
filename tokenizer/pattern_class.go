package tokenizer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// escaped reads what follows a backslash and stands for code points: a set, or
// one after another.
func (p *patternParser) escaped(inClass bool) (set runeSet, text []rune, err error) {
	if !p.more() {
		return nil, nil, errors.New("a backslash at the end")
	}
	start := p.pos
	switch c := p.rune(); c {
	case 's':
		return p.posix("space"), nil, nil
	case 'S':
		return complement(p.posix("space")), nil, nil
	case 'd':
		return p.posix("digit"), nil, nil
	case 'D':
		return complement(p.posix("digit")), nil, nil
	case 'w', 'W':
		set := p.word(inClass)
		if c == 'W' {
			set = complement(set)
		}
		return set, nil, nil
	case 'h':
		return p.posix("xdigit"), nil, nil
	case 'H':
		return complement(p.posix("xdigit")), nil, nil
	case 'p', 'P':
		if !p.take("{") {
			return nil, []rune{c}, nil // the reference has no \pL
		}
		set, err := p.property(c == 'P', inClass)
		return set, nil, err
	case 'x', 'o':
		if p.take("{") {
			set, text, err := p.braced(c, inClass)
			if set != nil || text != nil || err != nil {
				return set, text, err
			}
			// Nothing that can be read: the letter stands for itself.
			p.pos = start + 1
			return nil, []rune{c}, nil
		}
		if c == 'o' || !p.more() {
			return nil, []rune{c}, nil
		}
		p.pos = start
		return p.bytes(inClass)
	case 'u':
		v, n := digitsOf(p.expr[p.pos:], 16, 4)
		if n < 4 {
			return nil, nil, fmt.Errorf(`\u%s is no code point`, p.expr[p.pos:p.pos+n])
		}
		p.pos += n
		return nil, []rune{rune(v)}, validRune(v)
	case '0', '1', '2', '3', '4', '5', '6', '7':
		p.pos = start
		return p.bytes(inClass)
	default:
		p.pos = start
		r, err := p.control()
		return nil, []rune{r}, err
	}
}

// control reads a character that a backslash gives another meaning: \n, \cA,
// \C-a, \M-a.
func (p *patternParser) control() (rune, error) {
	part := func(r rune) (rune, error) {
		if r == '\\' {
			return p.control()
		}
		return r, nil
	}
	if !p.more() {
		return 0, errors.New("a backslash at the end")
	}
	c := p.rune()
	switch c {
	case 'M', 'C':
		if !p.take("-") || !p.more() {
			return 0, fmt.Errorf(`\%c without - and a character`, c)
		}
	case 'c':
		if !p.more() {
			return 0, errors.New(`\c without a character`)
		}
	default:
		if i := strings.IndexRune("ntrfabev", c); i >= 0 {
			return rune("\n\t\r\f\a\b\x1b\v"[i]), nil
		}
		return c, nil
	}
	r := p.rune()
	if c != 'M' && r == '?' {
		return 0x7F, nil
	}
	r, err := part(r)
	if c == 'M' {
		return r&0xFF | 0x80, err
	}
	return r & 0x9F, err
}

// digitsOf reads at most so many digits.
func digitsOf(s string, base, most int) (v uint64, n int) {
	const digits = "0123456789abcdef"
	for n < most && n < len(s) {
		c := s[n]
		if c >= 'A' && c <= 'F' {
			c += 'a' - 'A'
		}
		d := strings.IndexByte(digits[:base], c)
		if d < 0 {
			break
		}
		v = v*uint64(base) + uint64(d)
		n++
	}
	return v, n
}

// validRune refuses numbers that Oniguruma refuses: it takes some that are no code
// points, and which then match nothing.
func validRune(v uint64) error {
	if v > maxOnigurumaRune {
		return fmt.Errorf("%X is no code point", v)
	}
	return nil
}

const maxOnigurumaRune = 0x13FFFF

// bytes reads \xHH and \OOO, which are the bytes of one character of UTF-8. Those
// that are none match nothing.
func (p *patternParser) bytes(inClass bool) (set runeSet, chars []rune, err error) {
	one := func() (byte, error) {
		base, most := 8, 3
		if p.take("x") {
			base, most = 16, 2
		} else if p.peek() == '0' {
			p.pos++ // \0 takes two more
			most = 2
		}
		v, n := digitsOf(p.expr[p.pos:], base, most)
		p.pos += n
		if v > 255 && inClass {
			return 0, fmt.Errorf(`\%o is no byte`, v)
		}
		return byte(v), nil
	}
	b, err := one()
	if err != nil {
		return nil, nil, err
	}
	text := []byte{b}
	need, _, _ := utf8Lead(b)
	if b&0xC0 == 0x80 {
		return nil, nil, fmt.Errorf("the byte %02X begins no character", b)
	}
	for len(text) < need {
		rest := p.expr[p.pos:]
		if !strings.HasPrefix(rest, `\x`) && (len(rest) < 2 || rest[0] != '\\' || rest[1] < '0' || rest[1] > '7') {
			return nil, nil, fmt.Errorf("the byte %02X begins a character of %d bytes", b, need)
		}
		p.pos++
		next, err := one()
		if err != nil {
			return nil, nil, err
		}
		if text = append(text, next); next&0xC0 != 0x80 {
			return nil, nil, fmt.Errorf("the bytes % X begin no character", text)
		}
	}
	switch {
	case utf8.Valid(text):
		return nil, []rune(string(text)), nil
	case inClass:
		return nil, nil, fmt.Errorf("the bytes % X in a class are not supported", text)
	}
	return runeSet{}, nil, nil
}

// braced reads \x{41 42} and \o{101 102} behind the brace; in a class, ranges
// too. It gives nothing where no number follows.
func (p *patternParser) braced(kind rune, inClass bool) (set runeSet, text []rune, err error) {
	base, most := 16, 8
	if kind == 'o' {
		base, most = 8, 11
	}
	number := func() (rune, error) {
		v, n := digitsOf(p.expr[p.pos:], base, most)
		p.pos += n
		if n == 0 {
			return 0, fmt.Errorf(`\%c{ without digits`, kind)
		}
		if _, more := digitsOf(p.expr[p.pos:], max(base, 10), 1); more > 0 {
			return 0, fmt.Errorf(`\%c{ with too many digits`, kind)
		}
		return rune(v), validRune(v)
	}
	if _, n := digitsOf(p.expr[p.pos:], max(base, 10), 1); n == 0 {
		return nil, nil, nil
	}
	ranges := false
	for {
		lo, err := number()
		if err != nil {
			return nil, nil, err
		}
		hi := lo
		if inClass && p.take("-") {
			ranges = true
			if hi, err = number(); err != nil {
				return nil, nil, err
			}
			if hi < lo {
				return nil, nil, fmt.Errorf("the range %X-%X ends before it begins", lo, hi)
			}
		}
		text, set = append(text, lo), append(set, [2]rune{lo, hi})
		for p.take(" ") || p.take("\n") {
		}
		if p.take("}") {
			break
		}
		if !p.more() {
			return nil, nil, fmt.Errorf(`\%c{ without }`, kind)
		}
	}
	if inClass && (ranges || len(text) > 1) {
		return union(set), nil, nil
	}
	return nil, text, nil
}

// property reads Name} or ^Name} after \p{.
func (p *patternParser) property(not, inClass bool) (runeSet, error) {
	if p.take("^") {
		not = !not
	}
	i := strings.IndexAny(p.expr[p.pos:], "}(){|")
	if i < 0 || p.expr[p.pos+i] != '}' {
		return nil, errors.New(`\p{ without }`)
	}
	name := p.expr[p.pos : p.pos+i]
	p.pos += i + 1
	set, ok := p.byName(name)
	if plainName(name) == "word" {
		set = p.word(inClass)
	}
	if !ok {
		return nil, fmt.Errorf("unknown property %q", name)
	}
	if not {
		set = complement(set)
	}
	return set, nil
}

// parsedClass is a class, and whether a ^ turns it around.
type parsedClass struct {
	set runeSet
	not bool
}

func (c parsedClass) result() runeSet {
	if c.not {
		return complement(c.set)
	}
	return c.set
}

// class reads a bracket expression behind its [.
func (p *patternParser) class(depth int) (parsedClass, error) {
	if depth > maxPatternDepth {
		return parsedClass{}, fmt.Errorf("classes are nested more than %d deep", maxPatternDepth)
	}
	c := &classReader{p: p, depth: depth}
	not := p.take("^")
	if p.peek() == ']' {
		// A ] that comes first stands for itself, if another one follows.
		if !hasUnescaped(p.expr[p.pos+1:], ']') {
			return parsedClass{}, errors.New("an empty class")
		}
		p.pos++
		c.last, c.state = ']', stateChar
	}
	for {
		done, err := c.next()
		if err != nil {
			return parsedClass{}, err
		}
		if done {
			return parsedClass{c.finish(), not}, nil
		}
	}
}

// hasUnescaped tells whether c stands in s, not behind a backslash.
func hasUnescaped(s string, c byte) bool {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case c:
			return true
		}
	}
	return false
}

// classReader is a class as far as it is read.
type classReader struct {
	p     *patternParser
	depth int
	set   runeSet
	parts []runeSet // before &&
	state classState
	last  rune // of stateChar and stateRange
}

// classState says what a - would mean now.
type classState int

const (
	stateStart classState = iota // itself
	stateChar                    // a range from the last character
	stateSet                     // an error: a set begins no range
	stateRange                   // the end of a range
	stateDone                    // itself
)

// next reads one member, or the end.
func (c *classReader) next() (done bool, err error) {
	p := c.p
	switch {
	case !p.more():
		return false, errors.New("a class without ]")
	case p.take("]"):
		return true, nil
	case p.take("&&"):
		c.flush()
		c.parts, c.set, c.state = append(c.parts, union(c.set)), nil, stateStart
		return false, nil
	case strings.HasPrefix(p.expr[p.pos:], "[:") && isPosixBracket(p.expr[p.pos+2:]):
		set, err := p.bracket()
		if err != nil {
			return false, err
		}
		return false, c.add(set)
	case p.take("["):
		c.flush()
		c.state = stateDone
		inner, err := p.class(c.depth + 1)
		c.set = append(c.set, inner.result()...)
		return false, err
	case p.take("-"):
		return false, c.hyphen()
	case p.take(`\`):
		set, text, err := p.escaped(true)
		if err != nil {
			return false, err
		}
		if set != nil {
			return false, c.add(set)
		}
		return false, c.char(text[0])
	}
	return false, c.char(p.rune())
}

// char adds a character, or ends a range with it.
func (c *classReader) char(r rune) error {
	if c.state == stateRange {
		if r < c.last {
			return fmt.Errorf("the range %c-%c ends before it begins", c.last, r)
		}
		c.set, c.state = append(c.set, [2]rune{c.last, r}), stateDone
		return nil
	}
	c.flush()
	c.last, c.state = r, stateChar
	return nil
}

// flush adds a character that begins no range.
func (c *classReader) flush() {
	if c.state == stateChar {
		c.set = append(c.set, [2]rune{c.last, c.last})
	}
}

// add adds a set of characters.
func (c *classReader) add(set runeSet) error {
	if c.state == stateRange {
		return errors.New("a range that ends with a class")
	}
	c.flush()
	c.set, c.state = append(c.set, set...), stateSet
	return nil
}

// hyphen reads what a - means.
func (c *classReader) hyphen() error {
	p := c.p
	last := p.peek() == ']' || strings.HasPrefix(p.expr[p.pos:], "&&")
	switch {
	case c.state == stateChar && !last:
		c.state = stateRange
		return nil
	case c.state == stateSet && !last:
		return errors.New("a range that begins with a class")
	}
	return c.char('-')
}

// finish returns the class without its ^.
func (c *classReader) finish() runeSet {
	c.flush()
	set := union(c.set)
	for _, s := range c.parts {
		set = intersection(set, s)
	}
	return set
}

// isPosixBracket tells whether s, behind [:, is a name with its :].
func isPosixBracket(s string) bool {
	name, _, ok := strings.Cut(s, ":]")
	if !ok || name == "" {
		return false
	}
	letters, _ := propertyOf("alpha")
	for i, r := range name {
		if !letters.contains(r) && !(i == 0 && r == '^') {
			return false
		}
	}
	return true
}

// posixNames are the classes of [[:name:]].
var posixNames = []string{
	"alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print",
	"punct", "space", "upper", "xdigit", "ascii", "word",
}

// bracket reads [:name:].
func (p *patternParser) bracket() (runeSet, error) {
	name, _, _ := strings.Cut(p.expr[p.pos+2:], ":]")
	p.pos += len("[:") + len(name) + len(":]")
	plain, not := strings.CutPrefix(name, "^")
	if !slices.Contains(posixNames, plain) {
		return nil, fmt.Errorf("unknown class [:%s:]; known are %s", name, strings.Join(posixNames, ", "))
	}
	set := p.posix(plain)
	if not {
		set = complement(set)
	}
	return set, nil
}

// posix returns a class that POSIX names, of ASCII where an option says so.
func (p *patternParser) posix(name string) runeSet {
	if name == "punct" {
		name = "posixpunct" // \p{Punct} is another one
	}
	set, _ := propertyOf(name)
	if p.isASCII(name) {
		set = intersection(set, runeSet{{0, 127}})
	}
	return set
}

// word returns what \w means. Outside a class Oniguruma asks a table of Latin-1
// before that of Unicode, which has the superscript digits and the fractions
// too.
func (p *patternParser) word(inClass bool) runeSet {
	set := p.posix("word")
	if inClass || p.isASCII("word") {
		return set
	}
	return union(append(runeSet{{0xB2, 0xB3}, {0xB9, 0xB9}, {0xBC, 0xBE}}, set...))
}

func (p *patternParser) isASCII(name string) bool {
	switch name {
	case "word":
		return p.asciiWord || p.asciiPosix
	case "digit":
		return p.asciiDigit || p.asciiPosix
	case "space":
		return p.asciiSpace || p.asciiPosix
	}
	return p.asciiPosix
}

// byName returns the property that \p{name} means.
func (p *patternParser) byName(name string) (runeSet, bool) {
	plain := plainName(name)
	if plain != "punct" && slices.Contains(posixNames, plain) {
		return p.posix(plain), true
	}
	if plain == "posixpunct" {
		return p.posix("punct"), true
	}
	return propertyOf(plain)
}
