package tokenizer

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonReader walks a JSON text without building values for it. A vocabulary of
// 100,000 entries and its merges is read in a few milliseconds this way; the
// small rest of the file goes to encoding/json.
type jsonReader struct {
	data string
	pos  int
	line bool // data is one line, whose number others tell
}

// errorf gives an error that names the line and column (in bytes, from 1) at
// offset at.
func (r *jsonReader) errorf(at int, format string, args ...any) error {
	at = min(at, len(r.data))
	if r.line {
		return fmt.Errorf("column %d: %w", at+1, fmt.Errorf(format, args...))
	}
	line := 1 + strings.Count(r.data[:at], "\n")
	column := at - strings.LastIndexByte(r.data[:at], '\n')
	return fmt.Errorf("line %d, column %d: %w", line, column, fmt.Errorf(format, args...))
}

func (r *jsonReader) space() {
	for r.pos < len(r.data) {
		switch r.data[r.pos] {
		case ' ', '\t', '\n', '\r':
			r.pos++
		default:
			return
		}
	}
}

// peek returns the next byte that is not space, or 0 at the end.
func (r *jsonReader) peek() byte {
	r.space()
	if r.pos < len(r.data) {
		return r.data[r.pos]
	}
	return 0
}

// expect reads c, after space.
func (r *jsonReader) expect(c byte) error {
	if got := r.peek(); got != c {
		return r.unexpected(strconv.QuoteRune(rune(c)))
	}
	r.pos++
	return nil
}

func (r *jsonReader) unexpected(want string) error {
	if r.pos >= len(r.data) {
		return r.errorf(r.pos, "the file ends where %s is expected", want)
	}
	c, _ := utf8.DecodeRuneInString(r.data[r.pos:])
	return r.errorf(r.pos, "found %q where %s is expected", c, want)
}

// object calls field for every key of an object; field reads the value.
func (r *jsonReader) object(field func(key string, at int) error) error {
	if err := r.expect('{'); err != nil {
		return err
	}
	if r.peek() == '}' {
		r.pos++
		return nil
	}
	for {
		r.space()
		at := r.pos
		key, err := r.str()
		if err != nil {
			return err
		}
		if err := r.expect(':'); err != nil {
			return err
		}
		if err := field(key, at); err != nil {
			return err
		}
		switch r.peek() {
		case ',':
			r.pos++
		case '}':
			r.pos++
			return nil
		default:
			return r.unexpected("',' or '}'")
		}
	}
}

// array calls element for every element; element reads it.
func (r *jsonReader) array(element func() error) error {
	if err := r.expect('['); err != nil {
		return err
	}
	if r.peek() == ']' {
		r.pos++
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		switch r.peek() {
		case ',':
			r.pos++
		case ']':
			r.pos++
			return nil
		default:
			return r.unexpected("',' or ']'")
		}
	}
}

// str reads a string.
func (r *jsonReader) str() (string, error) {
	if err := r.expect('"'); err != nil {
		return "", err
	}
	start := r.pos
	ascii := true
	for i := start; i < len(r.data); i++ {
		switch c := r.data[i]; {
		case c == '"':
			r.pos = i + 1
			s := r.data[start:i]
			if !ascii && !utf8.ValidString(s) {
				return "", r.errorf(start, "string %q is not valid UTF-8", s)
			}
			return s, nil
		case c == '\\':
			return r.escaped(start, i)
		case c < ' ':
			return "", r.errorf(i, "control character %q inside a string", c)
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return "", r.errorf(start-1, "string without an end")
}

// escaped reads the rest of a string whose first escape stands at i.
func (r *jsonReader) escaped(start, i int) (string, error) {
	out := append(make([]byte, 0, i-start+32), r.data[start:i]...)
	for i < len(r.data) {
		c := r.data[i]
		switch {
		case c == '"':
			r.pos = i + 1
			if !utf8.Valid(out) {
				return "", r.errorf(start, "string %q is not valid UTF-8", out)
			}
			return string(out), nil
		case c < ' ':
			return "", r.errorf(i, "control character %q inside a string", c)
		case c != '\\':
			out = append(out, c)
			i++
			continue
		}
		if i+1 >= len(r.data) {
			break
		}
		at := i
		i += 2
		switch e := r.data[i-1]; e {
		case '"', '\\', '/':
			out = append(out, e)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			c, n := r.hex(i)
			if n == 0 {
				return "", r.errorf(at, "\\u needs four hexadecimal digits")
			}
			i += n
			if utf16.IsSurrogate(c) {
				low, n := rune(0), 0
				if strings.HasPrefix(r.data[i:], `\u`) {
					low, n = r.hex(i + 2)
				}
				c = utf16.DecodeRune(c, low)
				if n == 0 || c == utf8.RuneError {
					return "", r.errorf(at, "half a surrogate pair")
				}
				i += 2 + n
			}
			out = utf8.AppendRune(out, c)
		default:
			return "", r.errorf(at, "unknown escape \\%c", e)
		}
	}
	return "", r.errorf(start-1, "string without an end")
}

// hex reads four hexadecimal digits at i; n is 0 where they are not there.
func (r *jsonReader) hex(i int) (c rune, n int) {
	if i+4 > len(r.data) {
		return 0, 0
	}
	v, err := strconv.ParseUint(r.data[i:i+4], 16, 16)
	if err != nil {
		return 0, 0
	}
	return rune(v), 4
}

// id reads a token id of a vocabulary.
func (r *jsonReader) id() (int32, error) { return r.idUpTo(maxTokenID) }

// anyID reads an id that somebody else wrote, as large as the reference takes it.
// One that no vocabulary here can have is −1.
func (r *jsonReader) anyID() (int32, error) { return r.idUpTo(math.MaxUint32) }

func (r *jsonReader) idUpTo(most int64) (int32, error) {
	r.space()
	start := r.pos
	n := int64(0)
	for r.pos < len(r.data) && '0' <= r.data[r.pos] && r.data[r.pos] <= '9' {
		n = n*10 + int64(r.data[r.pos]-'0')
		if n > most {
			return 0, r.errorf(start, "token id above %d", most)
		}
		r.pos++
	}
	if r.pos == start {
		return 0, r.unexpected("a token id (a whole number from 0)")
	}
	if n > maxTokenID {
		return -1, nil
	}
	return int32(n), nil
}

// number reads a number.
func (r *jsonReader) number() (float64, error) {
	r.space()
	start := r.pos
	for r.pos < len(r.data) && strings.IndexByte("+-.0123456789eE", r.data[r.pos]) >= 0 {
		r.pos++
	}
	v, err := strconv.ParseFloat(r.data[start:r.pos], 64)
	if err != nil {
		return 0, r.errorf(start, "a number is expected")
	}
	return v, nil
}

// raw reads any value and returns its text.
func (r *jsonReader) raw() (json.RawMessage, error) {
	r.space()
	start := r.pos
	depth := 0
	for {
		var err error
		switch c := r.peek(); c {
		case '{', '[':
			depth++
			r.pos++
			// A limit keeps hostile files from exhausting the stack of
			// whoever reads the value.
			if depth > 200 {
				return nil, r.errorf(r.pos, "nested more than 200 deep")
			}
			continue
		case '}', ']':
			depth--
			r.pos++
		case ',', ':':
			if depth == 0 {
				return nil, r.unexpected("a value")
			}
			r.pos++
			continue
		case '"':
			_, err = r.str()
		case 0:
			err = r.unexpected("a value")
		default:
			at := r.pos
			for r.pos < len(r.data) && strings.IndexByte(" \t\r\n,:]}[{\"", r.data[r.pos]) < 0 {
				r.pos++
			}
			if r.pos == at {
				err = r.unexpected("a value")
			}
		}
		if err != nil {
			return nil, err
		}
		if depth <= 0 {
			text := []byte(r.data[start:r.pos])
			if !json.Valid(text) {
				return nil, r.errorf(start, "not a JSON value")
			}
			return text, nil
		}
	}
}
