package quickstart

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestForeignFolder: files of somebody else's are not replaced, and a folder is not made of the
// text that lies in it.
func TestForeignFolder(t *testing.T) {
	dir := t.TempDir()
	notes := filepath.Join(dir, "notes")
	release := filepath.Join(dir, "theirs", "release")
	for name, text := range map[string]string{filepath.Join(notes, "a.txt"): "text", filepath.Join(release, "mine.txt"): "mine"} {
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Out: filepath.Join(dir, "theirs"), Docs: []string{notes}, Steps: 1}, "holds release already"},
		{Options{Out: notes, Docs: []string{notes}, Steps: 1}, "lies in the folder"},
		{Options{Out: dir, Docs: []string{filepath.Join(notes, "a.txt")}, Steps: 1}, "lies in the folder"},
	} {
		if _, err := Run(t.Context(), c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("--out %s: %v, want %q", c.o.Out, err, c.want)
		}
	}
	if text, err := os.ReadFile(filepath.Join(release, "mine.txt")); err != nil || string(text) != "mine" {
		t.Errorf("the file of somebody else's: %q (%v)", text, err)
	}
	if entries, _ := os.ReadDir(notes); len(entries) != 1 {
		t.Errorf("beside the text there is %v", entries)
	}
}
