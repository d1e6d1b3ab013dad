//go:build !unix

package weights

import (
	"io"
	"os"
)

// mapping is the bytes of an open file.
type mapping struct{ data []byte }

func mapFile(f *os.File, size int) (*mapping, error) {
	data := make([]byte, size)
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, err
	}
	return &mapping{data}, nil
}

func (m *mapping) close() error {
	m.data = nil
	return nil
}

// forget does nothing: the bytes are all that there is.
func (m *mapping) forget() {}
