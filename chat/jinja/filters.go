package jinja

import (
	"math"
	"math/big"
	"slices"
	"strings"
)

// filters are those that templates may use by name.
var filters map[string]*signature

// The table's own filters map, select and their kin look others up in it, so that
// it can't be filled where it is declared.
func makeFilters() {
	filters = methods(map[string]method{
		// Any value.
		"default":     {"default_value? boolean?", filterDefault},
		"string":      {"", func(c *call) any { return soft(c.self) }},
		"safe":        {"", func(c *call) any { return markup(str(c.self)) }},
		"escape":      {"", func(c *call) any { return escape(c.self) }},
		"forceescape": {"", func(c *call) any { return escape(str(c.self)) }},
		"tojson":      {"indent?", filterSafeJSON},
		"pprint":      {"", func(c *call) any { return c.r.pretty(c.self) }},
		"attr":        {"name", filterAttr},

		// Text.
		"trim":       {"chars?", func(c *call) any { return c.of("strip", c.arg(0, nil)) }},
		"lower":      {"", func(c *call) any { return c.of("lower") }},
		"upper":      {"", func(c *call) any { return c.of("upper") }},
		"capitalize": {"", func(c *call) any { return c.of("capitalize") }},
		"center":     {"width?", func(c *call) any { return c.of("center", c.arg(0, int64(80))) }},
		"title":      {"", func(c *call) any { return titleWords(str(c.self)) }},
		"replace":    {"old new count?", filterReplace},
		"indent":     {"width? first? blank?", filterIndent},
		"truncate":   {"length? killwords? end? leeway?", filterTruncate},
		"wordwrap":   {"width? break_long_words? wrapstring? break_on_hyphens?", filterWordwrap},
		"wordcount":  {"", func(c *call) any { return wordCount(str(c.self)) }},
		"striptags":  {"", func(c *call) any { return stripTags(str(c.self)) }},
		"format":     {"* **", filterFormat},
		"urlencode":  {"", filterURLEncode},
		"urlize":     {"trim_url_limit? nofollow? target? rel? extra_schemes?", filterURLize},
		"xmlattr":    {"autospace?", filterXMLAttr},

		// Numbers.
		"int":            {"default? base?", filterInt},
		"float":          {"default?", filterFloat},
		"abs":            {"", filterAbs},
		"round":          {"precision? method?", filterRound},
		"filesizeformat": {"binary?", filterFileSize},

		// Sequences and mappings.
		"length":   {"", filterLength},
		"list":     {"", func(c *call) any { return c.r.list(c.self) }},
		"first":    {"", filterFirst},
		"last":     {"", filterLast},
		"random":   {"", filterRandom},
		"join":     {"d? attribute?", filterJoin},
		"items":    {"", filterItems},
		"dictsort": {"case_sensitive? by? reverse?", filterDictsort},
		"sort":     {"reverse? case_sensitive? attribute?", filterSort},
		"groupby":  {"attribute default? case_sensitive?", filterGroupBy},
		"reverse":  {"", filterReverse},
		"unique":   {"case_sensitive? attribute?", filterUnique},
		"min":      {"case_sensitive? attribute?", func(c *call) any { return c.extreme("<") }},
		"max":      {"case_sensitive? attribute?", func(c *call) any { return c.extreme(">") }},
		"sum":      {"attribute? start?", filterSum},
		"batch":    {"linecount fill_with?", filterBatch},
		"slice":    {"slices fill_with?", filterSlice},
		"map":      {"* **", filterMap},

		"select":     {"* **", func(c *call) any { return c.choose(false, true) }},
		"reject":     {"* **", func(c *call) any { return c.choose(false, false) }},
		"selectattr": {"* **", func(c *call) any { return c.choose(true, true) }},
		"rejectattr": {"* **", func(c *call) any { return c.choose(true, false) }},
	})
	for name, f := range filters {
		f.label = "the filter '" + name + "'"
	}
	chatJSON.label = filters["tojson"].label
	for short, long := range map[string]string{"d": "default", "e": "escape", "count": "length"} {
		filters[short] = filters[long]
	}
}

// chatJSON is the filter tojson of Transformers.
var chatJSON = function("tojson", "ensure_ascii? indent? separators? sort_keys?", filterToJSON)

// hasFilter says whether a template may use a filter.
func (o Options) hasFilter(name string) bool {
	return filters[name] != nil || o.Filters[name] != nil
}

func (r *renderer) applyFilter(name string, x any, args []any, kw keywords) any {
	if f := r.template.options.Filters[name]; f != nil {
		return r.outside(name, f, x, args, kw)
	}
	f, ok := filters[name]
	if !ok {
		raise("no filter named '%s'", name)
	}
	if name == "tojson" && r.template.options.Chat {
		f = chatJSON
	}
	return r.invoke(f, x, args, kw)
}

// outside calls a filter of the options.
func (r *renderer) outside(name string, f Filter, x any, args []any, kw keywords) any {
	plain := func(v any) any {
		switch v := v.(type) {
		case nil, bool, int64, float64, string, *List, *Dict:
			return v
		case markup:
			return string(v)
		case *view, span, *iterator:
			return r.list(v)
		}
		known(v)
		raise("the filter '%s' takes no value of type %s", name, typeName(v))
		return nil
	}
	given := make([]any, len(args))
	for i, a := range args {
		given[i] = plain(a)
	}
	named := map[string]any{}
	for _, k := range kw {
		named[k.name] = plain(k.v)
	}
	out, err := f(plain(x), given, named)
	if err != nil {
		raise("the filter '%s': %v", name, err)
	}
	if s, ok := out.(string); ok {
		r.spend(len(s))
	}
	return out
}

// soft is a text as it is, and anything else as its text.
func soft(v any) any {
	if _, ok := text(v); ok {
		return v
	}
	return str(v)
}

// of calls a method of str on the value's text.
func (c *call) of(method string, args ...any) any {
	return c.r.invoke(textMethods[method], soft(c.self), args, nil)
}

// ignoringCase is v for comparisons without letters' case.
func ignoringCase(v any) any {
	if s, ok := text(v); ok {
		return lower(s)
	}
	return v
}

// path is the parts of an attribute such as "function.name" or 0.
func path(attribute any) []any {
	s, ok := text(attribute)
	if !ok {
		if attribute == nil {
			return nil
		}
		return []any{attribute}
	}
	var parts []any
	for _, p := range strings.Split(s, ".") {
		if allOf(p, isDigitRune) {
			i, ok := parseInt(p, 10)
			if !ok {
				raise("%q is no attribute", p)
			}
			parts = append(parts, i)
		} else {
			parts = append(parts, p)
		}
	}
	return parts
}

// follow goes along a path. otherwise, unless it is nil, stands for what is not there,
// at each step.
func (r *renderer) follow(v any, parts []any, otherwise any) any {
	for _, p := range parts {
		v = r.getItem(v, p)
		if otherwise != nil && isUndefined(v) {
			v = otherwise
		}
	}
	return v
}

// getter is how a filter with the arguments attribute and case_sensitive sees an item.
func (c *call) getter(attribute, caseSensitive any) func(any) any {
	parts := path(attribute)
	fold := !truth(caseSensitive)
	return func(v any) any {
		v = c.r.follow(v, parts, nil)
		if fold {
			v = ignoringCase(v)
		}
		return v
	}
}

func filterDefault(c *call) any {
	if isUndefined(c.self) || truth(c.arg(1, false)) && !truth(c.self) {
		return c.arg(0, "")
	}
	return c.self
}

func filterAttr(c *call) any {
	name, ok := text(c.args[0])
	if !ok {
		raise("attribute name must be string, not '%s'", typeName(c.args[0]))
	}
	if v, ok := c.r.attribute(c.self, name); ok {
		return v
	}
	return c.r.missing(c.self, name)
}

func filterInt(c *call) any {
	otherwise := c.arg(0, int64(0))
	known(c.self)
	switch v := c.self.(type) {
	case string, markup:
		s, _ := text(v)
		if base, ok := toInt(c.arg(1, int64(10))); ok {
			if i, ok := parseInt(s, base); ok {
				return i
			}
		}
		f, ok := parseFloat(s)
		if !ok {
			return otherwise
		}
		if i, ok, _ := truncated(f); ok {
			return i
		}
	case octets:
		if i, ok := parseInt(string(v), 10); ok {
			return i
		}
		raise("the filter int of bytes is not supported")
	case float64:
		i, ok, overflow := truncated(v)
		if overflow {
			raise("cannot convert float infinity to integer")
		}
		if ok {
			return i
		}
	default:
		if isInt(v) {
			return integer(toBig(v))
		}
	}
	return otherwise
}

func filterFloat(c *call) any {
	known(c.self)
	if isNumber(c.self) {
		return toFloat(c.self)
	}
	if s, ok := text(c.self); ok {
		if f, ok := parseFloat(s); ok {
			return f
		}
	}
	if b, ok := c.self.(octets); ok {
		if f, ok := parseFloat(string(b)); ok {
			return f
		}
	}
	return c.arg(0, 0.0)
}

func filterAbs(c *call) any {
	switch v := c.self.(type) {
	case float64:
		return math.Abs(v)
	default:
		if isInt(v) {
			return integer(new(big.Int).Abs(toBig(v)))
		}
	}
	known(c.self)
	raise("bad operand type for abs(): '%s'", typeName(c.self))
	return nil
}

func filterRound(c *call) any {
	method := c.arg(1, "common")
	precision := c.arg(0, int64(0))
	switch m, _ := text(method); m {
	case "common":
		if !isNumber(c.self) {
			known(c.self)
			raise("type %s doesn't define __round__ method", typeName(c.self))
		}
		if precision == nil {
			f, ok := c.self.(float64)
			if !ok {
				return integer(toBig(c.self))
			}
			i, ok, _ := truncated(math.RoundToEven(f))
			if !ok {
				raise("cannot convert float %s to integer", floatText(f))
			}
			return i
		}
		if !isInt(precision) {
			known(precision)
			raise("'%s' object cannot be interpreted as an integer", typeName(precision))
		}
		return rounded(c.self, bound(precision))
	case "ceil", "floor":
		scale := c.r.operate("**", int64(10), precision)
		x := c.r.operate("*", c.self, scale)
		f, ok := x.(float64)
		if !ok {
			if !isInt(x) {
				raise("must be real number, not %s", typeName(x))
			}
			return c.r.operate("/", x, scale)
		}
		if m == "ceil" {
			f = math.Ceil(f)
		} else {
			f = math.Floor(f)
		}
		i, ok, _ := truncated(f)
		if !ok {
			raise("cannot convert float %s to integer", floatText(f))
		}
		return c.r.operate("/", i, scale)
	}
	hashKey(method)
	raise("method must be common, ceil or floor")
	return nil
}

func filterFileSize(c *call) any {
	known(c.self)
	bytes, ok := 0.0, false
	if isNumber(c.self) {
		bytes, ok = toFloat(c.self), true
	} else if s, isText := text(c.self); isText {
		bytes, ok = parseFloat(s)
	}
	if !ok {
		raise("could not convert to float: %s", repr(c.self))
	}
	base, names := 1000.0, []string{"kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"}
	if truth(c.arg(0, false)) {
		base, names = 1024, []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"}
	}
	if bytes == 1 {
		return "1 Byte"
	}
	if bytes < base {
		i, ok, _ := truncated(bytes)
		if !ok {
			raise("cannot convert float %s to integer", floatText(bytes))
		}
		return str(i) + " Bytes"
	}
	unit := big.NewInt(int64(base))
	for i, name := range names {
		unit.Mul(unit, big.NewInt(int64(base)))
		// Not its float: 10**24 has none.
		order, ok := compareNumbers(bytes, integer(new(big.Int).Set(unit)))
		if ok && order < 0 || i == len(names)-1 {
			return formatted(base*bytes/toFloat(unit), ".1f") + " " + name
		}
	}
	return nil
}

func filterLength(c *call) any {
	n, ok := length(c.self)
	if !ok {
		raise("object of type '%s' has no len()", typeName(c.self))
	}
	return n
}

func filterFirst(c *call) any {
	if v, ok := c.r.iterate(c.self).next(); ok {
		return v
	}
	return c.r.undefined("No first item, sequence was empty.")
}

func filterLast(c *call) any {
	next, ok := c.r.reversed(c.self)
	if !ok {
		raise("'%s' object is not reversible", typeName(c.self))
	}
	if v, ok := next.next(); ok {
		return v
	}
	return c.r.undefined("No last item, sequence was empty.")
}

// reversed is Python's reversed; ok is false where a value has no end to begin at.
func (r *renderer) reversed(v any) (it *iterator, ok bool) {
	if _, once := v.(*iterator); once {
		return nil, false
	}
	if u, ok := v.(*undefined); ok && u.strict {
		u.fail()
	}
	if _, ok := length(v); !ok {
		return nil, false
	}
	if _, ok := v.(*loop); ok {
		return nil, false
	}
	items := slices.Clone(r.items(v))
	slices.Reverse(items)
	return over(items), true
}

func filterReverse(c *call) any {
	if _, ok := text(c.self); ok {
		return c.r.slice(c.self, nil, nil, int64(-1))
	}
	if it, ok := c.r.reversed(c.self); ok {
		return it
	}
	it, ok := c.r.tryIterate(c.self)
	if !ok {
		raise("argument must be iterable")
	}
	l := c.r.list(it)
	slices.Reverse(l.items)
	return l
}

func filterRandom(c *call) any {
	n, ok := length(c.self)
	if !ok {
		raise("object of type '%s' has no len()", typeName(c.self))
	}
	if n > 1 {
		raise("the filter random, which chooses by chance, is not supported")
	}
	if n == 0 {
		return c.r.undefined("No random item, sequence was empty.")
	}
	v, ok := c.r.subscript(c.self, int64(0))
	if !ok {
		raise("'%s' object is not subscriptable", typeName(c.self))
	}
	return v
}

func filterJoin(c *call) any {
	items := c.r.items(c.self)
	parts := make([]any, len(items))
	along := path(c.arg(1, nil))
	for i, v := range items {
		parts[i] = c.r.follow(v, along, nil)
	}
	d := c.arg(0, "")
	texts := make([]string, len(parts))
	if !c.r.autoescape {
		for i, v := range parts {
			texts[i] = str(v)
		}
		return c.r.joined(texts, str(d))
	}
	// As soon as one is markup, all others are escaped.
	isMarkup := false
	for _, v := range append([]any{d}, parts...) {
		_, ok := v.(markup)
		isMarkup = isMarkup || ok
	}
	if !isMarkup {
		for i, v := range parts {
			texts[i] = str(v)
		}
		return c.r.joined(texts, str(d))
	}
	for i, v := range parts {
		texts[i] = string(escape(v))
	}
	return markup(c.r.joined(texts, string(escape(d))))
}

func filterItems(c *call) any {
	done := false
	var next func() (any, bool)
	return &iterator{func() (any, bool) {
		if next == nil && !done {
			switch d := c.self.(type) {
			case *Dict:
				next = over((&view{d, "items"}).items()).next
			case *undefined:
				done = true
			default:
				raise("Can only get item pairs from a mapping.")
			}
		}
		if done {
			return nil, false
		}
		return next()
	}}
}

// pairs are what Python's value.items() gives.
func (c *call) pairs() []any {
	d, ok := c.self.(*Dict)
	if !ok {
		known(c.self)
		if ns, ok := c.self.(*namespace); ok {
			if _, ok := ns.of.at["items"]; ok {
				raise("a namespace with 'items' is not supported here")
			}
		}
		raise("'%s' object has no attribute 'items'", typeName(c.self))
	}
	return (&view{d, "items"}).items()
}

func filterDictsort(c *call) any {
	place := 0
	switch by, _ := text(c.arg(1, "key")); by {
	case "key":
	case "value":
		place = 1
	default:
		raise(`You can only sort by either "key" or "value"`)
	}
	sensitive := truth(c.arg(0, false))
	return c.sorted(c.pairs(), c.arg(2, false), func(v any) any {
		v = v.(*List).items[place]
		if !sensitive {
			v = ignoringCase(v)
		}
		return v
	})
}

// sorted is Python's sorted, with its key and reverse.
func (c *call) sorted(items []any, reverse any, key func(any) any) *List {
	keys := make([]any, len(items))
	order := make([]int, len(items))
	for i, v := range items {
		keys[i], order[i] = key(v), i
	}
	down := truth(reverse)
	c.r.sortStable(order, func(i, j int) bool {
		if down {
			i, j = j, i
		}
		return c.r.ordered("<", keys[i], keys[j], 0)
	})
	l := &List{items: make([]any, len(items))}
	for i, at := range order {
		l.items[i] = items[at]
	}
	return l
}

func filterSort(c *call) any {
	attributes := []any{c.arg(2, nil)}
	if s, ok := text(attributes[0]); ok {
		attributes = nil
		for _, a := range strings.Split(s, ",") {
			attributes = append(attributes, a)
		}
	}
	getters := make([]func(any) any, len(attributes))
	for i, a := range attributes {
		getters[i] = c.getter(a, c.arg(1, false))
	}
	return c.sorted(c.r.items(c.self), c.arg(0, false), func(v any) any {
		key := &List{items: make([]any, len(getters))}
		for i, get := range getters {
			key.items[i] = get(v)
		}
		return key
	})
}

func filterGroupBy(c *call) any {
	parts, otherwise := path(c.args[0]), c.arg(1, nil)
	sensitive := truth(c.arg(2, false))
	key := func(v any) any {
		v = c.r.follow(v, parts, otherwise)
		if !sensitive {
			v = ignoringCase(v)
		}
		return v
	}
	out := &List{}
	var last any
	for _, v := range c.sorted(c.r.items(c.self), false, key).items {
		k := key(v)
		if len(out.items) == 0 || !c.r.equal(last, k) {
			grouper := k
			if !sensitive {
				grouper = c.r.follow(v, parts, otherwise)
			}
			out.items = append(out.items, &List{items: []any{grouper, &List{}}, tuple: true, group: true})
			last = k
		}
		group := out.items[len(out.items)-1].(*List).items[1].(*List)
		group.items = append(group.items, v)
	}
	return out
}

// generator gives values of a function that is not called before the first is asked
// for, as Python's generators are.
func generator(begin func() func() (any, bool)) *iterator {
	var next func() (any, bool)
	return &iterator{func() (any, bool) {
		if next == nil {
			next = begin()
		}
		return next()
	}}
}

func filterUnique(c *call) any {
	get := c.getter(c.arg(1, nil), c.arg(0, false))
	return generator(func() func() (any, bool) {
		next := c.r.iterate(c.self).next
		seen := map[any]bool{}
		return func() (any, bool) {
			for {
				c.r.step()
				v, ok := next()
				if !ok {
					return nil, false
				}
				if k := hashKey(get(v)); !seen[k] {
					seen[k] = true
					return v, true
				}
			}
		}
	})
}

// extreme is the first of the items that no other is less, or greater, than.
func (c *call) extreme(op string) any {
	items := c.r.items(c.self)
	if len(items) == 0 {
		return c.r.undefined("No aggregated item, sequence was empty.")
	}
	get := c.getter(c.arg(1, nil), c.arg(0, false))
	best := items[0]
	key := get(best)
	for _, v := range items[1:] {
		if k := get(v); c.r.ordered(op, k, key, 0) {
			best, key = v, k
		}
	}
	return best
}

func filterSum(c *call) any {
	total := c.arg(1, int64(0))
	switch total.(type) {
	case string, markup, octets:
		raise("sum() can't sum strings")
	}
	var along []any
	if a := c.arg(0, nil); a != nil {
		along = path(a)
	}
	for _, v := range c.r.items(c.self) {
		c.r.step()
		total = c.r.add(total, c.r.follow(v, along, nil))
	}
	return total
}

func filterBatch(c *call) any {
	fill := c.arg(1, nil)
	return generator(func() func() (any, bool) {
		next := c.r.iterate(c.self).next
		ended := false
		var ahead *List
		return func() (any, bool) {
			if ended {
				return nil, false
			}
			row := &List{}
			if ahead != nil {
				row, ahead = ahead, nil
			}
			for {
				c.r.step()
				v, ok := next()
				if !ok {
					break
				}
				if c.r.equal(int64(len(row.items)), c.args[0]) {
					ahead = NewList(v)
					return row, true
				}
				row.items = append(row.items, v)
			}
			ended = true
			if len(row.items) == 0 {
				return nil, false
			}
			if fill != nil && c.r.ordered("<", int64(len(row.items)), c.args[0], 0) {
				missing := c.r.operate("-", c.args[0], int64(len(row.items)))
				row = c.r.add(row, c.r.operate("*", NewList(fill), missing)).(*List)
			}
			return row, true
		}
	})
}

func filterSlice(c *call) any {
	fill := c.arg(1, nil)
	return generator(func() func() (any, bool) {
		items := c.r.list(c.self).items
		n := int64(len(items))
		each := c.r.operate("//", n, c.args[0])
		extra := c.r.operate("%", n, c.args[0])
		slices, ok := toInt(c.args[0])
		if !ok {
			raise("'%s' object cannot be interpreted as an integer", typeName(c.args[0]))
		}
		perSlice, more := each.(int64), extra.(int64)
		k, offset := int64(0), int64(0)
		return func() (any, bool) {
			if k >= slices {
				return nil, false
			}
			c.r.step()
			start := offset + k*perSlice
			if k < more {
				offset++
			}
			row := &List{items: append([]any{}, items[start:offset+(k+1)*perSlice]...)}
			if fill != nil && k >= more {
				row.items = append(row.items, fill)
			}
			k++
			return row, true
		}
	})
}

// choose keeps the items for which a test (or their own truth) is as wanted; with
// byAttribute the test looks at the attribute that the first argument names.
func (c *call) choose(byAttribute, wanted bool) any {
	return generator(func() func() (any, bool) {
		if !truth(c.self) {
			return func() (any, bool) { return nil, false }
		}
		args := c.rest
		var parts []any
		if byAttribute {
			if len(args) == 0 {
				raise("Missing parameter for attribute name")
			}
			parts, args = path(args[0]), args[1:]
		}
		next := c.r.iterate(c.self).next
		return func() (any, bool) {
			for {
				c.r.step()
				v, ok := next()
				if !ok {
					return nil, false
				}
				x := c.r.follow(v, parts, nil)
				if len(args) > 0 {
					name, ok := text(args[0])
					if !ok {
						hashKey(args[0])
						raise("no test named %s", repr(args[0]))
					}
					x = c.r.test(name, x, args[1:], c.kw)
				}
				if truth(x) == wanted {
					return v, true
				}
			}
		}
	})
}

// filterMap takes an attribute of each item, or applies the filter that the first
// argument names.
func filterMap(c *call) any {
	return generator(func() func() (any, bool) {
		if !truth(c.self) {
			return func() (any, bool) { return nil, false }
		}
		apply := c.mapped()
		next := c.r.iterate(c.self).next
		return func() (any, bool) {
			c.r.step()
			v, ok := next()
			if !ok {
				return nil, false
			}
			return apply(v), true
		}
	})
}

func (c *call) mapped() func(any) any {
	if attribute, ok := c.kw.get("attribute"); ok && len(c.rest) == 0 {
		otherwise, _ := c.kw.get("default")
		for _, k := range c.kw {
			if k.name != "attribute" && k.name != "default" {
				raise("Unexpected keyword argument '%s'", k.name)
			}
		}
		parts := path(attribute)
		return func(v any) any { return c.r.follow(v, parts, otherwise) }
	}
	if len(c.rest) == 0 {
		raise("map requires a filter argument")
	}
	name, ok := text(c.rest[0])
	if !ok {
		hashKey(c.rest[0])
		raise("no filter named %s", repr(c.rest[0]))
	}
	return func(v any) any { return c.r.applyFilter(name, v, c.rest[1:], c.kw) }
}
