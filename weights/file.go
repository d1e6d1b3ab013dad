package weights

import (
	"fmt"
	"os"
	"path/filepath"
)

// FileError is a file that cannot be read as what it claims to be, and where.
type FileError struct {
	Path   string
	Offset int64 // byte at which the trouble is
	Err    error
}

func (e *FileError) Error() string {
	return fmt.Sprintf("%s: byte %d: %v", e.Path, e.Offset, e.Err)
}

func (e *FileError) Unwrap() error { return e.Err }

// openMapped maps a whole file for reading, or reads it where the system has
// no mmap. An empty file gives no bytes.
func openMapped(path string) (*mapping, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	if st.Size() != int64(int(st.Size())) {
		return nil, fmt.Errorf("%s has %d bytes, more than this machine can address", path, st.Size())
	}
	if st.Size() == 0 {
		return &mapping{}, nil
	}
	m, err := mapFile(f, int(st.Size()))
	if err != nil {
		return nil, fmt.Errorf("mapping %s: %w", path, err)
	}
	return m, nil
}

// writeAtomic creates path from what write puts into a temporary file beside
// it, which is fsynced before it is renamed and removed on any error.
func writeAtomic(path string, write func(f *os.File) error) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}
