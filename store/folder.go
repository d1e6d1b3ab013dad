package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Folder is a folder on its way: its files are put below Path, and Commit gives
// it its name, in place of an earlier one, whole. Exactly one of Commit and Abort
// ends it; Abort after Commit does nothing, so it can be deferred.
type Folder struct {
	name, tmp string
	lock      *Lock
	done      bool
}

// CreateFolder starts the folder name, and makes those above it. What a killed
// process left of it is removed first. A *HeldError: another process is making it.
func CreateFolder(name string) (*Folder, error) {
	name = filepath.Clean(name)
	if err := fault(OpCreate, name); err != nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: err}
	}
	lock, err := AcquireFor(name)
	if err != nil {
		return nil, err
	}
	d := &Folder{name: name, tmp: Temporary(name), lock: lock}
	err = restore(name)
	if err == nil {
		err = os.RemoveAll(d.tmp)
	}
	if err == nil {
		err = os.Mkdir(d.tmp, 0o777)
	}
	if err != nil {
		lock.Release()
		return nil, err
	}
	return d, nil
}

// Path is where the folder's files go until Commit.
func (d *Folder) Path() string { return d.tmp }

// Unlocked says why the folder is made without a lock; nil when it has one.
func (d *Folder) Unlocked() error { return d.lock.Unlocked() }

// Commit gives the folder its name. On an error it is given up, and under the
// name stands what stood there.
func (d *Folder) Commit() error {
	if err := syncTree(d.tmp); err != nil {
		d.Abort()
		return err
	}
	if err := replace(d.tmp, d.name); err != nil {
		d.Abort()
		return err
	}
	d.done = true
	err := syncFolder(filepath.Dir(d.name))
	// After an exchange the earlier folder has the temporary name.
	err = errors.Join(err, os.RemoveAll(d.tmp), os.RemoveAll(former(d.name)))
	d.lock.Release()
	return err
}

// CommitFile gives the folder's name to one of its files, in place of a file that has
// it; the folder and what else it holds go. So a single output can be made in a folder
// of its own, beside what is only needed meanwhile. The file's writer synced it.
func (d *Folder) CommitFile(file string) error {
	err := rename(filepath.Join(d.tmp, file), d.name)
	if err == nil {
		d.done = true
		err = errors.Join(syncFolder(filepath.Dir(d.name)), os.RemoveAll(d.tmp))
		d.lock.Release()
		return err
	}
	d.Abort()
	return err
}

// Abort gives the folder up and removes what was written.
func (d *Folder) Abort() {
	if d.done {
		return
	}
	d.done = true
	os.RemoveAll(d.tmp)
	d.lock.Release()
}

// former is the name that an earlier folder has while it is replaced, on systems
// that cannot exchange two names at once.
func former(name string) string {
	return beside(name, ".old.tmp")
}

// restore puts a folder back that a process was about to replace when it died.
func restore(name string) error {
	old := former(name)
	if _, err := os.Lstat(old); err != nil {
		return nil
	}
	if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
		return os.Rename(old, name)
	}
	return os.RemoveAll(old)
}

// replace gives tmp the name of an earlier folder.
func replace(tmp, name string) error {
	if err := fault(OpRename, name); err != nil {
		return &os.LinkError{Op: "rename", Old: tmp, New: name, Err: err}
	}
	if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
		return os.Rename(tmp, name)
	}
	if err := swap(tmp, name); err == nil {
		return nil
	}
	// Not everywhere can two names be exchanged; for a moment there is none,
	// which restore mends after a crash.
	old := former(name)
	if err := os.RemoveAll(old); err != nil {
		return err
	}
	if err := os.Rename(name, old); err != nil {
		return err
	}
	if err := rename(tmp, name); err != nil {
		return errors.Join(err, os.Rename(old, name))
	}
	return nil
}

// swap is exchange, for tests to take away.
var swap = exchange

// syncTree makes the names in all folders of a tree durable; its files are
// synced by those who wrote them.
func syncTree(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return syncFolder(path)
	})
}

// RemoveFolder removes a folder, which is gone at once: it loses its name before
// its files go, so that nobody takes a half of it for the whole.
func RemoveFolder(name string) error {
	if err := fault(OpRemove, name); err != nil {
		return &fs.PathError{Op: "remove", Path: name, Err: err}
	}
	old := former(filepath.Clean(name))
	if err := os.RemoveAll(old); err != nil {
		return err
	}
	if err := os.Rename(name, old); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return os.RemoveAll(old)
}
