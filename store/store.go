// Package store writes what must not be lost: a file that appears whole or not
// at all, a folder that is replaced whole, and a lock that dies with its process; and
// opens what is read, which must be files.
//
// It is the only place of the program that renames, so that every output gets
// the same promises: until it is complete the earlier one stays as it was, and
// after a crash either of the two is there. Object stores have their own way and
// live above, in data/store.
package store

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"sync/atomic"
)

// Op is a step of writing that can fail.
type Op string

// The steps, in the order in which a file goes through them.
const (
	OpCreate Op = "create"
	OpWrite  Op = "write"
	OpSync   Op = "sync"
	OpRename Op = "rename"
	OpRemove Op = "remove"
)

// injected decides which steps fail; nil outside of tests.
var injected atomic.Pointer[func(op Op, name string) error]

// asking lets one goroutine at a time ask, because tests count the steps.
var asking sync.Mutex

// InjectFaults lets tests fail steps: fault is asked before each, with the name
// that the step is about, and its error takes the place of the system's. undo
// ends it. Goroutines ask one after the other.
func InjectFaults(fault func(op Op, name string) error) (undo func()) {
	injected.Store(&fault)
	return func() { injected.Store(nil) }
}

func fault(op Op, name string) error {
	if f := injected.Load(); f != nil {
		asking.Lock()
		defer asking.Unlock()
		return (*f)(op, name)
	}
	return nil
}

// Temporary is the name that a file or folder has until it is complete. The dot
// hides it from patterns, which would otherwise read what a killed run left.
func Temporary(name string) string {
	return beside(name, ".tmp")
}

// IsTemporary tells whether a base name is one that Temporary gives.
func IsTemporary(base string) bool {
	name, hidden := strings.CutPrefix(base, ".")
	return hidden && strings.HasSuffix(name, ".tmp")
}

// syncFolder makes the names in a folder durable, where the system can: some
// file systems refuse to sync a folder, and a rename is atomic there all the same.
func syncFolder(dir string) error {
	if err := fault(OpSync, dir); err != nil {
		return &fs.PathError{Op: "sync", Path: dir, Err: err}
	}
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		d.Close()
	}
	return nil
}

// rename gives from the name to, in place of what has it.
func rename(from, to string) error {
	if err := fault(OpRename, to); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return os.Rename(from, to)
}

// Remove removes a file; one that is missing is no error.
func Remove(name string) error {
	if err := fault(OpRemove, name); err != nil {
		return &fs.PathError{Op: "remove", Path: name, Err: err}
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
