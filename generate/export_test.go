package generate

import (
	"fmt"
	"time"
)

// AlwaysGuess lets an engine run all guesses that there are, whatever they cost.
func (e *Engine) AlwaysGuess() { e.pace.free = true }

// Leaks waits until an engine is idle, and is an error when a page is in use, lost, or in two places.
func (e *Engine) Leaks() error {
	for {
		e.mu.Lock()
		running := e.running
		e.mu.Unlock()
		if !running {
			break
		}
		time.Sleep(time.Millisecond)
	}
	p := e.pages
	full, recent, leaves := make([]int, e.full), make([]int, e.recent), 0
	for _, n := range p.full.free {
		full[n]++
	}
	for _, n := range p.recent.free {
		recent[n]++
	}
	var walk func(x *page, root bool) error
	walk = func(x *page, root bool) error {
		if !root {
			if x.users != 0 || x.near != 0 || len(x.ids) == 0 || len(x.ids) > p.size {
				return fmt.Errorf("a page of %d tokens has %d users, %d of them near", len(x.ids), x.users, x.near)
			}
			if x.full >= 0 {
				full[x.full]++
			}
			if x.recent >= 0 {
				recent[x.recent]++
			}
			if (x.left != nil) != (len(x.children) == 0) || (x.far != nil) != (p.window > 0 && x.recent >= 0) {
				return fmt.Errorf("a page with %d children is in the wrong lists", len(x.children))
			}
			if x.left != nil {
				leaves++
			}
		}
		for _, same := range x.children {
			for _, y := range same {
				if y.parent != x {
					return fmt.Errorf("a page has another parent")
				}
				if err := walk(y, false); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for i := range p.roots {
		if err := walk(&p.roots[i], true); err != nil {
			return err
		}
	}
	if leaves != p.left.Len() {
		return fmt.Errorf("%d pages can be given back, the tree has %d", p.left.Len(), leaves)
	}
	for what, pages := range map[string][]int{"page": full, "recent page": recent} {
		for n, count := range pages {
			if count != 1 {
				return fmt.Errorf("%s %d is in %d places", what, n, count)
			}
		}
	}
	return nil
}
