package mix

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strings"

	"github.com/itchyny/gojq"
)

// Dolma runs jq rules in jaq 1.2, which answers in some places otherwise than jq. Its
// answers are had by writing those places of a rule as calls of functions of ours,
// before it is compiled; testdata/jaq.json has what Dolma answers.
//
//	.a .[i] .[i:j]   null has no members and no elements, a string no elements; in t.a? it
//	                 is .a alone that may fail
//	x / y            of numbers alone, and by zero it is infinite or no number
//	x % y            of whole numbers alone
//	x - y, x * y     not of lists, no text times a fraction
//	x + y, add       null and a number of a file that is no integer give that number as it stands
//	-x, length       a number is computed, and so 0.0 counts as 0
//	has, contains    and in, inside: null has nothing; what is no text, list or object contains what equals it
//
// A rule is left as it stands where it names a place rather than a value: on the left of
// an assignment and in the arguments of pathFunctions.

// jaqFunctions are what asJaq puts into a rule.
var jaqFunctions = []gojq.CompilerOption{
	gojq.WithFunction("jaqIndex", 1, 1, func(v any, args []any) any { return jaqIndex(v, args[0]) }),
	gojq.WithFunction("jaqSlice", 2, 2, func(v any, args []any) any { return jaqSlice(v, args[0], args[1]) }),
	gojq.WithFunction("jaqAdd", 2, 2, func(_ any, args []any) any { return jaqAdd(args[0], args[1]) }),
	gojq.WithFunction("jaqSubtract", 2, 2, func(_ any, args []any) any { return jaqSubtract(args[0], args[1]) }),
	gojq.WithFunction("jaqMultiply", 2, 2, func(_ any, args []any) any { return jaqMultiply(args[0], args[1]) }),
	gojq.WithFunction("jaqDivide", 2, 2, func(_ any, args []any) any { return jaqDivide(args[0], args[1]) }),
	gojq.WithFunction("jaqModulo", 2, 2, func(_ any, args []any) any { return jaqModulo(args[0], args[1]) }),
	gojq.WithFunction("jaqComputed", 0, 0, func(v any, _ []any) any { return jaqComputed(v) }),
	gojq.WithFunction("jaqHas", 1, 1, func(v any, args []any) any { return jaqHas(v, args[0]) }),
	gojq.WithFunction("jaqIn", 1, 1, func(v any, args []any) any { return jaqHas(args[0], v) }),
	gojq.WithFunction("jaqContains", 1, 1, func(v any, args []any) any { return jaqContains(v, args[0]) }),
	gojq.WithFunction("jaqInside", 1, 1, func(v any, args []any) any { return jaqContains(args[0], v) }),
}

// jaqOperators are called in place of jq's operators.
var jaqOperators = map[gojq.Operator]string{
	gojq.OpAdd: "jaqAdd", gojq.OpSub: "jaqSubtract", gojq.OpMul: "jaqMultiply", gojq.OpDiv: "jaqDivide", gojq.OpMod: "jaqModulo",
}

// jaqCalls stand for jq's functions of no argument.
var jaqCalls = map[string]string{
	"add":    "reduce .[] as $x (null; jaqAdd(.; $x))",
	"first":  "jaqIndex(0)",
	"last":   "jaqIndex(-1)",
	"length": "jaqComputed | length",
}

// jaqNames are called in place of jq's functions of one argument.
var jaqNames = map[string]string{"has": "jaqHas", "in": "jaqIn", "contains": "jaqContains", "inside": "jaqInside"}

// pathFunctions take arguments that name places.
var pathFunctions = []string{"del", "delpaths", "paths"}

// notInJaq are functions of jq that jaq 1.2 lacks.
var notInJaq = []string{"abs", "getpath", "index", "indices", "ltrim", "path", "pick", "rtrim", "setpath", "toarray", "trim"}

// jaqWriter writes a rule so that it answers as in jaq. lacks is what of the rule jaq does
// not have.
type jaqWriter struct{ lacks string }

// asJaq writes q so that it answers as in jaq, and refuses what jaq has not.
func asJaq(q *gojq.Query) error {
	var w jaqWriter
	if w.query(q); w.lacks != "" {
		return fmt.Errorf("the jq of Dolma (jaq 1.2) does not have %s", w.lacks)
	}
	return nil
}

func (w *jaqWriter) query(q *gojq.Query) {
	if q == nil {
		return
	}
	w.patterns(q.Patterns)
	for _, d := range q.FuncDefs {
		w.query(d.Body)
	}
	if q.Term != nil {
		w.term(q.Term)
		return
	}
	switch q.Op {
	case gojq.OpUpdateAlt:
		w.lacks = "//="
		return
	case gojq.OpAssign, gojq.OpModify, gojq.OpUpdateAdd, gojq.OpUpdateSub, gojq.OpUpdateMul, gojq.OpUpdateDiv, gojq.OpUpdateMod:
		w.query(q.Right)
		return
	}
	w.query(q.Left)
	w.query(q.Right)
	if name := jaqOperators[q.Op]; name != "" {
		*q = *call(name, q.Left, q.Right)
	}
}

func (w *jaqWriter) patterns(list []*gojq.Pattern) {
	if len(list) > 1 || len(list) == 1 && list[0].Name == "" {
		w.lacks = "patterns in as"
	}
}

func (w *jaqWriter) term(t *gojq.Term) {
	switch t.Type {
	case gojq.TermTypeIndex:
		// .a is a suffix of the identity.
		first := &gojq.Suffix{Index: t.Index}
		t.Type, t.Index, t.SuffixList = gojq.TermTypeIdentity, nil, append([]*gojq.Suffix{first}, t.SuffixList...)
	case gojq.TermTypeFunc:
		w.function(t)
	case gojq.TermTypeObject:
		for _, kv := range t.Object.KeyVals {
			w.string(kv.KeyString)
			w.query(kv.KeyQuery)
			w.query(kv.Val)
		}
	case gojq.TermTypeArray:
		w.query(t.Array.Query)
	case gojq.TermTypeUnary:
		w.term(t.Unary.Term)
		if q := (&gojq.Query{Term: t.Unary.Term}); t.Unary.Op == gojq.OpSub {
			q = &gojq.Query{Left: q, Op: gojq.OpPipe, Right: call("jaqComputed")}
			t.Unary.Term = &gojq.Term{Type: gojq.TermTypeQuery, Query: q}
		}
	case gojq.TermTypeFormat, gojq.TermTypeString:
		w.string(t.Str)
	case gojq.TermTypeIf:
		w.query(t.If.Cond)
		w.query(t.If.Then)
		for _, e := range t.If.Elif {
			w.query(e.Cond)
			w.query(e.Then)
		}
		w.query(t.If.Else)
	case gojq.TermTypeTry:
		w.query(t.Try.Body)
		w.query(t.Try.Catch)
	case gojq.TermTypeReduce:
		w.patterns(t.Reduce.Patterns)
		w.query(t.Reduce.Query)
		w.query(t.Reduce.Start)
		w.query(t.Reduce.Update)
	case gojq.TermTypeForeach:
		w.patterns(t.Foreach.Patterns)
		w.query(t.Foreach.Query)
		w.query(t.Foreach.Start)
		w.query(t.Foreach.Update)
		w.query(t.Foreach.Extract)
	case gojq.TermTypeLabel:
		w.lacks = "label"
	case gojq.TermTypeQuery:
		w.query(t.Query)
	}
	w.suffixes(t)
}

func (w *jaqWriter) function(t *gojq.Term) {
	f := t.Func
	switch n := len(f.Args); {
	case slices.Contains(notInJaq, f.Name):
		w.lacks = f.Name
	case slices.Contains(pathFunctions, f.Name):
	case n == 0 && jaqCalls[f.Name] != "":
		q, err := gojq.Parse(jaqCalls[f.Name])
		if err != nil {
			panic(err) // they are our own
		}
		t.Type, t.Func, t.Query = gojq.TermTypeQuery, nil, q
	default:
		if n == 1 && jaqNames[f.Name] != "" {
			f.Name = jaqNames[f.Name]
		}
		for _, a := range f.Args {
			w.query(a)
		}
	}
}

// suffixes makes of t.a[0]? the calls (t | jaqIndex("a") | jaqIndex(0)?), from the
// left to the right; what stands in brackets sees the input of all.
func (w *jaqWriter) suffixes(t *gojq.Term) {
	suffixes := t.SuffixList
	if !slices.ContainsFunc(suffixes, func(s *gojq.Suffix) bool { return s.Index != nil }) {
		return
	}
	base := *t
	base.SuffixList = nil
	q := &gojq.Query{Term: &base}
	then := func(next *gojq.Query) { q = &gojq.Query{Left: q, Op: gojq.OpPipe, Right: next} }
	input := false
	for i := 0; i < len(suffixes); i++ {
		s := suffixes[i]
		optional := i+1 < len(suffixes) && suffixes[i+1].Optional
		var next *gojq.Query
		switch {
		case s.Optional: // of what is in brackets, or a second one
			q = &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeTry, Try: &gojq.Try{Body: q}}}
			continue
		case s.Iter:
			next = &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeIdentity, SuffixList: []*gojq.Suffix{{Iter: true}}}}
		default:
			next = w.index(s.Index, &input)
		}
		if optional {
			next = &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeTry, Try: &gojq.Try{Body: next}}}
			i++
		}
		then(next)
	}
	if input { // . as $jaq | …
		q = &gojq.Query{
			Left: &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeIdentity}}, Patterns: []*gojq.Pattern{{Name: "$jaq"}},
			Op: gojq.OpPipe, Right: q,
		}
	}
	*t = gojq.Term{Type: gojq.TermTypeQuery, Query: q}
}

// index is the call for .name, .["name"], .[q] and .[q:r]. It sets input when what
// it looks up depends on the input of the whole term, which is then $jaq.
func (w *jaqWriter) index(x *gojq.Index, input *bool) *gojq.Query {
	within := func(q *gojq.Query) *gojq.Query {
		if q == nil {
			return &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeNull}}
		}
		w.query(q)
		if t := q.Term; t != nil && len(t.SuffixList) == 0 && (t.Type == gojq.TermTypeNumber || t.Type == gojq.TermTypeString && len(t.Str.Queries) == 0) {
			return q
		}
		*input = true
		return &gojq.Query{Left: &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeFunc, Func: &gojq.Func{Name: "$jaq"}}}, Op: gojq.OpPipe, Right: q}
	}
	switch {
	case x.IsSlice:
		return call("jaqSlice", within(x.Start), within(x.End))
	case x.Start != nil:
		return call("jaqIndex", within(x.Start))
	case x.Str != nil:
		return call("jaqIndex", within(&gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeString, Str: x.Str}}))
	}
	return call("jaqIndex", &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeString, Str: &gojq.String{Str: x.Name}}})
}

func (w *jaqWriter) string(s *gojq.String) {
	if s != nil {
		for _, q := range s.Queries {
			w.query(q)
		}
	}
}

func call(name string, args ...*gojq.Query) *gojq.Query {
	return &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeFunc, Func: &gojq.Func{Name: name, Args: args}}}
}

// jaqIndex is v[i]. What is not in a list or an object is null.
func jaqIndex(v, i any) any {
	switch v := v.(type) {
	case map[string]any:
		if key, ok := i.(string); ok {
			return v[key]
		}
	case []any:
		if n, ok := i.(int); ok {
			if n < 0 {
				n += len(v)
			}
			if n < 0 || n >= len(v) {
				return nil
			}
			return v[n]
		}
	}
	return fmt.Errorf("%s has no element %s", gojq.TypeOf(v), gojq.Preview(i))
}

// jaqSlice is v[from:to] of a list or a string; null is no bound.
func jaqSlice(v, from, to any) any {
	bound := func(i any, missing, n int) (int, bool) {
		switch i := i.(type) {
		case nil:
			return missing, true
		case int:
			if i < 0 {
				i += n
			}
			return min(max(i, 0), n), true
		}
		return 0, false
	}
	bounds := func(n int) (int, int, bool) {
		a, ok := bound(from, 0, n)
		b, ok2 := bound(to, n, n)
		return a, max(a, b), ok && ok2
	}
	switch v := v.(type) {
	case []any:
		if a, b, ok := bounds(len(v)); ok {
			return v[a:b]
		}
	case string:
		r := []rune(v)
		if a, b, ok := bounds(len(r)); ok {
			return string(r[a:b])
		}
	}
	return fmt.Errorf("%s has no elements from %s to %s", gojq.TypeOf(v), gojq.Preview(from), gojq.Preview(to))
}

// jaqAdd is l + r. Null adds nothing, and leaves the other as it stands.
func jaqAdd(l, r any) any {
	switch {
	case l == nil:
		return r
	case r == nil:
		return l
	}
	if a, b, ok := jaqInts(l, r); ok {
		if sum := a + b; (sum > a) == (b > 0) {
			return sum
		}
	}
	if a, b, ok := jaqFloats(l, r); ok {
		return a + b
	}
	switch l := l.(type) {
	case string:
		if r, ok := r.(string); ok {
			return l + r
		}
	case []any:
		if r, ok := r.([]any); ok {
			return slices.Concat(l, r)
		}
	case map[string]any:
		if r, ok := r.(map[string]any); ok {
			sum := maps.Clone(l)
			maps.Copy(sum, r)
			return sum
		}
	}
	return jaqRefuses(l, "+", r)
}

// jaqSubtract is l - r.
func jaqSubtract(l, r any) any {
	if a, b, ok := jaqInts(l, r); ok {
		if d := a - b; (d < a) == (b > 0) {
			return d
		}
	}
	if a, b, ok := jaqFloats(l, r); ok {
		return a - b
	}
	return jaqRefuses(l, "-", r)
}

// jaqMultiply is l * r: of numbers, of a text and how often it is repeated, of objects,
// which are merged.
func jaqMultiply(l, r any) any {
	if a, b, ok := jaqInts(l, r); ok {
		if p := a * b; a == 0 || p/a == b && !(a == -1 && b == math.MinInt) {
			return p
		}
	}
	if a, b, ok := jaqFloats(l, r); ok {
		return a * b
	}
	if n, ok := l.(int); ok {
		l, r = r, n
	}
	switch l := l.(type) {
	case string:
		switch n, ok := r.(int); {
		case ok && n <= 0:
			return nil
		case ok && len(l) <= maxRepeated/n:
			return strings.Repeat(l, n)
		}
	case map[string]any:
		if r, ok := r.(map[string]any); ok {
			return jaqMerge(l, r)
		}
	}
	return jaqRefuses(l, "*", r)
}

// maxRepeated bounds a text that a rule makes.
const maxRepeated = 1 << 28

func jaqMerge(l, r map[string]any) map[string]any {
	out := maps.Clone(l)
	for k, v := range r {
		a, ok := out[k].(map[string]any)
		if b, ok2 := v.(map[string]any); ok && ok2 {
			v = jaqMerge(a, b)
		}
		out[k] = v
	}
	return out
}

// jaqDivide is l / r.
func jaqDivide(l, r any) any {
	if a, b, ok := jaqFloats(l, r); ok {
		return a / b
	}
	return jaqRefuses(l, "/", r)
}

// jaqModulo is l % r.
func jaqModulo(l, r any) any {
	a, b, ok := jaqInts(l, r)
	switch {
	case !ok || b == 0:
		return jaqRefuses(l, "%", r)
	case b == -1: // the least integer has no opposite
		return 0
	}
	return a % b
}

func jaqInts(l, r any) (a, b int, ok bool) {
	a, ok = l.(int)
	b, ok2 := r.(int)
	return a, b, ok && ok2
}

func jaqFloats(l, r any) (a, b float64, ok bool) {
	a, ok = jaqFloat(l)
	b, ok2 := jaqFloat(r)
	return a, b, ok && ok2
}

func jaqFloat(v any) (float64, bool) {
	switch v.(type) {
	case int, float64, *big.Int, json.Number:
		return gojq.ToFloat64(v)
	}
	return 0, false
}

func jaqRefuses(l any, operator string, r any) error {
	return fmt.Errorf("%s %s %s has no result", gojq.Preview(l), operator, gojq.Preview(r))
}

// jaqComputed is a number that is calculated with, anything else as it is.
func jaqComputed(v any) any {
	if n, ok := v.(json.Number); ok {
		f, _ := gojq.ToFloat64(n)
		return f
	}
	return v
}

// jaqHas tells whether an object has a key, or a list an element.
func jaqHas(v, key any) any {
	switch v := v.(type) {
	case map[string]any:
		if k, ok := key.(string); ok {
			_, has := v[k]
			return has
		}
	case []any:
		if i, ok := key.(int); ok {
			return i >= 0 && i < len(v)
		}
	}
	return fmt.Errorf("%s cannot have %s", gojq.TypeOf(v), gojq.Preview(key))
}

// jaqContains tells whether b is a part of a.
func jaqContains(a, b any) bool {
	switch b := b.(type) {
	case string:
		if a, ok := a.(string); ok {
			return strings.Contains(a, b)
		}
	case []any:
		if a, ok := a.([]any); ok {
			for _, x := range b {
				if !slices.ContainsFunc(a, func(y any) bool { return jaqContains(y, x) }) {
					return false
				}
			}
			return true
		}
	case map[string]any:
		if a, ok := a.(map[string]any); ok {
			for k, x := range b {
				if y, has := a[k]; !has || !jaqContains(y, x) {
					return false
				}
			}
			return true
		}
	}
	return gojq.Compare(a, b) == 0
}
