package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// spec is how a value is to be written: Python's format specification, or what stands
// behind the "%" of its older formatting.
type spec struct {
	fill      string
	align     byte // < > ^ =, or 0
	sign      byte // + - or a space
	signed    bool // a sign was asked for
	positive  bool // z: no negative zero
	alternate bool // #
	width     int
	group     byte // , or _, or 0
	precision int  // -1: none
	kind      byte // the type, or 0
}

// readSpec reads [[fill]align][sign][z][#][0][width][grouping][.precision][type].
func readSpec(s string) spec {
	f := spec{fill: " ", sign: '-', precision: -1}
	take := func(set string) byte {
		if s != "" && strings.IndexByte(set, s[0]) >= 0 {
			c := s[0]
			s = s[1:]
			return c
		}
		return 0
	}
	if _, size := utf8.DecodeRuneInString(s); size > 0 && len(s) > size && strings.IndexByte("<>^=", s[size]) >= 0 {
		f.fill, f.align, s = s[:size], s[size], s[size+1:]
	} else {
		f.align = take("<>^=")
	}
	if c := take("+- "); c != 0 {
		f.sign, f.signed = c, true
	}
	f.positive = take("z") != 0
	f.alternate = take("#") != 0
	if take("0") != 0 {
		if f.align == 0 {
			f.align = '='
			f.fill = "0"
		} else if f.fill == " " {
			f.fill = "0"
		}
	}
	f.width = takeNumber(&s, 0)
	f.group = take(",_")
	if f.group != 0 && take(",_") != 0 {
		raise("Cannot specify both ',' and '_'.")
	}
	if take(".") != 0 {
		if f.precision = takeNumber(&s, -1); f.precision < 0 {
			raise("Format specifier missing precision")
		}
	}
	if len(s) > 1 {
		raise("Invalid format specifier")
	}
	if s != "" {
		f.kind = s[0]
	}
	return f
}

func takeNumber(s *string, otherwise int) int {
	n := 0
	for n < len(*s) && isDigit((*s)[n]) {
		n++
	}
	if n == 0 {
		return otherwise
	}
	v, err := strconv.Atoi((*s)[:n])
	*s = (*s)[n:]
	if err != nil || v > maxOutput {
		raise("the template's text is too long")
	}
	return v
}

// pad writes a text in the width, with its sign and prefix in front.
func (f spec) pad(head, body string, otherwise byte) string {
	align := f.align
	if align == 0 {
		align = otherwise
	}
	n := max(f.width-utf8.RuneCountInString(head)-utf8.RuneCountInString(body), 0)
	fill := func(n int) string {
		if n*len(f.fill) > maxOutput {
			raise("the template's text is too long")
		}
		return strings.Repeat(f.fill, n)
	}
	switch align {
	case '<':
		return head + body + fill(n)
	case '^':
		return fill(n/2) + head + body + fill(n-n/2)
	case '=':
		return head + fill(n) + body
	}
	return fill(n) + head + body
}

// formatted is Python's format(v, spec).
func formatted(v any, s string) string {
	switch v := v.(type) {
	case string:
		return formatText(v, s)
	case markup:
		return formatText(string(v), s)
	case float64:
		return formatFloat(v, readSpec(s), "")
	case int64, bool, *big.Int:
		if s == "" {
			return str(v)
		}
		return formatInt(v, readSpec(s))
	}
	if s != "" {
		raise("unsupported format string passed to %s.__format__", typeName(v))
	}
	return str(v)
}

func formatText(v, s string) string {
	if s == "" {
		return v
	}
	f := readSpec(s)
	if f.kind != 0 && f.kind != 's' {
		raise("Unknown format code '%c' for object of type 'str'", f.kind)
	}
	if f.signed || f.alternate || f.positive || f.group != 0 {
		raise("a sign, '#', 'z' or grouping is not allowed in a string format specifier")
	}
	if f.align == '=' {
		if f.fill != "0" || strings.HasPrefix(s, "=") || strings.HasPrefix(s, "0=") {
			raise("'=' alignment not allowed in string format specifier")
		}
		f.align = '<'
	}
	if f.precision >= 0 {
		v = sliceText(v, nil, int64(f.precision), 1)
	}
	return f.pad("", v, '<')
}

func (f spec) signOf(negative bool) string {
	switch {
	case negative:
		return "-"
	case f.sign == '-':
		return ""
	}
	return string(f.sign)
}

// grouped puts a separator after each so many digits from the right, and zeros in front
// where they fill the width.
func (f spec) grouped(digits, head, tail string, each int) string {
	if f.group == 0 {
		return digits
	}
	insert := func(d string) string {
		var parts []string
		for len(d) > each {
			parts = append([]string{d[len(d)-each:]}, parts...)
			d = d[:len(d)-each]
		}
		return strings.Join(append([]string{d}, parts...), string(f.group))
	}
	out := insert(digits)
	if f.fill == "0" && f.align == '=' {
		for len(head)+len(out)+len(tail) < f.width {
			digits = "0" + digits
			out = insert(digits)
		}
	}
	return out
}

func formatInt(v any, f spec) string {
	switch f.kind {
	case 'e', 'E', 'f', 'F', 'g', 'G', '%':
		return formatFloat(toFloat(v), f, "")
	case 0, 'd', 'b', 'o', 'x', 'X', 'n', 'c':
	default:
		raise("Unknown format code '%c' for object of type 'int'", f.kind)
	}
	if f.precision >= 0 {
		raise("Precision not allowed in integer format specifier")
	}
	if f.positive {
		raise("Negative zero coercion (z) not allowed in format specifier with integer format code")
	}
	b := toBig(v)
	if f.kind == 'c' {
		if f.signed || f.alternate || f.group != 0 {
			raise("Sign, '#' or grouping not allowed with integer format specifier 'c'")
		}
		if !b.IsInt64() || b.Int64() < 0 || b.Int64() > utf8.MaxRune {
			raise("%%c arg not in range(0x110000)")
		}
		return f.pad("", string(rune(b.Int64())), '<')
	}
	if f.group != 0 && (f.kind == 'n' || f.group == ',' && strings.IndexByte("boxX", f.kind) >= 0 && f.kind != 0) {
		raise("Cannot specify '%c' with '%c'.", f.group, f.kind)
	}
	base, prefix, each := 10, "", 3
	switch f.kind {
	case 'b':
		base, prefix, each = 2, "0b", 4
	case 'o':
		base, prefix, each = 8, "0o", 4
	case 'x', 'X':
		base, prefix, each = 16, "0"+string(f.kind), 4
	default:
		bigText(b)
	}
	digits := new(big.Int).Abs(b).Text(base)
	if f.kind == 'X' {
		digits = strings.ToUpper(digits)
	}
	head := f.signOf(b.Sign() < 0)
	if f.alternate {
		head += prefix
	}
	return f.pad(head, f.grouped(digits, head, "", each), '>')
}

// formatFloat writes a float; otherwise is the type where the specification has none:
// "" for Python's repr.
func formatFloat(v float64, f spec, otherwise string) string {
	kind, upperCase, percent, dot := f.kind, false, false, false
	precision := f.precision
	switch kind {
	case 'E', 'F', 'G':
		kind, upperCase = kind+'a'-'A', true
	case 'n':
		if f.group != 0 {
			raise("Cannot specify ',' with 'n'.")
		}
		kind = 'g'
	case '%':
		kind, percent = 'f', true
		v *= 100
	case 0:
		dot = true // 1.0, not 1
		kind = 'g'
		if precision < 0 {
			kind = 'r'
		}
	case 'e', 'f', 'g':
	default:
		raise("Unknown format code '%c' for object of type 'float'", f.kind)
	}
	if precision < 0 {
		precision = 6
	}
	digits := floatDigits(math.Abs(v), kind, precision, f.alternate, dot)
	if upperCase {
		digits = strings.ToUpper(digits)
	}
	negative := math.Signbit(v) && !math.IsNaN(v)
	if f.positive && strings.Trim(digits, "0.e+-") == "" {
		negative = false
	}
	head := f.signOf(negative)
	tail := ""
	if percent {
		tail = "%"
	}
	whole, rest := digits, ""
	if i := strings.IndexFunc(digits, func(c rune) bool { return c < '0' || c > '9' }); i >= 0 {
		whole, rest = digits[:i], digits[i:]
	}
	if whole != "" {
		digits = f.grouped(whole, head, rest+tail, 3) + rest
	}
	return f.pad(head, digits+tail, '>')
}

// floatDigits writes a float that is not negative: kind is e, f, g, or r for its repr.
// dot asks for one digit behind the point, alternate keeps the point and zeros.
func floatDigits(v float64, kind byte, precision int, alternate, dot bool) string {
	switch {
	case math.IsInf(v, 0):
		return "inf"
	case math.IsNaN(v):
		return "nan"
	case kind == 'r':
		s := floatText(v)
		if i := strings.IndexByte(s, 'e'); alternate && i >= 0 && !strings.Contains(s, ".") {
			s = s[:i] + "." + s[i:]
		}
		return s
	case kind == 'f':
		s := strconv.FormatFloat(v, 'f', precision, 64)
		if alternate && precision == 0 {
			s += "."
		}
		return s
	case kind == 'e':
		s := strconv.FormatFloat(v, 'e', precision, 64)
		if i := strings.IndexByte(s, 'e'); alternate && precision == 0 {
			s = s[:i] + "." + s[i:]
		}
		return s
	}
	precision = max(precision, 1)
	s := strconv.FormatFloat(v, 'e', precision-1, 64)
	mantissa, exponent, _ := strings.Cut(s, "e")
	power, _ := strconv.Atoi(exponent)
	limit := precision
	if dot {
		limit--
	}
	if power < -4 || power+1 > limit {
		if !alternate && strings.Contains(mantissa, ".") {
			mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
		} else if alternate && !strings.Contains(mantissa, ".") {
			mantissa += "."
		}
		return mantissa + "e" + exponent
	}
	s = strconv.FormatFloat(v, 'f', max(precision-1-power, 0), 64)
	switch {
	case alternate && !strings.Contains(s, "."):
		s += "."
	case !alternate && strings.Contains(s, "."):
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if dot && !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// fields is one use of str.format.
type fields struct {
	r       *renderer
	args    []any
	kw      keywords
	mapping any // of format_map, or nil
	escape  bool
	auto    int // the number of the next {}, -1 once one had a number of its own
}

// format is Python's str.format, as the sandbox runs it: with attributes and items as
// the template has them. escaping is for markup, whose values are escaped.
func (r *renderer) format(s string, args []any, kw keywords, mapping any, escaping bool) string {
	f := &fields{r: r, args: args, kw: kw, mapping: mapping, escape: escaping}
	return f.write(s, 2)
}

func (f *fields) write(s string, depth int) string {
	if depth < 0 {
		raise("Max string recursion exceeded")
	}
	var b strings.Builder
	for s != "" {
		i := strings.IndexAny(s, "{}")
		if i < 0 {
			b.WriteString(s)
			break
		}
		b.WriteString(s[:i])
		c := s[i]
		s = s[i+1:]
		if s != "" && s[0] == c {
			b.WriteByte(c)
			s = s[1:]
			continue
		}
		if c == '}' || s == "" {
			raise("Single '%c' encountered in format string", c)
		}
		var name, spec string
		var conversion byte
		name, conversion, spec, s = cutField(s)
		v := f.value(name)
		switch conversion {
		case 0:
		case 's':
			v = str(v)
		case 'r':
			v = repr(v)
		case 'a':
			v = asciiRepr(v)
		default:
			raise("Unknown conversion specifier %c", conversion)
		}
		spec = f.write(spec, depth-1)
		switch m, isMarkup := v.(markup); {
		case f.escape && isMarkup && spec != "":
			raise("Unsupported format specification for Markup.")
		case f.escape && isMarkup:
			b.WriteString(string(m))
		case f.escape:
			b.WriteString(string(escape(formatted(v, spec))))
		default:
			b.WriteString(formatted(v, spec))
		}
		f.r.spend(b.Len())
	}
	return b.String()
}

// cutField cuts what stands behind "{" into name, conversion and specification, and
// what follows the "}" (parse_field of CPython's Objects/stringlib/unicode_format.h).
func cutField(s string) (name string, conversion byte, spec, rest string) {
	i := 0
	for ; i < len(s) && s[i] != '}' && s[i] != ':' && s[i] != '!'; i++ {
		switch s[i] {
		case '{':
			raise("unexpected '{' in field name")
		case '[':
			for i++; i < len(s) && s[i] != ']'; {
				i++
			}
		}
	}
	if i >= len(s) {
		raise("expected '}' before end of string")
	}
	name = s[:i]
	if s[i] == '}' {
		return name, 0, "", s[i+1:]
	}
	if s[i] == '!' {
		if i+2 >= len(s) {
			raise("unmatched '{' in format spec")
		}
		conversion = s[i+1]
		i += 2
		if s[i] == '}' {
			return name, conversion, "", s[i+1:]
		}
		if s[i] != ':' {
			raise("expected ':' after conversion specifier")
		}
	}
	open := 1
	for j := i + 1; j < len(s); j++ {
		switch s[j] {
		case '{':
			open++
		case '}':
			if open--; open == 0 {
				return name, conversion, s[i+1 : j], s[j+1:]
			}
		}
	}
	raise("unmatched '{' in format spec")
	return "", 0, "", ""
}

// value is what a field's name means: an argument, and its attributes and items.
func (f *fields) value(name string) any {
	end := strings.IndexAny(name, ".[")
	if end < 0 {
		end = len(name)
	}
	first, rest := name[:end], name[end:]
	switch {
	case name == "":
		if f.auto < 0 {
			raise("cannot switch from manual field specification to automatic field numbering")
		}
		first = strconv.Itoa(f.auto)
		f.auto++
	case allOf(name, isDigitRune):
		if f.auto > 0 {
			raise("cannot switch from manual field specification to automatic field numbering")
		}
		f.auto = -1
	}
	var v any
	switch n, err := strconv.Atoi(first); {
	case err == nil && allOf(first, isDecimal):
		if n >= len(f.args) {
			raise("Replacement index %d out of range for positional args tuple", n)
		}
		v = f.args[n]
	case f.mapping != nil:
		var ok bool
		if v, ok = f.r.subscript(f.mapping, first); !ok {
			raise("format_map has no '%s'", first)
		}
	default:
		var ok bool
		if v, ok = f.kw.get(first); !ok {
			raise("format() has no argument '%s'", first)
		}
	}
	for rest != "" {
		if rest[0] == '[' {
			end := strings.IndexByte(rest, ']')
			if end < 0 {
				raise("Missing ']' in format string")
			}
			key := any(rest[1:end])
			if rest[1:end] == "" {
				raise("Empty attribute in format string")
			}
			if n, err := strconv.ParseInt(rest[1:end], 10, 64); err == nil && isDigit(rest[1]) {
				key = n
			}
			v, rest = f.r.getItem(v, key), rest[end+1:]
			if rest != "" && rest[0] != '.' && rest[0] != '[' {
				raise("Only '.' or '[' may follow ']' in format field specifier")
			}
			continue
		}
		end := strings.IndexAny(rest[1:], ".[")
		if end < 0 {
			end = len(rest) - 1
		}
		if end == 0 {
			raise("Empty attribute in format string")
		}
		v, rest = f.r.getAttribute(v, rest[1:1+end]), rest[1+end:]
	}
	return v
}

// asciiRepr is Python's ascii.
func asciiRepr(v any) string {
	var b strings.Builder
	for _, c := range repr(v) {
		if c < utf8.RuneSelf {
			b.WriteRune(c)
		} else {
			b.WriteString(escaped(c))
		}
	}
	return b.String()
}
