package parquet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"olmo/data"
)

// document is the schema of the files that are written. It does not depend on
// the documents, so that any number of files can be read as one set. metadata
// and attributes are JSON: their members differ from document to document.
type document struct {
	ID         string  `parquet:"id"`
	Text       string  `parquet:"text"`
	Source     *string `parquet:"source,optional,dict"`
	Added      *string `parquet:"added,optional"`
	Created    *string `parquet:"created,optional"`
	Version    *string `parquet:"version,optional,dict"`
	Metadata   *string `parquet:"metadata,optional"`
	Attributes *string `parquet:"attributes,optional"`
}

// groupBytes is how much text a row group holds: what a reader of whole row
// groups must keep in memory.
const groupBytes = 64 << 20

// Writer writes lines of JSON, one a document, as a Parquet file.
type Writer struct {
	w     *parquet.GenericWriter[document]
	part  []byte // a line that has begun
	rows  []document
	bytes int // in the row group
	group int // and when it is full
	err   error
}

// NewWriter starts a file on w: Zstandard, row groups of 64 MiB of text.
func NewWriter(w io.Writer) *Writer {
	return &Writer{group: groupBytes, w: parquet.NewGenericWriter[document](
		w,
		parquet.Compression(&zstd.Codec{Level: zstd.SpeedDefault, Concurrency: 1}),
		// The least and the greatest text serve no reader and are as long as
		// texts are.
		parquet.SkipPageBounds("text"), parquet.SkipPageBounds("metadata"), parquet.SkipPageBounds("attributes"),
		parquet.PageBufferSize(1<<20),
		parquet.CreatedBy("olmo", "1", ""),
	)}
}

// Write takes lines; one may come in pieces.
func (w *Writer) Write(b []byte) (int, error) {
	n := len(b)
	for w.err == nil {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			w.part = append(w.part, b...)
			break
		}
		line := b[:i]
		if len(w.part) > 0 {
			w.part = append(w.part, line...)
			line = w.part
		}
		w.err = w.add(line)
		w.part, b = w.part[:0], b[i+1:]
	}
	if w.err != nil {
		return 0, w.err
	}
	return n, nil
}

func (w *Writer) add(line []byte) error {
	if len(bytes.TrimSpace(line)) == 0 {
		return nil
	}
	var d data.Document
	if err := data.ParseDocument(line, &d); err != nil {
		return fmt.Errorf("a Parquet file takes documents only: %w", err)
	}
	metadata, err := withUnknown(&d)
	if err != nil {
		return err
	}
	row := document{
		ID: d.ID, Text: d.Text, Source: some(d.Source), Added: some(d.Added), Created: some(d.Created), Version: some(d.Version),
		Metadata: some(string(metadata)), Attributes: some(string(d.Attributes)),
	}
	w.rows = append(w.rows, row)
	size := len(d.Text) + len(metadata) + len(d.Attributes) + len(d.ID)
	w.bytes += size
	if len(w.rows) >= 64 || size > 1<<20 {
		if err := w.flush(); err != nil {
			return err
		}
	}
	if w.bytes < w.group {
		return nil
	}
	w.bytes = 0
	if err := w.flush(); err != nil {
		return err
	}
	return w.w.Flush()
}

func (w *Writer) flush() error {
	_, err := w.w.Write(w.rows)
	clear(w.rows)
	w.rows = w.rows[:0]
	return err
}

func some(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// columns are the members that have a column of their own.
var columns = []string{"id", "text", "source", "added", "created", "version", "metadata", "attributes"}

// withUnknown is the document's metadata together with the members that have
// no column.
func withUnknown(d *data.Document) ([]byte, error) {
	fields, err := data.AppendFields(nil, d.Raw)
	if err != nil {
		return nil, err
	}
	fields = slices.DeleteFunc(fields, func(f data.Field) bool { return slices.Contains(columns, f.Key) })
	if len(fields) == 0 {
		if string(d.Metadata) == "null" {
			return nil, nil
		}
		return d.Metadata, nil
	}
	var all []data.Field
	if m := bytes.TrimSpace(d.Metadata); len(m) > 0 && m[0] == '{' {
		if all, err = data.AppendFields(nil, m); err != nil {
			return nil, err
		}
	}
	var out []byte
	for _, f := range append(all, fields...) {
		open := byte(',')
		if len(out) == 0 {
			open = '{'
		}
		out = append(data.AppendString(append(out, open), f.Key), ':')
		out = append(out, f.Value...)
	}
	return append(out, '}'), nil
}

// Close completes the file.
func (w *Writer) Close() error {
	if w.err == nil && len(w.part) > 0 {
		w.err = w.add(w.part)
		w.part = nil
	}
	if w.err != nil {
		return w.err
	}
	err := errors.Join(w.flush(), w.w.Close())
	w.err = errors.New("the Parquet file is closed")
	return err
}
