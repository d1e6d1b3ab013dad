package jinja

// tupleForm says what a tuple may consist of.
type tupleForm struct {
	simple     bool   // only names and literals: a target
	members    bool   // of these, members of namespaces, too
	conditions bool   // x if y else z
	parens     bool   // it stands in parentheses, and may be empty
	end        string // a name that ends it, too
}

// tuple reads an expression, or several with commas.
func (p *parser) tuple(form tupleForm) node {
	var items []node
	isTuple := false
	for {
		if len(items) > 0 {
			p.expectOp(",")
		}
		if p.is(tokVarEnd) || p.is(tokBlockEnd) || p.isOp(")") || form.end != "" && p.isName(form.end) {
			break
		}
		switch {
		case form.simple:
			items = append(items, p.primary(form.members))
		case form.conditions || form.parens:
			items = append(items, p.expr())
		default:
			p.enter()
			items = append(items, p.or())
			p.leave()
		}
		if !p.isOp(",") {
			break
		}
		isTuple = true
	}
	if !isTuple {
		if len(items) > 0 {
			return items[0]
		}
		if !form.parens {
			raise("unexpected %q in an expression", p.peek(0).text)
		}
	}
	return &tupleNode{items}
}

func (p *parser) expr() node {
	p.enter()
	defer p.leave()
	line := p.line()
	x := p.or()
	for p.acceptName("if") {
		c := &condNode{then: x, test: p.or(), line: line}
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
	if p.isName("not") {
		p.enter()
		defer p.leave()
		line := p.next().line
		return &unaryNode{"not", p.not(), line}
	}
	return p.compare()
}

func (p *parser) compare() node {
	c := &compareNode{line: p.line(), first: p.sum()}
	for {
		switch t := p.peek(0); {
		case t.isOp("=="), t.isOp("!="), t.isOp("<"), t.isOp("<="), t.isOp(">"), t.isOp(">="):
			p.pos++
			c.ops = append(c.ops, t.text)
		case t.isName("in"):
			p.pos++
			c.ops = append(c.ops, "in")
		case t.isName("not") && p.peek(1).isName("in"):
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
		found := false
		for _, op := range ops {
			if p.isOp(op) {
				line := p.next().line
				x = &binaryNode{op, x, operand(), line}
				found = true
				break
			}
		}
		if !found {
			return x
		}
	}
}

func (p *parser) sum() node { return p.binary(p.concat, "+", "-") }

func (p *parser) concat() node {
	line := p.line()
	parts := []node{p.product()}
	for p.acceptOp("~") {
		parts = append(parts, p.product())
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return &concatNode{parts: parts, escaping: p.escaping, line: line}
}

func (p *parser) product() node { return p.binary(p.power, "*", "/", "//", "%") }

func (p *parser) power() node { return p.binary(func() node { return p.unary(true) }, "**") }

func (p *parser) unary(filters bool) node {
	p.enter()
	defer p.leave()
	var x node
	switch t := p.peek(0); {
	case t.isOp("-"), t.isOp("+"):
		p.pos++
		x = &unaryNode{t.text, p.unary(false), t.line}
	default:
		x = p.primary(false)
	}
	x = p.postfix(x)
	for n := 0; filters; n++ {
		if n > maxDepth {
			raise("the template is nested too deeply")
		}
		switch {
		case p.acceptOp("|"):
			x = p.filter(x)
		case p.isName("is"):
			x = p.test(x)
		case p.isOp("("):
			x = p.call(x)
		default:
			return x
		}
	}
	return x
}

// dotted reads a name with dots: of a filter or a test.
func (p *parser) dotted() string {
	name := p.name()
	for p.acceptOp(".") {
		name += "." + p.name()
	}
	return name
}

func (p *parser) filter(x node) node {
	f := &filterNode{x: x, line: p.line(), name: p.dotted(), escaping: p.escaping}
	if p.acceptOp("(") {
		f.arguments = p.arguments()
	}
	return f
}

func (p *parser) test(x node) node {
	t := &testNode{x: x, line: p.next().line}
	not := p.acceptName("not")
	t.name = p.dotted()
	switch k := p.peek(0); {
	case p.acceptOp("("):
		t.arguments = p.arguments()
	case k.isName("else", "or", "and"):
	case k.isName("is"):
		raise("two tests cannot be chained with is")
	case k.kind == tokName, k.kind == tokString, k.kind == tokInt, k.kind == tokFloat, k.isOp("["), k.isOp("{"):
		t.args = []node{p.postfix(p.primary(false))}
	}
	if not {
		return &unaryNode{"not", t, t.line}
	}
	return t
}

func (p *parser) postfix(x node) node {
	for n := 0; ; n++ {
		if n > maxDepth {
			raise("the template is nested too deeply")
		}
		line := p.line()
		switch {
		case p.acceptOp("."):
			switch t := p.next(); t.kind {
			case tokName:
				x = &attrNode{x, t.text, line}
			case tokInt:
				x = &indexNode{x: x, i: &constNode{v: t.v}, line: line}
			default:
				raise("a name or a number is missing before %q", t.text)
			}
		case p.acceptOp("["):
			x = &indexNode{x: x, i: p.subscript(), line: line}
		case p.isOp("("):
			x = p.call(x)
		default:
			return x
		}
	}
}

func (p *parser) call(x node) node {
	c := &callNode{f: x, line: p.next().line}
	c.arguments = p.arguments()
	return c
}

// subscript reads what stands in brackets: with commas a tuple.
func (p *parser) subscript() node {
	var items []node
	for !p.acceptOp("]") {
		if len(items) > 0 {
			p.expectOp(",")
		}
		items = append(items, p.subscribed())
	}
	if len(items) == 1 {
		return items[0]
	}
	for _, x := range items {
		if _, ok := x.(*sliceNode); ok {
			raise("a slice among several subscripts")
		}
	}
	return &tupleNode{items}
}

func (p *parser) subscribed() node {
	s := &sliceNode{}
	if !p.isOp(":") {
		x := p.expr()
		if !p.isOp(":") {
			return x
		}
		s.from = x
	}
	p.pos++
	if !p.isOp(":") && !p.isOp("]") && !p.isOp(",") {
		s.to = p.expr()
	}
	if p.acceptOp(":") && !p.isOp("]") && !p.isOp(",") {
		s.by = p.expr()
	}
	return s
}

// arguments reads those of a call, after the opening parenthesis.
func (p *parser) arguments() arguments {
	var a arguments
	ensure := func(ok bool) {
		if !ok {
			raise("invalid syntax for function call expression")
		}
	}
	for n := 0; !p.acceptOp(")"); n++ {
		if n > 0 {
			p.expectOp(",")
			if p.acceptOp(")") {
				break
			}
		}
		switch {
		case p.acceptOp("*"):
			ensure(a.more == nil && a.named == nil)
			a.more = p.expr()
		case p.acceptOp("**"):
			ensure(a.named == nil)
			a.named = p.expr()
		case p.is(tokName) && p.peek(1).isOp("="):
			ensure(a.named == nil)
			name := p.next().text
			p.pos++
			for _, k := range a.kw {
				ensure(k.name != name)
			}
			a.kw = append(a.kw, kwarg{name, p.expr()})
		default:
			ensure(a.more == nil && a.named == nil && len(a.kw) == 0)
			a.args = append(a.args, p.expr())
		}
	}
	return a
}

func (p *parser) primary(members bool) node {
	t := p.next()
	switch t.kind {
	case tokName:
		switch t.text {
		case "true", "True":
			return &constNode{v: true}
		case "false", "False":
			return &constNode{v: false}
		case "none", "None":
			return &constNode{v: nil}
		}
		if members && p.acceptOp(".") {
			return &memberNode{t.text, p.name(), t.line}
		}
		return &nameNode{t.text, t.line}
	case tokString:
		s := t.text
		for p.is(tokString) {
			s += p.next().text
		}
		return &constNode{v: s}
	case tokInt, tokFloat:
		return &constNode{v: t.v}
	case tokOp:
		switch t.text {
		case "(":
			p.enter()
			x := p.tuple(tupleForm{parens: true})
			p.leave()
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
	if t.kind != tokEOF {
		p.pos--
	}
	raise("unexpected %q in an expression", t.text)
	return nil
}
