package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// kind is a regular expression of the common byte-level tokenizers, or what
// they make of one, for which there is a hand-written scanner. All of these
// match at every place, so that their matches tile a text.
type kind int

const (
	kindGPT2   kind = iota
	kindNeoX        // GPT-2's, where runs of spaces are added tokens
	kindDigits      // GPT-2's between single numbers
	kindCL100K
	kindSplits // anything else, by fastBPE.cuts; it has no scanner
)

// scan takes valid UTF-8 and a start before its end, and returns where the match
// that begins there ends.
func (k kind) scan(s string, i int) int {
	switch k {
	case kindGPT2:
		return scanGPT2(s, i)
	case kindNeoX:
		return scanNeoX(s, i)
	case kindDigits:
		return scanDigitsGPT2(s, i)
	default:
		return scanCL100K(s, i)
	}
}

// Expressions with a scanner of their own.
const (
	gpt2Pattern   = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	cl100kPattern = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// Classes of code points that the expressions tell apart.
const (
	classOther  = 0
	classLetter = propLetter
	classNumber = propNumber
	classSpace  = propSpace
	classMask   = propLetter | propNumber | propSpace
)

// asciiClass holds the class of each ASCII byte, and classMask (no single
// class) for the bytes of longer code points.
var asciiClass = func() (t [256]uint8) {
	for c := range t {
		switch {
		case c >= utf8.RuneSelf:
			t[c] = classMask
		case 'a' <= c|0x20 && c|0x20 <= 'z':
			t[c] = classLetter
		case '0' <= c && c <= '9':
			t[c] = classNumber
		case isSpace(rune(c)):
			t[c] = classSpace
		}
	}
	return t
}()

// classAt returns the class and length of the code point at i.
func classAt(s string, i int) (class uint8, n int) {
	if c := s[i]; c < utf8.RuneSelf {
		return asciiClass[c], 1
	}
	r, n := utf8.DecodeRuneInString(s[i:])
	return unicodeTables().props.of(r) & classMask, n
}

// skipClass returns the end of the run of class that goes through i.
func skipClass(s string, i int, class uint8) int {
	for i < len(s) {
		c := asciiClass[s[i]]
		if c == class {
			i++
			continue
		}
		if c != classMask {
			return i
		}
		k, n := classAt(s, i)
		if k != class {
			return i
		}
		i += n
	}
	return i
}

// spaces returns the end of the white space that starts at i, and of the part
// of it up to its last line break (i where there is none). last is where its
// last code point begins.
func spaces(s string, i int) (end, lines, last int) {
	end, lines, last = i, i, i
	for end < len(s) {
		k, n := classAt(s, end)
		if k != classSpace {
			break
		}
		last = end
		end += n
		if c := s[last]; c == '\n' || c == '\r' {
			lines = end
		}
	}
	return end, lines, last
}

// contraction returns the length of 's, 't, 're, 've, 'm, 'll or 'd at i, where
// an apostrophe stands, or 0.
func contraction(s string, i int) int {
	if i+1 >= len(s) {
		return 0
	}
	switch s[i+1] {
	case 's', 't', 'm', 'd':
		return 2
	case 'r', 'v':
		if i+2 < len(s) && s[i+2] == 'e' {
			return 3
		}
	case 'l':
		if i+2 < len(s) && s[i+2] == 'l' {
			return 3
		}
	}
	return 0
}

// contractionFold is contraction without regard to case; ſ (U+017F) is an s.
func contractionFold(s string, i int) int {
	if i+1 >= len(s) {
		return 0
	}
	switch s[i+1] | 0x20 {
	case 's', 't', 'm', 'd':
		return 2
	case 'r', 'v':
		if i+2 < len(s) && s[i+2]|0x20 == 'e' {
			return 3
		}
	case 'l':
		if i+2 < len(s) && s[i+2]|0x20 == 'l' {
			return 3
		}
	case 0xC5 | 0x20:
		if s[i+1] == 0xC5 && i+2 < len(s) && s[i+2] == 0xBF {
			return 3
		}
	}
	return 0
}

// scanGPT2 matches gpt2Pattern.
func scanGPT2(s string, i int) int {
	if s[i] == '\'' {
		if n := contraction(s, i); n > 0 {
			return i + n
		}
	}
	at := i
	if s[i] == ' ' && i+1 < len(s) {
		at++
	}
	k, n := classAt(s, at)
	if k != classSpace {
		return skipClass(s, at+n, k)
	}
	end, _, last := spaces(s, i)
	if end < len(s) && last > i {
		return last
	}
	return end
}

// scanCL100K matches cl100kPattern.
func scanCL100K(s string, i int) int {
	if s[i] == '\'' {
		if n := contractionFold(s, i); n > 0 {
			return i + n
		}
	}
	k, n := classAt(s, i)
	switch {
	case k == classLetter:
		return skipClass(s, i+n, classLetter)
	case k == classNumber:
		for at, count := i, 0; ; {
			at += n
			count++
			if count == 3 || at >= len(s) {
				return at
			}
			if k, n = classAt(s, at); k != classNumber {
				return at
			}
		}
	}
	at := i + n
	var k2 uint8 = classSpace
	var n2 int
	if at < len(s) {
		k2, n2 = classAt(s, at)
		if k2 == classLetter && s[i] != '\r' && s[i] != '\n' {
			return skipClass(s, at+n2, classLetter)
		}
	}
	if k == classOther || s[i] == ' ' && k2 == classOther {
		at = skipClass(s, at, classOther)
		for at < len(s) && (s[at] == '\r' || s[at] == '\n') {
			at++
		}
		return at
	}
	end, lines, last := spaces(s, i)
	switch {
	case lines > i:
		return lines
	case end < len(s) && last > i:
		return last
	}
	return end
}

// scanNeoX matches runs of 2 to maxSpaces spaces, and gpt2Pattern in what lies
// between them.
func scanNeoX(s string, i int) int {
	if s[i] == ' ' && i+1 < len(s) && s[i+1] == ' ' {
		end := i + 2
		for end < min(i+maxSpaces, len(s)) && s[end] == ' ' {
			end++
		}
		return end
	}
	end := scanGPT2(s, i)
	if k, _ := classAt(s, i); k == classSpace {
		if at := strings.Index(s[i:min(end+1, len(s))], "  "); at > 0 {
			return i + at
		}
	}
	return end
}

// scanDigitsGPT2 matches single numbers, and gpt2Pattern in what lies between
// them.
func scanDigitsGPT2(s string, i int) int {
	if n := numberAt(s, i); n > 0 {
		return i + n
	}
	if s[i] == '\'' {
		if n := contraction(s, i); n > 0 {
			return i + n
		}
	}
	at := i
	if s[i] == ' ' && i+1 < len(s) && numberAt(s, i+1) == 0 {
		at++
	}
	k, n := classAt(s, at)
	switch k {
	case classLetter:
		return skipClass(s, at+n, k)
	case classOther:
		for at += n; at < len(s) && numberAt(s, at) == 0; at += n {
			if k, n = classAt(s, at); k != classOther {
				break
			}
		}
		return at
	}
	end, _, last := spaces(s, i)
	if end < len(s) && last > i && numberAt(s, end) == 0 {
		return last
	}
	return end
}

// numberAt returns the length of the number at i, 0 for anything else. Rust
// knows a few numbers that \p{N} does not have.
func numberAt(s string, i int) int {
	if c := s[i]; c < utf8.RuneSelf {
		if asciiClass[c] == classNumber {
			return 1
		}
		return 0
	}
	r, n := utf8.DecodeRuneInString(s[i:])
	if !isNumeric(r) {
		return 0
	}
	return n
}
