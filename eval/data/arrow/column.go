package arrow

import (
	"encoding/binary"
	"fmt"
	"math"
)

// column is the values of a field in a batch. Lengths and offsets were checked against the
// buffers, so that a value of it can be read without a look.
type column struct {
	length   int64
	valid    []byte // a bit for each value; nil: all are there
	data     []byte
	offsets  []byte // of texts, bytes and lists
	wide     bool
	children []column
	values   *column // of a dictionary
}

// load takes columns out of a batch.
type load struct {
	r       *Reader
	t       table // RecordBatch
	body    []byte
	node    int // the next of nodes and buffers
	buffer  int
	nodes   int // where they stand, and how many there are
	nNodes  int
	buffers int
	nBuffer int
	packed  bool
	bytes   int64 // of the buffers that were read, unpacked
}

// columns reads the table RecordBatch.
func (r *Reader) columns(t table, body []byte, fields []field) ([]column, int64, error) {
	l := &load{r: r, t: t, body: body}
	l.nodes, l.nNodes = t.vector(1, 16)
	l.buffers, l.nBuffer = t.vector(2, 16)
	if c := t.table(3); c.pos > 0 {
		if c.u8(0, 0) != 1 {
			return nil, 0, fmt.Errorf("its columns are packed with LZ4, which is not read\nhint: write it again without compression or with zstd")
		}
		l.packed = true
	}
	rows := t.i64(0)
	if rows < 0 {
		return nil, 0, fmt.Errorf("%w: a batch of %d rows", ErrDamaged, rows)
	}
	out := make([]column, len(fields))
	for i := range fields {
		if err := l.column(&out[i], &fields[i], rows); err != nil {
			return nil, 0, err
		}
	}
	// Rows of nulls and of nothing take no room, so that there may seem to be any number.
	if rows > max(1<<20, 8*l.bytes) {
		return nil, 0, fmt.Errorf("%w: a batch of %d rows has %d bytes", ErrDamaged, rows, l.bytes)
	}
	return out, rows, nil
}

// errColumn tells of a column that is not what its field says.
func errColumn(f *field, format string, args ...any) error {
	return fmt.Errorf("%w: column %s: %s", ErrDamaged, f.name, fmt.Sprintf(format, args...))
}

// next is the following buffer.
func (l *load) next(f *field) ([]byte, error) {
	if l.buffer >= l.nBuffer {
		return nil, errColumn(f, "its buffers are missing")
	}
	at := l.buffers + 16*l.buffer
	l.buffer++
	offset, length := l.t.f.i64(at), l.t.f.i64(at+8)
	if offset < 0 || length < 0 || length > int64(len(l.body)) || offset > int64(len(l.body))-length {
		return nil, errColumn(f, "a buffer of %d bytes at %d of %d", length, offset, len(l.body))
	}
	b := l.body[offset : offset+length]
	if l.packed {
		var err error
		if b, err = unpack(b); err != nil {
			return nil, err
		}
	}
	l.bytes += int64(len(b))
	return b, nil
}

// sized is the following buffer, which must have n elements of so many bits.
func (l *load) sized(f *field, n int64, bits int) ([]byte, error) {
	b, err := l.next(f)
	if err == nil && n > int64(len(b))*8/int64(bits) {
		err = errColumn(f, "%d bytes for %d values of %d bits", len(b), n, bits)
	}
	return b, err
}

// column reads a field's values, of which there must be least.
func (l *load) column(c *column, f *field, least int64) (err error) {
	if l.node >= l.nNodes {
		return errColumn(f, "it is missing")
	}
	at := l.nodes + 16*l.node
	l.node++
	nulls := l.t.f.i64(at + 8)
	if c.length = l.t.f.i64(at); c.length < least || nulls < 0 || nulls > c.length {
		return errColumn(f, "%d values, %d of them null, for %d rows", c.length, nulls, least)
	}
	if f.kind != nullKind {
		n := c.length
		if nulls == 0 {
			n = 0
		}
		if c.valid, err = l.sized(f, n, 1); err != nil {
			return err
		}
		if nulls == 0 {
			c.valid = nil
		}
	}
	switch f.kind {
	case nullKind:
	case boolKind:
		c.data, err = l.sized(f, c.length, 1)
	case integerKind, floatKind, dateKind, clockKind, timestampKind:
		c.data, err = l.sized(f, c.length, f.bits)
	case fixedKind:
		if f.size == 0 {
			_, err = l.next(f)
		} else {
			c.data, err = l.sized(f, c.length, 8*f.size)
		}
	case textKind, bytesKind:
		var most int64
		if most, err = l.offsets(c, f); err == nil {
			c.data, err = l.sized(f, most, 8)
		}
	case listKind, mapKind:
		var most int64
		if most, err = l.offsets(c, f); err == nil {
			err = l.below(c, f, most)
		}
	case fixedListKind:
		if f.size > 0 && c.length > math.MaxInt64/int64(f.size) {
			return errColumn(f, "%d lists of %d values", c.length, f.size)
		}
		err = l.below(c, f, c.length*int64(f.size))
	case structKind:
		err = l.below(c, f, c.length)
	}
	if err == nil && f.dictionary {
		if c.values = l.r.values[f.values]; c.values == nil {
			err = errColumn(f, "its dictionary is missing")
		}
	}
	return err
}

// below reads the children.
func (l *load) below(c *column, f *field, least int64) error {
	c.children = make([]column, len(f.children))
	for i := range f.children {
		if err := l.column(&c.children[i], &f.children[i], least); err != nil {
			return err
		}
	}
	return nil
}

// offsets reads where the values begin, and returns where the last one ends. They must not
// run backwards.
func (l *load) offsets(c *column, f *field) (most int64, err error) {
	bits := 32
	if c.wide = f.wide; c.wide {
		bits = 64
	}
	if c.length == 0 { // then the buffer may be empty
		_, err := l.next(f)
		return 0, err
	}
	if c.length == math.MaxInt64 {
		return 0, errColumn(f, "%d values", c.length)
	}
	if c.offsets, err = l.sized(f, c.length+1, bits); err != nil {
		return 0, err
	}
	last := int64(0)
	for i := range c.length + 1 {
		o := c.offset(i)
		if o < last {
			return 0, errColumn(f, "value %d begins at %d, after %d", i, o, last)
		}
		last = o
	}
	return last, nil
}

func (c *column) offset(i int64) int64 {
	if c.wide {
		return int64(binary.LittleEndian.Uint64(c.offsets[8*i:]))
	}
	return int64(int32(binary.LittleEndian.Uint32(c.offsets[4*i:])))
}

func (c *column) null(i int64) bool { return c.valid != nil && !bit(c.valid, i) }

func bit(b []byte, i int64) bool { return b[i/8]>>(i%8)&1 != 0 }

// bits is the value i of so many bits, of which the rest is zero.
func (c *column) bits(i int64, bits int) uint64 {
	switch bits {
	case 8:
		return uint64(c.data[i])
	case 16:
		return uint64(binary.LittleEndian.Uint16(c.data[2*i:]))
	case 32:
		return uint64(binary.LittleEndian.Uint32(c.data[4*i:]))
	}
	return binary.LittleEndian.Uint64(c.data[8*i:])
}

// signed is the value i of so many bits, with a sign.
func (c *column) signed(i int64, bits int) int64 {
	shift := 64 - uint(bits)
	return int64(c.bits(i, bits)<<shift) >> shift
}
