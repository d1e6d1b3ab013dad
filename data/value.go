package data

import (
	"encoding/json"
	"math"
	"strconv"
	"unsafe"
)

// Field is one member of a JSON object, with its value as it was written.
type Field struct {
	Key   string
	Value json.RawMessage
}

// AppendFields appends the members of a JSON object in the order of the line.
// The values alias object, which must be valid UTF-8.
func AppendFields(dst []Field, object []byte) ([]Field, error) {
	s := scanner{b: object}
	err := s.object(func(key []byte) error {
		f := Field{Key: string(key)}
		err := s.raw(&f.Value)
		dst = append(dst, f)
		return err
	})
	return dst, err
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
					f := Field{Key: string(key)}
					err := s.raw(&f.Value)
					dst = append(dst, f)
					return err
				})
			}
		}
		return s.skip()
	})
	return id, found, dst, err
}

// ParseSpans appends the spans of a list of [start, end, score], as attributes
// are. ok is false for anything else, negative and fractional places included;
// DecodeValue then tells what it is.
func ParseSpans(dst []Span, list []byte) (_ []Span, ok bool) {
	s := scanner{b: list}
	if s.peek() != '[' {
		return dst, false
	}
	s.i++
	if s.peek() == ']' {
		s.i++
		return dst, s.peek() == 0 && s.i == len(list)
	}
	for {
		if s.peek() != '[' {
			return dst, false
		}
		s.i++
		var v [3]float64
		for k := range v {
			var err error
			if v[k], err = s.number(); err != nil {
				return dst, false
			}
			if c := s.peek(); k < 2 && c != ',' || k == 2 && c != ']' {
				return dst, false
			}
			s.i++
		}
		for _, at := range v[:2] {
			if !(at >= 0 && at < 1<<52) || at != math.Trunc(at) {
				return dst, false
			}
		}
		dst = append(dst, Span{int(v[0]), int(v[1]), v[2]})
		switch s.peek() {
		case ',':
			s.i++
		case ']':
			s.i++
			return dst, s.peek() == 0 && s.i == len(list)
		default:
			return dst, false
		}
	}
}

// DecodeValue reads one JSON value as encoding/json does into any, but keeps
// whole numbers apart from fractions: they are int where they fit. b must be
// valid UTF-8.
func DecodeValue(b []byte) (any, error) {
	s := scanner{b: b}
	v, err := s.value()
	if err == nil {
		if s.space(); s.i < len(b) {
			err = s.errorf("%q follows the value", b[s.i])
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
			f, err := strconv.ParseFloat(t, 64)
			if err != nil {
				return nil, s.errorf("number %s is out of range", t)
			}
			return f, nil
		}
	}
	if n, err := strconv.ParseInt(t, 10, 64); err == nil && n >= math.MinInt && n <= math.MaxInt {
		return int(n), nil
	}
	f, err := strconv.ParseFloat(t, 64)
	if err != nil {
		return nil, s.errorf("number %s is out of range", t)
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
	for i < len(b) && b[i] == '[' {
		i++
		for more := true; more; {
			if i < len(b) && b[i] == '-' {
				i++
			}
			first := i
			for i < len(b) && b[i]-'0' <= 9 {
				i++
			}
			if n := i - first; n == 0 || n > 1 && b[first] == '0' {
				return false
			}
			if i < len(b) && b[i] == '.' {
				i++
				first = i
				for i < len(b) && b[i]-'0' <= 9 {
					i++
				}
				if i == first {
					return false
				}
			}
			switch {
			case i < len(b) && b[i] == ',':
				if i++; i < len(b) && b[i] == ' ' {
					i++
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
			}
		case i < len(b) && b[i] == ']':
			s.i = i + 1
			return true
		default:
			return false
		}
	}
	return false
}
