package tagger

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// pythonScanner walks the tokens of a Python file for its comments and
// docstrings. It knows as much of the grammar as that takes, and the marks of
// Python 2, whose files have no docstrings because they do not parse.
type pythonScanner struct {
	s         string
	comments  strings.Builder
	docs      []docstring
	valid     bool // it looks like Python 3
	tokenized bool // strings and brackets end, indentation fits
	block     bool // the last statement ended in a colon: a block must follow

	i         int    // what is before it has been read
	depth     int    // brackets that are open; tokenize lets it fall below 0, and waits for one that opens
	brackets  []byte // what closes each
	indents   []int  // the columns of the blocks that are open
	narrow    []int  // the same where a tab is one column: Python wants both to agree
	continued bool   // the line before ended in a backslash
	lineStart bool   // the indentation comes next
	st        statement
	// expectKind and expectName say whose body the next statement begins, "" for no
	// docstring's.
	expectKind, expectName string
}

// docstring is the cleaned text with what it is sorted by.
type docstring struct{ kind, name, text string }

// statement is what the scanner knows of the logical line that it is in.
type statement struct {
	tokens  int
	first   string // its first word
	last    string // the latest token, "" at the start
	strings int    // string tokens
	text    string // their value, if all can be a docstring
	plain   bool   // only strings so far
	header  string // class or def before its colon
	name    string // what the header names
	lambdas int
	colon   bool // a colon that begins a block was met
}

func (p *pythonScanner) scan() {
	p.valid, p.tokenized = true, true
	p.s = strings.TrimPrefix(p.s, "\ufeff")
	p.indents, p.narrow, p.st, p.expectKind, p.lineStart = []int{0}, []int{0}, statement{plain: true}, "Module", true
	for p.i < len(p.s) {
		ok := true
		if p.lineStart && p.depth == 0 {
			ok = p.indent()
		} else {
			ok = p.token()
		}
		if !ok {
			p.tokenized, p.valid = false, false
			return
		}
	}
	open := p.st.last
	p.end()
	if p.depth != 0 || p.continued {
		p.tokenized, p.valid = false, false
	}
	// A file that was cut off does not parse.
	if p.block || len(open) == 1 && strings.Contains("+-*/%&|^~<>=,.@", open) && open != "," {
		p.valid = false
	}
}

// end ends a logical line: it may have been a docstring, or the header of a body
// that can begin with one.
func (p *pythonScanner) end() {
	st := &p.st
	if st.tokens == 0 {
		return
	}
	p.block = st.last == ":"
	if compound(st.first) && !st.colon && st.header != "done" || dangling(st.last) {
		p.valid = false
	}
	if p.expectKind != "" && st.plain && st.strings > 0 {
		if text := cleanDoc(st.text); text != "" {
			p.docs = append(p.docs, docstring{p.expectKind, p.expectName, text})
		}
	}
	p.expectKind = ""
	if st.header == "done" {
		p.expectKind, p.expectName = "Function/Method", st.name
		if st.first == "class" {
			p.expectKind = "Class"
		}
	}
	p.st = statement{plain: true}
}

// indent reads the indentation of a line, which counts unless the line is blank or a
// comment; false where it fits no block that is open.
func (p *pythonScanner) indent() bool {
	s := p.s
	column, narrow := 0, 0
	for ; p.i < len(s) && (s[p.i] == ' ' || s[p.i] == '\t' || s[p.i] == '\f'); p.i++ {
		switch s[p.i] {
		case ' ':
			column++
			narrow++
		case '\t':
			column = column/8*8 + 8
			narrow++
		case '\f':
			column, narrow = 0, 0
		}
	}
	p.lineStart = false
	if p.i == len(s) || strings.IndexByte("#\n\r", s[p.i]) >= 0 {
		return true
	}
	// A block is indented, and nothing else is.
	if p.block != (column > p.indents[len(p.indents)-1]) {
		p.valid = false
	}
	if column > p.indents[len(p.indents)-1] {
		if p.expectKind == "Module" {
			p.expectKind = "" // a module's docstring is not indented
		}
		if narrow <= p.narrow[len(p.narrow)-1] {
			p.valid = false
		}
		p.indents, p.narrow = append(p.indents, column), append(p.narrow, narrow)
	}
	for column < p.indents[len(p.indents)-1] {
		p.indents, p.narrow = p.indents[:len(p.indents)-1], p.narrow[:len(p.narrow)-1]
	}
	if narrow != p.narrow[len(p.narrow)-1] {
		p.valid = false
	}
	return column == p.indents[len(p.indents)-1]
}

// token reads a token, or the space between two; false where a string does not end.
func (p *pythonScanner) token() bool {
	s, i := p.s, p.i
	p.continued = false
	switch c := s[i]; {
	case c == '\n' || c == '\r':
		p.i++
		if p.depth == 0 {
			p.end()
			p.lineStart = true
		}
	case c == ' ' || c == '\t' || c == '\f':
		for p.i < len(s) && (s[p.i] == ' ' || s[p.i] == '\t' || s[p.i] == '\f') {
			p.i++
		}
	case c == '\\' && i+1 < len(s) && (s[i+1] == '\n' || s[i+1] == '\r'):
		p.i += 2
		if s[i+1] == '\r' && i+2 < len(s) && s[i+2] == '\n' {
			p.i++
		}
		p.continued = true
	case c == '#':
		p.i = lineEnds.index(s, i)
		p.comments.WriteString(s[i:p.i])
	case c == '"' || c == '\'':
		return p.quoted(0)
	case c == '_' || isLetter(c) || c >= utf8.RuneSelf:
		k := 1
		for i+k < len(s) && isWordByte(s[i+k]) {
			k++
		}
		if i+k < len(s) && (s[i+k] == '"' || s[i+k] == '\'') && stringPrefix(s[i:i+k]) {
			return p.quoted(k)
		}
		p.word(&p.st, s[i:i+k], p.depth)
		p.i += k
	case isDigit(c) || c == '.' && i+1 < len(s) && isDigit(s[i+1]):
		p.number()
	default:
		p.operator(c)
	}
	return true
}

// lineEnds end a comment.
var lineEnds = newByteSet("\r\n")

// quoted reads a string with a prefix of k letters.
func (p *pythonScanner) quoted(k int) bool {
	n := p.stringToken(p.s[p.i+k:], strings.ToLower(p.s[p.i:p.i+k]), &p.st)
	if n < 0 {
		return false
	}
	p.i += k + n
	return true
}

func (p *pythonScanner) number() {
	s := p.s[p.i:]
	k := 1
	for k < len(s) && (isWordByte(s[k]) || s[k] == '.' || (s[k] == '+' || s[k] == '-') && (s[k-1]|0x20 == 'e') && !strings.HasPrefix(s, "0x")) {
		k++
	}
	num := strings.TrimRight(s[:k], "jJ")
	if len(num) > 1 && num[0] == '0' && isDigit(num[1]) && strings.Trim(num, "0_") != "" && !strings.ContainsAny(num, ".eE") || strings.HasSuffix(num, "L") || strings.HasSuffix(num, "l") {
		p.valid = false // octal and long numbers of Python 2
	}
	p.other(&p.st, "0")
	p.i += k
}

// operator reads one character that is none of the others. A statement may end with
// it before its line does.
func (p *pythonScanner) operator(c byte) {
	st, s := &p.st, p.s[p.i:]
	p.i++
	switch c {
	case '(', '[', '{':
		p.depth++
		p.brackets = append(p.brackets, ")]}"[strings.IndexByte("([{", c)])
	case ')', ']', '}':
		p.depth--
		if n := len(p.brackets); n > 0 && p.brackets[n-1] == c {
			p.brackets = p.brackets[:n-1]
		} else {
			p.valid = false
		}
	case '`', '$', '?', '!':
		if c != '!' || len(s) < 2 || s[1] != '=' {
			p.valid = false
		}
	case '<':
		if strings.HasPrefix(s, "<>") {
			p.valid = false
		}
	case ';':
		if p.depth == 0 {
			p.end()
			return
		}
	case ':':
		st.colon = st.colon || p.depth == 0 && st.lambdas == 0
		if p.depth == 0 && st.lambdas > 0 {
			st.lambdas--
		} else if p.depth == 0 && st.header == "open" {
			// The body may follow on the same line.
			st.header, st.last = "done", ":"
			p.end()
			return
		}
	}
	p.other(st, s[:1])
}

// compound says whether a statement that begins with word has a block.
func compound(word string) bool {
	switch word {
	case "if", "elif", "else", "while", "for", "try", "except", "finally", "with", "def", "class":
		return true
	}
	return false
}

// dangling says whether nothing can end with word.
func dangling(word string) bool {
	switch word {
	case "and", "or", "not", "in", "is", "lambda", "import", "from", "as", "del", "global", "assert", "if", "else":
		return true
	}
	return false
}

// other notes a token that is neither word nor string.
func (p *pythonScanner) other(st *statement, token string) {
	if st.first == "print" && st.last == "print" && st.tokens == 1 && (token == "0" || token == "`" || token == "{") {
		p.valid = false
	}
	st.tokens++
	st.plain = false
	st.last = token
}

// word notes a name or keyword.
func (p *pythonScanner) word(st *statement, word string, depth int) {
	if st.tokens == 0 {
		st.first = word
		if word == "class" || word == "def" {
			st.header = "open"
		}
	} else if st.last == st.first && st.tokens == 1 {
		switch st.first {
		case "class", "def":
			st.name = word
		case "print", "exec":
			switch word {
			case "in", "is", "and", "or", "if", "not":
			default:
				p.valid = false // a statement of Python 2
			}
		}
	}
	if word == "lambda" && depth == 0 {
		st.lambdas++
	}
	st.tokens++
	st.plain = false
	st.last = word
}

// stringPrefix says whether word may stand before a string's quote.
func stringPrefix(word string) bool {
	switch strings.ToLower(word) {
	case "r", "u", "b", "f", "br", "rb", "fr", "rf":
		return true
	case "ur":
		return true
	}
	return false
}

// stringToken reads the string literal at the start of s, -1 if it does not
// end.
func (p *pythonScanner) stringToken(s, prefix string, st *statement) int {
	if prefix == "ur" {
		p.valid = false
	}
	if st.first == "print" && st.last == "print" && st.tokens == 1 || st.first == "exec" && st.last == "exec" && st.tokens == 1 {
		p.valid = false
	}
	quote := s[:1]
	triple := strings.HasPrefix(s[1:], quote+quote)
	if triple {
		quote = s[:3]
	}
	i := len(quote)
	for {
		if i >= len(s) || !triple && s[i] == '\n' {
			if !triple {
				// An open quote is an error token; comments go on.
				p.valid = false
				p.other(st, "'")
				return 1
			}
			p.tokenized, p.valid = false, false
			return -1
		}
		if s[i] == '\\' {
			i += 2
			continue
		}
		if s[i] == quote[0] && strings.HasPrefix(s[i:], quote) {
			break
		}
		i++
	}
	st.tokens++
	st.strings++
	st.last = "'"
	switch {
	case !st.plain: // no docstring any more
	case strings.ContainsAny(prefix, "bf"):
		st.plain = false
	case strings.Contains(prefix, "r"):
		st.text += s[len(quote):i]
	default:
		st.text += pythonEscapes(s[len(quote):i])
	}
	return i + len(quote)
}

// pythonEscapes resolves a string literal's escapes.
func pythonEscapes(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		hex := 0
		switch c := s[i]; c {
		case '\n':
		case '\\', '\'', '"':
			b.WriteByte(c)
		case 'a', 'b', 'f', 'n', 'r', 't', 'v':
			b.WriteByte("\a\b\f\n\r\t\v"[strings.IndexByte("abfnrtv", c)])
		case 'x':
			hex = 2
		case 'u':
			hex = 4
		case 'U':
			hex = 8
		case 'N':
			if e := strings.IndexByte(s[i:], '}'); e > 0 {
				b.WriteRune(utf8.RuneError) // one character, whatever its name
				i += e
			}
		default:
			k := 0
			for k < 3 && i+k < len(s) && s[i+k] >= '0' && s[i+k] <= '7' {
				k++
			}
			if k > 0 {
				v, _ := strconv.ParseUint(s[i:i+k], 8, 32)
				b.WriteRune(rune(v))
				i += k - 1
			} else {
				b.WriteByte('\\')
				b.WriteByte(c)
			}
		}
		if hex > 0 && i+hex < len(s) {
			if v, err := strconv.ParseUint(s[i+1:i+1+hex], 16, 32); err == nil {
				b.WriteRune(rune(v))
				i += hex
			}
		}
	}
	return b.String()
}

// cleanDoc is Python's inspect.cleandoc.
func cleanDoc(s string) string {
	lines := strings.Split(expandTabs(s), "\n")
	margin := -1
	for _, l := range lines[1:] {
		if text := strings.TrimLeftFunc(l, isSpace); text != "" {
			if n := utf8.RuneCountInString(l) - utf8.RuneCountInString(text); margin < 0 || n < margin {
				margin = n
			}
		}
	}
	lines[0] = strings.TrimLeftFunc(lines[0], isSpace)
	if margin > 0 {
		for i, l := range lines[1:] {
			lines[i+1] = l[len(firstRunes(l, margin)):]
		}
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	for len(lines) > 0 && lines[0] == "" {
		lines = lines[1:]
	}
	return strings.Join(lines, "\n")
}

// expandTabs is Python's str.expandtabs with stops every eight columns.
func expandTabs(s string) string {
	if !strings.Contains(s, "\t") {
		return s
	}
	var b strings.Builder
	column := 0
	for _, r := range s {
		switch r {
		case '\t':
			n := 8 - column%8
			b.WriteString("        "[:n])
			column += n
		case '\n', '\r':
			b.WriteRune(r)
			column = 0
		default:
			b.WriteRune(r)
			column++
		}
	}
	return b.String()
}

// joined puts the docstrings in order: classes, functions, the module, each by
// name.
func (p *pythonScanner) joined() string {
	slices.SortStableFunc(p.docs, func(a, b docstring) int {
		if a.kind != b.kind {
			return strings.Compare(a.kind, b.kind)
		}
		return strings.Compare(a.name, b.name)
	})
	texts := make([]string, len(p.docs))
	for i, d := range p.docs {
		texts[i] = d.text
	}
	return strings.Join(texts, "\n")
}
