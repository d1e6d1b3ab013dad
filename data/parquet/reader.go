package parquet

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"olmo/data"
)

// Reader reads the rows of a Parquet file, row group after row group, page by
// page.
//
// Encodings, compressions and the footer are read by packages of parquet-go; what ties them together
// is our own, since the library's needs its writer, and Protocol Buffers: 4.5 MB of the program.
type Reader struct {
	file   io.ReaderAt
	size   int64
	meta   *format.FileMetaData
	root   node
	leaves []*field
	group  int       // the next row group
	chunks []*chunk  // of the one in work, by leaf
	rows   int64     // that are left of it
	room   [][]value // of the row in work, by leaf
	values [][]value // the same, without those that were taken
}

// node is a field of the schema with what the levels of its values mean.
//
// Dremel's record assembly, Melnik et al. 2010; the layouts of lists and maps
// are those of LogicalTypes.md of apache/parquet-format.
type node struct {
	name            string
	kind            kind
	optional        bool
	def, rep        int // levels at which the field is present; for lists, one element is
	first, last     int // leaf columns [first, last)
	children        []node
	leaf            format.Type
	logical         format.LogicalTypeValue
	unit            time.Duration // of a time or timestamp
	scale           int           // of a decimal
	unsigned, local bool
}

type kind int

const (
	leaf kind = iota
	group
	list // children[0] is the element
	dict // children are key and value
)

// ErrDamaged is in the chain of errors about files that cannot be what their
// first bytes say.
var ErrDamaged = errors.New("the Parquet file is damaged")

// guard turns a panic of the library, which trusts what a file says about
// itself in places, into an error.
func guard(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %v", ErrDamaged, p)
	}
}

// Open reads the schema of a file of size bytes.
func Open(file io.ReaderAt, size int64) (r *Reader, err error) {
	defer guard(&err)
	// The library makes room for the footer that a file says it has.
	var tail [8]byte
	if size < 12 {
		return nil, fmt.Errorf("%w: it has %d bytes", ErrDamaged, size)
	}
	if _, err := file.ReadAt(tail[:], size-8); err != nil {
		return nil, err
	}
	if n := binary.LittleEndian.Uint32(tail[:]); string(tail[4:]) != "PAR1" || int64(n) > size-12 {
		return nil, fmt.Errorf("%w: it has no footer\nhint: it is cut short; fetch or write it again", ErrDamaged)
	}
	n := int64(binary.LittleEndian.Uint32(tail[:]))
	footer := make([]byte, n)
	if _, err := file.ReadAt(footer, size-8-n); err != nil {
		return nil, err
	}
	r = &Reader{file: file, size: size, meta: new(format.FileMetaData), root: node{kind: group}}
	if err := thrift.Unmarshal(new(thrift.CompactProtocol), footer, r.meta); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	top, err := r.schema()
	if err != nil {
		return nil, err
	}
	for _, g := range r.meta.RowGroups {
		if len(g.Columns) != len(r.leaves) {
			return nil, fmt.Errorf("%w: a row group of %d columns, the schema has %d", ErrDamaged, len(g.Columns), len(r.leaves))
		}
		for i := range g.Columns {
			if _, err := codecOf(g.Columns[i].MetaData.Codec); err != nil {
				return nil, err
			}
		}
	}
	leaves := 0
	for _, f := range top.children {
		n, err := newNode(f, &leaves, 0, 0)
		if err != nil {
			return nil, err
		}
		r.root.children = append(r.root.children, n)
	}
	r.root.last = leaves
	r.room, r.values = make([][]value, leaves), make([][]value, leaves)
	return r, nil
}

// field is an element of the schema with those below it.
type field struct {
	*format.SchemaElement
	children []*field
	def, rep int // the greatest levels of its values
}

func (f *field) optional() bool { return f.repetition() == format.Optional }
func (f *field) repeated() bool { return f.repetition() == format.Repeated }
func (f *field) repetition() format.FieldRepetitionType {
	return f.RepetitionType.V
}

// schema makes a tree of the list of elements, in which those below one follow it, and lists the leaves.
func (r *Reader) schema() (*field, error) {
	list := r.meta.Schema
	var next func(def, rep, depth int) (*field, error)
	next = func(def, rep, depth int) (*field, error) {
		if len(list) == 0 || depth > 64 {
			return nil, fmt.Errorf("%w: its schema is no tree", ErrDamaged)
		}
		f := &field{SchemaElement: &list[0], def: def, rep: rep}
		list = list[1:]
		if depth > 0 && (f.optional() || f.repeated()) {
			f.def++
		}
		if depth > 0 && f.repeated() {
			f.rep++
		}
		if f.Type.Valid && depth > 0 {
			r.leaves = append(r.leaves, f)
			return f, nil
		}
		for range f.NumChildren.V {
			child, err := next(f.def, f.rep, depth+1)
			if err != nil {
				return nil, err
			}
			f.children = append(f.children, child)
		}
		return f, nil
	}
	return next(0, 0, 0)
}

// newNode makes a node of a field.
func newNode(f *field, leaves *int, def, rep int) (node, error) {
	n := node{name: f.Name, def: def, rep: rep, first: *leaves, optional: f.optional()}
	if f.optional() || f.repeated() {
		n.def++
	}
	if f.repeated() {
		n.rep++
	}
	var err error
	add := func(f *field, def, rep int) {
		var child node
		if err == nil {
			child, err = newNode(f, leaves, def, rep)
			n.children = append(n.children, child)
		}
	}
	if f.Type.Valid {
		err = n.setLeaf(f)
		*leaves++
	} else {
		n.kind = group
		inner := len(f.children) == 1 && f.children[0].repeated()
		switch f.logicalType().(type) {
		case *format.ListType:
			if inner {
				n.kind = list
				add(f.children[0], n.def, n.rep)
				break
			}
			return n, fmt.Errorf("column %s is a list of an unknown layout", f.Name)
		case *format.MapType:
			if inner && len(f.children[0].children) == 2 {
				n.kind = dict
				add(f.children[0], n.def, n.rep)
				break
			}
			return n, fmt.Errorf("column %s is a map of an unknown layout", f.Name)
		default:
			for _, child := range f.children {
				add(child, n.def, n.rep)
			}
		}
	}
	n.last = *leaves
	if err != nil {
		return n, err
	}
	// A repeated field is a list, of which a LIST or a MAP is the frame.
	switch {
	case n.kind == list:
		inner := n.children[0]
		element := inner.children[0]
		if element.kind == group && len(element.children) == 1 {
			element = element.children[0]
		}
		n.rep, n.children = inner.rep, []node{element}
	case n.kind == dict:
		inner := n.children[0]
		n.rep, n.children = inner.rep, inner.children[0].children
	case f.repeated():
		element := n
		n = node{name: n.name, kind: list, def: n.def - 1, rep: n.rep, first: n.first, last: n.last, children: []node{element}}
	}
	return n, nil
}

func (n *node) setLeaf(f *field) error {
	n.leaf = f.Type.V
	n.logical = f.logicalType()
	switch l := n.logical.(type) {
	case *format.TimestampType:
		if l.Unit.Value == nil {
			return fmt.Errorf("%w: a time without a unit", ErrDamaged)
		}
		n.unit, n.local = l.Unit.Value.Duration(), !l.IsAdjustedToUTC
	case *format.TimeType:
		if l.Unit.Value == nil {
			return fmt.Errorf("%w: a time without a unit", ErrDamaged)
		}
		n.unit = l.Unit.Value.Duration()
	case *format.DecimalType:
		if n.scale = int(l.Scale); n.scale < 0 || n.scale > 1000 {
			return fmt.Errorf("%w: a decimal of scale %d", ErrDamaged, l.Scale)
		}
	case *format.IntType:
		n.unsigned = !l.IsSigned
	}
	return nil
}

// logicalType says what the values mean, also where an older program wrote it in its way; nil where
// they are just what they are.
func (f *field) logicalType() format.LogicalTypeValue {
	if f.LogicalType.Value != nil || !f.ConvertedType.Valid {
		return f.LogicalType.Value
	}
	milli := format.TimeUnit{Value: new(format.MilliSeconds)}
	micro := format.TimeUnit{Value: new(format.MicroSeconds)}
	switch f.ConvertedType.V {
	case deprecated.UTF8:
		return new(format.StringType)
	case deprecated.Map:
		return new(format.MapType)
	case deprecated.List:
		return new(format.ListType)
	case deprecated.Enum:
		return new(format.EnumType)
	case deprecated.Json:
		return new(format.JsonType)
	case deprecated.Bson:
		return new(format.BsonType)
	case deprecated.Decimal:
		return &format.DecimalType{Scale: f.Scale.V, Precision: f.Precision.V}
	case deprecated.Date:
		return new(format.DateType)
	case deprecated.TimeMillis:
		return &format.TimeType{IsAdjustedToUTC: true, Unit: milli}
	case deprecated.TimeMicros:
		return &format.TimeType{IsAdjustedToUTC: true, Unit: micro}
	case deprecated.TimestampMillis:
		return &format.TimestampType{IsAdjustedToUTC: true, Unit: milli}
	case deprecated.TimestampMicros:
		return &format.TimestampType{IsAdjustedToUTC: true, Unit: micro}
	case deprecated.Uint8, deprecated.Uint16, deprecated.Uint32, deprecated.Uint64:
		return &format.IntType{}
	case deprecated.Int8, deprecated.Int16, deprecated.Int32, deprecated.Int64:
		return &format.IntType{IsSigned: true}
	}
	return nil
}

// Next appends the following row to dst as a JSON object with the columns in
// the file's order. At the end it returns io.EOF.
func (r *Reader) Next(dst []byte) (_ []byte, err error) {
	defer guard(&err)
	for r.rows == 0 {
		if err := r.open(); err != nil {
			return dst, err
		}
	}
	r.rows--
	for i, c := range r.chunks {
		if r.room[i], err = c.row(r.room[i][:0]); err != nil {
			return dst, err
		}
		r.values[i] = r.room[i]
	}
	return r.object(dst, &r.root)
}

// open begins the next row group.
func (r *Reader) open() error {
	for _, c := range r.chunks {
		if c.at < c.n || c.left > 0 {
			return fmt.Errorf("%w: column %s has more rows than its row group", ErrDamaged, c.leaf.Name)
		}
	}
	if r.group == len(r.meta.RowGroups) {
		return io.EOF
	}
	g := &r.meta.RowGroups[r.group]
	r.group++
	r.chunks = r.chunks[:0]
	for i := range g.Columns {
		c, err := openChunk(r.file, r.size, &g.Columns[i], r.leaves[i])
		if err != nil {
			return err
		}
		r.chunks = append(r.chunks, c)
	}
	if r.rows = g.NumRows; r.rows < 0 {
		return fmt.Errorf("%w: a row group of %d rows", ErrDamaged, r.rows)
	}
	return nil
}

// Close releases what the reader holds, but not the file.
func (r *Reader) Close() error {
	r.chunks, r.rows, r.group = nil, 0, len(r.meta.RowGroups)
	return nil
}

// errLevels tells of values whose levels do not fit the schema.
var errLevels = fmt.Errorf("%w: its values do not fit its schema", ErrDamaged)

// peek is the next value of the node's first leaf, which tells whether the
// node is present.
func (r *Reader) peek(n *node) (value, bool) {
	if n.first >= n.last || len(r.values[n.first]) == 0 {
		return value{}, false
	}
	return r.values[n.first][0], true
}

// skip takes the one value that each leaf of a missing node has.
func (r *Reader) skip(n *node) error {
	for i := n.first; i < n.last; i++ {
		if len(r.values[i]) == 0 {
			return errLevels
		}
		r.values[i] = r.values[i][1:]
	}
	return nil
}

func (r *Reader) value(dst []byte, n *node) ([]byte, error) {
	v, ok := r.peek(n)
	if !ok {
		return dst, errLevels
	}
	if n.optional && v.def < n.def {
		return append(dst, "null"...), r.skip(n)
	}
	switch n.kind {
	case group:
		return r.object(dst, n)
	case list, dict:
		return r.repeated(dst, n)
	}
	r.values[n.first] = r.values[n.first][1:]
	return n.append(dst, v), nil
}

func (r *Reader) object(dst []byte, n *node) (_ []byte, err error) {
	dst = append(dst, '{')
	for i := range n.children {
		if i > 0 {
			dst = append(dst, ',')
		}
		c := &n.children[i]
		dst = append(data.AppendString(dst, c.name), ':')
		if dst, err = r.value(dst, c); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// repeated appends a list, or a map as an object.
func (r *Reader) repeated(dst []byte, n *node) (_ []byte, err error) {
	open, end := byte('['), byte(']')
	if n.kind == dict {
		open, end = '{', '}'
	}
	dst = append(dst, open)
	v, ok := r.peek(n)
	if !ok {
		return dst, errLevels
	}
	if v.def <= n.def {
		return append(dst, end), r.skip(n)
	}
	for i := 0; ; i++ {
		if i > 0 {
			if v, ok := r.peek(n); !ok || v.rep != n.rep {
				break
			}
			dst = append(dst, ',')
		}
		if n.kind == list {
			if dst, err = r.value(dst, &n.children[0]); err != nil {
				return dst, err
			}
			continue
		}
		key, err := r.value(nil, &n.children[0])
		if err != nil {
			return dst, err
		}
		if len(key) == 0 || key[0] != '"' {
			key = data.AppendString(nil, string(key))
		}
		dst = append(append(dst, key...), ':')
		if dst, err = r.value(dst, &n.children[1]); err != nil {
			return dst, err
		}
	}
	return append(dst, end), nil
}

// append writes one value as JSON: numbers and booleans as such, bytes that
// are no text in base64, times in ISO 8601.
func (n *node) append(dst []byte, v value) []byte {
	if v.null {
		return append(dst, "null"...)
	}
	switch n.logical.(type) {
	case *format.DateType:
		return quoteTime(dst, time.Unix(v.int*86400, 0), "2006-01-02")
	case *format.TimestampType:
		per := int64(time.Second / n.unit)
		t := v.int
		return quoteTime(dst, time.Unix(floorDiv(t, per), (t-floorDiv(t, per)*per)*int64(n.unit)), n.layout())
	case *format.TimeType:
		return quoteTime(dst, time.Unix(0, 0).Add(time.Duration(v.int)*n.unit), "15:04:05.999999999")
	case *format.DecimalType:
		return appendDecimal(dst, n.leaf, v, n.scale)
	case *format.UUIDType:
		if b := v.bytes; len(b) == 16 {
			h := hex.EncodeToString(b)
			return data.AppendString(dst, h[:8]+"-"+h[8:12]+"-"+h[12:16]+"-"+h[16:20]+"-"+h[20:])
		}
	case *format.Float16Type:
		if b := v.bytes; len(b) == 2 {
			return data.AppendFloat(dst, float16(binary.LittleEndian.Uint16(b)))
		}
	}
	switch n.leaf {
	case format.Boolean:
		return strconv.AppendBool(dst, v.int != 0)
	case format.Int32:
		if n.unsigned {
			return strconv.AppendUint(dst, uint64(uint32(v.int)), 10)
		}
		return strconv.AppendInt(dst, v.int, 10)
	case format.Int64:
		if n.unsigned {
			return strconv.AppendUint(dst, uint64(v.int), 10)
		}
		return strconv.AppendInt(dst, v.int, 10)
	case format.Int96:
		// Spark's and Hive's timestamps: nanoseconds of a Julian day.
		t := v.int96
		ns := int64(t[0]) | int64(t[1])<<32
		return quoteTime(dst, time.Unix((int64(t[2])-2440588)*86400, ns), n.layout())
	case format.Float, format.Double: // of 32 bits as pyarrow reads them
		return data.AppendFloat(dst, v.float)
	}
	b := v.bytes
	switch {
	case utf8.Valid(b):
		return data.AppendString(dst, string(b))
	case n.logical == nil:
		return data.AppendString(dst, base64.StdEncoding.EncodeToString(b))
	}
	// A text that is none must not pass as one: its line is a bad record.
	return append(dst, '"', 0xff, '"')
}

func (n *node) layout() string {
	if n.local {
		return "2006-01-02T15:04:05.999999999"
	}
	return time.RFC3339Nano
}

func quoteTime(dst []byte, t time.Time, layout string) []byte {
	dst = append(dst, '"')
	return append(t.UTC().AppendFormat(dst, layout), '"')
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// float16 is the value of an IEEE half.
func float16(h uint16) float64 {
	sign, e, m := 1-2*float64(h>>15), int(h>>10&31), float64(h&1023)
	switch e {
	case 0:
		return sign * math.Ldexp(m, -24)
	case 31:
		return math.NaN()
	}
	return sign * math.Ldexp(1024+m, e-25)
}

func appendDecimal(dst []byte, kind format.Type, v value, scale int) []byte {
	var unscaled *big.Int
	switch kind {
	case format.Int32, format.Int64:
		unscaled = big.NewInt(v.int)
	default:
		b := v.bytes
		unscaled = new(big.Int).SetBytes(b)
		if len(b) > 0 && b[0]&0x80 != 0 {
			unscaled.Sub(unscaled, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
		}
	}
	text := new(big.Int).Abs(unscaled).String()
	for len(text) <= scale {
		text = "0" + text
	}
	if unscaled.Sign() < 0 {
		dst = append(dst, '-')
	}
	dst = append(dst, text[:len(text)-scale]...)
	if scale > 0 {
		dst = append(append(dst, '.'), text[len(text)-scale:]...)
	}
	return dst
}
