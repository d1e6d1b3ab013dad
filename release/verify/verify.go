// Package verify says whether a release, or a run in its own folder, is what it says: every file against
// release.json, the steps against their chain, checkpoints and models against the steps, and the data order
// against the settings. All that is wrong is listed, and what could not be checked is said.
//
// Nothing is computed again that a processor would need long for: that is replay's.
package verify

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"olmo/proof"
	"olmo/proof/note"
	"olmo/release"
	"olmo/store"
)

// The files of a run, in train/ of a release or in the run's own folder.
const (
	chainFile    = "chain.jsonl"
	tensorsFile  = "tensors.jsonl"
	recipeFile   = "recipe.json"
	configFile   = "config.yaml"
	logFile      = "metrics.jsonl"
	rolloutsFile = "rollouts.jsonl"
	optimFile    = "optim.safetensors"
	stateFile    = "train.json"
	// manifestFile lists the tensors of a checkpoint.
	manifestFile = "manifest.json"
)

// Options say what to check beside what is always checked.
type Options struct {
	Key      *ecdsa.PublicKey // with which release.sig must be valid; nil: it is not checked
	Note     note.PublicKey   // with which notes of the chain must be signed; nil: that is not checked
	Only     []string         // patterns of the files that are wanted and read; none: all
	Name     string           // that the release should have
	Revision string           // that it should have
	Since    string           // an older release of the run, which this one continues
	Parents  []string         // releases or runs, out of one of which the run grew
	Texts    bool             // encode the documents again
	// Progress, if set, is told the bytes that were read of those that there are.
	Progress func(done, total int64)
}

// verifier is one check under way.
type verifier struct {
	ctx         context.Context
	o           Options
	dir         string
	report      *Report
	found       map[Kind]int
	release     *release.Manifest // nil of a run
	manifestSum proof.Hash
	train       string // where the run lies in the folder: "train/", or "" of a run

	there map[string]*entry // by path
	files map[string]*file  // those that were read

	heads       map[uint64][]signedHead // of the chain, by how long it was then
	chain       *chain                  // nil where there is none that can be read
	parts       []part                  // of the run, with settings of their own
	checkpoints []*checkpoint
	tensors     map[int]*proof.Tensors // of tensors.jsonl, by step
	documents   []*documents
	// namedDocument tells that a document is named that is not the chain's.
	namedDocument bool
	changed       map[string][]other // tensors of a model's file that are not the run's
	updates       map[int]int        // how many steps changed the weights, up to each state
	course        bool               // the data order could be followed

	reading     sync.WaitGroup // documents
	progressing sync.Mutex
	done, total int64
}

// ErrUnknown is in the chain of the error for what is neither a release nor a run.
var ErrUnknown = errors.New("neither a release nor a run")

// Folder checks the release or run in a folder. The error tells that there is nothing to check, or that ctx
// has ended; whatever is wrong is in the report.
func Folder(ctx context.Context, dir string, o Options) (*Report, error) {
	for _, pattern := range o.Only {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, fmt.Errorf("the pattern %q cannot be read: %w", pattern, err)
		}
	}
	v := &verifier{ctx: ctx, o: o, dir: dir, report: &Report{Problems: []Problem{}, Notes: []string{}}, found: map[Kind]int{}, files: map[string]*file{}}
	if st, err := os.Stat(dir); err != nil {
		return nil, err
	} else if !st.IsDir() {
		return nil, fmt.Errorf("%s is %w: it is a file", dir, ErrUnknown)
	}
	var err error
	if v.dir, err = filepath.EvalSymlinks(dir); err != nil { // of latest, say
		return nil, err
	}
	if v.there, err = walk(v.dir); err != nil {
		return nil, err
	}
	switch {
	case v.there[release.ManifestFile] != nil:
		v.train = "train/"
		v.manifest()
	case v.there[chainFile] != nil:
		if err := store.HeldIn(v.dir); errors.As(err, new(*store.HeldError)) {
			return nil, fmt.Errorf("the run is not at rest: %w", err)
		}
		v.odd()
	default:
		return nil, fmt.Errorf("%s is %w\nhint: a release has %s, a run %s", dir, ErrUnknown, release.ManifestFile, chainFile)
	}
	if v.release != nil || v.train == "" {
		v.readFiles()
		v.judge()
	}
	for _, f := range v.sorted() {
		if err := f.steady(); err != nil && f.err == nil {
			v.problem(Changed, f.path, "%s: %v", f.path, err)
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return v.finish(), nil
}

// IsRun tells whether a folder is a run whose steps can be checked.
func IsRun(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, chainFile))
	return err == nil
}

// odd tells of what a run has in place of files that are checked. What lies behind a link is not read.
func (v *verifier) odd() {
	for _, name := range sortedKeys(v.there) {
		switch e := v.there[name]; {
		case e.odd == "" || !v.wanted(name):
		case ofRun(name):
			v.problem(Changed, name, "%s is %s, not a file", name, e.odd)
		case ofRun(name + "/"):
			v.note("%s is %s: what it leads to is not checked", name, e.odd)
		}
	}
}

// manifest reads release.json.
func (v *verifier) manifest() {
	fail := func(err error) { v.problem(Manifest, release.ManifestFile, "%s: %v", release.ManifestFile, err) }
	e := v.there[release.ManifestFile]
	if e.odd != "" {
		fail(fmt.Errorf("it is %s, not a file", e.odd))
		return
	}
	in, err := e.open()
	if err != nil {
		fail(err)
		return
	}
	defer in.Close()
	sum := sha256.New()
	m, err := release.Read(io.TeeReader(in, sum))
	if err == nil {
		_, err = io.Copy(sum, in)
	}
	if err != nil {
		fail(err)
		return
	}
	v.manifestSum = proof.Hash(sum.Sum(nil))
	for _, f := range m.Faults() {
		v.problem(Manifest, f.Path, "%s: %s", release.ManifestFile, f.Message)
	}
	v.release = m
}

// wanted tells whether --only lets a path be read.
func (v *verifier) wanted(name string) bool {
	return len(v.o.Only) == 0 || release.Matches(v.o.Only, name)
}

// readFiles reads all files of a release, and compares each with its entry; of a run, those that say what
// it did.
func (v *verifier) readFiles() {
	var wanted []*entry
	if v.release != nil {
		wanted = v.listed()
	} else {
		for _, name := range sortedKeys(v.there) {
			if e := v.there[name]; e.odd == "" && v.wanted(name) && ofRun(name) {
				wanted = append(wanted, e)
			}
		}
	}
	for _, e := range v.there {
		if e.odd == "" && v.wanted(e.path) {
			v.total += e.size()
		}
	}
	// The chain and the settings tell which token files there are.
	v.readAll(filtered(wanted, v.isRecord))
	v.readChain()
	v.readParts()
	v.beginDocuments()
	v.readAll(filtered(wanted, func(e *entry) bool { return !v.isRecord(e) }))
	for _, f := range v.sorted() {
		v.compare(f)
	}
}

// isRecord tells whether a file is one of those that say what the run did and with which settings.
func (v *verifier) isRecord(e *entry) bool {
	folder, _ := path.Split(e.path)
	return folder == v.train && !isTensors(e.path) || path.Base(e.path) == configFile
}

// record are the files that isRecord knows.
func (v *verifier) record() (files []*entry) {
	for _, name := range sortedKeys(v.there) {
		if e := v.there[name]; e.odd == "" && v.isRecord(e) && (v.release == nil || v.entry(name) != nil) {
			files = append(files, e)
		}
	}
	return files
}

func filtered(all []*entry, keep func(*entry) bool) (kept []*entry) {
	for _, e := range all {
		if keep(e) {
			kept = append(kept, e)
		}
	}
	return kept
}

// ofRun tells whether a file of a run's folder is one that is checked.
func ofRun(name string) bool {
	folder, _, below := strings.Cut(name, "/")
	if below {
		step, isStep := strings.CutPrefix(folder, "step")
		return isStep && strings.Trim(step, "0123456789") == "" || folder == "data-indices"
	}
	return name == chainFile || name == tensorsFile || strings.HasPrefix(name, "recipe") || name == configFile || name == logFile || name == rolloutsFile || isTensors(name)
}

// isText tells whether a file is one that is read by lines or as settings. Such are read also where they
// have another size than release.json says, as far as that goes: what else they say is then told, too.
func isText(name string) bool {
	in := func(folder string) bool { return strings.HasPrefix(name, folder) }
	return !isTensors(name) && (in("train/") || in("tokenizer/") || in(textsFolder))
}

// listed compares the names of the list with what is there, and returns the files to read.
func (v *verifier) listed() (now []*entry) {
	known := make(map[string]bool, len(v.release.Files))
	look := func(f *release.File, optional bool) {
		known[f.Path] = true
		if !v.wanted(f.Path) {
			return
		}
		e := v.there[f.Path]
		switch {
		case e == nil && optional:
		case e == nil:
			if link := v.linked(f.Path); link != "" {
				v.problem(Changed, f.Path, "%s is a link, and nothing is read outside of the folder", link)
				return
			}
			v.problem(Missing, f.Path, "%s is missing", f.Path)
		case e.odd != "":
			v.problem(Changed, f.Path, "%s is %s, not a file", f.Path, e.odd)
		default:
			if e.size() < f.Size {
				v.problem(Truncated, f.Path, "%s has %d bytes of %d", f.Path, e.size(), f.Size)
			} else if e.size() > f.Size {
				v.problem(Changed, f.Path, "%s has %d bytes, not %d", f.Path, e.size(), f.Size)
			}
			e.other, e.most = e.size() != f.Size, f.Size+1
			if !e.other || isText(f.Path) {
				now = append(now, e)
			}
		}
	}
	for i := range v.release.Files {
		look(&v.release.Files[i], false)
	}
	for i := range v.release.LeftOut {
		look(&v.release.LeftOut[i], true)
	}
	if out := v.absent(); len(out) > 0 {
		names := strings.Join(out[:min(len(out), 3)], ", ")
		if more := len(out) - 3; more > 0 {
			names += fmt.Sprintf(" and %d more", more)
		}
		v.note("left out of this release, as release.json says: %s", names)
	}
	for _, name := range sortedKeys(v.there) {
		if !known[name] && name != release.ManifestFile && name != release.SignatureFile && v.wanted(name) {
			v.problem(Unlisted, name, "%s is not in release.json", name)
		}
	}
	return now
}

// absent lists what was left out and is not there.
func (v *verifier) absent() (out []string) {
	for _, f := range v.release.LeftOut {
		if v.there[f.Path] == nil {
			out = append(out, f.Path)
		}
	}
	return out
}

// linked is the folder above a path that is a link.
func (v *verifier) linked(name string) string {
	for _, folder := range within(name) {
		if e := v.there[folder]; e != nil && e.odd != "" {
			return folder
		}
	}
	return ""
}

// compare holds a file that was read against its entry. What has tensors is told of with those that
// are others, where that is known; see tensorsChanged.
func (v *verifier) compare(f *file) {
	if f.err != nil {
		kind := Changed
		if errors.Is(f.err, fs.ErrNotExist) {
			kind = Missing
		}
		v.problem(kind, f.path, "%s: %v", f.path, f.err)
		return
	}
	if want := v.entry(f.path); want != nil && !f.other && want.SHA256 != f.sum && !isTensors(f.path) {
		v.problem(Changed, f.path, "%s is another file: its SHA-256 is %v, release.json has %v", f.path, f.sum, want.SHA256)
	}
}

// entry is what release.json says of a path, left out or not.
func (v *verifier) entry(name string) *release.File {
	if v.release == nil {
		return nil
	}
	if f := v.release.File(name); f != nil {
		return f
	}
	i, ok := slices.BinarySearchFunc(v.release.LeftOut, name, func(f release.File, name string) int { return strings.Compare(f.Path, name) })
	if !ok {
		return nil
	}
	return &v.release.LeftOut[i]
}

// usable is a file that was read, nil where there is none.
func (v *verifier) usable(name string) *file {
	if f := v.files[name]; f != nil && f.err == nil {
		return f
	}
	return nil
}

// sorted lists the files that were read in byte order of paths.
func (v *verifier) sorted() []*file {
	var all []*file
	for _, name := range sortedKeys(v.files) {
		all = append(all, v.files[name])
	}
	return all
}

// judge compares what was read with each other.
func (v *verifier) judge() {
	v.judgeComplete()
	v.judgeSignature()
	v.readCheckpoints()
	v.judgeHead()
	v.judgeTokenizer()
	v.judgeTokens()
	v.judgeTexts()
	v.judgeSteps()
	v.judgeCheckpoints()
	v.judgeRevisions()
	v.judgeChanged()
	v.judgeDuplicates()
	v.judgeSince()
	v.judgeParents()
	v.judgeName()
}
