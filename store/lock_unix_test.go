//go:build unix

package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Of the system's errors these say that a file system has no locks, which is a
// warning; any other is an error.
func TestWithoutLocks(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{unix.ENOLCK, true},
		{unix.ENOSYS, true},
		{unix.EOPNOTSUPP, true},
		{unix.ENOTSUP, true},
		{unix.EINVAL, true},
		{&fs.PathError{Op: "flock", Path: "x", Err: unix.ENOLCK}, true},
		{unix.EACCES, false},
		{unix.EWOULDBLOCK, false},
		{unix.EIO, false},
		{errors.New("other"), false},
		{nil, false},
	} {
		if got := without(c.err); got != c.want {
			t.Errorf("without(%v) = %v, want %v", c.err, got, c.want)
		}
	}
}

// What a log or a lock makes is no program, and nobody's but as the mask says.
func TestModes(t *testing.T) {
	old := unix.Umask(0o027)
	defer unix.Umask(old)
	name := filepath.Join(t.TempDir(), "log")
	a, err := Append(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(a.Close(), WriteFile(name+"2", nil)); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{name, name + "2"} {
		if st, err := os.Stat(n); err != nil || st.Mode().Perm() != 0o640 {
			t.Errorf("%s has mode %v, %v, want 0640", n, st.Mode(), err)
		}
	}
}
