package tokenizer

import (
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"
)

// pattern is a regular expression in the dialect of Oniguruma 6.9.10 (its own
// syntax, UTF-8), which is what tokenizer.json files use: look-around of any
// length, atomic groups, possessive repeats, back-references, calls of groups,
// conditions, absent operators, nested classes and Unicode properties. It
// backtracks, as the order of alternatives decides which match wins.
type pattern struct {
	expr  string
	prog  []inst
	slots int       // of positions that a search remembers
	saves bool      // some operation remembers one
	calls bool      // groups are called
	limit int       // of steps back in one place, 0 for none
	runs  sync.Pool // of *patternRun
}

// maxStepsBack is Oniguruma's limit of steps back at one place of a text; what
// takes more ends in an error there.
const maxStepsBack = 10_000_000

// compilePattern returns a matcher for a regular expression of a file: a
// scanner for the common ones, an automaton where that will do, else a pattern.
func compilePattern(expr string) (matcher, error) {
	switch expr {
	case gpt2Pattern:
		return kindGPT2, nil
	case cl100kPattern:
		return kindCL100K, nil
	}
	p, err := parsePattern(expr)
	if err != nil {
		return nil, err
	}
	if a := compileAutomaton(p); a != nil {
		return a, nil
	}
	return p, nil
}

// Operations of a pattern's program.
const (
	opMatch    = iota
	opSet      // one code point of set
	opRun      // from min to max code points of set, as many as can be; max < 0 is no limit
	opSplit    // try x, then y
	opJump     // go to x
	opMark     // remember the position in slot x, and the groups of refs behind it
	opProgress // go to y unless the position (and those groups) are still as in slot x
	opCount    // slot x is 0
	opLoop     // slot x counts up: below min go to y, below max go to y or on; lazy turns that around
	opLook     // the program behind this, up to opMatch, matches here; go to x
	opNotLook
	opBehind // the same, and ends here, begun min to max code points before; max < 0 is no limit
	opNotBehind
	opHere      // the end of a look-behind: the position is where that was asked
	opAtomic    // the program behind this matches; go on at x where it ended, at y where not
	opSave      // remember the position in slot x
	opClose     // the end of the group whose slots begin at x
	opBackref   // the text of the last of the groups refs that has any
	opHave      // go on if one of the groups refs has matched, else at y
	opCall      // go to x, and come back to behind this
	opReturn    // where the call came from
	opWithin    // from here on the text ends where the program behind this, up to opMatch, first matches; go to x. Slot y keeps its end
	opWhole     // the text ends at its own end again or, with x, where slot y says
	opFail      // nothing matches
	opLineStart // ^
	opLineEnd   // $
	opTextStart // \A
	opTextEnd   // \z
	opLastLine  // \Z
	opBegun     // \G
	opWordEdge  // \b
	opNotWordEdge
	opCharEdge // \y
	opNotCharEdge
)

// inst is one operation.
type inst struct {
	op       uint8
	lazy     bool // of opLoop
	fold     bool // case does not count, of opBackref; ASCII words, of opWordEdge
	set      *codeSet
	x, y     int
	min, max int
	refs     *[]int // the first slots of groups
}

// Slots that every pattern has: where the text ends (absent operators move it),
// and where the match begins (\K moves it).
const (
	slotEnd = iota
	slotKeep
	firstSlot
)

// find implements matcher.
func (p *pattern) find(s string, from int) (start, end int) {
	m, _ := p.runs.Get().(*patternRun)
	if m == nil {
		m = &patternRun{pattern: p}
		if p.slots > firstSlot || p.saves {
			m.slots = make([]int, p.slots)
		}
	}
	m.s, m.end, m.from, m.call = s, len(s), from, nil
	start, end = m.search()
	if m.s, m.call = "", nil; cap(m.stack) > maxKeptStack {
		m.stack = nil
	}
	p.runs.Put(m)
	return start, end
}

// maxKeptStack is how many choices a search may leave room for.
const maxKeptStack = 1 << 12

// search tries one place after the other.
func (m *patternRun) search() (start, end int) {
	for at := m.from; at <= len(m.s); {
		m.stack, m.call, m.back = m.stack[:0], nil, 0
		if m.saves {
			m.end = len(m.s)
			for i := range m.slots {
				m.slots[i] = -1
			}
			m.slots[slotEnd] = len(m.s)
		}
		if end := m.run(0, at); end >= 0 {
			if m.saves && m.slots[slotKeep] >= 0 {
				at = m.slots[slotKeep]
			}
			return at, end
		}
		_, n := utf8.DecodeRuneInString(m.s[at:])
		at += max(n, 1)
	}
	return -1, -1
}

// patternRun is one search.
type patternRun struct {
	*pattern
	s      string
	end    int // of s
	from   int // where the search began
	target int // of a look-behind
	back   int // steps
	slots  []int
	stack  []choice
	call   *callFrame
}

// callFrame is where a call of a group goes back to. Frames are never changed,
// so that a choice can keep one.
type callFrame struct {
	back, at, depth int
	outer           *callFrame
}

// choice is a way back: go on at pc from pos. With a low end, there are more
// ways, each a code point shorter. With slot ≥ 0 it restores a slot instead.
type choice struct {
	pos, low int
	pc, slot int32
	call     *callFrame
}

// save sets a slot so that a step back restores it.
func (m *patternRun) save(slot, value int) {
	m.stack = append(m.stack, choice{slot: int32(slot), pos: m.slots[slot], call: m.call})
	m.set(slot, value)
}

func (m *patternRun) set(slot, value int) {
	m.slots[slot] = value
	if slot == slotEnd {
		m.end = value
	}
}

// keep drops the choices above base, but not what restores slots.
func (m *patternRun) keep(base int) {
	n := base
	if m.saves {
		for _, c := range m.stack[base:] {
			if c.slot >= 0 {
				m.stack[n] = c
				n++
			}
		}
	}
	m.stack = m.stack[:n]
}

// undo restores the slots that were set since the stack was base high.
func (m *patternRun) undo(base int) {
	for i := len(m.stack) - 1; i >= base; i-- {
		if c := &m.stack[i]; c.slot >= 0 {
			m.set(int(c.slot), c.pos)
		}
	}
	m.stack = m.stack[:base]
}

// run executes the program from pc at pos and returns where the match ends, or
// −1. Choices below the stack's height at the call stay.
//
// It backtracks, because look-around and atomic groups ask for it: an instruction
// that has a second way leaves a choice, and the first that fails takes the latest
// one. A run of one set, such as \p{L}+, is one instruction and one choice however
// long it is, so that a text of a megabyte does not need a stack of one.
func (m *patternRun) run(pc, pos int) int {
	base := len(m.stack)
	prog := m.prog
	for {
		ok := true
		in := &prog[pc]
		switch in.op {
		case opMatch:
			m.keep(base)
			return pos
		case opSet:
			if pos < m.end {
				r, n := utf8.DecodeRuneInString(m.s[pos:])
				ok = in.set.contains(r)
				pos += n
			} else {
				ok = false
			}
			pc++
		case opRun:
			low := pos // the end of the shortest run that will do
			for count := 0; in.max < 0 || count < in.max; count++ {
				if count <= in.min {
					low = pos
				}
				if pos >= m.end {
					ok = count >= in.min
					break
				}
				r, n := utf8.DecodeRuneInString(m.s[pos:])
				if !in.set.contains(r) {
					ok = count >= in.min
					break
				}
				pos += n
			}
			pc++
			if ok && pos > low && in.max != in.min {
				m.stack = append(m.stack, choice{pos, low, int32(pc), -1, m.call})
			}
		case opSplit:
			m.stack = append(m.stack, choice{pos, pos, int32(in.y), -1, m.call})
			pc = in.x
		case opJump:
			pc = in.x
		case opMark:
			m.save(in.x, pos)
			for i, g := range *in.refs {
				m.save(in.x+1+2*i, m.slots[g])
				m.save(in.x+2+2*i, m.slots[g+1])
			}
			pc++
		case opProgress:
			if m.progress(in, pos) {
				pc = in.y
			} else {
				pc++
			}
		case opCount:
			m.save(in.x, 0)
			pc++
		case opLoop:
			n := m.slots[in.x] + 1
			m.save(in.x, n)
			switch {
			case n < in.min:
				pc = in.y
			case in.max >= 0 && n >= in.max:
				pc++
			case in.lazy:
				m.stack = append(m.stack, choice{pos, pos, int32(in.y), -1, m.call})
				pc++
			default:
				m.stack = append(m.stack, choice{pos, pos, int32(pc + 1), -1, m.call})
				pc = in.y
			}
		case opLook, opNotLook, opBehind, opNotBehind:
			ok = m.look(in, pc, pos)
			pc = in.x
		case opHere:
			ok = pos == m.target
			pc++
		case opAtomic:
			// A match of the inner program drops its choices: what it saw is not
			// looked at in another way when the rest fails.
			call := m.call
			if end := m.run(pc+1, pos); end >= 0 {
				pos, pc = end, in.x
			} else if ok = in.y >= 0; ok {
				pc, m.call = in.y, call
			}
		case opSave:
			m.save(in.x, pos)
			pc++
		case opClose:
			if m.calls {
				// A call of the group inside itself has left its own start.
				m.save(in.x, m.call.at)
			}
			m.save(in.x+1, pos)
			pc++
		case opBackref:
			pos, ok = m.backref(in, pos)
			pc++
		case opHave:
			if m.matched(*in.refs) >= 0 {
				pc++
			} else {
				pc = in.y
			}
		case opCall:
			depth := 1
			if m.call != nil {
				depth += m.call.depth
			}
			m.call = &callFrame{pc + 1, pos, depth, m.call}
			pc = in.x
			if depth > maxCalls {
				panic(refusal{fmt.Errorf("regular expression %q calls its groups more than %d deep at byte %d of the text", m.expr, maxCalls, pos)})
			}
		case opReturn:
			pc, m.call = m.call.back, m.call.outer
		case opWithin:
			m.save(in.y, m.end)
			m.within(pc+1, pos)
			pc = in.x
		case opWhole:
			end := len(m.s)
			if in.x > 0 {
				end = m.slots[in.y]
			}
			m.save(slotEnd, end)
			pc++
		case opFail:
			ok = false
		default:
			ok = m.assert(in, pos)
			pc++
		}
		for !ok {
			if len(m.stack) == base {
				return -1
			}
			c := &m.stack[len(m.stack)-1]
			if c.slot >= 0 {
				m.set(int(c.slot), c.pos)
				m.stack = m.stack[:len(m.stack)-1]
				continue
			}
			if m.back++; m.back > m.limit && m.limit > 0 {
				panic(refusal{fmt.Errorf("regular expression %q takes more than %d steps back at byte %d of a text of %d bytes", m.expr, m.limit, pos, len(m.s))})
			}
			m.call = c.call
			pc, ok = int(c.pc), true
			if c.pos > c.low {
				_, n := utf8.DecodeLastRuneInString(m.s[:c.pos])
				c.pos -= n // the run gives up its last code point
				pos = c.pos
				if c.pos > c.low {
					continue
				}
			} else {
				pos = c.pos
			}
			m.stack = m.stack[:len(m.stack)-1]
		}
	}
}

// progress tells whether a round of a loop moved on or changed a group that is
// referred to.
func (m *patternRun) progress(in *inst, pos int) bool {
	if m.slots[in.x] != pos {
		return true
	}
	for i, g := range *in.refs {
		if m.slots[in.x+1+2*i] != m.slots[g] || m.slots[in.x+2+2*i] != m.slots[g+1] {
			return true
		}
	}
	return false
}

// look tells whether the look-around at pc holds at pos.
func (m *patternRun) look(in *inst, pc, pos int) bool {
	base, call := len(m.stack), m.call
	found := false
	switch in.op {
	case opLook, opNotLook:
		found = m.run(pc+1, pos) >= 0
	default:
		outer := m.target
		m.target = pos
		at := pos
		for count := 0; in.max < 0 || count <= in.max; count++ {
			if count >= in.min {
				if found = m.run(pc+1, at) >= 0; found {
					break
				}
			}
			_, n := utf8.DecodeLastRuneInString(m.s[:at])
			if n == 0 {
				break
			}
			at -= n
		}
		m.target = outer
	}
	m.call = call
	if in.op == opNotLook || in.op == opNotBehind {
		m.undo(base)
		return !found
	}
	return found
}

// matched returns the first slot of the last of the groups that has matched, or
// −1.
func (m *patternRun) matched(groups []int) int {
	for i := len(groups) - 1; i >= 0; i-- {
		if g := groups[i]; m.slots[g] >= 0 && m.slots[g+1] >= 0 {
			return g
		}
	}
	return -1
}

// backref moves behind what a group has matched, if that stands at pos.
func (m *patternRun) backref(in *inst, pos int) (int, bool) {
	for i := len(*in.refs) - 1; i >= 0; i-- {
		g := m.matched((*in.refs)[i : i+1])
		if g < 0 {
			continue
		}
		// An open group has its new start and its old end.
		text := m.s[m.slots[g]:max(m.slots[g], m.slots[g+1])]
		if in.fold {
			if n, ok := foldedPrefix(m.s[pos:m.end], text); ok {
				return pos + n, true
			}
		} else if strings.HasPrefix(m.s[pos:m.end], text) {
			return pos + len(text), true
		}
	}
	return pos, false
}

// maxCalls bounds how deep groups may call each other.
const maxCalls = 10_000

// within ends the text at the first place from pos on where the program at pc
// matches.
func (m *patternRun) within(pc, pos int) {
	base, call := len(m.stack), m.call
	for at := pos; at <= m.end; {
		found := m.run(pc, at) >= 0
		m.undo(base)
		m.call = call
		if found {
			m.save(slotEnd, at)
			return
		}
		_, n := utf8.DecodeRuneInString(m.s[at:])
		at += max(n, 1)
	}
}

// assert tells whether an assertion without a program of its own holds at pos.
func (m *patternRun) assert(in *inst, pos int) bool {
	switch in.op {
	case opLineStart:
		return pos == 0 || m.s[pos-1] == '\n' && pos < len(m.s)
	case opLineEnd:
		return pos == len(m.s) || m.s[pos] == '\n'
	case opTextStart:
		return pos == 0
	case opTextEnd:
		return pos == len(m.s)
	case opLastLine:
		return pos == len(m.s) || m.s[pos:] == "\n"
	case opBegun:
		return pos == m.from
	case opWordEdge, opNotWordEdge:
		return m.wordEdge(in.set, pos) == (in.op == opWordEdge)
	}
	return charEdge(m.s, pos) == (in.op == opCharEdge)
}

// wordEdge tells whether pos stands between a word and something else.
func (m *patternRun) wordEdge(word *codeSet, pos int) bool {
	before, n := utf8.DecodeLastRuneInString(m.s[:pos])
	after, k := utf8.DecodeRuneInString(m.s[pos:])
	return (n > 0 && word.contains(before)) != (k > 0 && word.contains(after))
}
