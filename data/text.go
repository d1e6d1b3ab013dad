package data

import (
	"fmt"
	"io"
)

// ReadText returns all of a file that is one text, or anything else that is not read line
// by line: from wherever package store reads, unpacked.
func ReadText(path string) ([]byte, error) {
	r, err := OpenText(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return text, nil
}

// OpenText is ReadText for a text that is read piece by piece.
func OpenText(path string) (io.ReadCloser, error) {
	r, err := OpenReader(path)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{r.buf, r}, nil
}
