package chat

import (
	"fmt"
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

// templateError is a mistake in a template, or one that it made when it ran.
type templateError struct {
	line int
	msg  string
}

func (e *templateError) Error() string {
	if e.line == 0 {
		return e.msg
	}
	return fmt.Sprintf("line %d: %s", e.line, e.msg)
}

// operators, longest first.
var operators = []string{"**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", ".", ":", "|", ",", "(", ")", "[", "]", "{", "}"}

// lex cuts a template into tokens as Jinja2 does with trim_blocks and
// lstrip_blocks: the newline after a block goes, as does white space before a block
// that begins its line.
func lex(src string) (tokens []token, err error) {
	src = strings.ReplaceAll(strings.ReplaceAll(src, "\r\n", "\n"), "\r", "\n")
	src = strings.TrimSuffix(src, "\n")
	line, pos := 1, 0
	add := func(kind tokenKind, text string) { tokens = append(tokens, token{kind, text, line}) }
	fail := func(format string, args ...any) ([]token, error) {
		return nil, &templateError{line, fmt.Sprintf(format, args...)}
	}
	text := "" // collected, not added yet
	flush := func() {
		if text != "" {
			add(tokText, text)
			text = ""
		}
	}
	// after handles what follows a tag's end: "-" strips all white space, blocks and
	// comments lose one newline unless "+" stands there.
	after := func(mark byte, block bool) {
		switch {
		case mark == '-':
			rest := strings.TrimLeftFunc(src[pos:], unicode.IsSpace)
			line += strings.Count(src[pos:len(src)-len(rest)], "\n")
			pos = len(src) - len(rest)
		case block && mark != '+' && strings.HasPrefix(src[pos:], "\n"):
			pos++
			line++
		}
	}
	for pos < len(src) {
		i := -1
		for j := pos; j+1 < len(src); j++ {
			if src[j] == '{' && (src[j+1] == '{' || src[j+1] == '%' || src[j+1] == '#') {
				i = j
				break
			}
		}
		if i < 0 {
			text += src[pos:]
			pos = len(src)
			break
		}
		piece := src[pos:i]
		kind := src[i+1]
		mark := byte(0)
		if i+2 < len(src) && (src[i+2] == '-' || src[i+2] == '+') {
			mark = src[i+2]
		}
		switch {
		case mark == '-':
			piece = strings.TrimRightFunc(piece, unicode.IsSpace)
		case mark != '+' && kind != '{':
			// Only spaces between the line's beginning and the block?
			bare := strings.TrimRight(piece, " \t\v\f")
			if bare == "" && (pos == 0 || src[pos-1] == '\n') || strings.HasSuffix(bare, "\n") {
				piece = bare
			}
		}
		text += piece
		line += strings.Count(src[pos:i], "\n")
		pos = i + 2
		if mark != 0 {
			pos++
		}
		if kind == '#' {
			end := strings.Index(src[pos:], "#}")
			if end < 0 {
				return fail("a comment is not closed")
			}
			line += strings.Count(src[pos:pos+end], "\n")
			m := byte(0)
			if end > 0 && (src[pos+end-1] == '-' || src[pos+end-1] == '+') {
				m = src[pos+end-1]
			}
			pos += end + 2
			flush()
			after(m, true)
			continue
		}
		flush()
		closing := "}}"
		add(tokVarBegin, "")
		if kind == '%' {
			closing = "%}"
			tokens[len(tokens)-1].kind = tokBlockBegin
		}
		depth := 0
		for closed := false; !closed; {
			rest := strings.TrimLeftFunc(src[pos:], unicode.IsSpace)
			line += strings.Count(src[pos:len(src)-len(rest)], "\n")
			pos = len(src) - len(rest)
			if rest == "" {
				return fail("a tag is not closed")
			}
			c := rest[0]
			r, _ := utf8.DecodeRuneInString(rest)
			switch {
			case depth == 0 && strings.HasPrefix(rest, closing):
				pos += 2
				closed = true
				add(tokBlockEnd, "")
				if kind == '{' {
					tokens[len(tokens)-1].kind = tokVarEnd
				}
				after(0, kind == '%')
			case depth == 0 && (c == '-' || c == '+') && strings.HasPrefix(rest[1:], closing):
				pos += 3
				closed = true
				add(tokBlockEnd, "")
				if kind == '{' {
					tokens[len(tokens)-1].kind = tokVarEnd
				}
				after(c, kind == '%')
			case c == '"' || c == '\'':
				s, n, err := unquote(rest)
				if err != nil {
					return fail("%v", err)
				}
				add(tokString, s)
				line += strings.Count(rest[:n], "\n")
				pos += n
			case c >= '0' && c <= '9':
				n, kind := number(rest)
				add(kind, strings.ReplaceAll(rest[:n], "_", ""))
				pos += n
			case r == '_' || unicode.IsLetter(r):
				n := strings.IndexFunc(rest, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
				if n < 0 {
					n = len(rest)
				}
				add(tokName, rest[:n])
				pos += n
			default:
				op := ""
				for _, o := range operators {
					if strings.HasPrefix(rest, o) {
						op = o
						break
					}
				}
				switch op {
				case "":
					return fail("unexpected character %q", r)
				case "(", "[", "{":
					depth++
				case ")", "]", "}":
					depth--
				}
				if depth < 0 {
					return fail("unexpected %q", op)
				}
				add(tokOp, op)
				pos += len(op)
			}
		}
		// {% raw %} keeps everything up to {% endraw %} as it is.
		if n := len(tokens); kind == '%' && n >= 3 && tokens[n-3].kind == tokBlockBegin && tokens[n-2] == (token{tokName, "raw", tokens[n-2].line}) {
			tokens = tokens[:n-3]
			end := strings.Index(src[pos:], "endraw")
			begin := -1
			if end >= 0 {
				begin = strings.LastIndex(src[pos:pos+end], "{%")
			}
			stop := -1
			if begin >= 0 {
				stop = strings.Index(src[pos+end:], "%}")
			}
			if stop < 0 {
				return fail("a raw block is not closed")
			}
			body := src[pos : pos+begin]
			if src[pos+begin+2] == '-' {
				body = strings.TrimRightFunc(body, unicode.IsSpace)
			}
			line += strings.Count(src[pos:pos+end+stop], "\n")
			m := src[pos+end+stop-1]
			pos += end + stop + 2
			text += body
			flush()
			after(m, true)
		}
	}
	flush()
	add(tokEOF, "")
	return tokens, nil
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
