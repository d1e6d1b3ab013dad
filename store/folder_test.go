package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"olmo/store"
)

// Before a folder gets its name the names in all folders of it are on the disk; where
// that fails nothing of it is left, and what was there stays.
func TestFolderIsSynced(t *testing.T) {
	root := t.TempDir()
	name := filepath.Join(root, "out")
	write(t, filepath.Join(name, "old"), "1")
	full := errors.New("input/output error")
	for _, fail := range []bool{true, false} {
		d, err := store.CreateFolder(name)
		if err != nil {
			t.Fatal(err)
		}
		inner := filepath.Join(d.Path(), "a", "b")
		write(t, filepath.Join(inner, "new"), "2")
		var synced []string
		undo := store.InjectFaults(func(op store.Op, at string) error {
			if op == store.OpSync {
				synced = append(synced, at)
				if fail && at == inner {
					return full
				}
			}
			return nil
		})
		err = d.Commit()
		undo()
		if fail {
			if got := names(t, root); !errors.Is(err, full) || got != "out out/old" {
				t.Errorf("a sync fails: %v, there are %s", err, got)
			}
			continue
		}
		if got := names(t, root); err != nil || got != "out out/a out/a/b out/a/b/new" {
			t.Errorf("%v, there are %s", err, got)
		}
		for _, dir := range []string{d.Path(), filepath.Dir(inner), inner, root} {
			if !slices.Contains(synced, dir) {
				t.Errorf("%s was not synced, only %q", dir, synced)
			}
		}
	}
	if _, err := os.Stat(store.LockName(name)); err == nil {
		t.Error("the lock is left")
	}
}

// A file that cannot be sealed is gone, also before anyone gives it up.
func TestSealFails(t *testing.T) {
	root := t.TempDir()
	full := errors.New("input/output error")
	f, err := store.Create(filepath.Join(root, "x"))
	if err != nil {
		t.Fatal(err)
	}
	undo := store.InjectFaults(func(op store.Op, _ string) error {
		if op == store.OpSync {
			return full
		}
		return nil
	})
	err = f.Seal()
	undo()
	if got := names(t, root); !errors.Is(err, full) || got != "" {
		t.Errorf("%v, there are %s", err, got)
	}
	if err := f.Commit(); err == nil {
		t.Error("a file that was given up gets its name")
	}
}
