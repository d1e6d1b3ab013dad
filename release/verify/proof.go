package verify

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"olmo/data/tokens"
	"olmo/proof"
	"olmo/release"
	"olmo/tensor"
	"olmo/weights"
)

// ProofFormat is the format that a proof names.
const ProofFormat = "olmo proof 1"

// What a proof is of, and the trees in which they are leaves.
const (
	StepProof     = "step"
	FileProof     = "file"
	TensorProof   = "tensor"
	DocumentProof = "document"
)

// treeOf is the tree of a kind of proof, as --root names it.
var treeOf = map[string]string{StepProof: "steps", FileProof: "files", TensorProof: "weights", DocumentProof: "documents"}

// Proof shows that something is in a release, to whoever has a root and not the release: the parts of
// its leaf, and the hashes beside its way to the root.
type Proof struct {
	Format string       `json:"format"`
	Kind   string       `json:"kind"`
	Leaf   ProofLeaf    `json:"leaf"`
	Index  uint64       `json:"index"`
	Size   uint64       `json:"size"`
	Path   []proof.Hash `json:"path"`
	Root   proof.Hash   `json:"root"`
}

// ProofLeaf are the parts of a leaf. Which of them there are, the kind of the proof says.
type ProofLeaf struct {
	Line   string      `json:"line,omitempty"`   // of a step: its line of chain.jsonl
	Path   string      `json:"path,omitempty"`   // of a file
	Size   *int64      `json:"size,omitempty"`   // of a file, in bytes
	Name   string      `json:"name,omitempty"`   // of a tensor
	DType  string      `json:"dtype,omitempty"`  // of a tensor
	Shape  []int       `json:"shape,omitempty"`  // of a tensor
	File   string      `json:"file,omitempty"`   // of a document's tokens
	Start  *int64      `json:"start,omitempty"`  // of them there
	End    *int64      `json:"end,omitempty"`    // and behind the last
	ID     string      `json:"id,omitempty"`     // of a document
	SHA256 *proof.Hash `json:"sha256,omitempty"` // of the bytes of file, tensor or tokens
}

// text is the string of the leaf.
func (p *Proof) text() ([]byte, error) {
	l := &p.Leaf
	if p.Kind != StepProof && l.SHA256 == nil {
		return nil, errors.New("its leaf has no sha256")
	}
	switch p.Kind {
	case StepProof:
		if _, err := proof.ParseLine([]byte(l.Line)); err != nil {
			return nil, fmt.Errorf("its leaf is no line of a chain: %w", err)
		}
		return []byte(l.Line), nil
	case FileProof:
		if l.Size == nil || *l.Size < 0 || proof.CheckPath(l.Path) != nil {
			return nil, errors.New("its leaf is none of a file")
		}
		f := release.File{Path: l.Path, Size: *l.Size, SHA256: *l.SHA256}
		return f.Leaf(), nil
	case TensorProof:
		d, err := tensor.Parse(l.DType)
		if err != nil || d.String() != l.DType || strings.ContainsRune(l.Name, 0) {
			return nil, errors.New("its leaf is none of a tensor")
		}
		if _, err := d.Bytes(l.Shape); err != nil {
			return nil, fmt.Errorf("its leaf is none of a tensor: %w", err)
		}
		s := weights.Sum{Name: l.Name, DType: d, Shape: l.Shape, SHA256: *l.SHA256}
		return s.Text(), nil
	case DocumentProof:
		if l.Start == nil || l.End == nil || *l.Start < 0 || *l.End < *l.Start || strings.ContainsRune(l.File+l.ID, 0) {
			return nil, errors.New("its leaf is none of a document")
		}
		d := tokens.Leaf{File: l.File, Start: *l.Start, End: *l.End, ID: l.ID, Tokens: *l.SHA256}
		return d.Text(), nil
	}
	return nil, fmt.Errorf("its kind %q is not known", p.Kind)
}

// maxProof is longer than any proof: it has one hash for each bit of the number of leaves.
const maxProof = 1 << 20

// ReadProofs reads proofs from whoever made them.
func ReadProofs(in io.Reader) (all []Proof, err error) {
	text, err := io.ReadAll(io.LimitReader(in, maxProof+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxProof {
		return nil, fmt.Errorf("it has more than %d bytes, no proof does", maxProof)
	}
	for line := range strings.Lines(string(text)) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		if _, err := proof.Canonical([]byte(line)); err != nil { // members twice, what is no UTF-8
			return nil, err
		}
		p := Proof{}
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&p); err != nil {
			return nil, err
		}
		if p.Format != ProofFormat {
			return nil, fmt.Errorf("format %q, this program reads %q", p.Format, ProofFormat)
		}
		all = append(all, p)
	}
	if len(all) == 0 {
		return nil, errors.New("it holds no proof")
	}
	return all, nil
}

// Check is an error where the proof does not lead from its leaf to a root, given as KIND:HEX.
func (p *Proof) Check(root string) error {
	kind, digits, ok := strings.Cut(root, ":")
	if !ok {
		return fmt.Errorf("the root %q is not KIND:HEX\nhint: steps:…, files:…, weights:… or documents:…, as release.json has them", root)
	}
	want, err := proof.ParseHash(digits)
	if err != nil {
		return fmt.Errorf("the root %q: %w", root, err)
	}
	if treeOf[p.Kind] != kind {
		return fmt.Errorf("this proof is of a %s, whose root is one of %s, not of %s", p.Kind, treeOf[p.Kind], kind)
	}
	text, err := p.text()
	if err != nil {
		return err
	}
	way := proof.Path{Index: p.Index, Size: p.Size, Path: p.Path}
	got, err := way.Root(proof.Leaf(text))
	switch {
	case err != nil:
		return err
	case got != want:
		return fmt.Errorf("the way from the leaf leads to the root %v, not to %v", got, want)
	case p.Root != want:
		return fmt.Errorf("it says that it is of the root %v, not %v", p.Root, want)
	}
	return nil
}

// CheckLeaf is an error where the proof's leaf is not of what is read: a line of a chain, a file, the
// little-endian bytes of a tensor, or the tokens of a document as the token file has them.
func (p *Proof) CheckLeaf(in io.Reader) error {
	if p.Kind == StepProof {
		line, err := io.ReadAll(io.LimitReader(in, maxProof))
		if err == nil && strings.TrimSuffix(string(line), "\n") != p.Leaf.Line {
			err = errors.New("the line is another than the proof's")
		}
		return err
	}
	if p.Leaf.SHA256 == nil {
		return errors.New("the proof's leaf has no sha256")
	}
	h := sha256.New()
	if _, err := io.Copy(h, in); err != nil {
		return err
	}
	if got := proof.Hash(h.Sum(nil)); got != *p.Leaf.SHA256 {
		return fmt.Errorf("the bytes have the hash %v, the proof is of %v", got, *p.Leaf.SHA256)
	}
	return nil
}

// CheckText is an error where a document's proof is not of this text: none of the ways to encode it, with or
// without one of the ids ends before and behind, gives the tokens. A proof does not tell their width, so that each is
// tried.
func (p *Proof) CheckText(text string, enc tokens.Encoder, ends []int32) error {
	l := &p.Leaf
	if p.Kind != DocumentProof || l.SHA256 == nil || l.Start == nil || l.End == nil {
		return errors.New("the proof is not of a document, which alone has a text")
	}
	is := func(ids []int32) bool {
		for _, width := range []int{1, 2, 4, 8} {
			b := make([]byte, 0, width*len(ids))
			for _, id := range ids {
				for i := range width {
					b = append(b, byte(uint64(id)>>(8*i)))
				}
			}
			if proof.Sum(b) == *l.SHA256 {
				return true
			}
		}
		return false
	}
	for ids, err := range tokens.Encodings(enc, text) {
		if err != nil {
			return err
		}
		switch *l.End - *l.Start - int64(len(ids)) {
		case 0:
			if is(ids) {
				return nil
			}
		case 1:
			for _, end := range ends {
				if is(append(slices.Clone(ids), end)) || is(append([]int32{end}, ids...)) {
					return nil
				}
			}
		case 2:
			for _, first := range ends {
				for _, last := range ends {
					if is(append(append([]int32{first}, ids...), last)) {
						return nil
					}
				}
			}
		}
	}
	return errors.New("the text does not encode to the tokens that the proof is of")
}

// What says in words what the proof is of.
func (p *Proof) What() string {
	switch l := &p.Leaf; p.Kind {
	case StepProof:
		if line, err := proof.ParseLine([]byte(l.Line)); err == nil {
			return fmt.Sprintf("step %d", line.Step)
		}
	case FileProof:
		return l.Path
	case TensorProof:
		return "tensor " + l.Name
	case DocumentProof:
		return "document " + l.ID
	}
	return "it"
}

// Prove makes the proofs that something is in a release: a step (its number), a file (its path), a tensor
// (PATH#TENSOR) or a document (document:ID), of which there may be several.
func Prove(ctx context.Context, dir, what string) ([]Proof, error) {
	v := &verifier{ctx: ctx, dir: dir, report: &Report{}, found: map[Kind]int{}, files: map[string]*file{}}
	var err error
	if v.there, err = walk(dir); err != nil {
		return nil, err
	}
	switch {
	case v.there[release.ManifestFile] != nil:
		v.train = "train/"
		v.manifest()
		if v.release == nil {
			return nil, fmt.Errorf("%s: %s", dir, v.report.Problems[0].Message)
		}
	case !IsRun(dir):
		return nil, fmt.Errorf("%s is %w", dir, ErrUnknown)
	}
	if id, ok := strings.CutPrefix(what, "document:"); ok {
		return v.proveDocument(id)
	}
	if step, err := strconv.Atoi(what); err == nil && strconv.Itoa(step) == what {
		return v.proveStep(step)
	}
	if name, tensor, ok := strings.Cut(what, "#"); ok {
		return v.proveTensor(name, tensor)
	}
	return v.proveFile(what)
}

// proofOf puts a proof together.
func proofOf(kind string, leaf ProofLeaf, leaves []proof.Hash, index int) Proof {
	p := proof.PathOf(leaves, index)
	root, _ := p.Root(leaves[index])
	if p.Path == nil {
		p.Path = []proof.Hash{}
	}
	return Proof{ProofFormat, kind, leaf, p.Index, p.Size, p.Path, root}
}

func (v *verifier) proveStep(step int) ([]Proof, error) {
	name := v.train + chainFile
	e := v.there[name]
	if e == nil || e.odd != "" {
		return nil, fmt.Errorf("%s is not there", name)
	}
	in, err := e.text()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	var leaves []proof.Hash
	var at []int
	var lines []string
	bad := error(nil)
	err = readLines(v.ctx, in, func(l *proof.Line, text []byte) bool {
		if l.Step == step {
			at, lines = append(at, len(leaves)), append(lines, string(text))
		}
		leaves = append(leaves, proof.Leaf(text))
		return true
	}, func(n int, err error) { bad = fmt.Errorf("line %d of %s: %w", n, name, err) })
	switch {
	case err != nil:
		return nil, err
	case bad != nil:
		return nil, bad
	case len(at) == 0:
		return nil, fmt.Errorf("%s has no step %d", name, step)
	}
	var all []Proof
	for i := range at {
		all = append(all, proofOf(StepProof, ProofLeaf{Line: lines[i]}, leaves, at[i]))
	}
	return all, v.rootIs(all[0].Root, func(m *release.Manifest) proof.Hash { return m.Run.StepsRoot })
}

// rootIs is an error where a proof's root is not the one in release.json: a proof that nobody would accept.
func (v *verifier) rootIs(got proof.Hash, want func(m *release.Manifest) proof.Hash) error {
	if v.release != nil && got != want(v.release) {
		return fmt.Errorf("the proof's root is %v, %s has %v: the release is not sound\nhint: 'olmo verify' says what is wrong", got, release.ManifestFile, want(v.release))
	}
	return nil
}

func (v *verifier) proveFile(name string) ([]Proof, error) {
	if v.release == nil {
		return nil, errors.New("a run has no list of files\nhint: a step, PATH#TENSOR or document:ID can be proved of it")
	}
	var leaves []proof.Hash
	at := -1
	for i := range v.release.Files {
		f := &v.release.Files[i]
		if f.Path == name {
			at = i
		}
		leaves = append(leaves, proof.Leaf(f.Leaf()))
	}
	if at < 0 {
		return nil, fmt.Errorf("%s has no file %s\nhint: a step is its number, a tensor PATH#TENSOR, a document document:ID", release.ManifestFile, name)
	}
	f := &v.release.Files[at]
	p := proofOf(FileProof, ProofLeaf{Path: f.Path, Size: &f.Size, SHA256: &f.SHA256}, leaves, at)
	return []Proof{p}, v.rootIs(p.Root, func(m *release.Manifest) proof.Hash { return m.FilesRoot })
}

// proveTensor proves a tensor of a model or of a checkpoint: the tree is that of all files of tensors that make
// one root, of a model its shards.
func (v *verifier) proveTensor(name, of string) ([]Proof, error) {
	if e := v.there[name]; e == nil || e.odd != "" || !isTensors(name) {
		return nil, fmt.Errorf("%s is no file of tensors", name)
	}
	var shards []*entry
	for _, other := range sortedKeys(v.there) {
		e := v.there[other]
		same := other == name
		if v.release != nil && strings.HasPrefix(name, release.ModelFolder+"/") {
			same = path.Dir(other) == path.Dir(name) && isTensors(other) && v.entry(other) != nil
		}
		if same && e.odd == "" {
			shards = append(shards, e)
		}
	}
	v.readAll(shards)
	var files []*file
	for _, e := range shards {
		f := v.files[e.path]
		if err := errors.Join(f.err, f.damage); err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	if v.files[name].tensor(of) == nil {
		return nil, fmt.Errorf("%s has no tensor %s", name, of)
	}
	var leaves []proof.Hash
	at := -1
	all := sums(files...)
	for i := range all {
		if all[i].Name == of {
			at = i
		}
		leaves = append(leaves, proof.Leaf(all[i].Text()))
	}
	s := &all[at]
	hash := proof.Hash(s.SHA256)
	p := proofOf(TensorProof, ProofLeaf{Name: s.Name, DType: s.DType.String(), Shape: s.Shape, SHA256: &hash}, leaves, at)
	for i := 0; v.release != nil && i < len(v.release.Revisions); i++ {
		if r := &v.release.Revisions[i]; r.Path == path.Dir(name) {
			return []Proof{p}, v.rootIs(p.Root, func(*release.Manifest) proof.Hash { return r.WeightsRoot })
		}
	}
	return []Proof{p}, nil
}

// proveDocument proves every document of an id.
func (v *verifier) proveDocument(id string) ([]Proof, error) {
	v.readAll(v.record())
	v.readChain()
	v.readParts()
	if len(v.parts) == 0 || v.parts[len(v.parts)-1].data() == nil {
		return nil, errors.New("the chain and its settings do not say which token files there are\nhint: 'olmo verify' says what is wrong")
	}
	cfg := v.parts[len(v.parts)-1].cfg
	var leaves []proof.Hash
	var at []int
	var found []tokens.Leaf
	err := tokens.EachLeaf(v.ctx, cfg.TokenFiles(), tokens.DType(cfg.Data.MemmapDType), tokens.LeafOptions{}, func(l *tokens.Leaf, sum proof.Hash) error {
		if l.ID == id {
			at, found = append(at, len(leaves)), append(found, *l)
		}
		leaves = append(leaves, sum)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(at) == 0 {
		return nil, fmt.Errorf("no document has the id %q", id)
	}
	var all []Proof
	for i, l := range found {
		all = append(all, proofOf(DocumentProof, ProofLeaf{File: l.File, Start: &l.Start, End: &l.End, ID: l.ID, SHA256: &l.Tokens}, leaves, at[i]))
	}
	return all, v.rootIs(all[0].Root, func(m *release.Manifest) proof.Hash {
		if m.Data.DocumentsRoot == nil {
			return proof.Hash{}
		}
		return *m.Data.DocumentsRoot
	})
}
