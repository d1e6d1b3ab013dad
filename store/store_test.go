package store_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"olmo/store"
)

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// names lists all files and folders below dir, sorted.
func names(t *testing.T, dir string) string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if rel, _ := filepath.Rel(dir, path); rel != "." {
			out = append(out, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

func TestFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a", "x.txt")
	if err := store.WriteFile(name, []byte("old")); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" {
		if err := os.Chmod(name, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	f, err := store.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(f, "new")
	if got := read(t, name); got != "old" {
		t.Errorf("before Commit the file holds %q, want the old text", got)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	f.Abort() // as a deferred call would
	if got := read(t, name); got != "new" {
		t.Errorf("after Commit the file holds %q", got)
	}
	if st, _ := os.Stat(name); runtime.GOOS != "windows" && st.Mode().Perm() != 0o640 {
		t.Errorf("the replaced file has mode %v, want that of the old one, 0640", st.Mode())
	}
	if got := names(t, filepath.Dir(name)); got != "x.txt" {
		t.Errorf("there are %s", got)
	}
	if err := f.Commit(); err == nil {
		t.Error("a second Commit passed")
	}
}

func TestAbort(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x")
	write(t, name, "old")
	f, err := store.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(f, "new")
	f.Abort()
	if got, all := read(t, name), names(t, filepath.Dir(name)); got != "old" || all != "x" {
		t.Errorf("after Abort the file holds %q, and there are %s", got, all)
	}
	if err := f.Commit(); err == nil {
		t.Error("Commit after Abort passed")
	}
}

// Two at once would make a mixture of both texts.
func TestFileBeingWritten(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x")
	f, err := store.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Create(name); !errors.Is(err, store.ErrBeingWritten) {
		t.Errorf("a second writer got %v, want ErrBeingWritten", err)
	}
	fmt.Fprint(f, "first")
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := store.WriteFile(name, []byte("second")); err != nil || read(t, name) != "second" {
		t.Errorf("after the first writer: %v, %q", err, read(t, name))
	}
}

func TestSealed(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x")
	write(t, name, "old")
	f, err := store.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(f, "new")
	if err := f.Seal(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, name); got != "old" {
		t.Errorf("a sealed file is seen already: %q", got)
	}
	// The process dies here; the next one finds what was sealed.
	g, err := store.Sealed(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, name); got != "new" {
		t.Errorf("after Commit: %q", got)
	}
	if _, err := store.Sealed(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a sealed file: %v", err)
	}
}

// An interrupted download goes on where it stood.
func TestContinue(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x")
	f, err := store.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(f, "first half, ")
	if err := f.Seal(); err != nil {
		t.Fatal(err)
	}
	if f, err = store.Continue(name); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(f); err != nil || string(got) != "first half, " {
		t.Errorf("what is there already is %q, %v", got, err)
	}
	fmt.Fprint(f, "second half")
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, name); got != "first half, second half" {
		t.Errorf("the file holds %q", got)
	}
	// With nothing there it is a new file.
	if f, err = store.Continue(name); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(f, "new")
	if err := f.Commit(); err != nil || read(t, name) != "new" {
		t.Errorf("%v, the file holds %q", err, read(t, name))
	}
}

// A temporary name that leads elsewhere must not lead there.
func TestTemporaryLink(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "precious"), "p")
	if err := os.Symlink("precious", store.Temporary(filepath.Join(dir, "x"))); err != nil {
		t.Skip(err)
	}
	if err := store.WriteFile(filepath.Join(dir, "x"), []byte("new")); err == nil {
		t.Error("wrote through a link")
	}
	if got := read(t, filepath.Join(dir, "precious")); got != "p" {
		t.Errorf("the other file holds %q", got)
	}
}

func TestFolder(t *testing.T) {
	root := t.TempDir()
	name := filepath.Join(root, "model")
	write(t, filepath.Join(name, "old.txt"), "old")
	write(t, filepath.Join(root, ".model.tmp", "half"), "of a killed run")
	d, err := store.CreateFolder(name)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(d.Path(), "sub", "new.txt"), "new")
	if got := read(t, filepath.Join(name, "old.txt")); got != "old" {
		t.Error("the old folder changed before Commit")
	}
	var held *store.HeldError
	if _, err := store.CreateFolder(name); !errors.As(err, &held) || held.Holder.PID != os.Getpid() {
		t.Errorf("a second one got %v, want a HeldError with this process", err)
	}
	if err := d.Commit(); err != nil {
		t.Fatal(err)
	}
	d.Abort()
	if got := names(t, root); got != "model model/sub model/sub/new.txt" {
		t.Errorf("there are %s", got)
	}
	if err := store.RemoveFolder(name); err != nil || names(t, root) != "" {
		t.Errorf("RemoveFolder: %v, there are %s", err, names(t, root))
	}
	if err := store.RemoveFolder(name); err != nil {
		t.Errorf("removing a folder that is not there: %v", err)
	}
}

// Where two names cannot be exchanged the old folder steps aside, and comes back when
// the new one cannot take its place.
func TestFolderWithoutExchange(t *testing.T) {
	defer store.WithoutExchange()()
	for _, fails := range []bool{false, true} {
		root := t.TempDir()
		name := filepath.Join(root, "m")
		write(t, filepath.Join(name, "x"), "old")
		d, err := store.CreateFolder(name)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(d.Path(), "x"), "new")
		renames := 0
		undo := store.InjectFaults(func(op store.Op, _ string) error {
			if op == store.OpRename {
				if renames++; fails && renames == 2 { // after the old one stepped aside
					return errors.New("no space left on device")
				}
			}
			return nil
		})
		err = d.Commit()
		undo()
		want := "new"
		if fails {
			want = "old"
		}
		if got := read(t, filepath.Join(name, "x")); (err != nil) != fails || got != want || names(t, root) != "m m/x" {
			t.Errorf("with a fault %v: %v, the folder holds %q, and there are %s", fails, err, got, names(t, root))
		}
	}
}

// Where two names cannot be exchanged a crash may leave only the old folder's
// other name.
func TestFolderRestored(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, ".m.old.tmp", "x"), "old")
	d, err := store.CreateFolder(filepath.Join(root, "m"))
	if err != nil {
		t.Fatal(err)
	}
	d.Abort()
	if got := names(t, root); got != "m m/x" {
		t.Errorf("there are %s", got)
	}
}

func TestFaults(t *testing.T) {
	full := errors.New("no space left on device")
	for _, op := range []store.Op{store.OpCreate, store.OpWrite, store.OpSync, store.OpRename} {
		t.Run(string(op), func(t *testing.T) {
			root := t.TempDir()
			file, folder := filepath.Join(root, "x"), filepath.Join(root, "d")
			write(t, file, "old")
			write(t, filepath.Join(folder, "y"), "old")
			before := names(t, root)
			undo := store.InjectFaults(func(o store.Op, name string) error {
				if o == op {
					return full
				}
				return nil
			})
			defer undo()
			// The last sync, of the folder, comes when the file is there already.
			if err := store.WriteFile(file, []byte("new")); !errors.Is(err, full) {
				t.Errorf("WriteFile gave %v, want the fault", err)
			}
			d, err := store.CreateFolder(folder)
			if err == nil {
				err = store.WriteFile(filepath.Join(d.Path(), "y"), []byte("new"))
				if err == nil {
					err = d.Commit()
				}
				d.Abort()
			}
			if !errors.Is(err, full) {
				t.Errorf("the folder gave %v, want the fault", err)
			}
			if got := read(t, file) + read(t, filepath.Join(folder, "y")); got != "oldold" {
				t.Errorf("the earlier output is %q", got)
			}
			if got := names(t, root); got != before {
				t.Errorf("there are %s, before %s", got, before)
			}
		})
	}
}

// TestHold is no test: it is the process that TestLock starts.
func TestHold(t *testing.T) {
	name := os.Getenv("OLMO_TEST_HOLD")
	if name == "" {
		t.Skip("a helper of TestLock")
	}
	l, err := store.AcquireFor(name)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("held")
	bufio.NewReader(os.Stdin).ReadString('\n')
	l.Release()
}

func TestLock(t *testing.T) {
	name := filepath.Join(t.TempDir(), "corpus")
	hold := func() *exec.Cmd {
		c := exec.Command(os.Args[0], "-test.run=^TestHold$")
		c.Env = append(os.Environ(), "OLMO_TEST_HOLD="+name)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.StdinPipe(); err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if line, _ := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
			t.Fatalf("the other process says %q", line)
		}
		return c
	}
	c := hold()
	_, err := store.AcquireFor(name)
	var held *store.HeldError
	if !errors.As(err, &held) || held.Holder.PID != c.Process.Pid || held.Holder.Started.IsZero() {
		t.Errorf("got %v, want process %d and its start", err, c.Process.Pid)
	}
	// A lock is gone with its process, however that ends.
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
	l, err := store.AcquireFor(name)
	if err != nil {
		t.Fatal(err)
	}
	if l.Unlocked() != nil {
		t.Errorf("unlocked: %v", l.Unlocked())
	}
	l.Release()
	l.Release()
	if got := names(t, filepath.Dir(name)); runtime.GOOS != "windows" && got != "" {
		t.Errorf("after Release there are %s", got)
	}
}

// The lock of a folder is the same by all of its names, and to ask for it changes nothing.
func TestLockInFolder(t *testing.T) {
	root := t.TempDir()
	t.Chdir(root)
	if err := os.Symlink("run", "link"); err != nil {
		t.Skip(err)
	}
	if err := store.HeldIn("run"); err != nil || names(t, root) != "link" {
		t.Errorf("of a folder that is not there: %v, there are %s", err, names(t, root))
	}
	l, err := store.AcquireIn("run")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"run", "./run/../run", "link", filepath.Join(root, "link")} {
		var held *store.HeldError
		if err := store.HeldIn(name); !errors.As(err, &held) || held.Name != name || held.Holder.PID != os.Getpid() {
			t.Errorf("HeldIn(%s) is %v, want this process", name, err)
		}
		if _, err := store.AcquireIn(name); !errors.As(err, &held) {
			t.Errorf("AcquireIn(%s) gave %v", name, err)
		}
	}
	l.Release()
	if err := store.HeldIn("link"); err != nil || names(t, root) != "link run" {
		t.Errorf("after Release: %v, there are %s", err, names(t, root))
	}
}

func TestHeldError(t *testing.T) {
	started := time.Date(2026, 3, 4, 5, 6, 7, 0, time.Local)
	e := &store.HeldError{Name: "out/run", Holder: store.Holder{PID: 42, Host: "node7", Command: "olmo train tiny.yaml", Started: started}}
	want := "out/run is being written by process 42 on node7 (olmo train tiny.yaml), started 2026-03-04 05:06:07\nhint: wait until it has ended, or name another place"
	if got := e.Error(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	e.Holder = store.Holder{}
	if got := e.Error(); !strings.HasPrefix(got, "out/run is being written by another process\nhint: ") {
		t.Errorf("of an unknown process: %q", got)
	}
}

func TestClash(t *testing.T) {
	root := t.TempDir()
	t.Chdir(root)
	write(t, "in/documents/a.jsonl", "a")
	write(t, "in/documents/b.jsonl", "b")
	write(t, "other/x", "x")
	if err := os.Symlink("in", "alias"); err != nil {
		t.Skip(err)
	}
	if err := os.Link("in/documents/a.jsonl", "hard.jsonl"); err != nil {
		t.Skip(err)
	}
	for _, c := range []struct {
		name                   string
		inputs, files, folders []string
		clash                  bool
	}{
		{"the same name", []string{"in/documents/a.jsonl"}, []string{"in/documents/a.jsonl"}, nil, true},
		{"another spelling", []string{"in/documents/a.jsonl"}, []string{"in/../in/./documents//a.jsonl"}, nil, true},
		{"absolute and relative", []string{filepath.Join(root, "in/documents/a.jsonl")}, []string{"in/documents/a.jsonl"}, nil, true},
		{"through a linked folder", []string{"in/documents/a.jsonl"}, []string{"alias/documents/a.jsonl"}, nil, true},
		{"a hard link", []string{"in/documents/a.jsonl"}, []string{"hard.jsonl"}, nil, true},
		{"the second of two", []string{"other/x", "in/documents/b.jsonl"}, []string{"new", "in/documents/b.jsonl"}, nil, true},
		{"beside its input", []string{"in/documents/a.jsonl"}, []string{"in/documents/b.jsonl", "in/documents/c.jsonl"}, nil, false},
		{"an input that is missing", []string{"none"}, []string{"none"}, nil, false},
		{"a folder that holds an input", []string{"in/documents/a.jsonl"}, nil, []string{"in"}, true},
		{"a folder that is an input", []string{"in"}, nil, []string{"alias"}, true},
		{"a folder below an input", []string{"in"}, nil, []string{"in/documents"}, false},
		{"a folder beside an input", []string{"in/documents/a.jsonl"}, nil, []string{"other"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := store.Clash(c.inputs, c.files, c.folders)
			if errors.Is(err, store.ErrClash) != c.clash {
				t.Errorf("got %v, want a clash: %v", err, c.clash)
			}
		})
	}
}

// A single output that is made in a folder of its own takes the folder's place alone.
func TestCommitFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x")
	write(t, name, "old")
	d, err := store.CreateFolder(name)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(d.Path(), "made"), "new")
	write(t, filepath.Join(d.Path(), "notes"), "not needed any more")
	if err := d.CommitFile("missing"); err == nil {
		t.Error("a file that was not made got the name")
	}
	if got, all := read(t, name), names(t, filepath.Dir(name)); got != "old" || all != "x" {
		t.Errorf("afterwards the file holds %q, and there are %s", got, all)
	}
	if d, err = store.CreateFolder(name); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(d.Path(), "made"), "new")
	write(t, filepath.Join(d.Path(), "notes"), "not needed any more")
	if err := d.CommitFile("made"); err != nil {
		t.Fatal(err)
	}
	d.Abort() // as a deferred call would
	if got, all := read(t, name), names(t, filepath.Dir(name)); got != "new" || all != "x" {
		t.Errorf("the file holds %q, and there are %s", got, all)
	}
}

// Names of files and folders that are not complete, and no others.
func TestTemporary(t *testing.T) {
	for _, name := range []string{"x", "x.jsonl.gz", ".x", "x.tmp"} {
		tmp := store.Temporary(filepath.Join("a", name))
		if filepath.Dir(tmp) != "a" || !store.IsTemporary(filepath.Base(tmp)) || !strings.Contains(filepath.Base(tmp), name) {
			t.Errorf("the temporary name of %s is %s", name, tmp)
		}
	}
	for _, base := range []string{"x", "x.tmp", ".x", ".tmp.x", "tmp", ""} {
		if store.IsTemporary(base) {
			t.Errorf("%q is a temporary name", base)
		}
	}
}

// A file may be written at a place, and knows its name; what has ended cannot go on.
func TestFileParts(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x")
	f, err := store.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	_, errWrite := f.Write([]byte("hello"))
	_, errAt := f.WriteAt([]byte("J"), 0)
	if err := errors.Join(errWrite, errAt, f.Seal(), f.Seal()); err != nil || f.Name() != name {
		t.Fatalf("%v, it is called %s", err, f.Name())
	}
	if got := names(t, filepath.Dir(name)); got != ".x.tmp" {
		t.Errorf("sealed, there are %s", got)
	}
	if _, err := f.Write([]byte("more")); err == nil {
		t.Error("a sealed file takes more")
	}
	if err := f.Commit(); err != nil || read(t, name) != "Jello" {
		t.Errorf("%v, it holds %q", err, read(t, name))
	}
	// Each part may fail, and leaves what was there.
	full := errors.New("no space left on device")
	for _, op := range []store.Op{store.OpWrite, store.OpSync} {
		f, err := store.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		undo := store.InjectFaults(func(o store.Op, _ string) error {
			if o == op {
				return full
			}
			return nil
		})
		_, err = f.WriteAt([]byte("x"), 0)
		err = errors.Join(err, f.Seal())
		undo()
		f.Abort()
		if got := names(t, filepath.Dir(name)); !errors.Is(err, full) || got != "x" || read(t, name) != "Jello" {
			t.Errorf("%s fails: %v, there are %s", op, err, got)
		}
	}
	undo := store.InjectFaults(func(store.Op, string) error { return full })
	err = store.Remove(name)
	undo()
	if !errors.Is(err, full) || read(t, name) != "Jello" {
		t.Errorf("removing fails: %v", err)
	}
	for range 2 { // one that is missing is no error
		if err := store.Remove(name); err != nil {
			t.Error(err)
		}
	}
	write(t, filepath.Join(name, "inside"), "")
	if err := store.Remove(name); err == nil {
		t.Error("a folder that is not empty is removed like a file")
	}
}

// A sealed file is taken up by its name; what is none there is told.
func TestSealedNames(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x")
	if _, err := store.Sealed(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without one: %v", err)
	}
	if err := os.Mkdir(store.Temporary(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Sealed(name); err == nil || err.Error() != store.Temporary(name)+" is no regular file" {
		t.Errorf("of a folder: %v", err)
	}
}

// A folder is gone at once; one that is missing is no error, and one that cannot be
// removed stays whole.
func TestRemoveFolder(t *testing.T) {
	root := t.TempDir()
	name := filepath.Join(root, "a")
	write(t, filepath.Join(name, "x"), "1")
	full := errors.New("read-only")
	undo := store.InjectFaults(func(store.Op, string) error { return full })
	err := store.RemoveFolder(name)
	undo()
	if got := names(t, root); !errors.Is(err, full) || got != "a a/x" {
		t.Errorf("%v, there are %s", err, got)
	}
	for range 2 {
		if err := store.RemoveFolder(name + string(filepath.Separator)); err != nil {
			t.Error(err)
		}
		if got := names(t, root); got != "" {
			t.Errorf("there are %s", got)
		}
	}
}

// TestWriteNew: a file that is there stays, and one that cannot be written whole is not there.
func TestWriteNew(t *testing.T) {
	name := filepath.Join(t.TempDir(), "new", "key")
	if err := store.WriteNew(name, []byte("first"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := store.WriteNew(name, []byte("second"), 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a file: %v", err)
	}
	if text, err := store.ReadFile(name); err != nil || string(text) != "first" {
		t.Errorf("%q, %v", text, err)
	}
	if st, err := os.Stat(name); err != nil || runtime.GOOS != "windows" && st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	full := errors.New("no space left")
	for _, op := range []store.Op{store.OpCreate, store.OpWrite, store.OpSync} {
		other := name + string(op)
		undo := store.InjectFaults(func(o store.Op, n string) error {
			if o == op && n == other {
				return full
			}
			return nil
		})
		err := store.WriteNew(other, []byte("x"), 0o600)
		undo()
		if !errors.Is(err, full) {
			t.Errorf("%s: %v", op, err)
		}
		if _, err := os.Stat(other); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s leaves a file: %v", op, err)
		}
	}
}
