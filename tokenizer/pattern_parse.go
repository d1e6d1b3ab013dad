package tokenizer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// patternParser reads an expression.
type patternParser struct {
	expr string
	pos  int
	patternOptions
	// groups are those met so far, from 1; named and plain alike.
	groups []patternGroup
	named  bool // some group has a name
	refs   []*node
	calls  []*node
}

// patternOptions are what (?…) switches on and off.
type patternOptions struct {
	fold     bool // (?i)
	dotAll   bool // (?m), which in Ruby lets . match line breaks
	extended bool // (?x)
	// (?W), (?D), (?S) and (?P): words, digits, spaces, and all classes that
	// POSIX names, are those of ASCII.
	asciiWord, asciiDigit, asciiSpace, asciiPosix bool
}

// patternGroup is a ( ) that captures.
type patternGroup struct {
	name string
	node *node
}

func (p *patternParser) more() bool { return p.pos < len(p.expr) }

// peek returns the next byte, or 0 at the end.
func (p *patternParser) peek() byte {
	if p.more() {
		return p.expr[p.pos]
	}
	return 0
}

// take moves past s if it comes next.
func (p *patternParser) take(s string) bool {
	if strings.HasPrefix(p.expr[p.pos:], s) {
		p.pos += len(s)
		return true
	}
	return false
}

func (p *patternParser) rune() rune {
	r, n := utf8.DecodeRuneInString(p.expr[p.pos:])
	p.pos += n
	return r
}

// maxPatternDepth bounds the nesting of groups.
const maxPatternDepth = 200

// alternatives reads up to a ) or the end.
func (p *patternParser) alternatives(depth int) (*node, error) {
	if depth > maxPatternDepth {
		return nil, fmt.Errorf("groups are nested more than %d deep", maxPatternDepth)
	}
	alt := &node{kind: nodeAlternatives}
	options := p.patternOptions
	for {
		seq, err := p.sequence(depth)
		if err != nil {
			return nil, err
		}
		alt.list = append(alt.list, seq)
		if !p.take("|") {
			break
		}
	}
	// Options set inside a group end with it.
	p.patternOptions = options
	if len(alt.list) == 1 {
		return alt.list[0], nil
	}
	return alt, nil
}

// sequence reads up to a |, a ) or the end.
func (p *patternParser) sequence(depth int) (*node, error) {
	seq := &node{kind: nodeSequence}
	for {
		if err := p.skip(); err != nil {
			return nil, err
		}
		if !p.more() || p.peek() == ')' || p.peek() == '|' {
			break
		}
		n, err := p.item(depth)
		if err != nil {
			return nil, err
		}
		seq.list = append(seq.list, n)
	}
	if len(seq.list) == 1 {
		return seq.list[0], nil
	}
	return seq, nil
}

// skip passes over comments and, with (?x), white space.
func (p *patternParser) skip() error {
	for p.more() {
		switch c := p.peek(); {
		case strings.HasPrefix(p.expr[p.pos:], "(?#"):
			p.pos += 3
			for {
				if !p.more() {
					return errors.New("a comment without )")
				}
				c := p.rune()
				if c == ')' {
					break
				}
				if c == '\\' && p.more() {
					p.rune()
				}
			}
		case p.extended && strings.IndexByte(" \t\n\r\f", c) >= 0:
			p.pos++
		case p.extended && c == '#':
			for p.more() && p.rune() != '\n' {
			}
		default:
			return nil
		}
	}
	return nil
}

// item reads an atom with its repeats.
func (p *patternParser) item(depth int) (*node, error) {
	n, err := p.atom(depth)
	if err != nil {
		return nil, err
	}
	for {
		if err := p.skip(); err != nil {
			return nil, err
		}
		q, ok, err := p.quantifier()
		if err != nil {
			return nil, err
		}
		if !ok {
			return n, nil
		}
		if n.repeatsNothing() {
			return nil, errors.New("a repeat of something without width")
		}
		if q.min == 1 && q.max == 1 && !q.possessive {
			continue
		}
		n = &node{kind: nodeRepeat, list: []*node{n}, min: q.min, max: q.max, lazy: q.lazy}
		if q.possessive {
			n = &node{kind: nodeAtomic, list: []*node{n}}
		}
	}
}

// repeatsNothing tells whether Oniguruma refuses to repeat n.
func (n *node) repeatsNothing() bool {
	switch n.kind {
	case nodeAssert, nodeLook, nodeKeep, nodeWhole, nodeFail:
		return true
	case nodeAlternatives:
		for _, m := range n.list {
			if m.repeatsNothing() {
				return true
			}
		}
	}
	return false
}

// maxRepeat is Oniguruma's bound of {n,m}.
const maxRepeat = 100000

// quantifier is how often something repeats; max < 0 is no limit.
type quantifier struct {
	min, max         int
	lazy, possessive bool
}

func (p *patternParser) quantifier() (q quantifier, ok bool, err error) {
	switch p.peek() {
	case '?':
		q.max = 1
	case '*':
		q.max = -1
	case '+':
		q.min, q.max = 1, -1
	case '{':
		return p.interval()
	default:
		return q, false, nil
	}
	p.pos++
	if q.lazy = p.take("?"); !q.lazy {
		q.possessive = p.take("+")
	}
	return q, true, nil
}

// interval reads {n}, {n,}, {,m} or {n,m}; another brace stands for itself.
// {m,n} with the larger first is Oniguruma's way to write a possessive one, {n}?
// is two repeats, and so is {n,m}+.
func (p *patternParser) interval() (q quantifier, ok bool, err error) {
	inner, _, closed := strings.Cut(p.expr[p.pos+1:], "}")
	a, b, two := strings.Cut(inner, ",")
	digits := func(s string) bool { return strings.Trim(s, "0123456789") == "" }
	number := func(s string, empty int) int {
		if s == "" {
			return empty
		}
		v, e := strconv.Atoi(s)
		if e != nil || v > maxRepeat {
			err = fmt.Errorf("a repeat of more than %d", maxRepeat)
		}
		return v
	}
	if !closed || !digits(a) || !digits(b) || a == "" && b == "" {
		return q, false, nil
	}
	q.min, q.max = number(a, 0), number(b, -1)
	p.pos += len(inner) + 2
	switch {
	case !two:
		q.max = q.min
	case q.max >= 0 && q.min > q.max:
		q.min, q.max, q.possessive = q.max, q.min, true
	default:
		q.lazy = p.take("?")
	}
	return q, true, err
}

func (p *patternParser) atom(depth int) (*node, error) {
	start := p.pos
	switch c := p.rune(); c {
	case '(':
		return p.group(depth)
	case '[':
		set, err := p.class(0)
		if err != nil {
			return nil, err
		}
		return p.classNode(set), nil
	case '.':
		if p.dotAll {
			return setNode(anyRune), nil
		}
		return setNode(notNewline), nil
	case '^':
		return &node{kind: nodeAssert, op: opLineStart}, nil
	case '$':
		return &node{kind: nodeAssert, op: opLineEnd}, nil
	case '*', '+', '?':
		p.pos = start
		return nil, fmt.Errorf("%q repeats nothing", c)
	case '{':
		p.pos = start
		if _, ok, err := p.interval(); ok || err != nil {
			p.pos = start
			return nil, fmt.Errorf("%q repeats nothing", c)
		}
		p.pos = start + 1
		return p.literal(c), nil
	case '\\':
		return p.escape()
	default:
		return p.literal(c), nil
	}
}

var (
	anyRune    = runeSet{{0, utf8.MaxRune}}
	notNewline = runeSet{{0, '\n' - 1}, {'\n' + 1, utf8.MaxRune}}
)

func setNode(set runeSet) *node { return &node{kind: nodeSet, set: newCodeSet(set)} }

func (p *patternParser) literal(r rune) *node {
	return &node{kind: nodeText, text: []rune{r}, fold: p.fold}
}

// group reads what follows a (.
func (p *patternParser) group(depth int) (*node, error) {
	if p.take("*") {
		return p.callout()
	}
	if !p.take("?") {
		return p.capture(depth, "")
	}
	switch {
	case p.take(":"):
		return p.body(depth)
	case p.take("="):
		return p.wrapped(depth, node{kind: nodeLook, op: opLook})
	case p.take("!"):
		return p.wrapped(depth, node{kind: nodeLook, op: opNotLook})
	case p.take("<="):
		return p.wrapped(depth, node{kind: nodeLook, op: opBehind})
	case p.take("<!"):
		return p.wrapped(depth, node{kind: nodeLook, op: opNotBehind})
	case p.take(">"):
		return p.wrapped(depth, node{kind: nodeAtomic})
	case p.take("~"):
		return p.absent(depth)
	case p.take("("):
		return p.condition(depth)
	case p.take("<"), p.take("'"):
		end := byte('>')
		if p.expr[p.pos-1] == '\'' {
			end = '\''
		}
		name, err := p.name(end)
		if err != nil {
			return nil, err
		}
		if c := name[0]; c >= '0' && c <= '9' || c == '-' || c == '+' {
			return nil, fmt.Errorf("%q is no name of a group", name)
		}
		return p.capture(depth, name)
	case p.take("{"):
		return nil, errors.New("callouts (?{…}) are not supported")
	}
	return p.options(depth)
}

// body reads a group's inside and its ).
func (p *patternParser) body(depth int) (*node, error) {
	n, err := p.alternatives(depth + 1)
	if err == nil && !p.take(")") {
		err = errors.New("a group without )")
	}
	return n, err
}

// wrapped reads a group's inside and puts it into n.
func (p *patternParser) wrapped(depth int, n node) (*node, error) {
	body, err := p.body(depth)
	n.list = []*node{body}
	return &n, err
}

// capture reads a group that can be referred to.
func (p *patternParser) capture(depth int, name string) (*node, error) {
	n := &node{kind: nodeGroup, group: len(p.groups) + 1}
	p.groups = append(p.groups, patternGroup{name, n})
	p.named = p.named || name != ""
	body, err := p.body(depth)
	n.list = []*node{body}
	return n, err
}

// callout reads (*NAME). Oniguruma has a few of its own that change nothing for
// a tokenizer, or whose state would have to be kept.
func (p *patternParser) callout() (*node, error) {
	name, _, ok := strings.Cut(p.expr[p.pos:], ")")
	if !ok {
		return nil, errors.New("a callout without )")
	}
	if name != "FAIL" {
		return nil, fmt.Errorf("the callout (*%s) is not supported", name)
	}
	p.pos += len(name) + 1
	return &node{kind: nodeFail}, nil
}

// options reads (?imx-imx) and (?imx-imx:…).
func (p *patternParser) options(depth int) (*node, error) {
	before := p.patternOptions
	defer func() { p.patternOptions = before }()
	for on := true; p.more(); {
		switch c := p.rune(); c {
		case '-':
			on = false
		case 'i':
			p.fold = on
		case 'm':
			p.dotAll = on
		case 'x':
			p.extended = on
		case 'W':
			p.asciiWord = on
		case 'D':
			p.asciiDigit = on
		case 'S':
			p.asciiSpace = on
		case 'P':
			p.asciiPosix = on
		case 'y':
			if !on || !p.take("{g}") {
				return nil, errors.New("the option y{w} (segments of words) is not supported; y{g} is")
			}
		case 'C', 'I', 'L':
			return nil, fmt.Errorf("the option %q of a whole expression is not supported", c)
		case ':':
			return p.wrapped(depth, node{kind: nodeBag})
		case ')':
			// (?i) holds to the end of the group around it, alternatives
			// included.
			rest, err := p.alternatives(depth + 1)
			return &node{kind: nodeBag, list: []*node{rest}}, err
		default:
			return nil, fmt.Errorf("unknown option %q of a group", c)
		}
	}
	return nil, errors.New("a group without )")
}

// absent reads (?~X), (?~|X|Y), (?~|X) and (?~|).
func (p *patternParser) absent(depth int) (*node, error) {
	bar := p.take("|")
	if bar && p.take(")") {
		return &node{kind: nodeWhole}, nil
	}
	body, err := p.body(depth)
	if err != nil {
		return nil, err
	}
	if !bar {
		every := &node{kind: nodeRepeat, list: []*node{setNode(anyRune)}, max: -1}
		return &node{kind: nodeWithin, list: []*node{body, every}}, nil
	}
	if body.kind != nodeAlternatives {
		return &node{kind: nodeWithin, list: []*node{body}}, nil
	}
	rest := body.list[1]
	if len(body.list) > 2 {
		rest = &node{kind: nodeAlternatives, list: body.list[1:]}
	}
	return &node{kind: nodeWithin, list: []*node{body.list[0], rest}}, nil
}

// condition reads (?(C)yes|no), where C is a group's number or name, or an
// expression.
func (p *patternParser) condition(depth int) (*node, error) {
	n := &node{kind: nodeIf}
	start := p.pos
	if c := p.peek(); c >= '0' && c <= '9' || c == '-' || c == '+' || c == '<' || c == '\'' {
		var err error
		if p.take("<") {
			err = p.reference(n, '>')
		} else if p.take("'") {
			err = p.reference(n, '\'')
		} else if err = p.reference(n, ')'); err == nil {
			p.pos--
		}
		switch {
		case err == nil && p.take(")"):
		case c == '<' || c == '\'':
			if err == nil {
				err = errors.New("a condition without )")
			}
			return nil, err
		default:
			p.pos, n.name = start, ""
		}
	}
	if n.name == "" {
		cond, err := p.body(depth)
		if err != nil {
			return nil, err
		}
		n.cond = cond
	}
	if p.take(")") {
		if n.cond != nil {
			return nil, errors.New("a condition without anything to do")
		}
		return n, nil
	}
	empty := p.take("|")
	body, err := p.body(depth)
	if err != nil {
		return nil, err
	}
	nothing := &node{kind: nodeSequence}
	switch {
	case empty:
		n.list = []*node{nothing, body}
	case body.kind != nodeAlternatives:
		n.list = []*node{body, nothing}
	case len(body.list) == 2:
		n.list = body.list
	default:
		n.list = []*node{body.list[0], {kind: nodeAlternatives, list: body.list[1:]}}
	}
	return n, nil
}

// name reads up to end.
func (p *patternParser) name(end byte) (string, error) {
	i := strings.IndexByte(p.expr[p.pos:], end)
	if i < 0 {
		return "", fmt.Errorf("a group's name without %c", end)
	}
	name := p.expr[p.pos : p.pos+i]
	if name == "" {
		return "", errors.New("a group's name is empty")
	}
	word, _ := propertyOf("word")
	for j, r := range name {
		if !word.contains(r) && !(j == 0 && (r == '-' || r == '+')) {
			return "", fmt.Errorf("%q is no name of a group (levels of recursion are not supported)", name)
		}
	}
	p.pos += i + 1
	return name, nil
}

// reference reads a group's name or number into n. A number can count from here:
// −1 is the last group before, +1 the next.
func (p *patternParser) reference(n *node, end byte) error {
	name, err := p.name(end)
	if err != nil {
		return err
	}
	n.name = name
	v, err := strconv.Atoi(name)
	if err != nil {
		if strings.Trim(name, "+-0123456789") == "" || strings.IndexByte("+-0123456789", name[0]) >= 0 {
			return fmt.Errorf("%q is no name of a group", name)
		}
		// A call may stand before its group.
		for i, g := range p.groups {
			if n.kind != nodeCall && g.name == name {
				n.groups = append(n.groups, i+1)
			}
		}
		if n.groups == nil && n.kind != nodeCall {
			return fmt.Errorf("no group before is called %q", name)
		}
		p.note(n)
		return nil
	}
	switch {
	case name[0] == '-':
		v = len(p.groups) + 1 + v
	case name[0] == '+':
		v += len(p.groups)
	}
	if v < 0 || v == 0 && (n.kind != nodeCall || name[0] == '-') {
		return fmt.Errorf("there is no group %s", name)
	}
	n.number, n.groups = true, []int{v}
	p.note(n)
	return nil
}

// note keeps a reference for when all groups are known.
func (p *patternParser) note(n *node) {
	if n.kind == nodeCall {
		p.calls = append(p.calls, n)
	} else {
		p.refs = append(p.refs, n)
	}
}

// escape reads what follows a backslash outside a class.
func (p *patternParser) escape() (*node, error) {
	if !p.more() {
		return nil, errors.New("a backslash at the end")
	}
	c := p.peek()
	p.pos++
	switch c {
	case 'A':
		return &node{kind: nodeAssert, op: opTextStart}, nil
	case 'z':
		return &node{kind: nodeAssert, op: opTextEnd}, nil
	case 'Z':
		return &node{kind: nodeAssert, op: opLastLine}, nil
	case 'G':
		return &node{kind: nodeAssert, op: opBegun}, nil
	case 'b':
		return &node{kind: nodeAssert, op: opWordEdge, set: newCodeSet(p.word(false))}, nil
	case 'B':
		return &node{kind: nodeAssert, op: opNotWordEdge, set: newCodeSet(p.word(false))}, nil
	case 'y':
		return &node{kind: nodeAssert, op: opCharEdge}, nil
	case 'Y':
		return &node{kind: nodeAssert, op: opNotCharEdge}, nil
	case 'K':
		return &node{kind: nodeKeep}, nil
	case 'N':
		return setNode(notNewline), nil
	case 'O':
		return setNode(anyRune), nil
	case 'R':
		return newlineNode(), nil
	case 'X':
		return clusterNode(), nil
	case 'k', 'g':
		n := &node{kind: nodeBackref, fold: p.fold}
		if c == 'g' {
			n.kind = nodeCall
		}
		switch {
		case p.take("<"):
			return n, p.reference(n, '>')
		case p.take("'"):
			return n, p.reference(n, '\'')
		}
		return p.literal(rune(c)), nil
	}
	if c >= '1' && c <= '9' {
		digits := p.expr[p.pos-1 : p.pos-1+len(p.expr[p.pos-1:])-len(strings.TrimLeft(p.expr[p.pos-1:], "0123456789"))]
		v, err := strconv.Atoi(digits)
		switch {
		case err == nil && v <= 1000 && (v <= len(p.groups) || v <= 9):
			p.pos += len(digits) - 1
			n := &node{kind: nodeBackref, fold: p.fold, number: true, groups: []int{v}, name: digits}
			p.note(n)
			return n, nil
		case c >= '8':
			return p.literal(rune(c)), nil
		}
	}
	p.pos--
	set, text, err := p.escaped(false)
	if err != nil {
		return nil, err
	}
	if set != nil {
		return setNode(set), nil
	}
	return &node{kind: nodeText, text: text, fold: p.fold}, nil
}

// newlineNode is \R, which takes \r\n whole.
func newlineNode() *node {
	crlf := &node{kind: nodeText, text: []rune("\r\n")}
	single := setNode(runeSet{{'\n', '\r'}, {0x85, 0x85}, {0x2028, 0x2029}})
	return &node{kind: nodeAtomic, newline: true, list: []*node{{kind: nodeAlternatives, list: []*node{crlf, single}}}}
}

// clusterNode is \X, (?>\O(?:\Y\O)*).
func clusterNode() *node {
	more := &node{kind: nodeSequence, list: []*node{{kind: nodeAssert, op: opNotCharEdge}, setNode(anyRune)}}
	return &node{kind: nodeAtomic, list: []*node{{kind: nodeSequence, list: []*node{
		setNode(anyRune), {kind: nodeRepeat, list: []*node{more}, max: -1},
	}}}}
}

// resolve settles what references mean once all groups are known. Where a group
// has a name, those without one do not capture.
func (p *patternParser) resolve() error {
	number := make([]int, len(p.groups)+1)
	count := 0
	for i, g := range p.groups {
		if p.named && g.name == "" {
			g.node.group = 0
			continue
		}
		count++
		g.node.group, number[i+1] = count, count
	}
	for _, n := range p.calls {
		for i, g := range p.groups {
			if g.name == n.name && !n.number {
				n.groups = append(n.groups, i+1)
			}
		}
		if len(n.groups) == 0 {
			return fmt.Errorf("no group is called %q", n.name)
		}
		if len(n.groups) > 1 {
			return fmt.Errorf("several groups are called %q", n.name)
		}
	}
	for _, n := range append(p.refs, p.calls...) {
		if n.number && p.named && n.groups[0] != 0 {
			return errors.New("groups have names: they cannot be referred to by number")
		}
		for i, g := range n.groups {
			if g > len(p.groups) {
				return fmt.Errorf("there is no group %s", n.name)
			}
			n.groups[i] = number[g]
		}
	}
	return nil
}
