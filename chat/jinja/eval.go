package jinja

import (
	"fmt"
	"strings"
)

func (r *renderer) arguments(args []node, named []kwarg, s *scope) ([]any, keywords) {
	values := make([]any, len(args))
	for i, a := range args {
		values[i] = r.eval(a, s)
	}
	var kw keywords
	for _, k := range named {
		kw = append(kw, keyword{k.name, r.eval(k.x, s)})
	}
	return values, kw
}

func (r *renderer) call(f any, args []any, kw keywords, line int) any {
	r.step(line)
	switch f := f.(type) {
	case function:
		return f(r, args, kw)
	case undefined:
		r.fail(line, "'%s' is undefined", f.name)
	}
	r.fail(line, "'%s' object is not callable", typeName(f))
	return nil
}

// iterate returns what a loop goes through.
func (r *renderer) iterate(v any, line int) []any {
	switch v := v.(type) {
	case *List:
		return v.items
	case *Dict:
		return v.keys
	case undefined:
		return nil
	case string:
		var items []any
		for _, c := range v {
			items = append(items, string(c))
		}
		return items
	}
	r.fail(line, "'%s' object is not iterable", typeName(v))
	return nil
}

// eval gives the value of an expression. It recurses as deep as the parser did, and
// again for each macro that is called in it; maxDepth bounds both.
func (r *renderer) eval(n node, s *scope) any {
	switch n := n.(type) {
	case *constNode:
		return n.v
	case *nameNode:
		r.step(n.line)
		if v, ok := s.lookup(n.name); ok {
			return v
		}
		if f, ok := globals[n.name]; ok {
			return f
		}
		return undefined{n.name}
	case *listNode:
		l := &List{}
		for _, x := range n.items {
			l.items = append(l.items, r.eval(x, s))
		}
		return l
	case *tupleNode:
		l := &List{tuple: true}
		for _, x := range n.items {
			l.items = append(l.items, r.eval(x, s))
		}
		return l
	case *dictNode:
		d := NewDict()
		for i := range n.keys {
			d.set(r.eval(n.keys[i], s), r.eval(n.values[i], s))
		}
		return d
	case *unaryNode:
		x := r.eval(n.x, s)
		switch n.op {
		case "not":
			return !truth(x)
		case "-":
			if i, ok := toInt(x); ok {
				return -i
			}
			if f, ok := x.(float64); ok {
				return -f
			}
		default:
			if isNumber(x) {
				return x
			}
		}
		r.fail(0, "bad operand type for unary %s: '%s'", n.op, typeName(x))
	case *binaryNode:
		return r.binary(n, s)
	case *compareNode:
		a := r.eval(n.first, s)
		for i, op := range n.ops {
			b := r.eval(n.rest[i], s)
			if !r.compare(op, a, b, n.line) {
				return false
			}
			a = b
		}
		return true
	case *condNode:
		if truth(r.eval(n.test, s)) {
			return r.eval(n.then, s)
		}
		if n.rest == nil {
			return undefined{"the inline if-expression without else"}
		}
		return r.eval(n.rest, s)
	case *attrNode:
		x := r.eval(n.x, s)
		if v, ok := r.method(x, n.name, n.line); ok {
			return v
		}
		return r.item(x, n.name, n.name, n.line)
	case *indexNode:
		x, i := r.eval(n.x, s), r.eval(n.i, s)
		if name, ok := i.(string); ok {
			if v := r.item(x, i, name, n.line); !isUndefined(v) {
				return v
			}
			if v, ok := r.method(x, name, n.line); ok {
				return v
			}
		}
		return r.item(x, i, str(i), n.line)
	case *sliceNode:
		return r.slice(n, s)
	case *callNode:
		f := r.eval(n.f, s)
		args, kw := r.arguments(n.args, n.kw, s)
		return r.call(f, args, kw, n.line)
	case *filterNode:
		return r.filter(n, r.eval(n.x, s), s)
	case *testNode:
		x := r.eval(n.x, s)
		args, _ := r.arguments(n.args, nil, s)
		return r.test(n.name, x, args, n.line) != n.not
	}
	panic(fmt.Sprintf("chat: no expression: %T", n))
}

func isUndefined(v any) bool { _, ok := v.(undefined); return ok }

// item is x[i] for what is no method; what is missing is undefined.
func (r *renderer) item(x, i any, name string, line int) any {
	switch x := x.(type) {
	case undefined:
		r.fail(line, "'%s' is undefined", x.name)
	case *Dict:
		if isNumber(i) || i == nil || typeName(i) == "str" {
			if v, ok := x.get(i); ok {
				return v
			}
		}
	case namespace:
		if v, ok := x.get(i); ok {
			return v
		}
	case *List:
		if k, ok := toInt(i); ok {
			if k < 0 {
				k += int64(len(x.items))
			}
			if k >= 0 && k < int64(len(x.items)) {
				return x.items[k]
			}
		}
	case string:
		if k, ok := toInt(i); ok {
			runes := []rune(x)
			if k < 0 {
				k += int64(len(runes))
			}
			if k >= 0 && k < int64(len(runes)) {
				return string(runes[k])
			}
		}
	}
	return undefined{name}
}

// slice is Python's x[from:to:by]. Bounds behind either end are moved to it, and
// negative ones count from the end; going backwards the lowest bound is −1, in front
// of the first item, which no expression of the template can name.
func (r *renderer) slice(n *sliceNode, s *scope) any {
	x := r.eval(n.x, s)
	var items []any
	switch v := x.(type) {
	case *List:
		items = v.items
	case string:
		items = r.iterate(v, n.line)
	case undefined:
		r.fail(n.line, "'%s' is undefined", v.name)
	default:
		r.fail(n.line, "'%s' object is not subscriptable", typeName(x))
	}
	size := int64(len(items))
	bound := func(b node, otherwise int64) int64 {
		if b == nil {
			return otherwise
		}
		v := r.eval(b, s)
		if v == nil {
			return otherwise
		}
		i, ok := toInt(v)
		if !ok {
			r.fail(n.line, "slice indices must be integers or None")
		}
		return i
	}
	by := bound(n.by, 1)
	if by == 0 {
		r.fail(n.line, "slice step cannot be zero")
	}
	clamp := func(i, low, high int64) int64 {
		if i < 0 {
			i += size
		}
		return min(max(i, low), high)
	}
	var out []any
	if by > 0 {
		from, to := clamp(bound(n.from, 0), 0, size), clamp(bound(n.to, size), 0, size)
		for i := from; i < to; i += by {
			out = append(out, items[i])
		}
	} else {
		from := size - 1
		if n.from != nil {
			from = clamp(bound(n.from, size-1), -1, size-1)
		}
		to := int64(-1)
		if n.to != nil {
			to = clamp(bound(n.to, -1-size), -1, size-1)
		}
		for i := from; i > to; i += by {
			out = append(out, items[i])
		}
	}
	if l, ok := x.(*List); ok {
		return &List{items: out, tuple: l.tuple}
	}
	var b strings.Builder
	for _, c := range out {
		b.WriteString(c.(string))
	}
	return b.String()
}
