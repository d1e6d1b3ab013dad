package data

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unsafe"
)

// Field is one member of a JSON object, with its value as it was written.
type Field struct {
	Key   string
	Value json.RawMessage
	Plain bool // AppendSerde writes Value as it stands; where it is false it may, too
}

// AppendFields appends the members of a JSON object in the order of the line.
// The values alias object, which must be valid UTF-8.
func AppendFields(dst []Field, object []byte) ([]Field, error) {
	s := scanner{b: object}
	err := s.object(func(key []byte) error {
		f, err := s.field(key)
		dst = append(dst, f)
		return err
	})
	return dst, err
}

func (s *scanner) field(key []byte) (Field, error) {
	f := Field{Key: string(key)}
	s.odd = false
	err := s.raw(&f.Value)
	f.Plain = !s.odd && f.Value != nil && (f.Value[0] == '"' || f.Value[0] == '[')
	return f, err
}

// AppendAttributes appends the attributes of a row of an attributes file, as they
// stand; the values alias line. found is false when the row has none, and then
// nothing is appended. id is empty when it is no string.
func AppendAttributes(dst []Field, line []byte) (id string, found bool, _ []Field, err error) {
	s := scanner{b: line}
	n := len(dst)
	err = s.object(func(key []byte) (err error) {
		switch c := s.peek(); {
		case string(key) == "id":
			if id = ""; c == '"' {
				id, err = s.str()
				return err
			}
		case string(key) == "attributes":
			dst = dst[:n] // of two the later one counts
			if found = c == '{'; found {
				return s.members(func(key []byte) error {
					f, err := s.field(key)
					dst = append(dst, f)
					return err
				})
			}
		}
		return s.skip()
	})
	return id, found, dst, err
}

// EachSpan calls each for the spans of a list of [start, end, score], as attributes
// are. ok is false for anything else, negative and fractional places included, as soon
// as it is met; DecodeValue then tells what it is.
func EachSpan(list []byte, each func(Span)) (ok bool) {
	s := scanner{b: list}
	if s.peek() != '[' {
		return false
	}
	s.i++
	if s.peek() == ']' {
		s.i++
		return s.peek() == 0 && s.i == len(list)
	}
	for {
		if s.peek() != '[' {
			return false
		}
		s.i++
		var v [3]float64
		for k := range v {
			var err error
			if v[k], err = s.number(); err != nil {
				return false
			}
			if c := s.peek(); k < 2 && c != ',' || k == 2 && c != ']' {
				return false
			}
			s.i++
		}
		for _, at := range v[:2] {
			if !(at >= 0 && at < 1<<52) || at != math.Trunc(at) {
				return false
			}
		}
		each(Span{int(v[0]), int(v[1]), v[2]})
		switch s.peek() {
		case ',':
			s.i++
		case ']':
			s.i++
			return s.peek() == 0 && s.i == len(list)
		default:
			return false
		}
	}
}

// DecodeValue reads one JSON value as encoding/json does into any, but keeps
// whole numbers apart from fractions: they are int where they fit. b must be
// valid UTF-8.
func DecodeValue(b []byte) (any, error) { return decodeValue(scanner{b: b}) }

// DecodeText is DecodeValue that tells a number which is no integer by a json.Number: its
// text is the shortest with a fraction, and so is that of -0, as in Rust's serde_json.
func DecodeText(b []byte) (any, error) { return decodeValue(scanner{b: b, text: true}) }

func decodeValue(s scanner) (any, error) {
	v, err := s.value()
	if err == nil {
		if s.space(); s.i < len(s.b) {
			err = s.errorf("%q follows the value", s.b[s.i])
		}
	}
	return v, err
}

func (s *scanner) value() (any, error) {
	switch c := s.peek(); {
	case c == '"':
		return s.str()
	case c == '{':
		m := map[string]any{}
		err := s.members(func(key []byte) error {
			k := string(key)
			v, err := s.value()
			m[k] = v
			return err
		})
		return m, err
	case c == '[':
		l := []any{}
		err := s.elements(func(int) error {
			v, err := s.value()
			l = append(l, v)
			return err
		})
		return l, err
	case c == 't':
		return true, s.literal("true")
	case c == 'f':
		return false, s.literal("false")
	case c == '-', c >= '0' && c <= '9':
		return s.numberValue()
	}
	return nil, s.skip() // null, or what no value starts with
}

func (s *scanner) numberValue() (any, error) {
	start := s.i
	if err := s.skipNumber(); err != nil {
		return nil, err
	}
	t := unsafe.String(&s.b[start], s.i-start)
	for i := range len(t) {
		if c := t[i]; c == '.' || c == 'e' || c == 'E' {
			if s.text && plainNumber(t) {
				return json.Number(strings.Clone(t)), nil
			}
			f, err := strconv.ParseFloat(t, 64)
			if err != nil {
				return nil, s.errorf("number %s is out of range", t)
			}
			if s.text {
				return json.Number(appendSerdeFloat(nil, serdeFloat(t))), nil
			}
			return f, nil
		}
	}
	if s.text && t == "-0" {
		return json.Number("-0.0"), nil
	}
	if n, err := strconv.ParseInt(t, 10, 64); err == nil && n >= math.MinInt && n <= math.MaxInt {
		return int(n), nil
	}
	f, err := strconv.ParseFloat(t, 64)
	if err != nil {
		return nil, s.errorf("number %s is out of range", t)
	}
	if s.text {
		if n, err := strconv.ParseUint(t, 10, 64); err == nil {
			return json.Number(strconv.AppendUint(nil, n, 10)), nil
		}
		return json.Number(appendSerdeFloat(nil, serdeFloat(t))), nil
	}
	return f, nil
}

// skipNumberLists passes over a list of lists of plain numbers, as attributes are:
// most bytes of an attribute file, for which the general way through JSON is slow. It
// knows no more than what stages write (no exponents, at most one space behind a
// comma). When it meets anything else it returns false where it began,
// and the general way decides.
func (s *scanner) skipNumberLists() bool {
	b, i := s.b, s.i+1
	if i < len(b) && b[i] == ']' {
		s.i = i + 1
		return true
	}
	plain := true // for odd
	for i < len(b) && b[i] == '[' {
		i++
		for more := true; more; {
			negative := i < len(b) && b[i] == '-'
			if negative {
				i++
			}
			first := i
			for i < len(b) && b[i]-'0' <= 9 {
				i++
			}
			whole := i - first
			if whole == 0 || whole > 1 && b[first] == '0' {
				return false
			}
			if i < len(b) && b[i] == '.' {
				i++
				point := i
				for i < len(b) && b[i]-'0' <= 9 {
					i++
				}
				if i == point {
					return false
				}
				plain = plain && plainFraction(whole, b[first] == '0', unsafe.String(&b[point], i-point))
			} else {
				plain = plain && whole <= plainDigits && !(negative && b[first] == '0')
			}
			switch {
			case i < len(b) && b[i] == ',':
				if i++; i < len(b) && b[i] == ' ' {
					i++
					plain = false
				}
			case i < len(b) && b[i] == ']':
				i++
				more = false
			default:
				return false
			}
		}
		switch {
		case i < len(b) && b[i] == ',':
			if i++; i < len(b) && b[i] == ' ' {
				i++
				plain = false
			}
		case i < len(b) && b[i] == ']':
			s.i = i + 1
			s.odd = s.odd || !plain
			return true
		default:
			return false
		}
	}
	return false
}
