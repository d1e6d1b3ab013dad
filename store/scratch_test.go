package store_test

import (
	"os"
	"testing"

	"olmo/store"
)

// What is written can be read again, and nothing stays in the folder.
func TestScratch(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir)
	s, err := store.NewScratch()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	var b [2]byte
	if _, err := s.ReadAt(b[:], 1); err != nil || string(b[:]) != "bc" {
		t.Errorf("%q, %v", b, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
