package data

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"olmo/data/store"
)

// Writer writes a file that appears under its name only when it is complete:
// until Close it has a temporary name, or none in an object store. Exactly one of Close and Abort ends it;
// Abort after Close does nothing, so it can be deferred. The outputs of a Stage
// appear later, when all of them are complete.
type Writer struct {
	path string
	file store.Writer
	// meter counts and hashes what is stored; sealed is told of the end of an
	// output of a stage, which Close then leaves to be committed.
	meter  meter
	sealed func() error
	buf    *bufio.Writer
	zip    io.WriteCloser
	out    io.Writer
	note   string
	err    error
	done   bool
}

// CreateWriter starts the file path, compressed as its suffix says, and makes
// its folders. Where the suffix is that of a Format, lines of JSON are written
// in it.
func CreateWriter(path string) (*Writer, error) { return CreateWriterAs(path, CompressionOf(path)) }

// CreateWriterAs is CreateWriter with the compression given.
func CreateWriterAs(path string, c Compression) (*Writer, error) {
	return createWriter(path, c, gzip.DefaultCompression)
}

// CreateFastWriter is CreateWriterAs with a gzip level that takes half the time
// and some tenths more space: for rows that are small beside the documents.
func CreateFastWriter(path string, c Compression) (*Writer, error) {
	return createWriter(path, c, gzip.BestSpeed)
}

func createWriter(path string, c Compression, level int) (*Writer, error) {
	if suffix := notWritten(path); suffix != "" {
		return nil, fmt.Errorf("writing %s: %s is not written\nhint: name a file that ends in .gz or .zst", path, suffix)
	}
	f, err := store.Create(path)
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", path, err)
	}
	w := &Writer{path: path, file: f}
	w.meter.w = f
	w.buf = bufio.NewWriterSize(&w.meter, 128<<10)
	w.out = w.buf
	format, known := formatNamed(path)
	switch {
	case c == Plain && known:
		w.zip, err = format.Writer(w.buf)
	case c == Gzip:
		// The same bytes on every machine: no name, no time in the header.
		w.zip, err = gzip.NewWriterLevel(w.buf, level)
	case c == Zstd:
		// One frame, because some readers stop after the first; one
		// goroutine, so that memory does not grow with the processors.
		w.zip, err = zstd.NewWriter(w.buf, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedDefault))
	}
	if err != nil {
		f.Abort()
		return nil, fmt.Errorf("writing %s: %w", path, err)
	}
	if w.zip != nil {
		w.out = w.zip
	}
	return w, nil
}

// CreateWriterNoted is CreateWriter for a file that keeps a short note of how
// it was made, in ASCII: in the gzip header, or in a skippable frame at the
// end of a Zstandard file. Readers of the text do not see it. A plain file
// keeps none.
func CreateWriterNoted(path, note string) (*Writer, error) {
	w, err := CreateWriter(path)
	if err != nil {
		return nil, err
	}
	w.note = note
	if z, ok := w.zip.(*gzip.Writer); ok {
		z.Comment = note
	}
	return w, nil
}

// noteFrame begins the skippable frame that holds a Zstandard file's note.
const noteFrame = 0x184d2a5e

// NoteOf returns the note of a file that CreateWriterNoted made, "" where
// there is none, or none of plain ASCII. `olmo info` shows it, so what a stranger's
// file says cannot steer a terminal; no stage decides by it.
func NoteOf(path string) string {
	note := storedNote(path)
	if strings.ContainsFunc(note, func(r rune) bool { return r < ' ' || r > '~' }) {
		return ""
	}
	return note
}

func storedNote(path string) string {
	f, err := store.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	switch CompressionOf(path) {
	case Gzip:
		if z, err := gzip.NewReader(f); err == nil {
			return z.Comment
		}
	case Zstd:
		const most = 1 << 10
		size := f.Info().Size
		tail := make([]byte, min(size, most))
		if n, _ := f.ReadAt(tail, size-int64(len(tail))); n < len(tail) {
			return ""
		}
		magic := binary.LittleEndian.AppendUint32(nil, noteFrame)
		if i := bytes.LastIndex(tail, magic); i >= 0 && i+8 <= len(tail) &&
			int(binary.LittleEndian.Uint32(tail[i+4:])) == len(tail)-i-8 {
			return string(tail[i+8:])
		}
	}
	return ""
}

// meter counts the bytes that pass, and hashes them if it has a hash.
type meter struct {
	w    io.Writer
	n    int64
	hash hash.Hash
}

func (m *meter) Write(b []byte) (int, error) {
	n, err := m.w.Write(b)
	m.n += int64(n)
	if m.hash != nil {
		m.hash.Write(b[:n])
	}
	return n, err
}

// Path is the name that the file will have.
func (w *Writer) Path() string { return w.path }

// Stored is the size and the SHA-256 of the bytes as they lie in the store, of an output of a stage
// that is closed.
func (w *Writer) Stored() (size int64, sum [sha256.Size]byte) {
	w.meter.hash.Sum(sum[:0])
	return w.meter.n, sum
}

// Write adds bytes. After an error every later call fails with it.
func (w *Writer) Write(b []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.out.Write(b)
	if err != nil {
		w.err = fmt.Errorf("writing %s: %w", w.path, err)
	}
	return n, w.err
}

// Close completes the file: flush, sync, rename. On an error the temporary
// file is removed and nothing stands under the final name that was not there.
func (w *Writer) Close() error {
	if w.done {
		return w.err
	}
	w.done = true
	err := w.err
	if err == nil && w.zip != nil {
		err = w.zip.Close()
	}
	if _, ok := w.zip.(*zstd.Encoder); ok && err == nil && w.note != "" {
		frame := binary.LittleEndian.AppendUint32(nil, noteFrame)
		frame = binary.LittleEndian.AppendUint32(frame, uint32(len(w.note)))
		_, err = w.buf.Write(append(frame, w.note...))
	}
	if err == nil {
		err = w.buf.Flush()
	}
	switch {
	case err != nil:
		w.file.Abort()
	case w.sealed == nil:
		err = w.file.Commit()
	default:
		if err = w.file.Seal(); err == nil {
			err = w.sealed()
		}
	}
	if err != nil {
		if w.err == nil {
			w.err = fmt.Errorf("writing %s: %w", w.path, err)
		}
		return w.err
	}
	w.err = errors.New("writing " + w.path + ": the file is closed")
	return nil
}

// Abort gives the file up and removes what was written.
func (w *Writer) Abort() {
	if w.done {
		return
	}
	w.done = true
	w.err = errors.New("writing " + w.path + ": the file was given up")
	if w.zip != nil {
		// A Zstandard encoder keeps buffers until it is closed; what it
		// flushes goes to the file that is removed below.
		w.zip.Close()
	}
	w.file.Abort()
}
