// Package strictjson reads JSON on which something is proved, from whoever wrote it: each member
// once and by its exact name, every value of the type that is due, text in UTF-8, and nothing that
// could be read in two ways. It reads token by token and holds what it is asked for.
package strictjson

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	utf8 "golang.org/x/text/encoding"
	"golang.org/x/text/transform"
)

// Value reads a value of which the first token was read already; what is its name in errors.
type Value func(r *Reader, what string, first json.Token) error

// Reader is a text that is being read.
type Reader struct {
	d *json.Decoder
}

// Read reads a text that is one value.
func Read(from io.Reader, v Value) error {
	r := &Reader{json.NewDecoder(transform.NewReader(from, utf8.UTF8Validator))}
	r.d.UseNumber()
	first, err := r.d.Token()
	if err == nil {
		err = v(r, "it", first)
	}
	if err == nil {
		if _, err = r.d.Token(); err == io.EOF {
			return nil
		}
		if err == nil || !errors.Is(err, utf8.ErrInvalidUTF8) {
			err = errors.New("there is more behind its value")
		}
	}
	switch {
	case errors.Is(err, utf8.ErrInvalidUTF8):
		return errors.New("it is not UTF-8")
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it ends before its end")
	}
	return err
}

// Members are those of an object, each of which must be there; a question mark before its name
// says that it need not be.
type Members map[string]Value

// Object reads an object and passes over members that have no place in it.
func Object(m Members) Value { return ObjectWith(m, nil) }

// ObjectWith reads an object and tells the name of each member that has no place in it, which is
// passed over.
func ObjectWith(m Members, further func(what, name string)) Value {
	return func(r *Reader, what string, first json.Token) error {
		if first != json.Delim('{') {
			return wrong(what, "an object")
		}
		return r.object(what, m, func(name string) Value {
			if further != nil {
				further(what, name)
			}
			return pass(0)
		})
	}
}

// object reads an object behind its bracket; further gives what reads a member without a place.
func (r *Reader) object(what string, m Members, further func(name string) Value) error {
	seen := map[string]bool{}
	for r.d.More() {
		t, err := r.d.Token()
		if err != nil {
			return err
		}
		name := t.(string)
		if seen[name] {
			return fmt.Errorf("%s has %.100q twice", what, name)
		}
		seen[name] = true
		if t, err = r.d.Token(); err != nil {
			return err
		}
		read, ok := m[name]
		if !ok {
			read, ok = m["?"+name]
		}
		// Errors have the names of members that have a place: whoever wrote the text made up the others.
		called := name
		if !ok || strings.HasPrefix(name, "?") {
			read, called = further(name), "a member of "+strings.TrimPrefix(what, "a member of ")
		}
		if err := read(r, called, t); err != nil {
			return err
		}
	}
	var missing []string
	for name := range m {
		if name[0] != '?' && !seen[name] {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%s has no %s", what, slices.Min(missing))
	}
	_, err := r.d.Token()
	return err
}

// List reads an array.
func List[T any](to *[]T, entry func(*T) Value) Value {
	return func(r *Reader, what string, first json.Token) error {
		if first != json.Delim('[') {
			return wrong(what, "an array")
		}
		for r.d.More() {
			t, err := r.d.Token()
			if err != nil {
				return err
			}
			var v T
			if err := entry(&v)(r, fmt.Sprintf("%s[%d]", what, len(*to)), t); err != nil {
				return err
			}
			*to = append(*to, v)
		}
		_, err := r.d.Token()
		return err
	}
}

// Nullable reads null, which leaves nil, or what one reads.
func Nullable[T any](to **T, one func(*T) Value) Value {
	return func(r *Reader, what string, first json.Token) error {
		if first == nil {
			return nil
		}
		*to = new(T)
		return one(*to)(r, what, first)
	}
}

// String reads a string.
func String(to *string) Value {
	return func(_ *Reader, what string, first json.Token) error {
		s, ok := first.(string)
		if !ok {
			return wrong(what, "a string")
		}
		*to = s
		return nil
	}
}

// Exactly reads the one string that there may be.
func Exactly(want string) Value {
	return func(r *Reader, what string, first json.Token) error {
		var s string
		if err := String(&s)(r, what, first); err != nil {
			return err
		}
		if s != want {
			return fmt.Errorf("%s is %.200q, this program reads %q", what, s, want)
		}
		return nil
	}
}

// Text reads a string that gives a value such as a hash.
func Text(to encoding.TextUnmarshaler) Value {
	return func(r *Reader, what string, first json.Token) error {
		var s string
		if err := String(&s)(r, what, first); err != nil {
			return err
		}
		if err := to.UnmarshalText([]byte(s)); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	}
}

// Bool reads true or false.
func Bool(to *bool) Value {
	return func(_ *Reader, what string, first json.Token) error {
		v, ok := first.(bool)
		if !ok {
			return wrong(what, "true or false")
		}
		*to = v
		return nil
	}
}

// Count reads a whole number, not below 0, as Go writes it.
func Count[T int | int64](to *T) Value {
	return func(_ *Reader, what string, first json.Token) error {
		n, ok := first.(json.Number)
		if !ok {
			return wrong(what, "a number")
		}
		v, err := strconv.ParseInt(n.String(), 10, strconv.IntSize)
		if err != nil || v < 0 || strconv.FormatInt(v, 10) != n.String() {
			return wrong(what, "a whole number, 0 or more")
		}
		*to = T(v)
		return nil
	}
}

// maxDepth is how deep values may nest that are passed over.
const maxDepth = 64

// Any passes over a value that has no meaning here.
func Any() Value { return pass(0) }

func pass(depth int) Value {
	return func(r *Reader, what string, first json.Token) error {
		switch {
		case depth == maxDepth:
			return fmt.Errorf("%s nests more than %d values", what, maxDepth)
		case first == json.Delim('{'):
			return r.object(what, nil, func(string) Value { return pass(depth + 1) })
		case first == json.Delim('['):
			for r.d.More() {
				t, err := r.d.Token()
				if err != nil {
					return err
				}
				if err := pass(depth+1)(r, what, t); err != nil {
					return err
				}
			}
			_, err := r.d.Token()
			return err
		}
		return nil
	}
}

func wrong(what, want string) error { return fmt.Errorf("%s is not %s", what, want) }
