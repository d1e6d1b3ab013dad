package store

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lockedByte lies far behind every content, because a lock on Windows also keeps
// others from reading what it covers.
const lockedByte = 1 << 30

// openLocked opens a file for writing, made where it is missing, and takes the
// system's lock on it. errHeld: someone else has it.
func openLocked(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	switch err := take(f); {
	case errors.Is(err, windows.ERROR_LOCK_VIOLATION):
		f.Close()
		return nil, errHeld
	case err != nil && !errors.Is(err, windows.ERROR_NOT_SUPPORTED) && !errors.Is(err, windows.ERROR_INVALID_FUNCTION):
		f.Close()
		return nil, err
	}
	return f, nil
}

func take(f *os.File) error {
	at := windows.Overlapped{OffsetHigh: lockedByte}
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &at)
}

// locks tells whether the file system of a file has locks: taking one's own again
// is refused as held.
func locks(f *os.File) bool { return errors.Is(take(f), windows.ERROR_LOCK_VIOLATION) }
