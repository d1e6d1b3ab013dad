package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// CanCreate is an error when no file can get this name: a folder has it, what should be a
// folder on the way is a file, or nothing may be written there. It is asked before work whose
// result would have no place, and leaves nothing behind.
func CanCreate(name string) error {
	if err := Replaceable(name); err != nil {
		return err
	}
	return canCreateIn(filepath.Dir(name), name)
}

// CanCreateIn is CanCreate for files in a folder, which is made when it is not there.
func CanCreateIn(folder string) error { return canCreateIn(folder, folder) }

func canCreateIn(folder, name string) error {
	// What is there already, of the way to the folder.
	at := filepath.Clean(folder)
	for {
		st, err := os.Stat(at)
		if err == nil && !st.IsDir() {
			return fmt.Errorf("writing %s: %s is a file, want a folder\nhint: name another place", name, at)
		}
		if err == nil {
			break
		}
		above := filepath.Dir(at)
		if above == at || !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			return fmt.Errorf("writing %s: %w", name, err)
		}
		at = above
	}
	f, err := os.CreateTemp(at, ".*.tmp")
	if err != nil {
		if p := new(os.PathError); errors.As(err, &p) {
			err = p.Err
		}
		return fmt.Errorf("writing %s: nothing can be created in %s: %w\nhint: name another place", name, at, err)
	}
	f.Close()
	return os.Remove(f.Name())
}

// Replaceable is an error for a file whose name a folder has, or what is no file: giving a file the name of a
// device or a pipe would remove that, and the superuser's /dev/null with it. Names in /dev itself are refused
// whatever they lead to, since /dev/stdout is a link that would be replaced.
func Replaceable(name string) error {
	st, err := os.Stat(name)
	switch {
	case err == nil && st.IsDir():
		return fmt.Errorf("writing %s: it is a folder, want a file\nhint: name a file in it", name)
	case err == nil && (!st.Mode().IsRegular() || filepath.Dir(filepath.Clean(name)) == "/dev"):
		return fmt.Errorf("writing %s: it is a device or a pipe, and a whole file is put in the place of its name\nhint: name a file", name)
	}
	return nil
}
