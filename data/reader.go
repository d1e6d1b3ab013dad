package data

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"

	"olmo/data/store"
	"olmo/packed"
)

// MaxLine is the longest line that a Reader accepts and that a stage writes, in
// bytes, of documents as of attributes: what one stage writes every other reads.
// A longer one is a bad record, because stages hold several lines in memory at
// once. The rows of a tagger that marks every line of a document can have six
// times the document's size.
const MaxLine = 64 << 20

// CheckLine is an error when a line of so many bytes would be too long to read.
func CheckLine(bytes int) error {
	if bytes <= MaxLine {
		return nil
	}
	return fmt.Errorf("the line has %d bytes, more than the %d allowed", bytes, MaxLine)
}

// ErrChanged is in the chain of a Reader's error when the file's size or time
// changed while it was read.
var ErrChanged = store.ErrChanged

// Line is one line of a file without its line ending.
type Line struct {
	Bytes  []byte
	Number int64 // from 1, blank lines counted
	Offset int64 // of the first byte in the uncompressed file
}

// Reader reads a JSONL file line by line: plain, or what package packed unpacks, or a file
// of a Format as lines, told apart by the first bytes. Blank lines and a byte
// order mark are passed over.
type Reader struct {
	path    string
	file    *Input
	counter countingReader
	unzip   io.Closer
	buf     *bufio.Reader
	long    []byte
	line    int64
	offset  int64
}

type countingReader struct {
	r io.Reader
	p *Progress
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	if c.p != nil {
		c.p.BytesDone.Add(int64(n))
	}
	return n, err
}

// OpenReader opens path, a file or an address that package store knows, for
// reading.
func OpenReader(path string) (*Reader, error) { return (*Stage)(nil).Open(path, nil) }

// OpenRows is OpenReader for rows that are no documents: those of a Format keep the members
// that they have.
func OpenRows(path string) (*Reader, error) { return (*Stage)(nil).open(path, nil, asRows) }

// form is what a file's lines are read as.
type form int

const (
	asDocuments form = iota
	asRows
	asText // in any character set
)

// newReader reads an open file, which after an error stays open.
func newReader(f *Input, path string, p *Progress, as form) (*Reader, error) {
	r := &Reader{path: path, file: f}
	if f.Info().Dir {
		return nil, fmt.Errorf("reading %s: it is a folder, want a file", path)
	}
	r.counter = countingReader{r: f, p: p}
	in := bufio.NewReaderSize(&r.counter, 64<<10)
	magic, err := in.Peek(zstd.HeaderMaxSize)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	var src io.ReadCloser
	format, known := formatOf(magic)
	switch {
	case known:
		// The bytes that were peeked are counted already.
		at := &countingReaderAt{r: f, p: p, left: f.Info().Size - int64(in.Buffered())}
		if as == asRows {
			src, err = format.Rows(at, f.Info().Size)
		} else {
			src, err = format.Lines(rowName(path), at, f.Info().Size)
		}
	case len(magic) > 0 && CompressionOf(path) != Plain && !packed.Is(magic) && !strings.ContainsRune("{ \n\r\t", rune(magic[0])):
		// Reading compressed bytes as text would reject every line, one by
		// one; say once what is wrong.
		err = fmt.Errorf("its name says %s but it starts with % x", CompressionOf(path), magic[:min(len(magic), 4)])
	default:
		src, err = packed.NewReader(in)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	r.unzip = src
	r.buf = bufio.NewReaderSize(src, 256<<10)
	if as == asText {
		return r, nil
	}
	if head, _ := r.buf.Peek(len(mark)); string(head) == mark {
		r.offset = int64(len(mark))
	}
	if err := PassMark(r.buf); err != nil {
		src.Close()
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return r, nil
}

// mark is the byte order mark of UTF-8.
const mark = "\xef\xbb\xbf"

// PassMark passes over a byte order mark, which Windows tools write before a text and
// which is no part of its first line. Texts in UTF-16, with a mark or without, are an
// error: reading them would reject every line. What cannot be read here, the first
// line's reading tells of.
func PassMark(in *bufio.Reader) error {
	head, _ := in.Peek(4)
	if bytes.HasPrefix(head, []byte(mark)) {
		_, err := in.Discard(len(mark))
		return err
	}
	if name := wideText(head); name != "" {
		return fmt.Errorf("it is %s, want UTF-8\nhint: iconv -f %s -t UTF-8", name, name)
	}
	return nil
}

// wideText names the encoding of a text of two or four bytes a character by its first
// bytes, which are a mark or the brace of a JSON object; "" when it is none.
func wideText(head []byte) string {
	for _, e := range []struct{ head, name string }{
		{"\xff\xfe\x00\x00", "UTF-32LE"},
		{"\x00\x00\xfe\xff", "UTF-32BE"},
		{"{\x00\x00\x00", "UTF-32LE"},
		{"\x00\x00\x00{", "UTF-32BE"},
		{"\xff\xfe", "UTF-16LE"},
		{"\xfe\xff", "UTF-16BE"},
		{"{\x00", "UTF-16LE"},
		{"\x00{", "UTF-16BE"},
	} {
		if bytes.HasPrefix(head, []byte(e.head)) {
			return e.name
		}
	}
	return ""
}

// NextLine returns the following line, valid until the next call. At the end
// of the file it returns io.EOF; a line above MaxLine gives a *RecordError
// after which it may be called again; any other error is final.
func (r *Reader) NextLine() (Line, error) {
	for {
		b, err := r.readLine()
		if bad, ok := err.(*RecordError); ok {
			return Line{}, bad
		}
		if err != nil && err != io.EOF {
			err = fmt.Errorf("reading %s after line %d: %w", r.path, r.line, err)
			if errors.Is(err, io.ErrUnexpectedEOF) {
				err = fmt.Errorf("%w\nhint: the file is cut short; fetch or write it again", err)
			}
			return Line{}, err
		}
		start := r.offset
		r.offset += int64(len(b))
		if len(b) > 0 {
			r.line++
		}
		b = bytes.TrimRight(b, "\r\n")
		if len(bytes.TrimLeft(b, " \t\r")) > 0 {
			return Line{Bytes: b, Number: r.line, Offset: start}, nil
		}
		if err == io.EOF {
			return Line{}, r.end()
		}
	}
}

// keep gives the memory of a line just read to the caller, if the line is long enough to
// have its own; other lines must be copied.
func (r *Reader) keep(line Line) bool {
	if len(line.Bytes) < batchBytes || len(r.long) == 0 || &r.long[0] != &line.Bytes[0] {
		return false
	}
	r.long = nil
	return true
}

// readLine returns the next line with its ending. A line above MaxLine is
// read to its end but not kept, and gives a *RecordError.
func (r *Reader) readLine() ([]byte, error) {
	if cap(r.long) > 1<<20 {
		r.long = nil // one long line should not cost memory for the rest
	}
	b, err := r.buf.ReadSlice('\n')
	if err != bufio.ErrBufferFull {
		return b, err
	}
	r.long = append(r.longer(len(b))[:0], b...)
	dropped := int64(0)
	for err == bufio.ErrBufferFull {
		b, err = r.buf.ReadSlice('\n')
		if n := len(r.long) + len(b); n <= MaxLine {
			r.long = append(r.longer(n), b...)
		} else {
			dropped += int64(len(b))
		}
	}
	if dropped == 0 || (err != nil && err != io.EOF) {
		return r.long, err
	}
	total := int64(len(r.long)) + dropped
	bad := &RecordError{
		File: r.path, Line: r.line + 1, Offset: r.offset, Raw: bytes.Clone(r.long[:1024]),
		Err: CheckLine(int(total)),
	}
	r.long = nil
	r.line++
	r.offset += total
	return nil, bad
}

// longer is r.long with room for n bytes. It grows in steps of four, as the parts that
// append would leave behind are several times a line of 16 MiB.
func (r *Reader) longer(n int) []byte {
	if n <= cap(r.long) {
		return r.long
	}
	return append(make([]byte, 0, max(n, min(4*cap(r.long), MaxLine))), r.long...)
}

// end is io.EOF, or an error when the file is no longer the one opened.
func (r *Reader) end() error {
	if err := r.file.Whole(); err != nil {
		return err
	}
	return io.EOF
}

// Next returns the following document. At the end of the file it returns
// io.EOF; a record that cannot be read gives a *RecordError with its line and
// its offset in bytes, and Next may be called again. Any other error is final.
// The document's raw fields are valid until the next call.
func (r *Reader) Next() (Document, error) {
	line, err := r.NextLine()
	if err != nil {
		return Document{}, err
	}
	var d Document
	if err := ParseDocument(line.Bytes, &d); err != nil {
		return Document{}, r.BadLine(line, err)
	}
	return d, nil
}

// BadLine makes the error for a line that a stage cannot use.
func (r *Reader) BadLine(line Line, err error) *RecordError {
	return &RecordError{File: r.path, Line: line.Number, Offset: line.Offset, Raw: bytes.Clone(line.Bytes), Err: err}
}

// Path is the name that the file was opened under.
func (r *Reader) Path() string { return r.path }

// Close releases the file.
func (r *Reader) Close() error {
	if r.unzip != nil {
		r.unzip.Close()
	}
	return r.file.Close()
}

// Compression is how a file is stored.
type Compression int

// The compressions of Dolma's files.
const (
	Plain Compression = iota
	Gzip
	Zstd
)

func (c Compression) String() string { return [...]string{"plain", "gzip", "zstd"}[c] }

// CompressionOf tells a file's compression from its last suffix; an ending
// .tmp is looked through.
func CompressionOf(path string) Compression {
	path = strings.TrimSuffix(path, ".tmp")
	switch {
	case strings.HasSuffix(path, ".gz"), strings.HasSuffix(path, ".gzip"):
		return Gzip
	case strings.HasSuffix(path, ".zst"), strings.HasSuffix(path, ".zstd"):
		return Zstd
	}
	return Plain
}

// notWritten is the ending of a name that stands for a compression which is not
// written; "" for none.
func notWritten(path string) string {
	for _, suffix := range []string{".bz2", ".xz", ".lz4"} {
		if strings.HasSuffix(path, suffix) {
			return suffix
		}
	}
	return ""
}
