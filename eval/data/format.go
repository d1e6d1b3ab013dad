package evaldata

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"unicode/utf8"

	"olmo/data"
	"olmo/data/parquet"
	"olmo/eval/data/arrow"
	"olmo/packed"
	"olmo/store"
)

// format yields the rows of a file, and reports whether more are wanted. Errors need not name
// the file.
type format func(f io.Reader, place string, yield func(Row) bool) (more bool, err error)

// formats are those of files in places, by their ending, packed or not.
var formats = map[string]format{
	".jsonl":   lineRows,
	".json":    jsonRows,
	".parquet": parquetRows,
	".arrow":   arrowRows,
	".csv":     csvRows,
	".tsv":     tsvRows,
	".txt":     textRows,
}

// builders are the formats that a task's own file names, as the packaged loaders of Hugging
// Face's datasets.
var builders = map[string]format{"json": jsonRows, "parquet": parquetRows, "csv": csvRows, "text": textRows, "arrow": arrowRows}

// ending is the ending of a file's name by which its format is known; "" for one that is not.
func ending(name string) string {
	for _, packed := range []string{".gz", ".zst", ".bz2"} {
		if s, ok := strings.CutSuffix(name, packed); ok {
			name = s
			break
		}
	}
	if e := strings.ToLower(path.Ext(name)); formats[e] != nil {
		return e
	}
	return ""
}

// unpack gives the text of a file, plain or packed, without a byte order mark.
func unpack(f io.Reader) (*bufio.Reader, func(), error) {
	stored := bufio.NewReaderSize(f, 64<<10)
	if head, _ := stored.Peek(512); store.IsPointer(head) {
		return nil, nil, store.Mistaken(head)
	}
	plain, err := packed.NewReader(stored)
	if err != nil {
		return nil, nil, err
	}
	in := bufio.NewReaderSize(plain, 64<<10)
	if err := data.PassMark(in); err != nil {
		plain.Close()
		return nil, nil, err
	}
	return in, func() { plain.Close() }, nil
}

// errUTF8 is about texts that are none.
var errUTF8 = errors.New("the text is not valid UTF-8")

// jsonRows yields the elements of the list that a file is, or its lines.
func jsonRows(f io.Reader, place string, yield func(Row) bool) (more bool, err error) {
	in, done, err := unpack(f)
	if err != nil {
		return false, err
	}
	defer done()
	for n := 1; ; n++ {
		head, err := in.Peek(n)
		if err == nil && strings.IndexByte(" \t\r\n", head[n-1]) >= 0 {
			continue
		}
		if err == nil && head[n-1] == '[' {
			return list(in, place, yield)
		}
		return lines(in, place, yield)
	}
}

// lineRows yields the lines of a file.
func lineRows(f io.Reader, place string, yield func(Row) bool) (more bool, err error) {
	in, done, err := unpack(f)
	if err != nil {
		return false, err
	}
	defer done()
	return lines(in, place, yield)
}

// nextLine reads a line with its end; one that is longer than a line may be is an error.
func nextLine(in *bufio.Reader) (line []byte, err error) {
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if long := data.CheckLine(len(line)); long != nil {
			return nil, long
		}
		if err != bufio.ErrBufferFull {
			return line, err
		}
	}
}

// lines yields the lines of a text. Empty ones are no rows.
func lines(in *bufio.Reader, place string, yield func(Row) bool) (more bool, err error) {
	for n := 1; ; n++ {
		line, err := nextLine(in)
		if err != nil && err != io.EOF {
			return false, fmt.Errorf("line %d: %w", n, err)
		}
		if !utf8.Valid(line) {
			return false, fmt.Errorf("line %d: %w", n, errUTF8)
		}
		if text := bytes.TrimSpace(line); len(text) > 0 && !yield(Row{JSON: text, Place: fmt.Sprintf("%s:%d", place, n)}) {
			return false, nil
		}
		if err == io.EOF {
			return true, nil
		}
	}
}

// list yields the elements of a JSON list.
func list(in io.Reader, place string, yield func(Row) bool) (more bool, err error) {
	d := json.NewDecoder(in)
	if _, err := d.Token(); err != nil {
		return false, err
	}
	for n := 1; d.More(); n++ {
		var element json.RawMessage
		err := d.Decode(&element)
		if err == nil && !utf8.Valid(element) {
			err = errUTF8
		}
		if err != nil {
			return false, fmt.Errorf("row %d: %w", n, cut(err))
		}
		var row bytes.Buffer
		if err := json.Compact(&row, element); err != nil {
			return false, fmt.Errorf("row %d: %w", n, err)
		}
		if !yield(Row{JSON: row.Bytes(), Place: fmt.Sprintf("%s, row %d", place, n)}) {
			return false, nil
		}
	}
	if _, err := d.Token(); err != nil {
		return false, cut(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return false, errors.New("there is more behind the list of rows")
	}
	return true, nil
}

// cut makes an error of the end of a file in its middle.
func cut(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errors.New("the file is cut short")
	}
	return err
}

// textRows yields each line as {"text": …}, without its end: \n, \r\n or \r, as the loader of
// Hugging Face's datasets 5.2.0 has it (packaged_modules/text/text.py).
func textRows(f io.Reader, place string, yield func(Row) bool) (more bool, err error) {
	in, done, err := unpack(f)
	if err != nil {
		return false, err
	}
	defer done()
	n := 0
	row := func(line []byte) (more bool, err error) {
		n++
		if !utf8.Valid(line) {
			return false, fmt.Errorf("line %d: %w", n, errUTF8)
		}
		text := append(data.AppendString([]byte(`{"text":`), string(line)), '}')
		return yield(Row{JSON: text, Place: fmt.Sprintf("%s:%d", place, n)}), nil
	}
	for {
		line, end := nextLine(in)
		if end != nil && end != io.EOF {
			return false, fmt.Errorf("line %d: %w", n+1, end)
		}
		if text, ok := bytes.CutSuffix(line, []byte("\n")); ok {
			line = bytes.TrimSuffix(text, []byte("\r"))
		} else if len(line) == 0 {
			return true, nil
		} else {
			line = bytes.TrimSuffix(line, []byte("\r"))
		}
		for _, part := range bytes.Split(line, []byte("\r")) {
			if more, err := row(part); !more || err != nil {
				return false, err
			}
		}
		if end == io.EOF {
			return true, nil
		}
	}
}

// nexter is a reader of rows as JSON objects.
type nexter interface {
	Next(dst []byte) ([]byte, error)
}

// numbered yields the rows of a reader.
func numbered(in nexter, place string, yield func(Row) bool) (more bool, err error) {
	for n := 1; ; n++ {
		row, err := in.Next(nil)
		if err == io.EOF {
			return true, nil
		}
		if err == nil && !utf8.Valid(row) {
			err = errUTF8
		}
		if err != nil {
			return false, fmt.Errorf("row %d: %w", n, err)
		}
		if !yield(Row{JSON: row, Place: fmt.Sprintf("%s, row %d", place, n)}) {
			return false, nil
		}
	}
}

func arrowRows(f io.Reader, place string, yield func(Row) bool) (more bool, err error) {
	in, done, err := unpack(f)
	if err != nil {
		return false, err
	}
	defer done()
	rows, err := arrow.NewReader(in)
	if err != nil {
		return false, err
	}
	return numbered(rows, place, yield)
}

// parquetRows reads a file in a zip whole: its description stands at its end.
func parquetRows(f io.Reader, place string, yield func(Row) bool) (more bool, err error) {
	at, size, err := random(f)
	if err != nil {
		return false, err
	}
	head := make([]byte, min(size, 512))
	if _, err := at.ReadAt(head, 0); err != nil {
		return false, err
	}
	if err := store.Mistaken(head); err != nil {
		return false, err
	}
	rows, err := parquet.Open(at, size)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	return numbered(rows, place, yield)
}

// random gives the bytes of a file in any order.
func random(f io.Reader) (io.ReaderAt, int64, error) {
	if p, ok := f.(*inPlace); ok {
		f = p.File
	}
	if file, ok := f.(interface {
		io.ReaderAt
		Stat() (fs.FileInfo, error)
	}); ok {
		st, err := file.Stat()
		if err != nil {
			return nil, 0, err
		}
		return file, st.Size(), nil
	}
	b, err := io.ReadAll(f)
	return bytes.NewReader(b), int64(len(b)), err
}
