package jinja

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// jsonStyle is how tojson writes.
type jsonStyle struct {
	lines       bool   // each item on a line of its own
	indent      string // of such a line, for each level
	item, colon string
	given       bool // item was asked for
	sort, ascii bool
}

func (s *jsonStyle) append(r *renderer, b []byte, v any, depth int) []byte {
	if depth > maxDepth || len(b) > maxOutput {
		raise("a value is nested too deeply or too long for tojson")
	}
	newline := func(depth int) {
		if s.lines {
			b = append(b, '\n')
			for range depth {
				b = append(b, s.indent...)
			}
		}
	}
	switch v := v.(type) {
	case string:
		return s.appendString(b, v)
	case markup:
		return s.appendString(b, string(v))
	case *List:
		if len(v.items) == 0 {
			return append(b, "[]"...)
		}
		b = append(b, '[')
		for i, x := range v.items {
			if i > 0 {
				b = append(b, s.item...)
			}
			newline(depth + 1)
			b = s.append(r, b, x, depth+1)
		}
		newline(depth)
		return append(b, ']')
	case *Dict:
		if len(v.keys) == 0 {
			return append(b, "{}"...)
		}
		order := make([]int, len(v.keys))
		for i := range order {
			order[i] = i
		}
		if s.sort {
			r.sortStable(order, func(i, j int) bool { return r.ordered("<", v.keys[i], v.keys[j], 0) })
		}
		b = append(b, '{')
		for i, at := range order {
			if i > 0 {
				b = append(b, s.item...)
			}
			newline(depth + 1)
			switch k := v.keys[at].(type) {
			case string:
				b = s.appendString(b, k)
			case markup:
				b = s.appendString(b, string(k))
			default:
				name, ok := jsonScalar(k)
				if !ok {
					raise("keys must be str, int, float, bool or None, not %s", typeName(k))
				}
				b = s.appendString(b, name)
			}
			b = append(b, s.colon...)
			b = s.append(r, b, v.values[at], depth+1)
		}
		newline(depth)
		return append(b, '}')
	}
	word, ok := jsonScalar(v)
	if !ok {
		known(v)
		raise("Object of type %s is not JSON serializable", typeName(v))
	}
	return append(b, word...)
}

// jsonScalar is none, a truth value or a number as JSON has it; NaN and infinities as
// Python writes them.
func jsonScalar(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "null", true
	case bool:
		return strconv.FormatBool(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case *big.Int:
		return bigText(v), true
	case float64:
		switch {
		case math.IsInf(v, 1):
			return "Infinity", true
		case math.IsInf(v, -1):
			return "-Infinity", true
		case math.IsNaN(v):
			return "NaN", true
		}
		return floatText(v), true
	}
	return "", false
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

// filterToJSON is json.dumps as Transformers calls it: other scripts as they are, keys
// in their order.
func filterToJSON(c *call) any {
	style := jsonStyle{item: ", ", colon: ": ", ascii: truth(c.arg(0, false)), sort: truth(c.arg(3, false))}
	if v := c.arg(2, nil); v != nil {
		style.given = true
		pair := c.r.unpack(v, 2)
		for i, p := range pair {
			if _, ok := text(p); !ok {
				raise("separators must be texts, not %s", typeName(pair[i]))
			}
		}
		style.item, style.colon = str(pair[0]), str(pair[1])
	}
	return c.r.json(&style, c.self, c.arg(1, nil))
}

// filterSafeJSON is Jinja2's own tojson: what means something in HTML is escaped, and
// keys are sorted.
func filterSafeJSON(c *call) any {
	style := jsonStyle{item: ", ", colon: ": ", ascii: true, sort: true}
	return markup(strings.NewReplacer("<", `\u003c`, ">", `\u003e`, "&", `\u0026`, "'", `\u0027`).Replace(c.r.json(&style, c.self, c.arg(0, nil))))
}

func (s *jsonStyle) setIndent(r *renderer, indent any) {
	if indent == nil {
		return
	}
	s.lines = true
	if !s.given {
		s.item = ","
	}
	if t, ok := text(indent); ok {
		s.indent = t
		return
	}
	if !isInt(indent) {
		known(indent)
		raise("can't multiply sequence by non-int of type '%s'", typeName(indent))
	}
	pad, _ := r.repeated(" ", small(indent, "the indent"))
	s.indent = pad.(string)
}

func (r *renderer) json(s *jsonStyle, v, indent any) string {
	if _, ok := text(v); !ok { // of a text Python doesn't look at it
		s.setIndent(r, indent)
	}
	out := string(s.append(r, nil, v, 0))
	r.spend(len(out))
	return out
}

// sortStable sorts by less, which is asked as Python's sort asks it: it may fail.
func (r *renderer) sortStable(order []int, less func(i, j int) bool) {
	r.steps += len(order)
	slices.SortStableFunc(order, func(i, j int) int {
		switch {
		case less(i, j):
			return -1
		case less(j, i):
			return 1
		}
		return 0
	})
}

// maxNesting is how deep JSON may nest, as in encoding/json, whose tokens come from any depth: going
// down a line of brackets would end the process.
const maxNesting = 10_000

// FromJSON reads one value; the decoder keeps numbers as they are written (UseNumber). Integers are
// integers, as in Python.
func FromJSON(d *json.Decoder) (any, error) { return fromDecoder(d, 0) }

func fromDecoder(d *json.Decoder, depth int) (any, error) {
	if depth > maxNesting {
		return nil, fmt.Errorf("nested deeper than %d", maxNesting)
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch v := t.(type) {
	case json.Number:
		if !strings.ContainsAny(string(v), ".eE") {
			if i, err := strconv.ParseInt(string(v), 10, 64); err == nil {
				return i, nil
			}
			if b, ok := new(big.Int).SetString(string(v), 10); ok {
				return b, nil
			}
		}
		return v.Float64()
	case json.Delim:
		if v == '[' {
			var items []any
			for d.More() {
				item, err := fromDecoder(d, depth+1)
				if err != nil {
					return nil, err
				}
				items = append(items, item)
			}
			_, err := d.Token()
			return NewList(items...), err
		}
		m := NewDict()
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			item, err := fromDecoder(d, depth+1)
			if err != nil {
				return nil, err
			}
			m.Set(key.(string), item)
		}
		_, err := d.Token()
		return m, err
	}
	return t, nil
}
