package data

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"sync"
	"time"

	"olmo/data/store"
	whole "olmo/store"
)

var errNotExist = fs.ErrNotExist

// look is what is known of a file's content. Two looks of the same size and time,
// or of the same version in an object store, saw the same content; at another time
// the digest decides, so that touch, cp -r and a clone change nothing.
type look struct {
	Size    int64     `json:"size"`
	Time    time.Time `json:"time,omitzero"`
	Version string    `json:"version,omitempty"`
	SHA256  string    `json:"sha256,omitempty"` // of the bytes as stored
}

func lookOf(i store.Info) look { return look{Size: i.Size, Time: i.ModTime, Version: i.Version} }

func lookAt(path string) (look, error) {
	i, err := store.Stat(path)
	return lookOf(i), err
}

// like tells whether two looks saw the same content, where that can be told
// without reading it.
func (l look) like(o look) bool {
	if l.Size != o.Size {
		return false
	}
	return l.Time.Equal(o.Time) && l.Version == o.Version || l.Version != "" && l.Version == o.Version
}

func hashFile(path string) (string, error) {
	f, err := store.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// look notes what all inputs are at the start.
func (s *Stage) look() error {
	inputs := s.plan.inputs()
	infos, err := store.StatAll(inputs)
	if err != nil {
		return err
	}
	for i, in := range inputs {
		s.now[in] = lookOf(infos[i])
	}
	return nil
}

// same tells whether a recorded unit still holds: its inputs have the recorded
// contents and its outputs are there.
func (s *Stage) same(u *Unit, e *unitEntry, pending bool) (bool, error) {
	r := s.records[u.Record]
	if len(e.Inputs) != len(u.Inputs) || s.Standard() {
		return false, nil
	}
	for i, in := range u.Inputs {
		// Nobody knows what standard input will give this time.
		if in == store.Standard || e.Inputs[i].Path != r.relative(in) {
			return false, nil
		}
	}
	// The outputs first: without them the inputs are read anyway.
	for i, path := range r.outputs(e) {
		if ok, err := there(path, e.Outputs[i].look, pending); err != nil || !ok {
			return false, err
		}
	}
	for i, in := range u.Inputs {
		ok, err := s.unchanged(in, &e.Inputs[i].look)
		if err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// unchanged tells whether an input has the recorded content, and brings the
// record up to date when only its time is another.
func (s *Stage) unchanged(path string, was *look) (bool, error) {
	now := s.now[path]
	if was.like(now) {
		s.remember(path, *was)
		return true, nil
	}
	if was.Size != now.Size || was.SHA256 == "" {
		return false, nil
	}
	if known, ok := s.remembered(path); ok {
		now = known
	} else {
		var err error
		if now.SHA256, err = hashFile(path); err != nil {
			return false, err
		}
		s.remember(path, now)
	}
	if now.SHA256 != was.SHA256 {
		return false, nil
	}
	*was, s.touched = now, true
	return true, nil
}

// there tells whether an output is there as it was recorded.
func there(path string, was look, pending bool) (bool, error) {
	if pending && !store.Remote(path) {
		if l, err := lookAt(whole.Temporary(path)); err == nil {
			return l.Size == was.Size, nil
		}
		// Its process may have died just after it gave the file its name; an
		// older output of the same size must not pass for it.
		l, err := lookAt(path)
		if err != nil || l.Size != was.Size {
			return false, ignoreMissing(err)
		}
		sum, err := hashFile(path)
		return sum == was.SHA256, err
	}
	l, err := lookAt(path)
	if err != nil {
		return false, ignoreMissing(err)
	}
	return l.Size == was.Size, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (s *Stage) remember(path string, l look) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[path] = l
}

func (s *Stage) remembered(path string) (look, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.seen[path]
	return l, ok
}

// identify gives an input's content, as it was read or else as it is now.
func (s *Stage) identify(path string) (look, error) {
	if l, ok := s.remembered(path); ok {
		return l, nil
	}
	l := s.now[path]
	if path == store.Standard {
		return l, nil
	}
	var err error
	if l.SHA256, err = hashFile(path); err != nil {
		return look{}, err
	}
	s.remember(path, l)
	return l, nil
}

// Input is an open input of a stage, whose digest is taken while it is read.
type Input struct {
	store.File
	stage  *Stage
	path   string
	hash   hash.Hash
	random bool // it was not only read in order

	mu     sync.Mutex
	failed error
}

// Failed is what kept the file's bytes from being read as they are - a disk, a network, a
// writer - or nil. Another error of who reads it is then about its content.
func (in *Input) Failed() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.failed
}

// fail remembers that a read failed.
func (in *Input) fail(err error) error {
	if err != nil && err != io.EOF {
		in.mu.Lock()
		in.failed = err
		in.mu.Unlock()
	}
	return err
}

// OpenFile opens an input. A nil Stage remembers nothing.
func (s *Stage) OpenFile(path string) (*Input, error) {
	f, err := store.Open(path)
	if err != nil {
		return nil, err
	}
	in := &Input{File: f, stage: s, path: path}
	if s != nil {
		if l, ok := s.remembered(path); !ok || !l.like(lookOf(f.Info())) {
			in.hash = sha256.New()
		}
	}
	return in, nil
}

func (in *Input) Read(b []byte) (int, error) {
	n, err := in.File.Read(b)
	if in.hash != nil {
		in.hash.Write(b[:n])
	}
	return n, in.fail(err)
}

// ReadAt reads out of order, after which the file is read once more for its
// digest.
func (in *Input) ReadAt(b []byte, off int64) (int, error) {
	in.random = true
	n, err := in.File.ReadAt(b, off)
	return n, in.fail(err)
}

// Whole is called at the end of the file. It is an error when the file is no
// longer the one that was opened; else its digest is remembered.
func (in *Input) Whole() error { return in.fail(in.whole()) }

func (in *Input) whole() error {
	was := in.Info()
	now, err := in.Now()
	if err != nil {
		return fmt.Errorf("reading %s: %w", in.path, err)
	}
	if !now.Same(was) {
		return fmt.Errorf("reading %s: %w (%d bytes, then %d)\nhint: run again when nothing writes to it", in.path, ErrChanged, was.Size, now.Size)
	}
	if in.hash == nil {
		return nil
	}
	l := lookOf(was)
	if in.random {
		if l.SHA256, err = hashFile(in.path); err != nil {
			return err
		}
	} else {
		// A reader may stop before the last byte, as at the end of a gzip
		// member with zeros behind it.
		if _, err := io.Copy(in.hash, in.File); err != nil {
			return fmt.Errorf("reading %s: %w", in.path, err)
		}
		l.SHA256 = hex.EncodeToString(in.hash.Sum(nil))
	}
	in.hash = nil
	in.stage.remember(in.path, l)
	return nil
}
