package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// File is a file on its way: until Commit it has a temporary name beside its
// own, and what stands under its own name is not touched. Exactly one of Commit
// and Abort ends it; Abort after Commit does nothing, so it can be deferred.
type File struct {
	f         *os.File // nil once sealed
	name, tmp string
	done      bool
}

// ErrBeingWritten is in the chain of the error about a file that another process
// is writing just now.
var ErrBeingWritten = errors.New("another process is writing it")

// Create starts the file name, and makes its folders. A temporary file that a
// killed process left is written over; one of a living process is not.
func Create(name string) (*File, error) { return open(name, false) }

// Continue is Create, but keeps what an interrupted process sealed or left: Read
// gives it, and Write goes on where Read stands, so read to the end first.
func Continue(name string) (*File, error) { return open(name, true) }

func open(name string, keep bool) (*File, error) {
	tmp := Temporary(name)
	if err := fault(OpCreate, name); err != nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: err}
	}
	if err := Replaceable(name); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return nil, err
	}
	if st, err := os.Lstat(tmp); err == nil && !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is in the way: it is no regular file\nhint: remove it", tmp)
	}
	f, err := openLocked(tmp)
	if err != nil {
		if errors.Is(err, errHeld) {
			return nil, fmt.Errorf("writing %s: %w", name, ErrBeingWritten)
		}
		return nil, err
	}
	if !keep {
		err = f.Truncate(0)
	}
	// A file that is replaced keeps its permissions; a new one has those of the
	// process's mask, like any other file.
	if st, e := os.Stat(name); err == nil && e == nil && st.Mode().IsRegular() {
		err = f.Chmod(st.Mode().Perm())
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &File{f: f, name: name, tmp: tmp}, nil
}

// Name is the name that the file will have.
func (f *File) Name() string { return f.name }

// Read reads what an interrupted process left, of a file that Continue opened.
func (f *File) Read(b []byte) (int, error) { return f.f.Read(b) }

// Write adds bytes.
func (f *File) Write(b []byte) (int, error) {
	if err := fault(OpWrite, f.name); err != nil {
		return 0, &fs.PathError{Op: "write", Path: f.name, Err: err}
	}
	return f.f.Write(b)
}

// WriteAt writes bytes at a place, which Write does not notice.
func (f *File) WriteAt(b []byte, off int64) (int, error) {
	if err := fault(OpWrite, f.name); err != nil {
		return 0, &fs.PathError{Op: "write", Path: f.name, Err: err}
	}
	return f.f.WriteAt(b, off)
}

// Seal makes the content durable under the temporary name. A stage seals its
// outputs one by one and commits all of them when the last is complete.
func (f *File) Seal() error {
	if f.f == nil {
		return nil
	}
	err := errors.Join(f.sync(), f.f.Close())
	f.f = nil
	if err != nil {
		f.Abort()
	}
	return err
}

// Commit gives the file its name. On an error under the name stands what stood
// there, and the temporary file is removed, but for one that was sealed, which may
// be committed again, also by a later process.
func (f *File) Commit() error {
	if f.done {
		return fmt.Errorf("writing %s: the file was given up", f.name)
	}
	sealed := f.f == nil
	// The lock on the temporary file should last until it has its name; Windows
	// renames no open file.
	if runtime.GOOS == "windows" {
		if err := f.Seal(); err != nil {
			return err
		}
	}
	var err error
	if f.f != nil {
		err = f.sync()
	}
	if err == nil {
		err = rename(f.tmp, f.name)
	}
	if err != nil {
		if !sealed {
			f.Abort()
		}
		return err
	}
	f.done = true
	if f.f != nil {
		f.f.Close()
		f.f = nil
	}
	return syncFolder(filepath.Dir(f.name))
}

func (f *File) sync() error {
	if err := fault(OpSync, f.name); err != nil {
		return &fs.PathError{Op: "sync", Path: f.name, Err: err}
	}
	return f.f.Sync()
}

// Abort gives the file up and removes what was written.
func (f *File) Abort() {
	if f.done {
		return
	}
	f.done = true
	if f.f != nil {
		f.f.Close()
		f.f = nil
	}
	os.Remove(f.tmp)
}

// Sealed returns the file that an earlier process sealed and did not commit, to
// be committed or given up now.
func Sealed(name string) (*File, error) {
	tmp := Temporary(name)
	st, err := os.Lstat(tmp)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", tmp)
	}
	return &File{name: name, tmp: tmp}, nil
}

// WriteFile writes a whole file, and makes its folders.
func WriteFile(name string, text []byte) error {
	f, err := Create(name)
	if err != nil {
		return err
	}
	defer f.Abort()
	if _, err := f.Write(text); err != nil {
		return err
	}
	return f.Commit()
}

// WriteNew writes a whole small file under a name that nothing has, with permissions of which the
// process's mask takes some away. What is there already stays, and fs.ErrExist is in the
// chain of the error.
func WriteNew(name string, text []byte, mode fs.FileMode) error {
	if err := fault(OpCreate, name); err != nil {
		return &fs.PathError{Op: "create", Path: name, Err: err}
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	// The system decides who is first; a rename would take the place of what came between.
	opened, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already, and is never written over: %w\nhint: name another file, or move this one away", name, fs.ErrExist)
	}
	if err != nil {
		return err
	}
	f := &File{f: opened, name: name}
	if _, err = f.Write(text); err == nil {
		err = f.sync()
	}
	if err = errors.Join(err, opened.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return syncFolder(filepath.Dir(name))
}
