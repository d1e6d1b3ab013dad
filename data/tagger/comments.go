package tagger

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// commentCounters count, for a language, the code points of a file that are
// comments: what pygments 2 calls Comment.Single and Comment.Multiline, and
// for Python comments and docstrings as StarCoder extracts them.
var commentCounters = map[string]func(string) int{
	"python":     pythonText,
	"c":          func(s string) int { return cComments(lexed(s), false) },
	"c++":        func(s string) int { return cComments(lexed(s), true) },
	"go":         func(s string) int { return goComments(lexed(s)) },
	"java":       func(s string) int { return javaComments(lexed(s)) },
	"javascript": func(s string) int { return scriptComments(lexed(s)) },
	"html":       func(s string) int { return htmlComments(lexed(s)) },
	"shell":      func(s string) int { return shellComments(lexed(s)) },
	"perl":       func(s string) int { return perlComments(lexed(s)) },
	"typescript": func(s string) int { return scriptComments(lexed(s)) },
	"xml":        func(s string) int { return xmlComments(lexed(s)) },
	// Of these pygments has no comments of the two kinds.
	"css":  func(string) int { return 0 },
	"text": func(string) int { return 0 },
}

// lexed is a text as pygments takes it: newlines alone end lines, none at the
// start, one at the end.
func lexed(s string) string {
	s = strings.TrimPrefix(s, "\ufeff")
	if strings.Contains(s, "\r") {
		s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	}
	s = strings.TrimLeft(s, "\n")
	if text := strings.TrimRight(s, "\n"); len(text) < len(s) {
		return s[:len(text)+1]
	}
	return s + "\n"
}

// lineAt is the length of s up to its first newline, which is left out.
func lineAt(s string) int {
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		return i
	}
	return len(s)
}

// byteSet is a set of ASCII characters.
type byteSet [256]bool

func newByteSet(chars string) *byteSet {
	var set byteSet
	for i := range len(chars) {
		set[chars[i]] = true
	}
	return &set
}

// index is where in s the first of them stands, from i on, else the length of s.
func (set *byteSet) index(s string, i int) int {
	for i < len(s) && !set[s[i]] {
		i++
	}
	return i
}

// blockComment is the length of the /* */ at the start of s; -1 if it does not
// end.
func blockComment(s string) int {
	if !strings.HasPrefix(s, "/*") {
		return -1
	}
	if i := strings.Index(s[2:], "*/"); i >= 0 {
		return i + 4
	}
	return -1
}

// quoted is the length of the string literal at the start of s, in which a
// backslash keeps the next character from ending it; -1 if it does not end.
// With oneLine a newline ends the search.
func quoted(s string, oneLine bool) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case s[0]:
			return i + 1
		case '\\':
			i++
		case '\n':
			if oneLine {
				return -1
			}
		}
	}
	return -1
}

// charLiteral is the length of a quoted single character, maybe escaped, at
// the start of s; 0 if there is none.
func charLiteral(s string) int {
	if len(s) < 3 {
		return 0
	}
	i := 1
	if s[1] == '\\' {
		i = 3
		for i < len(s) && i < 12 && s[i] != '\'' && (isDigit(s[i]) || isLetter(s[i])) {
			i++
		}
	} else if s[1] != '\'' && s[1] != '\n' {
		_, n := utf8.DecodeRuneInString(s[1:])
		i += n
	}
	if i < len(s) && s[i] == '\'' {
		return i + 1
	}
	return 0
}

func goComments(s string) (n int) {
	for i := 0; i < len(s); {
		rest := s[i:]
		step := 1
		switch s[i] {
		case '/':
			if strings.HasPrefix(rest, "//") {
				step = lineAt(rest)
				n += utf8.RuneCountInString(rest[:step])
			} else if k := blockComment(rest); k > 0 {
				step = k
				n += utf8.RuneCountInString(rest[:k])
			}
		case '"':
			step = max(1, quoted(rest, false))
		case '`':
			if k := strings.IndexByte(rest[1:], '`'); k >= 0 {
				step = k + 2
			}
		case '\'':
			step = max(1, charLiteral(rest))
		}
		i += step
	}
	return n
}

func javaComments(s string) (n int) {
	for i := 0; i < len(s); {
		rest := s[i:]
		step := 1
		switch s[i] {
		case '/':
			if strings.HasPrefix(rest, "//") {
				step = lineAt(rest)
				n += utf8.RuneCountInString(rest[:step])
			} else if k := blockComment(rest); k > 0 {
				step = k
				n += utf8.RuneCountInString(rest[:k])
			}
		case '"':
			if strings.HasPrefix(rest, "\"\"\"\n") {
				step = 4
				if k := strings.Index(rest[4:], `"""`); k >= 0 {
					step = k + 7
				}
				break
			}
			if step = quoted(rest, false); step < 0 {
				step = len(rest)
			}
		case '\'':
			step = max(1, charLiteral(rest))
		}
		i += step
	}
	return n
}

// scriptComments counts JavaScript's comments. Whether a slash begins a
// regular expression depends on the token before it.
func scriptComments(s string) (n int) {
	regex, lineStart := true, true
	var templates []int // depth of braces in each open ${ … }
	depth := 0
	inTemplate := false
	for i := 0; i < len(s); {
		rest := s[i:]
		if inTemplate {
			switch {
			case s[i] == '`':
				inTemplate = false
				i++
			case s[i] == '\\':
				i += 2
			case strings.HasPrefix(rest, "${"):
				templates = append(templates, depth)
				inTemplate = false
				i += 2
			default:
				i++
			}
			regex = false
			continue
		}
		c := s[i]
		if lineStart && (c == '/' || classes[c] == isBlank) {
			regex = true
		}
		lineStart = c == '\n'
		step := 1
		switch {
		case classes[c] == isBlank:
		case strings.HasPrefix(rest, "//"):
			step = lineAt(rest)
			n += utf8.RuneCountInString(rest[:step])
		case c == '/':
			if k := blockComment(rest); k > 0 {
				step = k
				n += utf8.RuneCountInString(rest[:k])
			} else if regex {
				if step = scriptRegex(rest); step < 0 {
					step = lineAt(rest) // all errors up to the end of the line
				}
				regex = false
			} else {
				regex = true
			}
		case i == 0 && (strings.HasPrefix(rest, "#!/") || strings.HasPrefix(rest, "#! /")):
			step = lineAt(rest)
		case c == '"' || c == '\'':
			step = max(1, quoted(rest, false))
			regex = false
		case c == '`':
			inTemplate = true
		case c == '}' && len(templates) > 0:
			// The first closing brace ends an interpolation.
			templates = templates[:len(templates)-1]
			inTemplate = true
		case strings.IndexByte("{([;,", c) >= 0:
			regex = true
		case strings.IndexByte("})].", c) >= 0:
			regex = false
		case strings.IndexByte("+-~?:<>=!*%&|^", c) >= 0:
			regex = true
		case c == '_' || c == '$' || isLetter(c) || c >= utf8.RuneSelf:
			step = 0
			for step < len(rest) && (rest[step] == '_' || rest[step] == '$' || isLetter(rest[step]) || isDigit(rest[step]) || rest[step] >= utf8.RuneSelf) {
				step++
			}
			regex = scriptKeywords[rest[:step]]
		default:
			regex = false
		}
		i += step
	}
	return n
}

// scriptKeywords are the words after which a slash begins a regular
// expression.
var scriptKeywords = func() map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(`typeof instanceof in void delete new for while do break return continue switch case default if else
		throw try catch finally yield await async this of static export import debugger extends super var let const with function class`) {
		set[w] = true
	}
	return set
}()

// scriptRegex is the length of the regular expression at the start of s; -1 if
// there is none on the line.
func scriptRegex(s string) int {
	class := false
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\n':
			return -1
		case c == '\\':
			i++
		case c == '[':
			class = true
		case c == ']':
			class = false
		case c == '/' && !class:
			if i == 1 {
				return -1
			}
			for i++; i < len(s) && strings.IndexByte("gimuysd", s[i]) >= 0; i++ {
			}
			return i
		}
	}
	return -1
}

// htmlComments counts a page's comments and those of its scripts.
func htmlComments(s string) (n int) {
	for i := 0; i < len(s); {
		rest := s[i:]
		if s[i] != '<' {
			i++
			continue
		}
		switch {
		case strings.HasPrefix(rest, "<![CDATA["):
			if k := strings.Index(rest, "]]>"); k >= 0 {
				i += k + 3
				continue
			}
		case strings.HasPrefix(rest, "<!--"):
			if k := strings.Index(rest[4:], "-->"); k >= 0 {
				n += utf8.RuneCountInString(rest[:k+7])
				i += k + 7
				continue
			}
		}
		if k := tagEnd(rest); k > 0 && len(rest) > 1 && isLetter(rest[1]) {
			name := strings.ToLower(rest[1 : 1+nameLength(rest[1:])])
			i += k
			if (name == "script" || name == "style") && rest[k-2] != '/' {
				body := s[i:]
				if close := indexFold(body, "</"+name); close >= 0 {
					body = body[:close]
				}
				if name == "script" {
					n += scriptComments(body)
				}
				i += len(body)
			}
			continue
		}
		i++
	}
	return n
}

// xmlComments counts what lies between <!-- and --> outside of tags.
func xmlComments(s string) (n int) {
	for i := 0; i < len(s); {
		rest := s[i:]
		step := 1
		if s[i] == '<' {
			switch {
			case strings.HasPrefix(rest, "<!--"):
				if k := strings.Index(rest[4:], "-->"); k >= 0 {
					step = k + 7
					n += utf8.RuneCountInString(rest[:step])
				}
			case strings.HasPrefix(rest, "<![CDATA["):
				if k := strings.Index(rest, "]]>"); k >= 0 {
					step = k + 3
				}
			case len(rest) > 1 && isWordByte(rest[1]):
				step = max(1, tagEnd(rest))
			}
		}
		i += step
	}
	return n
}

// shellComments follows pygments' Bash lexer: where a word may begin, '#'
// begins a comment.
func shellComments(s string) int {
	l := shellLexer{s: s, stack: []shellState{shellPlain}}
	for l.i < len(l.s) {
		if !l.inState() {
			l.token()
		}
	}
	return l.comments
}

// shellState is one of the states of pygments' BashLexer, which nest: a command in
// a string in a command.
type shellState int

const (
	shellPlain      shellState = iota // root
	doubleQuoted                      // string
	shellCurly                        // curly: ${…}
	shellParen                        // paren: $(…)
	shellArithmetic                   // math: $((…))
	shellBackticks                    // backticks
)

type shellLexer struct {
	s        string
	i        int // what is before it has been read
	stack    []shellState
	comments int // their characters
}

func (l *shellLexer) push(s shellState, n int) {
	l.stack = append(l.stack, s)
	l.i += n
}

func (l *shellLexer) pop(n int) {
	l.stack = l.stack[:len(l.stack)-1]
	l.i += n
}

// inState reads what has a meaning of its own in the innermost state; false where
// the next characters are those of a command, as token reads them.
func (l *shellLexer) inState() bool {
	rest, c := l.s[l.i:], l.s[l.i]
	switch l.stack[len(l.stack)-1] {
	case doubleQuoted: // where nothing else is special
		switch c {
		case '"':
			l.pop(1)
		case '\\':
			l.i += 2
		case '$':
			l.dollar()
		default:
			for l.i < len(l.s) && l.s[l.i] != '"' && l.s[l.i] != '\\' && l.s[l.i] != '$' {
				l.i++
			}
		}
		return true
	case shellCurly:
		switch {
		case c == '}':
			l.pop(1)
			return true
		case strings.IndexByte("\"'`$\\", c) < 0:
			l.i++
			return true
		}
	case shellParen:
		if c == ')' {
			l.pop(1)
			return true
		}
	case shellArithmetic:
		if strings.HasPrefix(rest, "))") {
			l.pop(2)
			return true
		}
		if isDigit(c) { // of a base, as in 16#ff: no comment
			k := leadingDigits(rest)
			if k < len(rest) && rest[k] == '#' {
				k++
			}
			l.i += k
			return true
		}
	case shellBackticks:
		if c == '`' {
			l.pop(1)
			return true
		}
	}
	return false
}

// dollar reads what begins with '$', in any state that knows it.
func (l *shellLexer) dollar() {
	rest := l.s[l.i:]
	switch {
	case strings.HasPrefix(rest, "$(("):
		l.push(shellArithmetic, 3)
		return
	case strings.HasPrefix(rest, "$("):
		l.push(shellParen, 2)
		return
	case strings.HasPrefix(rest, "${#"):
		l.push(shellCurly, 3)
		return
	case strings.HasPrefix(rest, "${"):
		l.push(shellCurly, 2)
		return
	}
	k := 1
	if len(rest) > 1 && (isLetter(rest[1]) || rest[1] == '_') {
		for k < len(rest) && isWordByte(rest[k]) {
			k++
		}
	} else if len(rest) > 1 && isDigit(rest[1]) {
		k += leadingDigits(rest[1:])
	} else if len(rest) > 1 && strings.IndexByte("#$?!_*@-", rest[1]) >= 0 {
		k = 2
	}
	l.i += k
}

// token reads a token of a command.
func (l *shellLexer) token() {
	rest, c := l.s[l.i:], l.s[l.i]
	switch {
	case c == '#':
		k := min(lineAt(rest)+1, len(rest))
		// The line that names the interpreter is no comment.
		if shebang := l.i == 0 && strings.HasPrefix(rest, "#!") && k > 3; !shebang {
			l.comments += utf8.RuneCountInString(rest[:k])
		}
		l.i += k
	case c == '\\':
		l.i += 2
	case c == '`':
		l.push(shellBackticks, 1)
	case c == '"', strings.HasPrefix(rest, `$"`):
		l.doubleQuote()
	case strings.HasPrefix(rest, "$'"):
		if k := quoted(rest[1:], false); k > 0 {
			l.i += k + 1
		} else {
			l.i++
		}
	case c == '\'':
		if k := strings.IndexByte(rest[1:], '\''); k >= 0 {
			l.i += k + 2
		} else {
			l.i++
		}
	case c == '$':
		l.dollar()
	case strings.HasPrefix(rest, "<<<"):
		l.i += 3
	case strings.HasPrefix(rest, "<<"):
		l.i += max(1, hereDocument(rest))
	case isDigit(c):
		k := leadingDigits(rest)
		if k < len(rest) && isWordByte(rest[k]) {
			k = shellWord(rest)
		}
		l.i += k
	case classes[c] == isBlank:
		for l.i < len(l.s) && classes[l.s[l.i]] == isBlank {
			l.i++
		}
	case strings.IndexByte("[]{}()=;&|<", c) >= 0:
		l.i++
	default:
		l.i += shellWord(rest)
	}
}

// doubleQuote reads a string in double quotes whole when nothing in it is
// expanded, and else its opening quote.
func (l *shellLexer) doubleQuote() {
	rest := l.s[l.i:]
	open := 1
	if rest[0] == '$' {
		open = 2
	}
	end := open
	for end < len(rest) && rest[end] != '"' && rest[end] != '$' {
		if rest[end] == '\\' {
			end++
		}
		end++
	}
	switch {
	case end < len(rest) && rest[end] == '"':
		l.i += end + 1
	case rest[0] == '"':
		l.push(doubleQuoted, 1)
	default:
		l.i++
	}
}

// leadingDigits is how many digits s begins with.
func leadingDigits(s string) int {
	k := 0
	for k < len(s) && isDigit(s[k]) {
		k++
	}
	return k
}

func isWordByte(c byte) bool { return c == '_' || isLetter(c) || isDigit(c) || c >= utf8.RuneSelf }

// shellWord is the length of the plain word at the start of s.
func shellWord(s string) int {
	k := strings.IndexAny(s, "= \t\n\v\f\r[]{}()$\"'`\\<&|;")
	if k < 0 {
		return len(s)
	}
	return max(k, 1)
}

// hereDocument is the length of << WORD … WORD at the start of s; 0 if there is
// none.
func hereDocument(s string) int {
	i := 2
	if i < len(s) && s[i] == '-' {
		i++
	}
	i += len(s[i:]) - len(strings.TrimLeft(s[i:], " \t\n\v\f\r"))
	if i < len(s) && s[i] == '\'' {
		i++
	}
	if i < len(s) && s[i] == '\\' {
		i++
	}
	start := i
	for i < len(s) && isWordByte(s[i]) {
		i++
	}
	for end := i; end > start; end-- {
		if end+1 <= len(s) {
			if k := strings.Index(s[min(end+1, len(s)):], s[start:end]); k >= 0 {
				return end + 1 + k + end - start
			}
		}
	}
	return 0
}

// perlComments follows pygments' Perl lexer.
func perlComments(s string) (n int) {
	lineStart := func(i int) bool { return i == 0 || s[i-1] == '\n' }
	for i := 0; i < len(s); {
		rest := s[i:]
		c := s[i]
		switch {
		case c == '#':
			k := lineAt(rest)
			if !(i == 0 && strings.HasPrefix(rest, "#!") && k > 2) {
				n += utf8.RuneCountInString(rest[:k])
			}
			i += k
			continue
		case c == '=' && lineStart(i) && len(rest) > 1 && (isLetter(rest[1]) || isDigit(rest[1])):
			k := 1
			for k < len(rest) && (isLetter(rest[k]) || isDigit(rest[k])) {
				k++
			}
			if k < len(rest) && classes[rest[k]] == isBlank {
				if e := strings.Index(rest[k+1:], "\n=cut"); e >= 0 {
					k += 1 + e + len("\n=cut")
					n += utf8.RuneCountInString(rest[:k])
					i += k
					continue
				}
			}
		case c == '/':
			if k := quoted(rest, true); k > 0 {
				i += k
				continue
			}
			before := strings.TrimRight(s[:i], " \t\n\v\f\r")
			if strings.HasSuffix(before, "=~") || strings.HasSuffix(before, "(") {
				if k := quoted(rest, false); k > 0 {
					i += k
					continue
				}
			}
		case c == '"' || c == '\'' || c == '`':
			if k := quoted(rest, false); k > 0 {
				i += k
				continue
			}
		case strings.HasPrefix(rest, "<<"):
			if k := perlDocument(rest); k > 0 {
				i += k
				continue
			}
		case c == '<':
			if k := strings.IndexAny(rest[1:], "> \t\n\v\f\r"); k > 0 && rest[k+1] == '>' {
				i += k + 2
				continue
			}
		case strings.HasPrefix(rest, "__END__"):
			return n
		case c == '$' && len(rest) > 2 && strings.IndexByte("\\\"[]'&`+*.,;=%~?@$!<>(^|/-", rest[1]) >= 0 && !isWordByte(rest[2]):
			i += 2
			continue
		case c == '$' || c == '@' || c == '%':
			k := 1
			for k < len(rest) && strings.IndexByte("$@%#", rest[k]) >= 0 {
				k++
			}
			i += k
			// What follows is the variable's name, wherever it is found.
			for i < len(s) {
				v := s[i]
				switch {
				case v == '\n' || classes[v] == isBlank:
					i++
					continue
				case v == '{' || v == ')' || v == ',':
					i++
				case isWordByte(v) || v == ':':
					for i < len(s) && (isWordByte(s[i]) || s[i] == ':') {
						i++
					}
				default:
					i++
					continue
				}
				break
			}
			continue
		case isWordByte(c):
			i += perlWord(rest)
			continue
		}
		_, size := utf8.DecodeRuneInString(rest)
		i += size
	}
	return n
}

// perlDocument is the length of a here document at the start of s, 0 if there
// is none.
func perlDocument(s string) int {
	i := 2
	quote := ""
	if i < len(s) && (s[i] == '"' || s[i] == '\'') {
		quote = s[i : i+1]
		i++
	}
	start := i
	for i < len(s) && isWordByte(s[i]) {
		i++
	}
	name := s[start:i]
	if name == "" || isDigit(name[0]) || !strings.HasPrefix(s[i:], quote) {
		return 0
	}
	i += len(quote)
	if i < len(s) && s[i] == ';' {
		i++
	}
	if i >= len(s) || s[i] != '\n' {
		return 0
	}
	if k := strings.Index(s[i+1:], "\n"+name+"\n"); k >= 0 {
		return i + 1 + k + len(name) + 2
	}
	return 0
}

// perlWord is the length of the word at the start of s, with the quoted text
// that words such as s, m and qq bring.
func perlWord(s string) int {
	k := 0
	for k < len(s) && (isWordByte(s[k]) || s[k] == ':' && strings.HasPrefix(s[k:], "::")) {
		if s[k] == ':' {
			k++
		}
		k++
	}
	word := s[:k]
	if k == len(s) {
		return k
	}
	d := s[k]
	switch word {
	case "s":
		if strings.IndexByte("/!\\@%", d) >= 0 {
			if a := quoted(s[k:], false); a > 0 {
				if b := quoted(string(d)+s[k+a:], false); b > 0 {
					return k + a + b - 1
				}
			}
		} else if a := bracketed(s[k:]); a > 0 {
			k += a
			k += len(s[k:]) - len(strings.TrimLeft(s[k:], " \t\n\v\f\r"))
			return k + perlRegex(s[k:])
		}
	case "m":
		if strings.IndexByte("/!\\{<[(@%$", d) >= 0 {
			return k + perlRegex(s[k:])
		}
	case "q", "qq", "qw", "qr", "qx":
		if strings.IndexByte("{([<", d) >= 0 {
			return k + nested(s[k:])
		}
		if e := strings.IndexByte(s[k+1:], d); e >= 0 && d < utf8.RuneSelf {
			return k + e + 2
		}
	case "sub":
		if classes[d] == isBlank {
			// Up to the body's brace or the declaration's end.
			if e := strings.IndexAny(s[k:], "{;"); e >= 0 {
				return k + e + 1
			}
		}
	}
	return k
}

// closing is the bracket that ends what open begins, or open itself.
func closing(open byte) byte {
	switch open {
	case '{':
		return '}'
	case '(':
		return ')'
	case '[':
		return ']'
	case '<':
		return '>'
	}
	return open
}

// bracketed is the length of the first part of s{…}{…}; 0 if s begins with no
// bracket.
func bracketed(s string) int {
	if s == "" || strings.IndexByte("{<[(", s[0]) < 0 {
		return 0
	}
	end := closing(s[0])
	for i := 1; i < len(s); i++ {
		if s[i] == '\\' {
			i++
		} else if s[i] == end {
			return i + 1
		}
	}
	return 0
}

// perlRegex is the length of a delimited pattern at the start of s, 0 if it
// does not end.
func perlRegex(s string) int {
	if k := bracketed(s); k > 0 {
		return k
	}
	if s == "" || strings.IndexByte("/!\\@%$", s[0]) < 0 {
		return 0
	}
	return max(0, quoted(s, false))
}

// nested is the length of text in brackets that may nest.
func nested(s string) int {
	open, end, depth := s[0], closing(s[0]), 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case open:
			depth++
		case end:
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}

// pythonText is the length of a Python file's docstrings and comments together
// as StarCoder extracts them: docstrings cleaned, joined by newlines, sorted by
// kind and name; comments without '#'. A file that is no Python 3 has no
// docstrings.
func pythonText(s string) int {
	p := pythonScanner{s: s}
	p.scan()
	docs := ""
	if p.valid {
		docs = p.joined()
	}
	comments := ""
	if p.tokenized {
		comments = strings.ReplaceAll(p.comments.String(), "#", "")
	}
	return utf8.RuneCountInString(strings.TrimFunc(docs+"\n"+comments, func(r rune) bool { return unicode.IsSpace(r) || isSpace(r) }))
}
