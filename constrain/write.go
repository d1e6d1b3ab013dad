package constrain

import (
	"fmt"
	"slices"
	"strings"
)

// fail remembers why a schema has no text, if it is the first one.
func (c *compiler) fail(err error) {
	if c.never == nil {
		c.never = err
	}
}

// write adds the writings of the values of a shape between two states.
func (c *compiler) write(s *shape, start, end int32) error {
	if s.hasEnum {
		return c.writeEnum(s, start, end)
	}
	b := &c.b
	t := s.written()
	before := len(b.g.states[start].edges) + len(b.g.states[start].empty) + len(b.g.states[start].calls)
	if t&null != 0 {
		b.skip(b.literal(start, "null"), end)
	}
	if t&boolean != 0 {
		b.skip(b.literal(start, "true"), end)
		b.skip(b.literal(start, "false"), end)
	}
	if t&number != 0 {
		l, err := s.number(t)
		if err != nil {
			return refusal(s.at, "", "%w", err)
		}
		b.skip(b.language(start, l, b.runes), end)
	}
	if t&text != 0 {
		if err := c.writeString(s, start, end); err != nil {
			return err
		}
	}
	if t&array != 0 {
		if err := c.writeArray(s, start, end); err != nil {
			return err
		}
	}
	if t&object != 0 {
		if err := c.writeObject(s, jsonObject, start, end); err != nil {
			return err
		}
	}
	if n := &b.g.states[start]; len(n.edges)+len(n.empty)+len(n.calls) == before {
		c.fail(refusal(s.at, "", "no value satisfies the schema, with what it stands beside"))
	}
	return nil
}

// space is what may stand between the parts of an array or an object, as llama.cpp has it:
// nothing, one blank, or one or two line ends and up to 20 blanks or tabs.
func (c *compiler) space(from int32) int32 {
	b := &c.b
	return b.call(from, c.shared("white space", func(start, end int32) error {
		b.skip(start, end)
		b.edge(start, ' ', ' ', end)
		line, second := b.state(), b.state()
		b.edge(start, '\n', '\n', line)
		b.edge(line, '\n', '\n', second)
		b.skip(line, second)
		b.skip(b.repeat(second, 0, 20, func(from int32) int32 {
			to := b.state()
			b.edge(from, ' ', ' ', to)
			b.edge(from, '\t', '\t', to)
			return to
		}), end)
		return nil
	}))
}

// writeString adds strings with their quotes. One about which only the length is said may
// have any escape that JSON knows; where more is said each text has one writing.
func (c *compiler) writeString(s *shape, start, end int32) error {
	b := &c.b
	if s.mostLength >= 0 && s.mostLength < s.leastLength {
		c.fail(refusal(s.at, "", "a string can't have at least %d and at most %d characters", s.leastLength, s.mostLength))
		return nil
	}
	if len(s.languages) == 0 {
		key := fmt.Sprintf("strings of %d to %d characters", s.leastLength, s.mostLength)
		b.callTo(start, c.shared(key, func(start, end int32) error {
			c.writeLengths(s.leastLength, s.mostLength, start, end)
			return nil
		}), end)
		return nil
	}
	l, err := s.text()
	if err != nil {
		return refusal(s.at, "", "%w", err)
	}
	if l.empty() {
		c.fail(refusal(s.at, "", "no text satisfies the pattern, format and length of the string"))
		return nil
	}
	b.skip(b.literal(b.language(b.literal(start, `"`), l, b.jsonRunes), `"`), end)
	return nil
}

// writeLengths adds strings of least to most characters, most −1 for any number.
func (c *compiler) writeLengths(least, most int, start, end int32) {
	b := &c.b
	char := c.shared("a character of a string", func(start, end int32) error {
		b.jsonAnyRune(start, end)
		return nil
	})
	if !b.room(max(least, most)) {
		return
	}
	q := b.literal(start, `"`)
	for i := 0; i < least && !b.full(); i++ {
		q = b.call(q, char)
	}
	any := b.state()
	b.jsonAnyRune(any, any)
	b.edge(any, '"', '"', end)
	if most < 0 {
		b.skip(q, any)
		return
	}
	for i := least; i <= most && !b.full(); i++ {
		// With so many characters left as a token has bytes, all are as one.
		s := &b.g.states[q]
		s.like, s.within = any, int32(most-i)
		b.edge(q, '"', '"', end)
		if i < most {
			q = b.call(q, char)
		}
	}
}

// writeArray adds arrays.
func (c *compiler) writeArray(s *shape, start, end int32) error {
	b := &c.b
	least, most := s.leastItems, s.mostItems
	for i := range s.prefix() + 1 {
		if s.item(i).never() && (most < 0 || most > i) {
			most = i
		}
	}
	if most >= 0 && most < least {
		c.fail(refusal(s.at, "", "an array can't have at least %d and at most %d entries", least, most))
		return nil
	}
	if !b.room(max(least, most)) {
		return nil
	}
	q := c.space(b.literal(start, "["))
	item := func(from int32, i int) (int32, error) {
		if i > 0 {
			from = c.space(b.literal(from, ","))
		}
		r, err := c.rule(s.item(i))
		return b.call(from, r), err
	}
	// Behind the entries that have schemas of their own, and those that must be, all are alike.
	fixed := max(s.prefix(), least, 1)
	if most >= 0 {
		fixed = most
	}
	var err error
	for i := 0; i <= fixed && !b.full(); i++ {
		if i >= least {
			from := q
			if i > 0 {
				from = c.space(q)
			}
			b.edge(from, ']', ']', end)
		}
		if i == fixed {
			break
		}
		if q, err = item(q, i); err != nil {
			return err
		}
	}
	if most < 0 {
		again, err := item(q, fixed)
		if err != nil {
			return err
		}
		b.skip(again, q)
	}
	return nil
}

// kind is the members whose names match the same patterns, and whose values so must satisfy
// the same schemas.
type kind struct {
	names *language
	in    conjunction
}

// maxPatterns bounds the patterns of names that are kept apart from each other.
const maxPatterns = 6

// further returns the kinds of members that may come behind the named ones.
func (s *shape) further(named []string) ([]kind, error) {
	var patterns []patternProperty
	open, closed := len(named) == 0, false
	for _, k := range s.members {
		patterns = append(patterns, k.patterns...)
		if k.additional != nil {
			if k.additional.kind == 'f' {
				closed = true
			} else {
				open = true
			}
		}
	}
	if len(patterns) > 0 && len(named) == 0 && !slices.ContainsFunc(s.members, func(k *keywords) bool { return k.additional != nil }) {
		open = false
	}
	if !open && len(patterns) == 0 || closed && len(patterns) == 0 {
		return nil, nil
	}
	if len(patterns) > maxPatterns {
		return nil, refusal(s.at, "patternProperties", "more than %d patterns", maxPatterns)
	}
	rest, err := words(named).not()
	if err != nil {
		return nil, err
	}
	var kinds []kind
	var split func(i int, names *language, chosen []patternProperty) error
	split = func(i int, names *language, chosen []patternProperty) error {
		if names.empty() {
			return nil
		}
		if i == len(patterns) {
			if len(chosen) == 0 && (!open || closed) {
				return nil
			}
			in := s.member("", false, func(p patternProperty) bool {
				return slices.ContainsFunc(chosen, func(o patternProperty) bool { return o.schema == p.schema })
			})
			if !in.never() {
				kinds = append(kinds, kind{names, in})
			}
			return nil
		}
		p := patterns[i]
		with, err := names.and(p.names)
		if err == nil {
			err = split(i+1, with, append(slices.Clip(chosen), p))
		}
		if err != nil {
			return err
		}
		others, err := p.names.not()
		if err == nil {
			others, err = names.and(others)
		}
		if err != nil {
			return err
		}
		return split(i+1, others, chosen)
	}
	if err := split(0, rest, nil); err != nil {
		return nil, refusal(s.at, "patternProperties", "%w", err)
	}
	return kinds, nil
}

// notation is how the members of an object are written.
type notation struct {
	open, comma, shut string
	name              func(name string) string
	space             bool // white space may stand between the parts
	free              bool // names may be any text
}

var jsonObject = notation{"{", ",", "}", func(name string) string { return quoted(name) + ":" }, true, true}

// writeObject adds objects: the named members in their order, then further ones.
func (c *compiler) writeObject(s *shape, w notation, start, end int32) error {
	b := &c.b
	space := func(from int32) int32 {
		if w.space {
			return c.space(from)
		}
		return from
	}
	names := s.names()
	var kinds []kind
	if w.free {
		var err error
		if kinds, err = s.further(names); err != nil {
			return err
		}
	}
	if least := s.leastMembers; least > max(len(s.required), 1) && len(kinds) > 0 {
		// A name may come twice, and then counts once.
		return refusal(s.at, "minProperties", "%d can't be held to where names are free\nhint: additionalProperties: false, or required names, make it so", least)
	}
	if most := s.mostMembers; most >= 0 && max(len(s.required), s.leastMembers) > most {
		c.fail(refusal(s.at, "", "an object can't have at least %d and at most %d members", max(len(s.required), s.leastMembers), most))
		return nil
	}
	// at[n] is the state behind n members; the last one, where nothing says that it is the
	// last, behind n or more.
	last, bounded := 1, false
	if s.mostMembers >= 0 && (s.mostMembers < len(names) || len(kinds) > 0) {
		last, bounded = s.mostMembers, true
	} else if s.leastMembers > 1 {
		last = s.leastMembers
	}
	if !b.room(last * (len(names) + 1)) {
		return nil
	}
	fresh := func() []int32 {
		next := make([]int32, last+1)
		for i := range next {
			if b.full() {
				break
			}
			next[i] = b.state()
		}
		return next
	}
	at := fresh()
	b.skip(space(b.literal(start, w.open)), at[0])
	// each calls add for every step from behind n members to behind one more.
	each := func(add func(n, to int)) {
		for n := range last {
			add(n, n+1)
		}
		if !bounded {
			add(last, last)
		}
	}
	comma := func(n int) int32 {
		if n > 0 {
			return space(b.literal(at[n], w.comma))
		}
		return at[n]
	}
	for _, name := range names {
		if b.full() {
			return nil
		}
		in, required := s.named(name), slices.Contains(s.required, name)
		next := fresh()
		if !required {
			for n := range at {
				b.skip(at[n], next[n])
			}
		}
		if in.never() && required {
			c.fail(refusal(s.at, "required", "the member %q must be there, and no value satisfies it", name))
			return nil
		}
		if !in.never() {
			r, err := c.rule(in)
			if err != nil {
				return err
			}
			text := make([]int32, last+1) // before the member, by where it leads
			each(func(n, to int) {
				if b.full() {
					return
				}
				if text[to] == 0 {
					text[to] = b.state()
					b.callTo(space(b.literal(text[to], w.name(name))), r, next[to])
				}
				b.skip(comma(n), text[to])
			})
		}
		at = next
	}
	if len(kinds) > 0 {
		r := c.later("further members of "+place(s.at.pointer), func(start, end int32) error {
			for _, k := range kinds {
				r, err := c.rule(k.in)
				if err != nil {
					return err
				}
				name := b.literal(b.language(b.literal(start, `"`), k.names, b.jsonRunes), `":`)
				b.callTo(c.space(name), r, end)
			}
			return nil
		})
		each(func(n, to int) { b.callTo(comma(n), r, at[to]) })
	}
	for n := range at {
		if n < s.leastMembers {
			continue
		}
		from := at[n]
		if n > 0 {
			from = space(from)
		}
		b.skip(b.literal(from, w.shut), end)
	}
	return nil
}

// anyValue is the rule of all JSON values.
func (c *compiler) anyValue() int32 {
	return c.shared("any value", func(start, end int32) error {
		return c.write(&shape{at: c.root, types: anyTypes, mostLength: -1, mostItems: -1, mostMembers: -1}, start, end)
	})
}

// anyObject is the rule of all JSON objects.
func (c *compiler) anyObject() int32 {
	return c.shared("any object", func(start, end int32) error {
		return c.write(&shape{at: c.root, types: object, mostLength: -1, mostItems: -1, mostMembers: -1}, start, end)
	})
}

// writeEnum adds the values of an enum that satisfy all else, as the schema writes them.
func (c *compiler) writeEnum(s *shape, start, end int32) error {
	found := false
	for _, v := range s.enum {
		ok, err := c.satisfies(v, s)
		if err != nil {
			return err
		}
		if ok {
			found = true
			c.b.skip(c.writeValue(v, start), end)
		}
	}
	if !found {
		c.fail(refusal(s.at, "", "no value of the enum satisfies what else is said"))
	}
	return nil
}

// writeValue adds one value.
func (c *compiler) writeValue(v *value, from int32) int32 {
	b := &c.b
	switch v.kind {
	case 'n':
		return b.literal(from, "null")
	case 't':
		return b.literal(from, "true")
	case 'f':
		return b.literal(from, "false")
	case '0':
		return b.literal(from, v.text)
	case '"':
		return b.literal(from, quoted(v.text))
	}
	shut := map[byte]string{'[': "]", '{': "}"}[v.kind]
	from = b.literal(from, string(v.kind))
	for i, x := range v.list {
		if i > 0 {
			from = b.literal(from, ",")
		}
		from = c.space(from)
		if v.kind == '{' {
			from = c.space(b.literal(from, quoted(v.names[i])+":"))
		}
		from = c.writeValue(x, from)
	}
	return b.literal(c.space(from), shut)
}

// format returns the texts of a format.
func format(name string) (*language, error) {
	expr, ok := formats[name]
	if !ok {
		return nil, fmt.Errorf("the format %q can't be held to\nhint: date, time, date-time, uuid, email, ipv4, ipv6 and hostname are; pattern can say others", name)
	}
	l, err := pattern(expr, re2)
	if limit := formatLimits[name]; limit != "" && err == nil {
		var o *language
		if o, err = pattern(limit, re2); err == nil {
			l, err = l.and(o)
		}
	}
	return l, err
}

// formatLimits are what must hold, too, of formats with a length: RFC 1035, section 2.3.4, has
// up to 253 characters in labels of up to 63, which needs very many states; four long labels
// or eight short ones need few.
var formatLimits = map[string]string{
	"hostname": `[^.]{1,62}(\.[^.]{1,62}){0,3}|[^.]{1,30}(\.[^.]{1,30}){0,7}`,
	"email":    `[^@]{1,64}@([^.]{1,46}(\.[^.]{1,46}){0,3}|[^.]{1,22}(\.[^.]{1,22}){0,7})`,
}

// formats are expressions for all of a text. Dates are those of the calendar from year 1 on;
// times have an offset and no leap second; labels of hosts have no two hyphens in a row.
//
// RFC 3339, section 5.6; RFC 4122; RFC 5321, section 4.1.2, without quoted names; RFC 1123;
// RFC 3986, section 3.2.2, for IPv6.
var formats = func() map[string]string {
	leap := `([0-9]{2}(0[48]|[2468][048]|[13579][26])|(0[48]|[2468][048]|[13579][26])00)`
	year := `([0-9]{3}[1-9]|[0-9]{2}[1-9][0-9]|[0-9][1-9][0-9]{2}|[1-9][0-9]{3})`
	date := `(` + year + `-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))|` + leap + `-02-29)`
	hours := `([01][0-9]|2[0-3]):[0-5][0-9]`
	time := hours + `:[0-5][0-9](\.[0-9]+)?(Z|[+-]` + hours + `)`
	label := `[A-Za-z0-9]+(-[A-Za-z0-9]+)*`
	host := label + `(\.` + label + `)*`
	atom := `[A-Za-z0-9!#$%&'*+/=?^_{|}~\x60-]+`
	byte_ := `(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])`
	ipv4 := byte_ + `(\.` + byte_ + `){3}`
	h16 := `[0-9A-Fa-f]{1,4}`
	ls32 := `(` + h16 + `:` + h16 + `|` + ipv4 + `)`
	ipv6 := []string{`(` + h16 + `:){6}` + ls32, `::(` + h16 + `:){5}` + ls32}
	for n := range 5 {
		front := fmt.Sprintf(`((%s:){0,%d}%s)?::`, h16, n, h16)
		if n < 4 {
			ipv6 = append(ipv6, front+fmt.Sprintf(`(%s:){%d}`, h16, 4-n)+ls32)
		} else {
			ipv6 = append(ipv6, front+ls32)
		}
	}
	ipv6 = append(ipv6, fmt.Sprintf(`((%s:){0,5}%s)?::%s`, h16, h16, h16), fmt.Sprintf(`((%s:){0,6}%s)?::`, h16, h16))
	return map[string]string{
		"date": date, "time": time, "date-time": date + "T" + time,
		"uuid":  `[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}`,
		"email": atom + `(\.` + atom + `)*@` + host, "hostname": host,
		"ipv4": ipv4, "ipv6": strings.Join(ipv6, "|"),
	}
}()
