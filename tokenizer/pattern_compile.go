package tokenizer

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// node is a part of a parsed expression.
type node struct {
	kind     int
	set      *codeSet
	text     []rune  // of nodeText
	fold     bool    // case does not count
	list     []*node // the parts
	cond     *node   // of nodeIf; nil for the groups
	op       uint8   // of nodeAssert and nodeLook
	min, max int     // of nodeRepeat; max < 0 is no limit
	lazy     bool
	group    int    // of nodeGroup; 0 for one that does not capture
	name     string // of a reference
	number   bool   // the reference is one by number
	groups   []int  // it refers to
	newline  bool   // \R
}

const (
	nodeSequence = iota
	nodeAlternatives
	nodeSet
	nodeText
	nodeRepeat // of list[0]
	nodeAssert
	nodeLook    // list[0]
	nodeAtomic  // list[0]
	nodeGroup   // list[0]
	nodeBag     // list[0], which does not join what stands around it
	nodeBackref // groups
	nodeCall    // groups[0]
	nodeIf      // cond or groups: list[0], else list[1]
	nodeWithin  // the text ends where list[0] matches: list[1], or all that follows
	nodeWhole   // the end of that
	nodeKeep
	nodeFail
)

// maxProgram bounds a program, which repeats of repeats could make huge.
const maxProgram = 1 << 16

// parsePattern compiles expr.
func parsePattern(expr string) (*pattern, error) {
	ps := &patternParser{expr: expr}
	n, err := ps.alternatives(0)
	if err == nil && ps.more() {
		err = errors.New("a ) without (")
	}
	if err == nil {
		err = ps.resolve()
	}
	c := &patternCompiler{slots: firstSlot, parser: ps}
	if err == nil {
		err = c.whole(n)
	}
	if err != nil {
		return nil, fmt.Errorf("regular expression %q, at character %d: %w", expr, utf8.RuneCountInString(expr[:min(ps.pos, len(expr))])+1, err)
	}
	return &pattern{expr: expr, prog: c.prog, slots: c.slots, saves: c.saves, calls: c.calls, limit: maxStepsBack}, nil
}

type patternCompiler struct {
	parser *patternParser
	prog   []inst
	slots  int
	saves  bool
	calls  bool  // groups are called
	behind bool  // inside a look-behind
	groups []int // the first slot of each group
	bodies []int // where a group's program begins, with calls
	fixups []fixup
	err    error
}

// fixup is a call of a group whose program has no place yet.
type fixup struct{ at, group int }

// whole compiles the expression.
func (c *patternCompiler) whole(n *node) error {
	c.calls = len(c.parser.calls) > 0
	c.groups = make([]int, len(c.parser.groups)+1)
	c.bodies = make([]int, len(c.groups))
	for i := range c.groups {
		c.groups[i] = c.slots
		c.slots += 2
	}
	if c.calls {
		if err := c.checkCalls(n); err != nil {
			return err
		}
		// All of it is group 0.
		n = &node{kind: nodeGroup, list: []*node{n}}
		c.called(n)
	} else {
		c.node(n)
	}
	c.emit(inst{op: opMatch})
	for _, f := range c.fixups {
		c.prog[f.at].x = c.bodies[f.group]
	}
	if c.slots == firstSlot+2*len(c.groups) && !c.saves {
		c.slots = firstSlot
	}
	return c.err
}

func (c *patternCompiler) emit(in inst) int {
	if len(c.prog) >= maxProgram {
		if c.err == nil {
			c.err = fmt.Errorf("the expression is too large (more than %d operations)", maxProgram)
		}
		return 0
	}
	switch in.op {
	case opMark, opCount, opSave, opClose, opWithin, opWhole:
		c.saves = true
	}
	c.prog = append(c.prog, in)
	return len(c.prog) - 1
}

// here lets the operation at go on at what comes next.
func (c *patternCompiler) here(at int) {
	if c.err == nil {
		c.prog[at].x = len(c.prog)
	}
}

func (c *patternCompiler) node(n *node) {
	if c.err != nil {
		return
	}
	switch n.kind {
	case nodeSequence:
		c.sequence(n.list)
	case nodeText:
		c.text(n)
	case nodeAlternatives:
		c.alternatives(n.list)
	case nodeSet:
		c.emit(inst{op: opSet, set: n.set})
	case nodeRepeat:
		c.repeat(n)
	case nodeAssert:
		c.emit(inst{op: n.op, set: n.set})
	case nodeAtomic:
		at := c.emit(inst{op: opAtomic, y: -1})
		c.node(n.list[0])
		c.emit(inst{op: opMatch})
		c.here(at)
	case nodeLook:
		c.look(n)
	case nodeBag:
		c.node(n.list[0])
	case nodeGroup:
		c.group(n)
	case nodeBackref:
		c.emit(inst{op: opBackref, fold: n.fold, refs: refsOf(c.slotsOf(n.groups))})
	case nodeCall:
		c.fixups = append(c.fixups, fixup{c.emit(inst{op: opCall}), n.groups[0]})
	case nodeIf:
		c.condition(n)
	case nodeWithin:
		c.within(n)
	case nodeWhole:
		c.emit(inst{op: opWhole})
	case nodeKeep:
		if c.behind {
			c.err = errors.New(`\K in a look-around is not supported`)
		}
		c.emit(inst{op: opSave, x: slotKeep})
	case nodeFail:
		c.emit(inst{op: opFail})
	}
}

// flat returns the parts of a sequence, those of sequences inside it among them,
// and texts that stand beside each other as one: (?i)s(?:s) matches ß.
func flat(list []*node) []*node {
	var out []*node
	for _, n := range list {
		parts := []*node{n}
		if n.kind == nodeSequence {
			parts = flat(n.list)
		}
		for _, m := range parts {
			if last := len(out) - 1; last >= 0 && m.kind == nodeText && out[last].kind == nodeText && m.fold == out[last].fold {
				joined := *out[last]
				joined.text = slices.Concat(joined.text, m.text)
				out[last] = &joined
				continue
			}
			out = append(out, m)
		}
	}
	return out
}

func (c *patternCompiler) sequence(list []*node) {
	for _, m := range flat(list) {
		c.node(m)
	}
}

func (c *patternCompiler) text(n *node) {
	if n.fold {
		c.node(foldedText(n.text, c.behind))
		return
	}
	for _, r := range n.text {
		c.emit(inst{op: opSet, set: newCodeSet(runeSet{{r, r}})})
	}
}

func (c *patternCompiler) alternatives(list []*node) {
	var ends []int
	for i, m := range list {
		if i == len(list)-1 {
			c.node(m)
			break
		}
		split := c.emit(inst{op: opSplit})
		c.here(split)
		c.node(m)
		ends = append(ends, c.emit(inst{op: opJump}))
		c.prog[split].y = len(c.prog)
	}
	for _, e := range ends {
		c.here(e)
	}
}

func (c *patternCompiler) slotsOf(groups []int) []int {
	var out []int
	for _, g := range groups {
		out = append(out, c.groups[g])
	}
	return out
}

// group compiles a group. Where groups are called, each is, so that a call of a
// group inside itself has a start of its own.
func (c *patternCompiler) group(n *node) {
	switch {
	case n.group == 0:
		c.node(n.list[0])
	case c.calls:
		c.called(n)
	default:
		// A group that nothing refers to need not be remembered.
		if len(c.parser.refs) == 0 {
			c.node(n.list[0])
			return
		}
		c.emit(inst{op: opSave, x: c.groups[n.group]})
		c.node(n.list[0])
		c.emit(inst{op: opClose, x: c.groups[n.group]})
	}
}

func (c *patternCompiler) called(n *node) {
	call := c.emit(inst{op: opCall})
	jump := c.emit(inst{op: opJump})
	c.here(call)
	c.bodies[n.group] = len(c.prog)
	c.emit(inst{op: opSave, x: c.groups[n.group]})
	c.node(n.list[0])
	c.emit(inst{op: opClose, x: c.groups[n.group]})
	c.emit(inst{op: opReturn})
	c.here(jump)
}

// single returns the set that n is, if it is one code point.
func (n *node) single() *codeSet {
	switch {
	case n.kind == nodeSet:
		return n.set
	case n.kind == nodeText && len(n.text) == 1 && !n.fold:
		return newCodeSet(runeSet{{n.text[0], n.text[0]}})
	case n.kind == nodeText && len(n.text) == 1:
		if m := foldedText(n.text, false); m.kind == nodeSet {
			return m.set
		}
	}
	return nil
}

// expandedRepeat is how many operations a repeat may become before it is counted
// instead.
const expandedRepeat = 2000

func (c *patternCompiler) repeat(n *node) {
	body := n.list[0]
	if set := body.single(); set != nil && !n.lazy {
		c.emit(inst{op: opRun, set: set, min: n.min, max: n.max})
		return
	}
	if n.max == 0 {
		// Its groups can still be called.
		jump := c.emit(inst{op: opJump})
		c.node(body)
		c.here(jump)
		return
	}
	start, most := len(c.prog), max(n.min, n.max)
	split := func() int {
		at := c.emit(inst{op: opSplit})
		c.here(at)
		return at
	}
	leave := func(at int) {
		if c.err != nil {
			return
		}
		c.prog[at].y = len(c.prog)
		if n.lazy {
			c.prog[at].x, c.prog[at].y = c.prog[at].y, c.prog[at].x
		}
	}
	var splits []int
	for i := range most {
		if i >= n.min {
			if n.max < 0 {
				break
			}
			splits = append(splits, split())
		}
		c.node(body)
		if c.err != nil {
			return
		}
		if i == 0 && most > 1 && (len(c.prog)-start)*most > expandedRepeat {
			c.drop(start)
			c.counted(n, most)
			splits = nil
			break
		}
	}
	if n.max < 0 {
		slot, refs := c.slots, c.referred(body)
		c.slots += 1 + 2*len(refs)
		at := split()
		c.emit(inst{op: opMark, x: slot, refs: refsOf(refs)})
		c.node(body)
		c.emit(inst{op: opProgress, x: slot, y: at, refs: refsOf(refs)})
		leave(at)
	}
	for _, at := range splits {
		leave(at)
	}
}

// refsOf keeps operations small, of which few have any.
func refsOf(refs []int) *[]int { return &refs }

// drop takes the program from start on back.
func (c *patternCompiler) drop(start int) {
	c.prog = c.prog[:start]
	c.fixups = slices.DeleteFunc(c.fixups, func(f fixup) bool { return f.at >= start })
}

// counted compiles the part of a repeat that has an end as a loop that counts.
func (c *patternCompiler) counted(n *node, most int) {
	if c.calls {
		c.err = errors.New("a repeat as large as this beside calls of groups is not supported")
		return
	}
	slot := c.slots
	c.slots++
	at := -1
	if n.min == 0 {
		at = c.emit(inst{op: opSplit})
		c.here(at)
	}
	c.emit(inst{op: opCount, x: slot})
	begin := len(c.prog)
	c.node(n.list[0])
	c.emit(inst{op: opLoop, x: slot, y: begin, min: n.min, max: most, lazy: n.lazy})
	if at >= 0 && c.err == nil {
		c.prog[at].y = len(c.prog)
		if n.lazy {
			c.prog[at].x, c.prog[at].y = c.prog[at].y, c.prog[at].x
		}
	}
}

// referred returns the slots of the groups in n that something outside refers to:
// a round of a loop that changes one goes on even where it takes no text.
func (c *patternCompiler) referred(n *node) []int {
	if len(c.parser.refs) == 0 {
		return nil
	}
	inside := map[*node]bool{}
	n.each(func(m *node) { inside[m] = true })
	var out []int
	for g := range c.groups {
		from := slices.ContainsFunc(c.parser.refs, func(r *node) bool { return !inside[r] && slices.Contains(r.groups, g) })
		if here := slices.ContainsFunc(c.parser.groups, func(d patternGroup) bool { return d.node.group == g && inside[d.node] }); g > 0 && from && here {
			out = append(out, c.groups[g])
		}
	}
	return out
}

// each calls f for n and all its parts.
func (n *node) each(f func(*node)) {
	f(n)
	for _, m := range n.list {
		m.each(f)
	}
	if n.cond != nil {
		n.cond.each(f)
	}
}

// condition compiles (?(C)yes|no). A condition that is an expression takes the
// text that it matches, and is not looked at again.
func (c *patternCompiler) condition(n *node) {
	var at int
	if n.cond == nil {
		at = c.emit(inst{op: opHave, refs: refsOf(c.slotsOf(n.groups))})
	} else {
		at = c.emit(inst{op: opAtomic})
		c.node(n.cond)
		c.emit(inst{op: opMatch})
		c.here(at)
	}
	if n.list != nil {
		c.node(n.list[0])
	}
	jump := c.emit(inst{op: opJump})
	if c.err == nil {
		c.prog[at].y = len(c.prog)
	}
	if n.list != nil {
		c.node(n.list[1])
	} else {
		c.emit(inst{op: opFail})
	}
	c.here(jump)
}

// within compiles the absent operators: the text ends where list[0] first
// matches, for list[1] or for all that follows.
func (c *patternCompiler) within(n *node) {
	if c.behind {
		c.err = errors.New("an absent operator in a look-behind is not supported")
	}
	slot := c.slots
	c.slots++
	at := c.emit(inst{op: opWithin, y: slot})
	c.node(n.list[0])
	c.emit(inst{op: opMatch})
	c.here(at)
	if len(n.list) > 1 {
		c.node(n.list[1])
		c.emit(inst{op: opWhole, x: 1, y: slot})
	}
}

// look compiles look-around.
func (c *patternCompiler) look(n *node) {
	body := n.list[0]
	in := inst{op: n.op}
	behind := n.op == opBehind || n.op == opNotBehind
	outer := c.behind
	if behind {
		if c.err = body.fitsBehind(n.op == opNotBehind); c.err != nil {
			return
		}
		in.min, in.max = body.width()
		c.behind = true
	}
	at := c.emit(in)
	c.node(body)
	if behind {
		c.emit(inst{op: opHere})
	}
	c.emit(inst{op: opMatch})
	c.here(at)
	c.behind = outer
}

// fitsBehind tells why n cannot stand in a look-behind, as in Oniguruma.
func (n *node) fitsBehind(not bool) error {
	var err error
	n.each(func(m *node) {
		switch {
		case m.kind == nodeLook && (m.op == opLook || m.op == opNotLook || m.op == opNotBehind && !not):
			err = errors.New("a look-around of this kind in a look-behind")
		case m.kind == nodeAssert && (m.op == opTextEnd || m.op == opLastLine):
			err = errors.New("the end of the text in a look-behind")
		case m.kind == nodeGroup && m.group > 0 && not:
			err = errors.New("a group that captures in a negative look-behind")
		case m.kind == nodeIf || m.newline:
			err = errors.New(`a condition or \R in a look-behind is not supported`)
		case m.kind == nodeCall:
			err = errors.New("a call of a group in a look-behind is not supported")
		}
	})
	return err
}

// width returns how many code points n matches; most < 0 is no limit.
func (n *node) width() (least, most int) {
	switch n.kind {
	case nodeSet:
		return 1, 1
	case nodeText:
		return len(n.text), len(n.text)
	case nodeAtomic, nodeGroup, nodeBag:
		return n.list[0].width()
	case nodeRepeat:
		least, most = n.list[0].width()
		least *= n.min
		switch {
		case most == 0 || n.max == 0:
			most = 0
		case most < 0 || n.max < 0:
			most = -1
		default:
			most *= n.max
		}
		return least, most
	case nodeBackref, nodeCall:
		return 0, -1
	case nodeAlternatives:
		least, most = n.list[0].width()
		for _, m := range n.list[1:] {
			l, h := m.width()
			least = min(least, l)
			if most = max(most, h); h < 0 {
				most = -1
			}
		}
		return least, most
	case nodeIf:
		if n.list == nil {
			return 0, 0
		}
		least, most = (&node{kind: nodeAlternatives, list: n.list}).width()
		if n.cond != nil {
			_, h := n.cond.width()
			if most >= 0 {
				most += h
			}
			if h < 0 {
				most = -1
			}
		}
		return least, most
	case nodeSequence:
		for _, m := range n.list {
			l, h := m.width()
			least += l
			if most >= 0 {
				most += h
			}
			if h < 0 {
				most = -1
			}
		}
	}
	return least, most
}
