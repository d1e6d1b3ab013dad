package data

import (
	"fmt"
	"io"

	"olmo/data/charset"
)

// ReadText returns all of a file that is one text: from wherever package store reads,
// unpacked and decoded.
func ReadText(path string) ([]byte, error) {
	r, err := (*Stage)(nil).open(path, nil, asText)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	stored, err := io.ReadAll(r.buf)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	text, err := charset.Decode(stored, charset.Declared(stored))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return []byte(text), nil
}

// OpenText opens a file in UTF-8 that is read piece by piece, unpacked.
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
