package jinja

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
)

// Text is Python's str of a value, as a template writes it. What a strict template does not write is
// an error.
func Text(v any) (text string, err error) {
	defer recovered(&err, func() int { return 0 })
	return str(v), nil
}

// str is Python's str.
func str(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case markup:
		return string(v)
	case *undefined:
		if v.strict {
			v.fail()
		}
		return ""
	}
	return repr(v)
}

// repr is Python's repr.
func repr(v any) string {
	var b strings.Builder
	writeRepr(&b, v, 0)
	return b.String()
}

func writeRepr(b *strings.Builder, v any, depth int) {
	if b.Len() > maxOutput || depth > maxDepth {
		raise("a value's text is too long or too deep")
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
	case *big.Int:
		b.WriteString(bigText(v))
	case float64:
		b.WriteString(floatText(v))
	case string:
		writeQuoted(b, v)
	case markup:
		b.WriteString("Markup(")
		writeQuoted(b, string(v))
		b.WriteByte(')')
	case octets:
		writeOctets(b, string(v))
	case *undefined:
		b.WriteString("Undefined")
	case *List:
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
			writeRepr(b, x, depth+1)
		}
		b.WriteString(end)
	case *Dict:
		b.WriteByte('{')
		for i, k := range v.keys {
			if i > 0 {
				b.WriteString(", ")
			}
			writeRepr(b, k, depth+1)
			b.WriteString(": ")
			writeRepr(b, v.values[i], depth+1)
		}
		b.WriteByte('}')
	case *view:
		b.WriteString("dict_" + v.kind + "(")
		writeRepr(b, &List{items: v.items()}, depth+1)
		b.WriteByte(')')
	case span:
		fmt.Fprintf(b, "range(%d, %d", v.from, v.to)
		if v.by != 1 {
			fmt.Fprintf(b, ", %d", v.by)
		}
		b.WriteByte(')')
	case *namespace:
		b.WriteString("<Namespace ")
		writeRepr(b, v.of, depth+1)
		b.WriteByte('>')
	case *macro:
		if v.name == nil {
			b.WriteString("<Macro anonymous>")
			return
		}
		b.WriteString("<Macro ")
		writeRepr(b, v.name, depth+1)
		b.WriteByte('>')
	case *loop:
		fmt.Fprintf(b, "<LoopContext %d/%d>", v.index0+1, v.length())
	case templateReference:
		b.WriteString("<TemplateReference None>")
	default:
		// Python writes where in its memory such a value lies.
		raise("the text of a value of type %s is not supported", typeName(v))
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

// bigText refuses what Python's str of an integer refuses.
func bigText(i *big.Int) string {
	s := i.String()
	if len(strings.TrimPrefix(s, "-")) > 4300 {
		raise("Exceeds the limit (4300 digits) for integer string conversion")
	}
	return s
}

// quoteOf is the quotation mark around a text: Python avoids escapes.
func quoteOf(s string) byte {
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		return '"'
	}
	return '\''
}

func writeQuoted(b *strings.Builder, s string) {
	quote := quoteOf(s)
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
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(escaped(r))
		}
	}
	b.WriteByte(quote)
}

// escaped is a character as an escape of Python.
func escaped(r rune) string {
	switch {
	case r < 0x100:
		return fmt.Sprintf(`\x%02x`, r)
	case r < 0x10000:
		return fmt.Sprintf(`\u%04x`, r)
	}
	return fmt.Sprintf(`\U%08x`, r)
}

func writeOctets(b *strings.Builder, s string) {
	quote := quoteOf(s)
	b.WriteByte('b')
	b.WriteByte(quote)
	for i := range len(s) {
		switch c := s[i]; {
		case c == quote || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte(quote)
}
