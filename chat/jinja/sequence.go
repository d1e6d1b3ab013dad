package jinja

import (
	"math"
	"math/big"
	"strings"
	"unicode/utf8"
)

// items are the values of a view.
func (v *view) items() []any {
	switch v.kind {
	case "keys":
		return v.of.keys
	case "values":
		return v.of.values
	}
	pairs := make([]any, len(v.of.keys))
	for i, k := range v.of.keys {
		pairs[i] = tuple(k, v.of.values[i])
	}
	return pairs
}

// listed gives the values of what has them all at hand.
func listed(v any) (items []any, ok bool) {
	switch v := v.(type) {
	case *List:
		return v.items, true
	case *Dict:
		return v.keys, true
	case *view:
		return v.items(), true
	case string:
		return characters(v), true
	case markup:
		return characters(string(v)), true
	case octets:
		items := make([]any, len(v))
		for i := range len(v) {
			items[i] = int64(v[i])
		}
		return items, true
	case *undefined:
		if v.strict {
			v.fail()
		}
		return nil, true
	}
	return nil, false
}

func characters(s string) []any {
	items := make([]any, 0, len(s))
	for s != "" {
		_, size := utf8.DecodeRuneInString(s)
		items, s = append(items, s[:size]), s[size:]
	}
	return items
}

func over(items []any) *iterator {
	i := 0
	return &iterator{func() (any, bool) {
		if i >= len(items) {
			return nil, false
		}
		i++
		return items[i-1], true
	}}
}

// tryIterate is Python's iter; ok is false where a value cannot be gone through.
func (r *renderer) tryIterate(v any) (it *iterator, ok bool) {
	if items, ok := listed(v); ok {
		return over(items), true
	}
	switch v := v.(type) {
	case *iterator:
		return v, true
	case span:
		i := int64(0)
		return &iterator{func() (any, bool) {
			if i >= v.n {
				return nil, false
			}
			i++
			return v.from + (i-1)*v.by, true
		}}, true
	case *loop:
		raise("going through a loop's own state is not supported")
	case templateReference:
		raise("going through the template itself is not supported")
	}
	return nil, false
}

func (r *renderer) iterate(v any) *iterator {
	it, ok := r.tryIterate(v)
	if !ok {
		raise("'%s' object is not iterable", typeName(v))
	}
	return it
}

// items gives all values of what can be gone through: a slice that must not be changed.
func (r *renderer) items(v any) []any {
	if items, ok := listed(v); ok {
		r.steps += len(items) / 16
		return items
	}
	var items []any
	next := r.iterate(v).next
	for x, ok := next(); ok; x, ok = next() {
		r.step()
		items = append(items, x)
	}
	return items
}

// list is Python's list(v): always a new one.
func (r *renderer) list(v any) *List {
	items := r.items(v)
	r.steps += len(items)
	r.step()
	return &List{items: append(make([]any, 0, len(items)), items...)}
}

// place gives where an index of a sequence of n items lies.
func place(i any, n int) (int, bool) {
	k, ok := toInt(i)
	if !ok {
		return 0, false
	}
	if k < 0 {
		k += int64(n)
	}
	return int(k), k >= 0 && k < int64(n)
}

// subscript is Python's x[key]; ok is false where Python raises a TypeError or a
// LookupError.
func (r *renderer) subscript(x, key any) (v any, ok bool) {
	switch x := x.(type) {
	case *undefined:
		x.fail()
	case *Dict:
		h, ok := tryHash(key)
		if !ok {
			return nil, false
		}
		i, ok := x.at[h]
		if !ok {
			return nil, false
		}
		return x.values[i], true
	case *List:
		if k, ok := place(key, len(x.items)); ok {
			return x.items[k], true
		}
	case string:
		return character(x, key)
	case markup:
		if s, ok := character(string(x), key); ok {
			return markup(s), true
		}
	case octets:
		if k, ok := place(key, len(x)); ok {
			return int64(x[k]), true
		}
	case span:
		if k, ok := place(key, int(x.n)); ok {
			return x.from + int64(k)*x.by, true
		}
	case templateReference:
		if name, ok := key.(string); ok {
			if b, ok := r.template.blocks[name]; ok {
				return &blockReference{b}, true
			}
		}
	}
	return nil, false
}

func character(s string, key any) (string, bool) {
	if !isInt(key) {
		return "", false
	}
	if isASCII(s) {
		if k, ok := place(key, len(s)); ok {
			return s[k : k+1], true
		}
		return "", false
	}
	runes := []rune(s)
	if k, ok := place(key, len(runes)); ok {
		return string(runes[k]), true
	}
	return "", false
}

// slice is Python's x[from:to:by]; absent bounds are nil.
func (r *renderer) slice(x, from, to, by any) any {
	step := int64(1)
	if by != nil {
		if step = bound(by); step == 0 {
			raise("slice step cannot be zero")
		}
		step = max(step, -math.MaxInt64)
	}
	switch x := x.(type) {
	case string:
		return sliceText(x, from, to, step)
	case markup:
		return markup(sliceText(string(x), from, to, step))
	case octets:
		var b strings.Builder
		for _, i := range places(len(x), from, to, step) {
			b.WriteByte(x[i])
		}
		return octets(b.String())
	case *List:
		l := &List{tuple: x.tuple}
		for _, i := range places(len(x.items), from, to, step) {
			l.items = append(l.items, x.items[i])
		}
		r.steps += len(l.items)
		r.step()
		return l
	case span:
		first, end, n := window(x.n, from, to, step)
		return span{from: x.from + first*x.by, to: x.from + end*x.by, by: x.by * step, n: n}
	case *undefined:
		x.fail()
	}
	raise("'%s' object is not subscriptable by a slice", typeName(x))
	return nil
}

func bound(v any) int64 {
	if !isInt(v) {
		known(v)
		raise("slice indices must be integers or None or have an __index__ method")
	}
	if b, ok := v.(*big.Int); ok { // as large as can be
		if b.Sign() < 0 {
			return math.MinInt64
		}
		return math.MaxInt64
	}
	i, _ := toInt(v)
	return i
}

// window is where a slice of n items begins and ends, and how many it has. Bounds behind either
// end are moved to it, and negative ones count from the end; going backwards the lowest
// bound is -1, in front of the first item, which no expression can name.
func window(n int64, from, to any, step int64) (first, end, count int64) {
	low, high := int64(0), n
	if step < 0 {
		low, high = -1, n-1
	}
	clamp := func(v any, otherwise int64) int64 {
		if v == nil {
			return otherwise
		}
		i := bound(v)
		if i < 0 {
			i = max(i, -n-1) + n
		}
		return min(max(i, low), high)
	}
	if step > 0 {
		first, end = clamp(from, low), clamp(to, high)
		if end <= first {
			return first, end, 0
		}
		return first, end, (end-first-1)/step + 1
	}
	first, end = clamp(from, high), clamp(to, low)
	if end >= first {
		return first, end, 0
	}
	return first, end, (first-end-1)/-step + 1
}

func places(n int, from, to any, step int64) []int {
	first, _, count := window(int64(n), from, to, step)
	at := make([]int, count)
	for i := range at {
		at[i] = int(first + int64(i)*step)
	}
	return at
}

func sliceText(s string, from, to any, step int64) string {
	if isASCII(s) {
		first, _, count := window(int64(len(s)), from, to, step)
		if step == 1 {
			return s[first : first+count]
		}
		b := make([]byte, count)
		for i := range b {
			b[i] = s[first+int64(i)*step]
		}
		return string(b)
	}
	runes := []rune(s)
	first, _, count := window(int64(len(runes)), from, to, step)
	if step == 1 {
		return string(runes[first : first+count])
	}
	out := make([]rune, count)
	for i := range out {
		out[i] = runes[first+int64(i)*step]
	}
	return string(out)
}

// unpack gives the n values that are assigned to n names.
func (r *renderer) unpack(v any, n int) []any {
	items := r.items(v)
	if len(items) != n {
		raise("%d values for %d names", len(items), n)
	}
	return items
}
