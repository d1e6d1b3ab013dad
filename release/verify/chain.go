package verify

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"olmo/proof"
	"olmo/release"
)

// chain is what chain.jsonl comes to.
type chain struct {
	path  string
	first *proof.Line
	last  int        // number of the last step
	lines int        // of all
	head  proof.Hash // of the last line
	root  proof.Hash // over all lines
	// states are the lines that have roots, by step; the last of a step counts.
	states map[int]*proof.Line
	own    map[int]proof.Hash // the hash of the line of each of these steps, and of checkpoints
	// changes are the steps from which on settings or data are others.
	changes []*proof.Line
	broken  bool // it cannot be relied upon
}

// lotLines is how many lines of a chain are parsed by one processor at a time.
const lotLines = 256

// lot are some lines of a chain, one after the other, and what parsing them gave.
type lot struct {
	first int // number of the first, from 1
	texts [][]byte
	lines []*proof.Line
	errs  []error
	end   error // why no more can be read; io.EOF after the last
}

// readLines calls each for every line of a chain that can be read, with its text. An error of a line ends
// nothing; fault is told of it. Lines are parsed on all processors, and each is called for one after the other.
func readLines(ctx context.Context, in io.Reader, each func(l *proof.Line, text []byte) bool, fault func(line int, err error)) error {
	r := bufio.NewReaderSize(in, 64<<10)
	lots := func(yield func(func() *lot) bool) {
		for n := 1; ; {
			p := &lot{first: n}
			for ; len(p.texts) < lotLines && p.end == nil; n++ {
				text, torn, err := proof.ReadLine(r)
				if p.end = err; err != nil {
					break
				}
				p.texts, p.errs = append(p.texts, text), append(p.errs, nil)
				if torn {
					p.errs[len(p.errs)-1] = errors.New("it has no end")
				}
			}
			if !yield(p.parse) || p.end != nil {
				return
			}
		}
	}
	var end error
	ordered(ctx, lots, func(p *lot) bool {
		for i, l := range p.lines {
			if p.errs[i] != nil {
				fault(p.first+i, p.errs[i])
			}
			if l != nil && !each(l, p.texts[i]) {
				return false
			}
		}
		end = p.end
		return true
	})
	if errors.Is(end, io.EOF) {
		return nil
	}
	return end
}

func (p *lot) parse() *lot {
	p.lines = make([]*proof.Line, len(p.texts))
	for i, text := range p.texts {
		l, err := proof.ParseLine(text)
		if err != nil {
			p.errs[i] = err
			continue
		}
		p.lines[i] = l
	}
	return p
}

// readChain reads chain.jsonl: numbers, hashes and root. The first line that is wrong is the problem.
func (v *verifier) readChain() {
	f := v.usable(v.train + chainFile)
	if f == nil {
		v.note("the steps cannot be checked without %s", v.train+chainFile)
		return
	}
	in, err := f.text()
	if err != nil {
		v.problem(Changed, f.path, "%s: %v", f.path, err)
		return
	}
	defer in.Close()
	c := &chain{path: f.path, states: map[int]*proof.Line{}, own: map[int]proof.Hash{}}
	expected := 0
	wrong := func(step int, format string, args ...any) {
		if !c.broken {
			v.problem(Chain, f.path, format, args...).at(step)
		}
		c.broken = true
	}
	steps := v.checkpointSteps()
	v.readNotes()
	var tree proof.Tree
	var before *proof.Line
	each := func(l *proof.Line, text []byte) bool {
		c.lines++
		tree.Add(text)
		if err := l.Follow(before, text); err != nil {
			step := l.Step
			if before != nil && !l.Closes() && l.Format == "" {
				step = min(step, expected) // of a step that is missing
			}
			wrong(step, "line %d of %s: %v", c.lines, f.path, err)
		}
		if len(v.heads) > 0 && !c.broken {
			v.holdNotes(&tree, l.Step)
		}
		c.take(l, steps[l.Step])
		expected, before = l.Step+1, l
		return v.ctx.Err() == nil
	}
	err = readLines(v.ctx, in, each, func(line int, err error) { wrong(expected, "line %d of %s: %v", line, f.path, err) })
	if err != nil {
		wrong(expected, "%s: %v", f.path, err)
	}
	if c.first == nil { // nothing says what it is the chain of
		wrong(0, "%s has no first line", f.path)
		v.note("the steps cannot be checked: %s has no first line that can be read", f.path)
		return
	}
	if !c.broken {
		v.judgeNotes(c.lines)
	}
	c.last, c.head, c.root = before.Step, before.Hash, tree.Root()
	v.report.Checked.Steps = int64(c.last - c.first.Step)
	v.chain = c
}

// take keeps what is needed of a line; checkpoint tells that its step has one.
func (c *chain) take(l *proof.Line, checkpoint bool) {
	if c.first == nil && l.Format != "" {
		c.first = l
	}
	if l.Weights != nil {
		c.states[l.Step] = l
	}
	if !l.Closes() && (checkpoint || l.Weights != nil) {
		c.own[l.Step] = l.Hash
	}
	if l.Instances != nil && (l.Recipe != nil || l.Documents != nil || l.Tokenizer != nil || l.Numerics != nil || l.Masks != nil) {
		c.changes = append(c.changes, l)
	}
}

// grewFrom tells whether the chain begins with a checkpoint that has this hash: one that was written before
// there was this chain, by an older program.
func (c *chain) grewFrom(step int, hash proof.Hash) bool {
	return step == c.first.Step && c.first.From != nil && *c.first.From == hash
}

// judgeHead compares the chain with what release.json says of it.
func (v *verifier) judgeHead() {
	if v.release == nil || v.chain == nil {
		return
	}
	c, run := v.chain, v.release.Run
	// Where a line is wrong, so is what they come to, and the line is the fault.
	wrong := func(format string, args ...any) {
		if !c.broken {
			v.problem(Chain, c.path, format, args...).at(c.last)
		}
	}
	if c.head != run.ChainHead {
		wrong("%s ends with the hash %v, %s says %v", c.path, c.head, release.ManifestFile, run.ChainHead)
	}
	if c.root != run.StepsRoot {
		wrong("the root over the lines of %s is %v, %s says %v", c.path, c.root, release.ManifestFile, run.StepsRoot)
	}
	if c.last != run.Steps {
		wrong("%s ends with step %d, %s says %d", c.path, c.last, release.ManifestFile, run.Steps)
	}
	got := c.first.Documents
	for _, l := range c.changes {
		if l.Documents != nil {
			got = l.Documents
		}
	}
	if m := v.release.Data; got != nil {
		if got.Valid != (m.DocumentsRoot != nil) || got.Valid && got.Hash != *m.DocumentsRoot {
			v.problem(Manifest, release.ManifestFile, "documents_root of %s is %s, the chain's is %s", release.ManifestFile, hashOrNull(m.DocumentsRoot), nullable(got))
		}
	}
}

func hashOrNull(h *proof.Hash) string {
	if h == nil {
		return "null"
	}
	return h.String()
}

func nullable(n *proof.Nullable) string {
	if n == nil || !n.Valid {
		return "null"
	}
	return fmt.Sprint(n.Hash)
}
