package jinja

import (
	"math"
	"slices"
)

// checker finds what Python's compiler, or Jinja2's, refuses before a template runs, and
// notes what macros and loops ask for.
type checker struct{ options Options }

// frame is where a statement stands.
type frame struct {
	top    bool // at the template's own level, in an if at most
	soft   bool // in an if: unknown filters and tests fail only where they run
	inLoop bool // break and continue have a loop
	noLoop bool // under a for: "loop" cannot be assigned to
	folded bool // in an expression that Jinja2 computes before the template runs
}

// inner is a scope of its own in the same function.
func (f frame) inner() frame { return frame{inLoop: f.inLoop, noLoop: f.noLoop} }

// function is a scope that Python makes a function of.
func (f frame) function() frame { return frame{noLoop: f.noLoop} }

func (c *checker) statements(body []node, f frame) {
	for _, n := range body {
		c.statement(n, f)
	}
}

func (c *checker) fail(line int, format string, args ...any) {
	(&lexer{line: line}).fail(format, args...)
}

func (c *checker) statement(n node, f frame) {
	switch n := n.(type) {
	case *outputNode:
		if n.constant = isConstant(n.x, n.escaping); n.constant {
			f.folded = true
		}
		c.expr(n.x, f)
	case *ifNode:
		f.soft = true
		for _, t := range n.tests {
			c.expr(t, f)
		}
		for _, b := range n.branches {
			c.statements(b, f)
		}
	case *forNode:
		c.expr(n.list, f)
		inner := f.inner()
		inner.noLoop = true
		c.target(n.target, inner, n.line)
		c.expr(n.filter, inner)
		n.named = asksFor(n.body, "loop") || hasScoped(n.body)
		rest := inner
		if n.recursive {
			rest.inLoop = false
		}
		c.statements(n.rest, rest)
		inner.inLoop = true
		c.statements(n.body, inner)
	case *setNode:
		c.target(n.target, f, n.line)
		if n.block {
			f = f.inner()
		}
		c.expr(n.value, f)
		c.statements(n.body, f)
	case *macroNode:
		c.macro(n, f)
	case *callBlockNode:
		c.macro(n.body, f)
		if n.call != nil {
			call := n.call.(*callNode)
			for _, k := range call.kw {
				if k.name == "caller" {
					c.fail(n.line, "a call block's call has an argument 'caller' of its own")
				}
			}
			c.expr(call, f)
		}
	case *filterBlockNode:
		f = f.inner()
		c.statements(n.body, f)
		c.expr(n.filter, f)
	case *withNode:
		for _, v := range n.values {
			c.expr(v, f)
		}
		f = f.inner()
		c.statements(n.body, f)
	case *autoescapeNode:
		f = f.inner()
		c.expr(n.on, f)
		c.statements(n.body, f)
	case *blockNode:
		c.statements(n.body, frame{})
	case *loaderNode:
		if n.tag == "extends" && !f.top {
			c.fail(n.line, "extends stands inside of another block")
		}
		c.expr(n.x, f)
	case *loopControl:
		if !f.inLoop {
			if n.stop {
				c.fail(n.line, "break outside of a loop")
			}
			c.fail(n.line, "continue outside of a loop")
		}
	}
}

func (c *checker) target(n node, f frame, line int) {
	switch n := n.(type) {
	case *nameNode:
		if n.name == "loop" && f.noLoop {
			c.fail(line, "cannot assign to the special variable loop")
		}
	case *tupleNode:
		for _, x := range n.items {
			c.target(x, f, line)
		}
	}
}

func (c *checker) macro(n *macroNode, f frame) {
	f = f.function()
	for _, d := range n.defaults {
		c.expr(d, f)
	}
	c.statements(n.body, f)
	n.caller, n.kwargs, n.varargs = asksFor(n.body, "caller"), asksFor(n.body, "kwargs"), asksFor(n.body, "varargs")
	for i, p := range n.params {
		switch p {
		case "caller":
			if n.caller && i < len(n.params)-len(n.defaults) {
				c.fail(n.line, "the parameter caller needs a default")
			}
		case "kwargs":
			n.kwargs = false
		case "varargs":
			n.varargs = false
		}
	}
}

func (c *checker) expr(n node, f frame) {
	switch n := n.(type) {
	case nil:
		return
	case *constNode:
		if x, ok := n.v.(float64); ok && math.IsInf(x, 0) && !f.folded {
			n.nameless = true
		}
	case *condNode:
		f.soft = true
	case *concatNode:
		n.constant = isConstant(n, n.escaping)
	case *binaryNode:
		// A constant that decides alone: Jinja2 never looks at the rest.
		if left, ok := n.a.(*constNode); ok && (n.op == "and" && !truth(left.v) || n.op == "or" && truth(left.v)) {
			return
		}
	case *filterNode:
		if !f.soft && !c.options.hasFilter(n.name) {
			c.fail(n.line, "no filter named '%s'", n.name)
		}
	case *testNode:
		if !f.soft && tests[n.name] == nil {
			c.fail(n.line, "no test named '%s'", n.name)
		}
	}
	children(n, func(x node, _ bool) { c.expr(x, f) })
}

// ofContext are the filters that Jinja2 cannot compute before the template runs.
var ofContext = []string{"map", "select", "reject", "selectattr", "rejectattr", "random"}

// isConstant says whether Jinja2 computes an expression before the template runs. It
// shows where it then takes another way than when the template runs.
func isConstant(n node, e escaping) bool {
	switch x := n.(type) {
	case nil, *constNode:
		return true
	case *nameNode, *callNode:
		return false
	case *concatNode:
		if !e.known() {
			return false
		}
	case *filterNode:
		if !e.known() || slices.Contains(ofContext, x.name) || filters[x.name] == nil {
			return false
		}
	case *testNode:
		if !e.known() || tests[x.name] == nil {
			return false
		}
	}
	constant := true
	children(n, func(x node, _ bool) { constant = constant && isConstant(x, e) })
	return constant
}

// hasScoped says whether there is a scoped block in statements, which sees the loop.
func hasScoped(body []node) bool {
	found := false
	var visit func(n node, stored bool)
	visit = func(n node, _ bool) {
		if b, ok := n.(*blockNode); ok {
			found = found || b.scoped || hasScoped(b.body)
		}
		if n != nil {
			children(n, visit)
		}
	}
	for _, n := range body {
		visit(n, false)
	}
	return found
}

// children calls f for the parts of an expression, or of a statement, in the order in
// which Jinja2 visits them; stored says that a part is assigned to.
func children(n node, f func(x node, stored bool)) {
	all := func(nodes []node) {
		for _, x := range nodes {
			f(x, false)
		}
	}
	args := func(a arguments) {
		all(a.args)
		for _, k := range a.kw {
			f(k.x, false)
		}
		f(a.more, false)
		f(a.named, false)
	}
	macro := func(m *macroNode) {
		for _, p := range m.params {
			f(&nameNode{name: p}, true)
		}
		all(m.defaults)
		all(m.body)
	}
	switch n := n.(type) {
	case *listNode:
		all(n.items)
	case *tupleNode:
		all(n.items)
	case *dictNode:
		for i := range n.keys {
			f(n.keys[i], false)
			f(n.values[i], false)
		}
	case *unaryNode:
		f(n.x, false)
	case *binaryNode:
		f(n.a, false)
		f(n.b, false)
	case *concatNode:
		all(n.parts)
	case *compareNode:
		f(n.first, false)
		all(n.rest)
	case *condNode:
		f(n.test, false)
		f(n.then, false)
		f(n.rest, false)
	case *attrNode:
		f(n.x, false)
	case *indexNode:
		f(n.x, false)
		f(n.i, false)
	case *sliceNode:
		f(n.from, false)
		f(n.to, false)
		f(n.by, false)
	case *callNode:
		f(n.f, false)
		args(n.arguments)
	case *filterNode:
		f(n.x, false)
		args(n.arguments)
	case *testNode:
		f(n.x, false)
		args(n.arguments)
	case *outputNode:
		f(n.x, false)
	case *ifNode:
		for i, t := range n.tests {
			f(t, false)
			all(n.branches[i])
		}
		if len(n.branches) > len(n.tests) {
			all(n.branches[len(n.tests)])
		}
	case *forNode:
		f(n.target, true)
		f(n.list, false)
		all(n.body)
		all(n.rest)
		f(n.filter, false)
	case *setNode:
		f(n.target, true)
		f(n.value, false)
		all(n.body)
	case *macroNode:
		macro(n)
	case *callBlockNode:
		f(n.call, false)
		macro(n.body)
	case *filterBlockNode:
		all(n.body)
		f(n.filter, false)
	case *withNode:
		for _, t := range n.targets {
			f(t, true)
		}
		all(n.values)
		all(n.body)
	case *autoescapeNode:
		f(n.on, false)
		all(n.body)
	case *loaderNode:
		f(n.x, false)
	}
}

// asksFor says whether statements use a name before they set it.
func asksFor(body []node, name string) bool {
	found, hidden := false, false
	var visit func(n node, stored bool)
	visit = func(n node, stored bool) {
		switch n := n.(type) {
		case *nameNode:
			if n.name == name {
				found = found || !stored && !hidden
				hidden = hidden || stored
			}
			return
		case *tupleNode:
			if stored {
				for _, x := range n.items {
					visit(x, true)
				}
				return
			}
		}
		if n != nil {
			children(n, visit)
		}
	}
	for _, n := range body {
		visit(n, false)
	}
	return found
}
