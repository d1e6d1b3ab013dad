package data

import (
	"fmt"
	"strconv"
	"unicode/utf8"

	"olmo/data/store"
)

// Rejects collects the bad records of one input file in a JSONL file with
// file, line, byte offset, reason and the record itself. The file is made at
// the first bad record; without any, none is left. It is not safe for
// concurrent use.
type Rejects struct {
	// Count is the number of bad records so far.
	Count int64

	path   string
	strict bool
	w      *Writer
	p      *Progress
	warn   func(*RecordError)
}

// NewRejects prepares to collect bad records in path, or to pass over them when
// it is empty. With strict, Add fails instead. p (may be nil) counts them, warn (may be nil) is told of each.
func NewRejects(path string, strict bool, p *Progress, warn func(*RecordError)) *Rejects {
	return &Rejects{path: path, strict: strict, p: p, warn: warn}
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
		w, err := CreateWriter(r.path)
		if err != nil {
			return err
		}
		r.w = w
	}
	r.Count++
	if r.p != nil {
		r.p.Rejected.Add(1)
	}
	if r.warn != nil {
		r.warn(bad)
	}
	b := append([]byte(nil), `{"file":`...)
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
	_, err := r.w.Write(append(b, '}', '\n'))
	return err
}

// Close completes the file, or removes an old one when there was no bad
// record this time.
func (r *Rejects) Close() error {
	if r.path == "" {
		return nil
	}
	if r.w != nil {
		return r.w.Close()
	}
	if !store.Exists(r.path) {
		return nil
	}
	if err := store.Remove(r.path); err != nil {
		return fmt.Errorf("removing the old rejects file: %w", err)
	}
	return nil
}

// Abort gives the file up.
func (r *Rejects) Abort() {
	if r.w != nil {
		r.w.Abort()
	}
}
