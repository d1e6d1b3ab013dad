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

// LinkFile makes name lead to a file, in place of what had the name; target is relative to
// name's folder. Where the system makes no links, name is another name of the file itself, and
// where it has none of these either, a copy.
func LinkFile(name, target string) error {
	if err := fault(OpCreate, name); err != nil {
		return &fs.PathError{Op: "link", Path: name, Err: err}
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	tmp := Temporary(name)
	if err := os.RemoveAll(tmp); err != nil { // of a killed process
		return err
	}
	file := filepath.Join(filepath.Dir(name), target)
	err := symlink(target, tmp)
	if err != nil {
		err = os.Link(file, tmp)
	}
	if err != nil {
		return Copy(file, name)
	}
	if err := rename(tmp, name); err != nil {
		os.Remove(tmp)
		return err
	}
	return syncFolder(filepath.Dir(name))
}

// symlink is os.Symlink, for tests to take away.
var symlink = os.Symlink
