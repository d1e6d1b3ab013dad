package jinja

import "slices"

// macro is a macro that can be called, or the body of a call block.
type macro struct {
	name  any // a string, or nil of a call block's body
	node  *macroNode
	outer *scope
}

// callMacro binds arguments as jinja2.runtime.Macro does, and runs the body.
func (r *renderer) callMacro(m *macro, args []any, kw keywords) any {
	r.nest()
	defer r.unnest()
	n := m.node
	s := &scope{parent: m.outer}
	kw = slices.Clone(kw)
	take := func(name string) (any, bool) {
		i := slices.IndexFunc(kw, func(k keyword) bool { return k.name == name })
		if i < 0 {
			return nil, false
		}
		v := kw[i].v
		kw = slices.Delete(kw, i, i+1)
		return v, true
	}
	var missing []int
	for i, p := range n.params {
		if i < len(args) {
			s.set(p, args[i])
		} else if v, ok := take(p); ok {
			s.set(p, v)
		} else {
			s.set(p, r.undefined("parameter '%s' was not provided", p))
			missing = append(missing, i)
		}
	}
	explicit := slices.Contains(n.params, "caller")
	if n.caller && !explicit {
		v, ok := take("caller")
		if !ok || v == nil {
			v = r.undefined("No caller defined")
		}
		s.set("caller", v)
	}
	if n.kwargs {
		d := NewDict()
		for _, k := range kw {
			d.set(k.name, k.v)
		}
		s.set("kwargs", d)
	} else if len(kw) > 0 {
		raise("macro '%s' takes no keyword argument '%s'", n.name, kw[0].name)
	}
	if n.varargs {
		s.set("varargs", tuple(args[min(len(args), len(n.params)):]...))
	} else if len(args) > len(n.params) {
		raise("macro '%s' takes not more than %d argument(s)", n.name, len(n.params))
	}
	for _, i := range missing {
		if d := i - (len(n.params) - len(n.defaults)); d >= 0 {
			s.set(n.params[i], r.eval(n.defaults[d], s))
		}
	}
	body, _ := r.capture(n.body, s)
	return r.safe(body)
}

func (m *macro) attribute(name string) (any, bool) {
	switch name {
	case "name":
		return m.name, true
	case "arguments":
		params := tuple()
		for _, p := range m.node.params {
			params.items = append(params.items, p)
		}
		return params, true
	case "catch_kwargs":
		return m.node.kwargs, true
	case "catch_varargs":
		return m.node.varargs, true
	case "caller":
		return m.node.caller, true
	case "explicit_caller":
		return slices.Contains(m.node.params, "caller"), true
	}
	return nil, false
}

// callBlock calls what the block names, with its body as caller().
func (r *renderer) callBlock(n *callBlockNode, s *scope) {
	body := &macro{nil, n.body, s}
	if n.call == nil { // {% generation %}
		r.generate(body)
		return
	}
	c := n.call.(*callNode)
	f := r.eval(c.f, s)
	args, kw := r.arguments(c.arguments, s)
	r.writeText(r.call(f, args, append(kw, keyword{"caller", body})))
}

// generate writes the body of a block {% generation %}: Transformers trains on its text
// (chat_template_utils.py, AssistantTracker, 5.24).
func (r *renderer) generate(body *macro) {
	if r.marks && r.out != r.page {
		raise("a block generation within a macro, a call or a set has no place in the text")
	}
	text, start := r.callMacro(body, nil, nil), r.page.Len()
	r.writeText(text)
	if r.marks {
		r.generated = append(r.generated, [2]int{start, r.page.Len()})
	}
}
