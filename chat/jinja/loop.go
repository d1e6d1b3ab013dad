package jinja

import "strings"

// loop is the variable "loop" of a for, as jinja2.runtime.LoopContext has it.
type loop struct {
	r                      *renderer
	next                   func() (any, bool)
	n                      int64 // how many items, -1 while it is not known
	index0                 int64
	before, current, after any // items, or absent
	last                   any // what changed() saw last, or absent
	depth0                 int64
	recurse                func(v any, depth int64) any
}

func (r *renderer) newLoop(v any, filtered func() (any, bool)) *loop {
	l := &loop{r: r, n: -1, index0: -1, before: absent, current: absent, after: absent, last: absent}
	if filtered != nil {
		l.next = filtered
		return l
	}
	l.next = r.iterate(v).next
	if n, ok := length(v); ok {
		l.n = n
	}
	return l
}

// advance goes on to the next item.
func (l *loop) advance() (any, bool) {
	v := l.after
	if v != absent {
		l.after = absent
	} else {
		var ok bool
		if v, ok = l.next(); !ok {
			return nil, false
		}
	}
	l.index0++
	l.before, l.current = l.current, v
	return v, true
}

// peek looks at the item after this one.
func (l *loop) peek() any {
	if l.after == absent {
		if v, ok := l.next(); ok {
			l.after = v
		}
	}
	return l.after
}

// length is known of lists; what gives its items once is gone through for it.
func (l *loop) length() int64 {
	if l.n < 0 {
		rest := l.r.items(&iterator{l.next})
		l.next = over(rest).next
		l.n = int64(len(rest)) + l.index0 + 1
		if l.after != absent {
			l.n++
		}
	}
	return l.n
}

func (l *loop) attribute(name string) (any, bool) {
	switch name {
	case "index":
		return l.index0 + 1, true
	case "index0":
		return l.index0, true
	case "revindex":
		return l.length() - l.index0, true
	case "revindex0":
		return l.length() - l.index0 - 1, true
	case "first":
		return l.index0 == 0, true
	case "last":
		return l.peek() == absent, true
	case "length":
		return l.length(), true
	case "depth":
		return l.depth0 + 1, true
	case "depth0":
		return l.depth0, true
	case "previtem":
		if l.index0 == 0 {
			return l.r.undefined("there is no previous item"), true
		}
		return l.before, true
	case "nextitem":
		if v := l.peek(); v != absent {
			return v, true
		}
		return l.r.undefined("there is no next item"), true
	}
	return nil, false
}

var (
	loopMethods map[string]*signature
	loopCall    *signature
)

func makeLoopMethods() {
	loopMethods = methods(map[string]method{
		"cycle": {"*", func(c *call) any {
			if len(c.rest) == 0 {
				raise("no items for cycling given")
			}
			return c.rest[c.self.(*loop).index0%int64(len(c.rest))]
		}},
		"changed": {"*", func(c *call) any {
			l := c.self.(*loop)
			now := tuple(c.rest...)
			if l.last != absent && c.r.equal(l.last, now) {
				return false
			}
			l.last = now
			return true
		}},
	})
	loopCall = function("loop", "iterable", func(c *call) any {
		l := c.self.(*loop)
		if l.recurse == nil {
			raise("The loop must have the 'recursive' marker to be called recursively.")
		}
		return l.recurse(c.args[0], l.depth0+1)
	})
}

func (r *renderer) forLoop(n *forNode, s *scope) control {
	v := r.eval(n.list, s)
	if !n.recursive {
		return r.run(n, s, v, 0, nil)
	}
	var recurse func(v any, depth int64) any
	recurse = func(v any, depth int64) any {
		r.nest()
		defer r.unnest()
		outer := r.out
		r.out = &strings.Builder{}
		defer func() { r.out = outer }()
		r.run(n, s, v, depth, recurse)
		return r.safe(r.out.String())
	}
	r.writeText(recurse(v, 0))
	return goOn
}

// run goes through v once.
func (r *renderer) run(n *forNode, s *scope, v any, depth int64, recurse func(any, int64) any) control {
	inner := &scope{parent: s}
	var filtered func() (any, bool)
	if n.filter != nil {
		filtered = r.filtered(n, v, &scope{parent: s})
	}
	var l *loop
	next := filtered
	if n.named || n.recursive {
		l = r.newLoop(v, filtered)
		l.depth0, l.recurse = depth, recurse
		next = l.advance
	} else if next == nil {
		next = r.iterate(v).next
	}
	// As in the code that Jinja2 makes, the else branch runs unless some item's body
	// came to its end; a break or continue in all of them is no end.
	done := false
	for {
		r.step()
		x, ok := next()
		if !ok {
			break
		}
		inner.clear()
		if l != nil {
			inner.set("loop", l)
		}
		r.assign(n.target, x, inner)
		c := r.statements(n.body, inner)
		if c == doBreak {
			break
		}
		done = done || c == goOn
	}
	if !done && n.rest != nil {
		return r.statements(n.rest, &scope{parent: s})
	}
	return goOn
}

// filtered gives the items of v that the loop's own test lets through, one by one.
func (r *renderer) filtered(n *forNode, v any, s *scope) func() (any, bool) {
	var next func() (any, bool)
	return func() (any, bool) {
		if next == nil {
			next = r.iterate(v).next
		}
		for {
			r.step()
			x, ok := next()
			if !ok {
				return nil, false
			}
			r.assign(n.target, x, s)
			if truth(r.eval(n.filter, s)) {
				return x, true
			}
		}
	}
}
