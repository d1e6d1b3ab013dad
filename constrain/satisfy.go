package constrain

import (
	"math/big"
	"unicode/utf8"
)

// satisfies tells whether a value of the schema's own text (of an enum or a const) has a shape,
// its enum left out. Every keyword that Schema takes is decided, as JSON Schema means it.
func (c *compiler) satisfies(v *value, s *shape) (bool, error) {
	var t types
	switch v.kind {
	case 'n':
		t = null
	case 't', 'f':
		t = boolean
	case '0':
		t = fraction
	case '"':
		t = text
	case '[':
		t = array
	case '{':
		t = object
	}
	switch v.kind {
	case '0':
		r, err := v.number()
		if err != nil {
			return false, refusal(v, "", "%w", err)
		}
		if r.IsInt() {
			t = integer
		}
		if s.least != nil && !s.least.within(r, true) || s.most != nil && !s.most.within(r, false) {
			return false, nil
		}
		for _, m := range s.multiples {
			if !new(big.Rat).Quo(r, m).IsInt() {
				return false, nil
			}
		}
	case '"':
		n := utf8.RuneCountInString(v.text)
		if n < s.leastLength || s.mostLength >= 0 && n > s.mostLength {
			return false, nil
		}
		for _, l := range s.languages {
			if !l.has(v.text) {
				return false, nil
			}
		}
	case '[':
		if n := len(v.list); n < s.leastItems || s.mostItems >= 0 && n > s.mostItems {
			return false, nil
		}
		for i, x := range v.list {
			if ok, err := c.satisfiesAll(x, s.item(i), 0); !ok || err != nil {
				return false, err
			}
		}
	case '{':
		if n := len(v.list); n < s.leastMembers || s.mostMembers >= 0 && n > s.mostMembers {
			return false, nil
		}
		for _, name := range s.required {
			if v.member(name) == nil {
				return false, nil
			}
		}
		for i, name := range v.names {
			if ok, err := c.satisfiesAll(v.list[i], s.named(name), 0); !ok || err != nil {
				return false, err
			}
		}
	}
	return s.types&t != 0, nil
}

// within tells whether a number is on the right side of a bound.
func (b *bound) within(r *big.Rat, above bool) bool {
	order := r.Cmp(b.at)
	if !above {
		order = -order
	}
	return order > 0 || order == 0 && !b.strict
}

// satisfiesAll tells whether a value satisfies a conjunction. depth counts choices that were
// followed at one value: a schema that is a choice of itself has no end.
func (c *compiler) satisfiesAll(v *value, in conjunction, depth int) (bool, error) {
	owns, choices, err := c.flatten(in)
	if err != nil {
		return false, err
	}
	s, err := c.shape(owns)
	if err != nil {
		return false, err
	}
	if s.hasEnum {
		found := false
		for _, x := range s.enum {
			found = found || x.equal(v)
		}
		if !found {
			return false, nil
		}
	}
	if ok, err := c.satisfies(v, s); !ok || err != nil {
		return false, err
	}
	for _, x := range choices {
		if depth > maxNesting {
			return false, refusal(x.schema, string(x.aspect), "the choices have no end")
		}
		n := 0
		for _, branch := range c.branches(x) {
			ok, err := c.satisfiesAll(v, conjunction{{branch, whole}}, depth+1)
			if err != nil {
				return false, err
			}
			if ok {
				n++
			}
		}
		if n == 0 || n > 1 && x.aspect == oneOf {
			return false, nil
		}
	}
	return true, nil
}

// disjoint returns an error unless no value satisfies two branches of a oneOf, so that one of
// them is exactly one.
func (c *compiler) disjoint(at *value, rest conjunction, branches []*value) error {
	shapes := make([][]*shape, len(branches))
	for i, b := range branches {
		var err error
		if shapes[i], err = c.alternatives(rest.with(b)); err != nil {
			return err
		}
	}
	steps := 0
	for j := range branches {
		for i := range j {
			for _, a := range shapes[i] {
				for _, b := range shapes[j] {
					apart, err := c.apart(a, b, 0, &steps)
					if err != nil {
						return err
					}
					if !apart {
						return refusal(at, "oneOf", "its schemas %d and %d are not shown to have no value in common\nhint: anyOf takes either; or give each a type, or a required member with a const, of its own", i, j)
					}
				}
			}
		}
	}
	return nil
}

// maxApart bounds how many pairs of shapes are compared, maxApartDepth how deep.
const (
	maxApart      = 20_000
	maxApartDepth = 6
)

// apart tells whether two shapes are shown to have no value in common.
func (c *compiler) apart(a, b *shape, depth int, steps *int) (bool, error) {
	if *steps++; *steps > maxApart {
		return false, nil
	}
	common := a.types & b.types
	if a.hasEnum || b.hasEnum {
		if !a.hasEnum {
			a, b = b, a
		}
		for _, v := range a.enum {
			both, err := c.satisfies(v, a)
			if err != nil {
				return false, err
			}
			if both {
				if both, err = c.satisfies(v, b); err != nil {
					return false, err
				}
			}
			if both && b.hasEnum {
				both = len(intersection([]*value{v}, b.enum)) > 0
			}
			if both {
				return false, nil
			}
		}
		return true, nil
	}
	if common&(null|boolean) != 0 {
		return false, nil
	}
	if common&number != 0 && !numbersApart(a, b) && !numbersApart(b, a) {
		return false, nil
	}
	if common&text != 0 {
		l, err := a.text()
		if err == nil {
			var o *language
			if o, err = b.text(); err == nil {
				l, err = l.and(o)
			}
		}
		if err != nil || !l.empty() {
			return false, nil
		}
	}
	if common&array != 0 && !(a.mostItems >= 0 && a.mostItems < b.leastItems || b.mostItems >= 0 && b.mostItems < a.leastItems) {
		found := false
		for i := 0; i < min(max(a.leastItems, b.leastItems), a.prefix()+b.prefix()+1) && !found; i++ {
			var err error
			if found, err = c.allApart(a.item(i), b.item(i), depth, steps); err != nil {
				return false, err
			}
		}
		if !found {
			return false, nil
		}
	}
	if common&object != 0 && !(a.mostMembers >= 0 && a.mostMembers < b.leastMembers || b.mostMembers >= 0 && b.mostMembers < a.leastMembers) {
		found := false
		for _, name := range append(a.required[:len(a.required):len(a.required)], b.required...) {
			var err error
			if found, err = c.allApart(a.named(name), b.named(name), depth, steps); err != nil {
				return false, err
			}
			if found {
				break
			}
		}
		if !found {
			return false, nil
		}
	}
	return true, nil
}

// numbersApart tells whether all numbers of a are below those of b.
func numbersApart(a, b *shape) bool {
	if a.most == nil || b.least == nil {
		return false
	}
	order := a.most.at.Cmp(b.least.at)
	return order < 0 || order == 0 && (a.most.strict || b.least.strict)
}

// allApart tells whether two conjunctions are shown to have no value in common.
func (c *compiler) allApart(a, b conjunction, depth int, steps *int) (bool, error) {
	if a.never() || b.never() {
		return true, nil
	}
	if depth == maxApartDepth {
		return false, nil
	}
	as, err := c.alternatives(a)
	if err != nil {
		return false, err
	}
	bs, err := c.alternatives(b)
	if err != nil {
		return false, err
	}
	for _, x := range as {
		for _, y := range bs {
			if apart, err := c.apart(x, y, depth+1, steps); !apart || err != nil {
				return false, err
			}
		}
	}
	return true, nil
}
