package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"olmo/store"
)

// TestCanCreate: what would fail in the end is said before, and nothing is left behind.
func TestCanCreate(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.MkdirAll("folder/full", 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("file", nil, 0o666); err != nil {
		t.Fatal(err)
	}
	closed := "closed"
	if runtime.GOOS == "linux" && os.Getuid() == 0 {
		closed = "/proc" // where the superuser cannot write either
	} else if err := os.Mkdir(closed, 0o500); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, file, in string }{
		{"new", "", ""},
		{"file", "", "writing file: file is a file, want a folder"},
		{"folder", "writing folder: it is a folder, want a file\nhint: name a file in it", ""},
		{"folder/full/a/b", "", ""},
		{"file/a", "writing file/a: file is a file, want a folder", "writing file/a: file is a file, want a folder"},
		{"file/a/b", "writing file/a/b: file is a file, want a folder", "writing file/a/b: file is a file, want a folder"},
		{closed + "/a", "nothing can be created in " + closed + ": ", "nothing can be created in " + closed + ": "},
	} {
		c.name, c.file, c.in = filepath.FromSlash(c.name), filepath.FromSlash(c.file), filepath.FromSlash(c.in)
		for want, err := range map[string]error{"f" + c.file: store.CanCreate(c.name), "i" + c.in: store.CanCreateIn(c.name)} {
			if want = want[1:]; want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s: %v, want %q", c.name, err, want)
			}
		}
	}
	for _, dir := range []string{".", "folder", "folder/full"} {
		entries, err := os.ReadDir(dir)
		if want := map[string]int{".": 2, "folder": 1}[dir]; err != nil || len(entries) != want && !(dir == "." && closed == "closed" && len(entries) == 3) {
			t.Errorf("%s holds %v, %v", dir, entries, err)
		}
	}
	if runtime.GOOS != "windows" {
		// A device that a test may lose: the way to a pipe, as /dev/stdout is one.
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		defer w.Close()
		for _, name := range []string{fmt.Sprintf("/dev/fd/%d", w.Fd()), "/dev/null"} {
			if err := store.CanCreate(name); err == nil || !strings.Contains(err.Error(), "it is a device or a pipe") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := os.Symlink("/dev/null", "link"); err != nil {
			t.Fatal(err)
		}
		if f, err := store.Create("link"); err == nil || !strings.Contains(err.Error(), "writing link: it is a device or a pipe") {
			t.Errorf("a link to a device: %v", err)
			if f != nil {
				f.Abort()
			}
		}
	}
	if _, err := store.Create("folder"); err == nil || !strings.Contains(err.Error(), "it is a folder, want a file") {
		t.Errorf("a file whose name a folder has: %v", err)
	}
}
