//go:build unix

package store

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// openLocked opens a file for writing, made where it is missing, and takes the
// system's lock on it. errHeld: someone else has it. A file system that knows no
// locks gives the file without one; see locks.
func openLocked(path string) (*os.File, error) {
	for {
		// Not through a link: it may have come with a folder from elsewhere, and the
		// file that it leads to would be written over.
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o666)
		if err != nil {
			return nil, err
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EWOULDBLOCK):
			f.Close()
			return nil, errHeld
		case err != nil && !without(err):
			f.Close()
			return nil, err
		}
		// Between opening and locking its holder may have renamed or removed
		// the file: the lock would then be on something that nobody sees.
		opened, err := f.Stat()
		if err != nil {
			f.Close()
			return nil, err
		}
		if named, err := os.Stat(path); err == nil && os.SameFile(opened, named) {
			return f, nil
		}
		f.Close()
	}
}

func without(err error) bool {
	return errors.Is(err, unix.ENOLCK) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EINVAL)
}

// locks tells whether the file system of a file has locks.
func locks(f *os.File) bool {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	return err == nil
}
