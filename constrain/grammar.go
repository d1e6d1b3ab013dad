// Package constrain keeps a model's answer to a form: a JSON Schema, a grammar, a regular
// expression, a choice. All of them become one kind of grammar over bytes, and a Matcher says
// at each token which ids of a vocabulary may come next.
package constrain

import (
	"errors"
	"fmt"
	"slices"
)

// Grammar is a form that answers may be held to. It knows nothing of a vocabulary and does
// not change, so that any number of machines may stand on it.
//
// It is a recursive transition network: the rules are finite automata over bytes whose edges
// may also call a rule. States of all rules are numbered together.
type Grammar struct {
	states []state
	rules  []rule // the first one is where a text begins
}

// state is a state of a rule's automaton.
type state struct {
	edges []edge
	empty []int32 // states that are reached without a byte
	calls []call
	end   bool // of its rule
	// like, where it is not 0, is a state that goes on exactly as this one for the next
	// within bytes. The masks of a text of 0 to 5,000 characters are computed once by it.
	like, within int32
}

// edge goes to a state by a byte from lo to hi.
type edge struct {
	lo, hi byte
	to     int32
}

// call goes to a state by any text of a rule.
type call struct {
	rule, to int32
}

// rule is an automaton; name is what errors call it.
type rule struct {
	name       string
	start, end int32
}

// maxStates bounds a grammar, whose states take some 150 bytes each.
const maxStates = 250_000

// errTooLarge is what a grammar ends with that has more than maxStates.
var errTooLarge = fmt.Errorf("it needs more than %d states\nhint: smaller counts of repetitions, and shorter lengths, need fewer", maxStates)

// builder makes a grammar. Its methods add to the automaton from a state on and return the
// state that is reached. When it has become too large they do nothing: loops over numbers
// from outside end by full.
type builder struct {
	g       Grammar
	refused bool // by room
}

func (b *builder) full() bool { return b.refused || len(b.g.states) > maxStates }

// room refuses what would have so many states before they are made.
func (b *builder) room(states int) bool {
	b.refused = b.refused || states > maxStates-len(b.g.states)
	return !b.refused
}

func (b *builder) state() int32 {
	if b.full() {
		return 0
	}
	b.g.states = append(b.g.states, state{})
	return int32(len(b.g.states) - 1)
}

// rule begins a rule, whose automaton is to lead from its start to its end.
func (b *builder) rule(name string) int32 {
	b.g.rules = append(b.g.rules, rule{name, b.state(), b.state()})
	b.g.states[b.g.rules[len(b.g.rules)-1].end].end = true
	return int32(len(b.g.rules) - 1)
}

func (b *builder) edge(from int32, lo, hi byte, to int32) {
	s := &b.g.states[from]
	s.edges = append(s.edges, edge{lo, hi, to})
}

func (b *builder) skip(from, to int32) {
	s := &b.g.states[from]
	s.empty = append(s.empty, to)
}

func (b *builder) callTo(from, rule, to int32) {
	s := &b.g.states[from]
	s.calls = append(s.calls, call{rule, to})
}

func (b *builder) call(from, rule int32) int32 {
	to := b.state()
	b.callTo(from, rule, to)
	return to
}

func (b *builder) literal(from int32, text string) int32 {
	for i := range len(text) {
		if b.full() {
			return from
		}
		to := b.state()
		b.edge(from, text[i], text[i], to)
		from = to
	}
	return from
}

// repeat adds what part adds, at least least times and at most most times; −1 is any number.
func (b *builder) repeat(from int32, least, most int, part func(from int32) int32) int32 {
	if !b.room(max(least, most)) {
		return from
	}
	for i := 0; i < least && !b.full(); i++ {
		from = part(from)
	}
	if most < 0 {
		// A loop of its own state: from may have other ways in and out.
		loop := b.state()
		b.skip(from, loop)
		b.skip(part(loop), loop)
		end := b.state()
		b.skip(loop, end)
		return end
	}
	end := b.state()
	for i := least; i < most && !b.full(); i++ {
		b.skip(from, end)
		from = part(from)
	}
	b.skip(from, end)
	return end
}

// finish returns the grammar, or an error where it is too large, where no text is complete,
// or where a rule begins with itself.
func (b *builder) finish() (*Grammar, error) {
	if b.full() {
		return nil, errTooLarge
	}
	g := &b.g
	nullable := g.complete(func(edge) bool { return false })
	if name := g.leftRecursive(nullable); name != "" {
		return nil, fmt.Errorf("%s can begin with itself, before any text\nhint: write the repetition as (…)*, or put what repeats itself at the end", name)
	}
	if !g.complete(func(edge) bool { return true })[0] {
		return nil, errNoText
	}
	return g, nil
}

var errNoText = errors.New("no text satisfies it")

// complete tells of each rule whether its end is reached by the edges that may be taken.
func (g *Grammar) complete(may func(e edge) bool) []bool {
	reached := make([]bool, len(g.states))
	var work []int32
	reach := func(q int32) {
		if !reached[q] {
			reached[q] = true
			work = append(work, q)
		}
	}
	known := make([]bool, len(g.rules))
	waiting := make([][]int32, len(g.rules)) // states behind calls of a rule
	rules := map[int32]int{}                 // by their ends
	for i, r := range g.rules {
		rules[r.end] = i
		reach(r.start)
	}
	for len(work) > 0 {
		q := work[len(work)-1]
		work = work[:len(work)-1]
		if g.states[q].end {
			r := rules[q]
			known[r] = true
			for _, to := range waiting[r] {
				reach(to)
			}
		}
		s := &g.states[q]
		for _, to := range s.empty {
			reach(to)
		}
		for _, e := range s.edges {
			if may(e) {
				reach(e.to)
			}
		}
		for _, c := range s.calls {
			if waiting[c.rule] = append(waiting[c.rule], c.to); known[c.rule] {
				reach(c.to)
			}
		}
	}
	return known
}

// leftRecursive returns the name of a rule that calls itself before any byte, or "". A stack
// of calls would have no end there.
func (g *Grammar) leftRecursive(nullable []bool) string {
	first := make([][]int32, len(g.rules)) // rules that a rule may call before any byte
	for i, r := range g.rules {
		seen, work := map[int32]bool{r.start: true}, []int32{r.start}
		add := func(to int32) {
			if !seen[to] {
				seen[to] = true
				work = append(work, to)
			}
		}
		for len(work) > 0 {
			s := &g.states[work[len(work)-1]]
			work = work[:len(work)-1]
			for _, to := range s.empty {
				add(to)
			}
			for _, c := range s.calls {
				first[i] = append(first[i], c.rule)
				if nullable[c.rule] {
					add(c.to)
				}
			}
		}
	}
	const open, done = 1, 2
	mark := make([]byte, len(g.rules))
	type frame struct {
		rule int32
		next int
	}
	for i := range g.rules {
		if mark[i] != 0 {
			continue
		}
		mark[i] = open
		for stack := []frame{{int32(i), 0}}; len(stack) > 0; {
			top := &stack[len(stack)-1]
			if top.next == len(first[top.rule]) {
				mark[top.rule] = done
				stack = stack[:len(stack)-1]
				continue
			}
			r := first[top.rule][top.next]
			top.next++
			switch mark[r] {
			case open:
				return g.rules[r].name
			case 0:
				mark[r] = open
				stack = append(stack, frame{r, 0})
			}
		}
	}
	return ""
}

// trimmed returns g with only the bytes that can be written and only states from which the
// end of their rule can be reached: whatever a text has begun with, it can be completed.
func (g *Grammar) trimmed(can *[256]bool) (*Grammar, error) {
	productive := g.complete(func(e edge) bool { return slices.Contains(can[e.lo:int(e.hi)+1], true) })
	if !productive[0] {
		return nil, errNoText
	}
	t := &Grammar{make([]state, len(g.states)), g.rules}
	into := make([][]int32, len(g.states)) // states with a step to a state
	for q, s := range g.states {
		n := &t.states[q]
		*n = s
		n.edges, n.calls = nil, nil
		for _, e := range s.edges {
			// Pieces of the range that can be written.
			for c := int(e.lo); c <= int(e.hi); c++ {
				if !can[c] {
					continue
				}
				lo := c
				for c < int(e.hi) && can[c+1] {
					c++
				}
				n.edges = append(n.edges, edge{byte(lo), byte(c), e.to})
			}
		}
		for _, c := range s.calls {
			if productive[c.rule] {
				n.calls = append(n.calls, c)
			}
		}
		n.each(func(to int32) { into[to] = append(into[to], int32(q)) })
	}
	alive := make([]bool, len(g.states))
	var work []int32
	for _, r := range g.rules {
		alive[r.end] = true
		work = append(work, r.end)
	}
	for len(work) > 0 {
		q := work[len(work)-1]
		work = work[:len(work)-1]
		for _, from := range into[q] {
			if !alive[from] {
				alive[from] = true
				work = append(work, from)
			}
		}
	}
	for q := range t.states {
		n := &t.states[q]
		n.edges = slices.DeleteFunc(n.edges, func(e edge) bool { return !alive[e.to] })
		n.calls = slices.DeleteFunc(n.calls, func(c call) bool { return !alive[c.to] })
		n.empty = slices.DeleteFunc(slices.Clone(n.empty), func(to int32) bool { return !alive[to] })
	}
	return t, nil
}

// each gives every state that one step leads to.
func (s *state) each(yield func(to int32)) {
	for _, e := range s.edges {
		yield(e.to)
	}
	for _, to := range s.empty {
		yield(to)
	}
	for _, c := range s.calls {
		yield(c.to)
	}
}
