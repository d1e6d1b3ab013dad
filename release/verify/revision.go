package verify

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"slices"

	"olmo/model"
	"olmo/proof"
	"olmo/release"
	"olmo/tensor"
	"olmo/weights"
)

// revision is a model of the release with its files of tensors.
type revision struct {
	*release.Revision
	files []*file
	whole bool // all of its files are there
}

// owner is the file that has a tensor, with the tensor.
func (r *revision) owner(name string) (*file, *placed) {
	for _, f := range r.files {
		if t := f.tensor(name); t != nil {
			return f, t
		}
	}
	return nil, nil
}

// judgeRevisions compares each model with the checkpoint of its step.
func (v *verifier) judgeRevisions() {
	if v.release == nil {
		return
	}
	v.changed = map[string][]other{}
	for i := range v.release.Revisions {
		r := v.revision(&v.release.Revisions[i])
		if len(r.files) > 0 { // others are told of as missing, or not wanted
			v.judgeRoot(r)
			v.judgeIndex(r)
		}
		if p := v.partAt(r.Step); p != nil && p.cfg != nil {
			if m, err := p.cfg.Model.Config(); err == nil {
				if len(r.files) > 0 {
					v.judgeModel(r, m)
				}
				v.judgeModelConfig(r, m)
				continue
			}
		}
		if len(r.files) > 0 {
			v.note("%s cannot be compared with the run without its settings", r.Path)
		}
	}
}

// revision finds the files of a model.
func (v *verifier) revision(of *release.Revision) *revision {
	r := &revision{Revision: of, whole: true}
	for i := range v.release.Files {
		name := v.release.Files[i].Path
		if !isTensors(name) || path.Dir(name) != of.Path {
			continue
		}
		if f := v.usable(name); f != nil && f.damage == nil {
			r.files = append(r.files, f)
		} else {
			r.whole = false
		}
	}
	return r
}

// judgeRoot compares the tensors with the revision's root in release.json.
func (v *verifier) judgeRoot(r *revision) {
	seen := map[string]string{}
	right := r.whole
	for _, f := range r.files {
		right = right && f.sum == v.entry(f.path).SHA256
		for i := range f.tensors {
			name := f.tensors[i].Name
			if before, ok := seen[name]; ok {
				v.problem(Revision, f.path, "%s has %s, and so has %s", f.path, name, before).at(r.Step).on(name)
			}
			seen[name] = f.path
		}
	}
	// Where a file is another than the list's, so is the root, and the file is the fault.
	if root := weights.Root(sums(r.files...)); right && root != r.WeightsRoot {
		v.problem(Manifest, release.ManifestFile, "weights_root of %s is %v in %s, that of its tensors is %v", r.Name, r.WeightsRoot, release.ManifestFile, root)
	}
}

// judgeIndex compares the index of shards with the shards.
func (v *verifier) judgeIndex(r *revision) {
	name := r.Path + "/model.safetensors.index.json"
	if v.usable(name) == nil {
		return
	}
	wrong := func(tensor, format string, args ...any) {
		v.problem(Revision, name, format, args...).at(r.Step).on(tensor)
	}
	text, err := v.text(name)
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err == nil {
		err = json.Unmarshal(text, &index)
	}
	if err != nil {
		wrong("", "%s: %v", name, err)
		return
	}
	for _, tensor := range sortedKeys(index.WeightMap) {
		shard := path.Join(r.Path, index.WeightMap[tensor])
		if f := v.usable(shard); path.Dir(shard) != r.Path || r.whole && f.tensor(tensor) == nil {
			wrong(tensor, "%s says that %s is in %q, where it is not", name, tensor, index.WeightMap[tensor])
		}
	}
	for _, f := range r.files {
		for i := range f.tensors {
			if t := f.tensors[i].Name; index.WeightMap[t] == "" {
				wrong(t, "%s does not name %s of %s", name, t, f.path)
			}
		}
	}
}

// judgeModel compares the tensors of a model with the weights of the run, through the names that both have
// for them.
func (v *verifier) judgeModel(r *revision, m *model.Config) {
	stored, err := m.Stored(model.HuggingFace)
	if err != nil {
		v.note("%s cannot be compared with the run: %v", r.Path, err)
		return
	}
	x := newComparison(m)
	defer x.close()
	of := v.at(r.Step)
	if of.step < 0 {
		v.note("%s cannot be compared with the run: the checkpoint of step %d is not there, and %stensors.jsonl has no line for it", r.Path, r.Step, v.train)
		return
	}
	known := map[string]bool{}
	skipped := 0
	for _, s := range stored {
		known[s.Name] = true
		f, t := r.owner(s.Name)
		if t == nil {
			if r.whole {
				v.problem(Revision, r.Path, "%s lacks %s", r.Path, s.Name).at(r.Step).on(s.Name)
			}
			continue
		}
		how := ""
		var is *int
		switch same, err := x.same(f, t, &s, of); {
		case err == errAlone:
			skipped++
			continue
		case err != nil:
			how = err.Error()
		case !same:
			how = fmt.Sprintf("is not that of step %d", r.Step)
			if is = v.stepWith(x, f, t, &s); is != nil {
				how += fmt.Sprintf(", but of step %d", *is)
			}
		default:
			continue
		}
		p := v.problem(Revision, f.path, "%s of %s %s", s.Name, f.path, how).at(r.Step).on(s.Name)
		p.IsStep = is
		v.changed[f.path] = append(v.changed[f.path], other{s.Name, how})
	}
	for _, f := range r.files {
		for i := range f.tensors {
			if t := f.tensors[i].Name; !known[t] {
				v.problem(Revision, f.path, "%s of %s is none of the model's tensors", t, f.path).at(r.Step).on(t)
				v.changed[f.path] = append(v.changed[f.path], other{t, "is none of the model's tensors"})
			}
		}
	}
	if skipped > 0 {
		v.note("%d tensors of %s cannot be compared with the run without the checkpoint of step %d: they hold rows of several of its tensors, or some of one", skipped, r.Path, r.Step)
	}
}

// at is the checkpoint of a step, or what tensors.jsonl has of it where the checkpoint is not there; a
// step below 0 where neither is.
func (v *verifier) at(step int) *checkpoint {
	for _, c := range v.checkpoints {
		if c.step == step && c.model != nil {
			return c
		}
	}
	if known := v.tensors[step]; known != nil {
		return &checkpoint{step: step, known: known}
	}
	return &checkpoint{step: -1}
}

// stepWith finds another step whose weights a tensor of a model has.
func (v *verifier) stepWith(x *comparison, f *file, t *placed, s *model.Stored) *int {
	steps := map[int]bool{}
	for _, c := range v.checkpoints {
		steps[c.step] = true
	}
	for step := range v.tensors {
		steps[step] = true
	}
	for _, step := range sortedSteps(steps) {
		if same, err := x.same(f, t, s, v.at(step)); err == nil && same {
			return &step
		}
	}
	return nil
}

func sortedSteps(steps map[int]bool) []int {
	var all []int
	for step := range steps {
		all = append(all, step)
	}
	slices.Sort(all)
	return all
}

// comparison compares tensors of models with tensors of checkpoints.
type comparison struct {
	params map[string]model.Param
	open   map[string]*os.File
}

func newComparison(m *model.Config) *comparison {
	x := &comparison{params: map[string]model.Param{}, open: map[string]*os.File{}}
	for _, p := range m.Params() {
		x.params[p.Name] = p
	}
	return x
}

func (x *comparison) close() {
	for _, f := range x.open {
		f.Close()
	}
}

func (x *comparison) file(f *file) (*os.File, error) {
	if in := x.open[f.path]; in != nil {
		return in, nil
	}
	in, err := f.entry.open()
	if err == nil {
		x.open[f.path] = in
	}
	return in, err
}

// errAlone is what same returns where only hashes are known, and those of other tensors.
var errAlone = fmt.Errorf("the checkpoint is not there")

// same tells whether a tensor of a model holds what a checkpoint has. Where it is a tensor of the checkpoint
// as it stands, both were hashed; else the bytes are compared.
func (x *comparison) same(f *file, t *placed, s *model.Stored, c *checkpoint) (bool, error) {
	if t.DType != tensor.F32 || !slices.Equal(t.Shape, s.Shape) {
		return false, fmt.Errorf("is %v of shape %v, the run has %v of shape %v", t.DType, t.Shape, tensor.F32, s.Shape)
	}
	if k := &s.Rows[0]; len(s.Rows) == 1 && k.Whole(x.params[k.Param], s.Shape) {
		if c.model == nil {
			hash, ok := c.known.Weights[k.Param]
			return ok && hash == t.SHA256, nil
		}
		from := c.model.tensor(k.Param)
		return from != nil && from.SHA256 == t.SHA256, nil
	}
	if c.model == nil {
		return false, errAlone
	}
	to, err := x.file(f)
	if err != nil {
		return false, err
	}
	from, err := x.file(c.model)
	if err != nil {
		return false, err
	}
	for i := range s.Rows {
		k := &s.Rows[i]
		p, p2 := x.params[k.Param], c.model.tensor(k.Param)
		if p2 == nil || p2.DType != tensor.F32 || !slices.Equal(p2.Shape, p.Shape) {
			return false, nil
		}
		same, err := sameRows(section{from, p2.begin}, section{to, t.begin}, k, int64(p.Size()/p.Shape[0]), int64(p.Shape[0]))
		if !same || err != nil {
			return false, err
		}
	}
	return true, nil
}

// section is where a tensor begins in a file.
type section struct {
	in    io.ReaderAt
	begin int64
}

// sameRows compares rows of a parameter, which has so many columns and rows, with those of a tensor.
func sameRows(param, tensor section, k *model.Rows, cols, rows int64) (bool, error) {
	const size = 4
	at := func(s section, row int) section { return section{s.in, s.begin + int64(row)*cols*size} }
	switch {
	case k.Transposed:
		return sameTransposed(param, tensor, rows, cols)
	case k.Order == nil:
		return sameBytes(at(param, k.Row), at(tensor, k.At), int64(k.Count)*cols*size, k.OnePlus)
	}
	for i := range k.Count {
		if same, err := sameBytes(at(param, k.Row+i), at(tensor, k.At+k.Order(i)), cols*size, k.OnePlus); !same || err != nil {
			return false, err
		}
	}
	return true, nil
}

// sameBytes compares n bytes of float32 numbers; with plus those of b are those of a and 1.
func sameBytes(a, b section, n int64, plus bool) (bool, error) {
	x, y := make([]byte, min(n, pieceBytes)), make([]byte, min(n, pieceBytes))
	for at := int64(0); at < n; at += pieceBytes {
		x, y = x[:min(n-at, pieceBytes)], y[:min(n-at, pieceBytes)]
		if _, err := a.in.ReadAt(x, a.begin+at); err != nil {
			return false, err
		}
		if _, err := b.in.ReadAt(y, b.begin+at); err != nil {
			return false, err
		}
		for i := 0; plus && i < len(x); i += 4 {
			v := math.Float32frombits(binary.LittleEndian.Uint32(x[i:])) + 1
			binary.LittleEndian.PutUint32(x[i:], math.Float32bits(v))
		}
		if !bytes.Equal(x, y) {
			return false, nil
		}
	}
	return true, nil
}

// sameTransposed compares a matrix of rows×cols float32 with one that has its columns as rows, some rows at a
// time.
func sameTransposed(a, b section, rows, cols int64) (bool, error) {
	lot := max(pieceBytes/(4*cols), 1)
	x, y := make([]byte, lot*cols*4), make([]byte, lot*4)
	for row := int64(0); row < rows; row += lot {
		n := min(lot, rows-row)
		if _, err := a.in.ReadAt(x[:n*cols*4], a.begin+row*cols*4); err != nil {
			return false, err
		}
		for c := range cols {
			if _, err := b.in.ReadAt(y[:n*4], b.begin+(c*rows+row)*4); err != nil {
				return false, err
			}
			for r := range n {
				if !bytes.Equal(x[(r*cols+c)*4:][:4], y[r*4:][:4]) {
					return false, nil
				}
			}
		}
	}
	return true, nil
}

// judgeDuplicates finds steps with the weights of another.
func (v *verifier) judgeDuplicates() {
	defer v.duplicateModels()
	if v.chain == nil {
		return
	}
	first := map[proof.Hash]int{}
	for _, step := range sortedStates(v.chain.states) {
		w := *v.chain.states[step].Weights
		before, ok := first[w]
		if !ok {
			first[w] = step
			continue
		}
		if v.updates[step] != v.updates[before] {
			v.problem(Duplicate, v.chain.path, "steps %d and %d have the same weights, and %d updates lie between them", before, step, v.updates[step]-v.updates[before]).at(step)
		} else {
			v.note("steps %d and %d have the same weights; no step between them changes any", before, step)
		}
	}
}

// duplicateModels finds models of several steps with the same weights where the chain does not tell.
func (v *verifier) duplicateModels() {
	if v.release == nil {
		return
	}
	first := map[proof.Hash]*release.Revision{}
	for i := range v.release.Revisions {
		r := &v.release.Revisions[i]
		before := first[r.WeightsRoot]
		if before == nil {
			first[r.WeightsRoot] = r
			continue
		}
		if before.Step == r.Step || v.sameInChain(before.Step, r.Step) {
			continue // said of the chain
		}
		a, known := v.updates[before.Step]
		if b, ok := v.updates[r.Step]; known && ok && a == b {
			v.note("%s has the weights of %s; no step between them changes any", r.Path, before.Path)
			continue
		}
		v.problem(Duplicate, r.Path, "%s has the weights of %s", r.Path, before.Path).at(r.Step)
	}
}

// sameInChain tells whether the chain has the same weights of two steps.
func (v *verifier) sameInChain(a, b int) bool {
	if v.chain == nil {
		return false
	}
	x, y := v.chain.states[a], v.chain.states[b]
	return x != nil && y != nil && *x.Weights == *y.Weights
}

func sortedStates(states map[int]*proof.Line) []int {
	all := map[int]bool{}
	for step := range states {
		all[step] = true
	}
	return sortedSteps(all)
}
