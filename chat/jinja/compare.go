package jinja

import (
	"cmp"
	"math"
	"math/big"
	"strings"
)

// equal is Python's ==.
func (r *renderer) equal(a, b any) bool { return r.equals(a, b, 0) }

func (r *renderer) equals(a, b any, depth int) bool {
	r.step()
	if depth > maxDepth {
		raise("values are nested too deeply to be compared")
	}
	if isNumber(a) && isNumber(b) {
		order, ok := compareNumbers(a, b)
		if !ok && depth > 0 && isFloat(a) && isFloat(b) {
			raise("whether two NaN are the same is not supported")
		}
		return ok && order == 0
	}
	for _, x := range []any{a, b} {
		if u, ok := x.(*undefined); ok && u.strict {
			u.fail()
		}
	}
	if s, ok := text(a); ok {
		t, ok := text(b)
		return ok && s == t
	}
	switch a := a.(type) {
	case *undefined:
		return isUndefined(b)
	case *List:
		if l, ok := b.(*List); ok {
			if a == l {
				return true
			}
			if len(a.items) != len(l.items) || a.tuple != l.tuple {
				return false
			}
			for i := range a.items {
				if !r.equals(a.items[i], l.items[i], depth+1) {
					return false
				}
			}
			return true
		}
	case *Dict:
		if d, ok := b.(*Dict); ok {
			if a == d {
				return true
			}
			if len(a.keys) != len(d.keys) {
				return false
			}
			for i, k := range a.keys {
				v, ok := d.get(k)
				if !ok || !r.equals(a.values[i], v, depth+1) {
					return false
				}
			}
			return true
		}
	case span:
		if s, ok := b.(span); ok {
			return a.n == s.n && (a.n == 0 || a.from == s.from && (a.n == 1 || a.by == s.by))
		}
	case *view:
		if v, ok := b.(*view); ok && a.kind != "values" && v.kind != "values" {
			return len(a.of.keys) == len(v.of.keys) && r.within(a, v)
		}
		if v, ok := b.(*view); ok {
			return a == v
		}
	case octets:
		s, ok := b.(octets)
		return ok && a == s
	}
	return a == b
}

// within says whether all of a view's items are in another.
func (r *renderer) within(a, b *view) bool {
	for _, x := range a.items() {
		if !r.contains(b, x) {
			return false
		}
	}
	return true
}

// compareNumbers orders two numbers by their exact values; ok is false for NaN.
func compareNumbers(a, b any) (order int, ok bool) {
	i, iok := toInt(a)
	j, jok := toInt(b)
	if iok && jok {
		return cmp.Compare(i, j), true
	}
	x, y := exact(a), exact(b)
	if x == nil || y == nil {
		return 0, false
	}
	return x.Cmp(y), true
}

// exact is a number's value, nil for NaN.
func exact(v any) *big.Float {
	if f, ok := v.(float64); ok {
		if math.IsNaN(f) {
			return nil
		}
		return big.NewFloat(f)
	}
	return new(big.Float).SetInt(toBig(v)) // as many bits as it has
}

// compare computes a op b, where op is a comparison of Python.
func (r *renderer) compare(op string, a, b any) bool {
	switch op {
	case "==":
		return r.equal(a, b)
	case "!=":
		return !r.equal(a, b)
	case "in":
		return r.contains(b, a)
	case "not in":
		return !r.contains(b, a)
	}
	return r.ordered(op, a, b, 0)
}

func (r *renderer) ordered(op string, a, b any, depth int) bool {
	r.step()
	if isNumber(a) && isNumber(b) {
		order, ok := compareNumbers(a, b)
		return ok && holds(op, order)
	}
	if s, ok := text(a); ok {
		if t, ok := text(b); ok {
			return holds(op, strings.Compare(s, t))
		}
	}
	switch x := a.(type) {
	case octets:
		if y, ok := b.(octets); ok {
			return holds(op, cmp.Compare(x, y))
		}
	case *List:
		y, ok := b.(*List)
		if !ok || x.tuple != y.tuple || depth > maxDepth {
			break
		}
		for i := range min(len(x.items), len(y.items)) {
			if !r.equal(x.items[i], y.items[i]) {
				return r.ordered(op, x.items[i], y.items[i], depth+1)
			}
		}
		return holds(op, cmp.Compare(len(x.items), len(y.items)))
	case *view:
		y, ok := b.(*view)
		if !ok || x.kind == "values" || y.kind == "values" {
			break
		}
		m, n := len(x.of.keys), len(y.of.keys)
		switch op {
		case "<":
			return m < n && r.within(x, y)
		case "<=":
			return m <= n && r.within(x, y)
		case ">":
			return m > n && r.within(y, x)
		}
		return m >= n && r.within(y, x)
	}
	known(a, b)
	raise("'%s' not supported between instances of '%s' and '%s'", op, typeName(a), typeName(b))
	return false
}

// holds says whether an order is as a comparison wants it.
func holds(op string, order int) bool {
	switch op {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

// contains is Python's "x in where".
func (r *renderer) contains(where, x any) bool {
	if w, ok := text(where); ok {
		s, ok := text(x)
		if !ok {
			raise("'in <string>' requires string as left operand, not %s", typeName(x))
		}
		return strings.Contains(w, s)
	}
	switch w := where.(type) {
	case octets:
		if s, ok := x.(octets); ok {
			return strings.Contains(string(w), string(s))
		}
		i, ok := toInt(x)
		if !ok || i < 0 || i > 255 {
			raise("a bytes-like object or a byte is required, not '%s'", typeName(x))
		}
		return strings.IndexByte(string(w), byte(i)) >= 0
	case *Dict:
		_, ok := w.get(x)
		return ok
	case *view:
		switch w.kind {
		case "keys":
			return r.contains(w.of, x)
		case "items":
			pair, ok := x.(*List)
			if !ok || !pair.tuple || len(pair.items) != 2 {
				return false
			}
			v, ok := w.of.get(pair.items[0])
			return ok && r.equal(v, pair.items[1])
		}
	case span:
		if isInt(x) {
			i, ok := toInt(x)
			return ok && w.n > 0 && (i-w.from)%w.by == 0 && (i-w.from)/w.by >= 0 && (i-w.from)/w.by < w.n
		}
	case *undefined:
		if w.strict {
			w.fail()
		}
		return false
	}
	next := r.iterate(where).next
	for v, ok := next(); ok; v, ok = next() {
		if r.equals(v, x, 1) {
			return true
		}
	}
	return false
}

// identical is Python's "is", where it can be told: equal texts and numbers may or may
// not be one object there.
func (r *renderer) identical(a, b any) bool {
	switch x := a.(type) {
	case nil, bool:
		return a == b
	case int64:
		if y, ok := b.(int64); ok && x == y && (x < -5 || x > 256) {
			break
		}
		return a == b
	case string, markup, float64, octets, *big.Int, span:
		if typeName(a) != typeName(b) || !r.equal(a, b) {
			return false
		}
		if s, ok := a.(string); ok && len(s) <= 1 {
			return true
		}
	case *List:
		y, ok := b.(*List)
		return ok && (x == y || x.tuple && y.tuple && len(x.items)+len(y.items) == 0)
	case *undefined:
		if _, ok := b.(*undefined); !ok {
			return false
		}
		return a == b
	default:
		return a == b
	}
	raise("whether two equal values of type %s are the same is not supported", typeName(a))
	return false
}
