package jinja

// tests are those that templates may use behind "is".
var tests map[string]*signature

// The tests filter and test look names up in the tables themselves, so that they
// can't be filled where they are declared.
func makeTests() {
	is := func(types ...string) method {
		return method{"", func(c *call) any {
			for _, t := range types {
				if typeName(c.self) == t {
					return true
				}
			}
			return false
		}}
	}
	compare := func(op string) method {
		return method{"b /", func(c *call) any { return c.r.compare(op, c.self, c.args[0]) }}
	}
	remainder := func(of any, want int64) func(c *call) any {
		return func(c *call) any { return c.r.equal(c.r.operate("%", c.self, of), want) }
	}
	tests = methods(map[string]method{
		"defined":   {"", func(c *call) any { return !isUndefined(c.self) }},
		"undefined": {"", func(c *call) any { return isUndefined(c.self) }},
		"none":      is("NoneType"),
		"boolean":   is("bool"),
		"string":    is("str", "Markup"),
		"integer":   is("int"),
		"float":     is("float"),
		"number":    is("int", "float", "bool"),
		"mapping":   is("dict"),
		"sequence": {"", func(c *call) any {
			switch c.self.(type) {
			case string, markup, octets, *List, *Dict, span:
				return true
			case *undefined:
				return !c.self.(*undefined).strict
			}
			return false
		}},
		"iterable": {"", func(c *call) any {
			switch c.self.(type) {
			case *loop, templateReference:
				return true
			}
			_, ok := c.r.tryIterate(c.self)
			return ok
		}},
		"true":     {"", func(c *call) any { return c.self == true }},
		"false":    {"", func(c *call) any { return c.self == false }},
		"callable": {"", func(c *call) any { return callable(c.self) }},
		"escaped": {"", func(c *call) any {
			_, ok := c.self.(markup)
			return ok
		}},
		"odd":         {"", remainder(int64(2), 1)},
		"even":        {"", remainder(int64(2), 0)},
		"divisibleby": {"num", func(c *call) any { return c.r.equal(c.r.operate("%", c.self, c.args[0]), int64(0)) }},
		"lower":       {"", func(c *call) any { return oneCase(str(c.self), isLowerRune, isUpperRune) }},
		"upper":       {"", func(c *call) any { return oneCase(str(c.self), isUpperRune, isLowerRune) }},
		"in":          {"seq", func(c *call) any { return c.r.contains(c.args[0], c.self) }},
		"sameas":      {"other", func(c *call) any { return c.r.identical(c.self, c.args[0]) }},
		"filter": {"", func(c *call) any {
			name, ok := text(hashable(c.self))
			return ok && c.r.template.options.hasFilter(name)
		}},
		"test": {"", func(c *call) any {
			name, ok := text(hashable(c.self))
			return ok && tests[name] != nil
		}},
		"==": compare("=="), "eq": compare("=="), "equalto": compare("=="), "!=": compare("!="), "ne": compare("!="),
		"<": compare("<"), "lt": compare("<"), "lessthan": compare("<"), "<=": compare("<="), "le": compare("<="),
		">": compare(">"), "gt": compare(">"), "greaterthan": compare(">"), ">=": compare(">="), "ge": compare(">="),
	})
	for name, t := range tests {
		t.label = "the test '" + name + "'"
	}
}

// hashable is v, or the error of looking it up in a mapping.
func hashable(v any) any {
	hashKey(v)
	return v
}
