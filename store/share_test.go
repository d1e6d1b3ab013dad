package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestShare(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a")
	if err := os.WriteFile(file, []byte("content"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("a", filepath.Join(dir, "leads")); err != nil {
		t.Skip("no links here")
	}
	for name, links := range map[string]bool{"linked": true, "copied": false} {
		real := link
		if !links {
			link = func(string, string) error { return errors.ErrUnsupported }
		}
		to := filepath.Join(dir, "below", name)
		err := Share(filepath.Join(dir, "leads"), to)
		link = real
		if err != nil {
			t.Fatal(err)
		}
		a, err1 := os.Stat(file)
		b, err2 := os.Lstat(to)
		text, err3 := os.ReadFile(to)
		if err := errors.Join(err1, err2, err3); err != nil || string(text) != "content" || os.SameFile(a, b) != links || !b.Mode().IsRegular() {
			t.Errorf("%s: %v, %q, the same file %v", name, err, text, os.SameFile(a, b))
		}
	}
	defer func(real func(a, b string) error) { link = real }(link)
	link = os.Link
	if err := Share(file, filepath.Join(dir, "below", "linked")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a file that is there: %v", err)
	}
}
