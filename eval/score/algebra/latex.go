// Package algebra reads expressions as LaTeX writes them, and says whether two are equal.
//
// The grammar is that of SymPy 1.14's parse_latex, whose verdicts lm-eval's are: the beginning of a
// text that can be read is the expression, spaces are left out before, π and i are symbols like any
// others, and a letter before a parenthesis is a function.
package algebra

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// Node is an expression: an operation on others, a number or a name.
type Node struct {
	op   string // "number", "symbol", "call" (of a function without a meaning), or what is done
	name string
	num  *big.Rat
	args []*Node
}

// Bounds of what is read: answers are short.
const (
	maxLength = 4000
	maxDepth  = 200
	maxReads  = 200_000
)

var errParse = errors.New("the text is no expression")

// Parse reads the beginning of a text that is an expression. Relations are an error, as nothing
// can be subtracted from them.
func Parse(text string) (*Node, error) {
	n, _, err := parse(text)
	return n, err
}

// parse also tells whether the expression is the whole text.
func parse(text string) (n *Node, whole bool, err error) {
	if len(text) > maxLength {
		return nil, false, fmt.Errorf("the expression has %d bytes, want at most %d", len(text), maxLength)
	}
	tokens, err := tokenize(text)
	if err != nil {
		return nil, false, err
	}
	p := parser{tokens: tokens}
	n = p.sum()
	if n == nil || p.failed {
		return nil, false, errParse
	}
	switch p.peek() {
	case "=", "<", ">", `\le`, `\leq`, `\leqq`, `\leqslant`, `\ge`, `\geq`, `\geqq`, `\geqslant`, `\neq`, "&":
		return nil, false, errParse
	}
	return n, p.at == len(tokens), nil
}

// tokenize parts a text into commands, differentials (d and a letter), digits and signs.
func tokenize(text string) ([]string, error) {
	var out []string
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case strings.IndexByte(" \t\r\n", c) >= 0:
			i++
		case c == '\\':
			word := command(text[i:])
			switch {
			case word == `\`:
				if i+1 == len(text) {
					return nil, errParse
				}
				sign := text[i+1]
				if strings.IndexByte("{}", sign) >= 0 {
					out = append(out, text[i:i+2])
				} else if strings.IndexByte(`,:;!*-./"(=`, sign) < 0 {
					return nil, errParse
				}
				i += 2
			case word == `\left` || word == `\right`:
				if i += len(word); i < len(text) && text[i] == '|' {
					return nil, errParse // half of a bra or ket
				}
			default:
				if !skipped[word] {
					out = append(out, word)
				}
				i += len(word)
			}
		case c == 'd' && i+1 < len(text) && isLetter(text[i+1]):
			out = append(out, text[i:i+2])
			i += 2
		case c == 'd' && i+1 < len(text) && len(command(text[i+1:])) > 1:
			word := command(text[i+1:])
			out = append(out, "d"+word)
			i += 1 + len(word)
		case isLetter(c) || isDigit(c) || strings.IndexByte("+-*/(){}[]|_^:=<>!',.&", c) >= 0:
			out = append(out, text[i:i+1])
			i++
		default:
			return nil, errParse
		}
	}
	return out, nil
}

var skipped = map[string]bool{
	`\thinspace`: true, `\medspace`: true, `\thickspace`: true, `\quad`: true, `\qquad`: true, `\negthinspace`: true, `\negmedspace`: true, `\negthickspace`: true,
	`\vrule`: true, `\vcenter`: true, `\vbox`: true, `\vskip`: true, `\vspace`: true, `\hfil`: true,
}

// command is a backslash with the letters after it; "" where there is none.
func command(s string) string {
	if s == "" || s[0] != '\\' {
		return ""
	}
	i := 1
	for i < len(s) && isLetter(s[i]) {
		i++
	}
	return s[:i]
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

// parser descends into the grammar. A part that may be missing and cannot be read is left unread;
// failed is set where the reference gives up the whole text.
type parser struct {
	tokens []string
	at     int
	depth  int
	steps  int
	failed bool
}

func (p *parser) peek() string {
	if p.at < len(p.tokens) {
		return p.tokens[p.at]
	}
	return ""
}

func (p *parser) take(t string) bool {
	if p.peek() != t {
		return false
	}
	p.at++
	return true
}

// try reads a part, or leaves the place as it was.
func (p *parser) try(read func() *Node) *Node {
	// A part is read again where what comes after it does not fit, so the steps are bounded, too.
	if p.steps++; p.depth >= maxDepth || p.steps > maxReads {
		p.failed = true
	}
	if p.failed {
		return nil
	}
	p.depth++
	defer func() { p.depth-- }()
	at := p.at
	n := read()
	if n == nil {
		p.at = at
	}
	return n
}

func node(op string, args ...*Node) *Node { return &Node{op: op, args: args} }

// chain reads parts with operators between.
func (p *parser) chain(part func() *Node, operators map[string]string) *Node {
	left := p.try(part)
	for left != nil {
		op, ok := operators[p.peek()]
		if !ok {
			break
		}
		right := p.try(func() *Node {
			p.at++
			return part()
		})
		if right == nil {
			break
		}
		left = node(op, left, right)
	}
	return left
}

var (
	sums     = map[string]string{"+": "+", "-": "-"}
	products = map[string]string{"*": "*", `\times`: "*", `\cdot`: "*", "/": "/", `\div`: "/", ":": "/"}
)

func (p *parser) sum() *Node { return p.chain(p.product, sums) }
func (p *parser) product() *Node {
	return p.chain(func() *Node { return p.unary(true) }, products)
}

// unary is a sign before factors that follow each other. After the first of them functions are
// read only where functions are allowed.
func (p *parser) unary(functions bool) *Node {
	if p.take("+") {
		return p.try(func() *Node { return p.unary(functions) })
	}
	if p.take("-") {
		if n := p.try(func() *Node { return p.unary(functions) }); n != nil {
			return node("neg", n)
		}
		return nil
	}
	n := p.try(func() *Node { return p.postfix(true) })
	for n != nil && !p.loneStop() {
		next := p.try(func() *Node { return p.postfix(functions) })
		if next == nil {
			break
		}
		n = node("*", n, next)
	}
	return n
}

// loneStop reports whether a digit comes with a full stop after it and no digit there.
func (p *parser) loneStop() bool {
	return p.at+1 < len(p.tokens) && isDigit(p.tokens[p.at][0]) && p.tokens[p.at+1] == "." && (p.at+2 == len(p.tokens) || !isDigit(p.tokens[p.at+2][0]))
}

// postfix is a power with its factorials.
func (p *parser) postfix(functions bool) *Node {
	n := p.try(func() *Node { return p.base(functions) })
	for n != nil && p.peek() == "^" {
		e := p.try(p.exponent)
		if e == nil {
			break
		}
		n = node("^", n, e)
		p.try(p.subscript) // it means nothing after a power
	}
	for n != nil && p.take("!") {
		n = node("!", n)
	}
	return n
}

func (p *parser) exponent() *Node {
	if !p.take("^") {
		return nil
	}
	return p.atomOrGroup()
}

func (p *parser) subscript() *Node {
	if !p.take("_") {
		return nil
	}
	return p.atomOrGroup()
}

// atomOrGroup is one atom, or an expression in braces.
func (p *parser) atomOrGroup() *Node {
	if p.peek() == "{" {
		return p.braced()
	}
	return p.try(p.atom)
}

func (p *parser) between(open, end string) *Node {
	if !p.take(open) {
		return nil
	}
	n := p.try(p.sum)
	if n == nil || !p.take(end) {
		return nil
	}
	return n
}

func (p *parser) braced() *Node { return p.try(func() *Node { return p.between("{", "}") }) }

var groups = map[string]string{"(": ")", "[": "]", "{": "}", `\{`: `\}`}

func (p *parser) base(functions bool) *Node {
	t := p.peek()
	if end, ok := groups[t]; ok {
		return p.between(t, end)
	}
	wrap := func(op string, n *Node) *Node {
		if n == nil {
			return nil
		}
		return node(op, n)
	}
	switch t {
	case "|":
		return wrap("abs", p.between("|", "|"))
	case `\lfloor`:
		return wrap("floor", p.between(t, `\rfloor`))
	case `\lceil`:
		return wrap("ceil", p.between(t, `\rceil`))
	}
	if functions {
		if n := p.try(p.function); n != nil {
			return n
		}
	}
	return p.try(p.atom)
}

// reserved are commands that are no names.
var reserved = map[string]bool{
	`\lim`: true, `\to`: true, `\rightarrow`: true, `\Rightarrow`: true, `\longrightarrow`: true, `\Longrightarrow`: true, `\int`: true, `\sum`: true, `\prod`: true,
	`\sqrt`: true, `\overline`: true, `\times`: true, `\cdot`: true, `\div`: true, `\frac`: true, `\dfrac`: true, `\tfrac`: true,
	`\binom`: true, `\dbinom`: true, `\tbinom`: true, `\mathit`: true, `\langle`: true, `\rangle`: true, `\lfloor`: true, `\rfloor`: true, `\lceil`: true, `\rceil`: true,
	`\leq`: true, `\le`: true, `\leqq`: true, `\leqslant`: true, `\geq`: true, `\ge`: true, `\geqq`: true, `\geqslant`: true, `\neq`: true, `\{`: true, `\}`: true,
}

// isName reports whether a token is a letter or a command without a meaning of its own.
func isName(t string) bool {
	if len(t) == 1 {
		return isLetter(t[0])
	}
	return len(t) > 1 && t[0] == '\\' && !reserved[t] && functionNames[t] == ""
}

// functionNames are what the functions' commands do.
var functionNames = map[string]string{
	`\exp`: "exp", `\log`: "log", `\lg`: "lg", `\ln`: "ln", `\sin`: "sin", `\cos`: "cos", `\tan`: "tan", `\csc`: "csc", `\sec`: "sec", `\cot`: "cot",
	`\arcsin`: "asin", `\arccos`: "acos", `\arctan`: "atan", `\arccsc`: "acsc", `\arcsec`: "asec", `\arccot`: "acot",
	`\sinh`: "sinh", `\cosh`: "cosh", `\tanh`: "tanh", `\arsinh`: "asinh", `\arcosh`: "acosh", `\artanh`: "atanh",
}

func (p *parser) function() *Node {
	t := p.peek()
	switch {
	case functionNames[t] != "":
		return p.named(functionNames[t])
	case t == `\sqrt`:
		p.at++
		root := p.try(func() *Node { return p.between("[", "]") })
		n := p.braced()
		if n == nil {
			return nil
		}
		if root == nil {
			root = integer(2)
		}
		return node("^", n, node("/", integer(1), root))
	case t == `\overline`:
		p.at++
		if n := p.braced(); n != nil {
			return node("conj", n)
		}
		return nil
	case isName(t):
		n := p.symbol()
		if n == nil || !p.take("(") {
			return nil
		}
		n.op = "call"
		for {
			arg := p.try(p.sum)
			if arg == nil {
				return nil
			}
			n.args = append(n.args, arg)
			if p.take(")") {
				return n
			}
			if !p.take(",") {
				return nil
			}
		}
	}
	return nil
}

// named is a function with a meaning: index and power in either order, and its argument.
func (p *parser) named(op string) *Node {
	p.at++
	n := p.try(func() *Node { return p.applied(op, 0) })
	if n == nil && p.peek() == "_" {
		// Of the digits of an index that no argument follows the last one is the argument.
		n = p.try(func() *Node { return p.applied(op, 1) })
	}
	return n
}

// applied is a function's rest. The last digits of its index can be left for the argument.
func (p *parser) applied(op string, left int) *Node {
	var sub, sup *Node
	for range 2 {
		if sub == nil {
			from := p.at
			if sub = p.try(p.subscript); sub != nil && left > 0 {
				digits := p.at - from - 1 - left
				if sub.op != "number" || digits < 1 || p.tokens[from+1] == "{" {
					return nil
				}
				p.at -= left
				sub = &Node{op: "number", num: new(big.Rat)}
				if _, ok := sub.num.SetString(strings.Join(p.tokens[from+1:p.at], "")); !ok {
					return nil
				}
			}
		}
		if sup == nil {
			sup = p.try(p.exponent)
		}
	}
	arg := p.try(func() *Node {
		if !p.take("(") {
			return nil
		}
		first := p.try(p.sum)
		for first != nil && p.take(",") { // further arguments mean nothing
			if p.try(p.sum) == nil {
				return nil
			}
		}
		if !p.take(")") {
			return nil
		}
		return first
	})
	if arg == nil {
		arg = p.chain(func() *Node { return p.unary(false) }, products)
	}
	if arg == nil {
		return nil
	}
	n := node(op, arg)
	switch op {
	case "ln":
		n.op = "log"
	case "lg":
		n = node("log", arg, integer(10))
	case "log":
		if sub != nil {
			n = node("log", arg, sub)
		}
	}
	if sup == nil {
		return n
	}
	inverse := sup.op == "neg" && sup.args[0].op == "number" && sup.args[0].num.Cmp(big.NewRat(1, 1)) == 0
	if _, ok := unaries["a"+op]; ok && inverse {
		return node("a"+op, arg)
	}
	return node("^", n, sup)
}

func integer(n int64) *Node { return &Node{op: "number", num: big.NewRat(n, 1)} }

// symbol is a name with its index and strokes, either first.
func (p *parser) symbol() *Node {
	n := &Node{op: "symbol", name: p.peek()}
	p.at++
	strokes := func() {
		for p.take("'") {
			n.name += "'"
		}
	}
	strokes()
	from := p.at
	if p.try(p.subscript) != nil {
		for _, t := range p.tokens[from:p.at] {
			if t != "{" && t != "}" { // x_1 and x_{1} are one
				n.name += t
			}
		}
	}
	strokes()
	return n
}

func (p *parser) atom() *Node {
	t := p.peek()
	switch {
	case t == "":
		return nil
	case isDigit(t[0]):
		return p.number()
	case t[0] == 'd' && len(t) > 1:
		p.at++
		return &Node{op: "symbol", name: t}
	case isName(t):
		return p.symbol()
	case t == `\mathit`:
		p.at++
		if !p.take("{") {
			return nil
		}
		n := &Node{op: "symbol"}
		for len(p.peek()) == 1 && isLetter(p.peek()[0]) {
			n.name += p.peek()
			p.at++
		}
		if !p.take("}") {
			return nil
		}
		return n
	case t == `\frac` || t == `\dfrac` || t == `\tfrac`:
		p.at++
		var parts [2]*Node
		for i := range parts {
			if next := p.peek(); next != "" && isDigit(next[0]) {
				parts[i] = integer(int64(next[0] - '0'))
				p.at++
			} else if parts[i] = p.braced(); parts[i] == nil {
				return nil
			}
		}
		return node("/", parts[0], parts[1])
	case t == `\binom` || t == `\dbinom` || t == `\tbinom`:
		p.at++
		n := p.braced()
		if n == nil {
			return nil
		}
		k := p.braced()
		if k == nil {
			return nil
		}
		return node("binom", n, k)
	}
	return nil
}

// number is digits with commas before threes of them, and a fraction. Where a full stop follows
// without a digit, the last digit before it cannot be read, and those before it stand alone; of
// threes and of fractions the last three or the last digit goes.
func (p *parser) number() *Node {
	if p.loneStop() {
		p.failed = true
		return nil
	}
	digit := func(i int) bool { return i < len(p.tokens) && isDigit(p.tokens[i][0]) }
	end := p.at
	for digit(end) {
		end++
	}
	text := strings.Join(p.tokens[p.at:end], "")
	if end < len(p.tokens) && p.tokens[end] == "." && !digit(end+1) {
		text = text[:1]
		p.at++
		n, _ := new(big.Rat).SetString(text)
		return &Node{op: "number", num: n}
	}
	for end < len(p.tokens) && p.tokens[end] == "," && digit(end+1) && digit(end+2) && digit(end+3) {
		if end+4 < len(p.tokens) && p.tokens[end+4] == "." && !digit(end+5) {
			break
		}
		text += strings.Join(p.tokens[end+1:end+4], "")
		end += 4
	}
	if end < len(p.tokens) && p.tokens[end] == "." && digit(end+1) {
		text += "."
		from := end + 1
		for end = from; digit(end); end++ {
			text += p.tokens[end]
		}
		if end > from+1 && end < len(p.tokens) && p.tokens[end] == "." {
			text, end = text[:len(text)-1], end-1
		}
	} else if text[0] == '0' && strings.Trim(text, "0") != "" {
		p.failed = true // SymPy reads no integer with zeros before it
		return nil
	}
	p.at = end
	n, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil
	}
	return &Node{op: "number", num: n}
}
