// Package release holds what a release says of itself: release.json, the list of its files and
// of the roots under which it can be checked. docs/verification.md has the layout of the folder.
package release

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"olmo/proof"
	"olmo/store"
)

// The files at the top of a release, which are not in its list.
const (
	ManifestFile  = "release.json"
	SignatureFile = "release.sig"
)

// Format is the format that release.json names.
const Format = "olmo release 1"

// ModelFolder holds a folder for each revision, named after it.
const ModelFolder = "model"

// Main is the revision of the last step, which has no step in its name.
const Main = "main"

// Manifest is release.json.
type Manifest struct {
	Name      string // ORG/NAME or NAME
	Run       Run
	Revisions []Revision // by steps, main last
	Data      Data
	Tokenizer *Tokenizer // nil where the run names none
	LeftOut   []File     // what the release was made without, in byte order of paths
	Program   string     // that made it: version and revision
	Files     []File     // all but release.json and release.sig, in byte order of paths
	FilesRoot proof.Hash
}

// Run is what the chain comes to.
type Run struct {
	Steps     int        `json:"steps"`  // number of the last step
	Tokens    int64      `json:"tokens"` // seen until then
	ChainHead proof.Hash `json:"chain_head"`
	StepsRoot proof.Hash `json:"steps_root"`
}

// Revision is a model of the release, a Hugging Face folder.
type Revision struct {
	Name        string     `json:"name"`
	Step        int        `json:"step"`
	Path        string     `json:"path"` // of the folder
	WeightsRoot proof.Hash `json:"weights_root"`
}

// Data is what the run was trained on. Without a root, where the chain has none, the documents
// are not counted either.
type Data struct {
	DType         string      `json:"dtype"`
	Documents     int64       `json:"documents"`
	Tokens        int64       `json:"tokens"`
	DocumentsRoot *proof.Hash `json:"documents_root"`
}

// Tokenizer is the file that made the tokens.
type Tokenizer struct {
	Path   string     `json:"path"`
	SHA256 proof.Hash `json:"sha256"`
}

// File is a file of the release.
type File struct {
	Path   string     `json:"path"`
	Size   int64      `json:"size"`
	SHA256 proof.Hash `json:"sha256"`
}

// Leaf is the leaf of a file in the tree of files_root.
func (f *File) Leaf() []byte {
	b := fmt.Appendf(nil, "%s\x00%d\x00", f.Path, f.Size)
	return append(b, f.SHA256[:]...)
}

// RootOf is files_root, over files in their order.
func RootOf(files []File) proof.Hash {
	var t proof.Tree
	for i := range files {
		t.Add(files[i].Leaf())
	}
	return t.Root()
}

// Seal puts the files into their order and computes their root.
func (m *Manifest) Seal() {
	byPath := func(a, b File) int { return strings.Compare(a.Path, b.Path) }
	slices.SortFunc(m.Files, byPath)
	slices.SortFunc(m.LeftOut, byPath)
	m.FilesRoot = RootOf(m.Files)
}

// File returns the entry of a path, nil where there is none.
func (m *Manifest) File(path string) *File {
	i, ok := slices.BinarySearchFunc(m.Files, path, func(f File, path string) int { return strings.Compare(f.Path, path) })
	if !ok {
		return nil
	}
	return &m.Files[i]
}

// Write writes release.json: the same bytes for the same manifest, an entry of a list a line.
func (m *Manifest) Write(w io.Writer) error {
	b := bufio.NewWriter(w)
	var errs []error
	value := func(v any) {
		e := json.NewEncoder(b)
		e.SetEscapeHTML(false)
		errs = append(errs, e.Encode(v)) // with a newline behind it, which is no harm
	}
	comma := ""
	member := func(name string) {
		fmt.Fprintf(b, "%s%q: ", comma, name)
		comma = ","
	}
	fmt.Fprint(b, "{")
	member("format")
	value(Format)
	member("name")
	value(m.Name)
	member("run")
	value(m.Run)
	member("revisions")
	lines(b, m.Revisions, value)
	member("data")
	value(m.Data)
	member("tokenizer")
	value(m.Tokenizer)
	member("left_out")
	lines(b, m.LeftOut, value)
	member("program")
	value(m.Program)
	member("files")
	lines(b, m.Files, value)
	member("files_root")
	value(m.FilesRoot)
	fmt.Fprint(b, "}\n")
	return errors.Join(errors.Join(errs...), b.Flush())
}

// lines writes an array, an entry a line.
func lines[T any](b *bufio.Writer, entries []T, value func(any)) {
	fmt.Fprint(b, "[")
	for i := range entries {
		if i > 0 {
			fmt.Fprint(b, ",")
		}
		value(entries[i])
	}
	fmt.Fprint(b, "]\n")
}

// Open reads the release.json of a folder and refuses one that has faults, with all of them.
func Open(dir string) (*Manifest, error) {
	path := filepath.Join(dir, ManifestFile)
	f, err := store.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if faults := m.Faults(); len(faults) > 0 {
		var text []string
		for _, f := range faults[:min(len(faults), 10)] {
			text = append(text, f.Message)
		}
		if n := len(faults) - len(text); n > 0 {
			text = append(text, fmt.Sprintf("and %d more", n))
		}
		return nil, fmt.Errorf("%s: %s", path, strings.Join(text, "; "))
	}
	return m, nil
}
