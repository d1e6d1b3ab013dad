package parquet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"olmo/data"
)

// Writing is our own, since it needs one type of value and no nesting, where the library's writer
// is 3.6 MB of the program. The format is apache/parquet-format 2.11: parquet.thrift, Encodings.md.

const (
	// groupBytes is how much text a row group holds: what a reader of whole row
	// groups must keep in memory.
	groupBytes = 64 << 20
	// pageBytes is what a page holds before it is packed; a longer value has one of its own.
	pageBytes = 1 << 20
	// boundBytes is the longest value that is kept as the least or the greatest of a column: of
	// longer ones they serve no reader and are as long as texts are.
	boundBytes = 256
)

// newColumns are the columns of the files that are written. They do not depend on
// the documents, so that any number of files can be read as one set. metadata
// and attributes are JSON: their members differ from document to document.
func newColumns() []*column {
	all := make([]*column, len(columnNames))
	for i, name := range columnNames {
		all[i] = &column{name: name, optional: i >= 2, bounded: true}
	}
	return all
}

// columnNames are the members that have a column of their own; all but the first two may be absent.
var columnNames = []string{"id", "text", "source", "added", "created", "version", "metadata", "attributes"}

// column is a column of the row group in work: the page that has begun, and those that are packed.
type column struct {
	name     string
	optional bool

	values  []byte  // of the page, each behind its length
	runs    []int64 // of the page, rows with a value and rows without in turn
	rows    int32   // of the page
	packed  []byte  // pages with their headers
	all     int64   // rows of the group
	null    int64   // of them, those without a value
	size    int64   // of the pages before they were packed, with their headers
	bounded bool    // least and most are those of all values
	least   []byte
	most    []byte
}

// add appends the value of a row; of an optional column the empty one counts as absent.
func (c *column) add(v []byte) {
	present := !c.optional || len(v) > 0
	if len(c.runs) == 0 {
		c.runs = append(c.runs, 0) // the first is of values
	}
	if (len(c.runs)%2 == 1) != present {
		c.runs = append(c.runs, 0)
	}
	c.runs[len(c.runs)-1]++
	c.rows++
	if !present {
		c.null++
		return
	}
	c.values = append(binary.LittleEndian.AppendUint32(c.values, uint32(len(v))), v...)
	if len(v) > boundBytes {
		c.bounded = false
	}
	if !c.bounded {
		return
	}
	if c.least == nil || bytes.Compare(v, c.least) < 0 {
		c.least = append([]byte{}, v...)
	}
	if c.most == nil || bytes.Compare(v, c.most) > 0 {
		c.most = append([]byte{}, v...)
	}
}

// pack ends the page that has begun. A page is the levels, which say which rows have a value, as
// runs, and the values.
func (c *column) pack(e *zstd.Encoder) error {
	if c.rows == 0 {
		return nil
	}
	var page []byte
	if c.optional {
		page = make([]byte, 4)
		for i, n := range c.runs {
			if n > 0 {
				page = append(binary.AppendUvarint(page, uint64(n)<<1), byte(1-i%2))
			}
		}
		binary.LittleEndian.PutUint32(page, uint32(len(page)-4))
	}
	page = append(page, c.values...)
	packed := e.EncodeAll(page, nil)
	if len(page) > math.MaxInt32 || len(packed) > math.MaxInt32 {
		return fmt.Errorf("a %s of %d bytes is more than a page of a Parquet file can hold", c.name, len(c.values))
	}
	head, err := thrift.Marshal(new(thrift.CompactProtocol), &format.PageHeader{
		Type: format.DataPage, UncompressedPageSize: int32(len(page)), CompressedPageSize: int32(len(packed)),
		DataPageHeader: thrift.New(format.DataPageHeader{
			NumValues: c.rows, Encoding: format.Plain, DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE,
		}),
	})
	if err != nil {
		return err
	}
	c.packed = append(append(c.packed, head...), packed...)
	c.size += int64(len(head) + len(page))
	c.all += int64(c.rows)
	c.values, c.runs, c.rows = c.values[:0], c.runs[:0], 0
	return nil
}

// Writer writes lines of JSON, one a document, as a Parquet file.
type Writer struct {
	w       io.Writer
	at      int64 // of the file, in bytes
	encoder *zstd.Encoder
	columns []*column
	part    []byte // a line that has begun
	rows    int64  // in the row group
	bytes   int    // in the row group
	group   int    // and when it is full
	all     int64  // rows of the groups before
	groups  []format.RowGroup
	err     error
}

// NewWriter starts a file on w: Zstandard, row groups of 64 MiB of text.
func NewWriter(w io.Writer) *Writer {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	return &Writer{w: w, encoder: e, columns: newColumns(), group: groupBytes, err: err}
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
	size := 0
	for i, v := range [][]byte{[]byte(d.ID), []byte(d.Text), []byte(d.Source), []byte(d.Added), []byte(d.Created), []byte(d.Version), metadata, d.Attributes} {
		if len(v) > math.MaxInt32 {
			return fmt.Errorf("a %s of %d bytes is more than a page of a Parquet file can hold", columnNames[i], len(v))
		}
		c := w.columns[i]
		if len(c.values) > 0 && len(c.values)+len(v) > pageBytes {
			if err := c.pack(w.encoder); err != nil {
				return err
			}
		}
		c.add(v)
		size += len(v)
	}
	w.rows++
	if w.bytes += size; w.bytes < w.group {
		return nil
	}
	return w.flush()
}

// flush writes the row group that has begun.
func (w *Writer) flush() error {
	if w.rows == 0 {
		return nil
	}
	if err := w.write(nil); err != nil { // the file's first bytes
		return err
	}
	g := format.RowGroup{FileOffset: w.at, NumRows: w.rows, Ordinal: int16(len(w.groups))}
	for _, c := range w.columns {
		if err := c.pack(w.encoder); err != nil {
			return err
		}
		at := w.at
		if err := w.write(c.packed); err != nil {
			return err
		}
		m := format.ColumnMetaData{
			Type: format.ByteArray, Encoding: []format.Encoding{format.Plain, format.RLE}, PathInSchema: []string{c.name}, Codec: format.Zstd,
			NumValues: c.all, TotalUncompressedSize: c.size, TotalCompressedSize: int64(len(c.packed)), DataPageOffset: at,
			Statistics: format.Statistics{NullCount: c.null},
		}
		if c.bounded {
			m.Statistics.MinValue, m.Statistics.MaxValue = c.least, c.most
		}
		g.Columns = append(g.Columns, format.ColumnChunk{FileOffset: at, MetaData: m})
		g.TotalByteSize, g.TotalCompressedSize = g.TotalByteSize+m.TotalUncompressedSize, g.TotalCompressedSize+m.TotalCompressedSize
		*c = column{name: c.name, optional: c.optional, bounded: true, values: c.values, runs: c.runs, packed: c.packed[:0]}
	}
	w.groups = append(w.groups, g)
	w.all, w.rows, w.bytes = w.all+w.rows, 0, 0
	return nil
}

// write writes b, at the file's start behind the bytes that say what it is.
func (w *Writer) write(b []byte) error {
	if w.at == 0 {
		if _, err := io.WriteString(w.w, magic); err != nil {
			return err
		}
		w.at = int64(len(magic))
	}
	_, err := w.w.Write(b)
	w.at += int64(len(b))
	return err
}

const magic = "PAR1"

// footer says what is in the file and where.
func (w *Writer) footer() ([]byte, error) {
	m := format.FileMetaData{
		Version: 1, NumRows: w.all, RowGroups: w.groups, CreatedBy: "olmo version 1",
		Schema: []format.SchemaElement{{Name: "document", NumChildren: thrift.New(int32(len(w.columns)))}},
	}
	for _, c := range w.columns {
		e := format.SchemaElement{
			Type: thrift.New(format.ByteArray), RepetitionType: thrift.New(format.Required), Name: c.name,
			ConvertedType: thrift.New(deprecated.UTF8), LogicalType: format.LogicalType{Value: new(format.StringType)},
		}
		if c.optional {
			e.RepetitionType.V = format.Optional
		}
		m.Schema = append(m.Schema, e)
		m.ColumnOrders = append(m.ColumnOrders, format.ColumnOrder{Value: new(format.TypeDefinedOrder)}) // by bytes
	}
	b, err := thrift.Marshal(new(thrift.CompactProtocol), &m)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(b)))
	return append(b, magic...), err
}

// withUnknown is the document's metadata together with the members that have
// no column.
func withUnknown(d *data.Document) ([]byte, error) {
	fields, err := data.AppendFields(nil, d.Raw)
	if err != nil {
		return nil, err
	}
	fields = slices.DeleteFunc(fields, func(f data.Field) bool { return slices.Contains(columnNames, f.Key) })
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
	err := w.flush()
	if err == nil {
		var footer []byte
		if footer, err = w.footer(); err == nil {
			err = w.write(footer)
		}
	}
	w.err = errors.New("the Parquet file is closed")
	return err
}
