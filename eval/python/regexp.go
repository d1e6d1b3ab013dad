package python

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dlclark/regexp2/v2"
)

// Regexp is a pattern of Python's re over str, run by a library that backtracks as Python's
// does. A search that takes longer than a second is an error: patterns come from files.
type Regexp struct {
	re     *regexp2.Regexp
	groups int
	names  map[string]int
}

const regexpTimeout = time.Second

// Compile is re.compile(pattern, flags); flags are letters of i, m, s and x.
func Compile(pattern, flags string) (*Regexp, error) {
	t := translator{in: []rune(pattern), names: map[string]int{}}
	text, err := t.translate()
	if err == nil {
		var re *regexp2.Regexp
		if flags != "" {
			text = "(?" + flags + ")" + text
		}
		if re, err = regexp2.Compile(text, regexp2.None); err == nil {
			re.MatchTimeout = regexpTimeout
			return &Regexp{re, t.groups, t.names}, nil
		}
	}
	return nil, fmt.Errorf("the pattern %q: %w", pattern, err)
}

// Match is one match: group 0 is the whole, and a group that took no part is not Matched.
type Match []struct {
	Text    string
	Matched bool
	At, End int // code points
}

// FindAll returns the matches that do not overlap, from the left.
func (r *Regexp) FindAll(text string) ([]Match, error) {
	var all []Match
	m, err := r.re.FindStringMatch(text)
	for m != nil && err == nil {
		all = append(all, r.match(m))
		m, err = r.re.FindNextMatch(m)
	}
	if err != nil {
		return nil, fmt.Errorf("the pattern %q takes too long", r.re.String())
	}
	return all, nil
}

// Search returns the first match, nil when there is none.
func (r *Regexp) Search(text string) (Match, error) {
	m, err := r.re.FindStringMatch(text)
	if err != nil {
		return nil, fmt.Errorf("the pattern %q takes too long", r.re.String())
	}
	if m == nil {
		return nil, nil
	}
	return r.match(m), nil
}

func (r *Regexp) match(m *regexp2.Match) Match {
	out := make(Match, r.groups+1)
	for i := range out {
		if g := m.GroupByNumber(i); g != nil && len(g.Captures) > 0 {
			out[i].Text, out[i].Matched, out[i].At, out[i].End = g.String(), true, g.RuneIndex, g.RuneIndex+g.RuneLength
		}
	}
	return out
}

// Sub is re.sub(pattern, repl, text, count): repl may have \1, \g<1>, \g<name> and escapes.
// count 0 is all.
func (r *Regexp) Sub(repl, text string, count int) (string, error) {
	parts, err := r.template(repl)
	if err != nil {
		return "", err
	}
	all, err := r.FindAll(text)
	if err != nil {
		return "", err
	}
	runes := []rune(text)
	var b strings.Builder
	at := 0
	for n, m := range all {
		if count > 0 && n == count {
			break
		}
		b.WriteString(string(runes[at:m[0].At]))
		for _, p := range parts {
			if p.group >= 0 {
				b.WriteString(m[p.group].Text)
			} else {
				b.WriteString(p.text)
			}
		}
		at = m[0].End
	}
	b.WriteString(string(runes[at:]))
	return b.String(), nil
}

// piece is a part of a replacement: a group, or a text where group is negative.
type piece struct {
	group int
	text  string
}

// template reads a replacement.
func (r *Regexp) template(repl string) (parts []piece, err error) {
	text := func(s string) { parts = append(parts, piece{-1, s}) }
	group := func(n int) error {
		if n > r.groups {
			return fmt.Errorf("the replacement %q: invalid group reference %d", repl, n)
		}
		parts = append(parts, piece{group: n})
		return nil
	}
	for rest := repl; rest != ""; {
		before, after, found := strings.Cut(rest, `\`)
		text(before)
		if rest = after; !found {
			break
		}
		if rest == "" {
			return nil, fmt.Errorf("the replacement %q: bad escape at its end", repl)
		}
		c := rest[0]
		switch {
		case c == 'g':
			name, after, ok := strings.Cut(strings.TrimPrefix(rest[1:], "<"), ">")
			n, known := r.names[name]
			if v, err := strconv.Atoi(name); err == nil {
				n, known = v, true
			}
			if !ok || len(rest) < 2 || rest[1] != '<' || !known {
				return nil, fmt.Errorf("the replacement %q: unknown group name %q", repl, name)
			}
			if err := group(n); err != nil {
				return nil, err
			}
			rest = after
		case c == '0' || len(rest) >= 3 && octal(rest[0]) && octal(rest[1]) && octal(rest[2]):
			n := 1
			for n < 3 && n < len(rest) && octal(rest[n]) {
				n++
			}
			v, _ := strconv.ParseUint(rest[:n], 8, 32)
			text(string(rune(v)))
			rest = rest[n:]
		case c >= '1' && c <= '9':
			n := 1
			if len(rest) > 1 && rest[1] >= '0' && rest[1] <= '9' {
				n = 2
			}
			v, _ := strconv.Atoi(rest[:n])
			if err := group(v); err != nil {
				return nil, err
			}
			rest = rest[n:]
		case strings.IndexByte("abfnrtv", c) >= 0:
			text(string("\a\b\f\n\r\t\v"[strings.IndexByte("abfnrtv", c)]))
			rest = rest[1:]
		case c == '\\':
			text(`\`)
			rest = rest[1:]
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			return nil, fmt.Errorf("the replacement %q: bad escape \\%c", repl, c)
		default:
			text(`\`)
		}
	}
	return parts, nil
}

func octal(c byte) bool { return c >= '0' && c <= '7' }

// Escape is re.escape.
func Escape(text string) string {
	var b strings.Builder
	for _, r := range text {
		if strings.ContainsRune("()[]{}?*+-|^$\\.&~# \t\n\r\v\f", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// word and space are what Python's \w and \s take, which are not those of the library.
const (
	word  = `\p{L}\p{N}_`
	space = `\s\x1c-\x1f`
)

// translator writes a pattern of Python's for the library.
type translator struct {
	in     []rune
	at     int
	out    strings.Builder
	groups int
	names  map[string]int
}

func (t *translator) peek(s string) bool { return strings.HasPrefix(string(t.in[t.at:]), s) }

func (t *translator) translate() (string, error) {
	for t.at < len(t.in) {
		var err error
		switch c := t.in[t.at]; c {
		case '\\':
			err = t.escape(false)
		case '[':
			err = t.class()
		case '(':
			err = t.group()
		case '{':
			if t.peek("{,") { // no lower bound is 0
				t.out.WriteString("{0,")
				t.at += 2
				continue
			}
			t.copy(1)
		case '*', '+', '?', '}':
			t.copy(1)
			if t.at < len(t.in) && t.in[t.at] == '+' && (c != '}' || t.closesRepeat()) {
				err = errors.New("possessive quantifiers are not supported")
			}
		default:
			t.copy(1)
		}
		if err != nil {
			return "", err
		}
	}
	return t.out.String(), nil
}

// closesRepeat reports whether the brace just copied ends a repetition.
func (t *translator) closesRepeat() bool {
	i := t.at - 2
	for i >= 0 && (t.in[i] >= '0' && t.in[i] <= '9' || t.in[i] == ',') {
		i--
	}
	return i >= 0 && i < t.at-2 && t.in[i] == '{'
}

func (t *translator) copy(n int) {
	t.out.WriteString(string(t.in[t.at : t.at+n]))
	t.at += n
}

// escape translates what follows a backslash, in a class or outside.
func (t *translator) escape(class bool) error {
	if t.at+1 >= len(t.in) {
		return errors.New("bad escape at its end")
	}
	c := t.in[t.at+1]
	set := func(negated bool, members string) {
		switch {
		case !class && negated:
			t.out.WriteString("[^" + members + "]")
		case !class:
			t.out.WriteString("[" + members + "]")
		default:
			t.out.WriteString(members)
		}
		t.at += 2
	}
	switch {
	case c == 'w':
		set(false, word)
	case c == 's':
		set(false, space)
	case c == 'W' && !class:
		set(true, word)
	case c == 'S' && !class:
		set(true, space)
	case c == 'b' && !class:
		t.out.WriteString("(?:(?<=[" + word + "])(?![" + word + "])|(?<![" + word + "])(?=[" + word + "]))")
		t.at += 2
	case c == 'B' && !class:
		t.out.WriteString("(?:(?<=[" + word + "])(?=[" + word + "])|(?<![" + word + "])(?![" + word + "]))")
		t.at += 2
	case t.at+4 <= len(t.in) && octal(byte(c)) && c < 0x80 && isOctal(t.in[t.at+1:t.at+4]):
		v, _ := strconv.ParseUint(string(t.in[t.at+1:t.at+4]), 8, 32)
		fmt.Fprintf(&t.out, `\x%02x`, v&0xff)
		t.at += 4
	case c == 'Z':
		t.out.WriteString(`\z`)
		t.at += 2
	case c == 'U':
		if t.at+10 > len(t.in) {
			return errors.New(`incomplete escape \U`)
		}
		v, err := strconv.ParseUint(string(t.in[t.at+2:t.at+10]), 16, 32)
		if err != nil || v > 0x10ffff {
			return errors.New(`bad escape \U`)
		}
		t.out.WriteString(string(rune(v)))
		t.at += 10
	case c == 'N':
		return errors.New(`names of characters (\N{…}) are not supported`)
	case c >= '1' && c <= '9' && !class:
		// A reference to a group, of which there are at most 99; braces end its number.
		n := 2
		if t.at+2 < len(t.in) && t.in[t.at+2] >= '0' && t.in[t.at+2] <= '9' {
			n = 3
		}
		fmt.Fprintf(&t.out, "(?:%s)", string(t.in[t.at:t.at+n]))
		t.at += n
	case c < 0x80 && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') && !strings.ContainsRune("AabBdDfnrtuvxSW", c):
		return fmt.Errorf(`bad escape \%c`, c)
	default:
		t.copy(2)
	}
	return nil
}

func isOctal(digits []rune) bool {
	for _, d := range digits {
		if d < '0' || d > '7' {
			return false
		}
	}
	return true
}

// class translates a set; the library would subtract sets inside it.
func (t *translator) class() error {
	t.copy(1)
	if t.at < len(t.in) && t.in[t.at] == '^' {
		t.copy(1)
	}
	for first := true; ; first = false {
		if t.at >= len(t.in) {
			return errors.New("unterminated character set")
		}
		switch c := t.in[t.at]; {
		case c == ']' && !first:
			t.copy(1)
			return nil
		case c == ']' || c == '[':
			t.out.WriteString(`\` + string(c))
			t.at++
		case c == '\\':
			if err := t.escape(true); err != nil {
				return err
			}
		default:
			t.copy(1)
		}
	}
}

// group translates what follows a parenthesis.
func (t *translator) group() error {
	switch {
	case !t.peek("(?"):
		t.groups++
		t.copy(1)
	case t.peek("(?P<"):
		name, _, ok := strings.Cut(string(t.in[t.at+4:]), ">")
		if !ok || name == "" {
			return errors.New("a group's name without an end")
		}
		if _, twice := t.names[name]; twice {
			return fmt.Errorf("redefinition of the group name %q", name)
		}
		t.groups++
		t.names[name] = t.groups
		t.out.WriteByte('(') // numbered by its place, as in Python
		t.at += 5 + len([]rune(name))
	case t.peek("(?P="):
		name, _, ok := strings.Cut(string(t.in[t.at+4:]), ")")
		n, known := t.names[name]
		if !ok || !known {
			return fmt.Errorf("unknown group name %q", name)
		}
		fmt.Fprintf(&t.out, `(?:\%d)`, n)
		t.at += 5 + len([]rune(name))
	case t.peek("(?P"), t.peek("(?<") && !t.peek("(?<=") && !t.peek("(?<!"):
		return errors.New("unknown extension after (?")
	default:
		// Flags: those of str are the rule, those of bytes have no meaning here.
		n := 2
		for t.at+n < len(t.in) && strings.ContainsRune("aiLmsux-", t.in[t.at+n]) {
			n++
		}
		flags := string(t.in[t.at+2 : t.at+n])
		if t.at+n < len(t.in) && (t.in[t.at+n] == ')' || t.in[t.at+n] == ':') && flags != "" {
			if strings.ContainsAny(flags, "aL") {
				return errors.New("the flags a and L are not supported")
			}
			if flags = strings.ReplaceAll(flags, "u", ""); flags == "" && t.in[t.at+n] == ')' {
				t.at += n + 1
				return nil
			}
			t.out.WriteString("(?" + flags)
			t.at += n
			t.copy(1)
			return nil
		}
		t.copy(2)
	}
	return nil
}
