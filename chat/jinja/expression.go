package jinja

import (
	"slices"
	"strconv"
)

// tuple reads an expression, or several with commas.
func (p *parser) tuple() node {
	x := p.expr()
	if !p.isOp(",") {
		return x
	}
	items := []node{x}
	for p.acceptOp(",") {
		if p.is(tokVarEnd) || p.is(tokBlockEnd) || p.isOp(")") {
			break
		}
		items = append(items, p.expr())
	}
	return &tupleNode{items}
}

func (p *parser) expr() node {
	p.enter()
	defer func() { p.depth-- }()
	x := p.or()
	for p.acceptName("if") {
		c := &condNode{then: x, test: p.or()}
		if p.acceptName("else") {
			c.rest = p.expr()
		}
		x = c
	}
	return x
}

func (p *parser) or() node {
	x := p.and()
	for p.isName("or") {
		line := p.next().line
		x = &binaryNode{"or", x, p.and(), line}
	}
	return x
}

func (p *parser) and() node {
	x := p.not()
	for p.isName("and") {
		line := p.next().line
		x = &binaryNode{"and", x, p.not(), line}
	}
	return x
}

func (p *parser) not() node {
	if p.isName("not") && !(p.peek(1).kind == tokName && p.peek(1).text == "in") {
		p.enter()
		defer func() { p.depth-- }()
		p.pos++
		return &unaryNode{"not", p.not()}
	}
	return p.compare()
}

func (p *parser) compare() node {
	line := p.peek(0).line
	c := &compareNode{first: p.sum(), line: line}
	for {
		t := p.peek(0)
		switch {
		case t.kind == tokOp && slices.Contains([]string{"==", "!=", "<", "<=", ">", ">="}, t.text):
			p.pos++
			c.ops = append(c.ops, t.text)
		case p.isName("in"):
			p.pos++
			c.ops = append(c.ops, "in")
		case p.isName("not") && p.peek(1).kind == tokName && p.peek(1).text == "in":
			p.pos += 2
			c.ops = append(c.ops, "not in")
		default:
			if c.ops == nil {
				return c.first
			}
			return c
		}
		c.rest = append(c.rest, p.sum())
	}
}

// binary reads a left-associative level.
func (p *parser) binary(operand func() node, ops ...string) node {
	x := operand()
	for {
		t := p.peek(0)
		if t.kind != tokOp || !slices.Contains(ops, t.text) {
			return x
		}
		p.pos++
		x = &binaryNode{t.text, x, operand(), t.line}
	}
}

func (p *parser) sum() node { return p.binary(p.concat, "+", "-") }

func (p *parser) concat() node { return p.binary(p.product, "~") }

func (p *parser) product() node { return p.binary(p.power, "*", "/", "//", "%") }

func (p *parser) power() node { return p.binary(func() node { return p.unary(true) }, "**") }

func (p *parser) unary(filters bool) node {
	p.enter()
	defer func() { p.depth-- }()
	var x node
	switch {
	case p.acceptOp("-"):
		x = &unaryNode{"-", p.unary(false)}
	case p.acceptOp("+"):
		x = &unaryNode{"+", p.unary(false)}
	default:
		x = p.primary()
	}
	x = p.postfix(x)
	if !filters {
		return x
	}
	for {
		switch {
		case p.acceptOp("|"):
			x = p.filter(x)
		case p.isName("is"):
			x = p.test(x)
		case p.isOp("("):
			x = p.postfix(x)
		default:
			return x
		}
	}
}

func (p *parser) filter(x node) node {
	f := &filterNode{x: x, line: p.peek(0).line, name: p.name()}
	for p.acceptOp(".") {
		f.name += "." + p.name()
	}
	if p.acceptOp("(") {
		f.args, f.kw = p.args()
	}
	return f
}

func (p *parser) test(x node) node {
	t := &testNode{x: x, line: p.next().line}
	t.not = p.acceptName("not")
	t.name = p.name()
	switch k := p.peek(0); {
	case p.acceptOp("("):
		t.args, _ = p.args()
	case k.kind == tokName && !slices.Contains([]string{"else", "or", "and", "if", "is", "in", "not"}, k.text),
		k.kind == tokString, k.kind == tokInt, k.kind == tokFloat, k.kind == tokOp && (k.text == "[" || k.text == "{"):
		t.args = []node{p.postfix(p.primary())}
	}
	return t
}

func (p *parser) postfix(x node) node {
	for n := 0; ; n++ {
		if n > maxDepth {
			p.fail("the template is nested too deeply")
		}
		line := p.peek(0).line
		switch {
		case p.acceptOp("."):
			if p.is(tokInt) {
				i, _ := strconv.ParseInt(p.next().text, 10, 64)
				x = &indexNode{x, &constNode{i}, line}
			} else {
				x = &attrNode{x, p.name(), line}
			}
		case p.acceptOp("["):
			x = p.subscript(x, line)
		case p.acceptOp("("):
			c := &callNode{f: x, line: line}
			c.args, c.kw = p.args()
			x = c
		default:
			return x
		}
	}
}

func (p *parser) subscript(x node, line int) node {
	var parts [3]node
	colons := 0
	for !p.acceptOp("]") {
		if p.acceptOp(":") {
			if colons++; colons > 2 {
				p.fail("a slice has too many parts")
			}
			continue
		}
		if parts[colons] != nil {
			p.fail("unexpected %q in a subscript", p.peek(0).text)
		}
		parts[colons] = p.tuple()
	}
	if colons > 0 {
		return &sliceNode{x, parts[0], parts[1], parts[2], line}
	}
	if parts[0] == nil {
		p.fail("a subscript is empty")
	}
	return &indexNode{x, parts[0], line}
}

// args reads arguments after the opening parenthesis.
func (p *parser) args() (args []node, kw []kwarg) {
	for n := 0; !p.acceptOp(")"); n++ {
		if n > 0 {
			p.expectOp(",")
			if p.acceptOp(")") {
				break
			}
		}
		if p.is(tokName) && p.peek(1).kind == tokOp && p.peek(1).text == "=" {
			name := p.name()
			p.pos++
			kw = append(kw, kwarg{name, p.expr()})
			continue
		}
		args = append(args, p.expr())
	}
	return args, kw
}

func (p *parser) primary() node {
	t := p.next()
	switch t.kind {
	case tokName:
		switch t.text {
		case "true", "True":
			return &constNode{true}
		case "false", "False":
			return &constNode{false}
		case "none", "None":
			return &constNode{nil}
		}
		return &nameNode{t.text, t.line}
	case tokString:
		for p.is(tokString) {
			t.text += p.next().text
		}
		return &constNode{t.text}
	case tokInt:
		i, err := strconv.ParseInt(t.text, 10, 64)
		if err != nil {
			p.fail("%s is too large", t.text)
		}
		return &constNode{i}
	case tokFloat:
		f, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			p.fail("%s is too large", t.text)
		}
		return &constNode{f}
	case tokOp:
		switch t.text {
		case "(":
			if p.acceptOp(")") {
				return &tupleNode{}
			}
			x := p.tuple()
			p.expectOp(")")
			return x
		case "[":
			l := &listNode{}
			for !p.acceptOp("]") {
				if len(l.items) > 0 {
					p.expectOp(",")
					if p.acceptOp("]") {
						break
					}
				}
				l.items = append(l.items, p.expr())
			}
			return l
		case "{":
			d := &dictNode{}
			for !p.acceptOp("}") {
				if len(d.keys) > 0 {
					p.expectOp(",")
					if p.acceptOp("}") {
						break
					}
				}
				d.keys = append(d.keys, p.expr())
				p.expectOp(":")
				d.values = append(d.values, p.expr())
			}
			return d
		}
	}
	p.pos--
	p.fail("unexpected %q in an expression", t.text)
	return nil
}
