package store_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/store"
)

// TestLockName: a folder has one lock, however its name is written.
func TestLockName(t *testing.T) {
	want := filepath.Join("a", ".run.lock")
	for _, name := range []string{"a/run", "a/run/", "a//run", "a/./run", "a/b/../run"} {
		if got := store.LockName(filepath.FromSlash(name)); got != want {
			t.Errorf("LockName(%q) = %q, want %q", name, got, want)
		}
	}
}

// TestLockOfKilledRun: what a killed process left in a lock's file, longer than what is
// written now, neither keeps the lock nor spoils the message.
func TestLockOfKilledRun(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, ".lock")
	if err := os.WriteFile(path, []byte(`{"pid":1,"host":"`+strings.Repeat("long", 200)+`"}`), 0o666); err != nil {
		t.Fatal(err)
	}
	lock, err := store.AcquireIn(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	var holder store.Holder
	if text, err := os.ReadFile(path); err != nil || json.Unmarshal(text, &holder) != nil || holder.PID != os.Getpid() {
		t.Errorf("the file holds %.80q, %v; want this process", text, err)
	}
	_, err = store.AcquireIn(folder)
	var held *store.HeldError
	if !errors.As(err, &held) || held.Holder.PID != os.Getpid() {
		t.Errorf("a second lock: %v, want a HeldError that names this process", err)
	}
}

// TestLockInTheWay: a file of the user's that has the name of a lock's stays as it is, and
// a link does not lead the lock to a file elsewhere.
func TestLockInTheWay(t *testing.T) {
	mine := filepath.Join(t.TempDir(), "mine")
	if err := os.WriteFile(mine, []byte("mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	for name, put := range map[string]func(path string) error{
		"file":   func(path string) error { return os.Link(mine, path) },
		"link":   func(path string) error { return os.Symlink(mine, path) },
		"folder": func(path string) error { return os.Mkdir(path, 0o777) },
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			if err := put(filepath.Join(folder, ".lock")); err != nil {
				t.Skip(err)
			}
			lock, err := store.AcquireIn(folder)
			lock.Release()
			if err == nil || !strings.Contains(err.Error(), "in the way") {
				t.Errorf("%v, want an error", err)
			}
			if text, err := os.ReadFile(mine); err != nil || string(text) != "mine" {
				t.Errorf("the file holds %q, %v", text, err)
			}
		})
	}
}

// TestLockThroughALink: a folder has one lock by all its names.
func TestLockThroughALink(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(folder, link); err != nil {
		t.Skip(err)
	}
	lock, err := store.AcquireFor(link)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	var held *store.HeldError
	if _, err := store.AcquireFor(folder); !errors.As(err, &held) {
		t.Errorf("%v, want a HeldError", err)
	}
}

// TestRemove: a file that is missing is gone already; one that can't be removed is an
// error.
func TestRemove(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "file")
	if err := os.WriteFile(name, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := store.Remove(name); err != nil {
			t.Errorf("Remove: %v", err)
		}
	}
	if err := os.WriteFile(name, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := store.Remove(dir); err == nil {
		t.Error("a folder with a file in it was removed")
	}
}

// Whoever meets a lock is told what is held, by which process and command.
func TestHeldMessage(t *testing.T) {
	folder := t.TempDir()
	lock, err := store.AcquireIn(folder)
	if err != nil {
		t.Fatal(err)
	}
	if err := lock.Unlocked(); err != nil {
		t.Skip(err)
	}
	err = store.HeldIn(folder)
	var held *store.HeldError
	if !errors.As(err, &held) || held.Name != folder || held.Holder.Started.IsZero() {
		t.Fatalf("HeldIn = %v", err)
	}
	if word, _, _ := strings.Cut(held.Holder.Command, " "); word != filepath.Base(os.Args[0]) {
		t.Errorf("the command is %q, want the program's name without its folder", held.Holder.Command)
	}
	for _, want := range []string{folder + " is being written by process ", held.Holder.Command, held.Holder.Host, "hint: wait until it has ended"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
	lock.Release()
	lock.Release() // more than once does no harm
	if err := store.HeldIn(folder); err != nil {
		t.Errorf("after Release: %v", err)
	}
	if got := names(t, folder); got != "" {
		t.Errorf("there are %s", got)
	}
	unknown := &store.HeldError{Name: "run"}
	if want := "run is being written by another process\n"; !strings.HasPrefix(unknown.Error(), want) {
		t.Errorf("%q, want %q", unknown, want)
	}
}
