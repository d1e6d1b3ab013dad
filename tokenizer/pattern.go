package tokenizer

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// pattern is a regular expression in the dialect of Oniguruma (Ruby syntax,
// UTF-8) as tokenizer.json files use it: look-around, atomic groups, possessive
// repeats, nested classes and Unicode properties; no back-references. It
// backtracks, as the order of alternatives decides which match wins.
type pattern struct {
	prog  []inst
	slots int // of positions that loops remember
}

// compilePattern returns a matcher for a regular expression of a file: a
// scanner for the common ones, else a pattern.
func compilePattern(expr string) (matcher, error) {
	switch expr {
	case gpt2Pattern:
		return kindGPT2, nil
	case cl100kPattern:
		return kindCL100K, nil
	}
	return parsePattern(expr)
}

// Operations of a pattern's program.
const (
	opMatch    = iota
	opSet      // one code point of set
	opRun      // from min to max code points of set, as many as can be; max < 0 is no limit
	opSplit    // try x, then y
	opJump     // go to x
	opMark     // remember the position in slot x
	opProgress // go to y unless the position is still that of slot x
	opLook     // the program behind this, up to opMatch, matches here; go to x
	opNotLook
	opBehind // the same, min code points before
	opNotBehind
	opAtomic    // the program behind this matches; go on at x where it ended
	opLineStart // ^
	opLineEnd   // $
	opTextStart // \A
	opTextEnd   // \z
	opLastLine  // \Z
	opWordEdge  // \b
	opNotWordEdge
)

type inst struct {
	op       uint8
	set      *codeSet
	x, y     int
	min, max int
}

// codeSet is a set of code points.
type codeSet struct {
	ascii  [2]uint64
	ranges runeSet
}

func newCodeSet(ranges runeSet) *codeSet {
	s := &codeSet{ranges: ranges}
	for c := range rune(128) {
		if ranges.contains(c) {
			s.ascii[c/64] |= 1 << (c % 64)
		}
	}
	return s
}

func (s *codeSet) contains(r rune) bool {
	if uint32(r) < 128 {
		return s.ascii[r/64]>>(r%64)&1 != 0
	}
	return s.ranges.contains(r)
}

// find implements matcher.
func (p *pattern) find(s string, from int) (start, end int) {
	m := &patternRun{prog: p.prog, s: s, slots: make([]int, p.slots)}
	for at := from; at <= len(s); {
		m.stack = m.stack[:0]
		if end := m.run(0, at); end >= 0 {
			return at, end
		}
		_, n := utf8.DecodeRuneInString(s[at:])
		at += max(n, 1)
	}
	return -1, -1
}

// patternRun is one search.
type patternRun struct {
	prog  []inst
	s     string
	slots []int
	stack []choice
}

// choice is a way back: go on at pc from pos. With a low end, there are more
// ways, each a code point shorter. With slot ≥ 0 it restores a slot instead.
type choice struct{ pc, pos, low, slot int }

// run executes the program from pc at pos and returns where the match ends, or
// −1. Choices below the stack's height at the call stay.
func (m *patternRun) run(pc, pos int) int {
	base := len(m.stack)
	for {
		ok := true
		in := &m.prog[pc]
		switch in.op {
		case opMatch:
			m.stack = m.stack[:base]
			return pos
		case opSet:
			if pos < len(m.s) {
				r, n := utf8.DecodeRuneInString(m.s[pos:])
				ok = in.set.contains(r)
				pos += n
			} else {
				ok = false
			}
			pc++
		case opRun:
			low := pos
			for count := 0; in.max < 0 || count < in.max; count++ {
				if count <= in.min {
					low = pos
				}
				if pos >= len(m.s) {
					ok = count >= in.min
					break
				}
				r, n := utf8.DecodeRuneInString(m.s[pos:])
				if !in.set.contains(r) {
					ok = count >= in.min
					break
				}
				pos += n
			}
			pc++
			if ok && pos > low && in.max != in.min {
				m.stack = append(m.stack, choice{pc, pos, low, -1})
			}
		case opSplit:
			m.stack = append(m.stack, choice{in.y, pos, pos, -1})
			pc = in.x
		case opJump:
			pc = in.x
		case opMark:
			m.stack = append(m.stack, choice{0, m.slots[in.x], 0, in.x})
			m.slots[in.x] = pos
			pc++
		case opProgress:
			if m.slots[in.x] == pos {
				pc++
			} else {
				pc = in.y
			}
		case opLook, opNotLook:
			ok = (m.run(pc+1, pos) >= 0) == (in.op == opLook)
			pc = in.x
		case opBehind, opNotBehind:
			at, found := pos, true
			for range in.min {
				_, n := utf8.DecodeLastRuneInString(m.s[:at])
				found = found && n > 0
				at -= n
			}
			found = found && m.run(pc+1, at) >= 0
			ok = found == (in.op == opBehind)
			pc = in.x
		case opAtomic:
			end := m.run(pc+1, pos)
			ok = end >= 0
			pos, pc = end, in.x
		case opLineStart:
			ok = pos == 0 || m.s[pos-1] == '\n' && pos < len(m.s)
			pc++
		case opLineEnd:
			ok = pos == len(m.s) || m.s[pos] == '\n'
			pc++
		case opTextStart:
			ok = pos == 0
			pc++
		case opTextEnd:
			ok = pos == len(m.s)
			pc++
		case opLastLine:
			ok = pos == len(m.s) || m.s[pos:] == "\n"
			pc++
		case opWordEdge, opNotWordEdge:
			ok = m.wordEdge(pos) == (in.op == opWordEdge)
			pc++
		}
		for !ok {
			if len(m.stack) == base {
				return -1
			}
			c := &m.stack[len(m.stack)-1]
			switch {
			case c.slot >= 0:
				m.slots[c.slot] = c.pos
				m.stack = m.stack[:len(m.stack)-1]
				continue
			case c.pos > c.low:
				_, n := utf8.DecodeLastRuneInString(m.s[:c.pos])
				c.pos -= n
				pc, pos, ok = c.pc, c.pos, true
				if c.pos > c.low {
					continue
				}
			default:
				pc, pos, ok = c.pc, c.pos, true
			}
			m.stack = m.stack[:len(m.stack)-1]
		}
	}
}

func (m *patternRun) wordEdge(pos int) bool {
	word := unicodeTables().classes["word_regex"]
	before, n := utf8.DecodeLastRuneInString(m.s[:pos])
	after, k := utf8.DecodeRuneInString(m.s[pos:])
	return (n > 0 && word.contains(before)) != (k > 0 && word.contains(after))
}

// node is a part of a parsed expression.
type node struct {
	kind     int
	set      *codeSet
	list     []*node // of nodeSequence and nodeAlternatives
	op       uint8   // of nodeAssert and nodeLook
	min, max int     // of nodeRepeat; max < 0 is no limit
	lazy     bool
}

const (
	nodeSequence = iota
	nodeAlternatives
	nodeSet
	nodeRepeat // of list[0]
	nodeAssert
	nodeLook   // list[0]
	nodeAtomic // list[0]
)

// maxProgram bounds a program, which repeats of repeats could make huge.
const maxProgram = 1 << 16

// parsePattern compiles expr.
func parsePattern(expr string) (*pattern, error) {
	ps := &patternParser{expr: expr}
	n, err := ps.alternatives(0)
	if err == nil && ps.pos < len(expr) {
		err = errors.New("a ) without (")
	}
	c := &patternCompiler{}
	if err == nil {
		c.node(n)
		c.emit(inst{op: opMatch})
		err = c.err
	}
	if err != nil {
		return nil, fmt.Errorf("regular expression %q, at character %d: %w", expr, utf8.RuneCountInString(expr[:min(ps.pos, len(expr))])+1, err)
	}
	return &pattern{c.prog, c.slots}, nil
}

type patternCompiler struct {
	prog  []inst
	slots int
	err   error
}

func (c *patternCompiler) emit(in inst) int {
	if len(c.prog) >= maxProgram {
		c.err = fmt.Errorf("the expression is too large (more than %d operations)", maxProgram)
		return 0
	}
	c.prog = append(c.prog, in)
	return len(c.prog) - 1
}

func (c *patternCompiler) node(n *node) {
	if c.err != nil {
		return
	}
	switch n.kind {
	case nodeSequence:
		for _, m := range n.list {
			c.node(m)
		}
	case nodeAlternatives:
		var ends []int
		for i, m := range n.list {
			if i == len(n.list)-1 {
				c.node(m)
				break
			}
			split := c.emit(inst{op: opSplit})
			c.prog[split].x = len(c.prog)
			c.node(m)
			ends = append(ends, c.emit(inst{op: opJump}))
			c.prog[split].y = len(c.prog)
		}
		for _, e := range ends {
			c.prog[e].x = len(c.prog)
		}
	case nodeSet:
		c.emit(inst{op: opSet, set: n.set})
	case nodeRepeat:
		c.repeat(n)
	case nodeAssert:
		c.emit(inst{op: n.op})
	case nodeAtomic:
		at := c.emit(inst{op: opAtomic})
		c.node(n.list[0])
		c.emit(inst{op: opMatch})
		c.prog[at].x = len(c.prog)
	case nodeLook:
		c.look(n)
	}
}

func (c *patternCompiler) repeat(n *node) {
	body := n.list[0]
	if body.kind == nodeSet && !n.lazy {
		c.emit(inst{op: opRun, set: body.set, min: n.min, max: n.max})
		return
	}
	for range n.min {
		c.node(body)
		if c.err != nil {
			return
		}
	}
	split := func() int {
		at := c.emit(inst{op: opSplit})
		c.prog[at].x = len(c.prog)
		return at
	}
	leave := func(at int) {
		c.prog[at].y = len(c.prog)
		if n.lazy {
			c.prog[at].x, c.prog[at].y = c.prog[at].y, c.prog[at].x
		}
	}
	if n.max < 0 {
		slot := c.slots
		c.slots++
		at := split()
		c.emit(inst{op: opMark, x: slot})
		c.node(body)
		c.emit(inst{op: opProgress, x: slot, y: at})
		leave(at)
		return
	}
	var splits []int
	for range n.max - n.min {
		splits = append(splits, split())
		c.node(body)
		if c.err != nil {
			return
		}
	}
	for _, at := range splits {
		leave(at)
	}
}

// look compiles look-around. Each alternative of a look-behind has one width.
func (c *patternCompiler) look(n *node) {
	body := n.list[0]
	if n.op == opLook || n.op == opNotLook {
		at := c.emit(inst{op: n.op})
		c.node(body)
		c.emit(inst{op: opMatch})
		c.prog[at].x = len(c.prog)
		return
	}
	list := []*node{body}
	if body.kind == nodeAlternatives {
		list = body.list
	}
	var jumps []int
	for i, m := range list {
		width, ok := m.width()
		if !ok {
			c.err = errors.New("a look-behind must have one length")
			return
		}
		// (?<=a|b) is one of them, (?<!a|b) is none of them.
		split := -1
		if n.op == opBehind && i+1 < len(list) {
			split = c.emit(inst{op: opSplit})
			c.prog[split].x = len(c.prog)
		}
		at := c.emit(inst{op: n.op, min: width})
		c.node(m)
		c.emit(inst{op: opMatch})
		c.prog[at].x = len(c.prog)
		if split >= 0 {
			jumps = append(jumps, c.emit(inst{op: opJump}))
			c.prog[split].y = len(c.prog)
		}
	}
	for _, j := range jumps {
		c.prog[j].x = len(c.prog)
	}
}

// width returns how many code points n matches, if that is one number.
func (n *node) width() (int, bool) {
	switch n.kind {
	case nodeSet:
		return 1, true
	case nodeAssert, nodeLook:
		return 0, true
	case nodeAtomic:
		return n.list[0].width()
	case nodeRepeat:
		w, ok := n.list[0].width()
		return w * n.min, ok && n.min == n.max
	}
	total := 0
	for i, m := range n.list {
		w, ok := m.width()
		if !ok || n.kind == nodeAlternatives && i > 0 && w != total {
			return 0, false
		}
		if n.kind == nodeSequence {
			w += total
		}
		total = w
	}
	return total, true
}

// patternParser reads an expression.
type patternParser struct {
	expr     string
	pos      int
	fold     bool // (?i)
	dotAll   bool // (?m), which in Ruby lets . match line breaks
	extended bool // (?x)
}

func (p *patternParser) more() bool { return p.pos < len(p.expr) }

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

func (p *patternParser) alternatives(depth int) (*node, error) {
	if depth > maxPatternDepth {
		return nil, fmt.Errorf("groups are nested more than %d deep", maxPatternDepth)
	}
	alt := &node{kind: nodeAlternatives}
	seq := &node{kind: nodeSequence}
	fold, dotAll, extended := p.fold, p.dotAll, p.extended
	for p.more() && p.expr[p.pos] != ')' {
		if p.take("|") {
			alt.list = append(alt.list, seq)
			seq = &node{kind: nodeSequence}
			continue
		}
		n, err := p.item(depth)
		if err != nil {
			return nil, err
		}
		if n != nil {
			seq.list = append(seq.list, n)
		}
	}
	// Options set inside a group end with it.
	p.fold, p.dotAll, p.extended = fold, dotAll, extended
	if alt.list == nil {
		return seq, nil
	}
	alt.list = append(alt.list, seq)
	return alt, nil
}

// item reads an atom with its repeats; nil for what matches nothing, such as a
// comment.
func (p *patternParser) item(depth int) (*node, error) {
	n, err := p.atom(depth)
	if err != nil || n == nil {
		return nil, err
	}
	for p.more() {
		if p.extended {
			p.skipExtended()
		}
		lo, hi, ok, err := p.quantifier()
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		if n.kind == nodeAssert || n.kind == nodeLook {
			return nil, errors.New("a repeat of something without width")
		}
		braces := p.expr[p.pos-1] == '}'
		n = &node{kind: nodeRepeat, list: []*node{n}, min: lo, max: hi}
		switch {
		case p.take("?"):
			n.lazy = true
		case !braces && p.take("+"):
			n = &node{kind: nodeAtomic, list: []*node{n}}
		}
	}
	return n, nil
}

func (p *patternParser) skipExtended() {
	for p.more() {
		switch c := p.expr[p.pos]; {
		case strings.IndexByte(" \t\n\r\f\v", c) >= 0:
			p.pos++
		case c == '#':
			for p.more() && p.expr[p.pos] != '\n' {
				p.pos++
			}
		default:
			return
		}
	}
}

// maxRepeat is Oniguruma's bound of {n,m}.
const maxRepeat = 100000

func (p *patternParser) quantifier() (lo, hi int, ok bool, err error) {
	switch {
	case !p.more():
		return 0, 0, false, nil
	case p.take("?"):
		return 0, 1, true, nil
	case p.take("*"):
		return 0, -1, true, nil
	case p.take("+"):
		return 1, -1, true, nil
	case p.expr[p.pos] != '{':
		return 0, 0, false, nil
	}
	inner, _, closed := strings.Cut(p.expr[p.pos+1:], "}")
	a, b, two := strings.Cut(inner, ",")
	digits := func(s string) bool { return strings.Trim(s, "0123456789") == "" }
	if !closed || !digits(a) || !digits(b) || a == "" && b == "" {
		return 0, 0, false, nil // a brace that stands for itself
	}
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
	lo, hi = number(a, 0), number(b, -1)
	if !two {
		hi = lo
	}
	if err == nil && hi >= 0 && lo > hi {
		err = fmt.Errorf("{%s} ends before it begins", inner)
	}
	p.pos += len(inner) + 2
	return lo, hi, true, err
}

func (p *patternParser) atom(depth int) (*node, error) {
	if p.extended {
		p.skipExtended()
		if !p.more() || p.expr[p.pos] == ')' || p.expr[p.pos] == '|' {
			return nil, nil
		}
	}
	start := p.pos
	switch c := p.rune(); c {
	case '(':
		return p.group(depth)
	case '[':
		set, err := p.class(0)
		if err != nil {
			return nil, err
		}
		return &node{kind: nodeSet, set: newCodeSet(set)}, nil
	case '.':
		set := runeSet{{0, '\n' - 1}, {'\n' + 1, utf8.MaxRune}}
		if p.dotAll {
			set = runeSet{{0, utf8.MaxRune}}
		}
		return &node{kind: nodeSet, set: newCodeSet(set)}, nil
	case '^':
		return &node{kind: nodeAssert, op: opLineStart}, nil
	case '$':
		return &node{kind: nodeAssert, op: opLineEnd}, nil
	case '*', '+', '?':
		p.pos = start
		return nil, fmt.Errorf("%q repeats nothing", c)
	case '\\':
		return p.escape()
	default:
		return p.literal(c), nil
	}
}

func (p *patternParser) literal(r rune) *node {
	return &node{kind: nodeSet, set: newCodeSet(p.folded(runeSet{{r, r}}))}
}

// folded adds the other cases of a set's code points where case does not count.
func (p *patternParser) folded(set runeSet) runeSet {
	if !p.fold {
		return set
	}
	out := slices.Clone(set)
	for _, r := range set {
		// Classes such as \p{L} are closed under case; this is for what people
		// write out.
		if r[1]-r[0] > 0x2000 {
			continue
		}
		for c := r[0]; c <= r[1]; c++ {
			for f := unicode.SimpleFold(c); f != c; f = unicode.SimpleFold(f) {
				out = append(out, [2]rune{f, f})
			}
		}
	}
	return union(out)
}

func (p *patternParser) group(depth int) (*node, error) {
	wrap := func(kind int, op uint8) (*node, error) {
		n, err := p.alternatives(depth + 1)
		if err != nil {
			return nil, err
		}
		if !p.take(")") {
			return nil, errors.New("a group without )")
		}
		if kind == nodeSequence {
			return n, nil
		}
		return &node{kind: kind, op: op, list: []*node{n}}, nil
	}
	if !p.take("?") {
		return wrap(nodeSequence, 0)
	}
	switch {
	case p.take(":"):
		return wrap(nodeSequence, 0)
	case p.take("="):
		return wrap(nodeLook, opLook)
	case p.take("!"):
		return wrap(nodeLook, opNotLook)
	case p.take("<="):
		return wrap(nodeLook, opBehind)
	case p.take("<!"):
		return wrap(nodeLook, opNotBehind)
	case p.take(">"):
		return wrap(nodeAtomic, 0)
	case p.take("#"):
		i := strings.IndexByte(p.expr[p.pos:], ')')
		if i < 0 {
			return nil, errors.New("a comment without )")
		}
		p.pos += i + 1
		return nil, nil
	case p.take("<"), p.take("P<"):
		i := strings.IndexByte(p.expr[p.pos:], '>')
		if i < 0 {
			return nil, errors.New("a group's name without >")
		}
		p.pos += i + 1
		return wrap(nodeSequence, 0)
	}
	fold, dotAll, extended := p.fold, p.dotAll, p.extended
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
		case ':':
			n, err := wrap(nodeSequence, 0)
			p.fold, p.dotAll, p.extended = fold, dotAll, extended
			return n, err
		case ')':
			// (?i) holds to the end of the group around it, alternatives
			// included.
			rest, err := p.alternatives(depth + 1)
			p.fold, p.dotAll, p.extended = fold, dotAll, extended
			return rest, err
		default:
			return nil, fmt.Errorf("unknown option %q of a group", c)
		}
	}
	return nil, errors.New("a group without )")
}

// escape reads what follows a backslash outside a class.
func (p *patternParser) escape() (*node, error) {
	if !p.more() {
		return nil, errors.New("a backslash at the end")
	}
	assert := func(op uint8) (*node, error) {
		p.pos++
		return &node{kind: nodeAssert, op: op}, nil
	}
	switch c := p.expr[p.pos]; c {
	case 'A':
		return assert(opTextStart)
	case 'z':
		return assert(opTextEnd)
	case 'Z':
		return assert(opLastLine)
	case 'b':
		return assert(opWordEdge)
	case 'B':
		return assert(opNotWordEdge)
	case 'R':
		p.pos++
		crlf := &node{kind: nodeSequence, list: []*node{p.literal('\r'), p.literal('\n')}}
		single := &node{kind: nodeSet, set: newCodeSet(runeSet{{'\n', '\r'}, {0x85, 0x85}, {0x2028, 0x2029}})}
		return &node{kind: nodeAtomic, list: []*node{{kind: nodeAlternatives, list: []*node{crlf, single}}}}, nil
	case '1', '2', '3', '4', '5', '6', '7', '8', '9', 'k', 'g', 'G', 'X', 'K', 'y', 'Y':
		return nil, fmt.Errorf(`\%c is not supported`, c)
	}
	set, _, err := p.escapedSet()
	if err != nil {
		return nil, err
	}
	return &node{kind: nodeSet, set: newCodeSet(p.folded(set))}, nil
}

// escapedSet reads what follows a backslash and stands for code points; single
// tells that it is one, which can begin a range.
func (p *patternParser) escapedSet() (set runeSet, single bool, err error) {
	if !p.more() {
		return nil, false, errors.New("a backslash at the end")
	}
	classes := unicodeTables().classes
	one := func(r rune) (runeSet, bool, error) { return runeSet{{r, r}}, true, nil }
	switch c := p.rune(); c {
	case 's':
		return classes["space"], false, nil
	case 'S':
		return complement(classes["space"]), false, nil
	case 'd':
		return classes["Nd"], false, nil
	case 'D':
		return complement(classes["Nd"]), false, nil
	case 'w':
		return classes["word_regex"], false, nil
	case 'W':
		return complement(classes["word_regex"]), false, nil
	case 'h':
		return hexDigits, false, nil
	case 'H':
		return complement(hexDigits), false, nil
	case 'p', 'P':
		set, err := p.property()
		if c == 'P' {
			set = complement(set)
		}
		return set, false, err
	case 'n':
		return one('\n')
	case 'r':
		return one('\r')
	case 't':
		return one('\t')
	case 'f':
		return one('\f')
	case 'v':
		return one('\v')
	case 'a':
		return one('\a')
	case 'e':
		return one(0x1B)
	case 'x', 'u':
		text, ok := "", false
		if c == 'x' && p.take("{") {
			if text, _, ok = strings.Cut(p.expr[p.pos:], "}"); ok {
				p.pos += len(text) + 1
			}
		} else {
			most := 2
			if c == 'u' {
				most = 4
			}
			n := 0
			for n < most && p.pos+n < len(p.expr) && strings.IndexByte("0123456789abcdefABCDEF", p.expr[p.pos+n]) >= 0 {
				n++
			}
			text, ok = p.expr[p.pos:p.pos+n], c == 'x' || n == most
			p.pos += n
		}
		v, err := strconv.ParseUint(text, 16, 32)
		if !ok || err != nil || v > utf8.MaxRune {
			return nil, false, fmt.Errorf(`\%c%s is no code point`, c, text)
		}
		return one(rune(v))
	case '0':
		n := 0
		for n < 2 && p.pos+n < len(p.expr) && p.expr[p.pos+n] >= '0' && p.expr[p.pos+n] <= '7' {
			n++
		}
		v, _ := strconv.ParseUint("0"+p.expr[p.pos:p.pos+n], 8, 32)
		p.pos += n
		return one(rune(v))
	default:
		return one(c)
	}
}

var hexDigits = runeSet{{'0', '9'}, {'A', 'F'}, {'a', 'f'}}

// property reads {Name} or {^Name} after \p.
func (p *patternParser) property() (runeSet, error) {
	if !p.take("{") {
		// Ruby's \pL without braces is an error; other dialects' files use it.
		if !p.more() {
			return nil, errors.New(`\p without a name`)
		}
		return propertySet(string(p.rune()))
	}
	name, _, ok := strings.Cut(p.expr[p.pos:], "}")
	if !ok {
		return nil, errors.New(`\p{ without }`)
	}
	p.pos += len(name) + 1
	name, not := strings.CutPrefix(name, "^")
	set, err := propertySet(name)
	if not {
		set = complement(set)
	}
	return set, err
}

// propertySet returns the code points of a Unicode property: a general
// category, a POSIX bracket or a script.
func propertySet(name string) (runeSet, error) {
	classes := unicodeTables().classes
	of := func(names ...string) (runeSet, error) {
		var out runeSet
		for _, n := range names {
			out = append(out, classes[n]...)
		}
		return union(out), nil
	}
	plain := strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(name))
	switch plain {
	case "l", "letter":
		return of("Lu", "Ll", "Lt", "Lm", "Lo")
	case "l&", "lc", "casedletter":
		return of("Lu", "Ll", "Lt")
	case "lu", "uppercaseletter", "upper":
		return of("Lu")
	case "ll", "lowercaseletter", "lower":
		return of("Ll")
	case "lt", "titlecaseletter":
		return of("Lt")
	case "lm", "modifierletter":
		return of("Lm")
	case "lo", "otherletter":
		return of("Lo")
	case "m", "mark", "combiningmark":
		return of("Mn", "Mc", "Me")
	case "mn", "nonspacingmark":
		return of("Mn")
	case "mc", "spacingmark":
		return of("Mc")
	case "me", "enclosingmark":
		return of("Me")
	case "n", "number":
		return of("Nd", "Nl", "No")
	case "nd", "decimalnumber", "digit":
		return of("Nd")
	case "nl", "letternumber":
		return of("Nl")
	case "no", "othernumber":
		return of("No")
	case "p", "punctuation":
		return of("Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po")
	case "pc", "connectorpunctuation":
		return of("Pc")
	case "pd", "dashpunctuation":
		return of("Pd")
	case "ps", "openpunctuation":
		return of("Ps")
	case "pe", "closepunctuation":
		return of("Pe")
	case "pi", "initialpunctuation":
		return of("Pi")
	case "pf", "finalpunctuation":
		return of("Pf")
	case "po", "otherpunctuation":
		return of("Po")
	case "s", "symbol":
		return of("Sm", "Sc", "Sk", "So")
	case "sm", "mathsymbol":
		return of("Sm")
	case "sc", "currencysymbol":
		return of("Sc")
	case "sk", "modifiersymbol":
		return of("Sk")
	case "so", "othersymbol":
		return of("So")
	case "z", "separator":
		return of("Zs", "Zl", "Zp")
	case "zs", "spaceseparator":
		return of("Zs")
	case "zl", "lineseparator":
		return of("Zl")
	case "zp", "paragraphseparator":
		return of("Zp")
	case "cc", "control", "cntrl":
		return of("Cc")
	case "cf", "format":
		return of("Cf")
	case "co", "privateuse":
		return of("Co")
	case "c", "other":
		used, _ := of("Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po",
			"Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp")
		return complement(used), nil
	case "alpha", "alphabetic":
		return of("alphabetic")
	case "alnum":
		return of("alphabetic", "Nd")
	case "punct": // Oniguruma counts symbols too
		return of("Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So")
	case "space", "whitespace":
		return of("space")
	case "blank":
		set, _ := of("Zs")
		return union(append(set, [2]rune{'\t', '\t'})), nil
	case "word":
		return of("word_regex")
	case "xdigit":
		return hexDigits, nil
	case "ascii":
		return runeSet{{0, 127}}, nil
	case "any":
		return runeSet{{0, utf8.MaxRune}}, nil
	case "han", "hiragana", "katakana", "hangul", "arabic":
		return of(strings.ToUpper(plain[:1]) + plain[1:])
	}
	for script, table := range unicode.Scripts {
		if strings.EqualFold(strings.ReplaceAll(script, "_", ""), plain) {
			var out runeSet
			for _, r := range table.R16 {
				for c := rune(r.Lo); c <= rune(r.Hi); c += rune(r.Stride) {
					out = append(out, [2]rune{c, c})
				}
			}
			for _, r := range table.R32 {
				for c := rune(r.Lo); c <= rune(r.Hi); c += rune(r.Stride) {
					out = append(out, [2]rune{c, c})
				}
			}
			return union(out), nil
		}
	}
	return nil, fmt.Errorf("unknown property %q", name)
}

// class reads a bracket expression behind its [.
func (p *patternParser) class(depth int) (runeSet, error) {
	if depth > maxPatternDepth {
		return nil, fmt.Errorf("classes are nested more than %d deep", maxPatternDepth)
	}
	not := p.take("^")
	var set runeSet
	var parts []runeSet // before &&
	first := true
	for {
		if !p.more() {
			return nil, errors.New("a class without ]")
		}
		if p.expr[p.pos] == ']' && !first {
			p.pos++
			break
		}
		first = false
		if p.take("&&") {
			parts = append(parts, union(set))
			set = nil
			continue
		}
		if p.take("[:") {
			name, _, ok := strings.Cut(p.expr[p.pos:], ":]")
			if !ok {
				return nil, errors.New("[: without :]")
			}
			p.pos += len(name) + 2
			name, negated := strings.CutPrefix(name, "^")
			s, err := propertySet(name)
			if err != nil {
				return nil, err
			}
			if negated {
				s = complement(s)
			}
			set = append(set, s...)
			continue
		}
		if p.take("[") {
			s, err := p.class(depth + 1)
			if err != nil {
				return nil, err
			}
			set = append(set, s...)
			continue
		}
		lo, single, err := p.classMember()
		if err != nil {
			return nil, err
		}
		rest := p.expr[p.pos:]
		if single && strings.HasPrefix(rest, "-") && len(rest) > 1 && rest[1] != ']' {
			p.pos++
			hi, alsoSingle, err := p.classMember()
			if err != nil {
				return nil, err
			}
			if alsoSingle {
				if hi[0][0] < lo[0][0] {
					return nil, fmt.Errorf("the range %c-%c ends before it begins", lo[0][0], hi[0][0])
				}
				lo = runeSet{{lo[0][0], hi[0][0]}}
			} else {
				lo = append(append(slices.Clone(lo), hi...), [2]rune{'-', '-'})
			}
		}
		set = append(set, lo...)
	}
	set = p.folded(union(set))
	for _, s := range parts {
		set = intersection(set, p.folded(s))
	}
	if not {
		set = complement(set)
	}
	return set, nil
}

func (p *patternParser) classMember() (set runeSet, single bool, err error) {
	r := p.rune()
	if r != '\\' {
		return runeSet{{r, r}}, true, nil
	}
	if p.take("b") {
		return runeSet{{'\b', '\b'}}, true, nil
	}
	return p.escapedSet()
}

// union sorts ranges and joins those that touch.
func union(list runeSet) runeSet {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b [2]rune) int { return int(a[0]) - int(b[0]) })
	out := list[:0]
	for _, r := range list {
		if n := len(out); n > 0 && r[0] <= out[n-1][1]+1 {
			out[n-1][1] = max(out[n-1][1], r[1])
		} else {
			out = append(out, r)
		}
	}
	return out
}

// complement returns what a sorted set lacks.
func complement(set runeSet) runeSet {
	out := make(runeSet, 0, len(set)+1)
	next := rune(0)
	for _, r := range set {
		if r[0] > next {
			out = append(out, [2]rune{next, r[0] - 1})
		}
		next = r[1] + 1
	}
	if next <= utf8.MaxRune {
		out = append(out, [2]rune{next, utf8.MaxRune})
	}
	return out
}

func intersection(a, b runeSet) runeSet {
	return complement(union(append(complement(a), complement(b)...)))
}
