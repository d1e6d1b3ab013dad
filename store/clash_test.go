package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"olmo/store"
)

// The message names the output first, and the input where it has another name.
func TestClashMessage(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, filepath.Join("in", "a"), "a")
	write(t, filepath.Join("in", "b"), "b")
	if err := os.Symlink("in", "link"); err != nil {
		t.Skip(err)
	}
	for _, c := range []struct {
		name           string
		files, folders []string
		want           string // "" for none
	}{
		{"the same name", []string{"in/a"}, nil, "in/a is read by this run too"},
		{"another name", []string{"link/a"}, nil, "link/a is read by this run too (in/a)"},
		{"a folder", nil, []string{"link"}, "link would be replaced whole, with what this run reads (in/a)"},
		{"beside it", []string{"in/c"}, []string{"out"}, ""},
		{"another file of the same size", []string{"in/b"}, nil, ""},
	} {
		err := store.Clash([]string{"in/a", "missing"}, c.files, c.folders)
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		want := c.want + ": " + store.ErrClash.Error() + "\nhint: name another place for the output"
		if !errors.Is(err, store.ErrClash) || err.Error() != want {
			t.Errorf("%s: %v, want %s", c.name, err, want)
		}
	}
}
