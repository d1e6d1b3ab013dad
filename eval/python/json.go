package python

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Dumps is json.dumps(json.loads(text), indent=2, ensure_ascii=False): lm-eval's doc_hash is the
// SHA-256 of a row in this form.
func Dumps(text []byte) (string, error) {
	if !json.Valid(text) {
		var v any
		return "", json.Unmarshal(text, &v)
	}
	// A valid text needs no parser: white space is set anew, numbers and strings are written as
	// Python does. Every row of a data set goes through here.
	var b strings.Builder
	b.Grow(len(text) * 5 / 4)
	depth := 0
	line := func() {
		b.WriteByte('\n')
		for range depth {
			b.WriteString("  ")
		}
	}
	for i := 0; i < len(text); {
		switch c := text[i]; c {
		case ' ', '\t', '\n', '\r':
			i++
		case '{', '[':
			b.WriteByte(c)
			for i++; isSpace(text[i]); {
				i++
			}
			if text[i] == c+2 { // the bracket that closes it
				b.WriteByte(text[i])
				i++
				continue
			}
			depth++
			line()
		case '}', ']':
			depth--
			line()
			b.WriteByte(c)
			i++
		case ',':
			b.WriteByte(c)
			line()
			i++
		case ':':
			b.WriteString(": ")
			i++
		case '"':
			end := i + 1
			for text[end] != '"' {
				if text[end] == '\\' {
					end++
				}
				end++
			}
			if err := requote(&b, text[i:end+1]); err != nil {
				return "", err
			}
			i = end + 1
		default:
			end := i
			for end < len(text) && !isSpace(text[end]) && text[end] != ',' && text[end] != ']' && text[end] != '}' {
				end++
			}
			if word := string(text[i:end]); c == 't' || c == 'f' || c == 'n' {
				b.WriteString(word)
			} else {
				b.WriteString(numeral(word))
			}
			i = end
		}
	}
	return b.String(), nil
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// requote writes a JSON string as Python does.
func requote(b *strings.Builder, text []byte) error {
	if bytes.IndexByte(text, '\\') < 0 && utf8.Valid(text) {
		b.Write(text)
		return nil
	}
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	b.WriteString(quote(s))
	return nil
}

// numeral writes a number as Python does after reading it.
func numeral(s string) string {
	if !strings.ContainsAny(s, ".eE") {
		if s == "-0" {
			return "0"
		}
		return s
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		if math.IsInf(f, 1) {
			return "Infinity"
		}
		return "-Infinity"
	}
	return Float(f)
}

// Float is repr of a float: the shortest digits, with an exponent below 1e-4 and from 1e16 on.
func Float(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		s := strconv.FormatFloat(f, 'e', -1, 64)
		mantissa, exponent, _ := strings.Cut(s, "e")
		if n := exponent[1:]; len(n) == 1 {
			exponent = exponent[:1] + "0" + n
		}
		return mantissa + "e" + exponent
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// quote writes a string as json.dumps does without ensure_ascii.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case strings.ContainsRune("\b\f\n\r\t", r):
			b.WriteByte('\\')
			b.WriteByte("bfnrt"[strings.IndexRune("\b\f\n\r\t", r)])
		case r < 0x20:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
