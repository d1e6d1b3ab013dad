package pyjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"
)

// Error says what is wrong with a text in JSON, and where. In its chain is encoding/json's.
type Error struct {
	Line, Column int // from 1, the column in bytes; 0 where only a part is known
	what         string
	err          error
}

func (e *Error) Error() string {
	switch {
	case e.Line == 0:
		return e.what
	case e.Column == 0:
		return fmt.Sprintf("line %d: %s", e.Line, e.what)
	}
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.what)
}

func (e *Error) Unwrap() error { return e.err }

// explain puts encoding/json's errors about a text into words.
func explain(text []byte, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		at := int(max(syntax.Offset-1, 0)) // of the byte that does not fit
		e := &Error{err: err}
		if want := expected(syntax.Error()); syntax.Offset >= int64(len(text)) && strings.Contains(syntax.Error(), "unexpected end") {
			at, e.what = len(text), "the file ends in the middle"
		} else if c, _ := utf8.DecodeRune(text[min(at, len(text)):]); want == "" {
			e.what = fmt.Sprintf("found %q in the middle of a value", c)
		} else {
			e.what = fmt.Sprintf("found %q where %s is expected", c, want)
		}
		before := text[:min(at, len(text))]
		e.Line, e.Column = 1+bytes.Count(before, []byte("\n")), len(before)-bytes.LastIndexByte(before, '\n')
		return e
	case errors.As(err, &kind):
		e := &Error{what: fmt.Sprintf("it is %s, not %s", got(kind.Value), wanted(kind.Type)), err: err}
		if kind.Field != "" {
			e.what = kind.Field + strings.TrimPrefix(e.what, "it")
		}
		// What a type decodes by itself has its own place, from its own beginning.
		if at := int(kind.Offset); at <= len(text) {
			e.Line = 1 + bytes.Count(text[:at], []byte("\n"))
		}
		return e
	}
	what := strings.TrimPrefix(err.Error(), "json: ")
	if key, ok := strings.CutPrefix(what, "unknown field "); ok {
		what = "the key " + key + " is not known"
	}
	return &Error{what: what, err: err}
}

// expected is what encoding/json was looking for when it met another character.
func expected(message string) string {
	for _, m := range []struct{ said, want string }{
		{"looking for beginning of object key string", "a key"},
		{"looking for beginning of value", "a value"},
		{"after object key:value pair", "',' or '}'"},
		{"after object key", "':'"},
		{"after array element", "',' or ']'"},
		{"after top-level value", "the end of the file"},
	} {
		if strings.HasSuffix(message, m.said) {
			return m.want
		}
	}
	return ""
}

// got says in words what encoding/json calls a value.
func got(value string) string {
	switch value {
	case "string":
		return "a string"
	case "number":
		return "a number"
	case "bool":
		return "true or false"
	case "array":
		return "a list"
	case "object":
		return "an object"
	}
	return strings.TrimPrefix(value, "number ")
}

// wanted says in words what a Go type takes.
func wanted(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return fmt.Sprintf("a whole number of type %s", t.Kind())
	}
	return "an object"
}
