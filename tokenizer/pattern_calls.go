package tokenizer

import "errors"

// errEndless is what Oniguruma calls a never ending recursion.
var errEndless = errors.New("a group calls itself without end")

// checkCalls refuses groups that call themselves before they have taken any
// text, and groups that never come to an end.
func (c *patternCompiler) checkCalls(all *node) error {
	g := &callGraph{bodies: map[int]*node{0: all}, empty: map[int]bool{}, ends: map[int]bool{}}
	all.each(func(n *node) {
		if n.kind == nodeGroup && n.group > 0 {
			g.bodies[n.group] = n.list[0]
		}
	})
	// What is empty or comes to an end is known once nothing changes.
	for changed := true; changed; {
		changed = false
		for i, body := range g.bodies {
			if !g.empty[i] && g.canBeEmpty(body) {
				g.empty[i], changed = true, true
			}
			if !g.ends[i] && g.canEnd(body) {
				g.ends[i], changed = true, true
			}
		}
	}
	for i, body := range g.bodies {
		if !g.ends[i] {
			return errEndless
		}
		seen := map[int]bool{}
		g.first(body, seen)
		if seen[i] {
			return errEndless
		}
	}
	return nil
}

// callGraph knows the bodies of groups by number; 0 is the whole expression.
type callGraph struct {
	bodies map[int]*node
	empty  map[int]bool // can match nothing
	ends   map[int]bool // can come to an end
}

// canBeEmpty tells whether n can match without taking text.
func (g *callGraph) canBeEmpty(n *node) bool {
	switch n.kind {
	case nodeSet:
		return false
	case nodeText:
		return len(n.text) == 0
	case nodeCall:
		return g.empty[n.groups[0]]
	case nodeRepeat:
		return n.min == 0 || g.canBeEmpty(n.list[0])
	case nodeSequence:
		for _, m := range n.list {
			if !g.canBeEmpty(m) {
				return false
			}
		}
		return true
	case nodeAlternatives:
		for _, m := range n.list {
			if g.canBeEmpty(m) {
				return true
			}
		}
		return false
	case nodeGroup, nodeAtomic, nodeBag:
		return g.canBeEmpty(n.list[0])
	}
	return true
}

// canEnd tells whether n can match with the groups that are known to end.
func (g *callGraph) canEnd(n *node) bool {
	switch n.kind {
	case nodeCall:
		return g.ends[n.groups[0]]
	case nodeRepeat:
		return n.min == 0 || g.canEnd(n.list[0])
	case nodeAlternatives:
		for _, m := range n.list {
			if g.canEnd(m) {
				return true
			}
		}
		return false
	case nodeIf, nodeWithin:
		return true
	}
	for _, m := range n.list {
		if !g.canEnd(m) {
			return false
		}
	}
	return true
}

// first notes the groups that n can call before it has taken text.
func (g *callGraph) first(n *node, seen map[int]bool) {
	switch n.kind {
	case nodeCall:
		if i := n.groups[0]; !seen[i] {
			seen[i] = true
			g.first(g.bodies[i], seen)
		}
	case nodeSequence:
		for _, m := range n.list {
			g.first(m, seen)
			if !g.canBeEmpty(m) {
				return
			}
		}
	default:
		if n.cond != nil {
			g.first(n.cond, seen)
		}
		for _, m := range n.list {
			g.first(m, seen)
		}
	}
}
