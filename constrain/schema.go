package constrain

import (
	"cmp"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Schema holds a text to a JSON Schema (2020-12): every text that is complete is JSON that
// satisfies it. What can't be held to is an error that names the keyword and its place, as a
// JSON pointer; nothing is passed over but annotations. docs/inference.md has the keywords,
// and in which of the writings of a value it is written.
func Schema(data []byte) (*Grammar, error) {
	root, err := readJSON(data)
	if err != nil {
		return nil, fmt.Errorf("the schema is no JSON: %w", err)
	}
	c := (&network{}).compiler("", root)
	return c.grammar(func(start, end int32) error {
		r, err := c.rule(conjunction{{root, whole}})
		c.b.callTo(start, r, end)
		return err
	})
}

// JSON holds a text to be any JSON object, or with anyValue any JSON value.
func JSON(anyValue bool) (*Grammar, error) {
	c := (&network{}).compiler("", &value{kind: 't'})
	return c.grammar(func(start, end int32) error {
		if anyValue {
			c.b.callTo(start, c.anyValue(), end)
		} else {
			c.b.callTo(start, c.anyObject(), end)
		}
		return nil
	})
}

// network is the rules of a grammar while they are made.
type network struct {
	b     builder
	rules map[string]int32 // by what they are made of
	todo  []func() error
	never error // why there is no text, of the first schema without one

	combinations int // of choices of several schemas that one value must satisfy
}

// compiler makes rules of schemas. A rule is made of a conjunction: all the schemas that one
// value must satisfy, which allOf, $ref and several keywords about one member add up to.
type compiler struct {
	*network
	name    string // of the document, where a network has several
	root    *value
	anchors map[string]*value
	parsed  map[*value]*keywords
}

func (n *network) compiler(name string, root *value) *compiler {
	return &compiler{network: n, name: name, root: root, parsed: map[*value]*keywords{}}
}

// grammar makes the first rule, and then all that it calls.
func (c *compiler) grammar(first func(start, end int32) error) (*Grammar, error) {
	g, err := c.network.grammar("the schema", first)
	if errors.Is(err, errNoText) {
		if err = c.never; err == nil {
			err = refusal(c.root, "", "no value satisfies the schema: it must hold itself, without end")
		}
	}
	return g, err
}

func (n *network) grammar(name string, first func(start, end int32) error) (*Grammar, error) {
	r := n.b.g.rules[n.b.rule(name)]
	if err := first(r.start, r.end); err != nil {
		return nil, err
	}
	for len(n.todo) > 0 && !n.b.full() {
		next := n.todo[0]
		n.todo = n.todo[1:]
		if err := next(); err != nil {
			return nil, err
		}
	}
	return n.b.finish()
}

// refusal is an error about a keyword at its place.
func refusal(at *value, keyword, format string, args ...any) error {
	p := at.pointer
	if keyword != "" {
		p += "/" + keyword
	}
	return fmt.Errorf("%s: %w", place(p), fmt.Errorf(format, args...))
}

// aspect is what of a schema is meant: all of it, its own keywords, or one of two keywords
// that leave a choice.
type aspect string

const (
	whole aspect = ""
	own   aspect = "own"
	anyOf aspect = "anyOf"
	oneOf aspect = "oneOf"
)

type conjunct struct {
	schema *value
	aspect aspect
}

type conjunction []conjunct

func (c conjunction) with(s *value) conjunction { return append(slices.Clip(c), conjunct{s, whole}) }

// key is the same for conjunctions of the same schemas.
func (c conjunction) key() string {
	keys := make([]string, len(c))
	for i, x := range c {
		keys[i] = string(x.aspect) + " " + x.schema.pointer
	}
	slices.Sort(keys)
	return strings.Join(slices.Compact(keys), "\n")
}

// never tells whether false is among them.
func (c conjunction) never() bool {
	return slices.ContainsFunc(c, func(x conjunct) bool { return x.schema.kind == 'f' })
}

// maxConjunction bounds the schemas that one value must satisfy, maxChoices the ways of
// satisfying several choices at once that are compared, maxCombinations those that are written.
const (
	maxConjunction  = 500
	maxChoices      = 2_000
	maxCombinations = 2_000
)

// flatten follows $ref and allOf until there are only own keywords and choices.
func (c *compiler) flatten(in conjunction) (owns, choices conjunction, err error) {
	seen := map[conjunct]bool{}
	open := map[*value]bool{} // on the way to a schema by $ref and allOf
	var add func(x conjunct) error
	add = func(x conjunct) error {
		if x.aspect == whole && open[x.schema] {
			return refusal(x.schema, "", "the schema refers to itself before it says anything")
		}
		if seen[x] || x.schema.kind == 't' {
			return nil
		}
		if seen[x] = true; len(seen) > maxConjunction {
			return refusal(x.schema, "", "one value must satisfy more than %d schemas", maxConjunction)
		}
		switch {
		case x.aspect == own || x.schema.kind == 'f':
			owns = append(owns, conjunct{x.schema, own})
			return nil
		case x.aspect != whole:
			choices = append(choices, x)
			return nil
		}
		k, err := c.keywords(x.schema)
		if err != nil {
			return err
		}
		open[x.schema] = true
		defer delete(open, x.schema)
		var parts conjunction
		if k.asserts {
			parts = append(parts, conjunct{x.schema, own})
		}
		if k.ref != nil {
			parts = parts.with(k.ref)
		}
		for _, s := range k.allOf {
			parts = parts.with(s)
		}
		if k.anyOf != nil {
			parts = append(parts, conjunct{x.schema, anyOf})
		}
		if k.oneOf != nil {
			parts = append(parts, conjunct{x.schema, oneOf})
		}
		for _, p := range parts {
			if err := add(p); err != nil {
				return err
			}
		}
		return nil
	}
	for _, x := range in {
		if err := add(x); err != nil {
			return nil, nil, err
		}
	}
	return owns, choices, nil
}

// branches are the schemas of a choice.
func (c *compiler) branches(x conjunct) []*value {
	k := c.parsed[x.schema]
	if x.aspect == anyOf {
		return k.anyOf
	}
	return k.oneOf
}

// alternatives returns the shapes of which a value must have one. They are all there is to a
// conjunction; a choice within a choice is followed as far as maxChoices.
func (c *compiler) alternatives(in conjunction) ([]*shape, error) {
	var all []*shape
	work := []conjunction{in}
	for n := 0; len(work) > 0; n++ {
		if n > maxChoices {
			return nil, refusal(in[0].schema, "", "its choices make more than %d alternatives", maxChoices)
		}
		owns, choices, err := c.flatten(work[0])
		work = work[1:]
		if err != nil {
			return nil, err
		}
		if len(choices) > 0 {
			rest := append(owns, choices[1:]...)
			for _, s := range c.branches(choices[0]) {
				work = append(work, rest.with(s))
			}
			continue
		}
		s, err := c.shape(owns)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// later returns a new rule, whose automaton is made when those before it are.
func (c *compiler) later(name string, make func(start, end int32) error) int32 {
	r := c.b.rule(name)
	ends := c.b.g.rules[r]
	c.todo = append(c.todo, func() error {
		err := make(ends.start, ends.end)
		if err != nil && c.name != "" {
			err = fmt.Errorf("%s: %w", c.name, err)
		}
		return err
	})
	return r
}

// shared returns the rule of a key, which is made once. The key's first line is its name.
func (c *compiler) shared(key string, make func(start, end int32) error) int32 {
	r, ok := c.rules[key]
	if !ok {
		name, _, _ := strings.Cut(key, "\n")
		r = c.later(name, make)
		if c.rules == nil {
			c.rules = map[string]int32{}
		}
		c.rules[key] = r
	}
	return r
}

// rule returns the rule of a conjunction.
func (c *compiler) rule(in conjunction) (int32, error) {
	owns, choices, err := c.flatten(in)
	if err != nil {
		return 0, err
	}
	if len(owns)+len(choices) == 0 {
		return c.anyValue(), nil
	}
	all := append(owns, choices...)
	return c.shared("the schema "+place(all[0].schema.pointer)+"\n"+c.name+"\n"+all.key(), func(start, end int32) error {
		if len(choices) == 0 {
			s, err := c.shape(owns)
			if err != nil {
				return err
			}
			return c.write(s, start, end)
		}
		x, rest := choices[0], append(slices.Clip(owns), choices[1:]...)
		branches := c.branches(x)
		if x.aspect == oneOf {
			if err := c.disjoint(x.schema, rest, branches); err != nil {
				return err
			}
		}
		if len(choices) > 1 {
			if c.combinations += len(branches); c.combinations > maxCombinations {
				return refusal(x.schema, "", "the choices make more than %d combinations", maxCombinations)
			}
		}
		for _, s := range branches {
			r, err := c.rule(rest.with(s))
			if err != nil {
				return err
			}
			c.b.callTo(start, r, end)
		}
		return nil
	}), nil
}

// types is a set of the kinds of values.
type types int

const (
	null types = 1 << iota
	boolean
	integer
	fraction // a number that is no integer
	text
	array
	object
	number   = integer | fraction
	anyTypes = object<<1 - 1
)

var typeNames = map[string]types{"null": null, "boolean": boolean, "integer": integer, "number": number, "string": text, "array": array, "object": object}

// keywords is one schema as it is written.
type keywords struct {
	ref                 *value
	allOf, anyOf, oneOf []*value

	asserts bool // has any of the others
	types   types
	enum    []*value // nil for none
	implied types    // what the other keywords are about

	least, most   *bound
	multipleOf    *big.Rat
	least_, most_ int // of a string's length; −1 for none
	languages     []*language

	prefix         []*value
	items          *value
	leastItems     int
	mostItems      int
	properties     *value
	patterns       []patternProperty
	additional     *value
	required       []string
	leastProps     int
	mostProps      int
	describesProps bool // has properties, patternProperties, additionalProperties
	describesItems bool
	hasEnum        bool
}

type patternProperty struct {
	names  *language
	schema *value
}

// annotations are keywords that say nothing about which values satisfy a schema.
// discriminator is OpenAPI's, and says again what oneOf says.
var annotations = []string{"$comment", "$defs", "$schema", "definitions", "default", "deprecated", "description", "discriminator", "example", "examples", "readOnly", "title", "writeOnly"}

// refused are keywords that are understood and can't be held to, with a hint.
var refused = map[string]string{
	"not": "", "if": "anyOf can say both cases", "then": "anyOf can say both cases", "else": "anyOf can say both cases",
	"dependentRequired": "anyOf can say both cases", "dependentSchemas": "anyOf can say both cases", "dependencies": "anyOf can say both cases",
	"uniqueItems": "", "contains": "prefixItems can say what comes first", "minContains": "", "maxContains": "",
	"unevaluatedProperties": "additionalProperties is held to", "unevaluatedItems": "items is held to", "propertyNames": "patternProperties is held to",
	"additionalItems": "2020-12 has prefixItems and items", "$dynamicRef": "$ref is followed", "$recursiveRef": "$ref is followed",
	"contentEncoding": "pattern can say which characters there are", "contentMediaType": "", "contentSchema": "", "nullable": `"type": [..., "null"] says it`,
	"$vocabulary": "", "extends": "", "disallow": "", "divisibleBy": "multipleOf is held to", "$dynamicAnchor": "$anchor is followed",
}

// keywords reads a schema's own keywords, once.
func (c *compiler) keywords(v *value) (*keywords, error) {
	if k, ok := c.parsed[v]; ok {
		return k, nil
	}
	if v.kind != '{' {
		return nil, refusal(v, "", "%s is no schema: an object, true or false is one", kindNames[v.kind])
	}
	k := &keywords{types: anyTypes, least_: -1, most_: -1, mostItems: -1, mostProps: -1}
	for i, name := range v.names {
		if err := c.keyword(k, v, name, v.list[i]); err != nil {
			return nil, err
		}
	}
	c.parsed[v] = k
	return k, nil
}

func (c *compiler) keyword(k *keywords, in *value, name string, v *value) error {
	if slices.Contains(annotations, name) || strings.HasPrefix(name, "x-") {
		if name == "$schema" && !strings.Contains(v.text, "json-schema.org/") {
			return refusal(v, "", "the dialect %q is not known\nhint: https://json-schema.org/draft/2020-12/schema is", v.text)
		}
		return nil
	}
	if name == "uniqueItems" && v.kind == 'f' {
		return nil // the default
	}
	if hint, ok := refused[name]; ok {
		return refusal(v, "", "%s can't be held to%s", name, hintLine(hint))
	}
	want := func(kind byte) error {
		if v.kind != kind {
			return refusal(v, "", "%s is %s, %s is due", name, kindNames[v.kind], kindNames[kind])
		}
		return nil
	}
	schemas := func(to *[]*value) error {
		if err := want('['); err != nil {
			return err
		}
		if len(v.list) == 0 {
			return refusal(v, "", "%s has no schemas", name)
		}
		*to = v.list
		return nil
	}
	rational := func(to **big.Rat) error {
		err := want('0')
		if err == nil {
			if *to, err = v.number(); err != nil {
				err = refusal(v, "", "%w", err)
			}
		}
		return err
	}
	count := func(to *int) error {
		var r *big.Rat
		if err := rational(&r); err != nil {
			return err
		}
		if !r.IsInt() || r.Sign() < 0 {
			return refusal(v, "", "%s is %s, a whole number from 0 on is due", name, v.text)
		}
		if *to = maxStates; r.Num().IsInt64() {
			*to = int(min(r.Num().Int64(), maxStates))
		}
		return nil
	}
	limit := func(to **bound, strict, above bool) error {
		b := &bound{strict: strict}
		if err := rational(&b.at); err != nil {
			return err
		}
		*to = b.tighter(*to, above)
		return nil
	}
	assert := func(t types) { k.asserts, k.implied = true, k.implied|t }
	switch name {
	case "$id", "id":
		if in != c.root {
			return refusal(v, "", "%s below the schema's top is not followed", name)
		}
		return nil
	case "$anchor":
		return want('"')
	case "$ref":
		if err := want('"'); err != nil {
			return err
		}
		var err error
		k.ref, err = c.follow(v)
		return err
	case "allOf":
		return schemas(&k.allOf)
	case "anyOf":
		return schemas(&k.anyOf)
	case "oneOf":
		return schemas(&k.oneOf)

	case "type":
		k.asserts = true
		list := []*value{v}
		if v.kind == '[' {
			list = v.list
		}
		k.types = 0
		for _, t := range list {
			n, ok := typeNames[t.text]
			if !ok || t.kind != '"' {
				return refusal(t, "", "%s is no type: %s", cmp.Or(t.text, kindNames[t.kind]), "null, boolean, integer, number, string, array, object are")
			}
			k.types |= n
		}
		if k.types == 0 {
			return refusal(v, "", "type has no types")
		}
	case "enum":
		if err := want('['); err != nil {
			return err
		}
		if len(v.list) == 0 {
			return refusal(v, "", "enum has no values")
		}
		k.asserts = true
		k.limitTo(v.list)
	case "const":
		k.asserts = true
		k.limitTo([]*value{v})

	case "minimum":
		assert(number)
		return limit(&k.least, false, true)
	case "exclusiveMinimum":
		assert(number)
		return limit(&k.least, true, true)
	case "maximum":
		assert(number)
		return limit(&k.most, false, false)
	case "exclusiveMaximum":
		assert(number)
		return limit(&k.most, true, false)
	case "multipleOf":
		assert(number)
		if err := rational(&k.multipleOf); err != nil {
			return err
		}
		if k.multipleOf.Sign() <= 0 {
			return refusal(v, "", "multipleOf is %s, a number above 0 is due", v.text)
		}
		if _, err := multiplesOf(k.multipleOf); err != nil {
			return refusal(v, "", "multipleOf %s can't be held to: %w", v.text, err)
		}

	case "minLength":
		assert(text)
		return count(&k.least_)
	case "maxLength":
		assert(text)
		return count(&k.most_)
	case "pattern":
		assert(text)
		if err := want('"'); err != nil {
			return err
		}
		l, err := pattern(v.text, ecma)
		if err != nil {
			return refusal(v, "", "%w", err)
		}
		k.languages = append(k.languages, l)
	case "format":
		assert(text)
		if err := want('"'); err != nil {
			return err
		}
		l, err := format(v.text)
		if err != nil {
			return refusal(v, "", "%w", err)
		}
		k.languages = append(k.languages, l)

	case "prefixItems":
		assert(array)
		k.describesItems = true
		return schemas(&k.prefix)
	case "items":
		assert(array)
		k.describesItems = true
		if v.kind == '[' {
			return refusal(v, "", "items is an array, as in older drafts\nhint: 2020-12 calls it prefixItems, and items what comes behind")
		}
		k.items = v
	case "minItems":
		assert(array)
		return count(&k.leastItems)
	case "maxItems":
		assert(array)
		return count(&k.mostItems)

	case "properties":
		assert(object)
		k.describesProps = true
		k.properties = v
		return want('{')
	case "patternProperties":
		assert(object)
		k.describesProps = true
		if err := want('{'); err != nil {
			return err
		}
		for i, expr := range v.names {
			l, err := pattern(expr, ecma)
			if err != nil {
				return refusal(v.list[i], "", "%w", err)
			}
			k.patterns = append(k.patterns, patternProperty{l, v.list[i]})
		}
	case "additionalProperties":
		assert(object)
		k.describesProps = true
		k.additional = v
	case "required":
		assert(object)
		if err := want('['); err != nil {
			return err
		}
		for _, r := range v.list {
			if r.kind != '"' {
				return refusal(r, "", "required has %s, a name is due", kindNames[r.kind])
			}
			k.required = append(k.required, r.text)
		}
	case "minProperties":
		assert(object)
		return count(&k.leastProps)
	case "maxProperties":
		assert(object)
		return count(&k.mostProps)
	default:
		return refusal(v, "", "the keyword %s is not known%s", strconv.Quote(name), hintLine(nearest(name)))
	}
	return nil
}

func hintLine(hint string) string {
	if hint == "" {
		return ""
	}
	return "\nhint: " + hint
}

// nearest returns a hint where a keyword differs from a known one in case or by a letter or
// two at its end.
func nearest(name string) string {
	for _, known := range []string{
		"additionalProperties", "allOf", "anyOf", "const", "enum", "exclusiveMaximum", "exclusiveMinimum", "format", "items", "maxItems", "maxLength", "maxProperties",
		"maximum", "minItems", "minLength", "minProperties", "minimum", "multipleOf", "oneOf", "pattern", "patternProperties", "prefixItems", "properties", "required", "type",
	} {
		a, b := strings.ToLower(strings.ReplaceAll(name, "_", "")), strings.ToLower(known)
		if a == b || len(a) > 3 && (strings.HasPrefix(a, b) || strings.HasPrefix(b, a)) {
			return "is " + known + " meant?"
		}
	}
	return "x-" + name + " would be passed over"
}

// limitTo keeps what is in a list of the values that there may be.
func (k *keywords) limitTo(list []*value) {
	if k.hasEnum {
		list = intersection(k.enum, list)
	}
	k.enum, k.hasEnum = list, true
}

func intersection(a, b []*value) []*value {
	both := []*value{}
	for _, x := range a {
		if slices.ContainsFunc(b, x.equal) {
			both = append(both, x)
		}
	}
	return both
}

// tighter returns the narrower of two bounds, of which o may be nil.
func (b *bound) tighter(o *bound, above bool) *bound {
	if b == nil || o == nil {
		return cmp.Or(b, o)
	}
	order := b.at.Cmp(o.at)
	if !above {
		order = -order
	}
	if order < 0 || order == 0 && o.strict {
		return o
	}
	return b
}

// follow returns the schema that a $ref names.
func (c *compiler) follow(ref *value) (*value, error) {
	if c.anchors == nil {
		c.anchors = map[string]*value{}
		c.findAnchors(c.root)
	}
	fragment, ok := strings.CutPrefix(ref.text, "#")
	if !ok {
		if id := c.root.member("$id"); id != nil && id.kind == '"' {
			fragment, ok = strings.CutPrefix(ref.text, strings.TrimSuffix(id.text, "#"))
			fragment = strings.TrimPrefix(fragment, "#")
		}
	}
	if !ok {
		return nil, refusal(ref, "", "%q is in another document\nhint: $defs holds schemas that are used here", ref.text)
	}
	target := c.anchors[fragment]
	if fragment == "" {
		target = c.root
	} else if fragment[0] == '/' {
		decoded, err := url.PathUnescape(fragment)
		if err != nil {
			return nil, refusal(ref, "", "%q: %w", ref.text, err)
		}
		target = c.root.at(decoded)
	}
	if target == nil {
		return nil, refusal(ref, "", "%q names nothing in the schema", ref.text)
	}
	return target, nil
}

func (c *compiler) findAnchors(v *value) {
	if a := v.member("$anchor"); v.kind == '{' && a != nil && a.kind == '"' {
		c.anchors[a.text] = v
	}
	for _, x := range v.list {
		c.findAnchors(x)
	}
}
