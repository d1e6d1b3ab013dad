package constrain

import (
	"math/big"
	"slices"
)

// shape is what several schemas without choices say together of one value.
type shape struct {
	at      *value // a schema that says so, for errors
	types   types
	implied types
	hasEnum bool
	enum    []*value

	least, most               *bound
	multiples                 []*big.Rat
	languages                 []*language
	leastLength, mostLength   int
	leastItems, mostItems     int
	leastMembers, mostMembers int
	items                     []*keywords // of those that say something of entries
	members                   []*keywords // of members
	required                  []string
}

// shape joins the own keywords of schemas.
func (c *compiler) shape(in conjunction) (*shape, error) {
	s := &shape{types: anyTypes, mostLength: -1, mostItems: -1, mostMembers: -1}
	if len(in) > 0 {
		s.at = in[0].schema
	}
	narrower := func(to *int, n int) {
		if n >= 0 && (*to < 0 || n < *to) {
			*to = n
		}
	}
	for _, x := range in {
		if x.schema.kind == 'f' {
			s.types = 0
			continue
		}
		k, err := c.keywords(x.schema)
		if err != nil {
			return nil, err
		}
		s.types &= k.types
		s.implied |= k.implied
		if k.hasEnum {
			if s.hasEnum {
				s.enum = intersection(s.enum, k.enum)
			} else {
				s.hasEnum, s.enum = true, k.enum
			}
		}
		if k.least != nil {
			s.least = k.least.tighter(s.least, true)
		}
		if k.most != nil {
			s.most = k.most.tighter(s.most, false)
		}
		if k.multipleOf != nil {
			s.multiples = append(s.multiples, k.multipleOf)
		}
		s.languages = append(s.languages, k.languages...)
		s.leastLength = max(s.leastLength, k.least_)
		narrower(&s.mostLength, k.most_)
		s.leastItems = max(s.leastItems, k.leastItems)
		narrower(&s.mostItems, k.mostItems)
		s.leastMembers = max(s.leastMembers, k.leastProps)
		narrower(&s.mostMembers, k.mostProps)
		if k.describesItems {
			s.items = append(s.items, k)
		}
		if k.describesProps {
			s.members = append(s.members, k)
		}
		for _, name := range k.required {
			if !slices.Contains(s.required, name) {
				s.required = append(s.required, name)
			}
		}
	}
	return s, nil
}

// written returns the types in which a value is written: where no type is said and the
// keywords are about one type alone, it is meant.
func (s *shape) written() types {
	if s.types == anyTypes && !s.hasEnum {
		switch s.implied {
		case number, text, array, object:
			return s.implied
		}
	}
	return s.types
}

// item returns what an entry must satisfy.
func (s *shape) item(i int) (in conjunction) {
	for _, k := range s.items {
		if i < len(k.prefix) {
			in = in.with(k.prefix[i])
		} else if k.items != nil {
			in = in.with(k.items)
		}
	}
	return in
}

// prefix is the number of entries that have schemas of their own.
func (s *shape) prefix() (n int) {
	for _, k := range s.items {
		n = max(n, len(k.prefix))
	}
	return n
}

// member returns what a member must satisfy. matches tells which names' patterns count.
func (s *shape) member(name string, named bool, matches func(p patternProperty) bool) (in conjunction) {
	for _, k := range s.members {
		said := false
		if named && k.properties != nil {
			if v := k.properties.member(name); v != nil {
				in, said = in.with(v), true
			}
		}
		for _, p := range k.patterns {
			if matches(p) {
				in, said = in.with(p.schema), true
			}
		}
		if !said && k.additional != nil {
			in = in.with(k.additional)
		}
	}
	return in
}

func (s *shape) named(name string) conjunction {
	return s.member(name, true, func(p patternProperty) bool { return p.names.has(name) })
}

// names returns the names of members that are written in an order: those of properties, as
// they stand there, then those that are only required.
func (s *shape) names() (names []string) {
	seen := map[string]bool{}
	add := func(list []string) {
		for _, n := range list {
			if !seen[n] {
				seen[n] = true
				names = append(names, n)
			}
		}
	}
	for _, k := range s.members {
		if k.properties != nil {
			add(k.properties.names)
		}
	}
	add(s.required)
	return names
}

// number returns the writings of a number.
func (s *shape) number(t types) (*language, error) {
	l := numbers
	if s.least != nil || s.most != nil || len(s.multiples) > 0 {
		l = decimals
	}
	if t&fraction == 0 {
		l = integers
	}
	var err error
	and := func(o *language) {
		if err == nil {
			l, err = l.and(o)
		}
	}
	if s.least != nil {
		and(s.least.beyond(true))
	}
	if s.most != nil {
		and(s.most.beyond(false))
	}
	for _, m := range s.multiples {
		o, e := multiplesOf(m)
		if e != nil {
			return nil, e
		}
		and(o)
	}
	return l, err
}

// text returns the texts of a string.
func (s *shape) text() (*language, error) {
	l, err := length(s.leastLength, s.mostLength)
	for _, o := range s.languages {
		if err != nil {
			return nil, err
		}
		l, err = l.and(o)
	}
	return l, err
}
