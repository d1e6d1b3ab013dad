package tokenizer

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// node is a part of a parsed expression.
type node struct {
	kind     int
	set      *codeSet
	list     []*node // of nodeSequence and nodeAlternatives
	op       uint8   // of nodeAssert and nodeLook
	min, max int     // of nodeRepeat; max < 0 is no limit
	lazy     bool
}

const (
	nodeSequence = iota
	nodeAlternatives
	nodeSet
	nodeRepeat // of list[0]
	nodeAssert
	nodeLook   // list[0]
	nodeAtomic // list[0]
)

// maxProgram bounds a program, which repeats of repeats could make huge.
const maxProgram = 1 << 16

// parsePattern compiles expr.
func parsePattern(expr string) (*pattern, error) {
	ps := &patternParser{expr: expr}
	n, err := ps.alternatives(0)
	if err == nil && ps.pos < len(expr) {
		err = errors.New("a ) without (")
	}
	c := &patternCompiler{}
	if err == nil {
		c.node(n)
		c.emit(inst{op: opMatch})
		err = c.err
	}
	if err != nil {
		return nil, fmt.Errorf("regular expression %q, at character %d: %w", expr, utf8.RuneCountInString(expr[:min(ps.pos, len(expr))])+1, err)
	}
	return &pattern{c.prog, c.slots}, nil
}

type patternCompiler struct {
	prog  []inst
	slots int
	err   error
}

func (c *patternCompiler) emit(in inst) int {
	if len(c.prog) >= maxProgram {
		c.err = fmt.Errorf("the expression is too large (more than %d operations)", maxProgram)
		return 0
	}
	c.prog = append(c.prog, in)
	return len(c.prog) - 1
}

func (c *patternCompiler) node(n *node) {
	if c.err != nil {
		return
	}
	switch n.kind {
	case nodeSequence:
		for _, m := range n.list {
			c.node(m)
		}
	case nodeAlternatives:
		var ends []int
		for i, m := range n.list {
			if i == len(n.list)-1 {
				c.node(m)
				break
			}
			split := c.emit(inst{op: opSplit})
			c.prog[split].x = len(c.prog)
			c.node(m)
			ends = append(ends, c.emit(inst{op: opJump}))
			c.prog[split].y = len(c.prog)
		}
		for _, e := range ends {
			c.prog[e].x = len(c.prog)
		}
	case nodeSet:
		c.emit(inst{op: opSet, set: n.set})
	case nodeRepeat:
		c.repeat(n)
	case nodeAssert:
		c.emit(inst{op: n.op})
	case nodeAtomic:
		at := c.emit(inst{op: opAtomic})
		c.node(n.list[0])
		c.emit(inst{op: opMatch})
		c.prog[at].x = len(c.prog)
	case nodeLook:
		c.look(n)
	}
}

func (c *patternCompiler) repeat(n *node) {
	body := n.list[0]
	if body.kind == nodeSet && !n.lazy {
		c.emit(inst{op: opRun, set: body.set, min: n.min, max: n.max})
		return
	}
	for range n.min {
		c.node(body)
		if c.err != nil {
			return
		}
	}
	split := func() int {
		at := c.emit(inst{op: opSplit})
		c.prog[at].x = len(c.prog)
		return at
	}
	leave := func(at int) {
		c.prog[at].y = len(c.prog)
		if n.lazy {
			c.prog[at].x, c.prog[at].y = c.prog[at].y, c.prog[at].x
		}
	}
	if n.max < 0 {
		slot := c.slots
		c.slots++
		at := split()
		c.emit(inst{op: opMark, x: slot})
		c.node(body)
		c.emit(inst{op: opProgress, x: slot, y: at})
		leave(at)
		return
	}
	var splits []int
	for range n.max - n.min {
		splits = append(splits, split())
		c.node(body)
		if c.err != nil {
			return
		}
	}
	for _, at := range splits {
		leave(at)
	}
}

// look compiles look-around. Each alternative of a look-behind has one width.
func (c *patternCompiler) look(n *node) {
	body := n.list[0]
	if n.op == opLook || n.op == opNotLook {
		at := c.emit(inst{op: n.op})
		c.node(body)
		c.emit(inst{op: opMatch})
		c.prog[at].x = len(c.prog)
		return
	}
	list := []*node{body}
	if body.kind == nodeAlternatives {
		list = body.list
	}
	var jumps []int
	for i, m := range list {
		width, ok := m.width()
		if !ok {
			c.err = errors.New("a look-behind must have one length")
			return
		}
		// (?<=a|b) is one of them, (?<!a|b) is none of them.
		split := -1
		if n.op == opBehind && i+1 < len(list) {
			split = c.emit(inst{op: opSplit})
			c.prog[split].x = len(c.prog)
		}
		at := c.emit(inst{op: n.op, min: width})
		c.node(m)
		c.emit(inst{op: opMatch})
		c.prog[at].x = len(c.prog)
		if split >= 0 {
			jumps = append(jumps, c.emit(inst{op: opJump}))
			c.prog[split].y = len(c.prog)
		}
	}
	for _, j := range jumps {
		c.prog[j].x = len(c.prog)
	}
}

// width returns how many code points n matches, if that is one number.
func (n *node) width() (int, bool) {
	switch n.kind {
	case nodeSet:
		return 1, true
	case nodeAssert, nodeLook:
		return 0, true
	case nodeAtomic:
		return n.list[0].width()
	case nodeRepeat:
		w, ok := n.list[0].width()
		return w * n.min, ok && n.min == n.max
	}
	total := 0
	for i, m := range n.list {
		w, ok := m.width()
		if !ok || n.kind == nodeAlternatives && i > 0 && w != total {
			return 0, false
		}
		if n.kind == nodeSequence {
			w += total
		}
		total = w
	}
	return total, true
}
