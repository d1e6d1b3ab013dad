package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// field is a struct's field under its name in files.
type field struct {
	name  string
	index []int
	// omitEmpty leaves the zero value out of what is written.
	omitEmpty bool
}

// fieldsOf lists the fields of t, those of inline structs among them.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name == "-" || f.PkgPath != "" && !f.Anonymous {
			continue
		}
		if slices.Contains(strings.Split(options, ","), "inline") {
			for _, sub := range fieldsOf(f.Type) {
				fields = append(fields, field{sub.name, append([]int{i}, sub.index...), sub.omitEmpty})
			}
			continue
		}
		if name == "" {
			name = snakeCase(f.Name)
		}
		fields = append(fields, field{name, []int{i}, slices.Contains(strings.Split(options, ","), "omitempty")})
	}
	return fields
}

// snakeCase writes GradNorm as grad_norm and MLPRatio as mlp_ratio.
func snakeCase(name string) string {
	var out []rune
	runes := []rune(name)
	for i, r := range runes {
		if unicode.IsUpper(r) {
			if i > 0 && (!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
				out = append(out, '_')
			}
			r = unicode.ToLower(r)
		}
		out = append(out, r)
	}
	return string(out)
}

// fresh is a new value of t with its own defaults.
func fresh(t reflect.Type) reflect.Value {
	p := reflect.New(t)
	if d, ok := p.Interface().(interface{ SetDefaults() }); ok {
		d.SetDefaults()
	}
	return p.Elem()
}

// decode puts n into v; key is n's path for errors.
func decode(n *node, v reflect.Value, key string) error {
	t := v.Type()
	switch {
	case t.Kind() == reflect.Pointer:
		if n.kind == null {
			v.SetZero()
			return nil
		}
		if v.IsNil() {
			p := reflect.New(t.Elem())
			p.Elem().Set(fresh(t.Elem()))
			v.Set(p)
		}
		return decode(n, v.Elem(), key)
	case t.Kind() == reflect.Interface:
		if n.kind == null {
			v.SetZero()
			return nil
		}
		if t.NumMethod() > 0 {
			panic(fmt.Sprintf("config: %s is of type %s, which no file can fill", key, t))
		}
		v.Set(reflect.ValueOf(n.plainValue()))
		return nil
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if n.kind != scalar {
			return wrongType(n, key, "a single value")
		}
		if err := u.UnmarshalText([]byte(n.text)); err != nil {
			return n.errorf(key, "%v", err)
		}
		return nil
	}
	if s, ok := v.Addr().Interface().(interface{ SetScalar(text string) }); ok && n.kind == scalar {
		s.SetScalar(n.text)
		return nil
	}
	switch t.Kind() {
	case reflect.Struct:
		return decodeStruct(n, v, key)
	case reflect.Map:
		return decodeMap(n, v, key)
	case reflect.Slice, reflect.Array:
		return decodeList(n, v, key)
	}
	return decodeScalar(n, v, key)
}

func wrongType(n *node, key, want string) error {
	return n.errorf(key, "is %s, want %s", n.describe(), want)
}

func decodeStruct(n *node, v reflect.Value, key string) error {
	if n.kind != mapping {
		return wrongType(n, key, "a mapping of keys")
	}
	fields := fieldsOf(v.Type())
	for _, name := range n.keys {
		value := n.values[name]
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
		if i < 0 {
			e := value.errorf(join(key, name), "unknown key")
			names := make([]string, len(fields))
			for i, f := range fields {
				names[i] = f.name
			}
			if near, ok := Nearest(name, names); ok {
				e.Hint = "did you mean " + join(key, near) + "?"
			} else if len(names) <= 12 {
				e.Hint = "known here are " + strings.Join(names, ", ")
			}
			return e
		}
		if err := decode(value, v.FieldByIndex(fields[i].index), join(key, name)); err != nil {
			return err
		}
	}
	return nil
}

func decodeMap(n *node, v reflect.Value, key string) error {
	t := v.Type()
	if t.Key().Kind() != reflect.String {
		panic(fmt.Sprintf("config: %s is of type %s; maps need string keys", key, t))
	}
	if n.kind == null {
		v.SetZero()
		return nil
	}
	if n.kind != mapping {
		return wrongType(n, key, "a mapping of keys")
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(t))
	}
	for _, name := range n.keys {
		mapKey := reflect.ValueOf(name).Convert(t.Key())
		element := fresh(t.Elem())
		if old := v.MapIndex(mapKey); old.IsValid() {
			element.Set(old)
		}
		if err := decode(n.values[name], element, join(key, name)); err != nil {
			return err
		}
		v.SetMapIndex(mapKey, element)
	}
	return nil
}

func decodeList(n *node, v reflect.Value, key string) error {
	t := v.Type()
	if n.kind == null && t.Kind() == reflect.Slice {
		v.SetZero()
		return nil
	}
	if n.kind != sequence {
		return wrongType(n, key, "a list")
	}
	if t.Kind() == reflect.Array {
		if len(n.items) != t.Len() {
			return n.errorf(key, "has %d elements, want %d", len(n.items), t.Len())
		}
	} else {
		// A new array, so that the caller's default list is not overwritten.
		v.Set(reflect.MakeSlice(t, len(n.items), len(n.items)))
	}
	for i, item := range n.items {
		element := fresh(t.Elem())
		if err := decode(item, element, fmt.Sprintf("%s[%d]", key, i)); err != nil {
			return err
		}
		v.Index(i).Set(element)
	}
	return nil
}

func decodeScalar(n *node, v reflect.Value, key string) error {
	if n.kind == null && v.Kind() == reflect.String {
		v.SetString("")
		return nil
	}
	if n.kind != scalar {
		return wrongType(n, key, scalarName(v.Kind()))
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(n.text)
		return nil
	case reflect.Bool:
		if b, ok := parseBool(n.text); ok {
			v.SetBool(b)
			return nil
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if i, ok := parseInt(n.text); ok {
			if v.OverflowInt(i) {
				return n.errorf(key, "%s does not fit in %s", n.text, v.Type())
			}
			v.SetInt(i)
			return nil
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if i, ok := parseUint(n.text); ok {
			if v.OverflowUint(i) {
				return n.errorf(key, "%s does not fit in %s", n.text, v.Type())
			}
			v.SetUint(i)
			return nil
		}
	case reflect.Float32, reflect.Float64:
		if f, ok := parseFloat(n.text); ok {
			v.SetFloat(f)
			return nil
		}
	default:
		panic(fmt.Sprintf("config: %s is of type %s, which no file can fill", key, v.Type()))
	}
	return wrongType(n, key, scalarName(v.Kind()))
}

// scalarName says in an error what a field of kind k takes.
func scalarName(k reflect.Kind) string {
	switch k {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "an integer from 0"
	}
	return "an integer"
}
