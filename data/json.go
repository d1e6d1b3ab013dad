package data

import (
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// maxDepth bounds nesting, so that a hostile line cannot exhaust the stack.
const maxDepth = 1000

// scanner walks one JSON value whose bytes are known to be valid UTF-8. It
// checks the syntax of all that it passes over, as a decoder would, but
// builds only what is asked for.
type scanner struct {
	b     []byte
	i     int
	depth int
	text  bool // numbers that are no integers keep theirs
	// odd is set by what AppendSerde may write otherwise than it stands: escapes that are not
	// the shortest, and all but strings and lists of numbers.
	odd bool
}

func (s *scanner) errorf(format string, args ...any) error {
	return fmt.Errorf("invalid JSON at byte %d: %s", s.i, fmt.Sprintf(format, args...))
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

// peek returns the next byte that is not space, 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

// kind names the value that starts here, for messages.
func (s *scanner) kind() string {
	switch c := s.peek(); {
	case c == '"':
		return "a string"
	case c == '{':
		return "an object"
	case c == '[':
		return "a list"
	case c == 't', c == 'f':
		return "a boolean"
	case c == 'n':
		return "null"
	case c == '-', c >= '0' && c <= '9':
		return "a number"
	}
	return "nothing"
}

// object reads a whole line that must hold one object. field is called at
// each value, with its key, and must consume the value.
func (s *scanner) object(field func(key []byte) error) error {
	if c := s.peek(); c != '{' {
		if c == 0 && s.i == len(s.b) {
			return s.errorf("the line is empty")
		}
		if c != '"' && c != '[' && !json.Valid(s.b) { // a word may begin as null does
			return s.errorf("the line is no JSON")
		}
		return fmt.Errorf("the line is %s, want an object", s.kind())
	}
	if err := s.members(field); err != nil {
		return err
	}
	if s.peek(); s.i < len(s.b) {
		return s.errorf("%q follows the object", s.b[s.i])
	}
	return nil
}

// members reads an object from its opening brace to its closing one.
func (s *scanner) members(field func(key []byte) error) error {
	if s.depth++; s.depth > maxDepth {
		return s.errorf("nested deeper than %d", maxDepth)
	}
	defer func() { s.depth-- }()
	s.odd = true
	s.i++
	if s.peek() == '}' {
		s.i++
		return nil
	}
	for {
		if s.peek() != '"' {
			return s.errorf("want a key in quotes")
		}
		start := s.i
		escaped, err := s.skipString()
		if err != nil {
			return err
		}
		key := s.b[start+1 : s.i-1]
		if escaped {
			key, err = unescape(make([]byte, 0, len(key)), key)
			if err != nil {
				return s.errorf("%v", err)
			}
		}
		if s.peek() != ':' {
			return s.errorf("want ':' after a key")
		}
		s.i++
		if err := field(key); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.i++
		case '}':
			s.i++
			return nil
		default:
			return s.errorf("want ',' or '}' in an object")
		}
	}
}

// elements reads a list from its opening bracket to its closing one; element
// must consume each value.
func (s *scanner) elements(element func(i int) error) error {
	if s.depth++; s.depth > maxDepth {
		return s.errorf("nested deeper than %d", maxDepth)
	}
	defer func() { s.depth-- }()
	s.odd = true
	s.i++
	if s.peek() == ']' {
		s.i++
		return nil
	}
	for i := 0; ; i++ {
		if err := element(i); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.i++
		case ']':
			s.i++
			return nil
		default:
			return s.errorf("want ',' or ']' in a list")
		}
	}
}

// skip passes over one value.
func (s *scanner) skip() error {
	switch c := s.peek(); {
	case c == '"':
		_, err := s.skipString()
		return err
	case c == '{':
		return s.members(func([]byte) error { return s.skip() })
	case c == '[':
		if s.skipNumberLists() {
			return nil
		}
		return s.elements(func(int) error { return s.skip() })
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	case c == '-', c >= '0' && c <= '9':
		return s.skipNumber()
	case c == 0 && s.i >= len(s.b):
		return s.errorf("the line ends within a value")
	}
	return s.errorf("unexpected %q", s.b[s.i])
}

// raw stores the bytes of one value.
func (s *scanner) raw(dst *json.RawMessage) error {
	s.space()
	start := s.i
	if err := s.skip(); err != nil {
		return err
	}
	*dst = s.b[start:s.i:s.i]
	return nil
}

func (s *scanner) literal(word string) error {
	if len(s.b)-s.i < len(word) || string(s.b[s.i:s.i+len(word)]) != word {
		return s.errorf("want %s", word)
	}
	s.i += len(word)
	return nil
}

func (s *scanner) digits() bool {
	start := s.i
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i > start
}

func (s *scanner) skipNumber() error {
	s.odd = true
	if s.b[s.i] == '-' {
		s.i++
	}
	if s.i < len(s.b) && s.b[s.i] == '0' {
		s.i++
	} else if !s.digits() {
		return s.errorf("want a digit")
	}
	if s.i < len(s.b) && s.b[s.i] == '.' {
		s.i++
		if !s.digits() {
			return s.errorf("want a digit after '.'")
		}
	}
	if s.i < len(s.b) && (s.b[s.i] == 'e' || s.b[s.i] == 'E') {
		s.i++
		if s.i < len(s.b) && (s.b[s.i] == '+' || s.b[s.i] == '-') {
			s.i++
		}
		if !s.digits() {
			return s.errorf("want a digit in the exponent")
		}
	}
	return nil
}

func (s *scanner) number() (float64, error) {
	if c := s.peek(); c != '-' && (c < '0' || c > '9') {
		return 0, fmt.Errorf("found %s, want a number", s.kind())
	}
	start := s.i
	if err := s.skipNumber(); err != nil {
		return 0, err
	}
	t := s.b[start:s.i]
	// Offsets and counts, the common case, need no general parser.
	if len(t) <= 15 {
		n, plain := int64(0), true
		for _, c := range t {
			if c < '0' || c > '9' {
				plain = false
				break
			}
			n = n*10 + int64(c-'0')
		}
		if plain {
			return float64(n), nil
		}
	}
	f, err := strconv.ParseFloat(unsafe.String(&t[0], len(t)), 64)
	if err != nil {
		return 0, s.errorf("number %s is out of range", t)
	}
	return f, nil
}

const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
)

// special reports, in the high bit of each byte, quotes, backslashes and
// control characters among eight bytes. Bytes above the first hit may be
// false alarms; the lowest never is.
func special(w uint64) uint64 {
	q := w ^ (lowBits * '"')
	e := w ^ (lowBits * '\\')
	return ((q - lowBits) &^ q & highBits) | ((e - lowBits) &^ e & highBits) | ((w - lowBits*0x20) &^ w & highBits)
}

// skipString passes over a string literal, checks its escapes and says
// whether it has any.
func (s *scanner) skipString() (escaped bool, err error) {
	i, err := s.plain(s.i + 1)
	for err == nil {
		if s.b[i] == '"' {
			s.i = i + 1
			return escaped, nil
		}
		escaped = true
		s.seeEscape(i)
		_, n, e := escape(s.b[i:])
		if e != nil {
			s.i = i
			return false, s.errorf("%v", e)
		}
		i, err = s.plain(i + n)
	}
	return false, err
}

func le64(b []byte) uint64 {
	_ = b[7]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

// str reads a string literal into a string of its own, in one pass.
func (s *scanner) str() (string, error) {
	b := s.b
	start := s.i + 1
	i, err := s.plain(start)
	if err != nil {
		return "", err
	}
	if b[i] == '"' {
		s.i = i + 1
		return string(b[start:i]), nil
	}
	// Text gets shorter when its escapes go; the rest of the line bounds it.
	out := append(make([]byte, 0, len(b)-start), b[start:i]...)
	for b[i] == '\\' {
		s.seeEscape(i)
		r, n, err := escape(b[i:])
		if err != nil {
			s.i = i
			return "", s.errorf("%v", err)
		}
		if r < utf8.RuneSelf {
			out = append(out, byte(r))
		} else {
			out = utf8.AppendRune(out, r)
		}
		i += n
		from := i
		if i, err = s.plain(i); err != nil {
			return "", err
		}
		out = append(out, b[from:i]...)
	}
	s.i = i + 1
	return unsafe.String(unsafe.SliceData(out), len(out)), nil
}

// plain returns where the characters of a string literal that stand for
// themselves end, from i on: at a quote or a backslash.
func (s *scanner) plain(i int) (int, error) {
	b := s.b
	for {
		for i+8 <= len(b) {
			m := special(le64(b[i:]))
			if m != 0 {
				i += bits.TrailingZeros64(m) / 8
				break
			}
			i += 8
		}
		if i >= len(b) {
			s.i = i
			return 0, s.errorf("a string does not end")
		}
		switch c := b[i]; {
		case c == '"', c == '\\':
			return i, nil
		case c < 0x20:
			s.i = i
			return 0, s.errorf("control character 0x%02x in a string", c)
		}
		i++
	}
}

// unescape appends the literal without its escapes to dst.
func unescape(dst, lit []byte) ([]byte, error) {
	for i := 0; i < len(lit); {
		j := i
		for j+8 <= len(lit) {
			w := le64(lit[j:]) ^ (lowBits * '\\')
			if (w-lowBits)&^w&highBits != 0 {
				break
			}
			j += 8
		}
		for j < len(lit) && lit[j] != '\\' {
			j++
		}
		dst = append(dst, lit[i:j]...)
		if j == len(lit) {
			break
		}
		r, n, err := escape(lit[j:])
		if err != nil {
			return dst, err
		}
		dst = utf8.AppendRune(dst, r)
		i = j + n
	}
	return dst, nil
}

// seeEscape looks at the escape sequence at i for odd.
func (s *scanner) seeEscape(i int) {
	if i++; i < len(s.b) && (s.b[i] == 'u' || s.b[i] == '/') {
		s.odd = true
	}
}

// escape decodes the escape sequence at the start of b; n is its length.
func escape(b []byte) (r rune, n int, err error) {
	if len(b) < 2 {
		return 0, 0, fmt.Errorf("a string ends within an escape")
	}
	switch b[1] {
	case '"', '\\', '/':
		return rune(b[1]), 2, nil
	case 'b':
		return '\b', 2, nil
	case 'f':
		return '\f', 2, nil
	case 'n':
		return '\n', 2, nil
	case 'r':
		return '\r', 2, nil
	case 't':
		return '\t', 2, nil
	case 'u':
		r, ok := hex4(b[2:])
		if !ok {
			return 0, 0, fmt.Errorf("\\u needs four hexadecimal digits")
		}
		if !utf16.IsSurrogate(r) {
			return r, 6, nil
		}
		if len(b) >= 12 && b[6] == '\\' && b[7] == 'u' {
			if low, ok := hex4(b[8:]); ok {
				if r := utf16.DecodeRune(r, low); r != utf8.RuneError {
					return r, 12, nil
				}
			}
		}
		return 0, 0, fmt.Errorf("lone surrogate \\u%s", b[2:6])
	}
	return 0, 0, fmt.Errorf("unknown escape \\%c", b[1])
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// spans reads an attributes object: {"name": [[start, end, score], …], …}.
func (s *scanner) spans(dst []Attribute) ([]Attribute, error) {
	if s.peek() != '{' {
		return dst, fmt.Errorf("attributes is %s, want an object", s.kind())
	}
	err := s.members(func(key []byte) error {
		a := Attribute{Name: string(key), Spans: []Span{}}
		if s.peek() != '[' {
			return fmt.Errorf("attribute %s is %s, want a list of spans", key, s.kind())
		}
		err := s.elements(func(int) error {
			if s.peek() != '[' {
				return fmt.Errorf("attribute %s holds %s, want [start, end, score]", key, s.kind())
			}
			var v [3]float64
			n := 0
			err := s.elements(func(i int) error {
				x, err := s.number()
				if err != nil {
					return fmt.Errorf("attribute %s: %w", key, err)
				}
				if i < 3 {
					v[i] = x
				}
				n++
				return nil
			})
			if err != nil {
				return err
			}
			if n != 3 || v[0] != math.Trunc(v[0]) || v[1] != math.Trunc(v[1]) || math.Abs(v[0]) > 1<<53 || math.Abs(v[1]) > 1<<53 {
				return fmt.Errorf("attribute %s holds a span that is not [start, end, score]", key)
			}
			a.Spans = append(a.Spans, Span{int(v[0]), int(v[1]), v[2]})
			return nil
		})
		dst = append(dst, a)
		return err
	})
	return dst, err
}

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string: quotes, backslashes and control
// characters escaped, everything else as it is. Invalid UTF-8 becomes U+FFFD.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	start := 0
	for i := 0; i < len(s); {
		if i+8 <= len(s) {
			w := le64(b[i:])
			m := (special(w) | w) & highBits
			if m == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(m) / 8
		}
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(dst, s[start:i]...)
				dst = append(dst, "\ufffd"...)
				start = i + 1
			}
			i += n
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// AppendFloat appends the shortest form of f that reads back as f, always
// with a fraction or an exponent so that readers see a float, as Python and
// serde_json write it. NaN and infinities, which JSON lacks, become null.
func AppendFloat(dst []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...)
	}
	if a := math.Abs(f); a != 0 && (a < 1e-5 || a >= 1e16) {
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	}
	n := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	for _, c := range dst[n:] {
		if c == '.' {
			return dst
		}
	}
	return append(dst, '.', '0')
}
