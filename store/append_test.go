package store_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"olmo/store"
)

func TestAppend(t *testing.T) {
	name := filepath.Join(t.TempDir(), "run", "log")
	full := errors.New("no space left on device")
	for i := range 2 {
		a, err := store.Append(name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(a, "line", i)
		if got, want := read(t, name), "line 0\nline 1\n"[:7*(i+1)]; got != want {
			t.Errorf("the file holds %q, want %q", got, want)
		}
		for _, op := range []store.Op{store.OpWrite, store.OpSync} {
			undo := store.InjectFaults(func(o store.Op, _ string) error {
				if o == op {
					return full
				}
				return nil
			})
			_, err := a.Write([]byte(nil))
			if err = errors.Join(err, a.Sync()); !errors.Is(err, full) {
				t.Errorf("%s: %v, want the fault", op, err)
			}
			undo()
		}
		if err := errors.Join(a.Sync(), a.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// A closed log takes no more, and one that cannot be made says why.
func TestAppendEnds(t *testing.T) {
	root := t.TempDir()
	a, err := store.Append(filepath.Join(root, "log"))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Write([]byte("x")); err == nil {
		t.Error("a closed log takes more")
	}
	if err := a.Sync(); err == nil {
		t.Error("a closed log is synced")
	}
	for _, name := range []string{root, filepath.Join(root, "log", "below a file")} {
		if _, err := store.Append(name); err == nil {
			t.Errorf("%s can be appended to", name)
		}
	}
	full := errors.New("no space left on device")
	undo := store.InjectFaults(func(store.Op, string) error { return full })
	defer undo()
	if _, err := store.Append(filepath.Join(root, "new", "log")); !errors.Is(err, full) || names(t, root) != "log" {
		t.Errorf("%v, there are %s", err, names(t, root))
	}
}
