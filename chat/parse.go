package chat

import (
	"fmt"
	"slices"
	"strconv"
)

// node is a statement or an expression of a template.
type node interface{}

type (
	textNode   struct{ text string }
	outputNode struct {
		x    node
		line int
	}
	ifNode struct {
		test       node
		then, rest []node
	}
	forNode struct {
		targets      []string
		list, filter node
		body, rest   []node
		line         int
	}
	setNode struct {
		targets []string // names
		of      string   // namespace whose attribute targets[0] is, or ""
		value   node
		body    []node // of a block set
		line    int
	}
	macroNode struct {
		name     string
		params   []string
		defaults []node // nil where there is none
		body     []node
	}
	callBlockNode struct {
		call node
		body []node
		line int
	}
	loopControl struct{ stop bool }
	groupNode   struct{ body []node }

	constNode struct{ v any }
	nameNode  struct {
		name string
		line int
	}
	listNode  struct{ items []node }
	tupleNode struct{ items []node }
	dictNode  struct{ keys, values []node }
	unaryNode struct {
		op string
		x  node
	}
	binaryNode struct {
		op   string
		a, b node
		line int
	}
	compareNode struct {
		first node
		ops   []string
		rest  []node
		line  int
	}
	condNode struct{ test, then, rest node }
	attrNode struct {
		x    node
		name string
		line int
	}
	indexNode struct {
		x, i node
		line int
	}
	sliceNode struct {
		x, from, to, by node
		line            int
	}
	callNode struct {
		f    node
		args []node
		kw   []kwarg
		line int
	}
	filterNode struct {
		name string
		x    node // nil: the body of a filter block
		args []node
		kw   []kwarg
		line int
	}
	testNode struct {
		name string
		x    node
		args []node
		not  bool
		line int
	}
)

type kwarg struct {
	name string
	x    node
}

// maxDepth bounds the nesting of a template and of its macros' calls.
const maxDepth = 200

type parser struct {
	tokens []token
	pos    int
	depth  int
	loops  int
}

// parse reads a template.
func parse(src string) (body []node, err error) {
	tokens, err := lex(src)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	defer func() {
		switch e := recover().(type) {
		case nil:
		case *templateError:
			err = e
		default:
			panic(e)
		}
	}()
	body = p.statements()
	if !p.is(tokEOF) {
		p.fail("unexpected end of a block: %q", p.peek(1).text)
	}
	return body, nil
}

// fail ends parsing; parse recovers it.
func (p *parser) fail(format string, args ...any) {
	panic(&templateError{p.tokens[p.pos].line, fmt.Sprintf(format, args...)})
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
		f := &filterNode{line: line, name: p.name()}
		if p.acceptOp("(") {
			f.args, f.kw = p.args()
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

func (p *parser) sum() node     { return p.binary(p.concat, "+", "-") }
func (p *parser) concat() node  { return p.binary(p.product, "~") }
func (p *parser) product() node { return p.binary(p.power, "*", "/", "//", "%") }
func (p *parser) power() node   { return p.binary(func() node { return p.unary(true) }, "**") }

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
