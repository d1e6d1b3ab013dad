// Package stagetest tests of a stage what all stages promise.
package stagetest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"olmo/store"
)

// Stage is a stage of which something is to be seen. All of it works in the current
// folder, with relative names.
type Stage struct {
	// Prepare writes the inputs.
	Prepare func(t *testing.T)
	// Input is one of them; Changed is another content of the same size.
	Input, Changed string
	// Run runs the stage and tells whether it made anything.
	Run func() (made bool, err error)
}

// Faults lets the disk fail at every step of a run: the outputs of an earlier run
// stay until the new ones are complete, and the same run ends as an undisturbed one
// when there is room again.
func (s Stage) Faults(t *testing.T) {
	full := errors.New("no space left on device")
	s.start(t)
	before := Tree(t, ".")
	earlier, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	begin := func() {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(earlier)); err != nil {
			t.Fatal(err)
		}
		t.Chdir(dir)
		s.change(t)
	}
	begin()
	s.must(t)
	after := Tree(t, ".")
	stride := 1
	if testing.Short() {
		stride = 5
	}
	for n := 1; ; n += stride {
		begin()
		count, renames, at := 0, 0, ""
		undo := store.InjectFaults(func(op store.Op, name string) error {
			if count++; count == n {
				at = fmt.Sprint(op, " of ", name)
				return full
			}
			if op == store.OpRename && !record(name) {
				renames++
			}
			return nil
		})
		_, err := s.Run()
		undo()
		if at == "" {
			if n < 6 {
				t.Fatalf("a run has only %d steps", n-1)
			}
			t.Logf("%d steps", n-1)
			return
		}
		if !errors.Is(err, full) {
			t.Errorf("%s: %v, want the fault", at, err)
		}
		if got := Tree(t, "."); renames == 0 {
			got[s.Input] = before[s.Input]
			differ(t, at, got, before)
		}
		s.must(t)
		differ(t, at+", then run again", Tree(t, "."), after)
	}
}

// Memory looks at what a stage remembers: only another content makes it work again,
// also in a folder that was copied or moved.
func (s Stage) Memory(t *testing.T) {
	s.start(t)
	want := Tree(t, ".")
	check := func(what string, wantMade bool) {
		t.Helper()
		made, err := s.Run()
		if err != nil || made != wantMade {
			t.Errorf("%s: made something: %v, %v, want %v", what, made, err, wantMade)
		}
	}
	check("again", false)
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(s.Input, later, later); err != nil {
		t.Fatal(err)
	}
	check("touched", false)
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(copied, os.DirFS(here)); err != nil {
		t.Fatal(err)
	}
	t.Chdir(copied)
	check("a copy", false)
	moved := filepath.Join(filepath.Dir(copied), "moved")
	t.Chdir(filepath.Dir(copied))
	if err := os.Rename(copied, moved); err != nil {
		t.Fatal(err)
	}
	t.Chdir(moved)
	check("moved", false)
	differ(t, "after all", Tree(t, "."), want)
	s.change(t)
	check("changed", true)
	check("changed, again", false)
	t.Chdir(here)
	differ(t, "the original", Tree(t, "."), want)
}

// Dropped runs a stage whose input has nothing but lines that it cannot use: it
// fails, and fails again, and leaves what an earlier run made.
func (s Stage) Dropped(t *testing.T, bad, reason string) {
	s.start(t)
	if err := os.WriteFile(s.Input, []byte(bad), 0o666); err != nil {
		t.Fatal(err)
	}
	want := Tree(t, ".")
	for range 2 {
		if _, err := s.Run(); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%v, want an error with %q", err, reason)
		}
		differ(t, "after a run that made nothing", Tree(t, "."), want)
	}
}

func (s Stage) start(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	s.Prepare(t)
	s.must(t)
}

func (s Stage) must(t *testing.T) {
	t.Helper()
	if _, err := s.Run(); err != nil {
		t.Fatal(err)
	}
}

func (s Stage) change(t *testing.T) {
	t.Helper()
	was, err := os.Stat(s.Input)
	if err != nil {
		t.Fatal(err)
	}
	if int(was.Size()) != len(s.Changed) {
		t.Fatalf("the changed input has %d bytes, want %d", len(s.Changed), was.Size())
	}
	Write(t, s.Input, s.Changed)
}

// Write writes a file, and makes its folders.
func Write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// record tells whether a file is the record of a stage.
func record(name string) bool {
	name = filepath.Base(name)
	return strings.HasSuffix(name, ".json") && strings.Count(name, ".") > 1
}

// Tree is the content of every file below dir that has its own name; of records,
// which hold times, that they are there.
func Tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || store.IsTemporary(d.Name()) {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if out[rel] = "a record"; !record(path) {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			out[rel] = string(text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func differ(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s: %s is there", what, name)
		}
	}
	for name, text := range want {
		if g, ok := got[name]; !ok || g != text {
			t.Errorf("%s: %s is %.100q, want %.100q", what, name, g, text)
		}
	}
}
