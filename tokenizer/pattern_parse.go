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
