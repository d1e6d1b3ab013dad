package config

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// encodeNode turns a value into the tree that decode turns back into it.
func encodeNode(v reflect.Value) (*node, error) {
	if !v.IsValid() {
		return &node{kind: null}, nil
	}
	if v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return &node{kind: null}, nil
		}
	}
	if m, ok := textMarshaler(v); ok {
		text, err := m.MarshalText()
		if err != nil {
			return nil, err
		}
		return textNode(string(text)), nil
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return encodeNode(v.Elem())
	case reflect.Struct:
		out := &node{kind: mapping}
		for _, f := range fieldsOf(v.Type()) {
			if f.omitEmpty && v.FieldByIndex(f.index).IsZero() {
				continue
			}
			value, err := encodeNode(v.FieldByIndex(f.index))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", f.name, err)
			}
			out.set(f.name, value)
		}
		return out, nil
	case reflect.Map:
		if v.IsNil() {
			return &node{kind: null}, nil
		}
		out := &node{kind: mapping}
		keys := map[string]reflect.Value{}
		for _, k := range v.MapKeys() {
			keys[fmt.Sprint(k)] = k
		}
		for _, name := range slices.Sorted(maps.Keys(keys)) {
			value, err := encodeNode(v.MapIndex(keys[name]))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			out.set(name, value)
		}
		return out, nil
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && v.IsNil() {
			return &node{kind: null}, nil
		}
		out := &node{kind: sequence}
		for i := range v.Len() {
			item, err := encodeNode(v.Index(i))
			if err != nil {
				return nil, fmt.Errorf("[%d]: %w", i, err)
			}
			out.items = append(out.items, item)
		}
		return out, nil
	case reflect.String:
		return textNode(v.String()), nil
	case reflect.Bool:
		return &node{kind: scalar, text: strconv.FormatBool(v.Bool())}, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return &node{kind: scalar, text: strconv.FormatInt(v.Int(), 10)}, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return &node{kind: scalar, text: strconv.FormatUint(v.Uint(), 10)}, nil
	case reflect.Float32, reflect.Float64:
		return &node{kind: scalar, text: formatFloat(v.Float(), v.Type().Bits())}, nil
	}
	return nil, fmt.Errorf("a value of type %s has no form in a config", v.Type())
}

// textMarshaler finds MarshalText on v or, where v has an address, on *v.
func textMarshaler(v reflect.Value) (encoding.TextMarshaler, bool) {
	if v.CanAddr() {
		if m, ok := v.Addr().Interface().(encoding.TextMarshaler); ok {
			return m, true
		}
	}
	m, ok := v.Interface().(encoding.TextMarshaler)
	return m, ok
}

// formatFloat writes f so that every YAML reader takes it for a float: plain
// YAML 1.1 wants a point before an exponent.
func formatFloat(f float64, bits int) string {
	switch {
	case math.IsNaN(f):
		return ".nan"
	case math.IsInf(f, 1):
		return ".inf"
	case math.IsInf(f, -1):
		return "-.inf"
	}
	text := strconv.FormatFloat(f, 'g', -1, bits)
	if strings.Contains(text, ".") {
		return text
	}
	if mantissa, exponent, ok := strings.Cut(text, "e"); ok {
		return mantissa + ".0e" + exponent
	}
	return text + ".0"
}

// encode writes v as a YAML document.
func encode(v any) ([]byte, error) {
	n, err := encodeNode(reflect.ValueOf(v))
	if err != nil {
		return nil, fmt.Errorf("writing config: %w", err)
	}
	return n.document(), nil
}

// document writes n as a YAML document.
func (n *node) document() []byte {
	var b bytes.Buffer
	writeNode(&b, n, 0)
	return b.Bytes()
}

// writeNode writes a mapping or list as lines indented by depth, and a scalar
// or empty value as the rest of the current line.
func writeNode(b *bytes.Buffer, n *node, depth int) {
	indent := strings.Repeat("  ", depth)
	switch {
	case n.kind == mapping && len(n.keys) > 0:
		for i, key := range n.keys {
			if i > 0 || depth == 0 || !bytes.HasSuffix(b.Bytes(), []byte("- ")) {
				b.WriteString(indent)
			}
			b.WriteString(quote(key) + ":")
			writeValue(b, n.values[key], depth+1)
		}
	case n.kind == sequence && len(n.items) > 0:
		for _, item := range n.items {
			b.WriteString(indent + "-")
			if item.kind == mapping && len(item.keys) > 0 {
				b.WriteString(" ")
				writeNode(b, item, depth+1)
				continue
			}
			writeValue(b, item, depth+1)
		}
	default:
		b.WriteString(" " + inline(n) + "\n")
	}
}

// writeValue writes what follows "key:" or "-".
func writeValue(b *bytes.Buffer, n *node, depth int) {
	if n.kind == null || n.kind == scalar || isShortList(n) || len(n.items) == 0 && len(n.keys) == 0 {
		b.WriteString(" " + inline(n) + "\n")
		return
	}
	b.WriteString("\n")
	writeNode(b, n, depth)
}

// isShortList tells whether a list reads best on one line.
func isShortList(n *node) bool {
	if n.kind != sequence || len(n.items) > 8 {
		return false
	}
	for _, item := range n.items {
		if item.kind != scalar || len(item.text) > 16 {
			return false
		}
	}
	return true
}

func inline(n *node) string {
	switch n.kind {
	case null:
		return "null"
	case mapping:
		return "{}"
	case sequence:
		items := make([]string, len(n.items))
		for i, item := range n.items {
			items[i] = inline(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	if !n.quoted {
		return n.text
	}
	if n.reference {
		return quote(n.text)
	}
	return quote(interpolation().ReplaceAllStringFunc(n.text, func(m string) string {
		return strings.Repeat(`\`, len(m)-2) + `\` + m
	}))
}

var plainText = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z_/.][A-Za-z0-9_/.+@-]*$`)
})

// interpolation is what must be kept from being read as a reference; k
// backslashes before ${ are written as 2k+1.
var interpolation = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\\*\$\{`)
})

// quote writes a string plain where every YAML reader takes it for one.
func quote(text string) string {
	_, isBool := parseBool(text)
	_, isFloat := parseFloat(text)
	lower := strings.ToLower(text)
	if plainText().MatchString(text) && !isBool && !isFloat && lower != "null" && lower != "y" && lower != "n" {
		return text
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b) // YAML's double quotes take JSON's escapes
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		panic(fmt.Sprintf("config: %v", err)) // a string always encodes
	}
	return strings.TrimSuffix(b.String(), "\n")
}
