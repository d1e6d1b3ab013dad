package chat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// The values of a template: nil (none), bool, int64, float64, string, and these.
type (
	undefined struct{ name string }
	list      struct {
		items []any
		tuple bool
	}
	// dict keeps its keys in order.
	dict struct {
		keys []any
		m    map[any]any
	}
	namespace struct{ *dict }
	// function is what can be called.
	function func(r *renderer, args []any, kw map[string]any) any
)

func newDict() *dict { return &dict{m: map[any]any{}} }

func (d *dict) set(k, v any) {
	k = hashKey(k)
	if _, ok := d.m[k]; !ok {
		d.keys = append(d.keys, k)
	}
	d.m[k] = v
}

func (d *dict) get(k any) (any, bool) {
	k = hashKey(k)
	v, ok := d.m[k]
	return v, ok
}

// hashKey makes equal keys of Python equal keys of a map.
func hashKey(k any) any {
	switch k := k.(type) {
	case nil, string, int64:
		return k
	case bool:
		if k {
			return int64(1)
		}
		return int64(0)
	case float64:
		if k == math.Trunc(k) && math.Abs(k) < 1<<53 {
			return int64(k)
		}
		return k
	}
	panic(&templateError{0, fmt.Sprintf("unhashable type: %s", typeName(k))})
}

func typeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case *list:
		if v.tuple {
			return "tuple"
		}
		return "list"
	case *dict:
		return "dict"
	case undefined:
		return "Undefined"
	}
	return "object"
}

// fromJSON reads one JSON value, with its objects' keys in order.
func fromJSON(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := decodeJSON(d)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("text after the JSON value")
	}
	return v, nil
}

func decodeJSON(d *json.Decoder) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Number:
		if i, err := strconv.ParseInt(string(t), 10, 64); err == nil {
			return i, nil
		}
		return strconv.ParseFloat(string(t), 64)
	case json.Delim:
		if t == '[' {
			l := &list{}
			for d.More() {
				v, err := decodeJSON(d)
				if err != nil {
					return nil, err
				}
				l.items = append(l.items, v)
			}
			_, err := d.Token()
			return l, err
		}
		m := newDict()
		for d.More() {
			k, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := decodeJSON(d)
			if err != nil {
				return nil, err
			}
			m.set(k, v)
		}
		_, err := d.Token()
		return m, err
	}
	return t, nil // nil, bool, string
}

func truth(v any) bool {
	switch v := v.(type) {
	case nil, undefined:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case *list:
		return len(v.items) > 0
	case *dict:
		return len(v.keys) > 0
	}
	return true
}

// str is Python's str.
func str(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case undefined:
		return ""
	}
	return repr(v)
}

func repr(v any) string {
	var b strings.Builder
	writeRepr(&b, v)
	return b.String()
}

func writeRepr(b *strings.Builder, v any) {
	if b.Len() > maxOutput {
		panic(&templateError{0, "the template's text is too long"})
	}
	switch v := v.(type) {
	case nil:
		b.WriteString("None")
	case bool:
		if v {
			b.WriteString("True")
		} else {
			b.WriteString("False")
		}
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		b.WriteString(floatText(v))
	case string:
		b.WriteString(reprString(v))
	case undefined:
		b.WriteString("Undefined")
	case *list:
		open, end := "[", "]"
		if v.tuple {
			open, end = "(", ")"
			if len(v.items) == 1 {
				end = ",)"
			}
		}
		b.WriteString(open)
		for i, x := range v.items {
			if i > 0 {
				b.WriteString(", ")
			}
			writeRepr(b, x)
		}
		b.WriteString(end)
	case *dict:
		b.WriteByte('{')
		for i, k := range v.keys {
			if i > 0 {
				b.WriteString(", ")
			}
			writeRepr(b, k)
			b.WriteString(": ")
			writeRepr(b, v.m[k])
		}
		b.WriteByte('}')
	case namespace:
		b.WriteString("<Namespace>") // it may hold itself
	default:
		b.WriteString("<function>")
	}
}

// floatText is Python's repr of a float.
func floatText(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

func reprString(s string) string {
	quote := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	var b strings.Builder
	b.WriteByte(quote)
	for _, r := range s {
		switch {
		case r == rune(quote) || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == ' ' || unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte(quote)
	return b.String()
}

func isNumber(v any) bool {
	switch v.(type) {
	case int64, float64, bool:
		return true
	}
	return false
}

func toFloat(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	case bool:
		if v {
			return 1
		}
	}
	return 0
}

func toInt(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

func equal(a, b any) bool {
	if isNumber(a) && isNumber(b) {
		i, iok := toInt(a)
		j, jok := toInt(b)
		if iok && jok {
			return i == j
		}
		return toFloat(a) == toFloat(b)
	}
	switch a := a.(type) {
	case nil:
		return b == nil
	case undefined:
		_, ok := b.(undefined)
		return ok
	case string:
		s, ok := b.(string)
		return ok && a == s
	case *list:
		l, ok := b.(*list)
		if !ok || len(a.items) != len(l.items) || a.tuple != l.tuple {
			return false
		}
		for i := range a.items {
			if !equal(a.items[i], l.items[i]) {
				return false
			}
		}
		return true
	case *dict:
		d, ok := b.(*dict)
		if !ok || len(a.keys) != len(d.keys) {
			return false
		}
		for _, k := range a.keys {
			v, ok := d.m[k]
			if !ok || !equal(a.m[k], v) {
				return false
			}
		}
		return true
	}
	return false
}

// jsonStyle is how tojson writes.
type jsonStyle struct {
	indent      string // "" for one line
	item, colon string
	sort, ascii bool
}

func (s *jsonStyle) append(b []byte, v any, depth int) []byte {
	if depth > maxDepth || len(b) > maxOutput {
		panic(&templateError{0, "a value is nested too deeply or too long for tojson"})
	}
	newline := func(depth int) {
		if s.indent != "" {
			b = append(b, '\n')
			b = append(b, strings.Repeat(s.indent, depth)...)
		}
	}
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, v)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float64:
		switch {
		case math.IsInf(v, 1):
			return append(b, "Infinity"...)
		case math.IsInf(v, -1):
			return append(b, "-Infinity"...)
		case math.IsNaN(v):
			return append(b, "NaN"...)
		}
		return append(b, floatText(v)...)
	case string:
		return s.appendString(b, v)
	case *list:
		if len(v.items) == 0 {
			return append(b, "[]"...)
		}
		b = append(b, '[')
		for i, x := range v.items {
			if i > 0 {
				b = append(b, s.item...)
			}
			newline(depth + 1)
			b = s.append(b, x, depth+1)
		}
		newline(depth)
		return append(b, ']')
	case namespace:
		return s.append(b, v.dict, depth)
	case *dict:
		if len(v.keys) == 0 {
			return append(b, "{}"...)
		}
		keys := v.keys
		if s.sort {
			keys = sortedKeys(v)
		}
		b = append(b, '{')
		for i, k := range keys {
			if i > 0 {
				b = append(b, s.item...)
			}
			newline(depth + 1)
			switch k := k.(type) {
			case string:
				b = s.appendString(b, k)
			case nil:
				b = append(b, `"null"`...)
			default:
				b = s.appendString(b, str(k))
			}
			b = append(b, s.colon...)
			b = s.append(b, v.m[k], depth+1)
		}
		newline(depth)
		return append(b, '}')
	}
	panic(&templateError{0, fmt.Sprintf("Object of type %s is not JSON serializable", typeName(v))})
}

func (s *jsonStyle) appendString(b []byte, text string) []byte {
	b = append(b, '"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r == '\b':
			b = append(b, `\b`...)
		case r == '\f':
			b = append(b, `\f`...)
		case r < 0x20 || s.ascii && r > 0x7e && r < 0x10000:
			b = fmt.Appendf(b, `\u%04x`, r)
		case s.ascii && r >= 0x10000:
			r -= 0x10000
			b = fmt.Appendf(b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			b = append(b, string(r)...)
		}
	}
	return append(b, '"')
}
