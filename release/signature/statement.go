package signature

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"olmo/internal/strictjson"
	"olmo/proof"
)

// What is signed: an in-toto statement with model-signing's list of files, which names how the
// files were found and hashed. Other methods and hashes than these are refused.
const (
	statementType = "https://in-toto.io/Statement/v1"
	predicateType = "https://model_signing/signature/v1.0"
	method        = "files" // whole ones
	algorithm     = "sha256"
)

// File is a file that a signature binds.
type File struct {
	Path   string // from the folder on, with slashes
	SHA256 proof.Hash
}

// statement is what is signed, as it is written.
type statement struct {
	Type          string    `json:"_type"`
	Subject       []subject `json:"subject"`
	PredicateType string    `json:"predicateType"`
	Predicate     predicate `json:"predicate"`
}

type subject struct {
	Name   string                `json:"name"`
	Digest map[string]proof.Hash `json:"digest"`
}

type predicate struct {
	Serialization serialization `json:"serialization"`
	Resources     []resource    `json:"resources"`
}

type serialization struct {
	AllowSymlinks bool     `json:"allow_symlinks"`
	HashType      string   `json:"hash_type"`
	IgnorePaths   []string `json:"ignore_paths"`
	Method        string   `json:"method"`
}

type resource struct {
	Algorithm string     `json:"algorithm"`
	Name      string     `json:"name"`
	Digest    proof.Hash `json:"digest"`
}

// statementOf writes the statement about files, which it sorts.
func statementOf(name string, files []File) ([]byte, error) {
	slices.SortFunc(files, func(a, b File) int { return comparePaths(a.Path, b.Path) })
	s := statement{Type: statementType, PredicateType: predicateType, Predicate: predicate{
		Serialization: serialization{HashType: algorithm, IgnorePaths: []string{}, Method: method},
		Resources:     make([]resource, len(files)),
	}}
	for i, f := range files {
		if err := checkPath(f.Path); err != nil {
			return nil, fmt.Errorf("signing %q: %w", f.Path, err)
		}
		if i > 0 && f.Path == files[i-1].Path {
			return nil, fmt.Errorf("signing %q: it is there twice", f.Path)
		}
		s.Predicate.Resources[i] = resource{algorithm, f.Path, f.SHA256}
	}
	s.Subject = []subject{{name, map[string]proof.Hash{algorithm: digestOf(files)}}}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	err := e.Encode(s)
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), err
}

// digestOf is the digest of the list: over the files' hashes, in its order.
func digestOf(files []File) proof.Hash {
	h := sha256.New()
	for i := range files {
		h.Write(files[i].SHA256[:])
	}
	return proof.Hash(h.Sum(nil))
}

// comparePaths orders paths part by part, as Python's PurePosixPath, by which model-signing sorts:
// a/b stands before a-b.
func comparePaths(a, b string) int {
	return strings.Compare(strings.ReplaceAll(a, "/", "\x00"), strings.ReplaceAll(b, "/", "\x00"))
}

// checkPath is an error where a path is not one in a folder. Others' folders have names that no
// release may have; but none may lead outside on the system on which it is checked.
func checkPath(name string) error {
	switch {
	case !utf8.ValidString(name) || strings.ContainsRune(name, 0):
		return errors.New("it is no path")
	case len(name) > 4096:
		return errors.New("it is longer than 4096 bytes")
	case strings.HasPrefix(name, "/"):
		return errors.New("it leads outside of the folder")
	case name == ".":
		return errors.New("a single file was signed, want a folder")
	}
	for part := range strings.SplitSeq(name, "/") {
		switch part {
		case "..":
			return errors.New("it leads outside of the folder")
		case "", ".":
			return errors.New("it has a part that is empty or a dot")
		}
	}
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return errors.New("this system has no such path in a folder")
	}
	return nil
}

// readStatement reads what is signed.
func (b *Bundle) readStatement() error {
	type named struct {
		name   string
		digest proof.Hash
	}
	var subjects []named
	err := strictjson.Read(bytes.NewReader(b.payload), b.object(strictjson.Members{
		"_type":         strictjson.Exactly(statementType),
		"predicateType": strictjson.Exactly(predicateType),
		"subject": strictjson.List(&subjects, func(to *named) strictjson.Value {
			return b.object(strictjson.Members{
				"name":   strictjson.String(&to.name),
				"digest": b.object(strictjson.Members{algorithm: strictjson.Text(&to.digest)}),
			})
		}),
		"predicate": b.object(strictjson.Members{
			"serialization": b.object(strictjson.Members{
				"method":         strictjson.Exactly(method),
				"hash_type":      strictjson.Exactly(algorithm),
				"allow_symlinks": strictjson.Bool(&b.AllowSymlinks),
				"?ignore_paths":  strictjson.List(&b.IgnorePaths, strictjson.String),
			}),
			"resources": strictjson.List(&b.Files, b.resource),
		}),
	}))
	switch {
	case err != nil:
		return err
	case len(subjects) != 1:
		return fmt.Errorf("it has %d subjects, want one", len(subjects))
	case subjects[0].digest != digestOf(b.Files):
		return fmt.Errorf("the digest of its subject is %v, that of the files in it %v", subjects[0].digest, digestOf(b.Files))
	}
	b.Name = subjects[0].name
	for i, ignored := range b.IgnorePaths {
		b.IgnorePaths[i] = path.Clean(ignored)
	}
	slices.Sort(b.IgnorePaths)
	return b.checkPaths()
}

// resource reads a file of the list. Which hash it has is said before what is wrong with the hash.
func (b *Bundle) resource(to *File) strictjson.Value {
	return func(r *strictjson.Reader, what string, first json.Token) error {
		var hashType, digest string
		err := b.object(strictjson.Members{
			"algorithm": strictjson.String(&hashType), "name": strictjson.String(&to.Path), "digest": strictjson.String(&digest),
		})(r, what, first)
		switch {
		case err != nil:
			return err
		case hashType != algorithm:
			return fmt.Errorf("the algorithm of %.200q is %.100q, this program reads %q", to.Path, hashType, algorithm)
		}
		if err := to.SHA256.UnmarshalText([]byte(digest)); err != nil {
			return fmt.Errorf("the digest of %.200q: %w", to.Path, err)
		}
		return nil
	}
}

// checkPaths refuses a list of files that contradicts itself.
func (b *Bundle) checkPaths() error {
	seen := make(map[string]bool, len(b.Files))
	for _, f := range b.Files {
		if err := checkPath(f.Path); err != nil {
			return fmt.Errorf("the file %.200q: %w", f.Path, err)
		}
		if seen[f.Path] {
			return fmt.Errorf("the file %.200q is there twice", f.Path)
		}
		if ignored := b.ignoredBy(f.Path); ignored != "" {
			return fmt.Errorf("the file %.200q is signed, and left out with %.200q of ignore_paths", f.Path, ignored)
		}
		seen[f.Path] = true
	}
	return nil
}

// ignoredBy returns which of IgnorePaths is a path or above it, "" where none is.
func (b *Bundle) ignoredBy(name string) string {
	if len(b.IgnorePaths) == 0 {
		return ""
	}
	for above := name; ; above = path.Dir(above) {
		if _, ok := slices.BinarySearch(b.IgnorePaths, above); ok {
			return above
		}
		if above == "." {
			return ""
		}
	}
}
