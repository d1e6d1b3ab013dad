//go:build unix

package weights

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapping is the bytes of an open file.
type mapping struct{ data []byte }

func mapFile(f *os.File, size int) (*mapping, error) {
	data, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return &mapping{data}, nil
}

func (m *mapping) close() error {
	if m.data == nil {
		return nil
	}
	data := m.data
	m.data = nil
	return unix.Munmap(data)
}

// forget gives the memory of the pages back that were read. The bytes stay readable:
// the system reads a page again when it is touched.
func (m *mapping) forget() {
	if m.data != nil {
		_ = unix.Madvise(m.data, unix.MADV_DONTNEED) // advice, which may fail
	}
}
