package jinja

// globals are the functions that every template knows, as Jinja2 and Transformers
// give them.
var globals = map[string]any{
	"raise_exception": function(func(r *renderer, args []any, _ keywords) any {
		r.fail(0, "%s", str(arg(args, 0, "")))
		return nil
	}),
	"namespace": function(func(r *renderer, args []any, kw keywords) any {
		d := NewDict()
		for _, a := range args {
			if x, ok := a.(*Dict); ok {
				for _, k := range x.keys {
					d.set(k, x.m[k])
				}
			}
		}
		for _, k := range kw {
			d.set(k.name, k.v)
		}
		return namespace{d}
	}),
	"dict": function(func(_ *renderer, _ []any, kw keywords) any {
		d := NewDict()
		for _, k := range kw {
			d.set(k.name, k.v)
		}
		return d
	}),
	"range": function(func(r *renderer, args []any, _ keywords) any {
		var n [3]int64
		for i, a := range args[:min(len(args), 3)] {
			v, ok := toInt(a)
			if !ok {
				r.fail(0, "range needs integers, not %s", typeName(a))
			}
			n[i] = v
		}
		from, to, by := int64(0), n[0], int64(1)
		if len(args) > 1 {
			from, to = n[0], n[1]
		}
		if len(args) > 2 {
			by = n[2]
		}
		l := &List{}
		if by == 0 {
			r.fail(0, "range() arg 3 must not be zero")
		}
		for i := from; by > 0 && i < to || by < 0 && i > to; i += by {
			if len(l.items) > 100000 {
				r.fail(0, "range is too long")
			}
			l.items = append(l.items, i)
		}
		return l
	}),
	"strftime_now": function(func(r *renderer, args []any, _ keywords) any {
		return strftime(r, str(arg(args, 0, "")))
	}),
}

// keywords are arguments by name, in the order in which they were given: dict(b=1,
// a=2) keeps it.
type keywords []keyword

type keyword struct {
	name string
	v    any
}

func (kw keywords) get(name string) (any, bool) {
	for _, k := range kw {
		if k.name == name {
			return k.v, true
		}
	}
	return nil, false
}

// arg is an argument by position.
func arg(args []any, i int, otherwise any) any {
	if i < len(args) {
		return args[i]
	}
	return otherwise
}

// named is an argument by position or name.
func named(args []any, kw keywords, i int, name string, otherwise any) any {
	if v, ok := kw.get(name); ok {
		return v
	}
	return arg(args, i, otherwise)
}
