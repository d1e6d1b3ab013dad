package tokenizer

import (
	"slices"
	"unicode/utf8"
)

// automaton finds the matches of a pattern in one pass over the text, without
// stepping back: the expressions that cut texts into words need no more. Its
// states are the ways that the pattern would have open at a place, in the order
// in which it would try them, so that of several matches the one wins that
// stepping back would find first.
//
// It knows sets, repeats, alternatives and a look-ahead at one code point. The
// pattern remains the definition, and takes every other expression.
type automaton struct {
	ascii [utf8.RuneSelf]uint8
	class classTable // of code points that no set of the expression tells apart
	// next[state+class] is the next state, above a bit that says that a match ends
	// here, before the code point. States are multiples of the number of classes.
	next  []uint32
	ended uint32 // the class of the text's end
	first []bool // by class: whether a match can begin with it
}

const (
	deadState  = 0
	matchHere  = 1
	maxStates  = 1 << 8
	maxClasses = 64
	maxWays    = 1 << 8 // of a state
)

// compileAutomaton returns nil for a pattern that needs more.
func compileAutomaton(p *pattern) *automaton {
	sets, ok := p.lookOnly()
	if !ok {
		return nil
	}
	table, samples, ok := classesOf(sets)
	if !ok {
		return nil
	}
	b := &automatonBuilder{prog: p.prog, samples: samples, seen: map[string]uint32{}}
	for pc, in := range p.prog {
		b.base = append(b.base, b.ways)
		b.ways++
		if in.op == opRun {
			b.ways += max(in.min, in.max)
		}
		if b.ways > maxWays {
			return nil
		}
		for len(b.owner) < b.ways {
			b.owner = append(b.owner, pc)
		}
	}
	b.state(nil)
	start := b.state([]int{0})
	for i := 0; i < len(b.states); i++ {
		for class := range len(samples) + 1 {
			ways, match := b.step(b.states[i], class)
			to := b.state(ways) << 1
			if match {
				to |= matchHere
			}
			b.next = append(b.next, to)
		}
		if len(b.states) > maxStates {
			return nil
		}
	}
	a := &automaton{class: table, next: b.next, ended: uint32(len(samples)), first: make([]bool, len(samples)+1)}
	for r := range a.ascii {
		a.ascii[r] = table.of(rune(r))
	}
	for class := range a.first {
		a.first[class] = a.next[int(start)+class] != deadState
	}
	return a
}

// lookOnly returns the sets of a program; false if it has operations that an
// automaton does not know.
func (p *pattern) lookOnly() ([]*codeSet, bool) {
	var sets []*codeSet
	for pc, in := range p.prog {
		switch in.op {
		case opSet, opRun:
			sets = append(sets, in.set)
			if in.min > maxWays || in.max > maxWays {
				return nil, false
			}
		case opMatch, opSplit, opJump, opFail:
		case opLook, opNotLook:
			if in.x != pc+3 || p.prog[pc+1].op != opSet || p.prog[pc+2].op != opMatch {
				return nil, false
			}
		default:
			return nil, false
		}
	}
	return sets, true
}

// automatonBuilder makes states. A way is an operation of the program and, of a
// run, how many code points it has taken already, up to its largest bound; all
// are numbered through.
type automatonBuilder struct {
	prog    []inst
	samples []rune // a code point of each class
	base    []int  // by operation: the number of its first way
	owner   []int  // by way: the operation
	ways    int
	states  [][]int
	seen    map[string]uint32
	next    []uint32
}

// state returns the state of ways that are open, in their order.
func (b *automatonBuilder) state(ways []int) uint32 {
	key := make([]byte, 0, 2*len(ways))
	for _, w := range ways {
		key = append(key, byte(w), byte(w>>8))
	}
	s, ok := b.seen[string(key)]
	if !ok {
		s = uint32(len(b.states) * (len(b.samples) + 1))
		b.seen[string(key)] = s
		b.states = append(b.states, ways)
	}
	return s
}

// step returns the ways behind a code point of a class, and whether a match ends
// before it. What would be tried after a match is dropped.
func (b *automatonBuilder) step(ways []int, class int) (out []int, match bool) {
	done, taken := make([]bool, b.ways), make([]bool, b.ways)
	take := func(way int) { // of two equal ways the first counts
		if !taken[way] {
			taken[way] = true
			out = append(out, way)
		}
	}
	has := func(set *codeSet) bool { return class < len(b.samples) && set.contains(b.samples[class]) }
	var follow func(way int) bool // false behind a match
	follow = func(way int) bool {
		if done[way] {
			return true
		}
		done[way] = true
		pc := b.owner[way]
		switch in := &b.prog[pc]; in.op {
		case opMatch:
			match = true
			return false
		case opSet:
			if has(in.set) {
				take(b.base[pc+1])
			}
		case opRun:
			count := way - b.base[pc]
			if has(in.set) && (in.max < 0 || count < in.max) {
				take(b.base[pc] + min(count+1, max(in.min, in.max)))
			}
			return count < in.min || follow(b.base[pc+1])
		case opSplit:
			return follow(b.base[in.x]) && follow(b.base[in.y])
		case opJump:
			return follow(b.base[in.x])
		case opLook, opNotLook:
			return has(b.prog[pc+1].set) != (in.op == opLook) || follow(b.base[in.x])
		}
		return true
	}
	for _, w := range ways {
		if !follow(w) {
			break
		}
	}
	return out, match
}

// classTable is the class of each code point, in two stages.
type classTable struct {
	index  [(utf8.MaxRune + 1) / propBlock]uint16
	blocks [][propBlock]uint8
}

func (t *classTable) of(r rune) uint8 {
	return t.blocks[t.index[uint32(r)/propBlock]][uint32(r)%propBlock]
}

// classesOf tells code points apart as the sets do, and gives one of each class.
func classesOf(sets []*codeSet) (t classTable, samples []rune, ok bool) {
	starts := []rune{0}
	for _, set := range sets {
		for _, r := range set.ranges {
			starts = append(starts, r[0], r[1]+1)
		}
	}
	slices.Sort(starts)
	starts = slices.Compact(starts)
	classes := map[string]uint8{}
	member := make([]byte, len(sets))
	uniform := map[uint8]uint16{} // blocks of one class
	var block [propBlock]uint8
	for i, r := range starts {
		if r > utf8.MaxRune {
			break
		}
		for k, set := range sets {
			member[k] = 0
			if set.contains(r) {
				member[k] = 1
			}
		}
		class, known := classes[string(member)]
		if !known {
			if len(samples) == maxClasses {
				return t, nil, false
			}
			class = uint8(len(samples))
			classes[string(member)] = class
			samples = append(samples, r)
		}
		end := rune(utf8.MaxRune + 1)
		if i+1 < len(starts) {
			end = min(end, starts[i+1])
		}
		for c := r; c < end; {
			n, known := uniform[class]
			if whole := c%propBlock == 0 && c+propBlock <= end; whole && known {
				t.index[c/propBlock] = n
				c += propBlock
				continue
			} else if whole {
				uniform[class] = uint16(len(t.blocks))
			}
			for ; c < end; c++ {
				if block[c%propBlock] = class; c%propBlock == propBlock-1 {
					t.index[c/propBlock] = uint16(len(t.blocks))
					t.blocks = append(t.blocks, block)
					c++
					break
				}
			}
		}
	}
	return t, samples, true
}

// find implements matcher.
func (a *automaton) find(s string, from int) (start, end int) {
	for at := from; at <= len(s); {
		class, n := a.classAt(s, at)
		if a.first[class] {
			if end := a.match(s, at); end >= 0 {
				return at, end
			}
		}
		at += max(n, 1)
	}
	return -1, -1
}

// classAt returns the class and length of what stands at i.
func (a *automaton) classAt(s string, i int) (class uint32, n int) {
	switch {
	case i >= len(s):
		return a.ended, 0
	case s[i] < utf8.RuneSelf:
		return uint32(a.ascii[s[i]]), 1
	}
	r, n := utf8.DecodeRuneInString(s[i:])
	return uint32(a.class.of(r)), n
}

// match returns where the match that begins at i ends, or −1.
func (a *automaton) match(s string, i int) int {
	end := -1
	next := a.next
	state := a.ended + 1 // the state behind the dead one
	for i < len(s) {
		class, n := uint32(0), 1
		if c := s[i]; c < utf8.RuneSelf {
			class = uint32(a.ascii[c])
		} else {
			var r rune
			r, n = utf8.DecodeRuneInString(s[i:])
			class = uint32(a.class.of(r))
		}
		to := next[state+class]
		if to&matchHere != 0 {
			end = i
		}
		if state = to >> 1; state == deadState {
			return end
		}
		i += n
	}
	if next[state+a.ended]&matchHere != 0 {
		end = i
	}
	return end
}
