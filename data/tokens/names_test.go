package tokens_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"olmo/data/tokens"
)

func TestTreeNames(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	here := filepath.Join(dir, "here")
	for _, folder := range []string{"here/a/deep", "here/b", "elsewhere/c"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(here)
	if err := os.Symlink(filepath.Join(dir, "elsewhere", "c"), "link"); err != nil {
		t.Skip(err)
	}
	for _, c := range []struct {
		name        string
		paths, want []string
	}{
		{"none", nil, nil},
		{"one", []string{"a/x.npy"}, []string{"x.npy"}},
		{"one of the root", []string{"/x.npy"}, []string{"x.npy"}},
		{"of one folder", []string{"a/y.npy", "a/x.npy"}, []string{"y.npy", "x.npy"}},
		{"of several", []string{"b/x.npy", "a/x.npy", "a/deep/x.npy"}, []string{"b/x.npy", "a/x.npy", "a/deep/x.npy"}},
		{"one below the other", []string{"a/x.npy", "a/deep/x.npy"}, []string{"x.npy", "deep/x.npy"}},
		{"a folder begins as another", []string{"a/x.npy", "ab/x.npy"}, []string{"a/x.npy", "ab/x.npy"}},
		{"a file named as a folder", []string{"a/x", "a/x/y"}, []string{"x", "x/y"}},
		{"twice", []string{"a/x.npy", "./a//x.npy", filepath.Join(here, "a/x.npy"), "b/../a/x.npy"}, []string{"x.npy", "x.npy", "x.npy", "x.npy"}},
		{"relative and absolute", []string{"a/x.npy", filepath.Join(here, "b/x.npy"), "../here/c.npy"}, []string{"a/x.npy", "b/x.npy", "c.npy"}},
		{"a link is a folder of its own", []string{"link/x.npy", "a/x.npy"}, []string{"link/x.npy", "a/x.npy"}},
		{"up behind a link", []string{"link/../x.npy", "x.npy"}, []string{"elsewhere/x.npy", "here/x.npy"}},
		{"addresses", []string{"s3://bucket/t/a/x.npy", "s3://bucket/t/b/x.npy"}, []string{"a/x.npy", "b/x.npy"}},
		{"one address", []string{"https://u:p@host/t/x.npy?key=secret#part"}, []string{"x.npy"}},
		{"servers", []string{"https://u:p@one/x.npy", "https://two/x.npy"}, []string{"one/x.npy", "two/x.npy"}},
		{"addresses and files", []string{"s3://bucket/x.npy", "/x.npy"}, []string{"s3/bucket/x.npy", "file/x.npy"}},
		{"queries alone differ", []string{"https://h/x.npy?a", "https://h/x.npy?b", "https://h/x.npy?a", "https://h/y.npy?a"}, []string{
			"x.npy-2f0b1fb26d76b131", "x.npy-d918dee174e7eefc", "x.npy-2f0b1fb26d76b131", "y.npy",
		}},
	} {
		if got := tokens.TreeNames(c.paths); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
