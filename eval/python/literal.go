package python

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Literal is ast.literal_eval of a text: strings, numbers, lists and tuples (as lists), True,
// False, None, and dictionaries whose keys are strings (as map[string]any). Integers are int64, or
// *big.Int beyond it. Other dictionaries, sets and bytes are errors.
func Literal(text string) (any, error) {
	p := literal{in: text}
	p.space()
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	if p.space(); p.take(",") { // a tuple needs no parentheses
		items := []any{v}
		for p.space(); p.in != ""; p.space() {
			if v, err = p.value(0); err != nil {
				return nil, err
			}
			items = append(items, v)
			if p.space(); !p.take(",") {
				break
			}
		}
		v = items
	}
	if p.space(); p.in != "" {
		return nil, fmt.Errorf("%q follows a whole literal", cutShort(p.in))
	}
	return v, nil
}

type literal struct{ in string }

var errLiteral = errors.New("it is no literal of Python's")

func cutShort(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}

func (p *literal) space() { p.in = strings.TrimLeft(p.in, " \t\n\r\f") }

// take removes a prefix.
func (p *literal) take(s string) bool {
	rest, ok := strings.CutPrefix(p.in, s)
	if ok {
		p.in = rest
	}
	return ok
}

// value reads a value; lists nest 100 deep.
func (p *literal) value(depth int) (any, error) {
	if depth > 100 {
		return nil, errors.New("it nests too deep")
	}
	if p.in == "" {
		return nil, errLiteral
	}
	switch c := p.in[0]; {
	case c == '[' || c == '(':
		return p.list(depth)
	case c == '{':
		return p.dict(depth)
	case p.quoted():
		return p.strings()
	case c == '-' || c == '+' || c == '.' || c >= '0' && c <= '9':
		return p.number()
	}
	for name, v := range map[string]any{"True": true, "False": false, "None": nil} {
		if rest, ok := strings.CutPrefix(p.in, name); ok && (rest == "" || !isName(rest[0])) {
			p.in = rest
			return v, nil
		}
	}
	return nil, fmt.Errorf("%w: %q", errLiteral, cutShort(p.in))
}

// quoted reports whether a string begins.
func (p *literal) quoted() bool {
	return p.in != "" && (p.in[0] == '\'' || p.in[0] == '"' || isPrefix(p.in))
}

// strings reads a string; neighbours are one.
func (p *literal) strings() (string, error) {
	var b strings.Builder
	for p.quoted() {
		s, err := p.str()
		if err != nil {
			return "", err
		}
		b.WriteString(s)
		p.space()
	}
	return b.String(), nil
}

// dict reads a dictionary; of a key that comes twice the last value counts.
func (p *literal) dict(depth int) (any, error) {
	p.in = p.in[1:]
	members := map[string]any{}
	for p.space(); !p.take("}"); p.space() {
		if !p.quoted() {
			return nil, fmt.Errorf("a dictionary has a key that is no string at %q", cutShort(p.in))
		}
		key, err := p.strings()
		if err != nil {
			return nil, err
		}
		if !p.take(":") {
			return nil, fmt.Errorf("a dictionary lacks : before %q", cutShort(p.in))
		}
		p.space()
		if members[key], err = p.value(depth + 1); err != nil {
			return nil, err
		}
		if p.space(); !p.take(",") && !strings.HasPrefix(p.in, "}") {
			return nil, fmt.Errorf("a dictionary lacks } before %q", cutShort(p.in))
		}
	}
	return members, nil
}

func isName(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// isPrefix reports whether a raw or unicode string begins.
func isPrefix(s string) bool {
	return len(s) > 1 && strings.IndexByte("rRuU", s[0]) >= 0 && (s[1] == '\'' || s[1] == '"')
}

func (p *literal) list(depth int) (any, error) {
	end := map[byte]string{'[': "]", '(': ")"}[p.in[0]]
	round := p.in[0] == '('
	p.in = p.in[1:]
	items, comma := []any{}, false
	for p.space(); !p.take(end); p.space() {
		if len(items) > 0 && !comma {
			return nil, fmt.Errorf("a list lacks %s before %q", end, cutShort(p.in))
		}
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		items = append(items, v)
		p.space()
		comma = p.take(",")
	}
	if round && len(items) == 1 && !comma {
		return items[0], nil
	}
	return items, nil
}

func (p *literal) number() (any, error) {
	n := 0
	for n < len(p.in) && (isName(p.in[n]) || p.in[n] == '.' || (p.in[n] == '+' || p.in[n] == '-') && (n == 0 || p.in[n-1] == 'e' || p.in[n-1] == 'E')) {
		n++
	}
	text := p.in[:n]
	p.in = p.in[n:]
	if i, err := strconv.ParseInt(text, 0, 64); err == nil && !legacyOctal(text) {
		return i, nil
	}
	if i, ok := new(big.Int).SetString(text, 0); ok && !legacyOctal(text) {
		return i, nil
	}
	if strings.ContainsAny(text, "pPxXnN") || !strings.ContainsAny(text, ".eE") && strings.Trim(text, "+-0") != "" || strings.Contains(text, "__") {
		return nil, fmt.Errorf("%w: %q", errLiteral, text)
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return nil, fmt.Errorf("%w: %q", errLiteral, text)
	}
	return f, nil
}

// legacyOctal reports a number such as 012, which Python 3 refuses.
func legacyOctal(text string) bool {
	text = strings.TrimLeft(text, "+-")
	return len(text) > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9' && strings.Trim(text, "0_") != ""
}

// str reads one string.
func (p *literal) str() (string, error) {
	raw := false
	if isPrefix(p.in) {
		raw = p.in[0] == 'r' || p.in[0] == 'R'
		p.in = p.in[1:]
	}
	quote := p.in[:1]
	if strings.HasPrefix(p.in, strings.Repeat(quote, 3)) {
		quote = strings.Repeat(quote, 3)
	}
	p.in = p.in[len(quote):]
	var b strings.Builder
	for !p.take(quote) {
		switch {
		case p.in == "" || len(quote) == 1 && p.in[0] == '\n':
			return "", errors.New("a string has no end")
		case p.in[0] != '\\':
			_, n := utf8.DecodeRuneInString(p.in)
			b.WriteString(p.in[:n])
			p.in = p.in[n:]
		case raw:
			n := min(2, len(p.in))
			b.WriteString(p.in[:n])
			p.in = p.in[n:]
		default:
			if err := p.escape(&b); err != nil {
				return "", err
			}
		}
	}
	return b.String(), nil
}

// escape reads what a backslash begins.
func (p *literal) escape(b *strings.Builder) error {
	if len(p.in) < 2 {
		return errors.New("a string has no end")
	}
	c := p.in[1]
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
	switch {
	case c == '\n':
	case strings.IndexByte(`\'"`, c) >= 0:
		b.WriteByte(c)
	case strings.IndexByte("abfnrtv", c) >= 0:
		b.WriteByte("\a\b\f\n\r\t\v"[strings.IndexByte("abfnrtv", c)])
	case octal(c):
		n := 1
		for n < 3 && 1+n < len(p.in) && octal(p.in[1+n]) {
			n++
		}
		v, _ := strconv.ParseUint(p.in[1:1+n], 8, 32)
		b.WriteRune(rune(v))
		p.in = p.in[1+n:]
		return nil
	case digits > 0:
		if len(p.in) < 2+digits {
			return errors.New("a truncated escape")
		}
		v, err := strconv.ParseUint(p.in[2:2+digits], 16, 32)
		if err != nil || v > utf8.MaxRune {
			return fmt.Errorf("a bad escape %q", p.in[:2+digits])
		}
		b.WriteRune(rune(v))
		p.in = p.in[2+digits:]
		return nil
	case c == 'N':
		return errors.New("names of characters (\\N{…}) are not supported")
	default: // kept as it stands
		b.WriteByte('\\')
		_, n := utf8.DecodeRuneInString(p.in[1:])
		b.WriteString(p.in[1 : 1+n])
		p.in = p.in[1+n:]
		return nil
	}
	p.in = p.in[2:]
	return nil
}
