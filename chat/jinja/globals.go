package jinja

// globals are the functions that every template knows, as Jinja2 and Transformers
// give them.
var (
	globals      map[string]*signature
	dictFunction *signature
	fromKeys     *signature
)

// chatOnly are those that Transformers adds.
var chatOnly = map[string]bool{"raise_exception": true, "strftime_now": true}

// maxRange is the sandbox's own bound.
const maxRange = 100000

func makeGlobals() {
	globals = methods(map[string]method{
		"raise_exception": {"message", func(c *call) any {
			panic(&Error{0, str(c.args[0])}) // the template's own words
		}},
		"strftime_now": {"format", func(c *call) any { return strftime(c.r, c.text(0, "")) }},
		"namespace": {"* **", func(c *call) any {
			d := c.dict()
			for _, k := range d.keys {
				c.r.nameMember(k)
			}
			return &namespace{d}
		}},
		"dict":  {"* **", func(c *call) any { return c.dict() }},
		"range": {"start stop? step? /", func(c *call) any { return newSpan(c) }},
		"cycler": {"*", func(c *call) any {
			if len(c.rest) == 0 {
				raise("at least one item has to be provided")
			}
			return &cycler{items: c.rest}
		}},
		"joiner": {"sep?", func(c *call) any { return &joiner{separator: c.arg(0, ", ")} }},
		"lipsum": {"n? html? min? max?", func(c *call) any {
			raise("lipsum, whose text is made by chance, is not supported")
			return nil
		}},
	})
	dictFunction = globals["dict"]
	fromKeys = function("fromkeys", "iterable value? /", fromKeysOf)
	cyclerMethods = methods(map[string]method{
		"next": {"", func(c *call) any {
			x := c.self.(*cycler)
			v := x.items[x.at]
			x.at = (x.at + 1) % len(x.items)
			return v
		}},
		"reset": {"", func(c *call) any {
			c.self.(*cycler).at = 0
			return nil
		}},
	})
	joinerCall = function("joiner", "", func(c *call) any {
		j := c.self.(*joiner)
		if j.used {
			return j.separator
		}
		j.used = true
		return ""
	})
}

// dict is Python's dict of a mapping or of pairs, and of arguments by name.
func (c *call) dict() *Dict {
	if len(c.rest) > 1 {
		raise("dict expected at most 1 argument, got %d", len(c.rest))
	}
	d := NewDict()
	if len(c.rest) == 1 {
		c.r.update(d, c.rest[0])
	}
	for _, k := range c.kw {
		d.set(k.name, k.v)
	}
	return d
}

func newSpan(c *call) span {
	var n [3]int64
	for i := range n {
		if !c.has(i) {
			continue
		}
		v, ok := toInt(c.args[i])
		if !ok {
			small(c.args[i], "an argument of range")
		}
		n[i] = v
	}
	s := span{from: n[0], to: n[1], by: 1}
	if !c.has(1) {
		s.from, s.to = 0, n[0]
	}
	if c.has(2) {
		if s.by = n[2]; s.by == 0 {
			raise("range() arg 3 must not be zero")
		}
	}
	if s.by > 0 && s.from < s.to {
		s.n = int64((uint64(s.to)-uint64(s.from)-1)/uint64(s.by)) + 1
	} else if s.by < 0 && s.from > s.to {
		s.n = int64((uint64(s.from)-uint64(s.to)-1)/magnitude(s.by)) + 1
	}
	if s.n > maxRange || s.n < 0 {
		raise("the sandbox blocks ranges larger than %d", maxRange)
	}
	return s
}

// cycler is Jinja2's: it gives its items one after the other, again and again.
type cycler struct {
	items []any
	at    int
}

var cyclerMethods map[string]*signature

// joiner is Jinja2's: nothing when it is called first, and then its separator.
type joiner struct {
	separator any
	used      bool
}

var joinerCall *signature
