package taskfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"olmo/chat/jinja"
)

// row is a row of a data set as templates see it.
type row struct {
	fields map[string]any
	keys   []string
}

// parseRow reads a JSON object into values of the template language.
func parseRow(text []byte) (*row, error) {
	r, err := readRow(text)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil, errors.New("the row's JSON ends too soon")
	}
	return r, err
}

func readRow(text []byte) (*row, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	if t != json.Delim('{') {
		return nil, fmt.Errorf("the row is no JSON object")
	}
	r := &row{fields: map[string]any{}}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		v, err := jinja.FromJSON(d)
		if err != nil {
			return nil, err
		}
		r.keys = append(r.keys, key.(string))
		r.fields[key.(string)] = v
	}
	_, err = d.Token()
	return r, err
}

// yamlRow makes a row of a mapping that stands in a task's file.
func yamlRow(m *mapping) *row {
	r := &row{fields: map[string]any{}}
	for _, k := range m.keys {
		r.keys = append(r.keys, text(k))
		r.fields[text(k)] = templateValue(m.values[text(k)])
	}
	return r
}

// templateValue is a value of a file as templates see it.
func templateValue(v any) any {
	switch v := v.(type) {
	case []any:
		var items []any
		for _, x := range v {
			items = append(items, templateValue(x))
		}
		return jinja.NewList(items...)
	case *mapping:
		d := jinja.NewDict()
		for _, k := range v.keys {
			d.Set(text(k), templateValue(v.values[text(k)]))
		}
		return d
	}
	return v
}

// describe names a value in an error.
func describe(v any) string {
	switch v := v.(type) {
	case *jinja.List, []any:
		return "a list"
	case *jinja.Dict, *mapping:
		return "a mapping"
	case nil:
		return "nothing"
	case string:
		return strconv.Quote(v)
	}
	return fmt.Sprint(v)
}

// listOf is a value as a list of texts, where it is one.
func listOf(v any) ([]string, bool) {
	var items []any
	switch v := v.(type) {
	case *jinja.List:
		items = v.Items()
	case []any:
		items = v
	default:
		return nil, false
	}
	out := make([]string, 0, len(items))
	for _, x := range items {
		out = append(out, text(x))
	}
	return out, true
}

// itemsOf are the items of a list.
func itemsOf(v any) ([]any, bool) {
	switch v := v.(type) {
	case *jinja.List:
		return v.Items(), true
	case []any:
		return v, true
	}
	return nil, false
}
