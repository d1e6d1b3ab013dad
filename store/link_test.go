package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"olmo/store"
)

func TestLink(t *testing.T) {
	root := t.TempDir()
	name := filepath.Join(root, "latest")
	for _, target := range []string{"step1", "step2"} {
		// What a process left that was killed in the middle is no hindrance.
		if err := os.WriteFile(store.Temporary(name), []byte("half"), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := store.Link(name, target); err != nil {
			t.Fatal(err)
		}
		if got, err := store.Linked(name); err != nil || got != target {
			t.Errorf("it leads to %q, %v, want %s", got, err, target)
		}
	}
	full := errors.New("no space left on device")
	for _, op := range []store.Op{store.OpCreate, store.OpRename} {
		undo := store.InjectFaults(func(o store.Op, _ string) error {
			if o == op {
				return full
			}
			return nil
		})
		err := store.Link(name, "step3")
		undo()
		if got, _ := store.Linked(name); !errors.Is(err, full) || got != "step2" {
			t.Errorf("%s fails: error %v, it leads to %q", op, err, got)
		}
	}
	if got := names(t, root); got != "latest" {
		t.Errorf("there are %s", got)
	}
}

// Where links cannot be made a file holds the target; what is neither is told.
func TestLinkedFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "latest")
	if _, err := store.Linked(name); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing link: %v", err)
	}
	write(t, name, "step7\n")
	if got, err := store.Linked(name); err != nil || got != "step7" {
		t.Errorf("it leads to %q, %v, want step7", got, err)
	}
	if err := store.Link(name, "step8"); err != nil {
		t.Fatal(err)
	}
	if got, err := store.Linked(name); err != nil || got != "step8" {
		t.Errorf("it leads to %q, %v, want step8", got, err)
	}
	if st, err := os.Lstat(name); err != nil || runtime.GOOS != "windows" && st.Mode()&os.ModeSymlink == 0 {
		t.Errorf("it is %v, %v, want a link that every program follows", st.Mode(), err)
	}
}

// TestLinkFile: a file by another name, on systems with links and on those without.
func TestLinkFile(t *testing.T) {
	for _, links := range []bool{true, false} {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, "blobs"), 0o777); err != nil {
			t.Fatal(err)
		}
		for _, blob := range []string{"one", "two"} {
			if err := os.WriteFile(filepath.Join(dir, "blobs", blob), []byte(blob), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if !links {
			t.Cleanup(store.WithoutSymlinks())
		}
		name := filepath.Join(dir, "snapshots", "a", "file")
		for _, blob := range []string{"one", "two", "two"} { // also in place of another
			if err := store.LinkFile(name, filepath.Join("..", "..", "blobs", blob)); err != nil {
				t.Fatal(err)
			}
			if text, err := os.ReadFile(name); err != nil || string(text) != blob {
				t.Errorf("with links %v: %q, %v, want %q", links, text, err, blob)
			}
		}
		if _, err := os.Readlink(name); (err == nil) != (links && runtime.GOOS != "windows") {
			t.Errorf("with links %v: Readlink: %v", links, err)
		}
	}
}
