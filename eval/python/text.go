package python

import (
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// IsSpace is str.isspace of a character.
func IsSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

// Strip is str.strip().
func Strip(s string) string { return strings.TrimFunc(s, IsSpace) }

// Fields is str.split().
func Fields(s string) []string { return strings.FieldsFunc(s, IsSpace) }

// Lower is str.lower(): a Σ at the end of a word becomes ς, and İ keeps its dot.
func Lower(s string) string {
	if !strings.ContainsAny(s, "Σİ") {
		return strings.ToLower(s)
	}
	in := []rune(s)
	var b strings.Builder
	for i, r := range in {
		switch {
		case r == 'İ':
			b.WriteString("i̇")
		case r == 'Σ' && cased(in[:i], true) && !cased(in[i+1:], false):
			b.WriteRune('ς')
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// Upper is str.upper(): ß becomes SS, and so do others for which Unicode has several letters.
func Upper(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0 {
		return strings.ToUpper(s)
	}
	return cases.Upper(language.Und).String(s)
}

// Capitalise is str.capitalize: the first letter in title case, all others small.
func Capitalise(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	// The rest is lowered with what stands before it, on which a final sigma depends.
	_, first := utf8.DecodeRuneInString(Lower(s))
	return string(unicode.ToTitle(r)) + Lower(s)[first:]
}

// cased reports whether the next character, or the last one, is a letter with case; marks and
// signs inside of words are passed over (Unicode 3.13, Final_Sigma).
func cased(text []rune, last bool) bool {
	for len(text) > 0 {
		r := text[0]
		if last {
			r, text = text[len(text)-1], text[:len(text)-1]
		} else {
			text = text[1:]
		}
		if strings.ContainsRune("'.:^`¨\u00ad·’‘․", r) || unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) {
			continue
		}
		return unicode.IsUpper(r) || unicode.IsLower(r) || unicode.IsTitle(r)
	}
	return false
}

// ParseFloat is float(text); ok is false where it raises ValueError. It passes over fewer
// characters than Strip.
func ParseFloat(text string) (f float64, ok bool) {
	digits := strings.Map(func(r rune) rune {
		if r >= 0x80 {
			return decimal(r)
		}
		return r
	}, strings.TrimFunc(text, unicode.IsSpace))
	if strings.ContainsAny(digits, "xXpP") { // hexadecimal is Go's, not Python's
		return 0, false
	}
	if strings.EqualFold(strings.TrimLeft(digits, "+-"), "nan") && len(digits) <= 4 { // Go's has no sign
		return math.NaN(), true
	}
	for i := range digits {
		if digits[i] == '_' && (i == 0 || i+1 == len(digits) || !isDigit(digits[i-1]) || !isDigit(digits[i+1])) {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(digits, "_", ""), 64)
	if e, is := err.(*strconv.NumError); is && e.Err == strconv.ErrRange {
		err = nil // too large is infinity
	}
	return f, err == nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// decimal is the digit of ASCII that a digit of another script means; other characters stay.
// Digits stand ten in a row, so that their table's ranges begin with zeros.
func decimal(r rune) rune {
	for _, t := range unicode.Nd.R16 {
		if r >= rune(t.Lo) && r <= rune(t.Hi) {
			return '0' + (r-rune(t.Lo))%10
		}
	}
	for _, t := range unicode.Nd.R32 {
		if r >= rune(t.Lo) && r <= rune(t.Hi) {
			return '0' + (r-rune(t.Lo))%10
		}
	}
	return r
}

// Words is len(re.split(r"\s+", s)): the parts between runs of white space, an empty one before
// a run at the beginning and after one at the end included.
func Words(s string) int {
	n, space := 1, false
	for _, r := range s {
		is := IsSpace(r)
		if is && !space {
			n++
		}
		space = is
	}
	return n
}
