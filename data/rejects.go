package data

import (
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// Rejects collects the bad records of one input file in a JSONL file with
// file, line, byte offset, reason and the record itself. The file is made at
// the first bad record; without any, none is left. It is not safe for
// concurrent use.
type Rejects struct {
	// Count is the number of bad records so far.
	Count int64

	path   string // "": bad records are passed over, because they were told of before
	strict bool
	w      *Writer
	create func() (*Writer, error)
	p      *Progress
	warn   func(*RecordError)
}

// maxRejectRaw bounds the copy of a bad record; the offset leads to the rest.
const maxRejectRaw = 1 << 20

// Add stores a bad record.
func (r *Rejects) Add(bad *RecordError) error {
	if r.path == "" {
		return nil
	}
	if r.strict {
		return fmt.Errorf("%w\nhint: without --strict bad lines go to a rejects file", bad)
	}
	if r.w == nil {
		w, err := r.create()
		if err != nil {
			return err
		}
		r.w = w
	}
	r.Count++
	r.p.Rejected.Add(1)
	r.warn(bad)
	_, err := r.w.Write(append(AppendReject(nil, bad), '\n'))
	return err
}

// AppendReject appends the object that a rejects file has for a bad record.
func AppendReject(b []byte, bad *RecordError) []byte {
	b = append(b, `{"file":`...)
	b = AppendString(b, bad.File)
	b = append(b, `,"line":`...)
	b = strconv.AppendInt(b, bad.Line, 10)
	b = append(b, `,"offset":`...)
	b = strconv.AppendInt(b, bad.Offset, 10)
	b = append(b, `,"reason":`...)
	b = AppendString(b, bad.Err.Error())
	raw := bad.Raw
	if len(raw) > maxRejectRaw {
		raw = raw[:maxRejectRaw]
	}
	// A record that is not text is kept byte by byte, as Latin-1.
	if utf8.Valid(raw) {
		b = append(b, `,"raw":`...)
		b = AppendString(b, string(raw))
	} else {
		latin := make([]rune, len(raw))
		for i, c := range raw {
			latin[i] = rune(c)
		}
		b = append(b, `,"raw_latin1":`...)
		b = AppendString(b, string(latin))
	}
	return append(b, '}')
}

// Close completes the file.
func (r *Rejects) Close() error {
	if r.w == nil {
		return nil
	}
	return r.w.Close()
}

// Abort gives the file up.
func (r *Rejects) Abort() {
	if r.w != nil {
		r.w.Abort()
	}
}

// RejectedError tells what the first bad line was, for a run that fails because
// there was nothing but bad lines.
func (s *Stage) RejectedError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first
}

// maxWarnings is how many bad lines a run tells one by one; all are counted.
const maxWarnings = 20

func (s *Stage) tellRejected(bad *RecordError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == nil {
		s.first = bad
	}
	switch s.rejected++; {
	case s.rejected <= maxWarnings:
		s.Logf("rejected %v", bad)
	case s.rejected == maxWarnings+1:
		s.Logf("more bad lines follow; all are in the rejects files")
	}
}

// Rejects prepares to collect the bad records of one source in the file path,
// which is one of the unit's Rejects.
func (s *Stage) Rejects(u *Unit, path string) *Rejects {
	return &Rejects{strict: s.Strict, path: path, p: s.Progress, warn: s.tellRejected, create: func() (*Writer, error) {
		return s.Create(u, path, Plain)
	}}
}

// ErrNothing is in the chain of the error of a run that dropped everything.
var ErrNothing = errors.New("nothing is left")

// nothingError is an ErrNothing that says why.
type nothingError struct {
	text  string
	first error // the first bad record, or nil
}

func (e *nothingError) Error() string { return e.text }

func (e *nothingError) Unwrap() []error { return []error{ErrNothing, e.first} }

// Nothing ends a run that dropped everything: its outputs are given up, those of
// earlier runs stay, and the error, an ErrNothing, says why, with the first bad
// record and with a hint unless it is empty.
func (s *Stage) Nothing(why, hint string) error {
	s.Discard()
	e := &nothingError{why, s.RejectedError()}
	if e.first != nil {
		e.text += ": " + e.first.Error()
	}
	if hint != "" {
		e.text += "\nhint: " + hint
	}
	return e
}
