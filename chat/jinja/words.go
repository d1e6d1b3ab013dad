package jinja

import (
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// titleWords is Jinja's filter title, for which a word begins after white space, a
// hyphen or an opening bracket.
func titleWords(s string) string {
	var b strings.Builder
	between := func(c rune) bool { return c == '-' || isSpace(c) || strings.ContainsRune("({[<", c) }
	for s != "" {
		n := strings.IndexFunc(s, func(c rune) bool { return !between(c) })
		if n < 0 {
			n = len(s)
		}
		b.WriteString(s[:n])
		s = s[n:]
		n = strings.IndexFunc(s, between)
		if n < 0 {
			n = len(s)
		}
		if word := s[:n]; word != "" {
			_, size := utf8.DecodeRuneInString(word)
			b.WriteString(upper(word[:size]) + lower(word[size:]))
		}
		s = s[n:]
	}
	return b.String()
}

func wordCount(s string) int64 {
	n, inside := int64(0), false
	for _, c := range s {
		if isWord(c) && !inside {
			n++
		}
		inside = isWord(c)
	}
	return n
}

func filterReplace(c *call) any {
	count := c.arg(2, nil)
	if count == nil {
		count = int64(-1)
	}
	if !isInt(count) {
		known(count)
		raise("'%s' object cannot be interpreted as an integer", typeName(count))
	}
	old, by := c.args[0], c.args[1]
	if !c.r.autoescape {
		return c.r.replace(str(c.self), str(old), str(by), small(count, "the count"))
	}
	s := soft(c.self)
	_, oldMarkup := old.(markup)
	_, byMarkup := by.(markup)
	_, markedUp := c.self.(markup)
	if oldMarkup || byMarkup && !markedUp {
		s = escape(c.self)
	}
	return c.r.invoke(textMethods["replace"], s, []any{soft(old), soft(by), count}, nil)
}

func filterIndent(c *call) any {
	indention := c.arg(0, int64(4))
	newline := any("\n")
	if _, ok := text(indention); !ok {
		indention = c.r.operate("*", " ", indention)
	}
	if _, ok := c.self.(markup); ok {
		indention, newline = markup(str(indention)), markup("\n")
	}
	s := c.r.add(c.self, newline)
	own, ok := text(s)
	if !ok {
		raise("'%s' object has no attribute 'splitlines'", typeName(s))
	}
	_, isMarkup := s.(markup)
	mark := func(s string) any {
		if isMarkup {
			return markup(s)
		}
		return s
	}
	lines := splitLines(own, false)
	var out any = mark(lines[0])
	if truth(c.arg(2, false)) {
		between := c.r.add(newline, indention)
		for _, l := range lines[1:] {
			out = c.r.add(c.r.add(out, between), mark(l))
		}
	} else {
		for _, l := range lines[1:] {
			out = c.r.add(out, newline)
			if l != "" {
				out = c.r.add(out, c.r.add(indention, mark(l)))
			}
		}
	}
	if truth(c.arg(1, false)) {
		out = c.r.add(indention, out)
	}
	return out
}

func filterTruncate(c *call) any {
	end := c.arg(2, "...")
	leeway := c.arg(3, nil)
	if leeway == nil {
		leeway = int64(5)
	}
	size := c.arg(0, int64(255))
	n, ok := length(end)
	if !ok {
		raise("object of type '%s' has no len()", typeName(end))
	}
	if !c.r.compare(">=", size, n) || !c.r.compare(">=", leeway, int64(0)) {
		raise("expected length >= %d and leeway >= 0", n)
	}
	own, ok := length(c.self)
	if !ok {
		raise("object of type '%s' has no len()", typeName(c.self))
	}
	if c.r.compare("<=", own, c.r.add(size, leeway)) {
		return c.self
	}
	cut := c.r.slice(c.self, nil, c.r.operate("-", size, n), nil)
	if truth(c.arg(1, false)) {
		return c.r.add(cut, end)
	}
	s, ok := text(cut)
	if !ok {
		raise("'%s' object has no attribute 'rsplit'", typeName(cut))
	}
	space := " "
	s = rsplit(s, &space, 1)[0]
	if _, ok := cut.(markup); ok {
		return c.r.add(markup(s), end)
	}
	return c.r.add(s, end)
}

// filterWordwrap is Python's textwrap.wrap of each line.
func filterWordwrap(c *call) any {
	s, ok := text(c.self)
	if !ok {
		known(c.self)
		raise("'%s' object has no attribute 'splitlines'", typeName(c.self))
	}
	between := c.arg(2, nil)
	if between == nil {
		between = "\n"
	}
	w := wrapper{long: truth(c.arg(1, true)), hyphens: truth(c.arg(3, true))}
	w.width = small(c.arg(0, int64(79)), "the width")
	join, ok := text(between)
	if !ok {
		raise("'%s' object has no attribute 'join'", typeName(between))
	}
	var out []string
	for _, line := range splitLines(s, false) {
		c.r.steps += len(line) / 8
		out = append(out, c.r.joined(w.wrap(line), join))
	}
	if _, ok := between.(markup); ok {
		raise("the filter wordwrap with markup between lines is not supported")
	}
	return c.r.joined(out, join)
}

// wrapper breaks a line as Python's textwrap.TextWrapper does.
type wrapper struct {
	width         int64
	long, hyphens bool
}

// isBlank is what textwrap takes for white space.
func isBlank(c rune) bool { return strings.ContainsRune("\t\n\v\f\r ", c) }

// chunks cuts a line where it may be broken (TextWrapper.wordsep_re).
func (w wrapper) chunks(line string) [][]rune {
	s := []rune(line)
	at := func(i int) rune {
		if i < 0 || i >= len(s) {
			return -1
		}
		return s[i]
	}
	letter := func(i int) bool {
		return i >= 0 && i < len(s) && isWord(s[i]) && !isDecimal(s[i])
	}
	punctuated := func(i int) bool {
		return i >= 0 && i < len(s) && (isWord(s[i]) || strings.ContainsRune(`!"'&.,?`, s[i]))
	}
	// dash returns where an em-dash that begins at i and has a word behind it ends.
	dash := func(i int) int {
		j := i
		for at(j) == '-' {
			j++
		}
		if j-i >= 2 && j < len(s) && isWord(s[j]) {
			return j
		}
		return -1
	}
	var out [][]rune
	for i := 0; i < len(s); {
		j := i + 1
		switch {
		case isBlank(s[i]):
			for j < len(s) && isBlank(s[j]) {
				j++
			}
		case w.hyphens && punctuated(i-1) && dash(i) > 0:
			j = dash(i)
		default:
			for ; j < len(s) && !isBlank(s[j]); j++ {
				if !w.hyphens {
					continue
				}
				if s[j] == '-' && letter(j-1) && (letter(j-2) || at(j-2) == '-' && letter(j-3)) &&
					letter(j+1) && (letter(j+2) || at(j+2) == '-' && letter(j+3)) {
					j++
					break
				}
				if punctuated(j-1) && dash(j) > 0 {
					break
				}
			}
		}
		out = append(out, s[i:j])
		i = j
	}
	return out
}

func (w wrapper) wrap(line string) []string {
	if w.width <= 0 {
		raise("invalid width %d (must be > 0)", w.width)
	}
	var lines []string
	chunks := w.chunks(line)
	blank := func(c []rune) bool { return !slices.ContainsFunc(c, func(r rune) bool { return !isSpace(r) }) }
	for len(chunks) > 0 {
		var current [][]rune
		size := int64(0)
		if len(lines) > 0 && blank(chunks[0]) {
			chunks = chunks[1:]
		}
		for len(chunks) > 0 && size+int64(len(chunks[0])) <= w.width {
			current = append(current, chunks[0])
			size += int64(len(chunks[0]))
			chunks = chunks[1:]
		}
		if len(chunks) > 0 && int64(len(chunks[0])) > w.width {
			room := int(w.width - size)
			word := chunks[0]
			switch {
			case w.long:
				end := room
				if w.hyphens && len(word) > room {
					// A hyphen, with something else than hyphens before it.
					for i := room - 1; i > 0; i-- {
						if word[i] == '-' {
							if slices.ContainsFunc(word[:i], func(r rune) bool { return r != '-' }) {
								end = i + 1
							}
							break
						}
					}
				}
				current = append(current, word[:end])
				chunks[0] = word[end:]
			case len(current) == 0:
				current = append(current, word)
				chunks = chunks[1:]
			}
		}
		if len(current) > 0 && blank(current[len(current)-1]) {
			current = current[:len(current)-1]
		}
		if len(current) > 0 {
			lines = append(lines, string(slices.Concat(current...)))
		}
	}
	return lines
}

func filterFormat(c *call) any {
	if len(c.rest) > 0 && len(c.kw) > 0 {
		raise("can't handle positional and keyword arguments at the same time")
	}
	if len(c.kw) > 0 {
		d := NewDict()
		for _, k := range c.kw {
			d.set(k.name, k.v)
		}
		return c.r.operate("%", soft(c.self), d)
	}
	return c.r.operate("%", soft(c.self), tuple(c.rest...))
}

// quoteURL is Python's urllib.parse.quote of a value's text.
func quoteURL(v any, query bool) string {
	var s string
	if b, ok := v.(octets); ok {
		s = string(b)
	} else {
		s = str(v)
	}
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'z' || strings.IndexByte("_.-~", c) >= 0, c == '/' && !query:
			b.WriteByte(c)
		case c == ' ' && query:
			b.WriteByte('+')
		default:
			b.WriteByte('%')
			b.WriteByte("0123456789ABCDEF"[c>>4])
			b.WriteByte("0123456789ABCDEF"[c&15])
		}
	}
	return b.String()
}

func filterURLEncode(c *call) any {
	if _, ok := text(c.self); ok {
		return quoteURL(c.self, false)
	}
	it, ok := c.r.tryIterate(c.self)
	if d, isDict := c.self.(*Dict); isDict {
		it = over((&view{d, "items"}).items())
	}
	if !ok {
		return quoteURL(c.self, false)
	}
	var parts []string
	for v, ok := it.next(); ok; v, ok = it.next() {
		c.r.step()
		pair := c.r.unpack(v, 2)
		parts = append(parts, quoteURL(pair[0], true)+"="+quoteURL(pair[1], true))
	}
	return c.r.joined(parts, "&")
}

func filterXMLAttr(c *call) any {
	var parts []string
	for _, p := range c.pairs() {
		k, v := p.(*List).items[0], p.(*List).items[1]
		if v == nil || isUndefined(v) {
			continue
		}
		name, ok := text(k)
		if !ok {
			raise("expected string or bytes-like object, got '%s'", typeName(k))
		}
		if strings.ContainsAny(name, " \t\n\r\f\v/>=") {
			raise("Invalid character in attribute name: %s", repr(k))
		}
		parts = append(parts, string(escape(k))+`="`+string(escape(v))+`"`)
	}
	out := c.r.joined(parts, " ")
	if out != "" && truth(c.arg(0, true)) {
		out = " " + out
	}
	return c.r.safe(out)
}

// What urlize takes for addresses (jinja2.utils._http_re and _email_re).
var (
	httpAddress = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)^(?:(?:https?://|www\.)(?:[\p{L}\p{N}_%-]+\.)*(?:[a-z]{2,63}|xn--[\p{L}\p{N}_%]{2,59})|(?:[\p{L}\p{N}_%-]{2,63}\.)+(?:com|net|int|edu|gov|org|info|mil)|(?:https?://)(?:(?:\d{1,3})(?:\.\d{1,3}){3}|\[(?:[\da-f]{0,4}:){2}(?:[\da-f]{0,4}:?){1,6}\]))(?::[\d]{1,5})?(?:[/?#]\S*)?$`)
	})
	mailAddress = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^\S+@[\p{L}\p{N}_][\p{L}\p{N}_.-]*\.[\p{L}\p{N}_]+$`)
	})
	schemeName = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^([\p{L}\p{N}_.+-]{2,}:(/){0,2})$`)
	})
	opening = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(?:[(<]|&lt;)+`)
	})
	ending = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?:[)>.,\n]|&gt;)+$`)
	})
)

func filterURLize(c *call) any {
	rel := map[string]bool{"noopener": true}
	if v := c.arg(3, nil); truth(v) {
		for _, w := range strings.FieldsFunc(c.text(3, ""), isSpace) {
			rel[w] = true
		}
	}
	if truth(c.arg(1, false)) {
		rel["nofollow"] = true
	}
	var words []string
	for w := range rel {
		words = append(words, w)
	}
	slices.Sort(words)
	attributes := ` rel="` + string(escape(strings.Join(words, " "))) + `"`
	if v := c.arg(2, nil); truth(v) {
		attributes += ` target="` + string(escape(v)) + `"`
	}
	var schemes []string
	if v := c.arg(4, nil); truth(v) {
		for _, s := range c.r.items(v) {
			scheme, ok := text(s)
			if !ok || !schemeName().MatchString(scheme) {
				raise("%s is not a valid URI scheme prefix.", repr(s))
			}
			schemes = append(schemes, scheme)
		}
	}
	limit := c.arg(0, nil)
	short := func(s string) string {
		if limit != nil && int64(utf8.RuneCountInString(s)) > small(limit, "the limit") {
			return sliceText(s, nil, limit, 1) + "..."
		}
		return s
	}
	var b strings.Builder
	s := string(escape(c.self))
	for s != "" {
		n := strings.IndexFunc(s, func(r rune) bool { return !isSpace(r) })
		if n < 0 {
			n = len(s)
		}
		b.WriteString(s[:n])
		s = s[n:]
		if n = strings.IndexFunc(s, isSpace); n < 0 {
			n = len(s)
		}
		b.WriteString(linked(s[:n], attributes, schemes, short))
		s = s[n:]
		c.r.spend(b.Len())
	}
	return c.r.safe(b.String())
}

// linked is a word with a link around what is an address in it.
func linked(word, attributes string, schemes []string, short func(string) string) string {
	if word == "" {
		return ""
	}
	head := opening().FindString(word)
	middle, tail := word[len(head):], ""
	if at := ending().FindStringIndex(middle); at != nil {
		middle, tail = middle[:at[0]], middle[at[0]:]
	}
	// A closing bracket belongs to the address that has its opening one.
	for _, pair := range [][2]string{{"(", ")"}, {"<", ">"}, {"&lt;", "&gt;"}} {
		open := strings.Count(middle, pair[0])
		if open <= strings.Count(middle, pair[1]) {
			continue
		}
		for range min(open, strings.Count(tail, pair[1])) {
			end := strings.Index(tail, pair[1]) + len(pair[1])
			middle, tail = middle+tail[:end], tail[end:]
		}
	}
	switch {
	case httpAddress().MatchString(middle):
		to := middle
		if !strings.HasPrefix(to, "https://") && !strings.HasPrefix(to, "http://") {
			to = "https://" + to
		}
		middle = `<a href="` + to + `"` + attributes + `>` + short(middle) + `</a>`
	case strings.HasPrefix(middle, "mailto:") && mailAddress().MatchString(middle[len("mailto:"):]):
		middle = `<a href="` + middle + `">` + middle[len("mailto:"):] + `</a>`
	case strings.Contains(middle, "@") && !strings.HasPrefix(middle, "www.") && !strings.HasPrefix(middle, "@") &&
		!strings.Contains(middle, ":") && mailAddress().MatchString(middle):
		middle = `<a href="mailto:` + middle + `">` + middle + `</a>`
	default:
		for _, s := range schemes {
			if middle != s && strings.HasPrefix(middle, s) {
				middle = `<a href="` + middle + `"` + attributes + `>` + middle + `</a>`
			}
		}
	}
	return head + middle + tail
}
