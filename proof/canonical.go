package proof

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// Canonical writes a text in JSON in the one way of RFC 8785: members in the order of their names'
// UTF-16, no spaces, numbers as ECMAScript writes a float64, strings with no escape that is not needed.
// A name that an object has twice, a number that float64 does not hold and what is no UTF-8
// are errors.
func Canonical(text []byte) ([]byte, error) {
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("it is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	b, err := appendValue(nil, d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("there is more behind the value")
	}
	return b, nil
}

// CanonicalOf is Canonical of what encoding/json makes of v.
func CanonicalOf(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return Canonical(text)
}

// maxDepth is how deep values may nest, as for encoding/json: a stack of a gigabyte that is full
// ends the program.
const maxDepth = 10000

func appendValue(b []byte, d *json.Decoder, depth int) ([]byte, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("it nests more than %d values", maxDepth)
	}
	switch v := t.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return fmt.Appendf(b, "%t", v), nil
	case string:
		return appendString(b, v), nil
	case json.Number:
		return appendNumber(b, v)
	}
	if t == json.Delim('[') {
		b = append(b, '[')
		for n := 0; d.More(); n++ {
			if n > 0 {
				b = append(b, ',')
			}
			if b, err = appendValue(b, d, depth+1); err != nil {
				return nil, err
			}
		}
		_, err = d.Token()
		return append(b, ']'), err
	}
	return appendObject(b, d, depth)
}

func appendObject(b []byte, d *json.Decoder, depth int) ([]byte, error) {
	type member struct {
		name  string
		units []uint16
		value []byte
	}
	var members []member
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		name := t.(string)
		value, err := appendValue(nil, d, depth+1)
		if err != nil {
			return nil, err
		}
		members = append(members, member{name, utf16.Encode([]rune(name)), value})
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	slices.SortFunc(members, func(a, b member) int { return slices.Compare(a.units, b.units) })
	b = append(b, '{')
	for i, m := range members {
		if i > 0 {
			if m.name == members[i-1].name {
				return nil, fmt.Errorf("an object has two members %q", m.name)
			}
			b = append(b, ',')
		}
		b = append(append(appendString(b, m.name), ':'), m.value...)
	}
	return append(b, '}'), nil
}

// appendNumber writes a number as ECMAScript does, which is what encoding/json does with a
// float64.
func appendNumber(b []byte, n json.Number) ([]byte, error) {
	f, err := n.Float64()
	if err != nil || math.IsInf(f, 0) {
		return nil, fmt.Errorf("%s is no number that float64 holds", n)
	}
	if f == 0 {
		f = 0 // of −0, too
	}
	text, err := json.Marshal(f)
	return append(b, text...), err
}

// appendString writes a string with the escapes that JSON demands and no others.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r >= ' ':
			b = utf8.AppendRune(b, r)
		default:
			if i := bytes.IndexByte([]byte("\b\t\n\f\r"), byte(r)); i >= 0 {
				b = append(b, '\\', "btnfr"[i])
			} else {
				b = fmt.Appendf(b, `\u%04x`, r)
			}
		}
	}
	return append(b, '"')
}
