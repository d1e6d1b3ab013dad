package jinja

import (
	"fmt"
	"slices"
)

type parser struct {
	tokens []token
	pos    int
	depth  int
	loops  int
}

// fail ends parsing; Parse recovers it.
func (p *parser) fail(format string, args ...any) {
	panic(&Error{p.tokens[p.pos].line, fmt.Sprintf(format, args...)})
}

func (p *parser) peek(n int) token { return p.tokens[min(p.pos+n, len(p.tokens)-1)] }

func (p *parser) is(kind tokenKind) bool { return p.peek(0).kind == kind }

func (p *parser) isOp(op string) bool { t := p.peek(0); return t.kind == tokOp && t.text == op }

func (p *parser) isName(name string) bool { t := p.peek(0); return t.kind == tokName && t.text == name }

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
		p.fail("%q is missing before %q", op, p.peek(0).text)
	}
}

func (p *parser) name() string {
	if !p.is(tokName) {
		p.fail("a name is missing before %q", p.peek(0).text)
	}
	return p.next().text
}

func (p *parser) endBlock() {
	if !p.is(tokBlockEnd) {
		p.fail("unexpected %q in a block", p.peek(0).text)
	}
	p.pos++
}

func (p *parser) enter() {
	if p.depth++; p.depth > maxDepth {
		p.fail("the template is nested too deeply")
	}
}

// statements reads up to a block that begins with one of ends (or any that no
// statement begins with), which is left to the caller.
func (p *parser) statements(ends ...string) []node {
	p.enter()
	defer func() { p.depth-- }()
	var out []node
	for {
		switch p.peek(0).kind {
		case tokText:
			out = append(out, &textNode{p.next().text})
		case tokVarBegin:
			line := p.next().line
			x := p.tuple()
			if !p.is(tokVarEnd) {
				p.fail("unexpected %q in an expression", p.peek(0).text)
			}
			p.pos++
			out = append(out, &outputNode{x, line})
		case tokBlockBegin:
			if t := p.peek(1); t.kind == tokName && slices.Contains(ends, t.text) {
				return out
			}
			s := p.statement()
			if s == nil {
				return out
			}
			out = append(out, s)
		default:
			return out
		}
	}
}

// closing reads {% name %} and whatever may stand in it.
func (p *parser) closing(name string) {
	if !p.is(tokBlockBegin) || p.peek(1).text != name {
		p.fail("%s is missing", name)
	}
	p.pos += 2
	if p.is(tokName) { // {% endmacro name %}
		p.pos++
	}
	p.endBlock()
}

func (p *parser) statement() node {
	line := p.peek(0).line
	switch p.peek(1).text {
	case "if":
		p.pos += 2
		return p.ifStatement()
	case "for":
		p.pos += 2
		return p.forStatement(line)
	case "set":
		p.pos += 2
		return p.setStatement(line)
	case "macro":
		p.pos += 2
		m := &macroNode{name: p.name()}
		p.expectOp("(")
		m.params, m.defaults = p.params()
		p.endBlock()
		loops := p.loops
		p.loops = 0
		m.body = p.statements("endmacro")
		p.loops = loops
		p.closing("endmacro")
		return m
	case "call":
		p.pos += 2
		c := &callBlockNode{line: line, call: p.expr()}
		p.endBlock()
		c.body = p.statements("endcall")
		p.closing("endcall")
		return c
	case "filter":
		p.pos += 2
		f := p.filter(nil)
		for p.acceptOp("|") {
			f = p.filter(f)
		}
		p.endBlock()
		s := &setNode{targets: []string{""}, value: f, body: p.statements("endfilter"), line: line}
		p.closing("endfilter")
		return s
	case "generation":
		p.pos += 2
		p.endBlock()
		g := &groupNode{p.statements("endgeneration")}
		p.closing("endgeneration")
		return g
	case "break", "continue":
		if p.loops == 0 {
			p.fail("%s outside of a loop", p.peek(1).text)
		}
		stop := p.peek(1).text == "break"
		p.pos += 2
		p.endBlock()
		return &loopControl{stop}
	case "elif", "else", "endif", "endfor", "endset", "endmacro", "endcall", "endfilter", "endgeneration":
		return nil
	}
	p.pos++
	p.fail("unknown block %q", p.peek(0).text)
	return nil
}

func (p *parser) ifStatement() node {
	n := &ifNode{test: p.tuple()}
	p.endBlock()
	n.then = p.statements("elif", "else", "endif")
	switch {
	case p.is(tokEOF):
		p.fail("endif is missing")
	case p.peek(1).text == "elif":
		p.pos += 2
		p.enter()
		n.rest = []node{p.ifStatement()}
		p.depth--
		return n
	case p.peek(1).text == "else":
		p.pos += 2
		p.endBlock()
		n.rest = p.statements("endif")
	}
	p.closing("endif")
	return n
}

func (p *parser) forStatement(line int) node {
	n := &forNode{targets: p.targets(), line: line}
	if !p.acceptName("in") {
		p.fail("for without in")
	}
	n.list = p.or()
	if p.acceptName("if") {
		n.filter = p.expr()
	}
	if p.acceptName("recursive") {
		p.fail("recursive loops are not supported")
	}
	p.endBlock()
	p.loops++
	n.body = p.statements("else", "endfor")
	p.loops--
	if p.is(tokBlockBegin) && p.peek(1).text == "else" {
		p.pos += 2
		p.endBlock()
		n.rest = p.statements("endfor")
	}
	p.closing("endfor")
	return n
}

// targets reads "a", "a, b" or "(a, b)".
func (p *parser) targets() []string {
	paren := p.acceptOp("(")
	names := []string{p.name()}
	for p.acceptOp(",") {
		names = append(names, p.name())
	}
	if paren {
		p.expectOp(")")
	}
	return names
}

func (p *parser) setStatement(line int) node {
	n := &setNode{line: line, targets: p.targets()}
	if len(n.targets) == 1 && p.acceptOp(".") {
		n.of, n.targets[0] = n.targets[0], p.name()
	}
	if p.acceptOp("=") {
		n.value = p.tuple()
		p.endBlock()
		return n
	}
	// {% set x | filter %}…{% endset %}
	for p.acceptOp("|") {
		n.value = p.filter(n.value)
	}
	p.endBlock()
	n.body = p.statements("endset")
	if n.body == nil {
		n.body = []node{}
	}
	p.closing("endset")
	return n
}

// params reads a macro's parameters after the opening parenthesis.
func (p *parser) params() (names []string, defaults []node) {
	for !p.acceptOp(")") {
		if len(names) > 0 {
			p.expectOp(",")
			if p.acceptOp(")") {
				break
			}
		}
		names = append(names, p.name())
		if p.acceptOp("=") {
			defaults = append(defaults, p.expr())
		} else {
			defaults = append(defaults, nil)
		}
	}
	return names, defaults
}
