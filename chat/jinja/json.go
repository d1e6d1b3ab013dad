package jinja

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// jsonStyle is how tojson writes.
type jsonStyle struct {
	lines       bool   // each item on a line of its own
	indent      string // of such a line, for each level
	item, colon string
	sort, ascii bool
}

func (s *jsonStyle) append(b []byte, v any, depth int) []byte {
	if depth > maxDepth || len(b) > maxOutput {
		panic(&Error{0, "a value is nested too deeply or too long for tojson"})
	}
	newline := func(depth int) {
		if s.lines {
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
			b = s.append(b, x, depth+1)
		}
		newline(depth)
		return append(b, ']')
	case namespace:
		return s.append(b, v.Dict, depth)
	case *Dict:
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
	panic(&Error{0, fmt.Sprintf("Object of type %s is not JSON serializable", typeName(v))})
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
// in their order. Jinja's own tojson takes an indent only and escapes HTML.
func filterToJSON(c *call) any {
	if u, ok := c.x.(undefined); ok {
		c.r.fail(c.line, "'%s' is undefined", u.name)
	}
	style := jsonStyle{item: ", ", colon: ": "}
	style.ascii = truth(c.arg("ensure_ascii", false))
	style.sort = truth(c.arg("sort_keys", false))
	switch indent := c.arg("indent", nil).(type) {
	case int64:
		style.lines, style.indent, style.item = true, c.r.repeated(" ", min(indent, 100), c.line), ","
	case string:
		style.lines, style.indent, style.item = true, indent, ","
	}
	if l, ok := c.arg("separators", nil).(*List); ok && len(l.items) == 2 {
		style.item, style.colon = str(l.items[0]), str(l.items[1])
	}
	return string(style.append(nil, c.x, 0))
}

// sortedKeys are a mapping's keys in the order of sort_keys.
func sortedKeys(d *Dict) []any {
	keys := slices.Clone(d.keys)
	slices.SortStableFunc(keys, func(a, b any) int {
		if isNumber(a) && isNumber(b) {
			return cmp.Compare(toFloat(a), toFloat(b))
		}
		return strings.Compare(str(a), str(b))
	})
	return keys
}
