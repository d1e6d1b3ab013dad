package jinja

import (
	"fmt"
	"strings"
	"time"
)

// scope holds the names of a block.
type scope struct {
	vars   map[string]any
	parent *scope
}

func newScope(parent *scope) *scope { return &scope{map[string]any{}, parent} }

func (s *scope) lookup(name string) (any, bool) {
	for ; s != nil; s = s.parent {
		if v, ok := s.vars[name]; ok {
			return v, true
		}
	}
	return nil, false
}

// renderer runs a template once.
type renderer struct {
	out   *strings.Builder
	now   func() time.Time
	steps int
	size  int
	depth int
}

// signals of loops
type control int

const (
	goOn control = iota
	doBreak
	doContinue
)

func (r *renderer) fail(line int, format string, args ...any) {
	panic(&Error{line, fmt.Sprintf(format, args...)})
}

func (r *renderer) step(line int) {
	if r.steps++; r.steps > maxSteps {
		r.fail(line, "the template takes too long")
	}
}

func (r *renderer) write(text string) {
	if r.size += len(text); r.size > maxOutput {
		r.fail(0, "the template's text is too long")
	}
	r.out.WriteString(text)
}

// block runs statements.
func (r *renderer) block(body []node, s *scope) control {
	for _, n := range body {
		r.step(0)
		switch n := n.(type) {
		case *textNode:
			r.write(n.text)
		case *outputNode:
			r.write(str(r.eval(n.x, s)))
		case *ifNode:
			branch := n.rest
			if truth(r.eval(n.test, s)) {
				branch = n.then
			}
			if c := r.block(branch, s); c != goOn {
				return c
			}
		case *forNode:
			r.loop(n, s)
		case *setNode:
			r.set(n, s)
		case *macroNode:
			s.vars[n.name] = r.macro(n, s)
		case *callBlockNode:
			r.callBlock(n, s)
		case *groupNode:
			if c := r.block(n.body, s); c != goOn {
				return c
			}
		case *loopControl:
			if n.stop {
				return doBreak
			}
			return doContinue
		}
	}
	return goOn
}

// capture runs statements and returns their text.
func (r *renderer) capture(body []node, s *scope) string {
	old := r.out
	r.out = &strings.Builder{}
	defer func() { r.out = old }()
	r.block(body, s)
	return r.out.String()
}

func (r *renderer) set(n *setNode, s *scope) {
	var v any
	if n.body != nil {
		text := r.capture(n.body, newScope(s))
		v = text
		if n.value != nil {
			v = r.filterChain(n.value, text, s)
		}
		if n.targets[0] == "" { // a filter block
			r.write(str(v))
			return
		}
	} else {
		v = r.eval(n.value, s)
	}
	if n.of != "" {
		target, _ := s.lookup(n.of)
		ns, ok := target.(namespace)
		if !ok {
			r.fail(n.line, "cannot assign attribute on non-namespace object %s", n.of)
		}
		ns.set(n.targets[0], v)
		return
	}
	r.assign(n.targets, v, s, n.line)
}

func (r *renderer) assign(targets []string, v any, s *scope, line int) {
	if len(targets) == 1 {
		s.vars[targets[0]] = v
		return
	}
	items := r.iterate(v, line)
	if len(items) != len(targets) {
		r.fail(line, "%d values for %d names", len(items), len(targets))
	}
	for i, name := range targets {
		s.vars[name] = items[i]
	}
}

// filterChain applies filters whose innermost operand is text.
func (r *renderer) filterChain(n node, text any, s *scope) any {
	f := n.(*filterNode)
	x := text
	if f.x != nil {
		x = r.filterChain(f.x, text, s)
	}
	return r.filter(f, x, s)
}

func (r *renderer) loop(n *forNode, s *scope) {
	items := r.iterate(r.eval(n.list, s), n.line)
	if n.filter != nil {
		var kept []any
		for _, x := range items {
			inner := newScope(s)
			r.assign(n.targets, x, inner, n.line)
			if truth(r.eval(n.filter, inner)) {
				kept = append(kept, x)
			}
		}
		items = kept
	}
	if len(items) == 0 {
		r.block(n.rest, newScope(s))
		return
	}
	var last any = undefined{"last"}
	for i, x := range items {
		r.step(n.line)
		r.steps += 10 // the loop's own variables
		inner := newScope(s)
		r.assign(n.targets, x, inner, n.line)
		l := NewDict()
		l.set("index", int64(i+1))
		l.set("index0", int64(i))
		l.set("revindex", int64(len(items)-i))
		l.set("revindex0", int64(len(items)-i-1))
		l.set("first", i == 0)
		l.set("last", i == len(items)-1)
		l.set("length", int64(len(items)))
		l.set("depth", int64(1))
		l.set("depth0", int64(0))
		l.set("previtem", any(undefined{"previtem"}))
		if i > 0 {
			l.set("previtem", items[i-1])
		}
		l.set("nextitem", any(undefined{"nextitem"}))
		if i+1 < len(items) {
			l.set("nextitem", items[i+1])
		}
		l.set("cycle", function(func(r *renderer, args []any, _ keywords) any {
			if len(args) == 0 {
				r.fail(n.line, "no items for cycling given")
			}
			return args[i%len(args)]
		}))
		l.set("changed", function(func(_ *renderer, args []any, _ keywords) any {
			now := any(&List{items: args})
			changed := !equal(last, now)
			last = now
			return changed
		}))
		inner.vars["loop"] = namespace{l}
		if r.block(n.body, inner) == doBreak {
			break
		}
	}
}

// macro makes a macro callable.
func (r *renderer) macro(n *macroNode, outer *scope) function {
	return func(r *renderer, args []any, kw keywords) any {
		if r.depth++; r.depth > maxDepth {
			r.fail(0, "macro %s calls itself too deeply", n.name)
		}
		defer func() { r.depth-- }()
		s := newScope(outer)
		if len(args) > len(n.params) {
			rest := &List{tuple: true, items: args[len(n.params):]}
			s.vars["varargs"] = rest
			args = args[:len(n.params)]
		}
		for i, name := range n.params {
			v, given := kw.get(name)
			switch {
			case i < len(args):
				s.vars[name] = args[i]
			case given:
				s.vars[name] = v
			case n.defaults[i] != nil:
				s.vars[name] = r.eval(n.defaults[i], s)
			default:
				s.vars[name] = undefined{name}
			}
		}
		if c, ok := kw.get("caller"); ok {
			s.vars["caller"] = c
		}
		return r.capture(n.body, s)
	}
}

func (r *renderer) callBlock(n *callBlockNode, s *scope) {
	c, ok := n.call.(*callNode)
	if !ok {
		r.fail(n.line, "a call block needs a call")
	}
	caller := function(func(r *renderer, _ []any, _ keywords) any { return r.capture(n.body, newScope(s)) })
	args, kw := r.arguments(c.args, c.kw, s)
	kw = append(kw, keyword{"caller", caller})
	r.write(str(r.call(r.eval(c.f, s), args, kw, n.line)))
}
