package mix

import (
	"slices"

	"github.com/itchyny/gojq"

	"olmo/data/jsonpath"
)

// needs says which fields of a document and which attributes the rules of a
// stream can look at, so that nothing else is decoded.
type needs struct {
	allFields, allAttributes bool
	fields, attributes       []string
}

func (n *needs) field(key string) bool { return n.allFields || slices.Contains(n.fields, key) }
func (n *needs) attribute(key string) bool {
	return n.allAttributes || slices.Contains(n.attributes, key)
}

func (n *needs) path(p *jsonpath.Path) {
	keys, ok := p.Keys()
	if !ok {
		n.allFields, n.allAttributes = true, true
		return
	}
	n.fields = append(n.fields, keys...)
	n.attributes = append(n.attributes, keys...)
}

// jq adds what a jq program needs. When it uses the document or the attributes
// as a whole, or anything that this does not follow, that is everything. It returns the
// attributes that the program takes for granted: not those that have a value beside
// them (.attributes.x // 0) or are compared with null.
func (n *needs) jq(q *gojq.Query) (required []string) {
	a := follower{needs: n}
	if a.query(q, document) != inside {
		a.lost = true
	}
	if a.lost {
		n.allFields, n.allAttributes = true, true
	}
	return a.required
}

// thing is what a value in a jq program is.
type thing int

const (
	inside     thing = iota // a value within the document that is decoded as a whole
	document                // .
	attributes              // .attributes
)

// follower walks a jq program and keeps track of where the document and its
// attributes go.
type follower struct {
	*needs
	lost     bool
	optional bool     // what is looked at may not be there
	required []string // attributes
}

func (a *follower) lose() thing {
	a.lost = true
	return inside
}

// use evaluates a query, if there is one, whose value is looked at.
func (a *follower) use(q *gojq.Query, in thing) {
	if q != nil && a.query(q, in) != inside {
		a.lost = true
	}
}

func (a *follower) query(q *gojq.Query, in thing) thing {
	if q.Meta != nil || len(q.Imports) > 0 || len(q.FuncDefs) > 0 || len(q.Patterns) > 0 {
		return a.lose()
	}
	if q.Term != nil {
		return a.term(q.Term, in)
	}
	switch q.Op {
	case gojq.OpPipe:
		return a.query(q.Right, a.query(q.Left, in))
	case gojq.OpAssign, gojq.OpModify, gojq.OpUpdateAdd, gojq.OpUpdateSub, gojq.OpUpdateMul, gojq.OpUpdateDiv, gojq.OpUpdateMod, gojq.OpUpdateAlt:
		return a.lose()
	}
	outer := a.optional
	a.optional = outer || q.Op == gojq.OpAlt || (q.Op == gojq.OpEq || q.Op == gojq.OpNe) && (isNull(q.Left) || isNull(q.Right))
	a.use(q.Left, in)
	if q.Op == gojq.OpAlt {
		a.optional = outer
	}
	a.use(q.Right, in)
	a.optional = outer
	return inside
}

func isNull(q *gojq.Query) bool {
	return q != nil && q.Term != nil && q.Term.Type == gojq.TermTypeNull
}

func (a *follower) term(t *gojq.Term, in thing) thing {
	out := inside
	switch t.Type {
	case gojq.TermTypeIdentity:
		out = in
	case gojq.TermTypeIndex:
		out = a.index(t.Index, in, in)
	case gojq.TermTypeNull, gojq.TermTypeTrue, gojq.TermTypeFalse, gojq.TermTypeNumber:
	case gojq.TermTypeString:
		a.string(t.Str, in)
	case gojq.TermTypeFunc:
		out = a.call(t.Func, in)
	case gojq.TermTypeArray:
		a.use(t.Array.Query, in)
	case gojq.TermTypeUnary:
		if a.term(t.Unary.Term, in) != inside {
			a.lost = true
		}
	case gojq.TermTypeIf:
		a.use(t.If.Cond, in)
		a.use(t.If.Then, in)
		for _, e := range t.If.Elif {
			a.use(e.Cond, in)
			a.use(e.Then, in)
		}
		if t.If.Else == nil && in != inside {
			return a.lose() // the branch that is left out gives the input
		}
		a.use(t.If.Else, in)
	case gojq.TermTypeTry:
		a.use(t.Try.Body, in)
		a.use(t.Try.Catch, inside)
	case gojq.TermTypeQuery:
		out = a.query(t.Query, in)
	default:
		return a.lose()
	}
	for _, s := range t.SuffixList {
		switch {
		case s.Index != nil:
			out = a.index(s.Index, out, in)
		case s.Iter && out != inside:
			return a.lose()
		}
	}
	return out
}

// index is .name, .["name"], .[query] or a slice of a value; in is what the
// queries inside see.
func (a *follower) index(x *gojq.Index, of, in thing) thing {
	key, known := x.Name, x.Name != ""
	if x.Str != nil && len(x.Str.Queries) == 0 {
		key, known = x.Str.Str, true
	} else if x.Str != nil {
		a.string(x.Str, in)
	}
	a.use(x.Start, in)
	a.use(x.End, in)
	if !known && x.Start != nil && !x.IsSlice && x.Start.Term != nil && x.Start.Term.Type == gojq.TermTypeString &&
		len(x.Start.Term.SuffixList) == 0 && len(x.Start.Term.Str.Queries) == 0 {
		key, known = x.Start.Term.Str.Str, true
	}
	switch {
	case of == inside:
		return inside
	case !known:
		return a.lose()
	case of == document && key == "attributes":
		a.fields = append(a.fields, key)
		return attributes
	case of == document:
		a.fields = append(a.fields, key)
	default:
		if a.attributes = append(a.attributes, key); !a.optional {
			a.required = append(a.required, key)
		}
	}
	return inside
}

func (a *follower) string(s *gojq.String, in thing) {
	for _, q := range s.Queries {
		a.use(q, in)
	}
}

// call is a function. Those that look at their input see the document when
// they are called on it; a few do not look.
func (a *follower) call(f *gojq.Func, in thing) thing {
	switch {
	case f.Name == "empty" && len(f.Args) == 0:
		return inside
	case f.Name == "select" && len(f.Args) == 1:
		a.use(f.Args[0], in)
		return in
	case in != inside:
		return a.lose()
	}
	// The input is decoded as a whole; so is all that the arguments make of it.
	for _, q := range f.Args {
		a.use(q, inside)
	}
	return inside
}
