package convert

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"olmo/data"
	"olmo/data/charset"
	"olmo/data/parquet"
	"olmo/packed"
)

// rower gives the rows of a file one by one, and io.EOF after the last; Bytes
// are valid until the next call.
type rower interface {
	next() (row, error)
	Close() error
}

// open reads an open file as rows. Closing them closes the file.
func (r *run) open(f file, in *data.Input) (rower, error) {
	var rows rower
	var err error
	switch f.kind {
	case lines:
		var l *data.Reader
		if l, err = in.Lines(r.stage.Progress); err == nil {
			rows = jsonRows{l}
		}
	case columnar:
		var p *parquet.Reader
		if p, err = parquet.Open(in, in.Info().Size); err == nil {
			rows = &columnRows{p: p, file: in, progress: r.stage.Progress}
		}
	default:
		var t *tableRows
		if t, err = r.openTable(f.path, in); err == nil {
			rows = t
		}
	}
	return rows, err
}

// jsonRows are the lines of a file.
type jsonRows struct{ *data.Reader }

func (j jsonRows) next() (row, error) {
	line, err := j.NextLine()
	var bad *data.RecordError
	if errors.As(err, &bad) {
		return row{err: bad}, nil
	}
	return row{Line: line}, err
}

// columnRows are the rows of a Parquet file.
type columnRows struct {
	p        *parquet.Reader
	file     *data.Input
	progress *data.Progress
	n        int64
	buf      []byte
}

func (c *columnRows) next() (row, error) {
	var err error
	if c.buf, err = c.p.Next(c.buf[:0]); err != nil {
		if err == io.EOF {
			c.progress.BytesDone.Add(max(c.file.Info().Size, 0))
		}
		return row{}, err
	}
	c.n++
	return row{Line: data.Line{Bytes: c.buf, Number: c.n}}, nil
}

func (c *columnRows) Close() error { return errors.Join(c.p.Close(), c.file.Close()) }

// tableRows are the rows of a CSV file, as objects of strings.
type tableRows struct {
	path    string
	csv     *csv.Reader
	limit   *limited
	columns []string
	buf     []byte
	close   []io.Closer
}

// limited fails when one row takes more than a document may have: a quote
// that is never closed makes one row of the rest of the file.
type limited struct {
	r    io.Reader
	left int
}

var errLongRow = fmt.Errorf("a row has more than the %d bytes allowed\nhint: a quote may not be closed", data.MaxLine)

func (l *limited) Read(b []byte) (int, error) {
	if l.left < 0 {
		return 0, errLongRow
	}
	n, err := l.r.Read(b)
	l.left -= n
	return n, err
}

type counting struct {
	r io.Reader
	p *data.Progress
}

func (c counting) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.p.BytesDone.Add(int64(n))
	return n, err
}

func (r *run) openTable(path string, in *data.Input) (_ *tableRows, err error) {
	var unpacked io.ReadCloser
	t := &tableRows{path: path, columns: r.Columns, close: []io.Closer{in}}
	defer func() {
		if err != nil && unpacked != nil {
			unpacked.Close()
		}
	}()
	unpacked, err = packed.NewReader(bufio.NewReaderSize(counting{in, r.stage.Progress}, 64<<10))
	if err != nil {
		return nil, err
	}
	t.close = append(t.close, unpacked)
	t.limit = &limited{r: charset.NewReader(unpacked), left: data.MaxLine}
	t.csv = csv.NewReader(t.limit)
	t.csv.LazyQuotes, t.csv.ReuseRecord, t.csv.FieldsPerRecord = true, true, -1
	if strings.Contains(strings.ToLower(path), ".tsv") {
		t.csv.Comma = '\t'
	}
	if r.Delimiter != "" {
		t.csv.Comma = rune(r.Delimiter[0])
	}
	if len(t.columns) == 0 {
		heading, err := t.csv.Read()
		if err == io.EOF {
			return t, nil
		}
		if err != nil {
			return nil, err
		}
		t.columns = slices.Clone(heading)
	}
	if !slices.Contains(t.columns, r.TextKey) {
		return nil, fmt.Errorf("it has the columns %s and none called %s\nhint: name one with --text_key", strings.Join(t.columns, ", "), r.TextKey)
	}
	return t, nil
}

func (t *tableRows) next() (row, error) {
	t.limit.left = data.MaxLine
	fields, err := t.csv.Read()
	if err == io.EOF {
		return row{}, io.EOF
	}
	if err != nil {
		return row{}, fmt.Errorf("reading %s: %w", t.path, err)
	}
	number, _ := t.csv.FieldPos(0)
	line := data.Line{Number: int64(number), Offset: t.csv.InputOffset()}
	if len(fields) != len(t.columns) {
		return row{err: &data.RecordError{
			File: t.path, Line: line.Number, Offset: line.Offset, Raw: []byte(strings.Join(fields, string(t.csv.Comma))),
			Err: fmt.Errorf("the row has %d fields, the heading has %d", len(fields), len(t.columns)),
		}}, nil
	}
	t.buf = append(t.buf[:0], '{')
	for i, v := range fields {
		if i > 0 {
			t.buf = append(t.buf, ',')
		}
		if !utf8.ValidString(v) {
			v = strings.ToValidUTF8(v, "\ufffd") // some bytes of a file in UTF-8 are not
		}
		t.buf = append(data.AppendString(t.buf, t.columns[i]), ':')
		t.buf = data.AppendString(t.buf, v)
	}
	t.buf = append(t.buf, '}')
	line.Bytes = t.buf
	return row{Line: line}, nil
}

func (t *tableRows) Close() error {
	var err error
	for _, c := range slices.Backward(t.close) {
		err = errors.Join(err, c.Close())
	}
	return err
}
