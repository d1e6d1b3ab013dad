package chat

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// globals are the names that every template knows, as Transformers gives them.
var globals = map[string]any{}

// tests stand behind "is".
var tests map[string]func(r *renderer, x any, args []any, line int) bool

func init() {
	globals["raise_exception"] = function(func(r *renderer, args []any, _ map[string]any) any {
		r.fail(0, "%s", str(arg(args, 0, "")))
		return nil
	})
	globals["namespace"] = function(func(r *renderer, args []any, kw map[string]any) any {
		d := newDict()
		for _, a := range args {
			if x, ok := a.(*dict); ok {
				for _, k := range x.keys {
					d.set(k, x.m[k])
				}
			}
		}
		for _, k := range sortedNames(kw) {
			d.set(k, kw[k])
		}
		return namespace{d}
	})
	globals["dict"] = function(func(_ *renderer, _ []any, kw map[string]any) any {
		d := newDict()
		for _, k := range sortedNames(kw) {
			d.set(k, kw[k])
		}
		return d
	})
	globals["range"] = function(func(r *renderer, args []any, _ map[string]any) any {
		var n [3]int64
		for i, a := range args[:min(len(args), 3)] {
			v, ok := toInt(a)
			if !ok {
				r.fail(0, "range needs integers, not %s", typeName(a))
			}
			n[i] = v
		}
		from, to, by := int64(0), n[0], int64(1)
		if len(args) > 1 {
			from, to = n[0], n[1]
		}
		if len(args) > 2 {
			by = n[2]
		}
		l := &list{}
		if by == 0 {
			r.fail(0, "range() arg 3 must not be zero")
		}
		for i := from; by > 0 && i < to || by < 0 && i > to; i += by {
			if len(l.items) > 100000 {
				r.fail(0, "range is too long")
			}
			l.items = append(l.items, i)
		}
		return l
	})
	globals["strftime_now"] = function(func(r *renderer, args []any, _ map[string]any) any {
		return strftime(r, str(arg(args, 0, "")))
	})
	is := func(types ...string) func(*renderer, any, []any, int) bool {
		return func(_ *renderer, x any, _ []any, _ int) bool { return slices.Contains(types, typeName(x)) }
	}
	compare := func(op string) func(*renderer, any, []any, int) bool {
		return func(r *renderer, x any, args []any, line int) bool {
			return r.compare(op, x, arg(args, 0, undefined{"the test's argument"}), line)
		}
	}
	tests = map[string]func(*renderer, any, []any, int) bool{
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
		"sameas":  compare("=="),
		"equalto": compare("=="), "eq": compare("=="), "==": compare("=="), "ne": compare("!="),
		"lt": compare("<"), "lessthan": compare("<"), "le": compare("<="), "gt": compare(">"), "greaterthan": compare(">"), "ge": compare(">="),
	}
}

func arg(args []any, i int, otherwise any) any {
	if i < len(args) {
		return args[i]
	}
	return otherwise
}

// named is an argument by position or name.
func named(args []any, kw map[string]any, i int, name string, otherwise any) any {
	if v, ok := kw[name]; ok {
		return v
	}
	return arg(args, i, otherwise)
}

func sortedNames(kw map[string]any) []string {
	names := make([]string, 0, len(kw))
	for k := range kw {
		names = append(names, k)
	}
	slices.Sort(names)
	return names
}

func sortedKeys(d *dict) []any {
	keys := slices.Clone(d.keys)
	slices.SortStableFunc(keys, func(a, b any) int {
		if isNumber(a) && isNumber(b) {
			return cmp.Compare(toFloat(a), toFloat(b))
		}
		return strings.Compare(str(a), str(b))
	})
	return keys
}

var monthNames = []string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}

// strftime writes the time of the rendering.
func strftime(r *renderer, format string) string {
	t := r.now()
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		plain := format[i] == '-' && i+1 < len(format) // %-d: no leading zero
		if plain {
			i++
		}
		two := func(n int) {
			if n < 10 && !plain {
				b.WriteByte('0')
			}
			b.WriteString(strconv.Itoa(n))
		}
		switch format[i] {
		case 'd':
			two(t.Day())
		case 'm':
			two(int(t.Month()))
		case 'y':
			two(t.Year() % 100)
		case 'Y':
			b.WriteString(strconv.Itoa(t.Year()))
		case 'B':
			b.WriteString(monthNames[t.Month()-1])
		case 'b':
			b.WriteString(monthNames[t.Month()-1][:3])
		case 'A':
			b.WriteString(t.Weekday().String())
		case 'a':
			b.WriteString(t.Weekday().String()[:3])
		case 'H':
			two(t.Hour())
		case 'I':
			two((t.Hour()+11)%12 + 1)
		case 'M':
			two(t.Minute())
		case 'S':
			two(t.Second())
		case 'p':
			b.WriteString(t.Format("PM"))
		case 'j':
			b.WriteString(strconv.Itoa(1000 + t.YearDay())[1:])
		case 'Z':
			name, _ := t.Zone()
			b.WriteString(name)
		case '%':
			b.WriteByte('%')
		default:
			r.fail(0, "strftime_now does not know %%%c", format[i])
		}
	}
	return b.String()
}

// changing are the methods by which Python changes a value; the sandbox of
// Transformers refuses them.
var changing = map[string][]string{
	"list": {"append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"},
	"dict": {"clear", "pop", "popitem", "setdefault", "update"},
}

// method returns a method of x.
func (r *renderer) method(x any, name string, line int) (any, bool) {
	if slices.Contains(changing[typeName(x)], name) {
		r.fail(line, "access to attribute '%s' of '%s' object is unsafe", name, typeName(x))
	}
	switch v := x.(type) {
	case undefined:
		r.fail(line, "'%s' is undefined", v.name)
	case string:
		if m, ok := stringMethods[name]; ok {
			return function(func(r *renderer, args []any, kw map[string]any) any {
				r.steps += len(v) / 256
				return m(r, v, args, kw, line)
			}), true
		}
	case *dict:
		switch name {
		case "items":
			return function(func(*renderer, []any, map[string]any) any { return itemsOf(v, v.keys) }), true
		case "keys":
			return function(func(*renderer, []any, map[string]any) any { return &list{items: slices.Clone(v.keys)} }), true
		case "values":
			return function(func(*renderer, []any, map[string]any) any {
				l := &list{}
				for _, k := range v.keys {
					l.items = append(l.items, v.m[k])
				}
				return l
			}), true
		case "get":
			return function(func(_ *renderer, args []any, kw map[string]any) any {
				if f, ok := v.get(arg(args, 0, nil)); ok {
					return f
				}
				return named(args, kw, 1, "default", nil)
			}), true
		case "copy":
			return function(func(*renderer, []any, map[string]any) any { return v }), true
		}
	case *list:
		switch name {
		case "index", "count":
			return function(func(r *renderer, args []any, _ map[string]any) any {
				n := int64(0)
				for i, e := range v.items {
					if equal(e, arg(args, 0, nil)) {
						if name == "index" {
							return int64(i)
						}
						n++
					}
				}
				if name == "index" {
					r.fail(line, "%s is not in list", repr(arg(args, 0, nil)))
				}
				return n
			}), true
		}
	}
	return nil, false
}

func itemsOf(d *dict, keys []any) *list {
	l := &list{}
	for _, k := range keys {
		l.items = append(l.items, &list{items: []any{k, d.m[k]}, tuple: true})
	}
	return l
}

// strip cuts white space, or the characters of chars, off.
func strip(s string, chars any, left, right bool) string {
	cut := func(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }
	if c, ok := chars.(string); ok {
		cut = func(r rune) bool { return strings.ContainsRune(c, r) }
	}
	if left {
		s = strings.TrimLeftFunc(s, cut)
	}
	if right {
		s = strings.TrimRightFunc(s, cut)
	}
	return s
}

func capitalize(s string) string {
	for i, c := range s {
		return string(unicode.ToTitle(c)) + strings.ToLower(s[i+len(string(c)):])
	}
	return s
}

func title(s string) string {
	var b strings.Builder
	inside := false
	for _, c := range s {
		if inside {
			b.WriteRune(unicode.ToLower(c))
		} else {
			b.WriteRune(unicode.ToTitle(c))
		}
		inside = unicode.IsLetter(c)
	}
	return b.String()
}

func stringsList(parts []string) *list {
	l := &list{}
	for _, p := range parts {
		l.items = append(l.items, p)
	}
	return l
}

// affixes are the texts of startswith's argument, a string or a tuple of them.
func (r *renderer) affixes(v any, line int) []string {
	if l, ok := v.(*list); ok {
		var out []string
		for _, x := range l.items {
			out = append(out, str(x))
		}
		return out
	}
	return []string{r.text(v, line)}
}

func (r *renderer) text(v any, line int) string {
	s, ok := v.(string)
	if !ok {
		r.fail(line, "a string is needed, not %s", typeName(v))
	}
	return s
}

var stringMethods map[string]func(r *renderer, s string, args []any, kw map[string]any, line int) any

func init() {
	type method = func(r *renderer, s string, args []any, kw map[string]any, line int) any
	trim := func(left, right bool) method {
		return func(_ *renderer, s string, args []any, _ map[string]any, _ int) any {
			return strip(s, arg(args, 0, nil), left, right)
		}
	}
	plain := func(f func(string) string) method {
		return func(_ *renderer, s string, _ []any, _ map[string]any, _ int) any { return f(s) }
	}
	all := func(f func(rune) bool) method {
		return func(_ *renderer, s string, _ []any, _ map[string]any, _ int) any {
			return s != "" && strings.IndexFunc(s, func(c rune) bool { return !f(c) }) < 0
		}
	}
	find := func(index func(s, sub string) int) method {
		return func(r *renderer, s string, args []any, _ map[string]any, line int) any {
			i := index(s, r.text(arg(args, 0, nil), line))
			if i < 0 {
				return int64(-1)
			}
			return runeLen(s[:i])
		}
	}
	stringMethods = map[string]method{
		"strip": trim(true, true), "lstrip": trim(true, false), "rstrip": trim(false, true),
		"upper": plain(strings.ToUpper), "lower": plain(strings.ToLower), "capitalize": plain(capitalize), "title": plain(title),
		"isdigit": all(unicode.IsDigit), "isalpha": all(unicode.IsLetter), "isspace": all(unicode.IsSpace), "isnumeric": all(unicode.IsNumber),
		"isalnum": all(func(c rune) bool { return unicode.IsLetter(c) || unicode.IsNumber(c) }),
		"find":    find(strings.Index), "rfind": find(strings.LastIndex),
		"index": func(r *renderer, s string, args []any, kw map[string]any, line int) any {
			i := find(strings.Index)(r, s, args, kw, line)
			if i == int64(-1) {
				r.fail(line, "substring not found")
			}
			return i
		},
		"count": func(r *renderer, s string, args []any, _ map[string]any, line int) any {
			return int64(strings.Count(s, r.text(arg(args, 0, nil), line)))
		},
		"startswith": func(r *renderer, s string, args []any, _ map[string]any, line int) any {
			return slices.ContainsFunc(r.affixes(arg(args, 0, nil), line), func(p string) bool { return strings.HasPrefix(s, p) })
		},
		"endswith": func(r *renderer, s string, args []any, _ map[string]any, line int) any {
			return slices.ContainsFunc(r.affixes(arg(args, 0, nil), line), func(p string) bool { return strings.HasSuffix(s, p) })
		},
		"removeprefix": func(r *renderer, s string, args []any, _ map[string]any, line int) any {
			return strings.TrimPrefix(s, r.text(arg(args, 0, nil), line))
		},
		"removesuffix": func(r *renderer, s string, args []any, _ map[string]any, line int) any {
			return strings.TrimSuffix(s, r.text(arg(args, 0, nil), line))
		},
		"replace": func(r *renderer, s string, args []any, kw map[string]any, line int) any {
			return r.replace(s, args, kw, line)
		},
		"split": func(r *renderer, s string, args []any, kw map[string]any, line int) any {
			sep, most := named(args, kw, 0, "sep", nil), int64(-1)
			if n, ok := toInt(named(args, kw, 1, "maxsplit", int64(-1))); ok {
				most = n
			}
			if sep == nil {
				fields := strings.Fields(s)
				if most >= 0 && int64(len(fields)) > most+1 {
					var head []string
					rest := strings.TrimLeftFunc(s, unicode.IsSpace)
					for range most {
						i := strings.IndexFunc(rest, unicode.IsSpace)
						head = append(head, rest[:i])
						rest = strings.TrimLeftFunc(rest[i:], unicode.IsSpace)
					}
					fields = append(head, rest)
				}
				return stringsList(fields)
			}
			by := r.text(sep, line)
			if by == "" {
				r.fail(line, "empty separator")
			}
			if most < 0 {
				return stringsList(strings.Split(s, by))
			}
			return stringsList(strings.SplitN(s, by, int(min(most, 1<<30))+1))
		},
		"rsplit": func(r *renderer, s string, args []any, kw map[string]any, line int) any {
			by, most := r.text(named(args, kw, 0, "sep", nil), line), int64(-1)
			if n, ok := toInt(named(args, kw, 1, "maxsplit", int64(-1))); ok {
				most = n
			}
			if by == "" {
				r.fail(line, "empty separator")
			}
			parts := strings.Split(s, by)
			if most >= 0 && int64(len(parts)) > most+1 {
				n := len(parts) - int(most)
				parts = append([]string{strings.Join(parts[:n], by)}, parts[n:]...)
			}
			return stringsList(parts)
		},
		"splitlines": func(_ *renderer, s string, _ []any, _ map[string]any, _ int) any {
			s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
			if s == "" {
				return &list{}
			}
			return stringsList(strings.Split(strings.TrimSuffix(s, "\n"), "\n"))
		},
		"join": func(r *renderer, s string, args []any, _ map[string]any, line int) any {
			var parts []string
			for _, x := range r.iterate(arg(args, 0, nil), line) {
				parts = append(parts, r.text(x, line))
			}
			return strings.Join(parts, s)
		},
		"format": func(r *renderer, s string, args []any, kw map[string]any, line int) any {
			return r.format(s, args, kw, line)
		},
		"zfill": func(r *renderer, s string, args []any, _ map[string]any, line int) any {
			n, _ := toInt(arg(args, 0, int64(0)))
			return r.repeated("0", n-runeLen(s), line) + s
		},
	}
}

func (r *renderer) replace(s string, args []any, kw map[string]any, line int) string {
	old, with := r.text(arg(args, 0, nil), line), r.text(arg(args, 1, nil), line)
	n := int64(-1)
	if c, ok := toInt(named(args, kw, 2, "count", int64(-1))); ok {
		n = c
	}
	if len(with) > 0 && len(s)/max(len(old), 1)*len(with) > maxOutput {
		r.fail(line, "the template's text is too long")
	}
	return strings.Replace(s, old, with, int(n))
}

// format is Python's str.format for {}, {0} and {name}.
func (r *renderer) format(s string, args []any, kw map[string]any, line int) string {
	var b strings.Builder
	auto := 0
	for i := 0; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], "{{") || strings.HasPrefix(s[i:], "}}"):
			b.WriteByte(s[i])
			i++
		case s[i] == '{':
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				r.fail(line, "expected '}' before end of string")
			}
			field := s[i+1 : i+end]
			i += end
			var v any
			if n, err := strconv.Atoi(field); field == "" || err == nil {
				if field == "" {
					n, auto = auto, auto+1
				}
				if n < 0 || n >= len(args) {
					r.fail(line, "replacement index %d out of range", n)
				}
				v = args[n]
			} else if x, ok := kw[field]; ok {
				v = x
			} else {
				r.fail(line, "format field %q is not supported", field)
			}
			b.WriteString(str(v))
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// filter applies a filter.
func (r *renderer) filter(n *filterNode, x any, s *scope) any {
	r.step(n.line)
	args, kw := r.arguments(n.args, n.kw, s)
	return r.applyFilter(n.name, x, args, kw, n.line)
}

func (r *renderer) applyFilter(name string, x any, args []any, kw map[string]any, line int) any {
	sequence := func() []any { return r.iterate(x, line) }
	switch name {
	case "default", "d":
		if isUndefined(x) || truth(named(args, kw, 1, "boolean", false)) && !truth(x) {
			return named(args, kw, 0, "default_value", "")
		}
		return x
	case "tojson":
		return r.toJSON(x, args, kw, line)
	case "string":
		return str(x)
	case "safe", "e", "escape", "forceescape":
		if name != "safe" {
			return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "'", "&#39;", `"`, "&#34;").Replace(str(x))
		}
		return x
	case "trim":
		return strip(str(x), named(args, kw, 0, "chars", nil), true, true)
	case "lower":
		return strings.ToLower(str(x))
	case "upper":
		return strings.ToUpper(str(x))
	case "capitalize":
		return capitalize(str(x))
	case "title":
		return title(str(x))
	case "replace":
		return r.replace(str(x), args, kw, line)
	case "length", "count":
		switch v := x.(type) {
		case string:
			return runeLen(v)
		case *list, *dict, undefined:
			return int64(len(sequence()))
		}
		r.fail(line, "object of type '%s' has no len()", typeName(x))
	case "list":
		return &list{items: slices.Clone(sequence())}
	case "first", "last":
		items := sequence()
		if len(items) == 0 {
			return undefined{"No " + name + " item, sequence was empty."}
		}
		if name == "first" {
			return items[0]
		}
		return items[len(items)-1]
	case "join":
		attribute := named(args, kw, 1, "attribute", nil)
		var parts []string
		size := 0
		for _, v := range sequence() {
			if attribute != nil {
				v = r.path(v, attribute, line)
			}
			parts = append(parts, str(v))
			if size += len(parts[len(parts)-1]); size > maxOutput {
				r.fail(line, "the template's text is too long")
			}
		}
		return strings.Join(parts, str(named(args, kw, 0, "d", "")))
	case "items":
		switch d := x.(type) {
		case *dict:
			return itemsOf(d, d.keys)
		case undefined:
			return &list{}
		}
		r.fail(line, "Can only get item pairs from a mapping.")
	case "dictsort":
		d, ok := x.(*dict)
		if !ok {
			r.fail(line, "'%s' object has no attribute 'items'", typeName(x))
		}
		byValue := str(named(args, kw, 1, "by", "key")) == "value"
		sensitive := truth(named(args, kw, 0, "case_sensitive", false))
		items := itemsOf(d, d.keys)
		r.sort(items.items, sensitive, truth(named(args, kw, 2, "reverse", false)), line, func(v any) any {
			pair := v.(*list).items
			if byValue {
				return pair[1]
			}
			return pair[0]
		})
		return items
	case "sort":
		items := slices.Clone(sequence())
		attribute := named(args, kw, 2, "attribute", nil)
		r.sort(items, truth(named(args, kw, 1, "case_sensitive", false)), truth(named(args, kw, 0, "reverse", false)), line, func(v any) any {
			if attribute != nil {
				return r.path(v, attribute, line)
			}
			return v
		})
		return &list{items: items}
	case "reverse":
		if t, ok := x.(string); ok {
			runes := []rune(t)
			slices.Reverse(runes)
			return string(runes)
		}
		items := slices.Clone(sequence())
		slices.Reverse(items)
		return &list{items: items}
	case "unique":
		l := &list{}
		for _, v := range sequence() {
			r.steps += len(l.items)
			r.step(line)
			if !slices.ContainsFunc(l.items, func(w any) bool { return equal(folded(v), folded(w)) }) {
				l.items = append(l.items, v)
			}
		}
		return l
	case "min", "max":
		items := slices.Clone(sequence())
		if len(items) == 0 {
			return undefined{"No aggregated item, sequence was empty."}
		}
		r.sort(items, false, name == "max", line, func(v any) any { return v })
		return items[0]
	case "sum":
		var total any = named(args, kw, 1, "start", int64(0))
		for _, v := range sequence() {
			if a := named(args, kw, 0, "attribute", nil); a != nil {
				v = r.path(v, a, line)
			}
			if !isNumber(v) || !isNumber(total) {
				r.fail(line, "unsupported operand type(s) for +: '%s' and '%s'", typeName(total), typeName(v))
			}
			total = r.arithmetic("+", total, v, line)
		}
		return total
	case "select", "reject", "selectattr", "rejectattr":
		l := &list{}
		for _, v := range sequence() {
			rest, tested := args, v
			if strings.HasSuffix(name, "attr") {
				tested, rest = r.path(v, arg(args, 0, ""), line), args[min(1, len(args)):]
			}
			ok := truth(tested)
			if len(rest) > 0 {
				t, known := tests[str(rest[0])]
				if !known {
					r.fail(line, "no test named '%s'", str(rest[0]))
				}
				ok = t(r, tested, rest[1:], line)
			}
			if ok == strings.HasPrefix(name, "select") {
				l.items = append(l.items, v)
			}
		}
		return l
	case "map":
		l := &list{}
		attribute, byAttribute := kw["attribute"]
		for _, v := range sequence() {
			switch {
			case byAttribute:
				v = r.path(v, attribute, line)
				if d, ok := kw["default"]; ok && isUndefined(v) {
					v = d
				}
			case len(args) > 0:
				v = r.applyFilter(str(args[0]), v, args[1:], kw, line)
			default:
				r.fail(line, "map needs a filter's name or an attribute")
			}
			l.items = append(l.items, v)
		}
		return l
	case "int":
		switch v := x.(type) {
		case float64:
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				return int64(v)
			}
		case string:
			if i, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); err == nil {
				return i
			}
			if f, err := strconv.ParseFloat(strings.TrimSpace(v), 64); err == nil {
				return int64(f)
			}
		}
		if i, ok := toInt(x); ok {
			return i
		}
		return named(args, kw, 0, "default", int64(0))
	case "float":
		if isNumber(x) {
			return toFloat(x)
		}
		if f, err := strconv.ParseFloat(strings.TrimSpace(str(x)), 64); err == nil {
			return f
		}
		return named(args, kw, 0, "default", 0.0)
	case "abs":
		if i, ok := toInt(x); ok {
			return max(i, -i)
		}
		return math.Abs(toFloat(x))
	case "round":
		digits, _ := toInt(named(args, kw, 0, "precision", int64(0)))
		scale := math.Pow(10, float64(digits))
		v := toFloat(x) * scale
		switch str(named(args, kw, 1, "method", "common")) {
		case "ceil":
			v = math.Ceil(v)
		case "floor":
			v = math.Floor(v)
		default:
			v = math.RoundToEven(v)
		}
		return v / scale
	case "indent":
		width, first := named(args, kw, 0, "width", int64(4)), truth(named(args, kw, 1, "first", false))
		blank := truth(named(args, kw, 2, "blank", false))
		pad, ok := width.(string)
		if !ok {
			n, _ := toInt(width)
			pad = r.repeated(" ", n, line)
		}
		lines := strings.Split(str(x), "\n")
		for i, l := range lines {
			if (i > 0 || first) && (l != "" || blank) {
				lines[i] = pad + l
			}
		}
		return strings.Join(lines, "\n")
	}
	r.fail(line, "no filter named '%s'", name)
	return nil
}

// path is an attribute such as "function.name" or "0".
func (r *renderer) path(v, attribute any, line int) any {
	if i, ok := toInt(attribute); ok {
		return r.item(v, i, str(attribute), line)
	}
	for _, name := range strings.Split(str(attribute), ".") {
		if i, err := strconv.ParseInt(name, 10, 64); err == nil {
			v = r.item(v, i, name, line)
		} else {
			v = r.item(v, name, name, line)
		}
	}
	return v
}

func folded(v any) any {
	if s, ok := v.(string); ok {
		return strings.ToLower(s)
	}
	return v
}

func (r *renderer) sort(items []any, sensitive, reverse bool, line int, key func(any) any) {
	r.steps += len(items) * 8
	slices.SortStableFunc(items, func(a, b any) int {
		x, y := key(a), key(b)
		if !sensitive {
			x, y = folded(x), folded(y)
		}
		c := 0
		if r.compare("<", x, y, line) {
			c = -1
		} else if r.compare(">", x, y, line) {
			c = 1
		}
		if reverse {
			return -c
		}
		return c
	})
}

// toJSON is json.dumps as Transformers calls it: other scripts as they are, keys in
// their order.
func (r *renderer) toJSON(x any, args []any, kw map[string]any, line int) string {
	style := jsonStyle{item: ", ", colon: ": "}
	style.ascii = truth(named(args, kw, 0, "ensure_ascii", false))
	switch indent := named(args, kw, 1, "indent", nil).(type) {
	case int64:
		style.indent, style.item = r.repeated(" ", min(indent, 100), line), ","
	case string:
		style.indent, style.item = indent, ","
	}
	if kw["indent"] == nil && len(args) == 1 {
		// tojson(4): Jinja's own filter takes the indent first.
		if n, ok := args[0].(int64); ok {
			style.ascii, style.indent, style.item = false, r.repeated(" ", min(n, 100), line), ","
		}
	}
	if l, ok := named(args, kw, 2, "separators", nil).(*list); ok && len(l.items) == 2 {
		style.item, style.colon = str(l.items[0]), str(l.items[1])
	}
	style.sort = truth(named(args, kw, 3, "sort_keys", false))
	if u, ok := x.(undefined); ok {
		r.fail(line, "'%s' is undefined", u.name)
	}
	return string(style.append(nil, x, 0))
}
