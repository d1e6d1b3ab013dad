package constrain

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// GBNF reads a grammar in llama.cpp's notation; a text begins with its rule root. Tokens
// named by <…> are refused, as are rules that begin with themselves. Errors have the line
// and the column.
//
// llama.cpp, grammars/README.md and src/llama-grammar.cpp.
func GBNF(text string) (*Grammar, error) {
	p := &gbnf{text: text, rules: map[string]*gbnfRule{}}
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("the grammar is not UTF-8")
	}
	for p.space(true); p.pos < len(p.text); p.space(true) {
		if err := p.rule(); err != nil {
			return nil, err
		}
	}
	root := p.rules["root"]
	if root == nil || root.body == nil {
		return nil, fmt.Errorf("the grammar has no rule root\nhint: root ::= … is where a text begins")
	}
	for _, name := range p.order {
		if r := p.rules[name]; r.body == nil {
			return nil, p.errorf(r.at, "rule %s is not defined", name)
		}
	}
	return p.build(root)
}

type gbnf struct {
	text  string
	pos   int
	rules map[string]*gbnfRule
	order []string // as they are first named
	depth int
}

type gbnfRule struct {
	name string
	at   int // first mention
	body gbnfNode

	// What build has found out.
	size     int
	visiting bool
	cyclic   bool
	number   int32
}

// gbnfNode is a piece of a rule; one of the types below.
type gbnfNode any

type (
	gbnfSeq    []gbnfNode
	gbnfAlt    []gbnfNode
	gbnfSet    struct{ runes runeSet }
	gbnfRepeat struct {
		what        gbnfNode
		least, most int
	}
)

// errorf is an error with a place.
func (p *gbnf) errorf(at int, format string, args ...any) error {
	before := p.text[:min(at, len(p.text))]
	line := strings.Count(before, "\n") + 1
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	return fmt.Errorf("line %d, column %d: %w", line, column, fmt.Errorf(format, args...))
}

// space passes over blanks and comments, and line ends if they do not end a rule here.
func (p *gbnf) space(lines bool) {
	for p.pos < len(p.text) {
		switch c := p.text[p.pos]; {
		case c == ' ' || c == '\t', lines && (c == '\n' || c == '\r'):
			p.pos++
		case c == '#':
			for p.pos < len(p.text) && p.text[p.pos] != '\n' && p.text[p.pos] != '\r' {
				p.pos++
			}
		default:
			return
		}
	}
}

func (p *gbnf) peek() byte {
	if p.pos < len(p.text) {
		return p.text[p.pos]
	}
	return 0
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

func (p *gbnf) name() string {
	start := p.pos
	for isNameByte(p.peek()) {
		p.pos++
	}
	return p.text[start:p.pos]
}

func (p *gbnf) named(name string, at int) *gbnfRule {
	r := p.rules[name]
	if r == nil {
		r = &gbnfRule{name: name, at: at, number: -1}
		p.rules[name] = r
		p.order = append(p.order, name)
	}
	return r
}

func (p *gbnf) rule() error {
	at := p.pos
	name := p.name()
	if name == "" {
		return p.errorf(at, "the name of a rule is due, not %s", p.here())
	}
	p.space(false)
	if !strings.HasPrefix(p.text[p.pos:], "::=") {
		return p.errorf(p.pos, "::= is due behind %s, not %s", name, p.here())
	}
	p.pos += 3
	p.space(true)
	r := p.named(name, at)
	if r.body != nil {
		return p.errorf(at, "rule %s is defined twice", name)
	}
	body, err := p.alternatives(false)
	if err != nil {
		return err
	}
	if c := p.peek(); c != 0 && c != '\n' && c != '\r' {
		return p.errorf(p.pos, "a line end is due behind rule %s, not %s", name, p.here())
	}
	r.body = body
	return nil
}

// here is the text at the place as errors show it.
func (p *gbnf) here() string {
	if p.pos >= len(p.text) {
		return "the end"
	}
	r, _ := utf8.DecodeRuneInString(p.text[p.pos:])
	return strconv.QuoteRune(r)
}

// maxNesting bounds parentheses within each other.
const maxNesting = 200

func (p *gbnf) alternatives(nested bool) (gbnfNode, error) {
	if p.depth++; p.depth > maxNesting {
		return nil, p.errorf(p.pos, "more than %d parentheses are open", maxNesting)
	}
	defer func() { p.depth-- }()
	var all gbnfAlt
	for {
		seq, err := p.sequence(nested)
		if err != nil {
			return nil, err
		}
		all = append(all, seq)
		if p.peek() != '|' {
			break
		}
		p.pos++
		p.space(true)
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return all, nil
}

func (p *gbnf) sequence(nested bool) (gbnfNode, error) {
	seq := gbnfSeq{}
	for {
		at := p.pos
		var one gbnfNode
		switch c := p.peek(); {
		case c == '"':
			p.pos++
			text := gbnfSeq{}
			for p.peek() != '"' {
				r, err := p.char(at)
				if err != nil {
					return nil, err
				}
				text = append(text, gbnfSet{newRuneSet([]rune{r, r})})
			}
			p.pos++
			one = text
		case c == '[':
			set, err := p.class()
			if err != nil {
				return nil, err
			}
			one = gbnfSet{set}
		case c == '.':
			p.pos++
			one = gbnfSet{anyRune}
		case c == '(':
			p.pos++
			p.space(true)
			body, err := p.alternatives(true)
			if err != nil {
				return nil, err
			}
			if p.peek() != ')' {
				return nil, p.errorf(p.pos, ") is due, not %s", p.here())
			}
			p.pos++
			one = body
		case isNameByte(c):
			one = p.named(p.name(), at)
		case c == '<' || c == '!':
			return nil, p.errorf(at, "tokens by name or number (<…>) are not supported\nhint: write the text of the token as \"…\"")
		case strings.IndexByte("*+?{", c) >= 0 && c != 0:
			return nil, p.errorf(at, "there is nothing before %s to repeat", p.here())
		default:
			return seq, nil
		}
		p.space(nested)
		one, err := p.repetitions(one, nested)
		if err != nil {
			return nil, err
		}
		seq = append(seq, one)
	}
}

// repetitions reads what stands behind a piece: *, +, ?, {n}, {n,}, {n,m}.
func (p *gbnf) repetitions(one gbnfNode, nested bool) (gbnfNode, error) {
	for {
		at := p.pos
		least, most := 0, -1
		switch p.peek() {
		case '*':
		case '+':
			least = 1
		case '?':
			most = 1
		case '{':
			p.pos++
			p.space(nested)
			var ok bool
			if least, ok = p.count(); !ok {
				return nil, p.errorf(p.pos, "a count up to %d is due, not %s", maxStates, p.here())
			}
			most = least
			p.space(nested)
			if p.peek() == ',' {
				p.pos++
				p.space(nested)
				if most = -1; p.peek() != '}' {
					if most, ok = p.count(); !ok {
						return nil, p.errorf(p.pos, "a count up to %d is due, not %s", maxStates, p.here())
					}
				}
				p.space(nested)
			}
			if p.peek() != '}' {
				return nil, p.errorf(p.pos, "} is due, not %s", p.here())
			}
			if most >= 0 && most < least {
				return nil, p.errorf(at, "{%d,%d}: the larger count comes first", least, most)
			}
		default:
			return one, nil
		}
		p.pos++
		p.space(nested)
		one = gbnfRepeat{one, least, most}
	}
}

func (p *gbnf) count() (int, bool) {
	start := p.pos
	for c := p.peek(); c >= '0' && c <= '9'; c = p.peek() {
		p.pos++
	}
	n, err := strconv.Atoi(p.text[start:p.pos])
	return n, err == nil && n <= maxStates
}

// class reads [a-z] or [^a-z].
func (p *gbnf) class() (runeSet, error) {
	at := p.pos
	p.pos++
	not := p.peek() == '^'
	if not {
		p.pos++
	}
	var pairs []rune
	for p.peek() != ']' {
		start := p.pos
		lo, err := p.char(at)
		if err != nil {
			return nil, err
		}
		hi := lo
		if p.peek() == '-' && p.pos+1 < len(p.text) && p.text[p.pos+1] != ']' {
			p.pos++
			if hi, err = p.char(at); err != nil {
				return nil, err
			}
		}
		if lo > hi {
			return nil, p.errorf(start, "the range %q to %q goes backwards", lo, hi)
		}
		pairs = append(pairs, lo, hi)
	}
	p.pos++
	set := newRuneSet(pairs)
	if not {
		set = set.complement()
	}
	return set, nil
}

// char reads a character of a literal or a class that began at a place.
func (p *gbnf) char(began int) (rune, error) {
	if c := p.peek(); c == '\n' || c == '\r' || p.pos >= len(p.text) {
		return 0, p.errorf(began, "%q is not closed on its line", p.text[began])
	}
	r, n := utf8.DecodeRuneInString(p.text[p.pos:])
	at := p.pos
	p.pos += n
	if r != '\\' {
		return r, nil
	}
	c := p.peek()
	p.pos++
	digits := 0
	switch c {
	case 'x':
		digits = 2
	case 'u':
		digits = 4
	case 'U':
		digits = 8
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case '\\', '"', '[', ']', '-', '^':
		return rune(c), nil
	default:
		p.pos--
		return 0, p.errorf(at, "\\%s is no escape\nhint: \\n \\r \\t \\\\ \\\" \\[ \\] \\xXX \\uXXXX \\UXXXXXXXX are", strings.Trim(p.here(), "'"))
	}
	end := min(p.pos+digits, len(p.text))
	v, err := strconv.ParseUint(p.text[p.pos:end], 16, 32)
	if err != nil || end-p.pos < digits {
		return 0, p.errorf(at, "\\%c wants %d hexadecimal digits", c, digits)
	}
	if v > utf8.MaxRune || v >= 0xD800 && v < 0xE000 {
		return 0, p.errorf(at, "U+%04X is no character", v)
	}
	p.pos = end
	return rune(v), nil
}

// maxInline is the size up to which a rule that does not call itself becomes a part of those
// that call it. Masks inside a rule are found once, those across its end for each caller: a
// rule for one letter had better have no end.
const maxInline = 400

// build makes automata of the rules.
func (p *gbnf) build(root *gbnfRule) (*Grammar, error) {
	p.measure(root, 0)
	if p.depth > maxNesting*maxNesting {
		return nil, fmt.Errorf("rules call each other more than %d deep", maxNesting*maxNesting)
	}
	b := &builder{}
	var todo []*gbnfRule
	number := func(r *gbnfRule) int32 {
		if r.number < 0 {
			r.number = b.rule("rule " + r.name)
			todo = append(todo, r)
		}
		return r.number
	}
	var add func(n gbnfNode, from int32) int32
	add = func(n gbnfNode, from int32) int32 {
		switch n := n.(type) {
		case gbnfSeq:
			for _, one := range n {
				from = add(one, from)
			}
			return from
		case gbnfAlt:
			to := b.state()
			for _, one := range n {
				b.skip(add(one, from), to)
			}
			return to
		case gbnfSet:
			to := b.state()
			b.runes(from, n.runes, to)
			return to
		case gbnfRepeat:
			return b.repeat(from, n.least, n.most, func(from int32) int32 { return add(n.what, from) })
		case *gbnfRule:
			if n.cyclic || n.size > maxInline {
				return b.call(from, number(n))
			}
			return add(n.body, from)
		}
		panic(fmt.Sprintf("constrain: a piece of type %T", n))
	}
	number(root)
	for ; len(todo) > 0 && !b.full(); todo = todo[1:] {
		r := b.g.rules[todo[0].number]
		b.skip(add(todo[0].body, r.start), r.end)
	}
	return b.finish()
}

// measure sets of each rule whether it calls itself, by whatever way, and how many states it
// is about, and returns the latter.
func (p *gbnf) measure(n gbnfNode, depth int) int {
	const large = 1 << 20
	p.depth = max(p.depth, depth)
	if depth > maxNesting*maxNesting {
		return large
	}
	size := 0
	switch n := n.(type) {
	case gbnfSeq:
		for _, one := range n {
			size = min(size+p.measure(one, depth+1), large)
		}
	case gbnfAlt:
		size = 1
		for _, one := range n {
			size = min(size+p.measure(one, depth+1), large)
		}
	case gbnfSet:
		size = 1
	case gbnfRepeat:
		times := max(n.least, n.most, 1)
		size = min(p.measure(n.what, depth+1)*times+2, large)
	case *gbnfRule:
		switch {
		case n.visiting:
			n.cyclic = true
		case n.size == 0:
			n.visiting = true
			n.size = 1 + p.measure(n.body, depth+1)
			n.visiting = false
		}
		if size = n.size; n.cyclic {
			size = 1
		}
	}
	return size
}
