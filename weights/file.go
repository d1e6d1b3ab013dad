package weights

import (
	"fmt"
	"io"

	"olmo/store"
)

// FileError is a file that cannot be read as what it claims to be, and where.
type FileError struct {
	Path   string
	Offset int64 // byte at which the trouble is; negative: the whole file
	Err    error
}

func (e *FileError) Error() string {
	if e.Offset < 0 {
		return fmt.Sprintf("%s: %v", e.Path, e.Err)
	}
	return fmt.Sprintf("%s: byte %d: %v", e.Path, e.Offset, e.Err)
}

func (e *FileError) Unwrap() error { return e.Err }

// openMapped maps a whole file for reading, or reads it where the system has
// no mmap. An empty file gives no bytes.
func openMapped(path string) (*mapping, error) {
	f, err := store.Open(path)
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

// writeWhole creates path from what write puts out; until that is complete an
// earlier file stays.
func writeWhole(path string, write func(w io.Writer) error) error {
	f, err := store.Create(path)
	if err != nil {
		return err
	}
	defer f.Abort()
	if err := write(f); err != nil {
		return err
	}
	return f.Commit()
}
