package jinja

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// textMethods are those of Python's str, for Markup, too, whose own escape what they
// take and give markup again.
var textMethods map[string]*signature

func makeTextMethods() {
	textMethods = methods(map[string]method{
		"upper":      {"", mapped(upper)},
		"lower":      {"", mapped(lower)},
		"capitalize": {"", mapped(capitalize)},
		"title":      {"", mapped(title)},
		"swapcase":   {"", mapped(swapCase)},
		"casefold":   {"", mapped(folded)},

		"strip":  {"chars? /", func(c *call) any { return c.same(strip(c.own(), c.arg(0, nil), true, true)) }},
		"lstrip": {"chars? /", func(c *call) any { return c.same(strip(c.own(), c.arg(0, nil), true, false)) }},
		"rstrip": {"chars? /", func(c *call) any { return c.same(strip(c.own(), c.arg(0, nil), false, true)) }},

		"isalnum":      {"", asked(isAlnum)},
		"isalpha":      {"", asked(unicode.IsLetter)},
		"isascii":      {"", func(c *call) any { return isASCII(c.own()) }},
		"isdecimal":    {"", asked(isDecimal)},
		"isdigit":      {"", asked(isDigitRune)},
		"isidentifier": {"", func(c *call) any { return isIdentifier(c.own()) }},
		"islower":      {"", func(c *call) any { return oneCase(c.own(), isLowerRune, isUpperRune) }},
		"isnumeric":    {"", asked(isNumeric)},
		"isprintable":  {"", func(c *call) any { return c.own() == "" || allOf(c.own(), unicode.IsPrint) }},
		"isspace":      {"", asked(isSpace)},
		"istitle":      {"", func(c *call) any { return isTitle(c.own()) }},
		"isupper":      {"", func(c *call) any { return oneCase(c.own(), isUpperRune, isLowerRune) }},

		"find":   {"sub start? end? /", func(c *call) any { return c.find(strings.Index) }},
		"rfind":  {"sub start? end? /", func(c *call) any { return c.find(strings.LastIndex) }},
		"index":  {"sub start? end? /", func(c *call) any { return c.found(strings.Index) }},
		"rindex": {"sub start? end? /", func(c *call) any { return c.found(strings.LastIndex) }},
		"count": {"sub start? end? /", func(c *call) any {
			part, _, ok := c.part()
			if !ok {
				return int64(0)
			}
			return int64(strings.Count(part, c.text(0, "")))
		}},
		"startswith": {"prefix start? end? /", func(c *call) any { return c.affix(strings.HasPrefix) }},
		"endswith":   {"suffix start? end? /", func(c *call) any { return c.affix(strings.HasSuffix) }},

		"removeprefix": {"prefix /", func(c *call) any { return c.same(strings.TrimPrefix(c.own(), c.text(0, ""))) }},
		"removesuffix": {"suffix /", func(c *call) any { return c.same(strings.TrimSuffix(c.own(), c.text(0, ""))) }},
		"replace": {"old new count? /", func(c *call) any {
			if c.isMarkup() {
				return c.same(c.r.replace(c.own(), c.text(0, ""), string(escape(c.args[1])), c.integer(2, -1)))
			}
			return c.r.replace(c.own(), c.text(0, ""), c.text(1, ""), c.integer(2, -1))
		}},

		"split":  {"sep? maxsplit?", func(c *call) any { return c.pieces(split(c.own(), c.separator(), c.integer(1, -1))) }},
		"rsplit": {"sep? maxsplit?", func(c *call) any { return c.pieces(rsplit(c.own(), c.separator(), c.integer(1, -1))) }},
		"splitlines": {"keepends?", func(c *call) any {
			return c.pieces(splitLines(c.own(), truth(c.arg(0, false))))
		}},
		"partition": {"sep /", func(c *call) any {
			before, after, found := strings.Cut(c.own(), c.nonEmpty())
			if !found {
				return tuple(c.same(c.own()), c.same(""), c.same(""))
			}
			return tuple(c.same(before), c.same(c.text(0, "")), c.same(after))
		}},
		"rpartition": {"sep /", func(c *call) any {
			sep := c.nonEmpty()
			i := strings.LastIndex(c.own(), sep)
			if i < 0 {
				return tuple(c.same(""), c.same(""), c.same(c.own()))
			}
			return tuple(c.same(c.own()[:i]), c.same(sep), c.same(c.own()[i+len(sep):]))
		}},
		"join": {"iterable /", func(c *call) any {
			var parts []string
			for i, v := range c.r.items(c.args[0]) {
				s, ok := text(v)
				if c.isMarkup() {
					s, ok = string(escape(v)), true
				}
				if !ok {
					raise("sequence item %d: expected str instance, %s found", i, typeName(v))
				}
				parts = append(parts, s)
			}
			return c.same(c.r.joined(parts, c.own()))
		}},

		"center": {"width fillchar? /", func(c *call) any {
			width := c.integer(0, 0)
			missing := max(width-int64(utf8.RuneCountInString(c.own())), 0)
			// CPython puts the odd one to the left where the width is odd.
			left := missing/2 + missing&width&1
			return c.padded(left, missing-left)
		}},
		"ljust": {"width fillchar? /", func(c *call) any { return c.padded(0, c.short()) }},
		"rjust": {"width fillchar? /", func(c *call) any { return c.padded(c.short(), 0) }},
		"zfill": {"width /", func(c *call) any {
			s, sign := c.own(), ""
			if s != "" && (s[0] == '+' || s[0] == '-') {
				sign, s = s[:1], s[1:]
			}
			return c.same(sign + c.r.filled("0", c.short()) + s)
		}},
		"expandtabs": {"tabsize?", func(c *call) any { return c.same(c.r.expandTabs(c.own(), c.integer(0, 8))) }},

		"format": {"* **", func(c *call) any { return c.same(c.r.format(c.own(), c.rest, c.kw, nil, c.isMarkup())) }},
		"format_map": {"mapping /", func(c *call) any {
			return c.same(c.r.format(c.own(), nil, nil, c.args[0], c.isMarkup()))
		}},
		"encode":    {"encoding? errors?", encode},
		"translate": {"table /", translate},
		"maketrans": {"x y? z? /", makeTranslation},
	})
}

func (c *call) own() string { s, _ := text(c.self); return s }

func (c *call) isMarkup() bool { _, ok := c.self.(markup); return ok }

// same gives a text of the type of the one whose method was called.
func (c *call) same(s string) any {
	c.r.spend(len(s))
	if c.isMarkup() {
		return markup(s)
	}
	return s
}

func mapped(f func(string) string) func(c *call) any {
	return func(c *call) any { return c.same(f(c.own())) }
}

func asked(is func(rune) bool) func(c *call) any {
	return func(c *call) any { return allOf(c.own(), is) }
}

func (c *call) pieces(parts []string) any {
	c.r.steps += len(parts)
	c.r.spend(len(c.own()))
	l := &List{items: make([]any, len(parts))}
	for i, p := range parts {
		l.items[i] = c.same(p)
	}
	return l
}

func (c *call) nonEmpty() string {
	sep := c.text(0, "")
	if sep == "" {
		raise("empty separator")
	}
	return sep
}

// separator is the first argument of split: nil for white space.
func (c *call) separator() *string {
	if c.arg(0, nil) == nil {
		return nil
	}
	sep := c.nonEmpty()
	return &sep
}

// part is what find and its kin look at: the text from the second argument to the
// third, and how many characters stand before it.
func (c *call) part() (part string, before int64, ok bool) {
	own := c.own()
	n := int64(utf8.RuneCountInString(own))
	clamp := func(i int, otherwise int64) int64 {
		v := c.arg(i, nil)
		if v == nil {
			return otherwise
		}
		k := bound(v)
		if k < 0 {
			k = max(k, -n) + n
		}
		return k
	}
	start, end := clamp(1, 0), min(clamp(2, n), n)
	c.text(0, "")
	if start > end {
		return "", 0, false
	}
	return sliceText(own, start, end, 1), start, true
}

func (c *call) find(index func(s, sub string) int) int64 {
	part, before, ok := c.part()
	if !ok {
		return -1
	}
	i := index(part, c.text(0, ""))
	if i < 0 {
		return -1
	}
	return before + int64(utf8.RuneCountInString(part[:i]))
}

func (c *call) found(index func(s, sub string) int) any {
	i := c.find(index)
	if i < 0 {
		raise("substring not found")
	}
	return i
}

// affix is startswith or endswith, of one text or of any of a tuple.
func (c *call) affix(has func(s, affix string) bool) any {
	affixes := []any{c.args[0]}
	if l, ok := c.args[0].(*List); ok && l.tuple {
		affixes = l.items
	}
	for _, a := range affixes {
		if _, ok := text(a); !ok {
			raise("%s first arg must be str or a tuple of str, not %s", c.f.name, typeName(a))
		}
		one := *c
		one.args = []any{a, c.args[1], c.args[2]}
		part, _, ok := one.part()
		if s, _ := text(a); ok && has(part, s) {
			return true
		}
	}
	return false
}

// strip cuts white space, or the characters of chars, off.
func strip(s string, chars any, left, right bool) string {
	cut := isSpace
	if chars != nil {
		set, ok := text(chars)
		if !ok {
			raise("strip arg must be None or str, not %s", typeName(chars))
		}
		cut = func(r rune) bool { return strings.ContainsRune(set, r) }
	}
	if left {
		s = strings.TrimLeftFunc(s, cut)
	}
	if right {
		s = strings.TrimRightFunc(s, cut)
	}
	return s
}

// replace is Python's str.replace: at most n times, all for n < 0.
func (r *renderer) replace(s, old, by string, n int64) string {
	found := int64(strings.Count(s, old))
	if n >= 0 {
		found = min(found, n)
	}
	if grow := int64(len(by) - len(old)); grow > 0 && found > int64(maxOutput)/grow {
		raise("the template's text is too long")
	}
	r.spend(len(s))
	out := strings.Replace(s, old, by, int(found))
	r.spend(len(out))
	return out
}

func (r *renderer) joined(parts []string, sep string) string {
	n := len(sep) * max(len(parts)-1, 0)
	for _, p := range parts {
		n += len(p)
		if n > maxOutput {
			raise("the template's text is too long")
		}
	}
	r.spend(n)
	return strings.Join(parts, sep)
}

// split is Python's str.split: at white space where sep is nil, and at most most times
// unless that is negative.
func split(s string, sep *string, most int64) []string {
	if sep != nil {
		if most < 0 || most > int64(len(s)) {
			return strings.Split(s, *sep)
		}
		return strings.SplitN(s, *sep, int(most)+1)
	}
	var out []string
	s = strings.TrimLeftFunc(s, isSpace)
	for s != "" {
		i := strings.IndexFunc(s, isSpace)
		if most >= 0 && int64(len(out)) == most {
			return append(out, s) // with the white space at its end
		}
		if i < 0 {
			return append(out, s)
		}
		out, s = append(out, s[:i]), strings.TrimLeftFunc(s[i:], isSpace)
	}
	return out
}

func rsplit(s string, sep *string, most int64) []string {
	if most < 0 || most > int64(len(s)) {
		return split(s, sep, -1)
	}
	var out []string
	if sep == nil {
		s = strings.TrimRightFunc(s, isSpace)
		for s != "" {
			i := strings.LastIndexFunc(s, isSpace)
			if int64(len(out)) == most {
				out = append(out, s)
				break
			}
			if i < 0 {
				out = append(out, s)
				break
			}
			_, size := utf8.DecodeRuneInString(s[i:])
			out, s = append(out, s[i+size:]), strings.TrimRightFunc(s[:i], isSpace)
		}
	} else {
		for int64(len(out)) < most {
			i := strings.LastIndex(s, *sep)
			if i < 0 {
				break
			}
			out, s = append(out, s[i+len(*sep):]), s[:i]
		}
		out = append(out, s)
	}
	slices.Reverse(out)
	return out
}

// splitLines is Python's str.splitlines, which knows more ends of lines than "\n".
func splitLines(s string, keep bool) []string {
	var out []string
	for s != "" {
		end, size := len(s), 0
		for i, c := range s {
			if c >= '\n' && c <= '\r' || c >= 0x1c && c <= 0x1e || c == 0x85 || c == 0x2028 || c == 0x2029 {
				end, size = i, utf8.RuneLen(c)
				if c == '\r' && strings.HasPrefix(s[i:], "\r\n") {
					size = 2
				}
				break
			}
		}
		if keep {
			out = append(out, s[:end+size])
		} else {
			out = append(out, s[:end])
		}
		s = s[end+size:]
	}
	return out
}

// short is by how many characters a text is shorter than the width that the first
// argument asks for.
func (c *call) short() int64 {
	return max(c.integer(0, 0)-int64(utf8.RuneCountInString(c.own())), 0)
}

// filled is n times a character.
func (r *renderer) filled(fill string, n int64) string {
	if n > int64(maxOutput/len(fill)) {
		raise("the template's text is too long")
	}
	return strings.Repeat(fill, int(n))
}

// padded puts the second argument, a character, so many times at either side.
func (c *call) padded(left, right int64) any {
	fill := c.text(1, " ")
	if c.isMarkup() {
		fill = string(escape(fill))
	}
	if utf8.RuneCountInString(fill) != 1 {
		raise("The fill character must be exactly one character long")
	}
	return c.same(c.r.filled(fill, left) + c.own() + c.r.filled(fill, right))
}

func (r *renderer) expandTabs(s string, size int64) string {
	var b strings.Builder
	column := int64(0)
	for _, c := range s {
		switch c {
		case '\t':
			if size > 0 {
				n := size - column%size
				b.WriteString(r.filled(" ", n))
				column += n
			}
		case '\n', '\r':
			b.WriteRune(c)
			column = 0
		default:
			b.WriteRune(c)
			column++
		}
		if b.Len() > maxOutput {
			raise("the template's text is too long")
		}
	}
	return b.String()
}

// encode is Python's str.encode to UTF-8 and its parts.
func encode(c *call) any {
	errors := c.text(1, "strict")
	name := strings.NewReplacer("-", "", "_", "", " ", "").Replace(lower(c.text(0, "utf-8")))
	limit := rune(0)
	switch name {
	case "utf8", "u8", "utf":
		c.r.spend(len(c.own()))
		return octets(c.own())
	case "ascii", "usascii", "646":
		limit = 0x7f
	case "latin1", "iso88591", "l1", "latin", "8859":
		limit = 0xff
	default:
		raise("the encoding '%s' is not supported", c.text(0, ""))
	}
	var b strings.Builder
	for _, r := range c.own() {
		switch {
		case r <= limit:
			b.WriteByte(byte(r))
		case errors == "ignore":
		case errors == "replace":
			b.WriteByte('?')
		case errors == "backslashreplace":
			b.WriteString(escaped(r))
		case errors == "strict":
			raise("'%s' codec can't encode a character", name)
		default:
			raise("the error handler '%s' is not supported", errors)
		}
	}
	return octets(b.String())
}

// translate is Python's str.translate with a mapping from code points.
func translate(c *call) any {
	var b strings.Builder
	for _, r := range c.own() {
		c.r.step()
		v, ok := c.r.subscript(c.args[0], int64(r))
		switch s, isText := text(v); {
		case !ok:
			b.WriteRune(r)
		case v == nil:
		case isText:
			b.WriteString(s)
		case isInt(v):
			i, ok := toInt(v)
			if !ok || i < 0 || i > utf8.MaxRune {
				raise("character mapping must be in range(0x110000)")
			}
			b.WriteRune(rune(i))
		default:
			raise("character mapping must return integer, None or str")
		}
		if b.Len() > maxOutput {
			raise("the template's text is too long")
		}
	}
	return c.same(b.String())
}

// makeTranslation is Python's str.maketrans.
func makeTranslation(c *call) any {
	d := NewDict()
	if !c.has(1) {
		from, ok := c.args[0].(*Dict)
		if !ok {
			raise("if you give only one argument to maketrans it must be a dict")
		}
		for i, k := range from.keys {
			if s, ok := text(k); ok {
				if utf8.RuneCountInString(s) != 1 {
					raise("string keys in translate table must be of length 1")
				}
				r, _ := utf8.DecodeRuneInString(s)
				k = int64(r)
			} else if !isInt(k) {
				raise("keys in translate table must be strings or integers")
			}
			d.set(k, from.values[i])
		}
		return d
	}
	from, to := []rune(c.text(0, "")), []rune(c.text(1, ""))
	if len(from) != len(to) {
		raise("the first two maketrans arguments must have equal length")
	}
	for i, r := range from {
		d.set(int64(r), int64(to[i]))
	}
	for _, r := range c.text(2, "") {
		d.set(int64(r), nil)
	}
	return d
}

// octetsMethods are those of bytes that templates could want.
var octetsMethods map[string]*signature

func makeOctetsMethods() {
	octetsMethods = methods(map[string]method{
		"decode": {"encoding? errors?", func(c *call) any {
			name := strings.NewReplacer("-", "", "_", "").Replace(lower(c.text(0, "utf-8")))
			s := string(c.self.(octets))
			switch {
			case c.text(1, "strict") != "strict" && !isASCII(s):
				raise("the error handler '%s' is not supported", c.text(1, ""))
			case name == "utf8" && utf8.ValidString(s), name == "ascii" && isASCII(s):
				return s
			case name == "latin1":
				return string(latin(s))
			case name == "utf8" || name == "ascii":
				raise("'%s' codec can't decode a byte", name)
			}
			raise("the encoding '%s' is not supported", c.text(0, ""))
			return nil
		}},
		"hex": {"", func(c *call) any {
			var b strings.Builder
			for _, x := range []byte(c.self.(octets)) {
				b.WriteByte("0123456789abcdef"[x>>4])
				b.WriteByte("0123456789abcdef"[x&15])
			}
			return b.String()
		}},
	})
	// The others of bytes are there, and refused.
	for name := range textMethods {
		switch name {
		case "encode", "format", "format_map", "casefold", "isdecimal", "isidentifier", "isnumeric", "isprintable":
		default:
			octetsMethods[name] = function(name, "* **", unsupported)
		}
	}
	octetsMethods["fromhex"] = function("fromhex", "* **", unsupported)
}

func latin(s string) []rune {
	out := make([]rune, len(s))
	for i := range len(s) {
		out[i] = rune(s[i])
	}
	return out
}
