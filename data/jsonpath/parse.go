// Package jsonpath finds values in decoded JSON by paths in the dialect of the
// Rust crate jsonpath-rust 0.3.5, which Dolma's mixer and deduper use.
package jsonpath

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Path is a parsed path. It may be used from several goroutines.
type Path struct {
	text  string
	steps []step
}

// String is the path as it was written.
func (p *Path) String() string { return p.text }

// Parse reads a path. The grammar is that of the crate's json_path.pest, with
// its oddities: a chain may start anywhere, keys are letters, digits and
// _ - / \ #, and a number that no index can be is an error here, where the
// crate panics.
func Parse(text string) (*Path, error) {
	p := parser{s: text}
	p.space()
	steps, ok := p.chain()
	p.space()
	if p.err == nil && (!ok || p.i < len(p.s)) {
		p.err = fmt.Errorf("unexpected %q", rest(p.s[p.furthest():]))
	}
	p.checkIndexes(steps)
	if p.err != nil {
		return nil, fmt.Errorf("JSONPath %s: at byte %d: %w", text, p.furthest(), p.err)
	}
	return &Path{text, steps}, nil
}

func rest(s string) string {
	if len(s) > 20 {
		return s[:20] + "…"
	}
	return s
}

// checkIndexes refuses what the crate panics on: [-1,2] and [1.5,2].
func (p *parser) checkIndexes(steps []step) {
	for _, s := range steps {
		if s.invalid != "" && p.err == nil {
			p.err = fmt.Errorf("%s is no index", s.invalid)
		}
		p.checkIndexes(s.chain)
	}
}

// parser is a recursive-descent reader with the ordered choices of the
// grammar: each method either consumes its rule and returns true, or leaves
// the position where it was.
type parser struct {
	s     string
	i     int
	far   int
	depth int
	err   error
}

// maxDepth bounds nesting so that a hostile path cannot exhaust the stack.
const maxDepth = 100

func (p *parser) furthest() int { return max(p.far, p.i) }

func (p *parser) back(i int) bool {
	p.far = max(p.far, p.i)
	p.i = i
	return false
}

// space skips what the grammar allows between the parts of a rule.
func (p *parser) space() {
	for p.i < len(p.s) {
		switch {
		case p.s[p.i] == ' ', p.s[p.i] == '\t', p.s[p.i] == '\n':
			p.i++
		case strings.HasPrefix(p.s[p.i:], "\r\n"):
			p.i += 2
		default:
			return
		}
	}
}

// lit consumes a literal, with space before it.
func (p *parser) lit(s string) bool {
	i := p.i
	p.space()
	if !strings.HasPrefix(p.s[p.i:], s) {
		return p.back(i)
	}
	p.i += len(s)
	return true
}

// lits reads one literal after the other, with white space between them.
func (p *parser) lits(literals ...string) bool {
	for _, s := range literals {
		if !p.lit(s) {
			return false
		}
	}
	return true
}

// chain is one or more steps.
func (p *parser) chain() (steps []step, ok bool) {
	if p.depth++; p.depth > maxDepth {
		p.err = fmt.Errorf("nested deeper than %d", maxDepth)
		return nil, false
	}
	defer func() { p.depth-- }()
	for p.err == nil {
		s, ok := p.step()
		if !ok {
			break
		}
		steps = append(steps, s)
	}
	return steps, len(steps) > 0
}

// step tries the alternatives in the grammar's order: root, descent, wildcard
// descent, wildcard, current, field, index, function.
func (p *parser) step() (step, bool) {
	start := p.i
	p.space()
	i := p.i
	switch {
	case p.lit("$"):
		return step{kind: stepRoot}, true
	case p.lit("..") && p.descentKey(i):
		return step{kind: stepDescent, key: p.key()}, true
	}
	p.back(i)
	if p.lits(".", ".", "*") {
		return step{kind: stepDescentAll}, true
	}
	p.back(i)
	if p.lit("."); p.lit("[") && p.lit("*") && p.lit("]") {
		return step{kind: stepAll}, true
	}
	p.back(i)
	if p.lits(".", "*") {
		return step{kind: stepAll}, true
	}
	p.back(i)
	if p.lit("@") {
		chain, _ := p.chain()
		return step{kind: stepCurrent, chain: chain}, true
	}
	// A field allows no space inside.
	if key, ok := p.field(); ok {
		return step{kind: stepField, key: key}, true
	}
	p.back(i)
	if s, ok := p.index(); ok {
		return s, true
	}
	p.back(i)
	if p.lit(".") && p.lit("length") && p.lit("(") && p.lit(")") {
		return step{kind: stepLength}, true
	}
	p.back(start)
	return step{}, false
}

// descentKey tells whether a key follows the two dots and stays before it.
func (p *parser) descentKey(i int) bool {
	p.space()
	at := p.i
	if _, ok := p.anyKey(); !ok {
		return p.back(i)
	}
	p.i = at
	return true
}

func (p *parser) key() string {
	k, _ := p.anyKey()
	return k
}

func (p *parser) anyKey() (string, bool) {
	if k, ok := p.plainKey(); ok {
		return k, true
	}
	return p.quotedKey()
}

// field is .key, ['key'] or .['key'].
func (p *parser) field() (string, bool) {
	i := p.i
	dot := p.i < len(p.s) && p.s[p.i] == '.'
	if dot {
		p.i++
	}
	if k, ok := p.quotedKey(); ok {
		return k, true
	}
	if dot {
		if k, ok := p.plainKey(); ok {
			return k, true
		}
	}
	p.back(i)
	return "", false
}

func (p *parser) plainKey() (string, bool) {
	if strings.HasPrefix(p.s[p.i:], "length()") {
		return "", false
	}
	i := p.i
	for p.i < len(p.s) {
		c := p.s[p.i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(`_-/\#`, c) >= 0 {
			p.i++
			continue
		}
		break
	}
	return p.s[i:p.i], p.i > i
}

func (p *parser) quotedKey() (string, bool) {
	i := p.i
	if p.i < len(p.s) && p.s[p.i] == '[' {
		p.i++
		if k, ok := p.quoted(); ok && p.i < len(p.s) && p.s[p.i] == ']' {
			p.i++
			return k, true
		}
	}
	p.back(i)
	return "", false
}

// quoted is a string in single quotes. The crate keeps escapes as they are
// written, and so do we.
func (p *parser) quoted() (string, bool) {
	i := p.i
	if p.i >= len(p.s) || p.s[p.i] != '\'' {
		return "", false
	}
	for p.i++; p.i < len(p.s); {
		switch c := p.s[p.i]; c {
		case '\'':
			p.i++
			return p.s[i+1 : p.i-1], true
		case '"':
			p.back(i)
			return "", false
		case '\\':
			if p.i+1 < len(p.s) && strings.IndexByte(`"'\/bfnrt()`, p.s[p.i+1]) >= 0 {
				p.i += 2
				continue
			}
			if p.i+6 <= len(p.s) && p.s[p.i+1] == 'u' && hex(p.s[p.i+2:p.i+6]) {
				p.i += 6
				continue
			}
			p.back(i)
			return "", false
		default:
			_, n := utf8.DecodeRuneInString(p.s[p.i:])
			p.i += n
		}
	}
	p.back(i)
	return "", false
}

func hex(s string) bool {
	_, err := strconv.ParseUint(s, 16, 32)
	return err == nil && s[0] != '+'
}

// index is [keys], [numbers], [slice], [number] or [?(filter)].
func (p *parser) index() (step, bool) {
	p.lit(".")
	if !p.lit("[") {
		return step{}, false
	}
	i := p.i
	if keys, ok := p.unitKeys(); ok && p.lit("]") {
		return step{kind: stepKeys, keys: keys}, true
	}
	p.back(i)
	if numbers, ok := p.unitIndexes(); ok && p.lit("]") {
		s := step{kind: stepIndexes}
		for _, n := range numbers {
			v, err := strconv.ParseInt(n, 10, 32)
			if err != nil || v < 0 {
				s.invalid = n // unless the list turns out to be a constant
			}
			s.indexes = append(s.indexes, int(v))
			s.values = append(s.values, numberValue(n))
		}
		return s, true
	}
	p.back(i)
	if s, ok := p.slice(); ok && p.lit("]") {
		return s, true
	}
	p.back(i)
	p.space()
	if n, ok := p.unsigned(); ok && p.lit("]") {
		v, err := strconv.ParseInt(n, 10, 32)
		if err != nil {
			p.err = fmt.Errorf("%s is no index", n)
			return step{}, false
		}
		return step{kind: stepIndexes, indexes: []int{int(v)}, single: true}, true
	}
	p.back(i)
	if p.lit("?") && p.lit("(") {
		if e, ok := p.or(); ok && p.lit(")") && p.lit("]") {
			return step{kind: stepFilter, filter: e}, true
		}
	}
	p.back(i)
	return step{}, false
}

// numberValue is i64 where it fits, else f64, as serde_json keeps them apart.
func numberValue(s string) any {
	if n, err := strconv.Atoi(s); err == nil {
		return n
	}
	f, _ := strconv.ParseFloat(s, 64) // the grammar lets only numbers through; a huge one is infinite
	return f
}

// unitKeys is two keys in quotes or more, with commas.
func (p *parser) unitKeys() ([]string, bool) {
	var keys []string
	for {
		p.space()
		k, ok := p.quoted()
		if !ok {
			return nil, false
		}
		keys = append(keys, k)
		if !p.lit(",") {
			return keys, len(keys) > 1
		}
	}
}

func (p *parser) unitIndexes() ([]string, bool) {
	var numbers []string
	for {
		p.space()
		n, ok := p.number()
		if !ok {
			return nil, false
		}
		numbers = append(numbers, n)
		if !p.lit(",") {
			return numbers, len(numbers) > 1
		}
	}
}

// number is a JSON number.
func (p *parser) number() (string, bool) {
	i := p.i
	if p.i < len(p.s) && p.s[p.i] == '-' {
		p.i++
	}
	if _, ok := p.unsigned(); !ok {
		p.back(i)
		return "", false
	}
	if j := p.i; j < len(p.s) && p.s[j] == '.' {
		p.i++
		if !p.digits() {
			p.i = j
		}
	}
	if j := p.i; j < len(p.s) && (p.s[j] == 'e' || p.s[j] == 'E') {
		p.i++
		if p.i < len(p.s) && (p.s[p.i] == '+' || p.s[p.i] == '-') {
			p.i++
		}
		if !p.digits() {
			p.i = j
		}
	}
	return p.s[i:p.i], true
}

func (p *parser) digits() bool {
	i := p.i
	for p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
		p.i++
	}
	return p.i > i
}

// unsigned is 0 or digits that do not start with 0.
func (p *parser) unsigned() (string, bool) {
	i := p.i
	if p.i < len(p.s) && p.s[p.i] == '0' {
		p.i++
		return "0", true
	}
	ok := p.digits()
	return p.s[i:p.i], ok
}

// slice is [start:end:step], each part optional. A part that does not fit
// counts as absent, as in the crate.
func (p *parser) slice() (step, bool) {
	s := step{kind: stepSlice, by: 1}
	s.from = p.signed()
	if !p.lit(":") {
		return step{}, false
	}
	s.to = p.signed()
	i := p.i
	if p.lit(":") {
		p.space()
		j := p.i
		if _, ok := p.unsigned(); ok {
			by, err := strconv.ParseInt(p.s[j:p.i], 10, 64)
			if err != nil {
				by = 1
			}
			if by == 0 {
				p.err = fmt.Errorf("a slice cannot advance by 0")
				return step{}, false
			}
			s.by = int(min(by, 1<<31))
		} else {
			p.back(i)
		}
	}
	return s, true
}

func (p *parser) signed() int {
	i := p.i
	p.space()
	minus := p.i < len(p.s) && p.s[p.i] == '-'
	if minus {
		p.i++
		p.space()
	}
	j := p.i
	if _, ok := p.unsigned(); !ok {
		p.back(i)
		return 0
	}
	n, err := strconv.ParseInt(p.s[j:p.i], 10, 32)
	if err != nil {
		return 0
	}
	if minus {
		n = -n
	}
	return int(n)
}

func (p *parser) or() (*expr, bool) {
	if p.depth++; p.depth > maxDepth {
		p.err = fmt.Errorf("nested deeper than %d", maxDepth)
		return nil, false
	}
	defer func() { p.depth-- }()
	return p.binary("||", opOr, func() (*expr, bool) {
		return p.binary("&&", opAnd, p.not)
	})
}

func (p *parser) binary(sign string, op operator, next func() (*expr, bool)) (*expr, bool) {
	left, ok := next()
	for ok {
		i := p.i
		if !p.lit(sign) {
			break
		}
		right, more := next()
		if !more {
			p.back(i)
			break
		}
		left = &expr{op: op, a: left, b: right}
	}
	return left, ok
}

func (p *parser) not() (*expr, bool) {
	i := p.i
	not := p.lit("!")
	e, ok := p.atom()
	if !ok {
		p.back(i)
		return nil, false
	}
	if not {
		e = &expr{op: opNot, a: e}
	}
	return e, true
}

// signs in the order in which the grammar tries them.
var signs = []struct {
	text string
	op   operator
}{
	{"==", opEqual},
	{"!=", opUnequal},
	{"~=", opRegex},
	{">=", opGreaterEqual},
	{">", opGreater},
	{"<=", opLessEqual},
	{"<", opLess},
	{"in", opIn},
	{"nin", opNin},
	{"size", opSize},
	{"noneOf", opNoneOf},
	{"anyOf", opAnyOf},
	{"subsetOf", opSubsetOf},
}

func (p *parser) atom() (*expr, bool) {
	i := p.i
	if left, ok := p.operand(); ok {
		after := p.i
		for _, s := range signs {
			if !p.lit(s.text) {
				continue
			}
			if right, ok := p.operand(); ok {
				e := &expr{op: s.op, left: left, right: right}
				if s.op == opRegex && right.static {
					if text, isString := right.value.(string); isString {
						// The crate takes a pattern that it cannot compile for
						// one that matches nothing; say so instead.
						re, err := regexp.Compile(text)
						if err != nil {
							p.err = err
							return nil, false
						}
						e.re = re
					}
				}
				return e, true
			}
			// Once a sign has matched the grammar tries no other.
			p.back(after)
			break
		}
		return &expr{op: opExists, left: left}, true
	}
	p.back(i)
	if p.lit("(") {
		if e, ok := p.or(); ok && p.lit(")") {
			return e, true
		}
	}
	p.back(i)
	return nil, false
}

func (p *parser) operand() (operand, bool) {
	i := p.i
	p.space()
	if steps, ok := p.chain(); ok {
		// A lone ['a','b'], [1,2] or field is a list of constants.
		if len(steps) == 1 {
			switch s := steps[0]; {
			case s.kind == stepKeys:
				v := make([]any, len(s.keys))
				for j, k := range s.keys {
					v[j] = k
				}
				return operand{static: true, value: v}, true
			case s.kind == stepIndexes && !s.single:
				return operand{static: true, value: s.values}, true
			case s.kind == stepField:
				return operand{static: true, value: []any{s.key}}, true
			}
		}
		p.checkIndexes(steps)
		return operand{steps: steps}, p.err == nil
	}
	if p.err != nil {
		return operand{}, false
	}
	if s, ok := p.quoted(); ok {
		return operand{static: true, value: s}, true
	}
	if n, ok := p.number(); ok {
		return operand{static: true, value: numberValue(n)}, true
	}
	for _, c := range []struct {
		word  string
		value any
	}{{"true", true}, {"false", false}, {"null", nil}} {
		if p.lit(c.word) {
			return operand{static: true, value: c.value}, true
		}
	}
	p.back(i)
	return operand{}, false
}
