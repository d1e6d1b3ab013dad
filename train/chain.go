package train

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"

	"olmo/model"
	"olmo/proof"
	"olmo/store"
	"olmo/tensor"
	"olmo/weights"
)

// The files in which a run binds itself, in its folder.
const (
	chainFile   = "chain.jsonl"   // a line for the first state and for each step
	tensorsFile = "tensors.jsonl" // the hashes of tensors behind the chain's roots
	recipeFile  = "recipe.json"   // what Config.Recipe returns
)

// recipeFrom is the file of the recipe that holds from a step on at which settings changed.
func recipeFrom(step int) string { return fmt.Sprintf("recipe-%d.json", step) }

// settings are what a run's bits follow from, beside the state it began with.
type settings struct {
	recipe                      []byte
	documents, tokenizer, masks *proof.Nullable
	numerics                    int
	program                     string
}

// chain is the record in which every step binds the one before.
type chain struct {
	dir      string
	now      settings
	change   *proof.Line     // what of them is other than before the next step; nil for nothing
	from     *proof.Hash     // the end of the chain from whose checkpoint the run began
	loaded   *Manifest       // of the checkpoint that was loaded, nil for none of ours
	text     []byte          // the line of the last step
	last     *proof.Line     // that line
	roots    *roots          // of the state after some step, the last for which they were asked
	lines    *store.Appended // nil outside of Run
	open     []byte          // the file without its closing line, which stands until the next step; nil without
	tree     proof.Tree      // over them
	tensors  *store.Appended
	rootless bool // the line of the last step has no roots
}

// roots are the hashes of all tensors after a step, in byte order of names.
type roots struct {
	step           int
	weights, optim []weights.Sum
}

// hashTensors hashes the weights and the optimiser's state as they are on the device.
func (t *Trainer) hashTensors() (*roots, error) {
	if r := t.chain.roots; r != nil && r.step == t.state.Step {
		return r, nil
	}
	return t.hashState(t.state.Step)
}

func (t *Trainer) hashState(step int) (*roots, error) {
	r := &roots{step: step}
	lend := func(name string, shape []int) (weights.Named, error) {
		v, err := t.dev.Lend(name)
		return weights.Named{Name: name, Tensor: tensor.FromFloat32(shape, v)}, err
	}
	var params, states []weights.Named
	for _, p := range t.params {
		n, err := lend(p.Name, p.Shape)
		if err != nil {
			return nil, err
		}
		params = append(params, n)
	}
	err := t.eachState(func(s state, _ model.Param) error {
		n, err := lend(s.name, s.shape)
		states = append(states, n)
		return err
	})
	if err != nil {
		return nil, err
	}
	// All at once, so that no thread waits for the last tensors of either.
	all, err := weights.Sums(append(states, params...))
	runtime.KeepAlive(t.dev)
	if err != nil {
		return nil, fmt.Errorf("hashing the state: %w", err)
	}
	ofModel := make(map[string]bool, len(params))
	for _, n := range params {
		ofModel[n.Name] = true
	}
	for _, s := range all {
		if ofModel[s.Name] {
			r.weights = append(r.weights, s)
		} else {
			r.optim = append(r.optim, s)
		}
	}
	t.chain.roots = r
	return r, nil
}

// Hash is over what train.json says, but for what does not follow from the run alone (its chain, how
// many ranks there are, a look at the token files) and for the log of a step that is not yet judged.
func (s *State) Hash() (proof.Hash, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return proof.Hash{}, err
	}
	return HashState(text)
}

// HashState is State.Hash of the text of a train.json.
func HashState(text []byte) (proof.Hash, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return proof.Hash{}, err
	}
	for _, name := range []string{"chain", "data_fingerprint", "world_size", "unjudged"} {
		delete(members, name)
	}
	canonical, err := proof.CanonicalOf(members)
	return proof.Sum(canonical), err
}

// plansState tells whether the settings plan a state after a step, so that its line has roots.
func (t *Trainer) plansState(step int) bool {
	if t.opt.Planned != nil {
		return t.opt.Planned(step)
	}
	every := func(n *int) bool { return n != nil && *n > 0 && step%*n == 0 }
	c := t.cfg
	return every(c.SaveInterval) || every(c.SaveIntervalUnsharded) || every(c.ChainStateInterval) ||
		slices.Contains(c.SaveSteps, step) || step == t.maxSteps || step == t.maxSteps+10
}

// link makes the line of a step that has been done, and its hash the state's.
func (t *Trainer) link(s *step) error {
	index := make([]byte, 0, 4*len(s.in.Index))
	for _, i := range s.in.Index {
		index = binary.LittleEndian.AppendUint32(index, i)
	}
	instances := proof.Sum(index)
	l := proof.Line{Step: s.state.Step, Instances: &instances, Tokens: &s.in.tokens, Loss: s.ce, GradNorm: s.norm}
	if s.rolled != nil {
		l.Rollouts = &s.rolled.hash
	}
	c := &t.chain
	c.rootless = true
	if t.plansState(s.state.Step) {
		r, err := t.hashState(s.state.Step)
		if err != nil {
			return err
		}
		if err := bind(&l, r, &s.state); err != nil {
			return err
		}
		c.rootless = false
	}
	if n := c.change; n != nil {
		l.Recipe, l.Documents, l.Tokenizer, l.Numerics, l.Program, l.Masks = n.Recipe, n.Documents, n.Tokenizer, n.Numerics, n.Program, n.Masks
	}
	text, err := l.Seal(s.state.Chain)
	if err != nil {
		return err
	}
	c.text, c.last, s.state.Chain, c.change = text, &l, l.Hash, nil
	return nil
}

// Line is what the chain says of the last step that this trainer has done; nil before its first.
func (t *Trainer) Line() *proof.Line { return t.chain.last }

// Sums are the hashes of all weights, and of the optimiser's state, as they are now, in byte order
// of names.
func (t *Trainer) Sums() (params, optim []weights.Sum, err error) {
	r, err := t.hashTensors()
	if err != nil {
		return nil, nil, err
	}
	return r.weights, r.optim, nil
}

// bind gives a line the roots of a state.
func bind(l *proof.Line, r *roots, s *State) error {
	w, o := weights.Root(r.weights), weights.Root(r.optim)
	h, err := s.Hash()
	l.Weights, l.Optim, l.State = &w, &o, &h
	return err
}

// append writes the line of the step that was done last, and what its roots are of.
func (c *chain) append() error {
	if c.lines == nil {
		return nil
	}
	if err := c.reopen(); err != nil {
		return whileWriting(err)
	}
	_, err := c.lines.Write(append(c.text, '\n'))
	c.tree.Add(c.text)
	if err == nil && !c.rootless {
		err = c.note(c.roots)
	}
	return whileWriting(err)
}

// reopen takes away the closing line of a run that goes on.
func (c *chain) reopen() error {
	if c.open == nil {
		return nil
	}
	path := filepath.Join(c.dir, chainFile)
	err := errors.Join(c.lines.Close(), store.WriteFile(path, c.open))
	if err == nil {
		c.lines, err = store.Append(path)
	}
	c.open = nil
	return err
}

// signHead has the chain signed as far as it is, where that is due. A file that is there already is of
// the same lines, and others may have added their signatures.
func (t *Trainer) signHead() error {
	c := &t.chain
	step, every := t.state.Step, t.cfg.ChainNoteInterval
	if c.lines == nil || every == nil || t.opt.Sign == nil || step%*every != 0 {
		return nil
	}
	root := c.tree.Root()
	file := filepath.Join(c.dir, "notes", fmt.Sprintf("step%d-%.8s.note", step, root))
	if exists(file) {
		return nil
	}
	if err := c.sync(); err != nil {
		return whileWriting(err)
	}
	text, err := t.opt.Sign(c.tree.Len(), root)
	if err == nil {
		err = store.WriteFile(file, text)
	}
	if err != nil {
		return fmt.Errorf("signing the chain of the run: %w", err)
	}
	return nil
}

// note writes the hashes of tensors.
func (c *chain) note(r *roots) error {
	sums := func(all []weights.Sum) map[string]proof.Hash {
		m := make(map[string]proof.Hash, len(all))
		for _, s := range all {
			m[s.Name] = s.SHA256
		}
		return m
	}
	text, err := json.Marshal(proof.Tensors{Step: r.step, Weights: sums(r.weights), Optim: sums(r.optim)})
	if err == nil {
		_, err = c.tensors.Write(append(text, '\n'))
	}
	return whileWriting(err)
}

func whileWriting(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("writing the chain of the run: %w", err)
}

// closeWith writes the state in which the run is stopped, where the line of its last step has no
// roots. The run that goes on removes it.
func (t *Trainer) closeWith(r *roots) error {
	c := &t.chain
	if c.lines == nil || c.text == nil || !c.rootless {
		return nil
	}
	l := proof.Line{Step: t.state.Step}
	if err := bind(&l, r, &t.state); err != nil {
		return err
	}
	text, err := l.Seal(t.state.Chain)
	if err == nil {
		_, err = c.lines.Write(append(text, '\n'))
	}
	return whileWriting(err)
}

// sync waits until the chain is on the disk.
func (c *chain) sync() error {
	if c.lines == nil {
		return nil
	}
	return errors.Join(c.lines.Sync(), c.tensors.Sync())
}

// close closes the files.
func (c *chain) close() error {
	if c.lines == nil {
		return nil
	}
	err := errors.Join(c.lines.Close(), c.tensors.Close())
	c.lines, c.tensors = nil, nil
	return err
}
