package data

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Writer writes a file that appears under its name only when it is complete:
// until Close it is path + ".tmp". Exactly one of Close and Abort ends it;
// Abort after Close does nothing, so it can be deferred.
type Writer struct {
	path string
	file *os.File
	buf  *bufio.Writer
	zip  io.WriteCloser
	out  io.Writer
	err  error
	done bool
}

// CreateWriter starts the file path, compressed as its suffix says, and makes
// its folders.
func CreateWriter(path string) (*Writer, error) { return CreateWriterAs(path, CompressionOf(path)) }

// CreateWriterAs is CreateWriter with the compression given.
func CreateWriterAs(path string, c Compression) (*Writer, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return nil, fmt.Errorf("writing %s: %w", path, err)
	}
	f, err := os.Create(path + ".tmp")
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", path, err)
	}
	w := &Writer{path: path, file: f, buf: bufio.NewWriterSize(f, 128<<10)}
	w.out = w.buf
	switch c {
	case Gzip:
		// The same bytes on every machine: no name, no time in the header.
		w.zip, err = gzip.NewWriterLevel(w.buf, gzip.DefaultCompression)
	case Zstd:
		// One frame, because some readers stop after the first; one
		// goroutine, so that memory does not grow with the processors.
		w.zip, err = zstd.NewWriter(w.buf, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedDefault))
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("writing %s: %w", path, err)
	}
	if w.zip != nil {
		w.out = w.zip
	}
	return w, nil
}

// Path is the name that the file will have.
func (w *Writer) Path() string { return w.path }

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
	if err == nil {
		err = w.buf.Flush()
	}
	if err == nil {
		err = w.file.Sync()
	}
	if e := w.file.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(w.path+".tmp", w.path)
	}
	if err != nil {
		os.Remove(w.path + ".tmp")
		if w.err == nil {
			w.err = fmt.Errorf("writing %s: %w", w.path, err)
		}
		return w.err
	}
	syncDir(filepath.Dir(w.path))
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
	w.file.Close()
	os.Remove(w.path + ".tmp")
}

// syncDir makes a rename in dir durable, where the system can.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		// Some file systems refuse to sync a folder; the rename is still
		// atomic there, only not yet durable.
		_ = d.Sync()
		d.Close()
	}
}
