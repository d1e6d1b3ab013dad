package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ErrClash is in the chain of the error about an output that is also an input.
var ErrClash = errors.New("a run does not write over what it reads")

// Clash is an error when a file that will be written, replaced or removed is one
// of the inputs, or a folder that will be replaced whole is one or holds one. Two
// names are the same file also through links, "..", letter case and relative
// names. What does not exist clashes with nothing.
func Clash(inputs, files, folders []string) error {
	// Only a file of the same size and time can be the same file, which spares
	// the comparison of all with all.
	type look struct{ size, time int64 }
	byLook := map[look][]string{}
	infos := map[string]os.FileInfo{}
	for _, in := range inputs {
		st, err := os.Stat(in)
		if err != nil {
			continue // opening it will say what is wrong
		}
		k := look{st.Size(), st.ModTime().UnixNano()}
		byLook[k], infos[in] = append(byLook[k], in), st
	}
	for _, out := range files {
		st, err := os.Stat(out)
		if err != nil {
			continue
		}
		for _, in := range byLook[look{st.Size(), st.ModTime().UnixNano()}] {
			if os.SameFile(st, infos[in]) {
				return clash(out, in, "is read by this run too")
			}
		}
	}
	for _, folder := range folders {
		st, err := os.Stat(folder)
		if err != nil {
			continue
		}
		for _, in := range inputs {
			if infos[in] != nil && within(in, st) {
				return clash(folder, in, "would be replaced whole, with what this run reads")
			}
		}
	}
	return nil
}

func clash(out, in, what string) error {
	if filepath.Clean(out) == filepath.Clean(in) {
		return fmt.Errorf("%s %s: %w\nhint: name another place for the output", out, what, ErrClash)
	}
	return fmt.Errorf("%s %s (%s): %w\nhint: name another place for the output", out, what, in, ErrClash)
}

// within tells whether a file or folder is folder or lies in it, whatever links
// lead there.
func within(name string, folder os.FileInfo) bool {
	real, err := filepath.EvalSymlinks(name)
	if err != nil {
		return false
	}
	if real, err = filepath.Abs(real); err != nil {
		return false
	}
	for {
		if st, err := os.Stat(real); err == nil && os.SameFile(st, folder) {
			return true
		}
		up := filepath.Dir(real)
		if up == real {
			return false
		}
		real = up
	}
}
