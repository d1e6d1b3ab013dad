package store

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Appended is a file that grows where it stands, as a log does: its readers take what
// is there, and whoever goes on with it removes a torn end first.
type Appended struct {
	f    *os.File
	name string
}

// Append opens a file to write at its end, and makes it and its folders where they are
// missing.
func Append(name string) (*Appended, error) {
	if err := fault(OpCreate, name); err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return nil, err
	}
	// A link may have come with a folder from elsewhere, and lead to anything.
	if st, err := os.Lstat(name); err == nil && !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is in the way: it is no regular file\nhint: remove it", name)
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, err
	}
	return &Appended{f, name}, nil
}

// Write adds bytes; other processes see them from then on.
func (a *Appended) Write(b []byte) (int, error) {
	if err := fault(OpWrite, a.name); err != nil {
		return 0, &fs.PathError{Op: "write", Path: a.name, Err: err}
	}
	return a.f.Write(b)
}

// Sync waits until what was written is on the disk.
func (a *Appended) Sync() error {
	if err := fault(OpSync, a.name); err != nil {
		return &fs.PathError{Op: "sync", Path: a.name, Err: err}
	}
	return a.f.Sync()
}

// Close ends the writing, without a Sync.
func (a *Appended) Close() error { return a.f.Close() }
