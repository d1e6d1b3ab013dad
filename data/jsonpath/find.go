package jsonpath

import (
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strings"
)

type stepKind int

const (
	stepRoot       stepKind = iota // $
	stepField                      // .key
	stepAll                        // .* [*]
	stepDescent                    // ..key
	stepDescentAll                 // ..*
	stepCurrent                    // @chain
	stepKeys                       // ['a','b']
	stepIndexes                    // [1] [1,2]
	stepSlice                      // [1:2:3]
	stepFilter                     // [?(…)]
	stepLength                     // .length()
)

// step is one part of a path. It leads from each value that the steps before it
// reached to none, one or many; which members below are used depends on kind.
type step struct {
	kind         stepKind
	key          string
	keys         []string
	indexes      []int
	values       []any  // of indexes, as constants of a filter
	single       bool   // [1], not [1,2]
	invalid      string // a number in [1,2] that is no index
	from, to, by int
	filter       *expr
	chain        []step
}

type operator int

const (
	opExists operator = iota
	opOr
	opAnd
	opNot
	opEqual
	opUnequal
	opLess
	opLessEqual
	opGreater
	opGreaterEqual
	opRegex
	opIn
	opNin
	opSize
	opNoneOf
	opAnyOf
	opSubsetOf
)

// expr is a filter or a part of one: and, or and not have a and b, all others compare
// left and right.
type expr struct {
	op          operator
	a, b        *expr
	left, right operand
	re          *regexp.Regexp // right of opRegex, compiled once
}

// operand is a constant, or else a path from the element that is tested or from the
// root.
type operand struct {
	static bool
	value  any // of a constant
	steps  []step
}

// value is what a path leads to: a value of the document, a value made on the
// way (a length), or nothing.
type value struct {
	v    any
	kind valueKind
}

type valueKind int

const (
	inDocument valueKind = iota
	computed
	nothing
)

// Find returns the values that the path leads to in root, in the crate's
// order; none where the crate's find gives null.
//
// root is JSON as encoding/json decodes it into any; numbers may be float64,
// json.Number or int. A whole number that is a float64 counts as written with
// a fraction. Objects are visited in the order of their keys.
func (p *Path) Find(root any) []any {
	var values []any
	for _, r := range run(p.steps, root, []value{{v: root}}) {
		if r.kind != nothing {
			values = append(values, r.v)
		}
	}
	return values
}

// Fields returns the keys of a path that is only fields after the root, such
// as $.metadata.url, and whether it is one.
func (p *Path) Fields() ([]string, bool) {
	if len(p.steps) < 2 || p.steps[0].kind != stepRoot {
		return nil, false
	}
	var keys []string
	for _, s := range p.steps[1:] {
		if s.kind != stepField {
			return nil, false
		}
		keys = append(keys, s.key)
	}
	return keys, true
}

// Members returns the members of a member of the root that the path names: x and y for
// $.attributes.x[0] and $.attributes[?(@.y > 1)] and the member attributes. Those that it
// names only to find them missing (!@.y) are left out.
func (p *Path) Members(of string) []string {
	m := members{of: of}
	m.steps(p.steps, within)
	return m.names
}

// where is what a chain has come to, for members.
type where int

const (
	within where = iota // any value, none of the other two
	atRoot
	atMember
)

type members struct {
	of    string
	names []string
}

func (m *members) steps(steps []step, at where) where {
	for i := range steps {
		switch s := &steps[i]; s.kind {
		case stepRoot:
			at = atRoot
		case stepCurrent:
			at = m.steps(s.chain, at)
		case stepField:
			at = m.keys(at, s.key)
		case stepKeys:
			at = m.keys(at, s.keys...)
		case stepFilter:
			m.expr(s.filter, at) // which keeps the value or not
		default:
			at = within
		}
	}
	return at
}

func (m *members) keys(at where, keys ...string) where {
	switch {
	case at == atRoot && len(keys) == 1 && keys[0] == m.of:
		return atMember
	case at == atMember:
		m.names = append(m.names, keys...)
	}
	return within
}

func (m *members) expr(e *expr, at where) {
	if e == nil || e.op == opNot {
		return
	}
	m.steps(e.left.steps, at)
	m.steps(e.right.steps, at)
	m.expr(e.a, at)
	m.expr(e.b, at)
}

// Keys returns all object keys that the path names, and false when what it
// finds may depend on others too: on all members of an object, or on an object
// as a whole.
func (p *Path) Keys() (keys []string, ok bool) {
	ok = chainKeys(p.steps, &keys)
	return keys, ok
}

func chainKeys(steps []step, keys *[]string) bool {
	for _, s := range steps {
		switch s.kind {
		case stepAll, stepDescent, stepDescentAll:
			return false
		case stepField:
			*keys = append(*keys, s.key)
		case stepKeys:
			*keys = append(*keys, s.keys...)
		case stepCurrent:
			if !chainKeys(s.chain, keys) {
				return false
			}
		case stepFilter:
			if !exprKeys(s.filter, keys) {
				return false
			}
		}
	}
	return true
}

func exprKeys(e *expr, keys *[]string) bool {
	if e == nil {
		return true
	}
	// Whether something exists does not depend on what is in it; other
	// operators may compare objects, unless they look at elements of lists.
	for _, o := range []operand{e.left, e.right} {
		if !chainKeys(o.steps, keys) || e.op != opExists && !o.static && len(o.steps) > 0 && !endsInList(o.steps) {
			return false
		}
	}
	return exprKeys(e.a, keys) && exprKeys(e.b, keys)
}

// endsInList tells whether a chain ends inside a list or two keys down, and so
// cannot give a document or its attributes as a whole.
func endsInList(steps []step) bool {
	if last := steps[len(steps)-1]; last.kind == stepCurrent && len(last.chain) > 0 {
		steps = last.chain
	}
	switch last := steps[len(steps)-1]; last.kind {
	case stepIndexes, stepSlice, stepLength:
		return true
	case stepField:
		return last.key != "attributes"
	}
	return false
}

func run(steps []step, root any, in []value) []value {
	for i := range steps {
		s := &steps[i]
		if s.kind == stepLength {
			in = length(in, countsResults(steps))
			continue
		}
		var out []value
		for _, v := range in {
			out = s.find(out, root, v)
		}
		in = out
	}
	return in
}

// countsResults tells whether a final length() counts what the chain found
// rather than measuring the first of it: after a slice, a union, a filter or a
// wildcard with no single index behind it.
func countsResults(steps []step) bool {
	if len(steps) <= 2 || steps[len(steps)-1].kind != stepLength {
		return false
	}
	counts := false
	for _, s := range steps {
		switch {
		case s.kind == stepKeys, s.kind == stepSlice, s.kind == stepFilter, s.kind == stepAll:
			counts = true
		case s.kind == stepIndexes:
			counts = !s.single
		}
	}
	return counts
}

func length(in []value, count bool) []value {
	n := 0
	for _, v := range in {
		if v.kind != nothing {
			n++
		}
	}
	if len(in) > 0 && n == 0 {
		return []value{{kind: nothing}}
	}
	if count {
		return []value{{v: n, kind: computed}}
	}
	if len(in) > 0 && in[0].kind != nothing {
		if list, ok := in[0].v.([]any); ok {
			return []value{{v: len(list), kind: computed}}
		}
	}
	return []value{{kind: nothing}}
}

// find appends what one step makes of one value.
func (s *step) find(out []value, root any, v value) []value {
	before := len(out)
	switch s.kind {
	case stepRoot:
		return append(out, value{v: root})
	case stepCurrent:
		if len(s.chain) == 0 {
			return append(out, v)
		}
		return append(out, run(s.chain, root, []value{v})...)
	case stepDescentAll:
		// Here a computed value gives an empty set, not "no value".
		switch v.kind {
		case inDocument:
			return below(out, v.v)
		case nothing:
			return append(out, v)
		}
		return out
	}
	if v.kind == inDocument {
		switch s.kind {
		case stepField:
			out = field(out, v.v, s.key)
		case stepKeys:
			for _, k := range s.keys {
				n := len(out)
				if out = field(out, v.v, k); len(out) == n {
					out = append(out, value{kind: nothing})
				}
			}
		case stepAll:
			out = children(out, v.v)
		case stepDescent:
			out = descend(out, v.v, s.key)
		case stepIndexes:
			list, _ := v.v.([]any)
			for _, i := range s.indexes {
				if i < len(list) {
					out = append(out, value{v: list[i]})
				} else {
					out = append(out, value{kind: nothing})
				}
			}
		case stepSlice:
			if list, ok := v.v.([]any); ok {
				out = s.slice(out, list)
			}
		case stepFilter:
			if list, ok := v.v.([]any); ok {
				for _, e := range list {
					if s.filter.holds(root, e) {
						out = append(out, value{v: e})
					}
				}
			} else if s.filter.holds(root, v.v) {
				out = append(out, v)
			}
		}
	}
	if len(out) == before {
		out = append(out, value{kind: nothing})
	}
	return out
}

func field(out []value, v any, key string) []value {
	if m, ok := v.(map[string]any); ok {
		if e, ok := m[key]; ok {
			return append(out, value{v: e})
		}
	}
	return out
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func children(out []value, v any) []value {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			out = append(out, value{v: e})
		}
	case map[string]any:
		for _, k := range sortedKeys(v) {
			out = append(out, value{v: v[k]})
		}
	}
	return out
}

// below appends everything under v, each value before what it contains.
func below(out []value, v any) []value {
	for _, c := range children(nil, v) {
		out = append(out, c)
		out = below(out, c.v)
	}
	return out
}

// descend appends the values under key in v and in all that it contains.
func descend(out []value, v any, key string) []value {
	out = field(out, v, key)
	for _, c := range children(nil, v) {
		out = descend(out, c.v, key)
	}
	return out
}

// slice keeps the crate's reading: an end of 0 is the end of the list, and a
// bound beyond the list gives nothing at all.
func (s *step) slice(out []value, list []any) []value {
	n := len(list)
	bound := func(i int) (int, bool) {
		if i >= 0 {
			return i, i <= n
		}
		return n + i, -i <= n
	}
	from, ok := bound(s.from)
	to, ok2 := bound(s.to)
	if !ok || !ok2 {
		return out
	}
	if to == 0 {
		to = n
	}
	for i := from; i < to && i < n; i += s.by {
		out = append(out, value{v: list[i]})
	}
	return out
}

// operands evaluates one side of a comparison; computed values do not count,
// as in the crate, where a comparison sees only values of the document.
func (o *operand) operands(root, current any) []any {
	if o.static {
		return []any{o.value}
	}
	var out []any
	for _, v := range run(o.steps, root, []value{{v: current}}) {
		if v.kind == inDocument {
			out = append(out, v.v)
		}
	}
	return out
}

func (e *expr) holds(root, current any) bool {
	switch e.op {
	case opOr:
		return e.a.selects(root, current) || e.b.selects(root, current)
	case opAnd:
		return e.a.selects(root, current) && e.b.selects(root, current)
	case opNot:
		return !e.a.selects(root, current)
	case opExists:
		return len(e.left.operands(root, current)) > 0
	}
	l, r := e.left.operands(root, current), e.right.operands(root, current)
	switch e.op {
	case opEqual:
		return equalAll(l, r)
	case opUnequal:
		return !equalAll(l, r)
	case opLess:
		return less(l, r)
	case opLessEqual:
		return less(l, r) || equalAll(l, r)
	case opGreater:
		return less(r, l)
	case opGreaterEqual:
		return less(r, l) || equalAll(l, r)
	case opRegex:
		return e.matches(l, r)
	case opIn:
		return inside(l, r)
	case opNin:
		return !inside(l, r)
	case opSize:
		return size(l, r)
	case opAnyOf:
		return anyOf(l, r)
	case opNoneOf:
		return !anyOf(l, r)
	default: // opSubsetOf
		return subsetOf(l, r)
	}
}

// selects is how the crate nests conditions: the inner one is applied as a
// filter to the current value, element by element when that is a list.
func (e *expr) selects(root, current any) bool {
	list, ok := current.([]any)
	if !ok {
		return e.holds(root, current)
	}
	for _, c := range list {
		if e.holds(root, c) {
			return true
		}
	}
	return false
}

func equalAll(l, r []any) bool {
	if len(l) != len(r) {
		return false
	}
	for i := range l {
		if !Equal(l[i], r[i]) {
			return false
		}
	}
	return true
}

func less(l, r []any) bool {
	if len(l) != 1 || len(r) != 1 {
		return false
	}
	a, ok := number(l[0])
	b, ok2 := number(r[0])
	return ok && ok2 && a < b
}

func (e *expr) matches(l, r []any) bool {
	if len(l) == 0 || len(r) == 0 {
		return false
	}
	re := e.re
	if re == nil {
		text, ok := r[0].(string)
		if !ok {
			return false
		}
		var err error
		if re, err = regexp.Compile(text); err != nil {
			return false
		}
	}
	for _, v := range l {
		if s, ok := v.(string); ok && re.MatchString(s) {
			return true
		}
	}
	return false
}

func contains(list []any, v any) bool {
	return slices.ContainsFunc(list, func(e any) bool { return Equal(e, v) })
}

func inside(l, r []any) bool {
	if len(l) == 0 || len(r) == 0 {
		return false
	}
	var set []any
	switch c := r[0].(type) {
	case []any:
		set = c
	case map[string]any:
		for _, v := range c {
			set = append(set, v)
		}
	}
	return slices.ContainsFunc(l, func(v any) bool { return contains(set, v) })
}

func anyOf(l, r []any) bool {
	if len(l) == 0 {
		return true
	}
	if len(r) == 0 {
		return false
	}
	set, _ := r[0].([]any)
	return slices.ContainsFunc(l, func(v any) bool {
		if list, ok := v.([]any); ok {
			return slices.ContainsFunc(list, func(v any) bool { return contains(set, v) })
		}
		return contains(set, v)
	})
}

func subsetOf(l, r []any) bool {
	if len(l) == 0 {
		return true
	}
	if len(r) == 0 {
		return false
	}
	list, ok := l[0].([]any)
	set, ok2 := r[0].([]any)
	if !ok || !ok2 || len(set) == 0 {
		return false
	}
	for _, v := range list {
		if !contains(set, v) {
			return false
		}
	}
	return true
}

// size compares lengths; strings are measured in bytes, as in the crate.
func size(l, r []any) bool {
	if len(r) == 0 {
		return false
	}
	f, ok := number(r[0])
	if !ok {
		return false
	}
	n := 0
	if f > 0 {
		n = int(math.Min(f, math.MaxInt32))
	}
	for _, v := range l {
		switch v := v.(type) {
		case string:
			ok = len(v) == n
		case []any:
			ok = len(v) == n
		case map[string]any:
			ok = len(v) == n
		default:
			ok = false
		}
		if !ok {
			return false
		}
	}
	return true
}

// number is the value of a JSON number as a float64.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int:
		return float64(v), true
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	}
	return 0, false
}

// isInteger tells how a number was written: serde_json keeps 1 and 1.0 apart,
// and so does its equality.
func isInteger(v any) bool {
	switch v := v.(type) {
	case int:
		return true
	case json.Number:
		return !strings.ContainsAny(string(v), ".eE")
	}
	return false
}

// Equal compares two JSON values as serde_json does: an integer never equals a
// float, and objects are equal whatever the order of their keys.
func Equal(a, b any) bool {
	switch a := a.(type) {
	case nil:
		return b == nil
	case bool:
		c, ok := b.(bool)
		return ok && a == c
	case string:
		c, ok := b.(string)
		return ok && a == c
	case []any:
		c, ok := b.([]any)
		return ok && slices.EqualFunc(a, c, Equal)
	case map[string]any:
		c, ok := b.(map[string]any)
		if !ok || len(a) != len(c) {
			return false
		}
		for k, v := range a {
			w, ok := c[k]
			if !ok || !Equal(v, w) {
				return false
			}
		}
		return true
	}
	x, ok := number(a)
	y, ok2 := number(b)
	return ok && ok2 && x == y && isInteger(a) == isInteger(b)
}
