// Package pyjson reads JSON as Python's json module writes and reads it: with the words NaN,
// Infinity and -Infinity, which JSON does not have.
package pyjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
)

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

// Unmarshal is encoding/json's, with null in the place of Python's words. An error is that of the
// text as it stands.
func Unmarshal(text []byte, v any) error {
	err := json.Unmarshal(text, v)
	if err != nil {
		if plain, found := nulls(text); found && json.Unmarshal(plain, v) == nil {
			return nil
		}
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
	var m map[string]any
	err := json.Unmarshal(text, &m)
	if err != nil {
		m = nil
		plain, found := replace(text, func(word int) string { return mark + words[word].text + `"` })
		if !found || json.Unmarshal(plain, &m) != nil {
			return nil, err
		}
		m, _ = numbers(m).(map[string]any)
	}
	if m == nil {
		return nil, errors.New("not a JSON object")
	}
	return m, nil
}

// mark begins the strings that stand for numbers while the rest is decoded. A text that has it
// already, which nobody writes, would be taken for a number.
const mark = `"\u0000number `

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
