package python

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Dumps is json.dumps(json.loads(text), indent=2, ensure_ascii=False): lm-eval's doc_hash is the
// SHA-256 of a row in this form.
func Dumps(text []byte) (string, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var b strings.Builder
	if err := dump(&b, d, 0); err != nil {
		return "", err
	}
	return b.String(), nil
}

func dump(b *strings.Builder, d *json.Decoder, depth int) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	line := func(depth int) { b.WriteString("\n" + strings.Repeat("  ", depth)) }
	switch v := t.(type) {
	case json.Delim:
		b.WriteString(v.String())
		n := 0
		for ; d.More(); n++ {
			if n > 0 {
				b.WriteByte(',')
			}
			line(depth + 1)
			if v == '{' {
				key, err := d.Token()
				if err != nil {
					return err
				}
				b.WriteString(quote(key.(string)) + ": ")
			}
			if err := dump(b, d, depth+1); err != nil {
				return err
			}
		}
		if n > 0 {
			line(depth)
		}
		end, err := d.Token()
		if err != nil {
			return err
		}
		b.WriteString(end.(json.Delim).String())
	case string:
		b.WriteString(quote(v))
	case json.Number:
		b.WriteString(numeral(string(v)))
	case nil:
		b.WriteString("null")
	default:
		fmt.Fprint(b, v)
	}
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
