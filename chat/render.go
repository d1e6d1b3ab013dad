package chat

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of one rendering, so that no template runs or grows for ever.
const (
	maxSteps  = 1_000_000
	maxOutput = 16 << 20
)

// scope holds the names of a block.
type scope struct {
	vars   map[string]any
	parent *scope
}

func newScope(parent *scope) *scope { return &scope{map[string]any{}, parent} }

func (s *scope) lookup(name string) (any, bool) {
	for ; s != nil; s = s.parent {
		if v, ok := s.vars[name]; ok {
			return v, true
		}
	}
	return nil, false
}

// renderer runs a template once.
type renderer struct {
	out   *strings.Builder
	now   func() time.Time
	steps int
	size  int
	depth int
}

// signals of loops
type control int

const (
	goOn control = iota
	doBreak
	doContinue
)

func (r *renderer) fail(line int, format string, args ...any) {
	panic(&templateError{line, fmt.Sprintf(format, args...)})
}

func (r *renderer) step(line int) {
	if r.steps++; r.steps > maxSteps {
		r.fail(line, "the template takes too long")
	}
}

func (r *renderer) write(text string) {
	if r.size += len(text); r.size > maxOutput {
		r.fail(0, "the template's text is too long")
	}
	r.out.WriteString(text)
}

// block runs statements.
func (r *renderer) block(body []node, s *scope) control {
	for _, n := range body {
		r.step(0)
		switch n := n.(type) {
		case *textNode:
			r.write(n.text)
		case *outputNode:
			r.write(str(r.eval(n.x, s)))
		case *ifNode:
			branch := n.rest
			if truth(r.eval(n.test, s)) {
				branch = n.then
			}
			if c := r.block(branch, s); c != goOn {
				return c
			}
		case *forNode:
			r.loop(n, s)
		case *setNode:
			r.set(n, s)
		case *macroNode:
			s.vars[n.name] = r.macro(n, s)
		case *callBlockNode:
			r.callBlock(n, s)
		case *groupNode:
			if c := r.block(n.body, s); c != goOn {
				return c
			}
		case *loopControl:
			if n.stop {
				return doBreak
			}
			return doContinue
		}
	}
	return goOn
}

// capture runs statements and returns their text.
func (r *renderer) capture(body []node, s *scope) string {
	old := r.out
	r.out = &strings.Builder{}
	defer func() { r.out = old }()
	r.block(body, s)
	return r.out.String()
}

func (r *renderer) set(n *setNode, s *scope) {
	var v any
	if n.body != nil {
		text := r.capture(n.body, newScope(s))
		v = text
		if n.value != nil {
			v = r.filterChain(n.value, text, s)
		}
		if n.targets[0] == "" { // a filter block
			r.write(str(v))
			return
		}
	} else {
		v = r.eval(n.value, s)
	}
	if n.of != "" {
		target, _ := s.lookup(n.of)
		ns, ok := target.(namespace)
		if !ok {
			r.fail(n.line, "cannot assign attribute on non-namespace object %s", n.of)
		}
		ns.set(n.targets[0], v)
		return
	}
	r.assign(n.targets, v, s, n.line)
}

func (r *renderer) assign(targets []string, v any, s *scope, line int) {
	if len(targets) == 1 {
		s.vars[targets[0]] = v
		return
	}
	items := r.iterate(v, line)
	if len(items) != len(targets) {
		r.fail(line, "%d values for %d names", len(items), len(targets))
	}
	for i, name := range targets {
		s.vars[name] = items[i]
	}
}

// filterChain applies filters whose innermost operand is text.
func (r *renderer) filterChain(n node, text any, s *scope) any {
	f := n.(*filterNode)
	x := text
	if f.x != nil {
		x = r.filterChain(f.x, text, s)
	}
	return r.filter(f, x, s)
}

func (r *renderer) loop(n *forNode, s *scope) {
	items := r.iterate(r.eval(n.list, s), n.line)
	if n.filter != nil {
		var kept []any
		for _, x := range items {
			inner := newScope(s)
			r.assign(n.targets, x, inner, n.line)
			if truth(r.eval(n.filter, inner)) {
				kept = append(kept, x)
			}
		}
		items = kept
	}
	if len(items) == 0 {
		r.block(n.rest, newScope(s))
		return
	}
	var last any = undefined{"last"}
	for i, x := range items {
		r.step(n.line)
		r.steps += 10 // the loop's own variables
		inner := newScope(s)
		r.assign(n.targets, x, inner, n.line)
		l := newDict()
		l.set("index", int64(i+1))
		l.set("index0", int64(i))
		l.set("revindex", int64(len(items)-i))
		l.set("revindex0", int64(len(items)-i-1))
		l.set("first", i == 0)
		l.set("last", i == len(items)-1)
		l.set("length", int64(len(items)))
		l.set("depth", int64(1))
		l.set("depth0", int64(0))
		l.set("previtem", any(undefined{"previtem"}))
		if i > 0 {
			l.set("previtem", items[i-1])
		}
		l.set("nextitem", any(undefined{"nextitem"}))
		if i+1 < len(items) {
			l.set("nextitem", items[i+1])
		}
		l.set("cycle", function(func(r *renderer, args []any, _ map[string]any) any {
			if len(args) == 0 {
				r.fail(n.line, "no items for cycling given")
			}
			return args[i%len(args)]
		}))
		l.set("changed", function(func(_ *renderer, args []any, _ map[string]any) any {
			now := any(&list{items: args})
			changed := !equal(last, now)
			last = now
			return changed
		}))
		inner.vars["loop"] = namespace{l}
		if r.block(n.body, inner) == doBreak {
			break
		}
	}
}

// macro makes a macro callable.
func (r *renderer) macro(n *macroNode, outer *scope) function {
	return func(r *renderer, args []any, kw map[string]any) any {
		if r.depth++; r.depth > maxDepth {
			r.fail(0, "macro %s calls itself too deeply", n.name)
		}
		defer func() { r.depth-- }()
		s := newScope(outer)
		if len(args) > len(n.params) {
			rest := &list{tuple: true, items: args[len(n.params):]}
			s.vars["varargs"] = rest
			args = args[:len(n.params)]
		}
		for i, name := range n.params {
			v, given := kw[name]
			switch {
			case i < len(args):
				s.vars[name] = args[i]
			case given:
				s.vars[name] = v
			case n.defaults[i] != nil:
				s.vars[name] = r.eval(n.defaults[i], s)
			default:
				s.vars[name] = undefined{name}
			}
		}
		if c, ok := kw["caller"]; ok {
			s.vars["caller"] = c
		}
		return r.capture(n.body, s)
	}
}

func (r *renderer) callBlock(n *callBlockNode, s *scope) {
	c, ok := n.call.(*callNode)
	if !ok {
		r.fail(n.line, "a call block needs a call")
	}
	caller := function(func(r *renderer, _ []any, _ map[string]any) any { return r.capture(n.body, newScope(s)) })
	args, kw := r.arguments(c.args, c.kw, s)
	kw["caller"] = caller
	r.write(str(r.call(r.eval(c.f, s), args, kw, n.line)))
}

func (r *renderer) arguments(args []node, named []kwarg, s *scope) ([]any, map[string]any) {
	values := make([]any, len(args))
	for i, a := range args {
		values[i] = r.eval(a, s)
	}
	kw := map[string]any{}
	for _, k := range named {
		kw[k.name] = r.eval(k.x, s)
	}
	return values, kw
}

func (r *renderer) call(f any, args []any, kw map[string]any, line int) any {
	r.step(line)
	switch f := f.(type) {
	case function:
		return f(r, args, kw)
	case undefined:
		r.fail(line, "'%s' is undefined", f.name)
	}
	r.fail(line, "'%s' object is not callable", typeName(f))
	return nil
}

// iterate returns what a loop goes through.
func (r *renderer) iterate(v any, line int) []any {
	switch v := v.(type) {
	case *list:
		return v.items
	case *dict:
		return v.keys
	case undefined:
		return nil
	case string:
		var items []any
		for _, c := range v {
			items = append(items, string(c))
		}
		return items
	}
	r.fail(line, "'%s' object is not iterable", typeName(v))
	return nil
}

func (r *renderer) eval(n node, s *scope) any {
	switch n := n.(type) {
	case *constNode:
		return n.v
	case *nameNode:
		r.step(n.line)
		if v, ok := s.lookup(n.name); ok {
			return v
		}
		if f, ok := globals[n.name]; ok {
			return f
		}
		return undefined{n.name}
	case *listNode:
		l := &list{}
		for _, x := range n.items {
			l.items = append(l.items, r.eval(x, s))
		}
		return l
	case *tupleNode:
		l := &list{tuple: true}
		for _, x := range n.items {
			l.items = append(l.items, r.eval(x, s))
		}
		return l
	case *dictNode:
		d := newDict()
		for i := range n.keys {
			d.set(r.eval(n.keys[i], s), r.eval(n.values[i], s))
		}
		return d
	case *unaryNode:
		x := r.eval(n.x, s)
		switch n.op {
		case "not":
			return !truth(x)
		case "-":
			if i, ok := toInt(x); ok {
				return -i
			}
			if f, ok := x.(float64); ok {
				return -f
			}
		default:
			if isNumber(x) {
				return x
			}
		}
		r.fail(0, "bad operand type for unary %s: '%s'", n.op, typeName(x))
	case *binaryNode:
		return r.binary(n, s)
	case *compareNode:
		a := r.eval(n.first, s)
		for i, op := range n.ops {
			b := r.eval(n.rest[i], s)
			if !r.compare(op, a, b, n.line) {
				return false
			}
			a = b
		}
		return true
	case *condNode:
		if truth(r.eval(n.test, s)) {
			return r.eval(n.then, s)
		}
		if n.rest == nil {
			return undefined{"the inline if-expression without else"}
		}
		return r.eval(n.rest, s)
	case *attrNode:
		x := r.eval(n.x, s)
		if v, ok := r.method(x, n.name, n.line); ok {
			return v
		}
		return r.item(x, n.name, n.name, n.line)
	case *indexNode:
		x, i := r.eval(n.x, s), r.eval(n.i, s)
		if name, ok := i.(string); ok {
			if v := r.item(x, i, name, n.line); !isUndefined(v) {
				return v
			}
			if v, ok := r.method(x, name, n.line); ok {
				return v
			}
		}
		return r.item(x, i, str(i), n.line)
	case *sliceNode:
		return r.slice(n, s)
	case *callNode:
		f := r.eval(n.f, s)
		args, kw := r.arguments(n.args, n.kw, s)
		return r.call(f, args, kw, n.line)
	case *filterNode:
		return r.filter(n, r.eval(n.x, s), s)
	case *testNode:
		x := r.eval(n.x, s)
		args, _ := r.arguments(n.args, nil, s)
		t, ok := tests[n.name]
		if !ok {
			r.fail(n.line, "no test named '%s'", n.name)
		}
		return t(r, x, args, n.line) != n.not
	}
	panic(fmt.Sprintf("chat: no expression: %T", n))
}

func isUndefined(v any) bool { _, ok := v.(undefined); return ok }

// item is x[i] for what is no method; what is missing is undefined.
func (r *renderer) item(x, i any, name string, line int) any {
	switch x := x.(type) {
	case undefined:
		r.fail(line, "'%s' is undefined", x.name)
	case *dict:
		if isNumber(i) || i == nil || typeName(i) == "str" {
			if v, ok := x.get(i); ok {
				return v
			}
		}
	case namespace:
		if v, ok := x.get(i); ok {
			return v
		}
	case *list:
		if k, ok := toInt(i); ok {
			if k < 0 {
				k += int64(len(x.items))
			}
			if k >= 0 && k < int64(len(x.items)) {
				return x.items[k]
			}
		}
	case string:
		if k, ok := toInt(i); ok {
			runes := []rune(x)
			if k < 0 {
				k += int64(len(runes))
			}
			if k >= 0 && k < int64(len(runes)) {
				return string(runes[k])
			}
		}
	}
	return undefined{name}
}

func (r *renderer) slice(n *sliceNode, s *scope) any {
	x := r.eval(n.x, s)
	var items []any
	switch v := x.(type) {
	case *list:
		items = v.items
	case string:
		items = r.iterate(v, n.line)
	case undefined:
		r.fail(n.line, "'%s' is undefined", v.name)
	default:
		r.fail(n.line, "'%s' object is not subscriptable", typeName(x))
	}
	size := int64(len(items))
	bound := func(b node, otherwise int64) int64 {
		if b == nil {
			return otherwise
		}
		v := r.eval(b, s)
		if v == nil {
			return otherwise
		}
		i, ok := toInt(v)
		if !ok {
			r.fail(n.line, "slice indices must be integers or None")
		}
		return i
	}
	by := bound(n.by, 1)
	if by == 0 {
		r.fail(n.line, "slice step cannot be zero")
	}
	clamp := func(i, low, high int64) int64 {
		if i < 0 {
			i += size
		}
		return min(max(i, low), high)
	}
	var out []any
	if by > 0 {
		from, to := clamp(bound(n.from, 0), 0, size), clamp(bound(n.to, size), 0, size)
		for i := from; i < to; i += by {
			out = append(out, items[i])
		}
	} else {
		from := size - 1
		if n.from != nil {
			from = clamp(bound(n.from, size-1), -1, size-1)
		}
		to := int64(-1)
		if n.to != nil {
			to = clamp(bound(n.to, -1-size), -1, size-1)
		}
		for i := from; i > to; i += by {
			out = append(out, items[i])
		}
	}
	if l, ok := x.(*list); ok {
		return &list{items: out, tuple: l.tuple}
	}
	var b strings.Builder
	for _, c := range out {
		b.WriteString(c.(string))
	}
	return b.String()
}

func (r *renderer) binary(n *binaryNode, s *scope) any {
	a := r.eval(n.a, s)
	switch n.op {
	case "and":
		if !truth(a) {
			return a
		}
		return r.eval(n.b, s)
	case "or":
		if truth(a) {
			return a
		}
		return r.eval(n.b, s)
	}
	b := r.eval(n.b, s)
	if n.op == "~" {
		return r.joined(str(a), str(b))
	}
	for _, x := range []any{a, b} {
		if u, ok := x.(undefined); ok {
			r.fail(n.line, "'%s' is undefined", u.name)
		}
	}
	if isNumber(a) && isNumber(b) {
		return r.arithmetic(n.op, a, b, n.line)
	}
	switch x := a.(type) {
	case string:
		switch y := b.(type) {
		case string:
			if n.op == "+" {
				return r.joined(x, y)
			}
			if n.op == "%" {
				return r.percent(x, []any{y}, n.line)
			}
		case *list:
			if n.op == "%" && y.tuple {
				return r.percent(x, y.items, n.line)
			}
			if n.op == "+" {
				r.fail(n.line, "can only concatenate str (not \"%s\") to str", typeName(b))
			}
		default:
			if k, ok := toInt(b); ok && n.op == "*" {
				return r.repeated(x, k, n.line)
			}
			if n.op == "%" {
				return r.percent(x, []any{b}, n.line)
			}
			if n.op == "+" {
				r.fail(n.line, "can only concatenate str (not \"%s\") to str", typeName(b))
			}
		}
	case *list:
		if y, ok := b.(*list); ok && n.op == "+" && x.tuple == y.tuple {
			r.steps += len(x.items) + len(y.items)
			return &list{items: append(append([]any{}, x.items...), y.items...), tuple: x.tuple}
		}
	default:
		if y, ok := b.(string); ok && n.op == "*" {
			if k, ok := toInt(a); ok {
				return r.repeated(y, k, n.line)
			}
		}
	}
	r.fail(n.line, "unsupported operand type(s) for %s: '%s' and '%s'", n.op, typeName(a), typeName(b))
	return nil
}

// joined counts what it makes, so that doubling a text again and again ends.
func (r *renderer) joined(a, b string) string {
	if len(a)+len(b) > maxOutput {
		r.fail(0, "the template's text is too long")
	}
	r.steps += (len(a) + len(b)) / 1024
	return a + b
}

func (r *renderer) repeated(s string, n int64, line int) string {
	if n <= 0 {
		return ""
	}
	if len(s) > 0 && n > int64(maxOutput/len(s)) {
		r.fail(line, "the template's text is too long")
	}
	return strings.Repeat(s, int(n))
}

func (r *renderer) arithmetic(op string, a, b any, line int) any {
	i, iok := toInt(a)
	j, jok := toInt(b)
	x, y := toFloat(a), toFloat(b)
	whole := iok && jok
	if (op == "/" || op == "//" || op == "%") && y == 0 {
		r.fail(line, "division by zero")
	}
	switch op {
	case "+":
		if whole {
			return i + j
		}
		return x + y
	case "-":
		if whole {
			return i - j
		}
		return x - y
	case "*":
		if whole {
			return i * j
		}
		return x * y
	case "/":
		return x / y
	case "//":
		if whole {
			q := i / j
			if i%j != 0 && (i < 0) != (j < 0) {
				q--
			}
			return q
		}
		return math.Floor(x / y)
	case "%":
		if whole {
			m := i % j
			if m != 0 && (m < 0) != (j < 0) {
				m += j
			}
			return m
		}
		m := math.Mod(x, y)
		if m != 0 && (m < 0) != (y < 0) {
			m += y
		}
		return m
	}
	if whole && j >= 0 {
		p := int64(1)
		for range min(j, 1000) {
			p *= i
		}
		return p
	}
	return math.Pow(x, y)
}

func (r *renderer) compare(op string, a, b any, line int) bool {
	switch op {
	case "==":
		return equal(a, b)
	case "!=":
		return !equal(a, b)
	case "in":
		return r.contains(b, a, line)
	case "not in":
		return !r.contains(b, a, line)
	}
	var c int
	switch x := a.(type) {
	case string:
		y, ok := b.(string)
		if !ok {
			r.fail(line, "'%s' not supported between instances of '%s' and '%s'", op, typeName(a), typeName(b))
		}
		c = strings.Compare(x, y)
	default:
		if !isNumber(a) || !isNumber(b) {
			for _, v := range []any{a, b} {
				if u, ok := v.(undefined); ok {
					r.fail(line, "'%s' is undefined", u.name)
				}
			}
			r.fail(line, "'%s' not supported between instances of '%s' and '%s'", op, typeName(a), typeName(b))
		}
		switch f, g := toFloat(a), toFloat(b); {
		case f < g:
			c = -1
		case f > g:
			c = 1
		}
	}
	switch op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

func (r *renderer) contains(where, x any, line int) bool {
	switch w := where.(type) {
	case string:
		s, ok := x.(string)
		if !ok {
			r.fail(line, "'in <string>' requires string as left operand, not %s", typeName(x))
		}
		return strings.Contains(w, s)
	case *dict:
		switch x.(type) {
		case *list, *dict:
			return false
		case undefined:
			return false
		}
		_, ok := w.get(x)
		return ok
	case *list:
		for _, v := range w.items {
			if equal(v, x) {
				return true
			}
		}
		return false
	case undefined:
		return false
	}
	r.fail(line, "argument of type '%s' is not iterable", typeName(where))
	return false
}

// percent is Python's old formatting of %s, %d, %r, %f and %%.
func (r *renderer) percent(format string, args []any, line int) string {
	var b strings.Builder
	next := func() any {
		if len(args) == 0 {
			r.fail(line, "not enough arguments for format string")
		}
		v := args[0]
		args = args[1:]
		return v
	}
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		j := i + 1
		for j < len(format) && strings.IndexByte("0123456789.+-", format[j]) >= 0 {
			j++
		}
		if j == len(format) || j-i > 6 {
			r.fail(line, "incomplete format")
		}
		flags := format[i+1 : j]
		switch format[j] {
		case '%':
			b.WriteByte('%')
		case 's':
			fmt.Fprintf(&b, "%"+flags+"s", str(next()))
		case 'r':
			fmt.Fprintf(&b, "%"+flags+"s", repr(next()))
		case 'd', 'i':
			v := next()
			n, ok := toInt(v)
			if f, isFloat := v.(float64); isFloat {
				n, ok = int64(f), true
			}
			if !ok {
				r.fail(line, "%%d format: a real number is required, not %s", typeName(v))
			}
			fmt.Fprintf(&b, "%"+flags+"d", n)
		case 'f':
			fmt.Fprintf(&b, "%"+flags+"f", toFloat(next()))
		default:
			r.fail(line, "unsupported format character %q", format[j])
		}
		i = j
	}
	return b.String()
}

func runeLen(s string) int64 { return int64(utf8.RuneCountInString(s)) }
