package replay

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"olmo/numeric"
	"olmo/proof"
	"olmo/store"
	"olmo/train"
)

// Record is what a run has left of itself, in its own folder or in a release: enough to compute it
// again.
type Record struct {
	dir           string // of chain.jsonl and the checkpoints
	tokens, masks string // folders of the token files and label masks; empty of a run, which says it for each part
	steps         []int  // of the checkpoints that are there, ascending
	first         *proof.Line
	lines         []*proof.Line // of the steps, from first.Step + 1 on
	closing       *proof.Line   // the state in which the run was stopped, nil for none
	init          string        // the file of weights that the run began with, empty for fresh ones
	adapter       string        // the folder of the adapter that the run began with, empty for a new one
	reference     string        // the file of reference log-probabilities of a run over pairs
}

// part is a run of steps with one recipe and the same data.
type part struct {
	from   int // its first step
	recipe proof.Hash
}

// Open reads the record of a release or of a run.
func Open(path string) (*Record, error) {
	r := &Record{}
	switch {
	case exists(filepath.Join(path, "release.json")):
		r.dir = filepath.Join(path, "train")
		r.tokens, r.masks = filepath.Join(path, "data", "tokens"), filepath.Join(path, "data", "masks")
		if !exists(filepath.Join(r.dir, "chain.jsonl")) {
			return nil, fmt.Errorf("%s has no train/chain.jsonl: there is no record to compare with", path)
		}
	default:
		c, err := train.LoadRun(path, nil)
		if err != nil {
			return nil, err
		}
		r.dir = c.SaveFolder
		if !exists(filepath.Join(r.dir, "chain.jsonl")) {
			return nil, fmt.Errorf("%s has no chain.jsonl: no run with a record is there\nhint: a run of an older program gets one when it goes on (olmo train … try_load_latest_save=true)", r.dir)
		}
		r.init = c.InitWeights
		if c.Adapter != nil {
			r.adapter = c.Adapter.InitWeights
		}
		if c.Objective != nil {
			r.reference = c.Objective.Reference
		}
	}
	if file := filepath.Join(r.dir, "init.safetensors"); exists(file) {
		r.init = file
	}
	if err := r.readChain(); err != nil {
		return nil, err
	}
	steps, err := train.Steps(r.dir)
	if err != nil {
		return nil, err
	}
	for _, n := range steps {
		if n >= r.first.Step && n <= r.Last() && exists(filepath.Join(r.checkpoint(n), train.ModelFile)) {
			r.steps = append(r.steps, n)
		}
	}
	return r, nil
}

// readChain reads the lines; of a run that goes on while it is read, a torn end is passed over.
func (r *Record) readChain() error {
	path := filepath.Join(r.dir, "chain.jsonl")
	f, err := store.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<16)
	var before *proof.Line
	for n := 1; ; n++ {
		text, torn, err := proof.ReadLine(in)
		if errors.Is(err, io.EOF) || torn {
			break
		}
		var l *proof.Line
		if err == nil {
			l, err = proof.ParseLine(text)
		}
		if err == nil {
			err = l.Follow(before, text)
		}
		if err != nil {
			return fmt.Errorf("%s, line %d: %w\nhint: 'olmo verify' says all that is wrong with it", path, n, err)
		}
		r.take(l)
		before = l
	}
	if r.first == nil {
		return fmt.Errorf("%s is empty", path)
	}
	return nil
}

func (r *Record) take(l *proof.Line) {
	switch {
	case r.first == nil:
		r.first = l
	case l.Closes():
		r.closing = l
	default:
		r.lines = append(r.lines, l)
	}
}

// First is the step before which nothing was recorded; Last is the last one.
func (r *Record) First() int { return r.first.Step }

// Last is the last step of the record.
func (r *Record) Last() int { return r.first.Step + len(r.lines) }

// line is what the chain says of a step.
func (r *Record) line(step int) *proof.Line { return r.lines[step-r.first.Step-1] }

// state is the line that has the roots of a step's state, nil for none.
func (r *Record) state(step int) *proof.Line {
	switch {
	case step == r.first.Step:
		return r.first
	case r.line(step).Weights != nil:
		return r.line(step)
	case r.closing != nil && r.closing.Step == step:
		return r.closing
	}
	return nil
}

func (r *Record) checkpoint(step int) string {
	return filepath.Join(r.dir, fmt.Sprintf("step%d", step))
}

// parts are the runs of steps with one recipe and the same data.
func (r *Record) parts() []part {
	recipe := *r.first.Recipe
	parts := []part{{r.first.Step + 1, recipe}}
	for _, l := range r.lines {
		if l.Recipe != nil {
			recipe = *l.Recipe
		}
		if l.Recipe != nil || l.Documents != nil || l.Masks != nil {
			parts = append(parts, part{l.Step, recipe})
		}
	}
	return parts
}

// data are the folders of the token files and label masks of the part that a step belongs to.
func (r *Record) data(step int) (tokens, masks string, err error) {
	if r.tokens != "" {
		return r.tokens, r.masks, nil
	}
	p, end := r.partOf(step)
	from := p.from
	if from == r.first.Step+1 {
		from-- // the state before the first step is of its settings
	}
	return train.DataFoldersAt(r.dir, from, end-1)
}

// partOf is the part that a step belongs to, and the step before which it ends, or 0.
func (r *Record) partOf(step int) (p part, end int) {
	for _, q := range r.parts() {
		if q.from > step {
			return p, q.from
		}
		p = q
	}
	return p, 0
}

// start is the last checkpoint from which a step can be computed: in its part, or the state before
// it. Without one, and from the beginning, it is the first state, made from the recipe.
func (r *Record) start(step int) (from int, fresh bool, err error) {
	p, _ := r.partOf(step)
	from = -1
	for _, n := range r.steps {
		if n < step && n >= p.from-1 {
			from = n
		}
	}
	if from >= 0 {
		return from, false, nil
	}
	switch {
	case p.from != r.first.Step+1:
		return 0, false, fmt.Errorf("step %d cannot be computed: the run goes on with other settings from step %d on, and the checkpoint before it (step%d) is not there", step, p.from, p.from-1)
	case r.first.From != nil || r.first.Step != 0:
		return 0, false, fmt.Errorf("step %d cannot be computed: the run grew out of another one, and its first state (step%d) is not there", step, r.first.Step)
	}
	return 0, true, nil
}

// recipe finds the text of a recipe in the run's folder.
func (r *Record) recipe(h proof.Hash) ([]byte, error) {
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if name := e.Name(); !strings.HasPrefix(name, "recipe") || filepath.Ext(name) != ".json" {
			continue
		}
		text, err := store.ReadFile(filepath.Join(r.dir, e.Name()))
		if err != nil {
			return nil, err
		}
		if proof.Sum(text) == h {
			return text, nil
		}
	}
	return nil, fmt.Errorf("no recipe in %s has the hash %v of the chain: what the run was made with is not known", r.dir, h)
}

// tensors are the recorded hashes of a step's tensors, nil for none.
func (r *Record) tensors(step int) (params, optim map[string]proof.Hash, err error) {
	f, err := store.Open(filepath.Join(r.dir, "tensors.jsonl"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	err = proof.ReadTensors(f, func(n int) bool { return n == step }, func(_ int, l *proof.Tensors, _ bool, err error) error {
		if err == nil { // verify speaks of the others
			params, optim = l.Weights, l.Optim
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return params, optim, nil
}

// judge refuses what this program cannot compute as it was.
func (r *Record) judge() error {
	numerics := *r.first.Numerics
	for _, l := range r.lines {
		if l.Numerics != nil && *l.Numerics != numerics {
			return fmt.Errorf("the run was computed by numeric contracts %d and %d; this program has %d alone, so that it can say nothing about other bits\nhint: replay it with the programs that it names", numerics, *l.Numerics, numeric.Contract)
		}
	}
	if numerics != numeric.Contract {
		return fmt.Errorf("the run was computed by numeric contract %d, this program has %d: other bits would say nothing\nhint: the program of the run is %s", numerics, numeric.Contract, *r.first.Program)
	}
	return nil
}

// segments are the runs of steps between two states of the chain from the first of which, and from no
// later one, the second is computed: pairs of the state before and the last step.
func (r *Record) segments() [][2]int {
	var states []int
	if slices.Contains(r.steps, r.first.Step) || r.first.From == nil && r.first.Step == 0 {
		states = append(states, r.first.Step)
	}
	for _, n := range r.steps {
		if n > r.first.Step && r.state(n) != nil {
			states = append(states, n)
		}
	}
	var segments [][2]int
	for i := 1; i < len(states); i++ {
		segments = append(segments, [2]int{states[i-1], states[i]})
	}
	return segments
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
