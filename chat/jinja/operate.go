package jinja

import (
	"math"
	"strings"
)

// binary computes and, or, ~ and Python's arithmetic, which for "*" and "%" also takes
// texts. and and or give one of their operands, as in Python, not a truth value.
func (r *renderer) binary(n *binaryNode, s *scope) any {
	a := r.eval(n.a, s)
	switch n.op {
	case "and":
		if !truth(a) {
			return a
		}
		return r.eval(n.b, s)
	case "or":
		if truth(a) {
			return a
		}
		return r.eval(n.b, s)
	}
	b := r.eval(n.b, s)
	if n.op == "~" {
		return r.joined(str(a), str(b))
	}
	for _, x := range []any{a, b} {
		if u, ok := x.(undefined); ok {
			r.fail(n.line, "'%s' is undefined", u.name)
		}
	}
	if isNumber(a) && isNumber(b) {
		return r.arithmetic(n.op, a, b, n.line)
	}
	switch x := a.(type) {
	case string:
		switch y := b.(type) {
		case string:
			if n.op == "+" {
				return r.joined(x, y)
			}
			if n.op == "%" {
				return r.percent(x, []any{y}, n.line)
			}
		case *List:
			if n.op == "%" && y.tuple {
				return r.percent(x, y.items, n.line)
			}
			if n.op == "+" {
				r.fail(n.line, "can only concatenate str (not \"%s\") to str", typeName(b))
			}
		default:
			if k, ok := toInt(b); ok && n.op == "*" {
				return r.repeated(x, k, n.line)
			}
			if n.op == "%" {
				return r.percent(x, []any{b}, n.line)
			}
			if n.op == "+" {
				r.fail(n.line, "can only concatenate str (not \"%s\") to str", typeName(b))
			}
		}
	case *List:
		if y, ok := b.(*List); ok && n.op == "+" && x.tuple == y.tuple {
			r.steps += len(x.items) + len(y.items)
			return &List{items: append(append([]any{}, x.items...), y.items...), tuple: x.tuple}
		}
	default:
		if y, ok := b.(string); ok && n.op == "*" {
			if k, ok := toInt(a); ok {
				return r.repeated(y, k, n.line)
			}
		}
	}
	r.fail(n.line, "unsupported operand type(s) for %s: '%s' and '%s'", n.op, typeName(a), typeName(b))
	return nil
}

// joined counts what it makes, so that doubling a text again and again ends.
func (r *renderer) joined(a, b string) string {
	if len(a)+len(b) > maxOutput {
		r.fail(0, "the template's text is too long")
	}
	r.steps += (len(a) + len(b)) / 1024
	return a + b
}

func (r *renderer) repeated(s string, n int64, line int) string {
	if n <= 0 {
		return ""
	}
	if len(s) > 0 && n > int64(maxOutput/len(s)) {
		r.fail(line, "the template's text is too long")
	}
	return strings.Repeat(s, int(n))
}

func (r *renderer) arithmetic(op string, a, b any, line int) any {
	i, iok := toInt(a)
	j, jok := toInt(b)
	x, y := toFloat(a), toFloat(b)
	whole := iok && jok
	if (op == "/" || op == "//" || op == "%") && y == 0 {
		r.fail(line, "division by zero")
	}
	switch op {
	case "+":
		if whole {
			return i + j
		}
		return x + y
	case "-":
		if whole {
			return i - j
		}
		return x - y
	case "*":
		if whole {
			return i * j
		}
		return x * y
	case "/":
		return x / y
	case "//":
		if whole {
			q := i / j
			if i%j != 0 && (i < 0) != (j < 0) {
				q--
			}
			return q
		}
		return math.Floor(x / y)
	case "%":
		if whole {
			m := i % j
			if m != 0 && (m < 0) != (j < 0) {
				m += j
			}
			return m
		}
		m := math.Mod(x, y)
		if m != 0 && (m < 0) != (y < 0) {
			m += y
		}
		return m
	}
	if whole && j >= 0 {
		p := int64(1)
		for range min(j, 1000) {
			p *= i
		}
		return p
	}
	return math.Pow(x, y)
}

func (r *renderer) compare(op string, a, b any, line int) bool {
	switch op {
	case "==":
		return equal(a, b)
	case "!=":
		return !equal(a, b)
	case "in":
		return r.contains(b, a, line)
	case "not in":
		return !r.contains(b, a, line)
	}
	var c int
	switch x := a.(type) {
	case string:
		y, ok := b.(string)
		if !ok {
			r.fail(line, "'%s' not supported between instances of '%s' and '%s'", op, typeName(a), typeName(b))
		}
		c = strings.Compare(x, y)
	default:
		if !isNumber(a) || !isNumber(b) {
			for _, v := range []any{a, b} {
				if u, ok := v.(undefined); ok {
					r.fail(line, "'%s' is undefined", u.name)
				}
			}
			r.fail(line, "'%s' not supported between instances of '%s' and '%s'", op, typeName(a), typeName(b))
		}
		switch f, g := toFloat(a), toFloat(b); {
		case f < g:
			c = -1
		case f > g:
			c = 1
		}
	}
	switch op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

func (r *renderer) contains(where, x any, line int) bool {
	switch w := where.(type) {
	case string:
		s, ok := x.(string)
		if !ok {
			r.fail(line, "'in <string>' requires string as left operand, not %s", typeName(x))
		}
		return strings.Contains(w, s)
	case *Dict:
		switch x.(type) {
		case *List, *Dict:
			return false
		case undefined:
			return false
		}
		_, ok := w.get(x)
		return ok
	case *List:
		for _, v := range w.items {
			if equal(v, x) {
				return true
			}
		}
		return false
	case undefined:
		return false
	}
	r.fail(line, "argument of type '%s' is not iterable", typeName(where))
	return false
}
