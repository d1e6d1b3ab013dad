//go:build unix

package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"olmo/data/store"
)

// A pipe that nothing writes to would be waited for without end.
func TestNoFiles(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe.jsonl")
	if err := syscall.Mkfifo(pipe, 0o666); err != nil {
		t.Skip(err)
	}
	for name, want := range map[string]string{pipe: "it is a pipe", "/dev/zero": "it is a device"} {
		if _, err := store.Open(name); !errors.Is(err, store.ErrNoFile) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	f, err := store.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}
