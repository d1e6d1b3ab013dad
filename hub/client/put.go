package client

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"olmo/proof"
	"olmo/release"
	"olmo/store"
)

// Upload is what a branch of a repository is to hold.
type Upload struct {
	Repo     Repo
	Revision string
	Files    []Local
}

// Local is a file of this machine that goes to a hub.
type Local struct {
	Path   string // that it gets
	Name   string // that it has here
	Size   int64
	SHA256 *proof.Hash // nil where it is not known
}

// Stored is what came of an upload.
type Stored struct {
	Revision string   `json:"revision"`
	Commit   string   `json:"commit"` // that the branch has now
	Files    int      `json:"files"`
	Sent     int      `json:"sent"`              // files that were not there
	Bytes    int64    `json:"bytes"`             // of large files that were not there
	Ignored  []string `json:"ignored,omitempty"` // files that the hub does not take
	Others   []string `json:"others,omitempty"`  // files that the branch has beside them
}

// ReleaseBranch is the branch with all of a release that is no model.
const ReleaseBranch = "release"

// OfRelease are the uploads that a release comes to: a branch for each revision, and one with
// everything else. The branch main is last: until then it is empty, so that other branches do
// not begin with what it holds.
func OfRelease(dir string, r Repo) (*release.Manifest, []Upload, error) {
	m, err := release.Open(dir)
	if err != nil {
		return nil, nil, err
	}
	local := func(f release.File, path string) Local {
		return Local{path, filepath.Join(dir, filepath.FromSlash(f.Path)), f.Size, &f.SHA256}
	}
	rest := Upload{Repo: r, Revision: ReleaseBranch}
	for _, f := range m.Files {
		if !strings.HasPrefix(f.Path, release.ModelFolder+"/") {
			rest.Files = append(rest.Files, local(f, f.Path))
		}
	}
	for _, name := range []string{release.ManifestFile, release.SignatureFile} {
		st, err := os.Lstat(filepath.Join(dir, name))
		if err != nil && name == release.SignatureFile {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		rest.Files = append(rest.Files, Local{name, filepath.Join(dir, name), st.Size(), nil})
	}
	uploads := []Upload{rest}
	for _, v := range m.Revisions {
		u := Upload{Repo: r, Revision: v.Name}
		for _, f := range m.Files {
			if path, ok := strings.CutPrefix(f.Path, v.Path+"/"); ok {
				u.Files = append(u.Files, local(f, path))
			}
		}
		if len(u.Files) > 0 { // a release may be made without
			uploads = append(uploads, u)
		}
	}
	return m, uploads, nil
}

// OfFolder is the upload of a folder's files, without those that are on their way, and those of Git.
func OfFolder(dir string, r Repo, revision string) (Upload, error) {
	u := Upload{Repo: r, Revision: revision}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git":
			return fs.SkipDir
		case d.IsDir() || store.IsTemporary(d.Name()):
			return nil
		}
		st, err := os.Stat(name) // a folder of a hub's cache is one of links
		if err != nil {
			return err
		}
		if !st.Mode().IsRegular() {
			return fmt.Errorf("%s is no file", name)
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		u.Files = append(u.Files, Local{filepath.ToSlash(rel), name, st.Size(), nil})
		return nil
	})
	if err == nil && len(u.Files) == 0 {
		err = fmt.Errorf("%s has no files", dir)
	}
	return u, err
}

// Create makes a repository where there is none.
func (h *Hub) Create(ctx context.Context, r Repo, private bool) error {
	if _, err := h.call(ctx, http.MethodGet, r.api()+"/refs", nil, nil); !IsMissing(err) {
		return err
	}
	org, name, ok := strings.Cut(r.Name, "/")
	if !ok {
		return fmt.Errorf("%q is no name of a repository to make\nhint: ORG/NAME", r.Name)
	}
	_, err := h.call(ctx, http.MethodPost, "/api/repos/create", asJSON(map[string]any{"name": name, "organization": org, "type": r.Type, "private": private}), nil)
	if isConflict(err) {
		return nil
	}
	return err
}

// Put makes a branch hold an upload's files beside those that it has, and sends what the hub has
// not. progress (may be nil) is told how many bytes of the large files that are missing there
// have been sent.
func (h *Hub) Put(ctx context.Context, u Upload, progress func(done, total int64)) (*Stored, error) {
	var names []File
	for _, f := range u.Files {
		names = append(names, File{Path: f.Path})
	}
	if err := checkPaths(u.Repo, names); err != nil {
		return nil, err
	}
	fresh, err := h.branch(ctx, u.Repo, u.Revision)
	if err != nil {
		return nil, err
	}
	there, err := h.Tree(ctx, u.Repo, u.Revision)
	if err != nil && !IsMissing(err) { // as some hubs say of a branch without files
		return nil, err
	}
	stored := &Stored{Revision: u.Revision, Files: len(u.Files)}
	changed, gone, err := u.changes(ctx, there, fresh, stored)
	if err != nil {
		return nil, err
	}
	large, small, err := h.modes(ctx, u, changed, stored)
	if err != nil {
		return nil, err
	}
	if stored.Bytes, err = h.send(ctx, u.Repo, u.Revision, large, progress); err != nil {
		return nil, err
	}
	stored.Sent = len(large) + len(small)
	if err := h.commit(ctx, u, large, small, gone); err != nil {
		return nil, err
	}
	stored.Commit, err = h.Commit(ctx, u.Repo, u.Revision)
	return stored, err
}

// branch makes a branch where there is none. It is fresh while nobody has committed to it: then
// it has what main has.
func (h *Hub) branch(ctx context.Context, r Repo, name string) (fresh bool, err error) {
	if err := checkRevision(name); err != nil {
		return false, err
	}
	if name == "main" {
		return false, nil
	}
	at := func(branches []Branch, name string) string {
		if i := slices.IndexFunc(branches, func(b Branch) bool { return b.Name == name }); i >= 0 {
			return branches[i].Commit
		}
		return ""
	}
	branches, err := h.Branches(ctx, r)
	if err != nil {
		return false, err
	}
	if commit := at(branches, name); commit != "" {
		return commit == at(branches, "main"), nil
	}
	_, err = h.call(ctx, http.MethodPost, r.api()+"/branch/"+url.PathEscape(name), asJSON(map[string]any{"emptyBranch": true}), nil)
	if isConflict(err) {
		err = nil // somebody else was faster
	}
	return true, err
}

// changes are the files that the branch has not, or has with other contents, and those that a
// fresh branch has from main and should not have.
func (u *Upload) changes(ctx context.Context, there []File, fresh bool, stored *Stored) (changed []*Local, gone []string, err error) {
	at := map[string]File{}
	for _, f := range there {
		at[f.Path] = f
	}
	for i := range u.Files {
		f := &u.Files[i]
		old, ok := at[f.Path]
		delete(at, f.Path)
		same := false
		if ok && old.Size == f.Size {
			if same, err = f.same(old); err != nil {
				return nil, nil, err
			}
		}
		if !same {
			changed = append(changed, f)
		}
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
	}
	for path := range at {
		switch {
		case path == ".gitattributes": // the hub's own
		case fresh:
			gone = append(gone, path)
		default:
			stored.Others = append(stored.Others, path)
		}
	}
	slices.Sort(gone)
	slices.Sort(stored.Others)
	return changed, gone, nil
}

// same tells whether a file has the content that the hub lists, of the same size.
func (f *Local) same(there File) (bool, error) {
	if there.LFS {
		if err := f.hash(); err != nil {
			return false, err
		}
		return f.SHA256.String() == there.Blob, nil
	}
	in, err := store.Open(f.Name)
	if err != nil {
		return false, err
	}
	defer in.Close()
	sum, n, err := there.sum(in)
	return n == there.Size && sum == there.Blob, err
}

// hash makes the SHA-256 be known.
func (f *Local) hash() error {
	if f.SHA256 != nil {
		return nil
	}
	in, err := store.Open(f.Name)
	if err != nil {
		return err
	}
	defer in.Close()
	sum, n, err := (&File{LFS: true}).sum(in)
	if err == nil && n != f.Size {
		err = fmt.Errorf("%s has %d bytes, and had %d: it changes", f.Name, n, f.Size)
	}
	if err != nil {
		return err
	}
	h, err := proof.ParseHash(sum)
	f.SHA256 = &h
	return err
}

// most is how many files go into one question to a hub, as the official client has it.
const most = 256

// modes asks the hub which files it keeps as large ones, by their names and first bytes.
func (h *Hub) modes(ctx context.Context, u Upload, files []*Local, stored *Stored) (large, small []*Local, err error) {
	type question struct {
		Path   string `json:"path"`
		Size   int64  `json:"size"`
		Sample []byte `json:"sample"`
	}
	for chunk := range slices.Chunk(files, most) {
		var ask []question
		for _, f := range chunk {
			sample, err := f.sample()
			if err != nil {
				return nil, nil, err
			}
			ask = append(ask, question{f.Path, f.Size, sample})
		}
		var answer struct {
			Files []struct {
				Path, UploadMode string
				ShouldIgnore     bool
			}
		}
		if _, err := h.call(ctx, http.MethodPost, u.Repo.api()+"/preupload/"+url.PathEscape(u.Revision), asJSON(map[string]any{"files": ask}), &answer); err != nil {
			return nil, nil, err
		}
		modes := map[string]string{}
		for _, f := range answer.Files {
			modes[f.Path] = f.UploadMode
			if f.ShouldIgnore {
				modes[f.Path] = "ignore"
			}
		}
		for _, f := range chunk {
			switch mode := modes[f.Path]; mode {
			case "lfs":
				large = append(large, f)
			case "regular":
				small = append(small, f)
			case "ignore":
				stored.Ignored = append(stored.Ignored, f.Path)
			default:
				return nil, nil, fmt.Errorf("%s: the hub wants it in the way %.40q, which is not known here", f.Path, mode)
			}
		}
	}
	return large, small, nil
}

// sample are the first bytes of a file.
func (f *Local) sample() ([]byte, error) {
	in, err := store.Open(f.Name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return io.ReadAll(io.LimitReader(in, 512))
}

// Limits of one commit, of which a large upload is several.
const (
	mostOperations = 2000
	mostContent    = 48 << 20 // bytes of small files
)

// commit adds files to the branch, the large ones by their hashes, and removes others.
func (h *Hub) commit(ctx context.Context, u Upload, large, small []*Local, gone []string) error {
	var body bytes.Buffer
	operations := 0
	line := func(key string, value any) {
		e := json.NewEncoder(&body)
		e.SetEscapeHTML(false)
		_ = e.Encode(map[string]any{"key": key, "value": value}) // to a buffer
		operations++
	}
	flush := func() error {
		if operations == 0 {
			return nil
		}
		header, err := json.Marshal(map[string]any{"key": "header", "value": map[string]string{"summary": "Upload with olmo hub put", "description": ""}})
		if err != nil {
			return err
		}
		text := append(append(header, '\n'), body.Bytes()...)
		body.Reset()
		operations = 0
		_, err = h.call(ctx, http.MethodPost, u.Repo.api()+"/commit/"+url.PathEscape(u.Revision), &content{text, "application/x-ndjson", "application/json"}, nil)
		return err
	}
	full := func() error {
		if operations < mostOperations && body.Len() < mostContent {
			return nil
		}
		return flush()
	}
	for _, path := range gone {
		line("deletedFile", map[string]string{"path": path})
	}
	for _, f := range large {
		line("lfsFile", map[string]any{"path": f.Path, "algo": "sha256", "oid": f.SHA256.String(), "size": f.Size})
		if err := full(); err != nil {
			return err
		}
	}
	for _, f := range small {
		if f.Size > mostContent {
			return fmt.Errorf("%s: the hub wants its %d bytes as those of a small file", f.Path, f.Size)
		}
		text, err := store.ReadFile(f.Name)
		if err != nil {
			return err
		}
		if f.SHA256 != nil && proof.Sum(text) != *f.SHA256 {
			return fmt.Errorf("%s is not the file that release.json names: its SHA-256 is %s, want %s", f.Name, proof.Sum(text), f.SHA256)
		}
		line("file", map[string]string{"path": f.Path, "encoding": "base64", "content": base64.StdEncoding.EncodeToString(text)})
		if err := full(); err != nil {
			return err
		}
	}
	return flush()
}
