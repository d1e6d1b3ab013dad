package serve

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"olmo/hub/git"
	"olmo/internal/pyjson"
	"olmo/proof"
	"olmo/store"
)

// uploads is the folder that keeps what clients upload:
//
//	blobs/ab/abcd…           contents, under their SHA-256
//	parts/abcd…/N            parts of contents that are still coming
//	key                      signs the addresses that contents are sent to
//	KIND/ORG/NAME/refs.json  what the branches and tags of a repository name
//	KIND/ORG/NAME/commits/   the commits, a file each: ID.json
//
// A file is there whole or not at all, and what names another is written after it.
type uploads struct {
	dir      string
	root     *os.Root
	lock     *store.Lock
	token    string // which an upload needs; "" for none
	key      []byte
	partSize int64 // of a content that comes in parts
}

// partSize is the size of a part, unless that would make too many.
const partSize = 64 << 20

// TakeUploads lets clients create repositories and upload into them, kept in a folder, which is
// made when it is missing. With a token they need it. Close gives the folder back.
func (h *Hub) TakeUploads(dir, token string) error {
	lock, err := store.AcquireIn(dir)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		lock.Release()
		return err
	}
	h.uploads = &uploads{dir: dir, root: root, lock: lock, token: token, partSize: partSize}
	if err := h.uploads.readKey(); err != nil {
		h.Close()
		return err
	}
	for _, kind := range []string{models, datasets} {
		found, err := fs.Glob(root.FS(), kind+"/*/*/"+refsFile)
		for _, name := range found {
			var r *repo
			if r, err = h.uploads.load(kind, strings.TrimSuffix(strings.TrimPrefix(name, kind+"/"), "/"+refsFile)); err == nil {
				err = h.add(r)
			}
			if err != nil {
				break
			}
		}
		if err != nil {
			h.Close()
			return fmt.Errorf("%s: %w", dir, err)
		}
	}
	return nil
}

// readKey reads the key, or makes one. It outlives the process, so that clients go on sending to
// the addresses that they have when a hub was started again.
func (u *uploads) readKey() (err error) {
	const size = 32
	name := filepath.Join(u.dir, "key")
	if u.key, err = store.ReadFile(name); err == nil && len(u.key) == size {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	u.key = make([]byte, size)
	_, _ = rand.Read(u.key) // which never fails
	// One that a crash left half is of no use.
	return errors.Join(store.Remove(name), store.WriteNew(name, u.key, 0o600))
}

// Unlocked says why the folder of uploads has no lock; nil when it has one.
func (h *Hub) Unlocked() error { return h.uploads.lock.Unlocked() }

// Close gives the folder of uploads back.
func (h *Hub) Close() {
	if h.uploads != nil {
		h.uploads.root.Close()
		h.uploads.lock.Release()
	}
}

const refsFile = "refs.json"

// savedRefs is refs.json.
type savedRefs struct {
	Branches map[string]git.ID `json:"branches"`
	Tags     map[string]git.ID `json:"tags"`
}

// savedCommit is the file of a commit. Its id follows from the rest.
type savedCommit struct {
	Parent  *git.ID   `json:"parent"`
	Date    time.Time `json:"date"`
	Message string    `json:"message"`
	Files   []file    `json:"files"`
}

// load reads a repository, with the commits that its branches and tags name.
func (u *uploads) load(kind, id string) (*repo, error) {
	r := &repo{kind: kind, id: id, commits: map[git.ID]*commit{}}
	r.dir = u.folderOf(r)
	var refs savedRefs
	if err := pyjson.ReadFile(filepath.Join(r.dir, refsFile), &refs); err != nil {
		return nil, err
	}
	for _, x := range []struct {
		to    *[]ref
		saved map[string]git.ID
	}{{&r.branches, refs.Branches}, {&r.tags, refs.Tags}} {
		for name, id := range x.saved {
			if r.commits[id] == nil {
				c, err := u.loadCommit(r, id)
				if err != nil {
					return nil, fmt.Errorf("%s names the commit of %s: %w", filepath.Join(r.dir, refsFile), name, err)
				}
				r.commits[id] = c
			}
			*x.to = append(*x.to, ref{name, id})
		}
		sortRefs(*x.to)
	}
	return r, nil
}

// loadCommit reads a commit of a repository.
func (u *uploads) loadCommit(r *repo, id git.ID) (*commit, error) {
	var saved savedCommit
	path := r.commitFile(id)
	if err := pyjson.ReadFile(path, &saved); err != nil {
		return nil, err
	}
	for i := range saved.Files {
		f := &saved.Files[i]
		if err := proof.CheckPath(f.Path); err != nil {
			return nil, fmt.Errorf("%s: the path %q: %w", path, f.Path, err)
		}
		f.root, f.name = u.root, blobName(f.SHA256)
	}
	c := newCommit(saved.Files, saved.Parent, saved.Date, saved.Message)
	if c.id != id {
		return nil, fmt.Errorf("%s was changed: it is commit %s", path, c.id)
	}
	return c, nil
}

func sortRefs(refs []ref) {
	slices.SortFunc(refs, func(a, b ref) int { return cmp.Compare(a.name, b.name) })
}

// folderOf is the folder of a repository.
func (u *uploads) folderOf(r *repo) string {
	return filepath.Join(u.dir, r.kind, filepath.FromSlash(r.id))
}

// commitFile is the file of a commit of a repository.
func (r *repo) commitFile(id git.ID) string {
	return filepath.Join(r.dir, "commits", id.String()+".json")
}

// saveCommit writes the file of a commit of a repository.
func (r *repo) saveCommit(c *commit) error {
	return saveJSON(r.commitFile(c.id), savedCommit{c.Parent, c.Date, c.Message, c.files})
}

// saveRefs writes what the branches and tags of a repository name.
func (r *repo) saveRefs(branches, tags []ref) error {
	saved := savedRefs{map[string]git.ID{}, map[string]git.ID{}}
	for _, b := range branches {
		saved.Branches[b.name] = b.commit
	}
	for _, t := range tags {
		saved.Tags[t.name] = t.commit
	}
	return saveJSON(filepath.Join(r.dir, refsFile), saved)
}

func saveJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err
	}
	return store.WriteFile(path, append(text, '\n'))
}

// blobName is where a content lies, from the folder.
func blobName(hash proof.Hash) string {
	text := hash.String()
	return "blobs/" + text[:2] + "/" + text
}

// size is that of a content; false where it is not there.
func (u *uploads) size(hash proof.Hash) (int64, bool) {
	st, err := u.root.Lstat(blobName(hash))
	if err != nil || !st.Mode().IsRegular() {
		return 0, false
	}
	return st.Size(), true
}

// put keeps a content when it is the one that its hash and size name, and nothing otherwise.
func (u *uploads) put(content io.Reader, want proof.Hash, size int64) error {
	if got, ok := u.size(want); ok && got == size {
		// A client that did not hear the answer sends it again, and wants to be heard out.
		_, err := io.Copy(io.Discard, io.LimitReader(content, size))
		return err
	}
	hash := sha256.New()
	return u.write(filepath.Join(u.dir, filepath.FromSlash(blobName(want))), io.TeeReader(content, hash), size, func() error {
		if got := proof.Hash(hash.Sum(nil)); got != want {
			return refuse(http.StatusBadRequest, "", "the content was to have the SHA-256 %s and has %s", want, got)
		}
		return nil
	})
}

// write makes a file of a content of so many bytes, which whole may refuse once it is there.
func (u *uploads) write(name string, content io.Reader, size int64, whole func() error) error {
	f, err := store.Create(name)
	if errors.Is(err, store.ErrBeingWritten) {
		return refuse(http.StatusServiceUnavailable, "", "another client is sending this just now")
	}
	if err != nil {
		return err
	}
	defer f.Abort()
	n, err := io.Copy(f, io.LimitReader(content, size+1))
	if err != nil {
		return err
	}
	if n != size {
		return refuse(http.StatusBadRequest, "", "the content was to have %d bytes and has %s", size, count(n, size))
	}
	if err := whole(); err != nil {
		return err
	}
	return f.Commit()
}

func count(n, size int64) string {
	if n > size {
		return "more"
	}
	return fmt.Sprint(n)
}

// putBytes keeps a content that is there, and returns what a commit says of it.
func (u *uploads) putBytes(path string, content []byte) (file, error) {
	f := u.file(path, proof.Sum(content), int64(len(content)), false)
	f.ID = git.Blob(content)
	return f, u.put(bytes.NewReader(content), f.SHA256, f.Size)
}

// file is a file of a commit whose content is kept here.
func (u *uploads) file(path string, hash proof.Hash, size int64, lfs bool) file {
	f := file{Path: path, Size: size, SHA256: hash, LFS: lfs, root: u.root, name: blobName(hash)}
	if lfs {
		f.ID = git.Blob(f.pointer())
	}
	return f
}
