package verify

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"olmo/store"

	"olmo/packed"
)

// entry is what a folder has under a name: a file, or what is none.
type entry struct {
	path string // from the folder on, with slashes
	at   string // where the bytes lie
	info fs.FileInfo
	odd  string // what it is in place of a file

	other bool  // it has another size than release.json says
	most  int64 // how many of its bytes are read then
}

func (e *entry) size() int64 { return e.info.Size() }

// walk lists what lies below a folder. Links are not followed, but those of a hub's cache into
// its own blobs, and nothing outside is opened.
func walk(dir string) (map[string]*entry, error) {
	all := map[string]*entry{}
	err := filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, at)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it went while the folder was read
		}
		if err != nil {
			return err
		}
		e := &entry{path: filepath.ToSlash(rel), at: at, info: info}
		switch mode := info.Mode(); {
		case mode.IsRegular():
		case mode&fs.ModeSymlink != 0:
			if e.at, e.info = blob(dir, at); e.info == nil {
				e.odd, e.info = "a link", info
			}
		case mode&fs.ModeNamedPipe != 0:
			e.odd = "a pipe"
		case mode&fs.ModeSocket != 0:
			e.odd = "a socket"
		default:
			e.odd = "a device"
		}
		all[e.path] = e
		return nil
	})
	return all, err
}

// blob is the file that a link of a hub's cache stands for: models--ORG--NAME/snapshots/COMMIT/… leads to
// models--ORG--NAME/blobs/HASH.
func blob(dir, link string) (at string, info fs.FileInfo) {
	dir, err := filepath.Abs(dir)
	if err != nil || filepath.Base(filepath.Dir(dir)) != "snapshots" {
		return link, nil
	}
	target, err := os.Readlink(link)
	if err != nil || filepath.IsAbs(target) {
		return link, nil
	}
	if link, err = filepath.Abs(link); err != nil {
		return link, nil
	}
	at = filepath.Join(filepath.Dir(link), target)
	if filepath.Dir(at) != filepath.Join(filepath.Dir(filepath.Dir(dir)), "blobs") {
		return link, nil
	}
	if info, err = os.Lstat(at); err != nil || !info.Mode().IsRegular() {
		return link, nil
	}
	return at, info
}

// errMoving is in the chain of the error for a file that changes under the reader.
var errMoving = errors.New("it changed while it was read")

// open opens the very file that walk has seen.
func (e *entry) open() (*os.File, error) {
	f, err := store.Open(e.at)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && (!os.SameFile(st, e.info) || st.Size() != e.size()) {
		err = errMoving
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// length is how many bytes of a file are read.
func (e *entry) length() int64 {
	if e.other {
		return min(e.size(), e.most)
	}
	return e.size()
}

// text opens a file to read it from its beginning.
func (e *entry) text() (io.ReadCloser, error) {
	f, err := e.open()
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(f, e.length()), f}, nil
}

// unpacked opens a file that is packed.
func (e *entry) unpacked() (io.ReadCloser, error) {
	in, err := e.text()
	if err != nil {
		return nil, err
	}
	z, err := packed.NewReader(bufio.NewReader(in))
	if err != nil {
		in.Close()
		return nil, err
	}
	return &unpacking{z, in}, nil
}

// unpacking closes the file with what unpacks it.
type unpacking struct {
	io.ReadCloser
	file io.Closer
}

func (u *unpacking) Close() error { return errors.Join(u.ReadCloser.Close(), u.file.Close()) }

// steady is an error where the file is no longer as walk has seen it.
func (e *entry) steady() error {
	st, err := os.Lstat(e.at)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("it went while it was read: %w", errMoving)
	case err != nil:
		return err
	case !os.SameFile(st, e.info) || st.Size() != e.size() || !st.ModTime().Equal(e.info.ModTime()):
		return errMoving
	}
	return nil
}

// within lists the parts of a path before its last, from the first on: the folders that hold it.
func within(path string) []string {
	var folders []string
	for i, c := range path {
		if c == '/' {
			folders = append(folders, path[:i])
		}
	}
	return folders
}

// isTensors tells whether a path is one of a file of tensors.
func isTensors(path string) bool { return strings.HasSuffix(path, ".safetensors") }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
