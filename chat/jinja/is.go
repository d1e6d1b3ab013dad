package jinja

import (
	"slices"
	"strings"
)

// test says what stands behind "is" about x.
type test = func(r *renderer, x any, args []any, line int) bool

// tests are those that templates may use by name.
var tests map[string]test

// The tests filter and test look names up in the tables themselves, so that they
// can't be filled where they are declared.
func init() {
	is := func(types ...string) func(*renderer, any, []any, int) bool {
		return func(_ *renderer, x any, _ []any, _ int) bool { return slices.Contains(types, typeName(x)) }
	}
	compare := func(op string) func(*renderer, any, []any, int) bool {
		return func(r *renderer, x any, args []any, line int) bool {
			return r.compare(op, x, arg(args, 0, undefined{"the test's argument"}), line)
		}
	}
	tests = map[string]test{
		"defined":   func(_ *renderer, x any, _ []any, _ int) bool { return !isUndefined(x) },
		"undefined": is("Undefined"),
		"none":      is("NoneType"),
		"boolean":   is("bool"),
		"string":    is("str"),
		"integer":   is("int"),
		"float":     is("float"),
		"number":    is("int", "float", "bool"),
		"mapping":   is("dict"),
		"sequence":  is("str", "list", "tuple", "dict", "Undefined"),
		"iterable":  is("str", "list", "tuple", "dict", "Undefined"),
		"true":      func(_ *renderer, x any, _ []any, _ int) bool { return x == true },
		"false":     func(_ *renderer, x any, _ []any, _ int) bool { return x == false },
		"callable": func(_ *renderer, x any, _ []any, _ int) bool {
			_, ok := x.(function)
			return ok
		},
		"odd": func(_ *renderer, x any, _ []any, _ int) bool {
			i, ok := toInt(x)
			return ok && i%2 != 0
		},
		"even": func(_ *renderer, x any, _ []any, _ int) bool {
			i, ok := toInt(x)
			return ok && i%2 == 0
		},
		"divisibleby": func(r *renderer, x any, args []any, line int) bool {
			return !truth(r.arithmetic("%", x, arg(args, 0, int64(1)), line))
		},
		"lower": func(_ *renderer, x any, _ []any, _ int) bool { return str(x) == strings.ToLower(str(x)) },
		"upper": func(_ *renderer, x any, _ []any, _ int) bool { return str(x) == strings.ToUpper(str(x)) },
		"in": func(r *renderer, x any, args []any, line int) bool {
			return r.contains(arg(args, 0, undefined{"the test's argument"}), x, line)
		},
		"sameas":  func(_ *renderer, x any, args []any, _ int) bool { return same(x, arg(args, 0, undefined{})) },
		"filter":  func(_ *renderer, x any, _ []any, _ int) bool { return known(filters, x) },
		"test":    func(_ *renderer, x any, _ []any, _ int) bool { return known(tests, x) },
		"equalto": compare("=="), "eq": compare("=="), "==": compare("=="), "ne": compare("!="),
		"lt": compare("<"), "lessthan": compare("<"), "le": compare("<="), "gt": compare(">"), "greaterthan": compare(">"), "ge": compare(">="),
	}
}

// same is Python's "is": one and the same object, or equal constants of one type.
func same(a, b any) bool {
	switch a.(type) {
	case nil, bool, int64, float64, string, *List, *Dict:
		return a == b
	}
	return false
}

// known says whether x is a name in a table.
func known[T any](table map[string]T, x any) bool {
	_, ok := table[str(x)]
	return ok
}

// test asks the test of that name.
func (r *renderer) test(name string, x any, args []any, line int) bool {
	t, ok := tests[name]
	if !ok {
		r.fail(line, "no test named '%s'", name)
	}
	return t(r, x, args, line)
}
