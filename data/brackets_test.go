package data_test

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"olmo/data"
)

// TestNamesLikePatterns: what exists under that very name is no pattern, and a link to a folder
// above is not walked.
func TestNamesLikePatterns(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "br[1]")
	file := filepath.Join(dir, "notes", "a.txt")
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" {
		if err := os.Symlink(".", filepath.Join(dir, "notes", "loop")); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []string{filepath.Join(dir, "notes"), filepath.Join(dir, "notes", "*.txt"), filepath.Join(dir, "**"), filepath.Join(dir, "n[o]tes", "a.txt")} {
		files, missing, err := data.ExpandGlobs([]string{p})
		if err != nil || len(missing) > 0 || !slices.Equal(files, []string{file}) {
			t.Errorf("%s: %q, missing %q (%v)", p, files, missing, err)
		}
	}
}
