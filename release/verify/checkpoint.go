package verify

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"olmo/proof"
	"olmo/tensor"
	"olmo/train"
	"olmo/weights"
)

// checkpoint is a folder stepN of the run.
type checkpoint struct {
	step         int
	dir          string // in the release, with a slash behind it
	model, optim *file  // nil where they are not there or no files of tensors
	known        *proof.Tensors
	sound        bool // known are the tensors that the chain binds
}

// stepOf reads the step out of a path in a checkpoint of the run.
func (v *verifier) stepOf(name string) (step int, ok bool) {
	rest, ok := strings.CutPrefix(name, v.train+"step")
	digits, _, below := strings.Cut(rest, "/")
	step, err := strconv.Atoi(digits)
	return step, ok && below && err == nil && strconv.Itoa(step) == digits
}

// checkpointSteps are the steps of which there is a checkpoint or a model.
func (v *verifier) checkpointSteps() map[int]bool {
	steps := map[int]bool{}
	for name := range v.there {
		if step, ok := v.stepOf(name); ok {
			steps[step] = true
		}
	}
	if v.release != nil {
		for _, r := range v.release.Revisions {
			steps[r.Step] = true
		}
	}
	return steps
}

// readCheckpoints finds the checkpoints that were read, and what tensors.jsonl says of them.
func (v *verifier) readCheckpoints() {
	byStep := map[int]*checkpoint{}
	for _, name := range sortedKeys(v.files) {
		step, ok := v.stepOf(name)
		if !ok {
			continue
		}
		c := byStep[step]
		if c == nil {
			c = &checkpoint{step: step, dir: fmt.Sprintf("%sstep%d/", v.train, step)}
			byStep[step] = c
			v.checkpoints = append(v.checkpoints, c)
		}
		f := v.usable(name)
		if f == nil || f.damage != nil {
			continue
		}
		switch name {
		case c.dir + train.ModelFile:
			c.model = f
		case c.dir + optimFile:
			c.optim = f
		}
	}
	slices.SortFunc(v.checkpoints, func(a, b *checkpoint) int { return a.step - b.step })
	v.report.Checked.Checkpoints = int64(len(v.checkpoints))
	v.readTensors(byStep)
}

// readTensors reads tensors.jsonl; the last line of a step counts.
func (v *verifier) readTensors(byStep map[int]*checkpoint) {
	name := v.train + tensorsFile
	f := v.usable(name)
	if f == nil {
		return
	}
	in, err := f.text()
	if err != nil {
		return
	}
	defer in.Close()
	wanted := v.checkpointSteps()
	known := map[int]*proof.Tensors{}
	err = proof.ReadTensors(in, func(step int) bool { return wanted[step] }, func(n int, l *proof.Tensors, _ bool, err error) error {
		if err != nil {
			v.problem(Checkpoint, name, "line %d of %s: %v", n, name, err)
		} else {
			known[l.Step] = l
		}
		return v.ctx.Err()
	})
	if err != nil && v.ctx.Err() == nil {
		v.problem(Checkpoint, name, "%s: %v", name, err)
	}
	v.tensors = known
	for step, c := range byStep {
		c.known = known[step]
	}
}

// judgeCheckpoints compares each checkpoint with the chain.
func (v *verifier) judgeCheckpoints() {
	if v.chain == nil {
		return
	}
	v.judgeKnown()
	for _, c := range v.checkpoints {
		v.judgeTensors(c)
		v.judgeState(c)
		v.judgeManifest(c)
	}
}

// judgeKnown compares the lines of tensors.jsonl with the roots in the chain. A line that does not come to its
// root is not believed where a checkpoint or model is compared.
func (v *verifier) judgeKnown() {
	name := v.train + tensorsFile
	if v.usable(name) == nil {
		return
	}
	for _, step := range sortedSteps(v.checkpointSteps()) {
		line, l := v.chain.states[step], v.tensors[step]
		if line == nil {
			continue
		}
		if l == nil {
			v.problem(Checkpoint, name, "%s has no line of step %d, of which the chain has roots", name, step).at(step)
			continue
		}
		v.judgeKnownOptim(line, l)
		root, ok := v.rootOf(l.Weights, step)
		if !ok || root == *line.Weights {
			continue
		}
		p := v.problem(Checkpoint, name, "the hashes of weights that %s has of step %d are not those of the chain: they come to the root %v, the chain has %v", name, step, root, *line.Weights).at(step)
		i := slices.IndexFunc(v.checkpoints, func(c *checkpoint) bool { return c.step == step })
		if i >= 0 {
			c := v.checkpoints[i]
			if c.model != nil && weights.Root(sums(c.model)) == *line.Weights {
				if wrong := others(c.model, l.Weights); len(wrong) > 0 {
					p.Tensor = wrong[0].name
				}
			}
			c.known = nil
		}
		delete(v.tensors, step)
	}
}

// judgeKnownOptim compares what tensors.jsonl has of the optimiser with a checkpoint that is the chain's: the
// shapes of its tensors, and so the root, only the checkpoint tells.
func (v *verifier) judgeKnownOptim(line *proof.Line, l *proof.Tensors) {
	name := v.train + tensorsFile
	for _, c := range v.checkpoints {
		if c.step != l.Step || c.optim == nil || weights.Root(sums(c.optim)) != *line.Optim {
			continue
		}
		for _, t := range others(c.optim, l.Optim) {
			v.problem(Checkpoint, name, "%s has another %s of step %d than the checkpoint, which is the chain's", name, t.name, c.step).at(c.step).on(t.name)
		}
	}
}

// rootOf is the root over weights of which the hashes are known, under the shapes that the settings give;
// false where these are not there.
func (v *verifier) rootOf(known map[string]proof.Hash, step int) (root proof.Hash, ok bool) {
	p := v.partAt(step)
	if p == nil || p.cfg == nil {
		return root, false
	}
	m, err := p.cfg.ModelConfig()
	if err != nil {
		return root, false
	}
	var all []weights.Sum
	for _, t := range m.Trained() {
		all = append(all, weights.Sum{Name: t.Name, DType: tensor.F32, Shape: t.Shape, SHA256: known[t.Name]})
	}
	slices.SortFunc(all, func(a, b weights.Sum) int { return strings.Compare(a.Name, b.Name) })
	if root = weights.Root(all); len(known) != len(all) {
		root = proof.Hash{} // it names others
	}
	return root, true
}

// judgeTensors compares weights and optimiser of a checkpoint with the roots in the chain; which tensor is
// another, tensors.jsonl tells.
func (v *verifier) judgeTensors(c *checkpoint) {
	for _, name := range []string{c.dir + train.ModelFile, c.dir + optimFile, c.dir + stateFile, c.dir + configFile, c.dir + manifestFile} {
		switch f := v.usable(name); {
		case f != nil && f.damage != nil:
			v.problem(Checkpoint, name, "%v", f.damage).at(c.step)
		case f == nil && v.wanted(name) && !(v.there[name] == nil && v.leftOut(name)):
			v.problem(Checkpoint, name, "%s is not there, or not whole", name).at(c.step)
		}
	}
	line := v.chain.states[c.step]
	if line == nil {
		v.note("step %d has no roots in the chain: its checkpoint is compared with %s", c.step, v.train+tensorsFile)
		if c.known == nil {
			v.note("of step %d %s has no line either, so that nothing says what its checkpoint should hold", c.step, v.train+tensorsFile)
			return
		}
	}
	c.sound = true
	for _, side := range []struct {
		what  string
		f     *file
		known map[string]proof.Hash
		root  func(l *proof.Line) proof.Hash
	}{
		{"weights", c.model, c.knownWeights(), func(l *proof.Line) proof.Hash { return *l.Weights }},
		{"optimiser", c.optim, c.knownOptim(), func(l *proof.Line) proof.Hash { return *l.Optim }},
	} {
		if side.f == nil {
			continue
		}
		var root *proof.Hash
		if line != nil {
			r := side.root(line)
			root = &r
			if weights.Root(sums(side.f)) == r {
				continue
			}
		}
		if root != nil && !v.reaches(side.f, side.known, *root) {
			c.sound = false
			v.problem(Checkpoint, side.f.path, "%s is not the %s after step %d that the chain has: the root is %v, not %v, and %s does not tell which tensor it is",
				side.f.path, side.what, c.step, weights.Root(sums(side.f)), *root, v.train+tensorsFile).at(c.step)
			continue
		}
		for _, t := range others(side.f, side.known) {
			v.problem(Checkpoint, side.f.path, "%s of %s %s", t.name, side.f.path, t.how).at(c.step).on(t.name)
		}
	}
}

func (c *checkpoint) knownWeights() map[string]proof.Hash {
	if c.known == nil {
		return nil
	}
	return c.known.Weights
}

func (c *checkpoint) knownOptim() map[string]proof.Hash {
	if c.known == nil {
		return nil
	}
	return c.known.Optim
}

// leftOut tells whether a release was made without a file.
func (v *verifier) leftOut(name string) bool {
	return v.release != nil && v.release.File(name) == nil && v.entry(name) != nil
}

// reaches tells whether known hashes, under the shapes that a file has or another checkpoint's,
// come to a root.
func (v *verifier) reaches(f *file, known map[string]proof.Hash, root proof.Hash) bool {
	if known == nil {
		return false
	}
	var all []weights.Sum
	for _, name := range sortedKeys(known) {
		t := f.tensor(name)
		for i := 0; t == nil && i < len(v.checkpoints); i++ {
			if t = v.checkpoints[i].model.tensor(name); t == nil {
				t = v.checkpoints[i].optim.tensor(name)
			}
		}
		if t == nil {
			return false
		}
		s := t.Sum
		s.SHA256 = known[name]
		all = append(all, s)
	}
	return weights.Root(all) == root
}

// other is a tensor that is not as it should be.
type other struct{ name, how string }

// others lists the tensors of a file that are not those that are known.
func others(f *file, known map[string]proof.Hash) (list []other) {
	for _, name := range sortedKeys(known) {
		switch t := f.tensor(name); {
		case t == nil:
			list = append(list, other{name, "is missing"})
		case t.SHA256 != known[name]:
			list = append(list, other{name, fmt.Sprintf("is another tensor: its hash is %v, that of the run %v", proof.Hash(t.SHA256), known[name])})
		}
	}
	for i := range f.tensors {
		if _, ok := known[f.tensors[i].Name]; !ok {
			list = append(list, other{f.tensors[i].Name, "is none of the run's tensors"})
		}
	}
	return list
}

// wrong adds problems of a file of the checkpoint.
func (c *checkpoint) wrong(v *verifier, name string) func(format string, args ...any) {
	return func(format string, args ...any) { v.problem(Checkpoint, name, format, args...).at(c.step) }
}

// decode reads a file of the checkpoint that is JSON, and gives its text; nil where it is none, which is a
// problem.
func (c *checkpoint) decode(v *verifier, name string, to any) []byte {
	text, err := v.text(name)
	if err != nil {
		c.wrong(v, name)("%v", err)
		return nil
	}
	if err := json.Unmarshal(text, to); err != nil {
		c.wrong(v, name)("%s: %v", name, err)
		return nil
	}
	return text
}

// judgeState compares train.json with the chain.
func (v *verifier) judgeState(c *checkpoint) {
	name := c.dir + stateFile
	if v.usable(name) == nil {
		return
	}
	wrong := c.wrong(v, name)
	var s train.State
	text := c.decode(v, name, &s)
	if text == nil {
		return
	}
	if s.Step != c.step {
		wrong("%s is of step %d", name, s.Step)
	}
	if own, ok := v.chain.own[c.step]; ok && s.Chain != own && !v.chain.grewFrom(c.step, s.Chain) {
		wrong("%s has the hash %v, the line of step %d %v", name, s.Chain, c.step, own)
	}
	line := v.chain.states[c.step]
	if line == nil {
		return
	}
	switch hash, err := train.HashState(text); {
	case err != nil:
		wrong("%s: %v", name, err)
	case hash != *line.State:
		wrong("%s is not the state after step %d: its hash is %v, the chain has %v", name, c.step, hash, *line.State)
	}
}

// judgeManifest compares a checkpoint's manifest.json with its files.
func (v *verifier) judgeManifest(c *checkpoint) {
	name := c.dir + manifestFile
	if v.usable(name) == nil {
		return
	}
	wrong := c.wrong(v, name)
	var m train.Manifest
	if c.decode(v, name, &m) == nil {
		return
	}
	if own, ok := v.chain.own[c.step]; ok && (m.Step != c.step || m.Chain != own && !v.chain.grewFrom(c.step, m.Chain)) {
		wrong("%s is of step %d and has the hash %v, the line of step %d %v", name, m.Step, m.Chain, c.step, own)
	}
	for _, small := range sortedKeys(m.Files) {
		if f := v.usable(c.dir + small); f != nil && f.sum != m.Files[small] {
			wrong("%s has the hash %v for %s, which has %v", name, m.Files[small], small, f.sum)
		}
	}
	for _, f := range []*file{c.model, c.optim} {
		if f == nil {
			continue
		}
		listed := m.Tensors[strings.TrimPrefix(f.path, c.dir)]
		for _, t := range others(f, listed) {
			v.problem(Checkpoint, name, "%s: %s %s", name, t.name, t.how).at(c.step).on(t.name)
		}
	}
}

// judgeChanged tells of files of tensors that are not those of release.json, with the tensors that are
// others, as far as tensors.jsonl or a checkpoint knows the right ones.
func (v *verifier) judgeChanged() {
	if v.release == nil {
		return
	}
	for _, f := range v.sorted() {
		want := v.entry(f.path)
		if f.err != nil || want == nil || want.SHA256 == f.sum || !isTensors(f.path) {
			continue
		}
		text := fmt.Sprintf("%s is another file: its SHA-256 is %v, release.json has %v", f.path, f.sum, want.SHA256)
		changed := v.changed[f.path]
		if f.damage != nil {
			text += fmt.Sprintf("; %v", f.damage)
		}
		if step, ok := v.stepOf(f.path); ok && f.damage == nil {
			i := slices.IndexFunc(v.checkpoints, func(c *checkpoint) bool { return c.step == step })
			if c := v.checkpoints[i]; c.known != nil && f == c.model {
				changed = others(f, c.known.Weights)
			} else if c.known != nil && f == c.optim {
				changed = others(f, c.known.Optim)
			}
		}
		if len(changed) == 0 {
			v.problem(Changed, f.path, "%s", text)
		}
		for _, t := range changed {
			v.problem(Changed, f.path, "%s; %s %s", text, t.name, t.how).on(t.name)
		}
	}
}
