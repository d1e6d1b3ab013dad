// Package pyjson reads JSON as Python's json module writes and reads it, with the words NaN,
// Infinity and -Infinity, which JSON does not have; and says in words what is wrong with it.
package pyjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"olmo/store"
)

// ReadFile decodes a file into v. An error names the file, but for one that is not there.
func ReadFile(path string, v any) error {
	text, err := read(path)
	if err == nil {
		err = named(path, text, Unmarshal(text, v))
	}
	return err
}

// ReadObject decodes a file with an object, as Object.
func ReadObject(path string) (map[string]any, error) {
	text, err := read(path)
	if err != nil {
		return nil, err
	}
	m, err := Object(text)
	return m, named(path, text, err)
}

func read(path string) ([]byte, error) {
	text, err := store.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if err := store.Mistaken(text); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return text, nil
}

// named is an error about the text of a file. One that does not even begin as JSON is perhaps a
// server's answer.
func named(path string, text []byte, err error) error {
	if err == nil {
		return nil
	}
	if begin := bytes.TrimSpace(text); len(begin) > 0 && !bytes.ContainsRune([]byte("{[\"-0123456789"), rune(begin[0])) && !json.Valid(text) {
		if message := store.Message(text, "JSON"); message != nil {
			err = message
		}
	}
	return fmt.Errorf("%s: %w", path, err)
}

// words are the numbers that JSON does not have, as json.dumps writes them; the sign goes with
// the word.
var words = []struct {
	text  string
	value float64
}{{"-Infinity", math.Inf(-1)}, {"Infinity", math.Inf(1)}, {"NaN", math.NaN()}}

// nulls puts null in the place of Python's words outside of strings, and tells whether there was
// one.
func nulls(text []byte) (plain []byte, found bool) {
	return replace(text, func(int) string { return "null" })
}

// mark is the byte order mark that Windows tools write before a text.
var mark = []byte("\ufeff")

// Unmarshal is encoding/json's, with null in the place of Python's words, behind a byte order
// mark or not. An error, an *Error, is that of the text as it stands.
func Unmarshal(text []byte, v any) error {
	text = bytes.TrimPrefix(text, mark)
	err := json.Unmarshal(text, v)
	if err != nil {
		if plain, found := nulls(text); found && json.Unmarshal(plain, v) == nil {
			return nil
		}
	}
	return explain(text, err)
}

// Strict is encoding/json's Unmarshal, to which a key that v has no place for is an error.
func Strict(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil && d.More() {
		err = errors.New("something follows its object")
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = json.Unmarshal(text, v) // which tells the place
	}
	return explain(text, err)
}

// Value is encoding/json's Unmarshal for a part of a text.
func Value(part []byte, v any) error { return Part(explain(part, json.Unmarshal(part, v))) }

// Part is an error about a part of a text, whose place the caller tells: an *Error has none.
func Part(err error) error {
	if e, ok := err.(*Error); ok {
		e.Line, e.Column = 0, 0
	}
	return err
}

// replace puts what with returns for a word in its place, outside of strings.
func replace(text []byte, with func(word int) string) (plain []byte, found bool) {
	plain = make([]byte, 0, len(text))
scan:
	for quoted := false; len(text) > 0; {
		switch {
		case quoted && text[0] == '\\' && len(text) > 1:
			plain, text = append(plain, text[:2]...), text[2:]
			continue
		case text[0] == '"':
			quoted = !quoted
		case !quoted:
			for i, w := range words {
				if bytes.HasPrefix(text, []byte(w.text)) {
					plain, text, found = append(plain, with(i)...), text[len(w.text):], true
					continue scan
				}
			}
		}
		plain, text = append(plain, text[0]), text[1:]
	}
	return plain, found
}

// Object decodes an object, as encoding/json does into a map; Python's words are float64s.
func Object(text []byte) (map[string]any, error) {
	text = bytes.TrimPrefix(text, mark)
	var m map[string]any
	err := json.Unmarshal(text, &m)
	if err != nil {
		m = nil
		plain, found := replace(text, func(word int) string { return quoted + words[word].text + `"` })
		if !found || json.Unmarshal(plain, &m) != nil {
			return nil, explain(text, err)
		}
		m, _ = numbers(m).(map[string]any)
	}
	if m == nil {
		return nil, &Error{what: "it is null, not an object"}
	}
	return m, nil
}

// quoted begins the strings that stand for numbers while the rest is decoded. A text that has it
// already, which nobody writes, would be taken for a number.
const quoted = `"\u0000number `

// numbers puts numbers in the place of marked strings.
func numbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, x := range v {
			v[key] = numbers(x)
		}
	case []any:
		for i, x := range v {
			v[i] = numbers(x)
		}
	case string:
		for _, w := range words {
			if v == "\x00number "+w.text {
				return w.value
			}
		}
	}
	return v
}

// Indented is a value as files for programs and people have it: indented by two, <, > and & as they
// are, with a newline at the end.
func Indented(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}
