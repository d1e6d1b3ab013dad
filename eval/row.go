package eval

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"strings"

	evaldata "olmo/eval/data"
)

// row is a row of a data set, read.
type row[Row any] struct {
	evaldata.Row
	value Row
}

// readRows reads the rows of a data set. A row must have every field of Row but those that are
// marked omitempty.
func readRows[Row any](in *Inputs, name string) iter.Seq2[row[Row], error] {
	return func(yield func(row[Row], error) bool) {
		set, err := evaldata.Find(in.Data, name)
		if err != nil {
			yield(row[Row]{}, err)
			return
		}
		for r, err := range set.Rows() {
			x := row[Row]{Row: r}
			if err == nil {
				if err = json.Unmarshal(r.JSON, &x.value); err == nil {
					err = lacking("", reflect.ValueOf(x.value), r.JSON)
				}
				var odd *json.UnmarshalTypeError
				switch {
				case !errors.As(err, &odd):
				case odd.Field == "":
					err = fmt.Errorf("the row is a %s, not an object", odd.Value)
				default:
					err = fmt.Errorf("the field %s is of the type %s, which the task does not read", lower(odd.Field), odd.Value)
				}
				if err != nil {
					err = r.Bad(err)
				}
			}
			if !yield(x, err) || err != nil {
				return
			}
		}
	}
}

// lacking is the error about the first field that a row was read without; path is where the row
// stands in that of the file. Only what came out as nothing is looked for again.
func lacking(path string, read reflect.Value, text json.RawMessage) error {
	var fields map[string]json.RawMessage
	for i := range read.NumField() {
		f, v := read.Type().Field(i), read.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			name = lower(f.Name)
		}
		if options == "omitempty" || v.Kind() != reflect.Struct && !v.IsZero() {
			continue
		}
		if fields == nil {
			if err := json.Unmarshal(text, &fields); err != nil {
				return err
			}
		}
		var own json.RawMessage
		for k, t := range fields {
			if strings.EqualFold(k, name) {
				own = t
			}
		}
		if own == nil || string(own) == "null" {
			return fmt.Errorf("the row has no field %s%s", path, name)
		}
		if v.Kind() == reflect.Struct {
			if err := lacking(path+name+".", v, own); err != nil {
				return err
			}
		}
	}
	return nil
}

// lower writes the name of a field of Row's as rows have it.
func lower(name string) string { return strings.ToLower(name[:1]) + name[1:] }
