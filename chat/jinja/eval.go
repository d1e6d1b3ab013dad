package jinja

import "fmt"

// arguments evaluates those of a call.
func (r *renderer) arguments(a arguments, s *scope) ([]any, keywords) {
	var values []any
	if len(a.args) > 0 {
		values = make([]any, len(a.args))
		for i, x := range a.args {
			values[i] = r.eval(x, s)
		}
	}
	var kw keywords
	for _, k := range a.kw {
		kw = append(kw, keyword{k.name, r.eval(k.x, s)})
	}
	if a.more != nil {
		values = append(values, r.items(r.eval(a.more, s))...)
	}
	if a.named != nil {
		v := r.eval(a.named, s)
		d, ok := v.(*Dict)
		if !ok {
			known(v)
			raise("argument after ** must be a mapping, not %s", typeName(v))
		}
		for i, k := range d.keys {
			name, ok := text(k)
			if !ok {
				raise("keywords must be strings")
			}
			kw = append(kw, keyword{name, d.values[i]})
		}
	}
	return values, kw
}

// eval gives the value of an expression. It recurses as deep as the parser did, and
// again for each macro that is called in it; maxDepth bounds both.
func (r *renderer) eval(n node, s *scope) any {
	switch n := n.(type) {
	case *constNode:
		if n.nameless {
			raise("name '%s' is not defined", floatText(n.v.(float64)))
		}
		return n.v
	case *nameNode:
		r.step()
		return r.lookup(n.name, s)
	case *listNode:
		return &List{items: r.evalAll(n.items, s)}
	case *tupleNode:
		return &List{items: r.evalAll(n.items, s), tuple: true}
	case *dictNode:
		d := NewDict()
		for i := range n.keys {
			k := r.eval(n.keys[i], s)
			d.set(k, r.eval(n.values[i], s))
		}
		return d
	case *unaryNode:
		x := r.eval(n.x, s)
		if n.op == "not" {
			return !truth(x)
		}
		r.line = n.line
		return unary(n.op, x)
	case *binaryNode:
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
		r.line = n.line
		return r.operate(n.op, a, b)
	case *concatNode:
		return r.concat(n, s)
	case *compareNode:
		a := r.eval(n.first, s)
		for i, op := range n.ops {
			b := r.eval(n.rest[i], s)
			r.line = n.line
			if !r.compare(op, a, b) {
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
			// Jinja2 takes its own Undefined here, in a strict environment, too.
			return &undefined{text: fmt.Sprintf("the inline if-expression on line %d evaluated to false and no else section was defined.", n.line)}
		}
		return r.eval(n.rest, s)
	case *attrNode:
		x := r.eval(n.x, s)
		r.line = n.line
		return r.getAttribute(x, n.name)
	case *indexNode:
		x := r.eval(n.x, s)
		if cut, ok := n.i.(*sliceNode); ok {
			from, to, by := r.bound(cut.from, s), r.bound(cut.to, s), r.bound(cut.by, s)
			r.line = n.line
			if r.folding && !sliceable(x, from, to, by) {
				return r.missing(x, nil)
			}
			return r.slice(x, from, to, by)
		}
		i := r.eval(n.i, s)
		r.line = n.line
		return r.getItem(x, i)
	case *callNode:
		f := r.eval(n.f, s)
		args, kw := r.arguments(n.arguments, s)
		r.line = n.line
		return r.call(f, args, kw)
	case *filterNode:
		return r.filter(n, r.eval(n.x, s), s)
	case *testNode:
		x := r.eval(n.x, s)
		args, kw := r.arguments(n.arguments, s)
		r.line = n.line
		if n.name == "sameas" && len(n.args) == 1 && sameName(n.x, n.args[0]) {
			return true
		}
		return r.test(n.name, x, args, kw)
	}
	panic(fmt.Sprintf("jinja: no expression: %T", n))
}

// folded is a constant expression's value as Jinja2 computes it before the template runs:
// what cannot be sliced is then undefined, rather than an error. If that fails it is
// computed as any other.
func (r *renderer) folded(n node, s *scope) any {
	if v, err := r.tryFolded(n, s); err == nil {
		return v
	}
	return r.eval(n, s)
}

func (r *renderer) tryFolded(n node, s *scope) (v any, err error) {
	r.folding = true
	defer recovered(&err, func() int { return r.line })
	defer func() { r.folding = false }()
	return r.eval(n, s), nil
}

// sliceable says whether x can be cut at such bounds at all.
func sliceable(x any, bounds ...any) bool {
	known(x)
	for _, b := range bounds {
		if b != nil && !isInt(b) {
			return false
		}
	}
	switch x.(type) {
	case string, markup, octets, *List, span:
		return true
	}
	return false
}

// sameName says whether two expressions are one variable.
func sameName(a, b node) bool {
	x, ok := a.(*nameNode)
	y, ok2 := b.(*nameNode)
	return ok && ok2 && x.name == y.name
}

func (r *renderer) evalAll(nodes []node, s *scope) []any {
	values := make([]any, len(nodes))
	for i, x := range nodes {
		values[i] = r.eval(x, s)
	}
	return values
}

func (r *renderer) bound(n node, s *scope) any {
	if n == nil {
		return nil
	}
	return r.eval(n, s)
}

// concat is "~".
func (r *renderer) concat(n *concatNode, s *scope) any {
	parts := r.evalAll(n.parts, s)
	r.line = n.line
	if n.escaping == always && !n.constant {
		v := joinMarkup(parts)
		r.spend(len(str(v)))
		return v
	}
	texts := make([]string, len(parts))
	for i, p := range parts {
		texts[i] = str(p)
	}
	return r.joined(texts, "")
}

// filter applies a filter of a template to x.
func (r *renderer) filter(n *filterNode, x any, s *scope) any {
	r.step()
	args, kw := r.arguments(n.arguments, s)
	r.line = n.line
	return r.applyFilter(n.name, x, args, kw)
}

// test asks the test of that name.
func (r *renderer) test(name string, x any, args []any, kw keywords) any {
	t, ok := tests[name]
	if !ok {
		raise("no test named '%s'", name)
	}
	return r.invoke(t, x, args, kw)
}
