package jinja

import (
	"fmt"
	"iter"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The values of a template: nil (none), bool, int64, *big.Int (beyond int64 only),
// float64, string, and these.
type (
	// markup is a text that counts as HTML: escaping leaves it alone and escapes what
	// is joined to it (MarkupSafe's Markup).
	markup string
	// octets is a value of Python's bytes.
	octets string
	// List is a list, or a tuple.
	List struct {
		items []any
		tuple bool
		group bool // a tuple of the filter groupby, with names for its two items
	}
	// Dict is a mapping; it keeps its keys in the order of their first setting.
	Dict struct {
		keys, values []any
		at           map[any]int // by hashKey
	}
	// view is what a mapping's keys(), values() and items() give.
	view struct {
		of   *Dict
		kind string // keys, values or items
	}
	// span is a value of range(…): from, by steps of by, n items.
	span struct{ from, to, by, n int64 }
	// iterator gives values once: what map, select and their kin return.
	iterator struct{ next func() (any, bool) }
	// undefined stands for what is not there.
	undefined struct {
		text   string // the error of asking for its value
		strict bool
	}
	namespace struct{ of *Dict }
)

// NewList returns a list of values.
func NewList(items ...any) *List { return &List{items: items} }

// Items returns the values of a list; they must not be changed.
func (l *List) Items() []any { return l.items }

func tuple(items ...any) *List { return &List{items: items, tuple: true} }

// NewDict returns an empty mapping.
func NewDict() *Dict { return &Dict{at: map[any]int{}} }

// Set sets the value of a key, a string.
func (d *Dict) Set(key string, value any) { d.set(key, value) }

// Get gives the value of a key, a string.
func (d *Dict) Get(key string) (value any, ok bool) { return d.get(key) }

// All gives the keys, which must be strings, with their values, in their order.
func (d *Dict) All() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		for i, k := range d.keys {
			if !yield(k.(string), d.values[i]) {
				return
			}
		}
	}
}

func (d *Dict) set(k, v any) {
	h := hashKey(k)
	if i, ok := d.at[h]; ok {
		d.values[i] = v
		return
	}
	d.at[h] = len(d.keys)
	d.keys, d.values = append(d.keys, k), append(d.values, v)
}

func (d *Dict) get(k any) (any, bool) {
	i, ok := d.at[hashKey(k)]
	if !ok {
		return nil, false
	}
	return d.values[i], true
}

// Names that stand for values in the maps of mappings.
type (
	bigKey   string
	tupleKey string
)

// hashKey makes equal keys of Python equal keys of a map.
func hashKey(k any) any {
	h, ok := tryHash(k)
	if !ok {
		raise("unhashable type: '%s'", typeName(k))
	}
	return h
}

func tryHash(k any) (h any, ok bool) {
	switch k := k.(type) {
	case nil, string, int64, octets, span:
		return k, true
	case markup:
		return string(k), true
	case bool:
		if k {
			return int64(1), true
		}
		return int64(0), true
	case *big.Int:
		return bigKey(k.String()), true
	case float64:
		switch {
		case k != math.Trunc(k) || math.IsInf(k, 0):
			return k, true
		case math.Abs(k) < 1<<63:
			return int64(k), true
		}
		b, _ := big.NewFloat(k).Int(nil)
		return bigKey(b.String()), true
	case *undefined:
		if k.strict {
			k.fail()
		}
		return undefined{}, true
	case *List:
		if !k.tuple {
			return nil, false
		}
		var b strings.Builder
		if !writeHash(&b, k, 0) {
			return nil, false
		}
		return tupleKey(b.String()), true
	case *Dict:
		return nil, false
	case *view:
		return k, k.kind == "values"
	}
	return k, true // by identity
}

// writeHash writes a tuple's items so that no two that differ are written alike.
func writeHash(b *strings.Builder, t *List, depth int) bool {
	if depth > maxDepth || b.Len() > maxOutput {
		raise("a tuple is nested too deeply")
	}
	fmt.Fprintf(b, "%d(", len(t.items))
	for _, x := range t.items {
		if l, ok := x.(*List); ok && l.tuple {
			if !writeHash(b, l, depth+1) {
				return false
			}
			continue
		}
		h, ok := tryHash(x)
		if !ok {
			return false
		}
		switch h := h.(type) {
		case string:
			b.WriteString(strconv.Itoa(len(h)) + "s" + h)
		case octets:
			b.WriteString(strconv.Itoa(len(h)) + "b" + string(h))
		default:
			fmt.Fprintf(b, "%T %v;", h, h)
		}
	}
	b.WriteByte(')')
	return true
}

func (u *undefined) fail() { raise("%s", u.text) }

// known raises the error of a value that is not there.
func known(values ...any) {
	for _, v := range values {
		if u, ok := v.(*undefined); ok {
			u.fail()
		}
	}
}

func isUndefined(v any) bool { _, ok := v.(*undefined); return ok }

// typeName is the name of a value's type in Python.
func typeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64, *big.Int:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case markup:
		return "Markup"
	case octets:
		return "bytes"
	case *List:
		switch {
		case v.group:
			return "_GroupTuple"
		case v.tuple:
			return "tuple"
		}
		return "list"
	case *Dict:
		return "dict"
	case *view:
		return "dict_" + v.kind
	case span:
		return "range"
	case *iterator:
		return "generator"
	case *undefined:
		return "Undefined"
	case *namespace:
		return "Namespace"
	case *builtin:
		return "builtin_function_or_method"
	case *macro:
		return "Macro"
	case *loop:
		return "LoopContext"
	case *cycler:
		return "Cycler"
	case *joiner:
		return "Joiner"
	case *blockReference:
		return "BlockReference"
	case templateReference:
		return "TemplateReference"
	}
	return "object"
}

// text gives a str or Markup as a text.
func text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case markup:
		return string(v), true
	}
	return "", false
}

// truth is Python's bool.
func truth(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case markup:
		return v != ""
	case octets:
		return v != ""
	case *List:
		return len(v.items) > 0
	case *Dict:
		return len(v.keys) > 0
	case *view:
		return len(v.of.keys) > 0
	case span:
		return v.n > 0
	case *undefined:
		if v.strict {
			v.fail()
		}
		return false
	}
	return true
}

// length is Python's len; ok is false where a value has none.
func length(v any) (n int64, ok bool) {
	switch v := v.(type) {
	case string:
		return int64(utf8.RuneCountInString(v)), true
	case markup:
		return int64(utf8.RuneCountInString(string(v))), true
	case octets:
		return int64(len(v)), true
	case *List:
		return int64(len(v.items)), true
	case *Dict:
		return int64(len(v.keys)), true
	case *view:
		return int64(len(v.of.keys)), true
	case span:
		return v.n, true
	case *loop:
		return v.length(), true
	case *undefined:
		if v.strict {
			v.fail()
		}
		return 0, true
	}
	return 0, false
}
