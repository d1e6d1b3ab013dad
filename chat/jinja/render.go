package jinja

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// scope holds the names of a block; there are few, so they are searched one by one.
type scope struct {
	names  []string
	values []any
	parent *scope
}

func (s *scope) set(name string, v any) {
	if i := slices.Index(s.names, name); i >= 0 {
		s.values[i] = v
		return
	}
	s.names, s.values = append(s.names, name), append(s.values, v)
}

func (s *scope) clear() {
	clear(s.values)
	s.names, s.values = s.names[:0], s.values[:0]
}

// renderer runs a template once.
type renderer struct {
	template *Template
	vars     map[string]any
	root     *scope
	page     *strings.Builder // the template's text
	out      *strings.Builder // what is written now: page, or the text of a block that is captured
	now      func() time.Time
	steps    int
	size     int // of what was written
	depth    int // of macros
	line     int
	// autoescape is what the innermost {% autoescape %} that runs says.
	autoescape bool
	// folding is set while a constant is computed as before the template runs.
	folding bool
	// marks asks for generated, the bytes [start, end) that the blocks {% generation %} wrote.
	marks     bool
	generated [][2]int
}

// control says how a statement ended.
type control int

const (
	goOn control = iota
	doBreak
	doContinue
)

func (r *renderer) step() {
	if r.steps++; r.steps > maxSteps {
		raise("the template takes too long")
	}
}

func (r *renderer) write(text string) {
	if r.size += len(text); r.size > maxOutput {
		raise("the template's text is too long")
	}
	r.out.WriteString(text)
}

// lookup gives the value of a name.
func (r *renderer) lookup(name string, s *scope) any {
	for ; s != nil; s = s.parent {
		for i, n := range s.names {
			if n == name {
				return s.values[i]
			}
		}
	}
	if name == "self" {
		return templateReference{}
	}
	if v, ok := r.vars[name]; ok {
		return v
	}
	if f, ok := globals[name]; ok && (r.template.options.Chat || !chatOnly[name]) {
		return &builtin{f, nil}
	}
	return r.undefined("'%s' is undefined", name)
}

func (r *renderer) undefined(format string, args ...any) *undefined {
	return &undefined{fmt.Sprintf(format, args...), r.template.options.StrictUndefined}
}

// statements runs a block.
func (r *renderer) statements(body []node, s *scope) control {
	for _, n := range body {
		r.step()
		if c := r.statement(n, s); c != goOn {
			return c
		}
	}
	return goOn
}

func (r *renderer) statement(n node, s *scope) control {
	switch n := n.(type) {
	case *textNode:
		r.write(n.text)
	case *outputNode:
		r.line = n.line
		var v any
		if n.constant {
			v = r.folded(n.x, s)
		} else {
			v = r.eval(n.x, s)
		}
		escapes := r.escapes(n.escaping)
		if n.constant {
			escapes = n.escaping == always || n.escaping == dynamicAlways
		}
		if escapes {
			r.write(string(escape(v)))
		} else {
			r.write(str(v))
		}
	case *ifNode:
		for i, b := range n.branches {
			r.line = n.line
			if i == len(n.tests) || truth(r.eval(n.tests[i], s)) {
				return r.statements(b, s)
			}
		}
	case *forNode:
		r.line = n.line
		return r.forLoop(n, s)
	case *setNode:
		return r.set(n, s)
	case *macroNode:
		s.set(n.name, &macro{n.name, n, s})
	case *callBlockNode:
		r.line = n.line
		r.callBlock(n, s)
	case *filterBlockNode:
		text, c := r.capture(n.body, &scope{parent: s})
		if c != goOn {
			return c
		}
		r.line = n.line
		r.writeText(r.filterBlock(n.filter, text, n.escaping, s))
	case *withNode:
		inner := &scope{parent: s}
		for i, t := range n.targets {
			r.line = n.line
			r.assign(t, r.eval(n.values[i], s), inner)
		}
		return r.statements(n.body, inner)
	case *autoescapeNode:
		inner := &scope{parent: s}
		outer := r.autoescape
		r.autoescape = truth(r.eval(n.on, inner))
		c := r.statements(n.body, inner)
		if c == goOn { // a break leaves it, in Jinja2, too
			r.autoescape = outer
		}
		return c
	case *blockNode:
		r.block(n, s)
	case *loopControl:
		if n.stop {
			return doBreak
		}
		return doContinue
	case *loaderNode:
		r.line = n.line
		raise("%s needs another template, and there is none", n.tag)
	}
	return goOn
}

func (r *renderer) escapes(e escaping) bool { return e == always || !e.known() && r.autoescape }

// writeText writes what Jinja2 writes without making a text of it first.
func (r *renderer) writeText(v any) {
	s, ok := text(v)
	if !ok {
		raise("a block gives a value of type %s, not a text", typeName(v))
	}
	r.write(s)
}

// capture runs statements and returns their text.
func (r *renderer) capture(body []node, s *scope) (string, control) {
	outer := r.out
	r.out = &strings.Builder{}
	defer func() { r.out = outer }()
	c := r.statements(body, s)
	return r.out.String(), c
}

func (r *renderer) set(n *setNode, s *scope) control {
	r.line = n.line
	if !n.block {
		r.assign(n.target, r.eval(n.value, s), s)
		return goOn
	}
	body, c := r.capture(n.body, &scope{parent: s})
	if c != goOn {
		return c
	}
	r.line = n.line
	v := any(body)
	if n.value != nil {
		v = r.filterBlock(n.value, body, n.escaping, s)
	}
	if r.autoescape {
		if _, ok := v.(markup); !ok {
			v = markup(str(v))
		}
	}
	r.assign(n.target, v, s)
	return goOn
}

func (r *renderer) assign(target node, v any, s *scope) {
	switch t := target.(type) {
	case *nameNode:
		s.set(t.name, v)
	case *tupleNode:
		for i, x := range r.unpack(v, len(t.items)) {
			r.assign(t.items[i], x, s)
		}
	case *memberNode:
		ns, ok := r.lookup(t.name, s).(*namespace)
		if !ok {
			raise("cannot assign attribute on non-namespace object %s", t.name)
		}
		r.nameMember(t.member)
		ns.of.set(t.member, v)
	}
}

// nameMember refuses the names that Transformers refuses in a namespace.
func (r *renderer) nameMember(name any) {
	if s, ok := text(name); ok && strings.HasPrefix(s, "_") && r.template.options.Chat {
		raise("a namespace takes no attribute whose name begins with an underscore, such as %s", s)
	}
}

// filterBlock applies filters whose innermost operand is a block's text.
func (r *renderer) filterBlock(n node, body string, e escaping, s *scope) any {
	f := n.(*filterNode)
	x := any(body)
	if f.x != nil {
		x = r.filterBlock(f.x, body, e, s)
	} else if r.escapes(e) {
		x = markup(body)
	}
	return r.filter(f, x, s)
}

// templateReference is "self" in a template, by which it finds its blocks.
type templateReference struct{}

// blockReference is a block, which can be called for its text.
type blockReference struct{ block *blockNode }

var blockCall *signature

func makeBlockCall() {
	blockCall = function("block", "", func(c *call) any {
		b := c.self.(*blockReference)
		c.r.nest()
		defer c.r.unnest()
		body, _ := c.r.capture(b.block.body, &scope{parent: c.r.root})
		return c.r.safe(body)
	})
}

// block writes a block where it stands. It sees the template's own variables; those
// around it only where it is scoped.
func (r *renderer) block(n *blockNode, s *scope) {
	r.line = n.line
	if n.required {
		raise("required block '%s' not found", n.name)
	}
	if !n.scoped {
		s = r.root
	}
	r.nest()
	defer r.unnest()
	r.statements(n.body, &scope{parent: s})
}

func (r *renderer) nest() {
	if r.depth++; r.depth > maxDepth {
		raise("the template calls itself too deeply")
	}
}

func (r *renderer) unnest() { r.depth-- }

// safe is a text that the template made, as markup where texts are escaped.
func (r *renderer) safe(s string) any {
	if r.autoescape {
		return markup(s)
	}
	return s
}
