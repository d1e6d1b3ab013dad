package data

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"
	"unsafe"
)

// AppendSerde appends a JSON value that was parsed as Rust's serde_json writes it: without
// spaces, the keys of an object in order and of equal ones the last, no more escapes than
// are needed, numbers that are no integers as the shortest with a fraction. A number
// that no float64 holds is an error. value must be valid UTF-8.
func AppendSerde(dst, value []byte) ([]byte, error) {
	s := scanner{b: value}
	return s.serde(dst)
}

// member is one of an object's, whose value is dst[from:to].
type member struct {
	key      string
	from, to int
}

func (s *scanner) serde(dst []byte) (_ []byte, err error) {
	c := s.peek()
	start := s.i
	switch {
	case c == '"':
		s.odd = false
		if _, err := s.skipString(); err != nil {
			return dst, err
		}
		if !s.odd {
			break
		}
		s.i = start
		text, err := s.str()
		return AppendString(dst, text), err
	case c == '{':
		dst = append(dst, '{')
		var all []member
		sorted := true
		err = s.members(func(key []byte) error {
			m := member{key: string(key), from: len(dst)}
			if n := len(all); n > 0 {
				dst = append(dst, ',')
				m.from++
				sorted = sorted && all[n-1].key < m.key
			}
			dst = append(AppendString(dst, m.key), ':')
			dst, err = s.serde(dst)
			m.to = len(dst)
			all = append(all, m)
			return err
		})
		if err == nil && !sorted {
			dst = inOrder(dst, all)
		}
		return append(dst, '}'), err
	case c == '[':
		s.odd = false
		if s.skipNumberLists() && !s.odd {
			break
		}
		s.i = start
		dst = append(dst, '[')
		err = s.elements(func(i int) error {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst, err = s.serde(dst)
			return err
		})
		return append(dst, ']'), err
	case c == '-', c >= '0' && c <= '9':
		if err := s.skipNumber(); err != nil {
			return dst, err
		}
		if t := unsafe.String(&s.b[start], s.i-start); !plainNumber(t) {
			return s.serdeNumber(dst, t)
		}
	default: // true, false and null
		if err := s.skip(); err != nil {
			return dst, err
		}
	}
	return append(dst, s.b[start:s.i]...), nil
}

// inOrder puts the members at the end of dst in the order of their keys, and of those with
// equal ones keeps the last.
func inOrder(dst []byte, all []member) []byte {
	start := all[0].from
	was := bytes.Clone(dst[start:])
	slices.SortStableFunc(all, func(a, b member) int { return strings.Compare(a.key, b.key) })
	dst = dst[:start]
	for i, m := range all {
		if i+1 < len(all) && all[i+1].key == m.key {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = append(dst, was[m.from-start:m.to-start]...)
	}
	return dst
}

// plainDigits is how many digits any number may have that is written as it stands: a decimal
// of 15 is what the float64 next to it is written as, and divided by 10¹⁵ at most
// without a second rounding.
const plainDigits = 15

// plainNumber tells whether a number of JSON is written as it stands, as far as is seen without
// reading it.
func plainNumber(t string) bool {
	digits, negative := strings.CutPrefix(t, "-")
	for i := range len(digits) {
		switch digits[i] {
		case '.':
			fraction := digits[i+1:]
			return !strings.ContainsAny(fraction, "eE") && plainFraction(i, digits[0] == '0', fraction)
		case 'e', 'E':
			return false
		}
	}
	return len(digits) <= plainDigits && !(negative && digits[0] == '0')
}

// plainFraction is plainNumber for one with whole digits before the point, which are a zero or
// not, and the digits behind it. Small numbers are written with an exponent.
func plainFraction(whole int, zero bool, fraction string) bool {
	n := len(fraction)
	switch {
	case n == 1:
		return whole < plainDigits
	case fraction[n-1] == '0', whole+n > plainDigits:
		return false
	}
	return !zero || n < 4 || fraction[:4] != "0000"
}

// serdeNumber appends any number.
func (s *scanner) serdeNumber(dst []byte, t string) ([]byte, error) {
	whole := !strings.ContainsAny(t, ".eE")
	if whole && t != "-0" {
		if n, err := strconv.ParseInt(t, 10, 64); err == nil {
			return strconv.AppendInt(dst, n, 10), nil
		}
		if n, err := strconv.ParseUint(t, 10, 64); err == nil {
			return strconv.AppendUint(dst, n, 10), nil
		}
	}
	if f, err := strconv.ParseFloat(t, 64); err != nil || math.IsInf(f, 0) {
		return dst, s.errorf("number %s is out of range", t)
	}
	return appendSerdeFloat(dst, serdeFloat(t)), nil
}

// serdeFloat reads a number of JSON as Rust's serde_json does without its feature
// float_roundtrip: as many digits as fit into 64 bits, rounded, times a power of ten, rounded
// again. From 17 digits on that may be next to the nearest float64. t is in range.
func serdeFloat(t string) float64 {
	t, negative := strings.CutPrefix(t, "-")
	var digits uint64
	exponent, i := 0, 0
	full, fraction := false, false
	for ; i < len(t) && t[i] != 'e' && t[i] != 'E'; i++ {
		if t[i] == '.' {
			fraction = true
			continue
		}
		d := uint64(t[i] - '0')
		full = full || digits > (math.MaxUint64-d)/10
		switch {
		case !full:
			if digits = digits*10 + d; fraction {
				exponent--
			}
		case !fraction:
			exponent++
		}
	}
	if i < len(t) {
		e, err := strconv.Atoi(t[i+1:])
		if err != nil {
			e = math.MaxInt32
			if t[i+1] == '-' {
				e = -e
			}
		}
		exponent += e
	}
	f := float64(digits)
	for ; exponent < -308 && f != 0; exponent += 308 {
		f /= 1e308
	}
	switch {
	case f == 0:
	case exponent < 0:
		f /= power10(-exponent)
	default:
		f *= power10(exponent)
	}
	if negative {
		f = -f
	}
	return f
}

// power10 is the float64 nearest to 10ⁿ; math.Pow10 is a product from 10³² on.
func power10(n int) float64 {
	if n < 32 {
		return math.Pow10(n)
	}
	f, _ := strconv.ParseFloat("1e"+strconv.Itoa(n), 64)
	return f
}

// appendSerdeFloat is AppendFloat whose exponents have no + and no leading zero.
func appendSerdeFloat(dst []byte, f float64) []byte {
	n := len(dst)
	dst = AppendFloat(dst, f)
	if e := bytes.IndexByte(dst[n:], 'e') + n; e > n {
		exponent := bytes.TrimLeft(dst[e+1:], "+")
		sign := bytes.HasPrefix(exponent, []byte{'-'})
		exponent = bytes.TrimLeft(exponent, "-0")
		dst = dst[:e+1]
		if sign {
			dst = append(dst, '-')
		}
		dst = append(dst, exponent...)
	}
	return dst
}
