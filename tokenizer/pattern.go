package tokenizer

import (
	"unicode/utf8"
)

// pattern is a regular expression in the dialect of Oniguruma (Ruby syntax,
// UTF-8) as tokenizer.json files use it: look-around, atomic groups, possessive
// repeats, nested classes and Unicode properties; no back-references. It
// backtracks, as the order of alternatives decides which match wins.
type pattern struct {
	prog  []inst
	slots int // of positions that loops remember
}

// compilePattern returns a matcher for a regular expression of a file: a
// scanner for the common ones, else a pattern.
func compilePattern(expr string) (matcher, error) {
	switch expr {
	case gpt2Pattern:
		return kindGPT2, nil
	case cl100kPattern:
		return kindCL100K, nil
	}
	return parsePattern(expr)
}

// Operations of a pattern's program.
const (
	opMatch    = iota
	opSet      // one code point of set
	opRun      // from min to max code points of set, as many as can be; max < 0 is no limit
	opSplit    // try x, then y
	opJump     // go to x
	opMark     // remember the position in slot x
	opProgress // go to y unless the position is still that of slot x
	opLook     // the program behind this, up to opMatch, matches here; go to x
	opNotLook
	opBehind // the same, min code points before
	opNotBehind
	opAtomic    // the program behind this matches; go on at x where it ended
	opLineStart // ^
	opLineEnd   // $
	opTextStart // \A
	opTextEnd   // \z
	opLastLine  // \Z
	opWordEdge  // \b
	opNotWordEdge
)

type inst struct {
	op       uint8
	set      *codeSet
	x, y     int
	min, max int
}

// find implements matcher.
func (p *pattern) find(s string, from int) (start, end int) {
	m := &patternRun{prog: p.prog, s: s, slots: make([]int, p.slots)}
	for at := from; at <= len(s); {
		m.stack = m.stack[:0]
		if end := m.run(0, at); end >= 0 {
			return at, end
		}
		_, n := utf8.DecodeRuneInString(s[at:])
		at += max(n, 1)
	}
	return -1, -1
}

// patternRun is one search.
type patternRun struct {
	prog  []inst
	s     string
	slots []int
	stack []choice
}

// choice is a way back: go on at pc from pos. With a low end, there are more
// ways, each a code point shorter. With slot ≥ 0 it restores a slot instead.
type choice struct{ pc, pos, low, slot int }

// run executes the program from pc at pos and returns where the match ends, or
// −1. Choices below the stack's height at the call stay.
//
// It backtracks, because look-around and atomic groups ask for it: an instruction
// that has a second way leaves a choice, and the first that fails takes the latest
// one. A run of one set, such as \p{L}+, is one instruction and one choice however
// long it is, so that a text of a megabyte does not need a stack of one.
func (m *patternRun) run(pc, pos int) int {
	base := len(m.stack)
	for {
		ok := true
		in := &m.prog[pc]
		switch in.op {
		case opMatch:
			m.stack = m.stack[:base]
			return pos
		case opSet:
			if pos < len(m.s) {
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
				if pos >= len(m.s) {
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
				m.stack = append(m.stack, choice{pc, pos, low, -1})
			}
		case opSplit:
			m.stack = append(m.stack, choice{in.y, pos, pos, -1})
			pc = in.x
		case opJump:
			pc = in.x
		case opMark:
			m.stack = append(m.stack, choice{0, m.slots[in.x], 0, in.x})
			m.slots[in.x] = pos
			pc++
		case opProgress:
			if m.slots[in.x] == pos {
				pc++
			} else {
				pc = in.y
			}
		case opLook, opNotLook:
			// A match of the inner program drops its choices: what it saw is not
			// looked at in another way when the rest fails.
			ok = (m.run(pc+1, pos) >= 0) == (in.op == opLook)
			pc = in.x
		case opBehind, opNotBehind:
			at, found := pos, true
			for range in.min {
				_, n := utf8.DecodeLastRuneInString(m.s[:at])
				found = found && n > 0
				at -= n
			}
			found = found && m.run(pc+1, at) >= 0
			ok = found == (in.op == opBehind)
			pc = in.x
		case opAtomic:
			end := m.run(pc+1, pos)
			ok = end >= 0
			pos, pc = end, in.x
		case opLineStart:
			ok = pos == 0 || m.s[pos-1] == '\n' && pos < len(m.s)
			pc++
		case opLineEnd:
			ok = pos == len(m.s) || m.s[pos] == '\n'
			pc++
		case opTextStart:
			ok = pos == 0
			pc++
		case opTextEnd:
			ok = pos == len(m.s)
			pc++
		case opLastLine:
			ok = pos == len(m.s) || m.s[pos:] == "\n"
			pc++
		case opWordEdge, opNotWordEdge:
			ok = m.wordEdge(pos) == (in.op == opWordEdge)
			pc++
		}
		for !ok {
			if len(m.stack) == base {
				return -1
			}
			c := &m.stack[len(m.stack)-1]
			switch {
			case c.slot >= 0:
				m.slots[c.slot] = c.pos
				m.stack = m.stack[:len(m.stack)-1]
				continue
			case c.pos > c.low:
				_, n := utf8.DecodeLastRuneInString(m.s[:c.pos])
				c.pos -= n // the run gives up its last code point
				pc, pos, ok = c.pc, c.pos, true
				if c.pos > c.low {
					continue
				}
			default:
				pc, pos, ok = c.pc, c.pos, true
			}
			m.stack = m.stack[:len(m.stack)-1]
		}
	}
}

func (m *patternRun) wordEdge(pos int) bool {
	word := unicodeTables().classes["word_regex"]
	before, n := utf8.DecodeLastRuneInString(m.s[:pos])
	after, k := utf8.DecodeRuneInString(m.s[pos:])
	return (n > 0 && word.contains(before)) != (k > 0 && word.contains(after))
}
