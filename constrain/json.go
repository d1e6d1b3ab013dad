package constrain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// value is JSON with its members in their order and its numbers as they are written.
type value struct {
	kind    byte // one of n t f 0 " [ {: null, true, false, a number, a string, an array, an object
	text    string
	list    []*value // entries, or members' values
	names   []string
	pointer string // RFC 6901
}

// maxDepth bounds how deep a schema's JSON nests.
const maxDepth = 200

// readJSON reads a text that is one value. Errors have the line and the column.
func readJSON(data []byte) (*value, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")) // Windows tools write it
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	r := &jsonReader{d}
	v, err := r.value("", 0)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("there is more behind its value")
		}
	}
	at := d.InputOffset()
	if err == nil && !utf8.Valid(data) {
		err, at = errors.New("it is not UTF-8"), int64(invalid(data))
	}
	if i := loneSurrogate(string(data)); err == nil && i >= 0 {
		err, at = fmt.Errorf("%s is half a character", data[i:i+6]), int64(i)
	}
	if err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			at = syntax.Offset
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err, at = errors.New("it ends before its end"), int64(len(data))
		}
		before := string(data[:min(int(at), len(data))])
		line := strings.Count(before, "\n") + 1
		column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
		return nil, fmt.Errorf("line %d, column %d: %w", line, column, err)
	}
	return v, nil
}

func invalid(data []byte) int {
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n < 2 {
			return i
		}
		i += n
	}
	return len(data)
}

// loneSurrogate returns the place of an escape that is half a character, −1 for none. The
// package encoding/json would read U+FFFD.
func loneSurrogate(s string) int {
	unit := func(i int) rune {
		if i+6 > len(s) || s[i:i+2] != `\u` {
			return 0
		}
		u, err := strconv.ParseUint(s[i+2:i+6], 16, 16)
		if err != nil {
			return 0
		}
		return rune(u)
	}
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			continue
		}
		switch u := unit(i); {
		case u >= 0xD800 && u < 0xDC00:
			if low := unit(i + 6); low < 0xDC00 || low > 0xDFFF {
				return i
			}
			i += 11
		case u >= 0xDC00 && u < 0xE000:
			return i
		default:
			i++
		}
	}
	return -1
}

type jsonReader struct{ d *json.Decoder }

func (r *jsonReader) value(pointer string, depth int) (*value, error) {
	t, err := r.d.Token()
	if err != nil {
		return nil, err
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("values nest more than %d deep", maxDepth)
	}
	v := &value{pointer: pointer}
	switch t := t.(type) {
	case nil:
		v.kind = 'n'
	case bool:
		v.kind = strconv.FormatBool(t)[0]
	case json.Number:
		v.kind, v.text = '0', t.String()
	case string:
		v.kind, v.text = '"', t
	case json.Delim:
		v.kind = byte(t)
		seen := map[string]bool{}
		for r.d.More() {
			at := strconv.Itoa(len(v.list))
			if t == '{' {
				name, err := r.d.Token()
				if err != nil {
					return nil, err
				}
				n := name.(string)
				if seen[n] {
					return nil, fmt.Errorf("%q stands twice in %s", n, place(pointer))
				}
				seen[n] = true
				v.names = append(v.names, n)
				at = strings.NewReplacer("~", "~0", "/", "~1").Replace(n)
			}
			x, err := r.value(pointer+"/"+at, depth+1)
			if err != nil {
				return nil, err
			}
			v.list = append(v.list, x)
		}
		if _, err := r.d.Token(); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// place is a pointer as errors show it.
func place(pointer string) string { return "#" + pointer }

// member returns the value of a member, nil for none.
func (v *value) member(name string) *value {
	for i, n := range v.names {
		if n == name {
			return v.list[i]
		}
	}
	return nil
}

// at follows a JSON pointer.
func (v *value) at(pointer string) *value {
	for _, part := range strings.Split(pointer, "/")[1:] {
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		switch v.kind {
		case '{':
			v = v.member(part)
		case '[':
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(v.list) || strconv.Itoa(i) != part {
				return nil
			}
			v = v.list[i]
		default:
			return nil
		}
		if v == nil {
			return nil
		}
	}
	return v
}

// kindNames are the words for kinds.
var kindNames = map[byte]string{'n': "null", 't': "true", 'f': "false", '0': "a number", '"': "a string", '[': "an array", '{': "an object"}

// maxExponent bounds the exponents of numbers, which are computed exactly.
const maxExponent = 400

// number returns the exact value of a number.
func (v *value) number() (*big.Rat, error) {
	text := strings.ToLower(v.text)
	if _, e, ok := strings.Cut(text, "e"); ok {
		if n, err := strconv.Atoi(e); err != nil || n > maxExponent || n < -maxExponent {
			return nil, fmt.Errorf("%s has an exponent beyond %d", v.text, maxExponent)
		}
	}
	if len(text) > 2*maxExponent {
		return nil, fmt.Errorf("%.20s… has more than %d characters", v.text, 2*maxExponent)
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil, fmt.Errorf("%s is no number", v.text)
	}
	return r, nil
}

// quoted is the canonical writing of a string.
func quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch c, ok := jsonShort[r]; {
		case ok:
			b.WriteByte('\\')
			b.WriteByte(c)
		case r < ' ':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// equal tells whether two values are the same, as JSON Schema means it: numbers by their
// value, members in any order.
func (v *value) equal(o *value) bool {
	if v.kind != o.kind || len(v.list) != len(o.list) {
		return false
	}
	switch v.kind {
	case '0':
		a, errA := v.number()
		b, errB := o.number()
		if errA != nil || errB != nil {
			return v.text == o.text
		}
		return a.Cmp(b) == 0
	case '"':
		return v.text == o.text
	case '[':
		for i, x := range v.list {
			if !x.equal(o.list[i]) {
				return false
			}
		}
	case '{':
		for i, name := range v.names {
			if x := o.member(name); x == nil || !v.list[i].equal(x) {
				return false
			}
		}
	}
	return true
}
