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
