package jinja

import (
	"math/big"
	"strings"
	"unicode/utf8"
)

// percents is one use of Python's older formatting, "%".
type percents struct {
	args   []any // of a tuple
	single any   // what else stood there, absent once it was used
	all    any
	esc    func(any) markup
}

// percent is format % v. esc, unless it is nil, escapes what is put in.
func (r *renderer) percent(format string, v any, esc func(any) markup) string {
	p := &percents{single: v, all: v, esc: esc}
	t, isTuple := v.(*List)
	isTuple = isTuple && t.tuple
	if isTuple {
		p.args, p.single = t.items, absent
	}
	var b strings.Builder
	keyed := false
	for {
		i := strings.IndexByte(format, '%')
		if i < 0 {
			b.WriteString(format)
			break
		}
		b.WriteString(format[:i])
		format = format[i+1:]
		if strings.HasPrefix(format, "(") {
			keyed = true
			if format = p.key(r, format); strings.HasPrefix(format, "%") {
				raise("unsupported format character '%%'")
			}
		}
		var text string
		text, format = p.one(format)
		b.WriteString(text)
		r.spend(b.Len())
	}
	if len(p.args) > 0 && !keyed || p.single != absent && !isTuple && !keyed && !subscriptable(v) {
		raise("not all arguments converted during string formatting")
	}
	return b.String()
}

// subscriptable says whether Python takes a value for a mapping of names here.
func subscriptable(v any) bool {
	switch v.(type) {
	case *Dict, *List, *undefined, span, octets:
		return true
	}
	return false
}

// key reads (name), whose value is the next argument, and returns what follows.
func (p *percents) key(r *renderer, format string) string {
	if l, ok := p.all.(*List); !subscriptable(p.all) || ok && l.tuple {
		raise("format requires a mapping")
	}
	depth := 0
	for i := range len(format) {
		switch format[i] {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 {
			v, ok := r.subscript(p.all, format[1:i])
			if !ok {
				raise("no value for %q", format[:i+1])
			}
			p.single = v
			return format[i+1:]
		}
	}
	raise("incomplete format key")
	return ""
}

func (p *percents) next() any {
	switch {
	case p.single != absent:
		v := p.single
		p.single = absent
		return v
	case len(p.args) > 0:
		v := p.args[0]
		p.args = p.args[1:]
		return v
	}
	raise("not enough arguments for format string")
	return nil
}

// one writes what stands behind a "%", and returns the rest of the format.
func (p *percents) one(format string) (text, rest string) {
	if strings.HasPrefix(format, "%") {
		return "%", format[1:]
	}
	f := spec{fill: " ", sign: '-', precision: -1}
	left, zero := false, false
flags:
	for format != "" {
		switch format[0] {
		case '-':
			left = true
		case '+':
			f.sign = '+'
		case ' ':
			if f.sign != '+' {
				f.sign = ' '
			}
		case '#':
			f.alternate = true
		case '0':
			zero = true
		default:
			break flags
		}
		format = format[1:]
	}
	number := func(otherwise int) int {
		if strings.HasPrefix(format, "*") {
			format = format[1:]
			v := p.next()
			n, ok := toInt(v)
			if !ok {
				raise("* wants int")
			}
			if n > maxOutput || n < -maxOutput {
				raise("the template's text is too long")
			}
			return int(n)
		}
		return takeNumber(&format, otherwise)
	}
	if f.width = number(0); f.width < 0 {
		left, f.width = true, -f.width
	}
	if strings.HasPrefix(format, ".") {
		format = format[1:]
		f.precision = max(number(0), 0)
	}
	if format != "" && strings.IndexByte("hlL", format[0]) >= 0 {
		format = format[1:]
	}
	if format == "" {
		raise("incomplete format")
	}
	f.kind = format[0]
	rest = format[1:]
	if left {
		f.align = '<'
	} else if zero && strings.IndexByte("diuoxXeEfFgG", f.kind) >= 0 {
		f.align, f.fill = '=', "0"
	}
	v := p.next()
	switch f.kind {
	case 's', 'r', 'a':
		s := p.textOf(v, f.kind)
		if f.precision >= 0 {
			s = sliceText(s, nil, int64(f.precision), 1)
		}
		return f.pad("", s, '>'), rest
	case 'c':
		return f.pad("", percentCharacter(v), '>'), rest
	case 'd', 'i', 'u', 'o', 'x', 'X':
		return f.percentInt(v), rest
	case 'e', 'E', 'f', 'F', 'g', 'G':
		if s, ok := textOrOctets(v); ok {
			raise("must be real number, not %s", s)
		}
		if !isNumber(v) {
			known(v)
			raise("must be real number, not %s", typeName(v))
		}
		return formatFloat(toFloat(v), f, ""), rest
	}
	c, _ := utf8.DecodeRuneInString(format)
	raise("unsupported format character '%c'", c)
	return "", ""
}

func textOrOctets(v any) (string, bool) {
	switch v.(type) {
	case string, markup, octets:
		return typeName(v), true
	}
	return "", false
}

func (p *percents) textOf(v any, kind byte) string {
	var s string
	switch {
	case kind == 's' && p.esc != nil:
		return string(p.esc(v))
	case kind == 's':
		return str(v)
	case kind == 'r':
		s = repr(v)
	default:
		s = asciiRepr(v)
	}
	if p.esc != nil {
		return string(p.esc(s))
	}
	return s
}

func percentCharacter(v any) string {
	if s, ok := text(v); ok {
		if utf8.RuneCountInString(s) == 1 {
			return s
		}
	} else if i, ok := toInt(v); ok && i >= 0 && i <= utf8.MaxRune {
		return string(rune(i))
	}
	raise("%%c requires int or char")
	return ""
}

func (f spec) percentInt(v any) string {
	decimal := f.kind == 'd' || f.kind == 'i' || f.kind == 'u'
	if x, ok := v.(float64); ok && decimal {
		i, ok, _ := truncated(x)
		if !ok {
			raise("cannot convert float %s to integer", floatText(x))
		}
		v = i
	}
	if !isInt(v) {
		known(v)
		raise("%%%c format: a number is required, not %s", f.kind, typeName(v))
	}
	b := toBig(v)
	digits, head := new(big.Int).Abs(b).Text(map[byte]int{'o': 8, 'x': 16, 'X': 16, 'd': 10, 'i': 10, 'u': 10}[f.kind]), f.signOf(b.Sign() < 0)
	if decimal {
		bigText(b)
	}
	if f.kind == 'X' {
		digits = strings.ToUpper(digits)
	}
	if f.alternate && !decimal {
		head += "0" + string(f.kind)
	}
	if n := f.precision - len(digits); n > 0 {
		digits = strings.Repeat("0", n) + digits
	}
	return f.pad(head, digits, '>')
}
