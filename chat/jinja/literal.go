package jinja

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"
)

// numberLiteral returns the length and kind of the number that s begins with; dotted
// says that it stands behind a dot, as in x.0.1, where no float can.
func numberLiteral(s string, dotted bool) (int, tokenKind) {
	if n := floatLiteral(s); n > 0 && !dotted {
		return n, tokFloat
	}
	if len(s) > 2 && s[0] == '0' {
		set := map[byte]string{'b': "01", 'o': "01234567", 'x': "0123456789abcdef"}[s[1]|0x20]
		if n := run(s, 2, set, true); set != "" && n > 2 {
			return n, tokInt
		}
	}
	if s[0] == '0' {
		return run(s, 1, "0", true), tokInt
	}
	return run(s, 1, "0123456789", true), tokInt
}

// run goes on from n over digits of a set, which single underscores may stand between,
// or also before where first is set.
func run(s string, n int, set string, first bool) int {
	for n < len(s) {
		switch {
		case strings.IndexByte(set, s[n]|0x20) >= 0 && s[n] != 0:
			n++
		case s[n] == '_' && first && n+1 < len(s) && strings.IndexByte(set, s[n+1]|0x20) >= 0:
			n += 2
		default:
			return n
		}
		first = true
	}
	return n
}

// floatLiteral returns the length of the float that s begins with, 0 for none.
func floatLiteral(s string) int {
	const digits = "0123456789"
	n := run(s, 0, digits, false)
	end := 0
	if n+1 < len(s) && s[n] == '.' && isDigit(s[n+1]) {
		n = run(s, n+1, digits, false)
		end = n
	}
	if n < len(s) && (s[n] == 'e' || s[n] == 'E') {
		m := n + 1
		if m < len(s) && (s[m] == '+' || s[m] == '-') {
			m++
		}
		if m < len(s) && isDigit(s[m]) {
			end = run(s, m, digits, false)
		}
	}
	return end
}

// stringLiteral returns the length of the quoted text that s begins with, 0 where it is
// not closed.
func stringLiteral(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			return i + 1
		}
	}
	return 0
}

// simpleEscapes are those of one letter.
var simpleEscapes = map[byte]string{'n': "\n", 't': "\t", 'r': "\r", 'b': "\b", 'f': "\f", 'v': "\v", 'a': "\a", '\n': "", '\\': `\`, '\'': "'", '"': `"`}

// unescape reads the inside of a string literal as Jinja2 does, with Python's codec
// unicode-escape.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		if i == len(s) {
			raise("\\ at end of string")
		}
		c := s[i]
		if plain, ok := simpleEscapes[c]; ok {
			b.WriteString(plain)
			continue
		}
		switch {
		case c == 'x' || c == 'u' || c == 'U':
			width := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
			r, err := uint64(0), error(strconv.ErrSyntax)
			if i+width < len(s) {
				r, err = strconv.ParseUint(s[i+1:i+1+width], 16, 32)
			}
			if err != nil || r > utf8.MaxRune {
				raise("truncated or illegal escape \\%c in a string", c)
			}
			if r >= 0xd800 && r < 0xe000 {
				raise("the half of a surrogate pair \\%s is not supported", s[i:i+1+width])
			}
			b.WriteRune(rune(r))
			i += width
		case c >= '0' && c <= '7':
			n := 1
			for n < 3 && i+n < len(s) && s[i+n] >= '0' && s[i+n] <= '7' {
				n++
			}
			r, _ := strconv.ParseUint(s[i:i+n], 8, 32)
			b.WriteRune(rune(r))
			i += n - 1
		case c == 'N':
			end := strings.IndexByte(s[i:], '}')
			if !strings.HasPrefix(s[i:], "N{") || end < 0 {
				raise("malformed \\N character escape")
			}
			b.WriteRune(named(s[i+2 : i+end]))
			i += end
		case c >= utf8.RuneSelf:
			// Jinja2 has made an escape of the character before Python reads escapes,
			// and the backslash takes that one's.
			r, size := utf8.DecodeRuneInString(s[i:])
			b.WriteString(escaped(r))
			i += size - 1
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String()
}

// packedNames has a line for each character that has a name of its own in Unicode: its code in
// hexadecimal, and the name. The tables of x/text are six times as long. TestCharacterNames writes it.
//
//go:embed names.txt.zst
var packedNames []byte

// characterNames are all characters by their names in Unicode.
var characterNames = sync.OnceValue(func() map[string]rune {
	text, err := unpackedNames()
	if err != nil {
		panic(err) // the file is part of the program
	}
	names := make(map[string]rune, 1<<15)
	for line := range strings.Lines(text) {
		code, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		r, err := strconv.ParseUint(code, 16, 32)
		if err != nil {
			panic(err)
		}
		names[name] = rune(r)
	}
	return names
})

func unpackedNames() (string, error) {
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return "", err
	}
	defer decoder.Close()
	text, err := decoder.DecodeAll(packedNames, nil)
	return string(text), err
}

// named is the character of a name, such as BULLET.
func named(name string) rune {
	name = strings.ToUpper(name)
	if r, ok := characterNames()[name]; ok {
		return r
	}
	if code, ok := strings.CutPrefix(name, "CJK UNIFIED IDEOGRAPH-"); ok {
		if r, err := strconv.ParseUint(code, 16, 32); err == nil && r >= 0x3400 && r <= 0x3ffff && fmt.Sprintf("%X", r) == code {
			return rune(r)
		}
	}
	raise("the character name %q is not supported", name)
	return 0
}
