// Package warc reads web archives (WARC, ISO 28500) and makes documents of the
// pages in them.
package warc

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"olmo/data"
	"olmo/packed"
)

// MaxRecord is the longest content of a record that is read, in bytes, and the
// longest page when its encoding is undone.
const MaxRecord = 16 << 20

// maxHeader bounds the header of a record.
const maxHeader = 1 << 20

// Header holds the fields of a record or of an HTTP response, by names in
// small letters; of a field that comes twice the first counts.
type Header map[string]string

// Record is a record of an archive.
type Record struct {
	Header Header
	// Offset is that of the record's first byte in the uncompressed archive,
	// Number the record's place, from 1.
	Offset, Number int64
	// Content is the record's block; nil for types that are not wanted.
	Content []byte
}

// Type is response, resource, warcinfo, …, in small letters.
func (r *Record) Type() string { return strings.ToLower(strings.TrimSpace(r.Header["warc-type"])) }

// Reader reads an archive: plain, gzip or Zstandard, with a member or frame
// for each record or several records in one, or bzip2.
type Reader struct {
	// Wanted says of which types the contents are read; nil: of all.
	Wanted func(kind string) bool

	name   string
	in     *bufio.Reader
	offset int64 // of the next byte
	number int64
	begun  bool  // the first line of a record was read
	start  int64 // and its offset

	packed interface{ begin() int64 } // the member or frame in work; nil when plain
	member int64                      // that of the record
	next   *damage                    // what comes after the record is damaged
}

// Source is the file of an archive; after damage it is read again from some
// place.
type Source interface {
	io.Reader
	io.ReaderAt
}

// NewReader starts to read an archive of size bytes; name is for messages.
func NewReader(name string, file Source, size int64) (*Reader, error) {
	in := newStored(file, size)
	magic, err := in.Peek(len(zstdMagic))
	if err != nil && err != io.EOF {
		return nil, err
	}
	r := &Reader{name: name}
	var src io.Reader = in
	switch {
	case bytes.HasPrefix(magic, gzipMagic):
		m := &members{in: in}
		src, r.packed = m, m
	case bytes.Equal(magic, zstdMagic), isSkippable(magic):
		f, err := newFrames(in)
		if err != nil {
			return nil, err
		}
		src, r.packed = f, f
	default: // plain, or packed in a way that has no place to go on at behind damage
		if src, err = packed.NewReader(in.Reader); err != nil {
			return nil, err
		}
	}
	r.in = bufio.NewReaderSize(src, 64<<10)
	return r, nil
}

var errRecord = errors.New("not a record")

// Next returns the following record. At the end it returns io.EOF. What is
// damaged, cut short, too long or no record gives a *data.RecordError whose
// Line is the record's number, and Next may be called again: it goes on at the
// next place that begins as a record does. Any other error is final.
func (r *Reader) Next() (*Record, error) {
	if !r.begun {
		if err := r.find(); err != nil {
			return nil, err
		}
	}
	r.begun = false
	rec := &Record{Number: r.number, Offset: r.start}
	raw, err := r.header(rec)
	if err == nil {
		err = r.content(rec)
	}
	if err == nil {
		err = r.check()
	}
	var broken *damage
	switch {
	case err == nil:
		return rec, nil
	case err == io.EOF, err == io.ErrUnexpectedEOF:
		return nil, r.bad(raw, errors.New("the archive ends within the record"))
	case errors.As(err, &broken), errors.Is(err, errRecord):
		return nil, r.bad(raw, err)
	}
	return nil, fmt.Errorf("reading %s: %w", r.name, err)
}

// check looks whether the member or frame that ends with the record has the
// right checksum. That is known only once its last byte is read, so it looks past the
// record's own end, into the first letter of the next one.
func (r *Reader) check() error {
	if r.packed == nil {
		return nil
	}
	const after = len("\r\n\r\nW")
	_, err := r.in.Peek(after)
	var broken *damage
	if !errors.As(err, &broken) {
		return nil // any other error comes again
	}
	if broken.at == r.member {
		return broken
	}
	// The damage is that of the next member: this record is sound.
	r.next = broken
	return nil
}

func (r *Reader) bad(raw []byte, err error) *data.RecordError {
	return &data.RecordError{File: r.name, Line: r.number, Offset: r.start, Raw: raw, Err: err}
}

// find reads to the first line of a record. When other bytes came before it,
// it tells of them, and the record is the next call's.
func (r *Reader) find() error {
	var first []byte
	var broken *damage
	junk := int64(0)
	r.number++
	if r.next != nil {
		r.start = r.offset
		bad := r.bad(nil, r.next)
		r.next = nil
		return bad
	}
	for {
		at := r.offset
		line, err := r.line()
		if bytes.HasPrefix(line, []byte("WARC/")) {
			if r.packed != nil {
				r.member = r.packed.begin()
			}
			if junk == 0 {
				r.start, r.begun = at, true
				return nil
			}
			bad := r.bad(first, fmt.Errorf("%w: %d bytes before the next one", errRecord, junk))
			r.number++
			r.start, r.begun = at, true
			return bad
		}
		if len(bytes.TrimSpace(line)) > 0 {
			if junk == 0 {
				r.start, first = at, bytes.Clone(line[:min(len(line), 1024)])
			}
			junk += int64(len(line))
		}
		switch {
		case err == nil:
		case errors.As(err, &broken):
			r.start = at
			return r.bad(first, err)
		case err == io.EOF && junk > 0:
			return r.bad(first, fmt.Errorf("%w: %d bytes at the end", errRecord, junk))
		case err == io.EOF:
			return io.EOF
		default:
			return fmt.Errorf("reading %s: %w", r.name, err)
		}
	}
}

// line reads to the end of a line, or a buffer full of a longer one.
func (r *Reader) line() ([]byte, error) {
	b, err := r.in.ReadSlice('\n')
	r.offset += int64(len(b))
	if err == bufio.ErrBufferFull {
		err = nil
	}
	return b, err
}

// header reads the fields of a record to the empty line after them; raw is
// the beginning of what was read.
func (r *Reader) header(rec *Record) (raw []byte, err error) {
	rec.Header = Header{}
	last, size := "", 0
	for {
		b, err := r.line()
		raw = append(raw, b[:min(len(b), 1024-min(len(raw), 1024))]...)
		if err != nil {
			return raw, err
		}
		if size += len(b); size > maxHeader {
			return raw, fmt.Errorf("%w: its header has more than %d bytes", errRecord, maxHeader)
		}
		line := bytes.TrimRight(b, "\r\n")
		if len(line) == 0 {
			return raw, nil
		}
		last = rec.Header.add(line, last)
	}
}

// add takes a line of a header; last is the field of the line before, which
// one that begins with a space goes on with.
func (h Header) add(line []byte, last string) string {
	if line[0] == ' ' || line[0] == '\t' {
		if last != "" {
			h[last] += " " + text(bytes.TrimSpace(line))
		}
		return last
	}
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok {
		return ""
	}
	key := strings.ToLower(string(bytes.TrimSpace(name)))
	if _, ok := h[key]; ok {
		return ""
	}
	h[key] = text(bytes.TrimSpace(value))
	return key
}

// content reads or passes over the record's block.
func (r *Reader) content(rec *Record) error {
	n, err := strconv.ParseInt(rec.Header["content-length"], 10, 64)
	if err != nil || n < 0 {
		return fmt.Errorf("%w: its content-length is %q", errRecord, rec.Header["content-length"])
	}
	wanted := r.Wanted == nil || r.Wanted(rec.Type())
	if wanted && n <= MaxRecord {
		rec.Content = make([]byte, n)
		got, err := io.ReadFull(r.in, rec.Content)
		r.offset += int64(got)
		return err
	}
	for left := n; left > 0; {
		got, err := r.in.Discard(int(min(left, 1<<20)))
		r.offset += int64(got)
		left -= int64(got)
		if err != nil {
			return err
		}
	}
	if wanted {
		return fmt.Errorf("%w that is read: it has %d bytes, more than the %d allowed", errRecord, n, MaxRecord)
	}
	return nil
}
