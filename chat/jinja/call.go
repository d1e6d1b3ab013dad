package jinja

import (
	"slices"
	"strings"
)

// builtin is a function or a method of Python.
type builtin struct {
	*signature
	self any
}

// signature is a function with its parameters.
type signature struct {
	name  string
	label string // the name in errors
	// names are those of the parameters, the first need of which must be given, and
	// the first unnamed of which can be given by position alone.
	names         []string
	need, unnamed int
	rest, named   bool // takes any further arguments, by position or name
	apply         func(c *call) any
}

// function makes a signature of parameters such as "old new / count?": "?" marks
// what can be left out, "/" ends what is given by position alone, "*" and "**" take
// any further arguments.
func function(name, parameters string, apply func(c *call) any) *signature {
	f := &signature{name: name, label: name + "()", apply: apply}
	for _, p := range strings.Fields(parameters) {
		switch {
		case p == "/":
			f.unnamed = len(f.names)
		case p == "*":
			f.rest = true
		case p == "**":
			f.named = true
		case strings.HasSuffix(p, "?"):
			f.names = append(f.names, p[:len(p)-1])
		default:
			f.names = append(f.names, p)
			f.need = len(f.names)
		}
	}
	return f
}

// call is one use of a function: what it belongs to, or is applied to, and its
// arguments.
type call struct {
	r    *renderer
	f    *signature
	self any
	args []any // one for each parameter, absent where none was given
	rest []any
	kw   keywords
}

// keywords are arguments by name, in the order in which they were given: dict(b=1,
// a=2) keeps it.
type keywords []keyword

type keyword struct {
	name string
	v    any
}

func (kw keywords) get(name string) (any, bool) {
	for _, k := range kw {
		if k.name == name {
			return k.v, true
		}
	}
	return nil, false
}

type nothing struct{}

// absent stands for an argument that was not given.
var absent any = nothing{}

// invoke calls a function as Python does: with what its parameters take, and no more.
func (r *renderer) invoke(f *signature, self any, args []any, kw keywords) any {
	c := &call{r: r, f: f, self: self, args: args}
	if len(args) != len(f.names) {
		if len(args) > len(f.names) {
			if !f.rest {
				raise("%s takes %d arguments, not %d", f.label, len(f.names), len(args))
			}
			c.args, c.rest = args[:len(f.names)], args[len(f.names):]
		} else {
			c.args = make([]any, len(f.names))
			for i := copy(c.args, args); i < len(c.args); i++ {
				c.args[i] = absent
			}
		}
	}
	for _, k := range kw {
		i := slices.Index(f.names, k.name)
		switch {
		case i >= f.unnamed:
			if c.args[i] != absent {
				raise("%s got multiple values for argument '%s'", f.label, k.name)
			}
			c.args[i] = k.v
		case f.named:
			c.kw = append(c.kw, k)
		default:
			raise("%s has no argument '%s'", f.label, k.name)
		}
	}
	for i := range f.need {
		if c.args[i] == absent {
			raise("%s is missing its argument '%s'", f.label, f.names[i])
		}
	}
	return f.apply(c)
}

func (c *call) has(i int) bool { return c.args[i] != absent }

// arg is an argument, or what stands for one that was not given.
func (c *call) arg(i int, otherwise any) any {
	if c.args[i] == absent {
		return otherwise
	}
	return c.args[i]
}

// integer is an argument that must be an integer; one beyond int64 is as large as can
// be.
func (c *call) integer(i int, otherwise int64) int64 {
	if !c.has(i) {
		return otherwise
	}
	return small(c.args[i], c.f.name+"'s "+c.f.names[i])
}

// text is an argument that must be a text.
func (c *call) text(i int, otherwise string) string {
	if !c.has(i) {
		return otherwise
	}
	s, ok := text(c.args[i])
	if !ok {
		raise("%s argument '%s' must be str, not %s", c.f.label, c.f.names[i], typeName(c.args[i]))
	}
	return s
}

// call calls a value.
func (r *renderer) call(f any, args []any, kw keywords) any {
	r.step()
	for i, k := range kw {
		if _, ok := kw[:i].get(k.name); ok {
			raise("got multiple values for keyword argument '%s'", k.name)
		}
	}
	switch f := f.(type) {
	case *builtin:
		return r.invoke(f.signature, f.self, args, kw)
	case *macro:
		return r.callMacro(f, args, kw)
	case *loop:
		return r.invoke(loopCall, f, args, kw)
	case *joiner:
		return r.invoke(joinerCall, f, args, kw)
	case *blockReference:
		return r.invoke(blockCall, f, args, kw)
	case *undefined:
		f.fail()
	}
	raise("'%s' object is not callable", typeName(f))
	return nil
}

// callable is Python's callable: a class with __call__ counts, and so Undefined.
func callable(v any) bool {
	switch v.(type) {
	case *builtin, *macro, *loop, *joiner, *blockReference, *undefined:
		return true
	}
	return false
}
