package signature

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"olmo/internal/parallel"
	"olmo/proof"
	"olmo/store"
)

// folder is what there is of a folder that was signed.
type folder struct {
	bundle *Bundle
	root   string // the folder, without links
	blobs  string // where the hub's cache keeps what links of the folder lead to; "" elsewhere

	files   []found
	failed  map[string]string // by path: why it cannot be compared
	ignored map[string]int    // how many files lie under one of the ignored paths
	linked  []string          // links to folders

	mu   sync.Mutex
	read int64 // files
	done int64 // bytes
}

// found is a regular file.
type found struct {
	path   string // from the folder on, with slashes
	name   string // by which it is opened
	info   fs.FileInfo
	signed bool
	sum    proof.Hash // of what is signed
}

// walk finds what is in a folder. The file with the signature, where it lies there, is not part of
// what is signed.
func (f *folder) walk(dir, signature string) (err error) {
	if f.root, err = filepath.EvalSymlinks(dir); err != nil {
		return err
	}
	if f.root, err = filepath.Abs(f.root); err != nil {
		return err
	}
	if above := filepath.Dir(f.root); filepath.Base(above) == "snapshots" {
		f.blobs = filepath.Join(filepath.Dir(above), "blobs")
	}
	own, err := filepath.EvalSymlinks(filepath.Dir(signature))
	if err != nil {
		return err
	}
	if own, err = filepath.Abs(filepath.Join(own, filepath.Base(signature))); err != nil {
		return err
	}
	signed := make(map[string]bool, len(f.bundle.Files))
	for _, s := range f.bundle.Files {
		signed[s.Path] = true
	}
	return filepath.WalkDir(f.root, func(name string, d fs.DirEntry, err error) error {
		if err != nil && name == f.root {
			return err
		}
		rel, no := filepath.Rel(f.root, name)
		if no != nil {
			return no
		}
		path := filepath.ToSlash(rel)
		if err != nil {
			f.failed[path] = fmt.Sprintf("it cannot be read: %v", cause(err))
			return nil
		}
		if d.IsDir() || name == own && !signed[path] {
			return nil
		}
		if ignored := f.bundle.ignoredBy(path); ignored != "" {
			f.ignored[ignored]++
			return nil
		}
		info, err := d.Info()
		if err == nil && info.Mode()&fs.ModeSymlink != 0 {
			name, info, err = f.follow(name)
		}
		switch {
		case err != nil:
			f.failed[path] = cause(err).Error()
		case info.IsDir():
			f.linked = append(f.linked, path)
		case !info.Mode().IsRegular():
			f.failed[path] = "it is no file but a pipe, a socket or a device"
		default:
			f.files = append(f.files, found{path: path, name: name, info: info, signed: signed[path]})
		}
		return nil
	})
}

// cause is what the system says of a file, without its name.
func cause(err error) error {
	if p := new(fs.PathError); errors.As(err, &p) {
		return p.Err
	}
	return err
}

// follow returns what a link leads to, where it may be followed: nothing outside of the folder is
// opened.
func (f *folder) follow(link string) (string, fs.FileInfo, error) {
	target, err := filepath.EvalSymlinks(link)
	if err != nil {
		return "", nil, fmt.Errorf("it is a link that leads nowhere: %w", cause(err))
	}
	inside := func(dir string) bool {
		rel, err := filepath.Rel(dir, target)
		return err == nil && filepath.IsLocal(rel)
	}
	switch {
	case f.blobs != "" && inside(f.blobs):
	case !inside(f.root):
		return "", nil, errors.New("it is a link that leads outside of the folder")
	case !f.bundle.AllowSymlinks:
		return "", nil, errors.New("it is a link, and the signature is of files without links (allow_symlinks)")
	}
	info, err := os.Lstat(target)
	return target, info, err
}

// hash reads the files that are signed, large ones first.
func (f *folder) hash(ctx context.Context, progress func(done, total int64)) error {
	slices.SortFunc(f.files, func(a, b found) int {
		return cmp.Or(cmp.Compare(b.info.Size(), a.info.Size()), strings.Compare(a.path, b.path))
	})
	var total int64
	for i := range f.files {
		if f.files[i].signed {
			total += f.files[i].info.Size()
		}
	}
	parallel.For(len(f.files), func(i int) {
		file := &f.files[i]
		if !file.signed || ctx.Err() != nil {
			return
		}
		sum, err := file.hash(ctx, func(n int) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.done += int64(n)
			if progress != nil {
				progress(f.done, total)
			}
		})
		f.mu.Lock()
		defer f.mu.Unlock()
		f.read++
		if file.sum = sum; err != nil {
			f.failed[file.path] = cause(err).Error()
		}
	})
	return ctx.Err()
}

// hash reads a file, and no more of it than there was when it was found; count is told of every
// piece.
func (f *found) hash(ctx context.Context, count func(bytes int)) (sum proof.Hash, err error) {
	in, err := store.Open(f.name)
	if err != nil {
		return sum, fmt.Errorf("it cannot be read: %w", cause(err))
	}
	defer in.Close()
	if st, err := in.Stat(); err != nil || !os.SameFile(st, f.info) {
		return sum, errors.New("it was replaced while it was read")
	}
	h, size := sha256.New(), f.info.Size()
	buffer := make([]byte, min(size+1, 1<<20))
	for size >= 0 {
		n, err := in.Read(buffer[:min(int64(len(buffer)), size+1)])
		h.Write(buffer[:n])
		size -= int64(n)
		count(n)
		switch {
		case err == io.EOF:
			if size > 0 {
				return sum, errors.New("it became shorter while it was read")
			}
			return proof.Hash(h.Sum(nil)), nil
		case err != nil:
			return sum, fmt.Errorf("it cannot be read: %w", cause(err))
		case ctx.Err() != nil:
			return sum, ctx.Err()
		}
	}
	return sum, errors.New("it became longer while it was read")
}

// problems compares what was found with what is signed.
func (f *folder) problems() []Problem {
	var files []File
	for _, file := range f.files {
		if f.failed[file.path] == "" {
			files = append(files, File{file.path, file.sum})
		}
	}
	problems := f.bundle.Compare(files)
	for i, p := range problems {
		if why := f.failed[p.Path]; why != "" {
			problems[i] = Problem{Changed, p.Path, why}
			delete(f.failed, p.Path)
		}
	}
	for path, why := range f.failed {
		problems = append(problems, Problem{Unlisted, path, why})
	}
	slices.SortFunc(problems, func(a, b Problem) int { return strings.Compare(a.Path, b.Path) })
	return problems
}
