package serve

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"olmo/hub/git"
	"olmo/proof"
	"olmo/release"
)

// releaseBranch is the branch with everything of a release that is no model.
const releaseBranch = "release"

// AddRelease serves a release under its name: each revision as a branch, and the rest as the
// branch "release". Its files must be there, with the sizes that release.json names; the small
// ones are read. The commits are functions of the files, so that each hub that serves a release
// gives it the same ones.
func (h *Hub) AddRelease(dir string) error {
	m, err := release.Open(dir)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	sizes, err := look(dir)
	if err != nil {
		return err
	}
	files := make([]file, 0, len(m.Files)+2)
	var faults []error
	for _, f := range m.Files {
		got, err := listed(root, sizes, f)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %s: %w", dir, f.Path, err))
			if len(faults) == 10 {
				break
			}
		}
		files = append(files, got)
	}
	for _, name := range []string{release.ManifestFile, release.SignatureFile} {
		if _, ok := sizes[name]; !ok && name == release.SignatureFile {
			continue
		}
		f, err := unlisted(root, name)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", dir, err))
		}
		files = append(files, f)
	}
	if len(faults) > 0 {
		return fmt.Errorf("%w\nhint: 'olmo verify %s' lists all that is wrong", errors.Join(faults...), dir)
	}
	r := &repo{kind: models, id: m.Name, commits: map[git.ID]*commit{}}
	branch := func(name string, files []file) {
		c := newCommit(files, nil, time.Unix(0, 0).UTC(), "A release")
		r.commits[c.id] = c
		r.branches = append(r.branches, ref{name, c.id})
	}
	revisions, folders := map[string]string{}, map[string][]file{} // by path; by name
	for _, revision := range m.Revisions {
		revisions[revision.Path] = revision.Name
	}
	for _, f := range files {
		in := releaseBranch
		if parts := strings.SplitN(f.Path, "/", 3); len(parts) == 3 && revisions[parts[0]+"/"+parts[1]] != "" {
			in, f.Path = revisions[parts[0]+"/"+parts[1]], parts[2]
		}
		folders[in] = append(folders[in], f)
	}
	for _, revision := range m.Revisions {
		branch(revision.Name, folders[revision.Name])
	}
	branch(releaseBranch, folders[releaseBranch])
	return h.add(r)
}

// look finds the regular files of a folder, to which no link leads, with their sizes, by their
// paths in it.
func look(dir string) (map[string]int64, error) {
	sizes := map[string]int64{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		st, err := d.Info()
		if err == nil {
			sizes[path] = st.Size()
		}
		return err
	})
	return sizes, err
}

// listed is a file as release.json has it.
func listed(root *os.Root, sizes map[string]int64, f release.File) (file, error) {
	got := file{Path: f.Path, Size: f.Size, SHA256: f.SHA256, LFS: isLarge(f.Path, f.Size), root: root, name: f.Path}
	size, ok := sizes[f.Path]
	switch {
	case !ok:
		return got, errors.New("there is no such file, or a link in its place")
	case size != f.Size:
		return got, fmt.Errorf("it has %d bytes, release.json says %d", size, f.Size)
	case got.LFS:
		got.ID = git.Blob(got.pointer())
		return got, nil
	}
	content, err := got.open()
	if err != nil {
		return got, err
	}
	defer content.Close()
	text, err := io.ReadAll(io.LimitReader(content, f.Size))
	if err != nil {
		return got, err
	}
	if proof.Sum(text) != f.SHA256 {
		return got, errors.New("its hash is not the one that release.json names")
	}
	got.ID = git.Blob(text)
	return got, nil
}

// unlisted is a file that release.json does not name.
func unlisted(root *os.Root, name string) (file, error) {
	got := file{Path: name, root: root, name: name}
	st, err := regular(root, name)
	if err != nil {
		return got, err
	}
	got.Size, got.LFS = st.Size(), isLarge(name, st.Size())
	content, err := got.open()
	if err != nil {
		return got, err
	}
	defer content.Close()
	hash, blob := sha256.New(), git.NewBlob(got.Size)
	if _, err := io.Copy(io.MultiWriter(hash, blob), content); err != nil {
		return got, err
	}
	got.SHA256, got.ID = proof.Hash(hash.Sum(nil)), git.ID(blob.Sum(nil))
	if got.LFS {
		got.ID = git.Blob(got.pointer())
	}
	return got, nil
}
