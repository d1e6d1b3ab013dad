//go:build !unix && !windows

package store

import "os"

// openLocked opens a file for writing; this system has no locks.
func openLocked(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
}

// locks tells whether the file system of a file has locks.
func locks(*os.File) bool { return false }
