package store

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Share gives a file a second name, and makes the folders above it: a hard link where the file
// system has them, else a copy, which shares its blocks where the file system can. It is for files
// that nobody writes to any more; name must not exist. A link is followed first.
func Share(file, name string) error {
	if err := fault(OpCreate, name); err != nil {
		return &fs.PathError{Op: "link", Path: name, Err: err}
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	real, err := filepath.EvalSymlinks(file)
	if err != nil {
		return err
	}
	if err := link(real, name); err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	return Copy(real, name)
}

// Copy copies a file, which shares its blocks where the file system can.
func Copy(file, name string) error {
	in, err := Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := Create(name)
	if err != nil {
		return err
	}
	defer out.Abort()
	if _, err := io.Copy(out.f, in); err != nil { // of one file to another, where Linux may share blocks
		return err
	}
	return out.Commit()
}

// link is os.Link, for tests to take away.
var link = os.Link
