// Package parquet reads and writes documents as Parquet files: whatever columns
// a file has become the members of a document, and documents are written with
// one stable schema. Importing it makes all readers and writers of package data
// know such files.
package parquet

import (
	"fmt"
	"io"

	"olmo/data"
)

func init() {
	data.RegisterFormat(data.Format{
		Suffix: ".parquet",
		Magic:  "PAR1",
		Lines: func(name string, file io.ReaderAt, size int64) (io.ReadCloser, error) {
			rows, err := Open(file, size)
			if err != nil {
				return nil, err
			}
			return &lines{rows: rows, documents: true, name: name}, nil
		},
		Rows: func(file io.ReaderAt, size int64) (io.ReadCloser, error) {
			rows, err := Open(file, size)
			if err != nil {
				return nil, err
			}
			return &lines{rows: rows}, nil
		},
		Writer: func(w io.Writer) (io.WriteCloser, error) { return NewWriter(w), nil },
	})
}

// lines gives the rows of a file, a line each, as they stand or as documents.
type lines struct {
	rows      *Reader
	documents bool
	name      string // for ids of documents without one
	n         int64
	row       []byte
	buf       []byte
	left      []byte
}

func (l *lines) Read(b []byte) (int, error) {
	if len(l.left) == 0 {
		var err error
		if l.row, err = l.rows.Next(l.row[:0]); err != nil {
			return 0, err
		}
		l.n++
		if !l.documents {
			l.buf = append(l.buf[:0], l.row...)
		} else if l.buf, err = data.DefaultKeys.AppendDocument(l.buf[:0], l.row, l.name, l.n); err != nil {
			return 0, fmt.Errorf("row %d: %w", l.n, err)
		}
		l.buf = append(l.buf, '\n')
		l.left = l.buf
	}
	n := copy(b, l.left)
	l.left = l.left[n:]
	return n, nil
}

func (l *lines) Close() error { return l.rows.Close() }
