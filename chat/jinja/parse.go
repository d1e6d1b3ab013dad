package jinja

import (
	"slices"
	"strings"
)

type parser struct {
	options  Options
	tokens   []token
	pos      int
	depth    int
	escaping escaping // where we are
	blocks   map[string]*blockNode
	open     []string // how the blocks around us end
	// generation says that there was a block {% generation %}.
	generation bool
}

// line is where the parser is, for errors.
func (p *parser) line() int {
	if len(p.tokens) == 0 {
		return 0
	}
	return p.tokens[min(p.pos, len(p.tokens)-1)].line
}

func (p *parser) peek(n int) token { return p.tokens[min(p.pos+n, len(p.tokens)-1)] }

func (p *parser) is(kind tokenKind) bool { return p.peek(0).kind == kind }

func (t token) isOp(op string) bool { return t.kind == tokOp && t.text == op }

func (t token) isName(names ...string) bool {
	return t.kind == tokName && slices.Contains(names, t.text)
}

func (p *parser) isOp(op string) bool { return p.peek(0).isOp(op) }

func (p *parser) isName(name string) bool { return p.peek(0).isName(name) }

func (p *parser) next() token {
	t := p.peek(0)
	if t.kind != tokEOF {
		p.pos++
	}
	return t
}

func (p *parser) acceptOp(op string) bool {
	if p.isOp(op) {
		p.pos++
		return true
	}
	return false
}

func (p *parser) acceptName(name string) bool {
	if p.isName(name) {
		p.pos++
		return true
	}
	return false
}

func (p *parser) expectOp(op string) {
	if !p.acceptOp(op) {
		raise("%q is missing before %q", op, p.peek(0).text)
	}
}

func (p *parser) name() string {
	if !p.is(tokName) {
		raise("a name is missing before %q", p.peek(0).text)
	}
	return p.next().text
}

func (p *parser) endBlock() {
	if !p.is(tokBlockEnd) {
		raise("unexpected %q in a block", p.peek(0).text)
	}
	p.pos++
}

func (p *parser) enter() {
	if p.depth++; p.depth > maxDepth {
		raise("the template is nested too deeply")
	}
}

func (p *parser) leave() { p.depth-- }

// statements reads up to a block that begins with one of ends, whose name is then the
// next token, or, where of is "", up to the template's end.
func (p *parser) statements(of string, ends ...string) []node {
	p.enter()
	defer p.leave()
	if of != "" {
		p.open = append(p.open, ends[len(ends)-1])
		defer func() { p.open = p.open[:len(p.open)-1] }()
	}
	out := []node{}
	for {
		switch t := p.peek(0); t.kind {
		case tokText:
			p.pos++
			out = append(out, &textNode{t.text})
		case tokVarBegin:
			p.pos++
			x := p.tuple(tupleForm{conditions: true})
			if !p.is(tokVarEnd) {
				raise("unexpected %q in an expression", p.peek(0).text)
			}
			p.pos++
			out = append(out, &outputNode{x: x, escaping: p.escaping, line: t.line})
		case tokBlockBegin:
			p.pos++
			if p.peek(0).isName(ends...) {
				return out
			}
			out = append(out, p.statement()...)
			p.endBlock()
		default:
			if of != "" {
				raise("%s is missing", ends[len(ends)-1])
			}
			return out
		}
	}
}

// body reads the statements of a block up to its end, whose name is passed over, and
// returns that name.
func (p *parser) body(of string, ends ...string) ([]node, string) {
	p.acceptOp(":") // for the sake of Python's habits
	p.endBlock()
	body := p.statements(of, ends...)
	return body, p.next().text
}

// statement reads a block from its name on, up to its end.
func (p *parser) statement() []node {
	line := p.peek(0).line
	if !p.is(tokName) {
		raise("a block's name is missing before %q", p.peek(0).text)
	}
	tag := p.next().text
	switch tag {
	case "if":
		return []node{p.ifStatement(line)}
	case "for":
		return []node{p.forStatement(line)}
	case "set":
		return []node{p.setStatement(line)}
	case "macro":
		m := &macroNode{line: line, name: p.name()}
		p.signature(m)
		m.body, _ = p.body("macro", "endmacro")
		return []node{m}
	case "call":
		m := &macroNode{line: line}
		if p.isOp("(") {
			p.signature(m)
		}
		c := &callBlockNode{line: line, call: p.expr(), body: m}
		if _, ok := c.call.(*callNode); !ok {
			raise("a call block needs a call")
		}
		m.body, _ = p.body("call", "endcall")
		return []node{c}
	case "filter":
		f := &filterBlockNode{line: line, escaping: p.escaping, filter: p.filter(nil)}
		for p.acceptOp("|") {
			f.filter = p.filter(f.filter)
		}
		f.body, _ = p.body("filter", "endfilter")
		return []node{f}
	case "with":
		return []node{p.withStatement(line)}
	case "print":
		var out []node
		for !p.is(tokBlockEnd) {
			if len(out) > 0 {
				p.expectOp(",")
			}
			out = append(out, &outputNode{x: p.expr(), escaping: p.escaping, line: line})
		}
		return out
	case "autoescape":
		return []node{p.autoescapeStatement(line)}
	case "block":
		return []node{p.blockStatement(line)}
	case "extends", "include", "import", "from":
		return []node{p.loaderStatement(tag, line)}
	}
	if p.options.Chat {
		switch tag {
		case "generation":
			m := &macroNode{line: line}
			p.generation = true
			m.body, _ = p.body("generation", "endgeneration")
			return []node{&callBlockNode{line: line, body: m}}
		case "break", "continue":
			return []node{&loopControl{tag == "break", line}}
		}
	}
	p.pos--
	if n := len(p.open); n > 0 && (tag == "elif" || tag == "else" || strings.HasPrefix(tag, "end")) {
		raise("%s is missing before %q", p.open[n-1], tag)
	}
	raise("unknown block %q", tag)
	return nil
}

func (p *parser) ifStatement(line int) node {
	n := &ifNode{line: line}
	for {
		n.tests = append(n.tests, p.tuple(tupleForm{}))
		body, end := p.body("if", "elif", "else", "endif")
		n.branches = append(n.branches, body)
		switch end {
		case "elif":
			continue
		case "else":
			body, _ = p.body("if", "endif")
			n.branches = append(n.branches, body)
		}
		return n
	}
}

func (p *parser) forStatement(line int) node {
	n := &forNode{line: line, target: p.target("in", false)}
	if !p.acceptName("in") {
		raise("for without in")
	}
	n.list = p.tuple(tupleForm{end: "recursive"})
	if p.acceptName("if") {
		n.filter = p.expr()
	}
	n.recursive = p.acceptName("recursive")
	var end string
	if n.body, end = p.body("for", "else", "endfor"); end == "else" {
		n.rest, _ = p.body("for", "endfor")
	}
	return n
}

func (p *parser) setStatement(line int) node {
	n := &setNode{line: line, escaping: p.escaping, target: p.target("", true)}
	if p.acceptOp("=") {
		n.value = p.tuple(tupleForm{conditions: true})
		return n
	}
	// {% set x | filter %}…{% endset %}
	for p.acceptOp("|") {
		n.value = p.filter(n.value)
	}
	n.block = true
	n.body, _ = p.body("set", "endset")
	return n
}

func (p *parser) withStatement(line int) node {
	n := &withNode{line: line}
	for !p.is(tokBlockEnd) {
		if len(n.targets) > 0 {
			p.expectOp(",")
		}
		n.targets = append(n.targets, p.target("", false))
		p.expectOp("=")
		n.values = append(n.values, p.expr())
	}
	n.body, _ = p.body("with", "endwith")
	return n
}

func (p *parser) autoescapeStatement(line int) node {
	n := &autoescapeNode{line: line, on: p.expr()}
	outer := p.escaping
	defer func() { p.escaping = outer }()
	c, ok := n.on.(*constNode)
	p.escaping = within(outer, ok, ok && truth(c.v))
	n.body, _ = p.body("autoescape", "endautoescape")
	return n
}

// within is how texts are escaped inside of an {% autoescape %} whose value is known, or
// not. What stood around one that is not known stays for constants, and inside of it
// nothing is known.
func within(outer escaping, known, on bool) escaping {
	if !known {
		on = outer == always || outer == dynamicAlways
	}
	switch {
	case known && outer.known() && on:
		return always
	case known && outer.known():
		return plain
	case on:
		return dynamicAlways
	}
	return dynamic
}

func (p *parser) blockStatement(line int) node {
	n := &blockNode{line: line, name: p.name()}
	n.scoped = p.acceptName("scoped")
	n.required = p.acceptName("required")
	outer := p.escaping
	p.escaping = plain // its body is a function of its own
	n.body, _ = p.body("block", "endblock")
	p.escaping = outer
	p.acceptName(n.name)
	if n.required {
		for _, x := range n.body {
			if t, ok := x.(*textNode); !ok || !allOf(t.text, isSpace) {
				raise("required blocks can only contain comments or white space")
			}
		}
	}
	if p.blocks[n.name] != nil {
		raise("block %q defined twice", n.name)
	}
	p.blocks[n.name] = n
	return n
}

// loaderStatement reads extends, include, import or from, which fail when they run.
func (p *parser) loaderStatement(tag string, line int) node {
	n := &loaderNode{tag: tag, line: line, x: p.expr()}
	context := func() {
		if p.peek(0).isName("with", "without") && p.peek(1).isName("context") {
			p.pos += 2
		}
	}
	switch tag {
	case "include":
		if p.isName("ignore") && p.peek(1).isName("missing") {
			p.pos += 2
		}
		context()
	case "import":
		if !p.acceptName("as") {
			raise("import without as")
		}
		p.name()
		context()
	case "from":
		if !p.acceptName("import") {
			raise("from without import")
		}
		for first := true; first || p.acceptOp(","); first = false {
			p.name()
			if p.acceptName("as") {
				p.name()
			}
			context()
		}
	}
	return n
}

// target reads what is assigned to, up to a name that ends it: names, nested tuples of
// them, or, of set, members of namespaces.
func (p *parser) target(end string, members bool) node {
	x := p.tuple(tupleForm{simple: true, members: members, end: end})
	p.assignable(x)
	return x
}

func (p *parser) assignable(x node) {
	switch x := x.(type) {
	case *nameNode, *memberNode:
		return
	case *tupleNode:
		for _, item := range x.items {
			p.assignable(item)
		}
		return
	}
	raise("cannot assign to that before %q", p.peek(0).text)
}

// signature reads a macro's parameters.
func (p *parser) signature(m *macroNode) {
	p.expectOp("(")
	for !p.acceptOp(")") {
		if len(m.params) > 0 {
			p.expectOp(",")
		}
		name := p.name()
		if slices.Contains([]string{"true", "false", "none", "True", "False", "None"}, name) {
			raise("cannot assign to %s", name)
		}
		if slices.Contains(m.params, name) {
			raise("two parameters are named %q", name)
		}
		m.params = append(m.params, name)
		if p.acceptOp("=") {
			m.defaults = append(m.defaults, p.expr())
		} else if len(m.defaults) > 0 {
			raise("non-default argument follows default argument")
		}
	}
}
