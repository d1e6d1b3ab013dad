package store

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Link makes name lead to target, a name in the same folder, in place of where it
// led before: at every moment it leads to one of the two. Windows lets few users
// make links; there name is a file that holds the target. Linked reads both.
func Link(name, target string) error {
	if runtime.GOOS == "windows" {
		return WriteFile(name, []byte(target+"\n"))
	}
	if err := fault(OpCreate, name); err != nil {
		return &fs.PathError{Op: "link", Path: name, Err: err}
	}
	tmp := Temporary(name)
	if err := os.RemoveAll(tmp); err != nil { // of a killed process
		return err
	}
	if err := os.Symlink(target, tmp); err != nil {
		return err
	}
	if err := rename(tmp, name); err != nil {
		os.Remove(tmp)
		return err
	}
	return syncFolder(filepath.Dir(name))
}

// Linked returns where a name leads that Link made.
func Linked(name string) (string, error) {
	if target, err := os.Readlink(name); err == nil {
		return target, nil
	}
	text, err := os.ReadFile(name)
	return strings.TrimSpace(string(text)), err
}
