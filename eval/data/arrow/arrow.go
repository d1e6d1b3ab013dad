// Package arrow reads the rows of Arrow IPC streams and files, in which Hugging Face's
// "datasets" keeps data sets, as JSON objects.
//
// The format is that of format/Message.fbs, Schema.fbs and docs/source/format/Columnar.rst of
// apache/arrow (version 1.5 of the format). Views, unions, decimals, intervals and
// buffers packed with LZ4 are refused by name.
package arrow

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// ErrDamaged is in the chain of errors about files that cannot be what they say they are.
var ErrDamaged = errors.New("the Arrow file is damaged")

// errShort is about files that end in the middle.
var errShort = fmt.Errorf("%w: it is cut short", ErrDamaged)

// Reader reads rows, batch after batch.
type Reader struct {
	in     *bufio.Reader
	fields []field
	byID   map[int64][]*field // fields of dictionaries' values
	values map[*field]*column // the dictionaries that were read, as values of a field
	batch  []column
	rows   int64 // of the batch
	next   int64
}

// NewReader reads up to the first batch. The rows follow from in, which must not be used
// beside it.
func NewReader(in io.Reader) (*Reader, error) {
	r := &Reader{in: bufio.NewReaderSize(in, 64<<10), byID: map[int64][]*field{}, values: map[*field]*column{}}
	// A file, rather than a stream, has a frame around the stream: 8 bytes before it, and a
	// footer behind its end.
	if magic, err := r.in.Peek(8); err == nil && string(magic[:6]) == "ARROW1" {
		if _, err := r.in.Discard(8); err != nil {
			return nil, err
		}
	}
	m, err := r.message()
	if err == io.EOF {
		return nil, errShort
	}
	if err != nil {
		return nil, err
	}
	if m.kind != schemaMessage {
		return nil, fmt.Errorf("%w: it does not begin with a schema", ErrDamaged)
	}
	if r.fields, err = schema(m.header); err == nil {
		err = m.whole()
	}
	if err != nil {
		return nil, err
	}
	dictionaries(r.fields, r.byID)
	return r, nil
}

// Next appends the following row to dst as a JSON object with the columns in their order. At
// the end it returns io.EOF.
func (r *Reader) Next(dst []byte) ([]byte, error) {
	for r.next == r.rows {
		if err := r.fill(); err != nil {
			return dst, err
		}
	}
	i := r.next
	r.next++
	return object(dst, r.fields, r.batch, i)
}

// fill reads the next batch that has rows.
func (r *Reader) fill() error {
	for {
		m, err := r.message()
		if err != nil {
			return err
		}
		switch m.kind {
		case batchMessage:
			if r.batch, r.rows, err = r.columns(m.header, m.body, r.fields); err != nil {
				return err
			}
			if r.next = 0; r.rows > 0 {
				return m.whole()
			}
		case dictionaryMessage:
			err = r.dictionary(m)
		case schemaMessage:
			err = fmt.Errorf("%w: it has a second schema", ErrDamaged)
		}
		if err == nil {
			err = m.whole()
		}
		if err != nil {
			return err
		}
	}
}

// dictionary reads the values of a dictionary.
func (r *Reader) dictionary(m *message) error {
	id := m.header.i64(0)
	fields := r.byID[id]
	if fields == nil {
		return fmt.Errorf("%w: no column has the dictionary %d", ErrDamaged, id)
	}
	for _, f := range fields {
		if m.header.u8(2, 0) != 0 {
			return fmt.Errorf("column %s: a dictionary that grows is not read", f.name)
		}
		columns, _, err := r.columns(m.header.table(1), m.body, []field{*f})
		if err != nil {
			return err
		}
		r.values[f] = &columns[0]
	}
	return nil
}

// The kinds of messages.
const (
	schemaMessage     = 1
	dictionaryMessage = 2
	batchMessage      = 3
)

type message struct {
	kind   int
	header table
	body   []byte
}

// whole tells of a description that points outside of itself.
func (m *message) whole() error {
	if m.header.f.bad {
		return fmt.Errorf("%w: a message's description points outside of it", ErrDamaged)
	}
	return nil
}

// message reads one; at the end of the stream it is io.EOF.
func (r *Reader) message() (*message, error) {
	var head [4]byte
	size := func() (int64, error) {
		_, err := io.ReadFull(r.in, head[:])
		return int64(int32(binary.LittleEndian.Uint32(head[:]))), err
	}
	n, err := size()
	if err == io.EOF {
		return nil, io.EOF // writers may leave out the mark of the end
	}
	if n == -1 && err == nil { // before Arrow 0.15 there was no such mark before the size
		n, err = size()
	}
	switch {
	case err != nil:
		return nil, short(err)
	case n == 0:
		return nil, io.EOF
	case n < 0 || n > 1<<28:
		return nil, fmt.Errorf("%w: a message's description has %d bytes", ErrDamaged, n)
	}
	described, err := r.take(n)
	if err != nil {
		return nil, err
	}
	f := &flat{b: described}
	t := f.root()
	m := &message{kind: t.u8(1, 0), header: t.table(2)}
	body := t.i64(3)
	if err := m.whole(); err != nil {
		return nil, err
	}
	if body < 0 {
		return nil, fmt.Errorf("%w: a message has %d bytes", ErrDamaged, body)
	}
	if m.body, err = r.take(body); err != nil {
		return nil, err
	}
	return m, nil
}

// take reads n bytes, and makes room only for what is there.
func (r *Reader) take(n int64) ([]byte, error) {
	var b bytes.Buffer
	if n <= 1<<20 {
		b.Grow(int(n))
	}
	if _, err := io.CopyN(&b, r.in, n); err != nil {
		return nil, short(err)
	}
	return b.Bytes(), nil
}

// short tells of a file that ends too early.
func short(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errShort
	}
	return err
}

// maxBuffer is the largest buffer that is unpacked.
const maxBuffer = 2 << 30

// unpack gives a buffer of a batch that is packed.
func unpack(b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, nil
	}
	if len(b) < 8 {
		return nil, fmt.Errorf("%w: a packed buffer of %d bytes", ErrDamaged, len(b))
	}
	n, packed := int64(binary.LittleEndian.Uint64(b)), b[8:]
	if n == -1 {
		return packed, nil
	}
	if n < 0 || n > maxBuffer {
		return nil, fmt.Errorf("%w: a packed buffer of %d bytes", ErrDamaged, n)
	}
	z, err := zstd.NewReader(bytes.NewReader(packed), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	var out bytes.Buffer
	if _, err := io.CopyN(&out, z, n); err != nil {
		return nil, fmt.Errorf("%w: a packed buffer is not of %d bytes", ErrDamaged, n)
	}
	return out.Bytes(), nil
}
