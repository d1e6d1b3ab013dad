//go:build unix

package store_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"olmo/store"
)

// A pipe that nothing writes to would be waited for without end.
func TestNoFiles(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe.jsonl")
	if err := syscall.Mkfifo(pipe, 0o666); err != nil {
		t.Skip(err)
	}
	socket := filepath.Join(filepath.Dir(pipe), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Skip(err)
	}
	defer l.Close()
	for name, want := range map[string]string{pipe: "it is a pipe", "/dev/zero": "it is a device", socket: "it is a socket"} {
		if _, err := store.ReadFile(name); !errors.Is(err, store.ErrNoFile) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
		if _, err := store.Open(name); !errors.Is(err, store.ErrNoFile) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	if text, err := store.ReadFile(os.DevNull); err != nil || len(text) > 0 {
		t.Errorf("%q, %v", text, err)
	}
}
