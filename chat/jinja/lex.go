package jinja

import (
	"math/big"
	"strconv"
	"strings"
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
	v    any    // of numbers
	line int
}

// operators, longest first.
var operators = []string{"**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", ".", ":", "|", ",", ";", "(", ")", "[", "]", "{", "}"}

// lexer cuts a template into tokens as Jinja2 does: with trim_blocks the newline after a
// block goes, with lstrip_blocks white space before a block that begins its line.
type lexer struct {
	options Options
	src     string
	pos     int
	line    int
	tokens  []token
}

// lex returns the tokens of a template, the last of kind tokEOF; Compile recovers what
// it panics with.
func lex(src string, o Options) []token {
	if strings.Contains(src, "\r") {
		src = strings.ReplaceAll(strings.ReplaceAll(src, "\r\n", "\n"), "\r", "\n")
	}
	if !o.KeepTrailingNewline {
		src = strings.TrimSuffix(src, "\n")
	}
	l := &lexer{options: o, src: src, line: 1}
	for l.pos < len(l.src) {
		switch kind := l.text(); kind {
		case 0:
		case '#':
			l.comment()
		default:
			if kind != '%' || !l.raw() {
				l.tag(kind)
			}
		}
	}
	l.add(tokEOF, "")
	return l.tokens
}

func (l *lexer) fail(format string, args ...any) {
	defer func() {
		e := recover().(*Error)
		e.Line = l.line
		panic(e)
	}()
	raise(format, args...)
}

func (l *lexer) add(kind tokenKind, text string) {
	l.tokens = append(l.tokens, token{kind: kind, text: text, line: l.line})
}

// skip goes on by n bytes.
func (l *lexer) skip(n int) {
	l.line += strings.Count(l.src[l.pos:l.pos+n], "\n")
	l.pos += n
}

// skipSpace goes on to what is no white space, and returns the rest.
func (l *lexer) skipSpace() string {
	rest := strings.TrimLeftFunc(l.src[l.pos:], isSpace)
	l.skip(len(l.src) - len(rest) - l.pos)
	return rest
}

// text reads up to the next tag, and the tag's beginning with its mark. It returns
// the tag's kind: '{' of an expression, '%' of a block, '#' of a comment, 0 at the end.
func (l *lexer) text() (kind byte) {
	begin := l.pos
	at := begin
	for ; at+1 < len(l.src); at++ {
		i := strings.IndexByte(l.src[at:], '{')
		if i < 0 || at+i+1 >= len(l.src) {
			break
		}
		at += i
		if c := l.src[at+1]; c == '{' || c == '%' || c == '#' {
			kind = c
			break
		}
	}
	if kind == 0 {
		at = len(l.src)
	}
	mark := byte(0)
	if kind != 0 && at+2 < len(l.src) && (l.src[at+2] == '-' || l.src[at+2] == '+') {
		mark = l.src[at+2]
	}
	piece := l.src[begin:at]
	if kind != 0 {
		piece = l.stripped(begin, at, mark, kind != '{')
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

// stripped is the text from begin to a tag at at, less the white space that the tag
// takes away.
func (l *lexer) stripped(begin, at int, mark byte, block bool) string {
	piece := l.src[begin:at]
	switch {
	case mark == '-':
		return strings.TrimRightFunc(piece, isSpace)
	case l.options.LstripBlocks && block && mark != '+':
		// White space goes where nothing else stands between the line's beginning and
		// the block.
		line := strings.LastIndexByte(piece, '\n') + 1
		if (line > 0 || begin == 0 || l.src[begin-1] == '\n') && strings.TrimLeftFunc(piece[line:], isSpace) == "" {
			return piece[:line]
		}
	}
	return piece
}

// after handles what follows a tag's end: "-" strips all white space; blocks and
// comments may lose one newline unless "+" stands there.
func (l *lexer) after(mark byte, block bool) {
	switch {
	case mark == '-':
		l.skipSpace()
	case block && l.options.TrimBlocks && mark != '+' && strings.HasPrefix(l.src[l.pos:], "\n"):
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
	var open []byte
	for {
		// The end of a tag counts before the white space does.
		rest := l.skipSpace()
		if rest == "" {
			l.fail("a tag is not closed")
		}
		mark := byte(0)
		if c := rest[0]; (c == '-' || c == '+' && kind == '%') && strings.HasPrefix(rest[1:], closing) {
			mark = c
		}
		if len(open) == 0 && (mark != 0 || strings.HasPrefix(rest, closing)) {
			l.add(end, "")
			l.pos += len(closing)
			if mark != 0 {
				l.pos++
			}
			l.after(mark, kind == '%')
			return
		}
		l.word(rest)
		t := l.tokens[len(l.tokens)-1]
		if t.kind != tokOp {
			continue
		}
		switch t.text {
		case "(", "[", "{":
			open = append(open, map[string]byte{"(": ')', "[": ']', "{": '}'}[t.text])
		case ")", "]", "}":
			if len(open) == 0 || open[len(open)-1] != t.text[0] {
				l.fail("unexpected %q", t.text)
			}
			open = open[:len(open)-1]
		}
	}
}

// word reads one token inside a tag.
func (l *lexer) word(rest string) {
	r, _ := utf8.DecodeRuneInString(rest)
	switch c := rest[0]; {
	case c == '"' || c == '\'':
		n := stringLiteral(rest)
		if n == 0 {
			l.fail("a string is not closed")
		}
		l.add(tokString, rest[1:n-1])
		l.literal(func(t *token) { t.text = unescape(t.text) })
		l.skip(n)
	case isDigit(c):
		n, kind := numberLiteral(rest, l.src[l.pos-1] == '.')
		l.add(kind, rest[:n])
		l.literal(readNumber)
		l.skip(n)
	case r == '_' || isWord(r):
		n := strings.IndexFunc(rest, func(r rune) bool { return !isWord(r) && !isIdentifier("a"+string(r)) })
		if n < 0 {
			n = len(rest)
		}
		if !isIdentifier(rest[:n]) {
			l.fail("Invalid character in identifier %q", rest[:n])
		}
		l.add(tokName, rest[:n])
		l.pos += n
	default:
		for _, op := range operators {
			if strings.HasPrefix(rest, op) {
				l.add(tokOp, op)
				l.pos += len(op)
				return
			}
		}
		l.fail("unexpected character %q", r)
	}
}

// literal reads the text of the last token; an error gets the line.
func (l *lexer) literal(read func(t *token)) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case *Error:
			e.Line = l.line
			panic(e)
		default:
			panic(e)
		}
	}()
	read(&l.tokens[len(l.tokens)-1])
}

func readNumber(t *token) {
	plain := strings.ReplaceAll(t.text, "_", "")
	if t.kind == tokFloat {
		t.v, _ = strconv.ParseFloat(plain, 64) // beyond its range, infinite as in Python
		return
	}
	if i, err := strconv.ParseInt(plain, 0, 64); err == nil {
		t.v = i
		return
	}
	if len(strings.TrimLeft(plain, "0")) > 4300 {
		raise("Exceeds the limit (4300 digits) for integer string conversion")
	}
	b, ok := new(big.Int).SetString(plain, 0)
	if !ok { // 00, which Go reads as octal, is 0
		b = new(big.Int)
	}
	t.v = integer(b)
}

// raw keeps everything between {% raw %} and {% endraw %} as it is, and says whether
// the block whose beginning was read is one.
func (l *lexer) raw() bool {
	rest := l.skippedTag(l.src[l.pos:], "raw")
	if rest < 0 {
		return false
	}
	head := l.src[l.pos : l.pos+rest]
	begin := l.pos + rest
	l.skip(rest)
	// No newline is trimmed behind {% raw %}.
	if strings.HasSuffix(head, "-%}") {
		l.skipSpace()
		begin = l.pos
	}
	for at := begin; ; at++ {
		i := strings.Index(l.src[at:], "{%")
		if i < 0 {
			l.fail("a raw block is not closed")
		}
		at += i
		inside := at + len("{%")
		mark := byte(0)
		if inside < len(l.src) && (l.src[inside] == '-' || l.src[inside] == '+') {
			mark = l.src[inside]
			inside++
		}
		n := l.skippedTag(l.src[inside:], "endraw")
		if n < 0 {
			continue
		}
		if piece := l.stripped(begin, at, mark, true); piece != "" {
			l.add(tokText, piece)
		}
		end := l.src[inside+n-len("%}")-1]
		l.skip(inside + n - l.pos)
		l.after(end, true)
		return true
	}
}

// skippedTag is the length of what is left of a tag of that name and nothing more, up
// to its end; -1 where it is another one.
func (l *lexer) skippedTag(s, name string) int {
	rest, ok := strings.CutPrefix(strings.TrimLeftFunc(s, isSpace), name)
	if !ok {
		return -1
	}
	rest = strings.TrimLeftFunc(rest, isSpace)
	if strings.HasPrefix(rest, "-%}") || name == "endraw" && strings.HasPrefix(rest, "+%}") {
		rest = rest[1:]
	}
	if !strings.HasPrefix(rest, "%}") {
		return -1
	}
	return len(s) - len(rest) + len("%}")
}
