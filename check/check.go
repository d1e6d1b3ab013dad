// Package check says what an artefact is, and whether it is whole.
//
// It knows whatever the program writes or reads: a release, a quickstart folder, a run, a
// checkpoint, a model in any layout, weights, token files, documents, attributes,
// Bloom filters, tokenizers, configs, logs and results. Each is compared with all
// that says what it should be (a report, a manifest, a record, an index, the file
// beside it), every fault is reported and not only the first, and what there is
// nothing to compare with is said, too.
package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// Kind says what is wrong. Those that a release knows, too, have its names.
type Kind string

// The kinds of problems.
const (
	Missing    Kind = "missing"    // a file or tensor that should be there
	Truncated  Kind = "truncated"  // it ends early
	Changed    Kind = "changed"    // its content is not the recorded one
	Unlisted   Kind = "unlisted"   // it stands among recorded files and is none
	Damaged    Kind = "damaged"    // it cannot be read as what it is
	Manifest   Kind = "manifest"   // a list of files contradicts itself, or leads outside
	Checkpoint Kind = "checkpoint" // stepN is not what its manifest or the log says
	Revision   Kind = "revision"   // a release has other weights than the run's step
	Duplicate  Kind = "duplicate"  // two steps have the same weights
	Model      Kind = "model"      // tensors, shapes or numbers that its config does not ask for
	Tokenizer  Kind = "tokenizer"  // no tokenizer, or not one of this model
	Tokens     Kind = "tokens"     // token files and the places of documents disagree
	Documents  Kind = "documents"  // a line that is no document
	Attributes Kind = "attributes" // a line that is no row, or not of these documents
	Config     Kind = "config"     // settings that cannot be
	Log        Kind = "log"        // a log or results that say something else
)

// Problem is one fault. Message is a sentence, with a line "hint: …" where it is known
// what to do; the members after it are there where they apply.
type Problem struct {
	Kind     Kind   `json:"kind"`
	Message  string `json:"message"`
	Path     string `json:"path,omitempty"` // from the artefact on, with slashes
	Step     *int   `json:"step,omitempty"`
	Key      string `json:"key,omitempty"` // of a setting
	Tensor   string `json:"tensor,omitempty"`
	Document string `json:"document,omitempty"` // its id
	IsStep   *int   `json:"is_step,omitempty"`  // whose weights a model's are instead
	Line     int64  `json:"line,omitempty"`     // from 1
}

// Counts say how much was read.
type Counts struct {
	Files       int64 `json:"files"`
	Bytes       int64 `json:"bytes"`
	Tensors     int64 `json:"tensors,omitempty"`
	Documents   int64 `json:"documents,omitempty"`
	Tokens      int64 `json:"tokens,omitempty"`
	Checkpoints int64 `json:"checkpoints,omitempty"`
}

// Weights are the digests of one set of weights. The same numbers have one digest
// under the names of their files and another under those of training.
type Weights struct {
	Path  string `json:"path"`
	Names string `json:"names"` // the layout
	// Digest is over the files' own names and dtypes.
	Digest string `json:"weights_digest"`
	// Training is over the names that training gives the same numbers, which is
	// what a run and its report show; empty where the files have other dtypes or
	// cuts than training's float32.
	Training string `json:"training_weights_digest,omitempty"`
}

// Report is what was found.
type Report struct {
	Path          string    `json:"path"`
	Kind          string    `json:"kind"` // of artefact
	OK            bool      `json:"ok"`   // there is no problem
	Problems      []Problem `json:"problems"`
	Checked       Counts    `json:"checked"`
	Notes         []string  `json:"notes"` // oddities, and what could not be judged
	WeightsDigest string    `json:"weights_digest,omitempty"`
	Weights       []Weights `json:"weights,omitempty"`
}

// ConfigKind is a kind of config that package check does not know itself.
type ConfigKind struct {
	Name  string   // such as "config of olmo data mix"
	Keys  []string // at the top level
	Parse func(path string, text []byte) error
}

// Options say how to check.
type Options struct {
	Configs []ConfigKind // in addition to that of training
	// Progress, if set, is told the bytes that were read.
	Progress func(done, total int64)
}

// ErrUnknown is in the chain of the error about a path that is no known artefact.
var ErrUnknown = errors.New("it is nothing that can be checked")

// Path checks what lies at path, a file or folder of this machine. The error tells that
// there is nothing to check, or that ctx has ended; whatever is wrong with what is there is in
// the report.
func Path(ctx context.Context, path string, o Options) (*Report, error) {
	a, err := find(path)
	if err != nil && !errors.Is(err, ErrUnknown) {
		return nil, err
	}
	c := &checker{
		ctx: ctx, options: o, root: path, report: &Report{Path: path, Kind: "file", Problems: []Problem{}, Notes: []string{}},
		known: map[string]entry{}, sound: map[string]bool{}, counted: map[string]bool{},
	}
	if o.Progress != nil {
		_ = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				if st, err := d.Info(); err == nil {
					c.total += st.Size()
				}
			}
			return nil // what cannot be read is reported when it is checked
		})
	}
	c.compareLists(path)
	switch {
	case err == nil:
		c.report.Kind = a.name
		a.check(c, path)
	case !c.listed(path): // a page of a report is a file like any other
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	c.finish()
	return c.report, nil
}

// checker is one check under way.
type checker struct {
	ctx     context.Context // once it has ended every check returns early, and Path its error
	options Options
	root    string
	report  *Report
	known   map[string]entry // by absolute path: what lists say of files
	claims  []entry          // what the records of stages say of the same files
	sound   map[string]bool  // absolute paths that are as their list says
	counted map[string]bool  // absolute paths of files in Checked
	total   int64
	// unjudged are files of which only the form could be seen.
	unjudged []string
	unused   []string // leaves of token files that are not as they were
}

// problem adds a problem; its optional members are the caller's to fill, before the next.
func (c *checker) problem(kind Kind, path, format string, args ...any) *Problem {
	c.report.Problems = append(c.report.Problems, Problem{Kind: kind, Path: c.rel(path), Message: fmt.Sprintf(format, args...)})
	return &c.report.Problems[len(c.report.Problems)-1]
}

// damage adds an error of reading a file as a problem.
func (c *checker) damage(path string, err error) *Problem {
	kind := Damaged
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		kind = Truncated
	case errors.Is(err, fs.ErrNotExist):
		kind = Missing
	}
	return c.problem(kind, path, "%v", err)
}

func (c *checker) note(path, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if path != c.root {
		text = c.rel(path) + ": " + text
	}
	if !slices.Contains(c.report.Notes, text) {
		c.report.Notes = append(c.report.Notes, text)
	}
}

// rel is a path from the artefact on; that of the artefact itself is its own name.
func (c *checker) rel(path string) string {
	if rel, err := filepath.Rel(c.root, path); err == nil && rel != "." {
		return filepath.ToSlash(rel)
	}
	return filepath.Base(path)
}

// count adds a file to what was read, once.
func (c *checker) count(path string, bytes int64) {
	if abs := absolute(path); !c.counted[abs] {
		c.counted[abs] = true
		c.report.Checked.Files++
		c.report.Checked.Bytes += bytes
		c.progress(0)
	}
}

// progress tells how much was read: the files that are done, and so much of another.
func (c *checker) progress(more int64) {
	if c.options.Progress != nil {
		c.options.Progress(min(c.report.Checked.Bytes+more, c.total), c.total)
	}
}

// compared tells whether a list has the digest of a file, and it is the file's.
func (c *checker) compared(path string) bool { return c.sound[absolute(path)] }

// listed tells whether a list says anything about a file.
func (c *checker) listed(path string) bool { _, ok := c.known[absolute(path)]; return ok }

// form says of a file that it is well formed, and that nothing tells what it should hold.
func (c *checker) form(path string) {
	if !c.listed(path) {
		c.unjudged = append(c.unjudged, c.rel(path))
	}
}

// mostNamed is how many names a note lists.
const mostNamed = 3

func (c *checker) finish() {
	r := c.report
	for _, n := range []struct {
		what  string
		files []string
	}{
		{"nothing to compare with, so that a change which keeps the form would not be seen", c.unjudged},
		{"of token files that have another size or time, so that nothing uses it", c.unused},
	} {
		if k := len(n.files); k > 0 {
			names := strings.Join(n.files[:min(k, mostNamed)], ", ")
			if k > mostNamed {
				names += fmt.Sprintf(" and %d more", k-mostNamed)
			}
			c.note(c.root, "%s: %s", n.what, names)
		}
	}
	r.OK = len(r.Problems) == 0
	if len(r.Weights) == 1 {
		r.WeightsDigest = r.Weights[0].Digest
	}
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return filepath.Clean(path)
}

// hidden tells whether a name is one that artefacts have no part in: temporary files and
// locks, and what editors and systems leave.
func hidden(name string) bool { return strings.HasPrefix(name, ".") }
