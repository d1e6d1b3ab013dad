package jinja

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// tokenKind says what a token of a template is.
type tokenKind int

const (
	tokText     tokenKind = iota // text outside of tags
	tokVarBegin                  // {{
	tokVarEnd
	tokBlockBegin // {%
	tokBlockEnd
	tokName
	tokString
	tokInt
	tokFloat
	tokOp
	tokEOF
)

type token struct {
	kind tokenKind
	text string // of strings: unescaped
	line int
}

// operators, longest first.
var operators = []string{"**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", ".", ":", "|", ",", "(", ")", "[", "]", "{", "}"}

// lexer cuts a template into tokens as Jinja2 does with trim_blocks and
// lstrip_blocks: the newline after a block goes, as does white space before a block
// that begins its line.
type lexer struct {
	src    string
	pos    int
	line   int
	tokens []token
}

// lex returns the tokens of a template, the last of kind tokEOF; Parse recovers what
// it panics with.
func lex(src string) []token {
	src = strings.ReplaceAll(strings.ReplaceAll(src, "\r\n", "\n"), "\r", "\n")
	l := &lexer{src: strings.TrimSuffix(src, "\n"), line: 1}
	for l.pos < len(l.src) {
		kind := l.text()
		switch kind {
		case 0:
		case '#':
			l.comment()
		default:
			l.tag(kind)
			if l.isRaw() {
				l.raw()
			}
		}
	}
	l.add(tokEOF, "")
	return l.tokens
}

func (l *lexer) fail(format string, args ...any) {
	panic(&Error{l.line, fmt.Sprintf(format, args...)})
}

func (l *lexer) add(kind tokenKind, text string) {
	l.tokens = append(l.tokens, token{kind, text, l.line})
}

// skip goes on by n bytes.
func (l *lexer) skip(n int) {
	l.line += strings.Count(l.src[l.pos:l.pos+n], "\n")
	l.pos += n
}

// skipSpace goes on to what is no white space, and returns the rest.
func (l *lexer) skipSpace() string {
	rest := strings.TrimLeftFunc(l.src[l.pos:], unicode.IsSpace)
	l.skip(len(l.src) - len(rest) - l.pos)
	return rest
}

// text reads up to the next tag, and the tag's beginning with its mark. It returns
// the tag's kind: '{' of an expression, '%' of a block, '#' of a comment, 0 at the end.
func (l *lexer) text() (kind byte) {
	begin := l.pos
	at := begin
	for ; at+1 < len(l.src); at++ {
		if c := l.src[at+1]; l.src[at] == '{' && (c == '{' || c == '%' || c == '#') {
			kind = c
			break
		}
	}
	if kind == 0 {
		at = len(l.src)
	}
	piece, mark := l.src[begin:at], byte(0)
	if kind != 0 && at+2 < len(l.src) && (l.src[at+2] == '-' || l.src[at+2] == '+') {
		mark = l.src[at+2]
	}
	switch {
	case mark == '-':
		piece = strings.TrimRightFunc(piece, unicode.IsSpace)
	case kind != 0 && kind != '{' && mark != '+':
		// White space goes where nothing else stands between the line's beginning and
		// the block.
		bare := strings.TrimRight(piece, " \t\v\f")
		if bare == "" && (begin == 0 || l.src[begin-1] == '\n') || strings.HasSuffix(bare, "\n") {
			piece = bare
		}
	}
	if piece != "" {
		l.add(tokText, piece)
	}
	l.skip(at - begin)
	if kind != 0 {
		l.pos += 2
	}
	if mark != 0 {
		l.pos++
	}
	return kind
}

// after handles what follows a tag's end: "-" strips all white space; blocks and
// comments lose one newline unless "+" stands there.
func (l *lexer) after(mark byte, block bool) {
	switch {
	case mark == '-':
		l.skipSpace()
	case block && mark != '+' && strings.HasPrefix(l.src[l.pos:], "\n"):
		l.skip(1)
	}
}

func (l *lexer) comment() {
	end := strings.Index(l.src[l.pos:], "#}")
	if end < 0 {
		l.fail("a comment is not closed")
	}
	mark := byte(0)
	if end > 0 {
		mark = l.src[l.pos+end-1]
	}
	l.skip(end + len("#}"))
	l.after(mark, true)
}

// tag reads an expression ('{') or a block ('%') from behind its beginning to behind
// its end.
func (l *lexer) tag(kind byte) {
	begin, end, closing := tokVarBegin, tokVarEnd, "}}"
	if kind == '%' {
		begin, end, closing = tokBlockBegin, tokBlockEnd, "%}"
	}
	l.add(begin, "")
	// The end of a tag is none inside of parentheses: {{ {'a': {}} }} has one.
	for depth := 0; ; {
		rest := l.skipSpace()
		if rest == "" {
			l.fail("a tag is not closed")
		}
		mark := byte(0)
		if c := rest[0]; (c == '-' || c == '+') && strings.HasPrefix(rest[1:], closing) {
			mark = c
		}
		if depth == 0 && (mark != 0 || strings.HasPrefix(rest, closing)) {
			l.add(end, "")
			l.pos += len(closing)
			if mark != 0 {
				l.pos++
			}
			l.after(mark, kind == '%')
			return
		}
		depth += l.word(rest)
		if depth < 0 {
			l.fail("unexpected %q", l.tokens[len(l.tokens)-1].text)
		}
	}
}

// word reads one token inside a tag. It returns 1 for an opening and -1 for a closing
// parenthesis of any kind.
func (l *lexer) word(rest string) (depth int) {
	r, _ := utf8.DecodeRuneInString(rest)
	switch c := rest[0]; {
	case c == '"' || c == '\'':
		s, n, err := unquote(rest)
		if err != nil {
			l.fail("%v", err)
		}
		l.add(tokString, s)
		l.skip(n)
	case c >= '0' && c <= '9':
		n, kind := number(rest)
		l.add(kind, strings.ReplaceAll(rest[:n], "_", ""))
		l.skip(n)
	case r == '_' || unicode.IsLetter(r):
		n := strings.IndexFunc(rest, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		if n < 0 {
			n = len(rest)
		}
		l.add(tokName, rest[:n])
		l.skip(n)
	default:
		i := slices.IndexFunc(operators, func(op string) bool { return strings.HasPrefix(rest, op) })
		if i < 0 {
			l.fail("unexpected character %q", r)
		}
		switch operators[i] {
		case "(", "[", "{":
			depth = 1
		case ")", "]", "}":
			depth = -1
		}
		l.add(tokOp, operators[i])
		l.skip(len(operators[i]))
	}
	return depth
}

// isRaw says whether {% raw %} was just read.
func (l *lexer) isRaw() bool {
	n := len(l.tokens)
	return n >= 3 && l.tokens[n-3].kind == tokBlockBegin && l.tokens[n-2].kind == tokName && l.tokens[n-2].text == "raw" &&
		l.tokens[n-1].kind == tokBlockEnd
}

// raw keeps everything up to {% endraw %} as it is.
func (l *lexer) raw() {
	l.tokens = l.tokens[:len(l.tokens)-3]
	rest := l.src[l.pos:]
	end := strings.Index(rest, "endraw")
	begin, stop := -1, -1
	if end >= 0 {
		begin = strings.LastIndex(rest[:end], "{%")
	}
	if begin >= 0 {
		stop = strings.Index(rest[end:], "%}")
	}
	if stop < 0 {
		l.fail("a raw block is not closed")
	}
	body := rest[:begin]
	if rest[begin+2] == '-' {
		body = strings.TrimRightFunc(body, unicode.IsSpace)
	}
	if body != "" {
		l.add(tokText, body)
	}
	mark := rest[end+stop-1]
	l.skip(end + stop + len("%}"))
	l.after(mark, true)
}

// number returns the length and kind of the number that s begins with.
func number(s string) (int, tokenKind) {
	n, kind := 0, tokInt
	digits := func() {
		for n < len(s) && (s[n] >= '0' && s[n] <= '9' || s[n] == '_') {
			n++
		}
	}
	digits()
	if n+1 < len(s) && s[n] == '.' && s[n+1] >= '0' && s[n+1] <= '9' {
		n++
		kind = tokFloat
		digits()
	}
	if n+1 < len(s) && (s[n] == 'e' || s[n] == 'E') {
		m := n + 1
		if s[m] == '+' || s[m] == '-' {
			m++
		}
		if m < len(s) && s[m] >= '0' && s[m] <= '9' {
			n, kind = m, tokFloat
			digits()
		}
	}
	return n, kind
}

// unquote reads the string literal that s begins with, and returns how long it is.
func unquote(s string) (text string, n int, err error) {
	quote := s[0]
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == quote:
			return b.String(), i + 1, nil
		case c != '\\':
			b.WriteByte(c)
		default:
			i++
			if i == len(s) {
				return "", 0, fmt.Errorf("a string is not closed")
			}
			width := 0
			switch s[i] {
			case 'n':
				b.WriteByte('\n')
			case 't':
				b.WriteByte('\t')
			case 'r':
				b.WriteByte('\r')
			case 'b':
				b.WriteByte('\b')
			case 'f':
				b.WriteByte('\f')
			case 'v':
				b.WriteByte('\v')
			case 'a':
				b.WriteByte('\a')
			case '0':
				b.WriteByte(0)
			case '\n':
			case '\\', '\'', '"':
				b.WriteByte(s[i])
			case 'x':
				width = 2
			case 'u':
				width = 4
			case 'U':
				width = 8
			default:
				b.WriteByte('\\')
				b.WriteByte(s[i])
			}
			if width > 0 {
				if i+1+width > len(s) {
					return "", 0, fmt.Errorf("a string is not closed")
				}
				r, err := strconv.ParseUint(s[i+1:i+1+width], 16, 32)
				if err != nil {
					return "", 0, fmt.Errorf("%q is no escape of a character", s[i-1:i+1+width])
				}
				b.WriteRune(rune(r))
				i += width
			}
		}
	}
	return "", 0, fmt.Errorf("a string is not closed")
}
