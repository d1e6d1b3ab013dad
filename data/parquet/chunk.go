package parquet

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/compress/brotli"
	"github.com/parquet-go/parquet-go/compress/gzip"
	"github.com/parquet-go/parquet-go/compress/snappy"
	"github.com/parquet-go/parquet-go/compress/uncompressed"
	"github.com/parquet-go/parquet-go/compress/zstd"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding"
	"github.com/parquet-go/parquet-go/encoding/bitpacked"
	"github.com/parquet-go/parquet-go/encoding/bytestreamsplit"
	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/plain"
	"github.com/parquet-go/parquet-go/encoding/rle"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// value is a value of a leaf, or in its place what is missing, with the levels that say which
// (Dremel, as of node). bytes stay as they are.
type value struct {
	def, rep int
	null     bool
	int      int64 // of booleans (0 or 1) and whole numbers
	float    float64
	int96    deprecated.Int96
	bytes    []byte
}

// chunk reads the values of one leaf in one row group, page by page.
type chunk struct {
	leaf  *field
	codec compress.Codec
	in    *bufio.Reader
	bytes int64 // that are left in the file
	left  int64 // values whose pages are still to come

	dictionary *values
	def, rep   []uint8 // of the page; nil where all are the greatest
	values     *values // of the page, without those that are missing
	at, n      int     // of the page's levels
	taken      int     // of the page's values
}

func openChunk(file io.ReaderAt, size int64, c *format.ColumnChunk, leaf *field) (*chunk, error) {
	m := &c.MetaData
	if c.FilePath != "" || len(c.EncryptedColumnMetadata) > 0 {
		return nil, fmt.Errorf("column %s is in another file, or encrypted, which is not supported", leaf.Name)
	}
	begin := m.DataPageOffset
	if d := m.DictionaryPageOffset; d > 0 && d < begin {
		begin = d
	}
	if begin < 4 || m.TotalCompressedSize < 0 || begin > size || m.TotalCompressedSize > size-begin || m.Type != leaf.Type.V || leaf.def > 255 || leaf.rep > 255 {
		return nil, fmt.Errorf("%w: column %s lies outside of it", ErrDamaged, leaf.Name)
	}
	codec, err := codecOf(m.Codec)
	if err != nil {
		return nil, err
	}
	section := io.NewSectionReader(file, begin, m.TotalCompressedSize)
	return &chunk{leaf: leaf, codec: codec, in: bufio.NewReaderSize(section, 64<<10), bytes: m.TotalCompressedSize, left: m.NumValues}, nil
}

func codecOf(c format.CompressionCodec) (compress.Codec, error) {
	switch c {
	case format.Uncompressed:
		return new(uncompressed.Codec), nil
	case format.Snappy:
		return new(snappy.Codec), nil
	case format.Gzip:
		return new(gzip.Codec), nil
	case format.Brotli:
		return new(brotli.Codec), nil
	case format.Zstd:
		return new(zstd.Codec), nil
	case format.Lz4Raw:
		// The library's decoder takes ever more memory for a damaged page.
		return nil, errors.New("LZ4 is not supported\nhint: write the file with zstd or snappy")
	}
	return nil, fmt.Errorf("compression %d is not supported\nhint: write the file with zstd or snappy", int(c))
}

// row appends the values of the next row: one, or as many as its lists have.
func (c *chunk) row(dst []value) ([]value, error) {
	for {
		if c.at == c.n {
			ok, err := c.page()
			if err != nil {
				return dst, err
			}
			if !ok && len(dst) == 0 {
				return dst, fmt.Errorf("%w: column %s has fewer rows than its row group", ErrDamaged, c.leaf.Name)
			}
			if !ok {
				return dst, nil
			}
		}
		v := value{def: c.leaf.def}
		if c.rep != nil {
			v.rep = int(c.rep[c.at])
		}
		if len(dst) > 0 && v.rep == 0 {
			return dst, nil
		}
		if c.def != nil {
			v.def = int(c.def[c.at])
		}
		c.at++
		if v.def < c.leaf.def {
			v.null = true
		} else {
			if c.taken >= c.values.n {
				return dst, errLevels
			}
			if err := c.values.get(c.taken, &v); err != nil {
				return dst, err
			}
			c.taken++
		}
		if dst = append(dst, v); c.leaf.rep == 0 {
			return dst, nil
		}
	}
}

// page reads the next page with values; false at the end.
func (c *chunk) page() (bool, error) {
	for c.left > 0 {
		var h format.PageHeader
		counted := &counter{in: c.in}
		if err := thrift.NewDecoder(new(thrift.CompactProtocol).NewReader(counted)).Decode(&h); err != nil {
			return false, fmt.Errorf("%w: the head of a page of column %s: %w", ErrDamaged, c.leaf.Name, err)
		}
		c.bytes -= counted.n
		if n := int64(h.CompressedPageSize); n < 0 || n > c.bytes || h.UncompressedPageSize < 0 {
			return false, fmt.Errorf("%w: a page of column %s has %d bytes, its chunk %d", ErrDamaged, c.leaf.Name, n, c.bytes)
		}
		c.bytes -= int64(h.CompressedPageSize)
		page := make([]byte, h.CompressedPageSize)
		if _, err := io.ReadFull(c.in, page); err != nil {
			return false, err
		}
		var err error
		switch h.Type {
		case format.DictionaryPage:
			err = c.readDictionary(&h, page)
		case format.DataPage:
			err = c.readPage(&h, page)
		case format.DataPageV2:
			err = c.readPage2(&h, page)
		default:
			continue // an index, which is no value
		}
		if err != nil {
			return false, fmt.Errorf("%w: a page of column %s: %w", ErrDamaged, c.leaf.Name, err)
		}
		if h.Type == format.DictionaryPage {
			continue
		}
		if c.left -= int64(c.n); c.left < 0 {
			return false, fmt.Errorf("%w: column %s has more values than its chunk", ErrDamaged, c.leaf.Name)
		}
		if c.n > 0 {
			return true, nil
		}
	}
	return false, nil
}

// counter counts what is read of a page's head.
type counter struct {
	in *bufio.Reader
	n  int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.in.Read(b)
	c.n += int64(n)
	return n, err
}

func (c *counter) ReadByte() (byte, error) {
	b, err := c.in.ReadByte()
	if err == nil {
		c.n++
	}
	return b, err
}

// unpack gives the bytes of a page, of which there are so many.
func (c *chunk) unpack(b []byte, size int32) ([]byte, error) {
	out, err := c.codec.Decode(make([]byte, 0, size), b)
	if err == nil && len(out) != int(size) {
		err = fmt.Errorf("it has %d bytes, its head says %d", len(out), size)
	}
	return out, err
}

func (c *chunk) readDictionary(h *format.PageHeader, b []byte) error {
	b, err := c.unpack(b, h.UncompressedPageSize)
	if err != nil {
		return err
	}
	d := &h.DictionaryPageHeader.V
	c.dictionary = newValues(c.leaf)
	return c.dictionary.decode(format.Plain, b, int(d.NumValues))
}

// readPage reads a page of the first kind, which is packed as a whole.
func (c *chunk) readPage(h *format.PageHeader, b []byte) error {
	b, err := c.unpack(b, h.UncompressedPageSize)
	if err != nil {
		return err
	}
	d := &h.DataPageHeader.V
	levels := func(most int, e format.Encoding) (out []uint8, err error) {
		if most == 0 {
			return nil, nil
		}
		width := bits.Len8(uint8(most))
		if e == format.BitPacked {
			n := (int(d.NumValues)*width + 7) / 8
			if n < 0 || n > len(b) {
				return nil, io.ErrUnexpectedEOF
			}
			out, b, err = decodeLevels(&bitpacked.Encoding{BitWidth: width}, b, n, int(d.NumValues), most)
			return out, err
		}
		if len(b) < 4 {
			return nil, io.ErrUnexpectedEOF
		}
		n := int(uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24)
		b = b[4:]
		out, b, err = decodeLevels(&rle.Encoding{BitWidth: width}, b, n, int(d.NumValues), most)
		return out, err
	}
	if c.rep, err = levels(c.leaf.rep, d.RepetitionLevelEncoding); err != nil {
		return err
	}
	if c.def, err = levels(c.leaf.def, d.DefinitionLevelEncoding); err != nil {
		return err
	}
	return c.setValues(d.Encoding, b, int(d.NumValues))
}

// readPage2 reads a page of the second kind, whose levels are not packed.
func (c *chunk) readPage2(h *format.PageHeader, b []byte) (err error) {
	d := &h.DataPageHeaderV2.V
	size := h.UncompressedPageSize
	levels := func(most int, n int32) (out []uint8, err error) {
		size -= n
		if most == 0 || n == 0 { // some programs write levels of columns that have none, and pages without values
			if n < 0 || int(n) > len(b) {
				return nil, io.ErrUnexpectedEOF
			}
			if b = b[n:]; most > 0 && d.NumValues > 0 {
				return nil, errors.New("levels are missing")
			}
			return nil, nil
		}
		out, b, err = decodeLevels(&rle.Encoding{BitWidth: bits.Len8(uint8(most))}, b, int(n), int(d.NumValues), most)
		return out, err
	}
	if c.rep, err = levels(c.leaf.rep, d.RepetitionLevelsByteLength); err != nil {
		return err
	}
	if c.def, err = levels(c.leaf.def, d.DefinitionLevelsByteLength); err != nil {
		return err
	}
	if size < 0 {
		return io.ErrUnexpectedEOF
	}
	if !d.IsCompressed.Valid || d.IsCompressed.V {
		if b, err = c.unpack(b, size); err != nil {
			return err
		}
	}
	return c.setValues(d.Encoding, b, int(d.NumValues))
}

// decodeLevels reads count levels, none above most, from the first n bytes of b, and gives the rest.
func decodeLevels(e encoding.Encoding, b []byte, n, count, most int) (levels []uint8, rest []byte, err error) {
	if n < 0 || n > len(b) || count < 0 {
		return nil, nil, io.ErrUnexpectedEOF
	}
	levels, err = e.DecodeLevels(nil, b[:n])
	if err != nil {
		return nil, nil, err
	}
	if len(levels) < count {
		return nil, nil, io.ErrUnexpectedEOF
	}
	levels = levels[:count]
	for _, l := range levels {
		if int(l) > most {
			return nil, nil, fmt.Errorf("a level of %d, the schema has %d", l, most)
		}
	}
	return levels, b[n:], nil
}

// setValues reads the values of a page of n, of which the levels say which are missing.
func (c *chunk) setValues(e format.Encoding, b []byte, n int) error {
	if n < 0 {
		return io.ErrUnexpectedEOF
	}
	c.at, c.n, c.taken = 0, n, 0
	present := n
	for _, l := range c.def {
		if int(l) < c.leaf.def {
			present--
		}
	}
	c.values = newValues(c.leaf)
	if present == 0 {
		return nil
	}
	if e != plainDictionary && e != format.RLEDictionary {
		return c.values.decode(e, b, present)
	}
	if c.dictionary == nil {
		return errors.New("its dictionary is missing")
	}
	places, err := new(rle.DictionaryEncoding).DecodeInt32(nil, b)
	if err == nil && len(places) < present {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return err
	}
	d := *c.dictionary
	d.places, d.n = places[:present], present
	c.values = &d
	return nil
}

// plainDictionary is what older programs call the encoding of a dictionary, and of the places in it.
const plainDictionary format.Encoding = 2

// values are those of a page or a dictionary, in the form of their type.
type values struct {
	kind    format.Type
	width   int // of values that have all as many bytes
	n       int
	places  []int32 // in the dictionary whose values these are; nil where they are the page's own
	bits    []byte
	int32s  []int32
	int64s  []int64
	int96s  []deprecated.Int96
	floats  []float32
	doubles []float64
	bytes   []byte
	offsets []uint32 // of texts in bytes, and their end
}

func newValues(leaf *field) *values {
	return &values{kind: leaf.Type.V, width: int(leaf.TypeLength.V)}
}

// decode reads n values.
func (v *values) decode(code format.Encoding, b []byte, n int) (err error) {
	var e encoding.Encoding
	switch code {
	case format.Plain, plainDictionary:
		e = new(plain.Encoding)
	case format.RLE:
		e = &rle.Encoding{BitWidth: 1}
	case format.DeltaBinaryPacked:
		e = new(delta.BinaryPackedEncoding)
	case format.DeltaLengthByteArray:
		e = new(delta.LengthByteArrayEncoding)
	case format.DeltaByteArray:
		e = new(delta.ByteArrayEncoding)
	case format.ByteStreamSplit:
		e = new(bytestreamsplit.Encoding)
	default:
		return fmt.Errorf("encoding %s is not supported", code)
	}
	have := 0
	switch v.kind {
	case format.Boolean:
		v.bits, err = e.DecodeBoolean(nil, b)
		have = 8 * len(v.bits)
	case format.Int32:
		v.int32s, err = e.DecodeInt32(nil, b)
		have = len(v.int32s)
	case format.Int64:
		v.int64s, err = e.DecodeInt64(nil, b)
		have = len(v.int64s)
	case format.Int96:
		v.int96s, err = e.DecodeInt96(nil, b)
		have = len(v.int96s)
	case format.Float:
		v.floats, err = e.DecodeFloat(nil, b)
		have = len(v.floats)
	case format.Double:
		v.doubles, err = e.DecodeDouble(nil, b)
		have = len(v.doubles)
	case format.ByteArray:
		v.bytes, v.offsets, err = e.DecodeByteArray(nil, b, nil)
		have = max(len(v.offsets)-1, 0)
	case format.FixedLenByteArray:
		if v.width <= 0 {
			return fmt.Errorf("values of %d bytes", v.width)
		}
		v.bytes, err = e.DecodeFixedLenByteArray(nil, b, v.width)
		have = len(v.bytes) / v.width
	default:
		return fmt.Errorf("type %s is not supported", v.kind)
	}
	if err == nil && have < n {
		err = fmt.Errorf("it has %d values, want %d", have, n)
	}
	v.n = n
	return err
}

// get sets to to value i.
func (v *values) get(i int, to *value) error {
	if v.places != nil {
		if i = int(v.places[i]); i < 0 {
			return errLevels
		}
	}
	switch {
	case v.kind == format.Boolean && i < 8*len(v.bits):
		to.int = int64(v.bits[i/8] >> (i % 8) & 1)
	case v.kind == format.Int32 && i < len(v.int32s):
		to.int = int64(v.int32s[i])
	case v.kind == format.Int64 && i < len(v.int64s):
		to.int = v.int64s[i]
	case v.kind == format.Int96 && i < len(v.int96s):
		to.int96 = v.int96s[i]
	case v.kind == format.Float && i < len(v.floats):
		to.float = float64(v.floats[i])
	case v.kind == format.Double && i < len(v.doubles):
		to.float = v.doubles[i]
	case v.kind == format.ByteArray && i+1 < len(v.offsets):
		to.bytes = v.bytes[v.offsets[i]:v.offsets[i+1]]
	case v.kind == format.FixedLenByteArray && (i+1)*v.width <= len(v.bytes):
		to.bytes = v.bytes[i*v.width : (i+1)*v.width]
	default:
		return fmt.Errorf("%w: value %d of a dictionary of fewer", ErrDamaged, i)
	}
	return nil
}
