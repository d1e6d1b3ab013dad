package tagger

import (
	"maps"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Pygments' lexer for C and C++ (2.21, lexers/c_cpp.py) is a stack of states. What it calls a
// comment depends on them in one place: at the top level it takes a function from its
// type to the brace or semicolon in one go, and the list of parameters, which for it ends at the
// first closing bracket, on its own. A // comment in that list that the bracket cuts off
// lacks its newline, and is none. What follows is therefore no lexer of C but of
// what pygments does.

// cState is a state of the lexer.
type cState byte

const (
	cRoot          cState = iota // the top level
	cStatement                   // to the next { or ;
	cFunction                    // a body, once for each open brace
	cClass                       // what follows struct or class
	cEnum                        // what follows enum
	cCase                        // from case to its colon
	cNamespace                   // from namespace to its brace
	cNamespaceBody               // as the top level, but a closing brace ends it
)

// cLexer counts the comments of a text.
type cLexer struct {
	s     string
	cpp   bool
	words map[string]cWord
	i     int
	n     int // code points of comments
	stack []cState
}

// cComments keeps pygments' ways with preprocessor lines: what follows an
// #include on its line counts, what lies in #if 0 does not.
func cComments(s string, cpp bool) int {
	l := cLexer{s: s, cpp: cpp, words: cOnly(), stack: []cState{cRoot}}
	if cpp {
		l.words = cppOnly()
	}
	for l.i < len(s) {
		l.step()
	}
	return l.n
}

func (l *cLexer) count(t string) { l.n += utf8.RuneCountInString(t) }

func (l *cLexer) top() cState    { return l.stack[len(l.stack)-1] }
func (l *cLexer) push(st cState) { l.stack = append(l.stack, st) }
func (l *cLexer) pop()           { l.stack = l.stack[:max(1, len(l.stack)-1)] }

// step takes the next piece.
func (l *cLexer) step() {
	n := l.space()
	if l.i == len(l.s) {
		return
	}
	st := l.top()
	if (st == cStatement || st == cFunction) && l.plain() {
		return
	}
	rest := l.s[l.i:]
	switch st {
	case cClass, cEnum:
		l.i += n
		if word := rest[:n]; st == cClass || word != "class" && word != "struct" {
			l.pop()
		}
		return
	case cNamespace:
		switch {
		case n > 0:
			l.i += n
			return
		case rest[0] == ';':
			l.stack[len(l.stack)-1] = cRoot
			l.i++
			return
		case rest[0] == '{':
			l.stack[len(l.stack)-1] = cNamespaceBody
			l.i++
			return
		}
	case cRoot, cNamespaceBody:
		if st == cNamespaceBody && rest[0] == '}' {
			l.pop()
			l.i++
			return
		}
		if n > 0 {
			word := l.word(rest[:n])
			if l.keyword(word, rest, n) || l.function(rest, n) {
				return
			}
			if word == cType {
				l.i += n
				return
			}
		} else if strings.HasPrefix(rest, "::") && l.function(rest, 0) {
			return
		}
		l.push(cStatement)
	case cCase:
		if rest[0] == ':' {
			if !strings.HasPrefix(rest, "::") && l.s[l.i-1] != ':' {
				l.pop()
			}
			l.i++
			return
		}
		if n > 0 {
			l.i += n
			return
		}
	}
	l.statement(rest, n)
}

// space takes white space, comments, labels and preprocessor lines, and gives the length of
// the word that comes then.
func (l *cLexer) space() (word int) {
	s := l.s
	for l.i < len(s) {
		i := l.i
		line := i == 0 || s[i-1] == '\n' // for a directive there may be any white space before it
		label := line                    // for a label spaces and tabs alone
	blanks:
		for ; i < len(s); i++ {
			switch s[i] {
			case ' ', '\t':
			case '\n':
				line, label = true, true
			case '\v', '\f', '\r':
				label = false
			default:
				break blanks
			}
		}
		if l.i = i; i == len(s) {
			return 0
		}
		switch c := s[i]; {
		case cBytes[c] == cLetter || c == '\\' || c >= utf8.RuneSelf:
			if n := cIdent(s[i:], false); n > 0 {
				if label {
					if after := cLabel(s[i:], n); after > 0 {
						l.i += after
						continue
					}
				}
				return n
			}
			if r, size := utf8.DecodeRuneInString(s[i:]); unicode.IsSpace(r) {
				l.i += size
			} else if strings.HasPrefix(s[i:], "\\\n") {
				l.i += 2
			} else {
				return 0
			}
		case c == '#' && line:
			l.directive()
		case c != '/' || !l.comment(line):
			return 0
		}
	}
	return 0
}

// comment takes a comment, and the directive that it stands before.
func (l *cLexer) comment(line bool) bool {
	rest := l.s[l.i:]
	n := 0
	if strings.HasPrefix(rest, "//") {
		if n = continuedLine(rest); rest[n-1] != '\n' {
			return false
		}
	} else if n = blockComment(rest); n > 0 {
		if line && !strings.Contains(rest[:n], "\n") {
			if after := n + cBlanks(rest[n:]); after < len(rest) && rest[after] == '#' {
				l.count(rest[:n])
				l.i += after
				l.directive()
				return true
			}
		}
	} else if strings.HasPrefix(rest, "/*") {
		n = len(rest)
	} else {
		return false
	}
	l.count(rest[:n])
	l.i += n
	return true
}

// plain passes over what changes nothing in a statement: most words, numbers and
// operators, up to what step has to look at. It says whether there was any.
func (l *cLexer) plain() bool {
	s, i := l.s, l.i
scan:
	for i < len(s) {
		switch cBytes[s[i]] {
		case cOperator:
			i++
		case cDigit:
			i += cNumber(s[i:])
		case cLetter:
			end := i + cWordEnd(s[i:])
			if end < len(s) && (s[end] == '\\' || s[end] >= utf8.RuneSelf || end-i <= 3 && (s[end] == '"' || s[end] == '\'')) {
				break scan // a longer word, or the affix of a string
			}
			switch s[i:end] {
			case "case", "class", "concept", "enum", "namespace", "struct", "typename", "union":
				break scan // to another state
			}
			i = end
		default:
			break scan
		}
	}
	any := i > l.i
	l.i = i
	return any
}

// statement takes what is no white space within a statement; word is the length of the word
// that it begins with.
func (l *cLexer) statement(rest string, word int) {
	st := l.top()
	// Of words only a prefix or affix of a string is no word.
	if word <= 3 {
		if n := l.literal(rest); n != 0 {
			if n < 0 { // a string that its line ends: pygments begins anew
				l.stack = append(l.stack[:0], cRoot)
				n = -n
			}
			l.i += n
			return
		}
	}
	if word > 0 {
		if !l.keyword(l.word(rest[:word]), rest, word) {
			l.i += word
		}
		return
	}
	switch rest[0] {
	case '{':
		switch st {
		case cStatement:
			l.pop()
		case cFunction:
			l.push(cFunction)
		}
	case '}':
		if st == cFunction {
			l.pop()
		}
	case ';':
		if st == cStatement {
			l.pop()
		}
	}
	l.i++ // the rest of a longer character is passed over likewise
}

// literal is the length of the string, character or number at the start of s, less than 0 for
// a string without an end, 0 for anything else.
func (l *cLexer) literal(s string) int {
	affix := 0
	switch {
	case strings.HasPrefix(s, "u8"):
		affix = 2
	case s[0] == 'L' || s[0] == 'u' || s[0] == 'U':
		affix = 1
	}
	body := s[affix:]
	if raw, ok := strings.CutPrefix(body, `R"`); ok && l.cpp {
		if open := strings.IndexByte(raw, '('); open >= 0 && open <= 16 && !strings.ContainsAny(raw[:open], "\\) \t\n\v\f\r") {
			if end := strings.Index(raw[open:], ")"+raw[:open]+`"`); end >= 0 {
				return affix + 2 + open + end + open + 2
			}
		}
	}
	switch c := body[:min(1, len(body))]; {
	case c == `"`:
		n := quotedC(body)
		if n < 0 {
			return -(affix + lineAt(body))
		}
		return affix + n
	case c == "'":
		if n := cChar(body); n > 0 {
			return affix + n
		}
	case affix == 0 && isDigit(s[0]):
		return cNumber(s)
	}
	return 0
}

// cNumber is the length of the digits at the start of s, with quotes between them.
func cNumber(s string) int {
	digit := isDigit
	i := 1
	if len(s) > 2 && s[0] == '0' && s[1]|0x20 == 'x' {
		i = 2
		digit = func(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }
	}
	for i < len(s) && (digit(s[i]) || s[i] == '\'' && i+1 < len(s) && digit(s[i+1])) {
		i++
	}
	return i
}

// cChar is the length of a quoted single character at the start of s; 0 if there is none.
func cChar(s string) int {
	ends := func(i int) bool { return i < len(s) && s[i] == '\'' }
	if len(s) < 3 || s[1] == '\'' || s[1] == '\n' {
		return 0
	}
	if s[1] != '\\' {
		if _, n := utf8.DecodeRuneInString(s[1:]); ends(1 + n) {
			return 2 + n
		}
		return 0
	}
	if _, n := utf8.DecodeRuneInString(s[2:]); s[2] != '\n' && ends(2+n) {
		return 3 + n
	}
	i := 2
	for i < min(len(s), 5) && s[i] >= '0' && s[i] <= '7' {
		i++
	}
	if i == 2 && s[2] == 'x' {
		for i = 3; i < min(len(s), 5) && (isDigit(s[i]) || s[i]|0x20 >= 'a' && s[i]|0x20 <= 'f'); {
			i++
		}
	}
	if ends(i) {
		return i + 1
	}
	return 0
}

// What a byte is to plain; of all others the lexer has more to say.
const (
	cOther uint8 = iota
	cLetter
	cDigit
	cOperator // or a space
)

var cBytes = func() (b [256]uint8) {
	for c := range utf8.RuneSelf {
		switch {
		case isLetter(byte(c)) || c == '_' || c == '$':
			b[c] = cLetter
		case isDigit(byte(c)):
			b[c] = cDigit
		case strings.IndexByte("\n/\\\"'{};", byte(c)) < 0:
			b[c] = cOperator
		}
	}
	return b
}()

// cWordEnd is the number of ASCII letters and digits at the start of s.
func cWordEnd(s string) int {
	i := 0
	for i < len(s) && cBytes[s[i]]-cLetter <= cDigit-cLetter {
		i++
	}
	return i
}

// cIdent is the length of the identifier at the start of s; with spaces, it may hold ::.
func cIdent(s string, spaces bool) int {
	i := 0
	if s != "" && cBytes[s[0]] == cLetter {
		i = cWordEnd(s)
	}
	for i < len(s) {
		c := s[i]
		switch {
		case c == '_' || c == '$' || isLetter(c) || isDigit(c) && i > 0:
			i++
			continue
		case spaces && strings.HasPrefix(s[i:], "::"):
			i += 2
			continue
		case c == '\\':
			if n := cUniversal(s[i:]); n > 0 {
				i += n
				continue
			}
		case c >= utf8.RuneSelf:
			if r, n := utf8.DecodeRuneInString(s[i:]); unicode.IsLetter(r) || unicode.IsNumber(r) && (i > 0 || !unicode.IsDigit(r)) {
				i += n
				continue
			}
		}
		break
	}
	return i
}

// cUniversal is the length of a character written as \u0041 or \U00000041.
func cUniversal(s string) int {
	n := 0
	switch {
	case strings.HasPrefix(s, `\u`):
		n = 6
	case strings.HasPrefix(s, `\U`):
		n = 10
	}
	if n == 0 || len(s) < n || strings.Trim(s[2:n], "0123456789abcdefABCDEF") != "" {
		return 0
	}
	return n
}

// cLabel is the length of a label and its colon at the start of s, whose first word has n
// bytes.
func cLabel(s string, n int) int {
	i := n + cSpaces(s[n:])
	if !strings.HasPrefix(s[i:], ":") || strings.HasPrefix(s[i:], "::") {
		return 0
	}
	switch s[:n] {
	case "public", "private", "protected", "default":
		return 0
	}
	return i + 1
}

// word is what a word is to the lexer.
func (l *cLexer) word(w string) cWord {
	if len(w) > longestWord {
		return cName
	}
	return l.words[w]
}

// keyword takes a word, the n bytes at the start of s, if it is a keyword, and goes to the
// state that it leads to.
func (l *cLexer) keyword(word cWord, s string, n int) bool {
	switch word {
	case cKeyword:
	case cClassKeyword:
		if n < len(s) && unicode.IsSpace(rune(s[n])) {
			l.push(cClass)
		}
	case cEnumKeyword:
		if n < len(s) && unicode.IsSpace(rune(s[n])) {
			l.push(cEnum)
		}
	case cCaseKeyword:
		l.push(cCase)
	case cNamespaceKeyword:
		l.push(cNamespace)
	default:
		return false
	}
	l.i += n
	return true
}

// function takes a function at the top level: a type, a name, the parameters up to the
// first closing bracket, and what stands before a brace or a semicolon. There are comments
// between any two of them. s begins with a word of n bytes.
func (l *cLexer) function(s string, n int) bool {
	i := n
	if strings.HasPrefix(s[n:], "::") {
		i += cIdent(s[n:], true)
	}
	word := i
	for i < len(s) {
		if s[i] == '&' || s[i] == '*' {
			i++
		} else if k := cSpaces(s[i:]); k > 0 {
			i += k
		} else {
			break
		}
	}
	if i == word || word == 0 {
		return false
	}
	found := 0
	comments := func() {
		for {
			i += cSpaces(s[i:])
			if i == len(s) || s[i] != '/' {
				return
			}
			n := 0
			if rest := s[i:]; strings.HasPrefix(rest, "//") {
				if n = continuedLine(rest); rest[n-1] != '\n' {
					return
				}
			} else if n = blockComment(rest); n < 0 {
				return
			}
			found += utf8.RuneCountInString(s[i : i+n])
			i += n
		}
	}
	comments()
	n = cIdent(s[i:], true)
	if i += n; n == 0 {
		return false
	}
	comments()
	if i == len(s) || s[i] != '(' {
		return false
	}
	start := i
	if i = cAfterList.index(s, i); i == len(s) || s[i] != ')' {
		return false
	}
	i++
	parameters := s[start:i]
	comments()
	// To a brace if one comes, else to the semicolon.
	if i = cAfterHead.index(s, i); i == len(s) || s[i] != '{' && s[i] != ';' {
		return false
	}
	l.n += found
	if strings.Contains(parameters, "/") || strings.Contains(parameters, "#") {
		l.n += cComments(parameters, l.cpp)
	}
	l.i += i + 1
	if s[i] == '{' {
		l.push(cFunction)
	}
	return true
}

// What ends a function's parameters and its head, or shows that it is none.
var (
	cAfterList = newByteSet(`;"')`)
	cAfterHead = newByteSet(`;{/"'`)
)

// cWord is what a word is to the lexer.
type cWord byte

const (
	cName cWord = iota
	cType
	cKeyword
	cClassKeyword // what follows is a name
	cEnumKeyword
	cCaseKeyword
	cNamespaceKeyword
)

// longestWord is the length of the longest of the words.
const longestWord = 20

func cWords(keywords, types, classes string, more map[string]cWord) map[string]cWord {
	words := map[string]cWord{"case": cCaseKeyword}
	for kind, list := range map[cWord]string{cType: types, cKeyword: keywords, cClassKeyword: classes} {
		for _, w := range strings.Fields(list) {
			words[w] = kind
		}
	}
	maps.Copy(words, more)
	return words
}

const (
	cFamilyKeywords = `asm auto break const constexpr continue countof default defer do else enum extern for goto if
		register restricted return sizeof static switch typedef typeof typeof_unqual volatile while
		thread_local alignas alignof static_assert _Pragma fortran inline _inline __inline naked restrict thread
		__m128i __m128d __m128 __m64 __asm __based __except __stdcall __cdecl __fastcall __declspec __finally __try
		__leave __w64 __unaligned __raise __noop __identifier __forceinline __assume __null `
	cFamilyTypes = `__int8 __int16 __int32 __int64 __wchar_t bool int long float short double char unsigned signed void
		_BitInt __int128 `
)

var (
	cOnly = sync.OnceValue(func() map[string]cWord {
		return cWords(cFamilyKeywords+`_Alignas _Alignof _Noreturn _Countof _Generic _Thread_local _Static_assert _Imaginary
		noreturn imaginary complex`, cFamilyTypes+`_Bool _Complex _Atomic _Decimal32 _Decimal64 _Decimal128`, "struct union", nil)
	})
	cppOnly = sync.OnceValue(func() map[string]cWord {
		return cWords(cFamilyKeywords+`catch const_cast delete dynamic_cast explicit export friend mutable new operator private
		protected public reinterpret_cast __restrict static_cast template this throw throws try typeid using virtual
		decltype noexcept override final constinit consteval co_await co_return co_yield requires import module
		and and_eq bitand bitor compl not not_eq or or_eq xor xor_eq contract_assert pre post`,
			cFamilyTypes+`char16_t char32_t char8_t`, "struct union class concept typename",
			map[string]cWord{"enum": cEnumKeyword, "namespace": cNamespaceKeyword})
	})
)

// continuedLine is the length of s up to and with the newline that ends its
// line; a backslash before a newline continues it.
func continuedLine(s string) int {
	for i := 0; i < len(s); {
		i += min(lineAt(s[i:])+1, len(s)-i)
		if s[i-1] == '\n' && (i == 1 || s[i-2] != '\\') {
			return i
		}
	}
	return len(s)
}

// quotedC is quoted for C: a string may go on after a backslash and newline.
func quotedC(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		case '\n':
			return -1
		}
	}
	return -1
}

// directive passes over a preprocessor line with its continuations, or over what #if 0
// leaves out.
func (l *cLexer) directive() {
	s := l.s[l.i:]
	if after, ok := strings.CutPrefix(s, "#if"); ok {
		if zero := strings.TrimLeft(after, " \t\n\v\f\r"); zero != after && strings.HasPrefix(zero, "0") {
			i := len(s) - len(zero) + 1
			l.i += i + skippedLines(s[i:])
			return
		}
	}
	i := 1
	for i < len(s) {
		// An include may follow any piece of the line, and on its continuations.
		if k := l.include(s[i:]); k > 0 {
			i += k
			continue
		}
		switch {
		case strings.HasPrefix(s[i:], "//"):
			k := min(lineAt(s[i:])+1, len(s)-i)
			l.count(s[i : i+k])
			l.i += i + k
			return
		case s[i] == '/':
			k := blockComment(s[i:])
			if k < 0 {
				i++
				continue
			}
			l.count(s[i : i+k])
			i += k
		case s[i] == '\n':
			if i++; s[i-2] != '\\' {
				l.i += i
				return
			}
		default:
			i = cAfterPiece.index(s, i)
		}
	}
	l.i += i
}

// cAfterPiece is what ends a piece of a preprocessor line.
var cAfterPiece = newByteSet("/\n")

// include is the length of the word include and the file that it names, with what follows
// on the line, or up to the end of a comment there: that counts. 0 if there is none.
func (l *cLexer) include(s string) int {
	if c := s[0]; c != 'i' && c != '/' && cBlanks(s[:1]) == 0 {
		return 0
	}
	first, i := cBlank(s)
	if !strings.HasPrefix(s[i:], "include") {
		return 0
	}
	i += len("include")
	second, n := cBlank(s[i:])
	i += n
	end := -1
	if strings.HasPrefix(s[i:], "<") {
		end = strings.IndexByte(s[i+1:], '>')
	} else if strings.HasPrefix(s[i:], `"`) {
		end = strings.IndexByte(s[i+1:], '"')
	}
	if end < 1 {
		return 0
	}
	i += end + 2
	tail := strings.TrimLeft(s[i:], " \t\v\f\r")
	i = len(s) - len(tail)
	n = lineAt(tail)
	if k := strings.IndexByte(tail[:n], '/'); k >= 0 {
		if c := blockComment(tail[k:]); c > 0 {
			n = k + c
		}
	}
	l.count(first)
	l.count(second)
	l.count(tail[:n])
	return i + n
}

// cBlanks is the length of the ASCII white space at the start of s.
func cBlanks(s string) int {
	i := 0
	for i < len(s) && (s[i] == ' ' || s[i]-'\t' <= '\r'-'\t') {
		i++
	}
	return i
}

// cSpaces is the length of the white space at the start of s.
func cSpaces(s string) int {
	i := cBlanks(s)
	if i < len(s) && s[i] >= utf8.RuneSelf {
		i = len(s) - len(strings.TrimLeftFunc(s[i:], unicode.IsSpace))
	}
	return i
}

// cBlank is the length of the white space at the start of s, in which there may be one
// comment that does not go over a line.
func cBlank(s string) (comment string, n int) {
	n = cBlanks(s)
	if k := blockComment(s[n:]); k > 0 && !strings.Contains(s[n:n+k], "\n") {
		comment = s[n : n+k]
		n += k
		n += cBlanks(s[n:])
	}
	return comment, n
}

// skippedLines passes over the lines of an #if 0 up to its #else or #endif.
func skippedLines(s string) int {
	depth := 1
	for i := 0; i < len(s); {
		lead := i + cBlanks(s[i:])
		line := s[lead:]
		atStart := i > 0
		switch {
		case atStart && strings.HasPrefix(line, "#if"):
			depth++
			i = lead + continuedLine(line)
		case atStart && (strings.HasPrefix(line, "#else") || strings.HasPrefix(line, "#elif")):
			depth--
			i = lead + min(lineAt(line)+1, len(line))
		case atStart && strings.HasPrefix(line, "#endif"):
			depth--
			i = lead + continuedLine(line)
		default:
			i += min(lineAt(s[i:])+1, len(s)-i)
		}
		if depth == 0 {
			return i
		}
	}
	return len(s)
}
