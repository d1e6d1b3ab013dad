package store

import (
	"fmt"
	"os"
)

// Scratch is a file without a name, in the system's folder of temporary files, that is
// gone when it is closed or the process ends.
type Scratch struct {
	*os.File
	name string // where an open file cannot be without one
}

// NewScratch makes an empty file, to be written and read.
func NewScratch() (*Scratch, error) {
	f, err := os.CreateTemp("", "olmo-*")
	if err != nil {
		return nil, fmt.Errorf("a temporary file: %w", err)
	}
	s := &Scratch{File: f}
	if os.Remove(f.Name()) != nil {
		s.name = f.Name()
	}
	return s, nil
}

// Close gives the file up.
func (s *Scratch) Close() error {
	err := s.File.Close()
	if s.name != "" {
		os.Remove(s.name)
	}
	return err
}
