package jinja

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
)

// variables reads a template's variables from JSON, with the keys of inner objects in
// their order.
func variables(t testing.TB, text []byte) map[string]any {
	t.Helper()
	v, err := fromJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]any{}
	d := v.(*Dict)
	for i, k := range d.keys {
		vars[k.(string)] = d.values[i]
	}
	return vars
}

// fromJSON reads one JSON value, with its objects' keys in order.
func fromJSON(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := decodeJSON(d)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("text after the JSON value")
	}
	return v, nil
}

func decodeJSON(d *json.Decoder) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Number:
		if i, ok := parseInt(string(t), 10); ok {
			return i, nil
		}
		return strconv.ParseFloat(string(t), 64)
	case json.Delim:
		if t == '[' {
			l := &List{}
			for d.More() {
				v, err := decodeJSON(d)
				if err != nil {
					return nil, err
				}
				l.items = append(l.items, v)
			}
			_, err := d.Token()
			return l, err
		}
		m := NewDict()
		for d.More() {
			k, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := decodeJSON(d)
			if err != nil {
				return nil, err
			}
			m.set(k, v)
		}
		_, err := d.Token()
		return m, err
	}
	return t, nil // nil, bool, string
}

// TestDeepJSON: a text of brackets is an error, and not the end of the process.
func TestDeepJSON(t *testing.T) {
	for _, open := range []string{"[", `{"a":`} {
		d := json.NewDecoder(strings.NewReader(strings.Repeat(open, 3_000_000)))
		if _, err := FromJSON(d); err == nil || !strings.Contains(err.Error(), "nested deeper than 10000") {
			t.Errorf("%s…: %v", open, err)
		}
	}
}
