package signature

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"os"
	"slices"
	"strings"

	"olmo/proof"
)

// The kinds of problems.
const (
	Signature = "signature" // none, not valid, or another key's
	Missing   = "missing"   // a file that is signed
	Changed   = "changed"   // its content is not what was signed
	Unlisted  = "unlisted"  // it is not signed
)

// Problem is one fault. Message is a sentence.
type Problem struct {
	Kind, Path, Message string
}

// Report is what was found in a folder.
type Report struct {
	Problems []Problem // the signature's first, then in the order of their paths
	Notes    []string
	Files    int64 // that were read
	Bytes    int64 // in them
}

// Compare lists how files differ from those that are signed, in the order of paths. It says
// nothing of the signature.
func (b *Bundle) Compare(files []File) (problems []Problem) {
	found := make(map[string]proof.Hash, len(files))
	for _, f := range files {
		found[f.Path] = f.SHA256
	}
	for _, f := range b.Files {
		switch got, ok := found[f.Path]; {
		case !ok:
			problems = append(problems, Problem{Missing, f.Path, "it is signed and not there"})
		case got != f.SHA256:
			problems = append(problems, Problem{Changed, f.Path, fmt.Sprintf("its hash is %v, signed is %v", got, f.SHA256)})
		}
		delete(found, f.Path)
	}
	for name := range found {
		if b.ignoredBy(name) == "" {
			problems = append(problems, Problem{Unlisted, name, "it is not signed"})
		}
	}
	slices.SortFunc(problems, func(a, b Problem) int { return strings.Compare(a.Path, b.Path) })
	return problems
}

// Check compares a folder with the signature in a file, which may lie in it: every file, on all
// threads. Without a key it compares the files and notes that nobody is known to have signed
// them. progress, which may be nil, is told how many bytes were read, of how many, by one goroutine
// at a time. The error tells that nothing could be checked, or that ctx has ended.
func Check(ctx context.Context, dir, file string, key *ecdsa.PublicKey, progress func(done, total int64)) (*Report, error) {
	st, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if !st.IsDir() {
		return nil, fmt.Errorf("%s is a file, want the folder that was signed", dir)
	}
	r := &Report{}
	b, err := Read(file)
	if err != nil {
		r.Problems = []Problem{{Signature, file, cause(err).Error()}}
		return r, nil
	}
	if key == nil {
		r.Notes = append(r.Notes, "signed, not checked: no key was given")
	} else if err := b.Verify(key); err != nil {
		r.Problems = []Problem{{Signature, file, err.Error()}}
	}
	r.Notes = append(r.Notes, b.Notes...)
	f := &folder{bundle: b, failed: map[string]string{}, ignored: map[string]int{}}
	if err := f.walk(dir, file); err != nil {
		return nil, err
	}
	if err := f.hash(ctx, progress); err != nil {
		return nil, err
	}
	r.Problems = append(r.Problems, f.problems()...)
	r.Files, r.Bytes = f.read, f.done
	for _, ignored := range b.IgnorePaths {
		if n := f.ignored[ignored]; n > 0 {
			r.Notes = append(r.Notes, fmt.Sprintf("%s: the signature leaves it out (ignore_paths), so nobody signed the files there: %d", ignored, n))
		}
	}
	for _, link := range f.linked {
		r.Notes = append(r.Notes, fmt.Sprintf("%s is a link to a folder, which is not followed", link))
	}
	return r, nil
}
