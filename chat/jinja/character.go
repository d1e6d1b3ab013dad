package jinja

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// isSpace is Python's str.isspace of a character, which is also what regular
// expressions call white space.
func isSpace(c rune) bool { return unicode.IsSpace(c) || c >= 0x1c && c <= 0x1f }

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// The characters that Python counts as digits or numbers beyond Unicode's categories
// Nd and N: testdata/table.py prints them.
var (
	digits = sync.OnceValue(func() *unicode.RangeTable {
		return table(0xb2, 0xb3, 0xb9, 0xb9, 0x1369, 0x1371, 0x19da, 0x19da, 0x2070, 0x2070, 0x2074, 0x2079, 0x2080, 0x2089, 0x2460, 0x2468, 0x2474, 0x247c, 0x2488, 0x2490, 0x24ea, 0x24ea, 0x24f5, 0x24fd, 0x24ff, 0x24ff, 0x2776, 0x277e, 0x2780, 0x2788, 0x278a, 0x2792, 0x10a40, 0x10a43, 0x10e60, 0x10e68, 0x11052, 0x1105a, 0x1f100, 0x1f10a)
	})

	numerals = sync.OnceValue(func() *unicode.RangeTable {
		return table(0x3405, 0x3405, 0x3483, 0x3483, 0x382a, 0x382a, 0x3b4d, 0x3b4d, 0x4e00, 0x4e00, 0x4e03, 0x4e03, 0x4e07, 0x4e07, 0x4e09, 0x4e09, 0x4e5d, 0x4e5d, 0x4e8c, 0x4e8c, 0x4e94, 0x4e94, 0x4e96, 0x4e96, 0x4ebf, 0x4ec0, 0x4edf, 0x4edf, 0x4ee8, 0x4ee8, 0x4f0d, 0x4f0d, 0x4f70, 0x4f70, 0x5104, 0x5104, 0x5146, 0x5146, 0x5169, 0x5169, 0x516b, 0x516b, 0x516d, 0x516d, 0x5341, 0x5341, 0x5343, 0x5345, 0x534c, 0x534c, 0x53c1, 0x53c4, 0x56db, 0x56db, 0x58f1, 0x58f1, 0x58f9, 0x58f9, 0x5e7a, 0x5e7a, 0x5efe, 0x5eff, 0x5f0c, 0x5f0e, 0x5f10, 0x5f10, 0x62fe, 0x62fe, 0x634c, 0x634c, 0x67d2, 0x67d2, 0x6f06, 0x6f06, 0x7396, 0x7396, 0x767e, 0x767e, 0x8086, 0x8086, 0x842c, 0x842c, 0x8cae, 0x8cae, 0x8cb3, 0x8cb3, 0x8d30, 0x8d30, 0x9621, 0x9621, 0x9646, 0x9646, 0x964c, 0x964c, 0x9678, 0x9678, 0x96f6, 0x96f6, 0xf96b, 0xf96b, 0xf973, 0xf973, 0xf978, 0xf978, 0xf9b2, 0xf9b2, 0xf9d1, 0xf9d1, 0xf9d3, 0xf9d3, 0xf9fd, 0xf9fd, 0x20001, 0x20001, 0x20064, 0x20064, 0x200e2, 0x200e2, 0x20121, 0x20121, 0x2092a, 0x2092a, 0x20983, 0x20983, 0x2098c, 0x2098c, 0x2099c, 0x2099c, 0x20aea, 0x20aea, 0x20afd, 0x20afd, 0x20b19, 0x20b19, 0x22390, 0x22390, 0x22998, 0x22998, 0x23b1b, 0x23b1b, 0x2626d, 0x2626d, 0x2f890, 0x2f890)
	})
)

// table makes a table of pairs of first and last characters.
func table(pairs ...rune) *unicode.RangeTable {
	t := &unicode.RangeTable{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] <= 0xffff {
			t.R16 = append(t.R16, unicode.Range16{Lo: uint16(pairs[i]), Hi: uint16(pairs[i+1]), Stride: 1})
		} else {
			t.R32 = append(t.R32, unicode.Range32{Lo: uint32(pairs[i]), Hi: uint32(pairs[i+1]), Stride: 1})
		}
	}
	return t
}

func isDecimal(c rune) bool { return unicode.Is(unicode.Nd, c) }

func isDigitRune(c rune) bool { return isDecimal(c) || unicode.Is(digits(), c) }

func isNumeric(c rune) bool { return unicode.Is(unicode.N, c) || unicode.Is(numerals(), c) }

func isAlnum(c rune) bool { return unicode.IsLetter(c) || isNumeric(c) }

// isWord is \w of Python's regular expressions.
func isWord(c rune) bool { return c == '_' || isAlnum(c) }

func isLowerRune(c rune) bool {
	return unicode.Is(unicode.Ll, c) || unicode.Is(unicode.Other_Lowercase, c)
}

func isUpperRune(c rune) bool {
	return unicode.Is(unicode.Lu, c) || unicode.Is(unicode.Other_Uppercase, c)
}

func isIdentifierStart(c rune) bool {
	return c == '_' || unicode.IsLetter(c) || unicode.Is(unicode.Nl, c) || unicode.Is(unicode.Other_ID_Start, c)
}

func isIdentifier(s string) bool {
	for i, c := range s {
		if isIdentifierStart(c) || i > 0 && unicode.In(c, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc, unicode.Other_ID_Continue) {
			continue
		}
		return false
	}
	return s != ""
}

// upper, lower, folded and titleRune are Python's full mappings: "ß" becomes "SS", and
// Σ at a word's end ς.
func upper(s string) string {
	if isASCII(s) {
		return strings.ToUpper(s)
	}
	return cases.Upper(language.Und).String(s)
}

func lower(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	return cases.Lower(language.Und).String(s)
}

func folded(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	// Of Cherokee the large letters stand for both, which cases has the other way round.
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 0xab70 && c <= 0xabbf:
			return c - 0xab70 + 0x13a0
		case c >= 0x13f8 && c <= 0x13fd:
			return c - 8
		}
		return c
	}, cases.Fold().String(s))
}

func titleRune(c rune) string {
	if c < utf8.RuneSelf {
		return string(unicode.ToUpper(c))
	}
	return cases.Title(language.Und, cases.NoLower).String(string(c))
}

func capitalize(s string) string {
	c, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return ""
	}
	// Σ may be one at a word's end, which only the whole word shows.
	whole, first := lower(s), lower(string(c))
	if strings.HasPrefix(whole, first) {
		return titleRune(c) + whole[len(first):]
	}
	return titleRune(c) + lower(s[size:])
}

// title is Python's method, for which a word begins after anything that has no case.
func title(s string) string {
	var b strings.Builder
	inside := false
	begin := 0
	flush := func(end int) {
		b.WriteString(capitalize(s[begin:end]))
		begin = end
	}
	for i, c := range s {
		cased := isCased(c)
		if cased != inside {
			if inside { // a word ends
				flush(i)
			} else { // one begins
				b.WriteString(lower(s[begin:i]))
				begin = i
			}
			inside = cased
		}
	}
	if inside {
		flush(len(s))
	} else {
		b.WriteString(lower(s[begin:]))
	}
	return b.String()
}

func isCased(c rune) bool { return isLowerRune(c) || isUpperRune(c) || unicode.IsTitle(c) }

func swapCase(s string) string {
	var b strings.Builder
	for i, c := range s {
		switch {
		case isUpperRune(c) && c == 'Σ':
			// As lower does for the whole text: of the characters alone, what stands
			// around counts.
			b.WriteString(sigma(s, i))
		case isUpperRune(c):
			b.WriteString(lower(string(c)))
		case isLowerRune(c):
			b.WriteString(upper(string(c)))
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// sigma is the small form of the Σ at i.
func sigma(s string, i int) string {
	if strings.HasSuffix(lower(s[:i+len("Σ")]), "ς") && !strings.HasPrefix(strings.TrimPrefix(lower("α"+s[i:]), "α"), "σ") {
		return "ς"
	}
	return "σ"
}

// isTitle is Python's str.istitle.
func isTitle(s string) bool {
	cased, inside := false, false
	for _, c := range s {
		switch {
		case isUpperRune(c) || unicode.IsTitle(c):
			if inside {
				return false
			}
			cased, inside = true, true
		case isLowerRune(c):
			if !inside {
				return false
			}
			cased = true
		default:
			inside = false
		}
	}
	return cased
}

// allOf holds for a text that is not empty and of such characters only.
func allOf(s string, is func(rune) bool) bool {
	for _, c := range s {
		if !is(c) {
			return false
		}
	}
	return s != ""
}

// oneCase is Python's islower and isupper: no character of another case, and one of
// this.
func oneCase(s string, is, not func(rune) bool) bool {
	found := false
	for _, c := range s {
		if not(c) || unicode.IsTitle(c) {
			return false
		}
		found = found || is(c)
	}
	return found
}
