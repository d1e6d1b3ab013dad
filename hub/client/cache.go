package client

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"olmo/hub/git"
	"olmo/store"
)

// Environment reads which hub is meant, and where its files are kept, from the variables that
// huggingface_hub reads: HF_ENDPOINT, HF_TOKEN, HF_TOKEN_PATH, HF_HOME, HF_HUB_CACHE, HF_HUB_OFFLINE.
func Environment() (Options, error) {
	o := Options{Endpoint: os.Getenv("HF_ENDPOINT"), Token: strings.TrimSpace(os.Getenv("HF_TOKEN")), Cache: os.Getenv("HF_HUB_CACHE")}
	home := os.Getenv("HF_HOME")
	if home == "" {
		caches := os.Getenv("XDG_CACHE_HOME")
		if caches == "" {
			user, err := os.UserHomeDir()
			if err != nil {
				return o, fmt.Errorf("the folder of the hub's cache: %w\nhint: HF_HOME names it", err)
			}
			caches = filepath.Join(user, ".cache")
		}
		home = filepath.Join(caches, "huggingface")
	}
	// Not in the cache: huggingface_hub takes what lies there for repositories.
	o.Uploads = filepath.Join(home, "olmo-uploads")
	if o.Cache == "" {
		o.Cache = filepath.Join(home, "hub")
	}
	switch strings.ToUpper(os.Getenv("HF_HUB_OFFLINE")) {
	case "1", "ON", "YES", "TRUE":
		o.Offline = true
	}
	if o.Token != "" {
		return o, nil
	}
	file := os.Getenv("HF_TOKEN_PATH")
	if file == "" {
		file = filepath.Join(home, "token")
	}
	text, err := store.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return o, fmt.Errorf("the token of the hub: %w", err)
	}
	o.Token = strings.TrimSpace(string(text))
	return o, nil
}

// cache is the folder of a repository in the cache, in the layout of huggingface_hub 1.x and 2.x:
// blobs/HASH holds contents, snapshots/COMMIT/PATH leads to them, refs/REVISION holds a commit.
type cache string

func (h *Hub) cache(r Repo) cache {
	return cache(filepath.Join(h.Cache, r.Type+"s--"+strings.ReplaceAll(r.Name, "/", "--")))
}

func (c cache) blob(f File) string { return filepath.Join(string(c), "blobs", f.Blob) }

func (c cache) snapshot(commit string) string { return filepath.Join(string(c), "snapshots", commit) }

func (c cache) ref(revision string) string {
	return filepath.Join(string(c), "refs", filepath.FromSlash(revision))
}

// has tells whether the content is there. It is known by its size alone: it got its name when its
// hash had been compared.
func (c cache) has(f File) bool {
	st, err := os.Stat(c.blob(f))
	return err == nil && st.Mode().IsRegular() && st.Size() == f.Size
}

// link gives a content its path in a snapshot.
func (c cache) link(commit string, f File) error {
	name := filepath.Join(c.snapshot(commit), filepath.FromSlash(f.Path))
	target, err := filepath.Rel(filepath.Dir(name), c.blob(f))
	if err != nil {
		return err
	}
	if led, err := os.Readlink(name); err == nil && led == target {
		return nil
	}
	return store.LinkFile(name, target)
}

// point makes a revision's name stand for a commit. There is no newline behind it, which
// huggingface_hub would take for a part of the commit.
func (c cache) point(revision, commit string) error {
	if revision == commit {
		return nil
	}
	if text, err := store.ReadFile(c.ref(revision)); err == nil && string(text) == commit {
		return nil
	}
	return store.WriteFile(c.ref(revision), []byte(commit))
}

// commit is the commit that a revision had when it was last fetched.
func (c cache) commit(revision string) (string, error) {
	if err := checkRevision(revision); err != nil {
		return "", err
	}
	commit := revision
	if !git.IsID(revision) {
		text, err := store.ReadFile(c.ref(revision))
		if err != nil {
			return "", err
		}
		if commit = strings.TrimSpace(string(text)); !git.IsID(commit) {
			return "", fmt.Errorf("%s holds %.60q, want a commit of 40 hexadecimal digits", c.ref(revision), commit)
		}
	}
	_, err := os.Stat(c.snapshot(commit))
	return commit, err
}

// files lists what the cache has of a commit. The hash of a file is the name of the content that
// its link leads to, empty where there is no link.
func (c cache) files(commit string) ([]File, error) {
	root := c.snapshot(commit)
	var files []File
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || store.IsTemporary(d.Name()) {
			return err
		}
		st, err := os.Stat(name)
		if err != nil {
			return fmt.Errorf("%s leads to a content that is not there: %w\nhint: 'olmo hub get' fetches it when the hub can be reached", name, err)
		}
		if !st.Mode().IsRegular() {
			return fmt.Errorf("%s is no file", name)
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		f := File{Path: filepath.ToSlash(rel), Size: st.Size()}
		if led, err := os.Readlink(name); err == nil {
			f.Blob = filepath.Base(led)
			f.LFS = isSHA256(f.Blob)
		}
		files = append(files, f)
		return nil
	})
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files, err
}
