package jinja

import (
	"math/big"
	"strings"
)

// spend counts a text made on the way, so that doubling one again and again ends.
func (r *renderer) spend(n int) {
	if n > maxOutput {
		raise("the template's text is too long")
	}
	r.steps += n / bytesPerStep
	r.step()
}

// add is Python's a + b.
func (r *renderer) add(a, b any) any { return r.operate("+", a, b) }

// operate computes Python's arithmetic, which for "+", "*" and "%" also takes texts
// and lists.
func (r *renderer) operate(op string, a, b any) any {
	if isNumber(a) && isNumber(b) {
		return r.arithmetic(op, a, b)
	}
	switch op {
	case "+":
		if v, ok := r.concatenated(a, b); ok {
			return v
		}
	case "*":
		if isInt(b) {
			a, b = b, a
		}
		if isInt(a) {
			if v, ok := r.repeated(b, small(a, "a count")); ok {
				return v
			}
		}
	case "%":
		switch x := a.(type) {
		case string:
			return r.percent(x, b, nil)
		case markup:
			return markup(r.percent(string(x), b, escape))
		case octets:
			raise("formatting bytes is not supported")
		}
	case "-":
		for _, x := range []any{a, b} {
			if v, ok := x.(*view); ok && v.kind != "values" {
				raise("sets are not supported")
			}
		}
	}
	known(a, b)
	raise("unsupported operand type(s) for %s: '%s' and '%s'", op, typeName(a), typeName(b))
	return nil
}

func (r *renderer) concatenated(a, b any) (any, bool) {
	s, aok := text(a)
	t, bok := text(b)
	switch {
	case aok && bok:
		_, am := a.(markup)
		_, bm := b.(markup)
		if am || bm {
			s, t = string(escape(a)), string(escape(b))
		}
		r.spend(len(s) + len(t))
		if am || bm {
			return markup(s + t), true
		}
		return s + t, true
	case aok || bok:
		return nil, false
	}
	switch x := a.(type) {
	case *List:
		if y, ok := b.(*List); ok && x.tuple == y.tuple {
			r.steps += len(x.items) + len(y.items)
			r.step()
			return &List{items: append(append(make([]any, 0, len(x.items)+len(y.items)), x.items...), y.items...), tuple: x.tuple}, true
		}
	case octets:
		if y, ok := b.(octets); ok {
			r.spend(len(x) + len(y))
			return x + y, true
		}
	}
	return nil, false
}

func (r *renderer) repeated(x any, n int64) (any, bool) {
	n = max(n, 0)
	copies := func(s string) string {
		if len(s) > 0 && n > int64(maxOutput/len(s)) {
			raise("the template's text is too long")
		}
		if s == "" {
			return ""
		}
		r.spend(len(s) * int(n))
		return strings.Repeat(s, int(n))
	}
	switch x := x.(type) {
	case string:
		return copies(x), true
	case markup:
		return markup(copies(string(x))), true
	case octets:
		return octets(copies(string(x))), true
	case *List:
		l := &List{tuple: x.tuple}
		if len(x.items) == 0 {
			return l, true
		}
		if n > int64(maxSteps/len(x.items)) {
			raise("the template's list is too long")
		}
		r.steps += len(x.items) * int(n)
		r.step()
		l.items = make([]any, 0, len(x.items)*int(n))
		for range n {
			l.items = append(l.items, x.items...)
		}
		return l, true
	}
	return nil, false
}

// unary computes -x and +x.
func unary(op string, x any) any {
	switch v := x.(type) {
	case float64:
		if op == "-" {
			return -v
		}
		return v
	default:
		if isInt(x) {
			b := toBig(x)
			if op == "-" {
				return integer(new(big.Int).Neg(b))
			}
			return integer(b)
		}
	}
	known(x)
	raise("bad operand type for unary %s: '%s'", op, typeName(x))
	return nil
}
