package jinja

import (
	"slices"
	"strings"
	"unicode"
)

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
			return function(func(r *renderer, args []any, kw keywords) any {
				r.steps += len(v) / 256
				return m(r, v, args, kw, line)
			}), true
		}
	case *Dict:
		switch name {
		case "items":
			return function(func(*renderer, []any, keywords) any { return itemsOf(v, v.keys) }), true
		case "keys":
			return function(func(*renderer, []any, keywords) any { return &List{items: slices.Clone(v.keys)} }), true
		case "values":
			return function(func(*renderer, []any, keywords) any {
				l := &List{}
				for _, k := range v.keys {
					l.items = append(l.items, v.m[k])
				}
				return l
			}), true
		case "get":
			return function(func(_ *renderer, args []any, kw keywords) any {
				if f, ok := v.get(arg(args, 0, nil)); ok {
					return f
				}
				return named(args, kw, 1, "default", nil)
			}), true
		case "copy":
			return function(func(*renderer, []any, keywords) any { return v }), true
		}
	case *List:
		switch name {
		case "index", "count":
			return function(func(r *renderer, args []any, _ keywords) any {
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

func itemsOf(d *Dict, keys []any) *List {
	l := &List{}
	for _, k := range keys {
		l.items = append(l.items, &List{items: []any{k, d.m[k]}, tuple: true})
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

// titleWords is Jinja's filter title, for which a word begins after white space, a
// hyphen or an opening bracket; title is Python's method, for which it begins after
// anything that is no letter.
func titleWords(s string) string {
	var b strings.Builder
	inside := false
	for _, c := range s {
		if inside {
			b.WriteRune(unicode.ToLower(c))
		} else {
			b.WriteRune(unicode.ToUpper(c))
		}
		inside = !unicode.IsSpace(c) && !strings.ContainsRune("-({[<", c)
	}
	return b.String()
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

func stringsList(parts []string) *List {
	l := &List{}
	for _, p := range parts {
		l.items = append(l.items, p)
	}
	return l
}

// affixes are the texts of startswith's argument, a string or a tuple of them.
func (r *renderer) affixes(v any, line int) []string {
	if l, ok := v.(*List); ok {
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

var stringMethods map[string]func(r *renderer, s string, args []any, kw keywords, line int) any

func init() {
	type method = func(r *renderer, s string, args []any, kw keywords, line int) any
	trim := func(left, right bool) method {
		return func(_ *renderer, s string, args []any, _ keywords, _ int) any {
			return strip(s, arg(args, 0, nil), left, right)
		}
	}
	plain := func(f func(string) string) method {
		return func(_ *renderer, s string, _ []any, _ keywords, _ int) any { return f(s) }
	}
	all := func(f func(rune) bool) method {
		return func(_ *renderer, s string, _ []any, _ keywords, _ int) any {
			return s != "" && strings.IndexFunc(s, func(c rune) bool { return !f(c) }) < 0
		}
	}
	find := func(index func(s, sub string) int) method {
		return func(r *renderer, s string, args []any, _ keywords, line int) any {
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
		"index": func(r *renderer, s string, args []any, kw keywords, line int) any {
			i := find(strings.Index)(r, s, args, kw, line)
			if i == int64(-1) {
				r.fail(line, "substring not found")
			}
			return i
		},
		"count": func(r *renderer, s string, args []any, _ keywords, line int) any {
			return int64(strings.Count(s, r.text(arg(args, 0, nil), line)))
		},
		"startswith": func(r *renderer, s string, args []any, _ keywords, line int) any {
			return slices.ContainsFunc(r.affixes(arg(args, 0, nil), line), func(p string) bool { return strings.HasPrefix(s, p) })
		},
		"endswith": func(r *renderer, s string, args []any, _ keywords, line int) any {
			return slices.ContainsFunc(r.affixes(arg(args, 0, nil), line), func(p string) bool { return strings.HasSuffix(s, p) })
		},
		"removeprefix": func(r *renderer, s string, args []any, _ keywords, line int) any {
			return strings.TrimPrefix(s, r.text(arg(args, 0, nil), line))
		},
		"removesuffix": func(r *renderer, s string, args []any, _ keywords, line int) any {
			return strings.TrimSuffix(s, r.text(arg(args, 0, nil), line))
		},
		"replace": func(r *renderer, s string, args []any, kw keywords, line int) any {
			return r.replace(s, args, kw, line)
		},
		"split": func(r *renderer, s string, args []any, kw keywords, line int) any {
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
		"rsplit": func(r *renderer, s string, args []any, kw keywords, line int) any {
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
		"splitlines": func(_ *renderer, s string, _ []any, _ keywords, _ int) any {
			s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
			if s == "" {
				return &List{}
			}
			return stringsList(strings.Split(strings.TrimSuffix(s, "\n"), "\n"))
		},
		"join": func(r *renderer, s string, args []any, _ keywords, line int) any {
			var parts []string
			for _, x := range r.iterate(arg(args, 0, nil), line) {
				parts = append(parts, r.text(x, line))
			}
			return strings.Join(parts, s)
		},
		"format": func(r *renderer, s string, args []any, kw keywords, line int) any {
			return r.format(s, args, kw, line)
		},
		"zfill": func(r *renderer, s string, args []any, _ keywords, line int) any {
			n, _ := toInt(arg(args, 0, int64(0)))
			return r.repeated("0", n-runeLen(s), line) + s
		},
	}
}

func (r *renderer) replace(s string, args []any, kw keywords, line int) string {
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
