//go:build unix

package verify_test

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"olmo/release/verify"
)

// TestPipes: a pipe is no file, and is not opened.
func TestPipes(t *testing.T) {
	dir := fresh(t)
	log := filepath.Join(dir, "train/metrics.jsonl")
	check(t, os.Remove(log))
	check(t, syscall.Mkfifo(log, 0o666))
	check(t, syscall.Mkfifo(filepath.Join(dir, "beside"), 0o666))
	if got, r := verified(t, dir, verify.Options{}); !slices.Equal(got, []string{"changed train/metrics.jsonl", "unlisted beside"}) {
		t.Errorf("%q %q", got, r.Notes)
	}
}
