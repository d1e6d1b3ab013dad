package jinja

import (
	"fmt"
	"strconv"
	"strings"
)

// percent is Python's old formatting of %s, %d, %r, %f and %%.
func (r *renderer) percent(format string, args []any, line int) string {
	var b strings.Builder
	next := func() any {
		if len(args) == 0 {
			r.fail(line, "not enough arguments for format string")
		}
		v := args[0]
		args = args[1:]
		return v
	}
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		j := i + 1
		for j < len(format) && strings.IndexByte("0123456789.+-", format[j]) >= 0 {
			j++
		}
		if j == len(format) || j-i > 6 {
			r.fail(line, "incomplete format")
		}
		flags := format[i+1 : j]
		switch format[j] {
		case '%':
			b.WriteByte('%')
		case 's':
			fmt.Fprintf(&b, "%"+flags+"s", str(next()))
		case 'r':
			fmt.Fprintf(&b, "%"+flags+"s", repr(next()))
		case 'd', 'i':
			v := next()
			n, ok := toInt(v)
			if f, isFloat := v.(float64); isFloat {
				n, ok = int64(f), true
			}
			if !ok {
				r.fail(line, "%%d format: a real number is required, not %s", typeName(v))
			}
			fmt.Fprintf(&b, "%"+flags+"d", n)
		case 'f':
			fmt.Fprintf(&b, "%"+flags+"f", toFloat(next()))
		default:
			r.fail(line, "unsupported format character %q", format[j])
		}
		i = j
	}
	return b.String()
}

// format is Python's str.format for {}, {0} and {name}.
func (r *renderer) format(s string, args []any, kw keywords, line int) string {
	var b strings.Builder
	auto := 0
	for i := 0; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], "{{") || strings.HasPrefix(s[i:], "}}"):
			b.WriteByte(s[i])
			i++
		case s[i] == '{':
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				r.fail(line, "expected '}' before end of string")
			}
			field := s[i+1 : i+end]
			i += end
			var v any
			if n, err := strconv.Atoi(field); field == "" || err == nil {
				if field == "" {
					n, auto = auto, auto+1
				}
				if n < 0 || n >= len(args) {
					r.fail(line, "replacement index %d out of range", n)
				}
				v = args[n]
			} else if x, ok := kw.get(field); ok {
				v = x
			} else {
				r.fail(line, "format field %q is not supported", field)
			}
			b.WriteString(str(v))
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}
