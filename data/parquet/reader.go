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

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"olmo/data"
)

// Reader reads the rows of a Parquet file, row group after row group, page by
// page.
type Reader struct {
	file   *parquet.File
	root   node
	group  int
	rows   parquet.Rows
	batch  [16]parquet.Row
	have   []parquet.Row
	values [][]parquet.Value // of the row in work, by leaf
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
	leaf            parquet.Kind
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
	f, err := parquet.OpenFile(file, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.ReadBufferSize(64<<10))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	for _, g := range f.Metadata().RowGroups {
		for _, c := range g.Columns {
			// The library's decoder takes ever more memory for a damaged page.
			if c.MetaData.Codec == format.Lz4Raw {
				return nil, errors.New("LZ4 is not supported\nhint: write the file with zstd or snappy")
			}
		}
	}
	r = &Reader{file: f, root: node{kind: group}}
	// The library's columns forget that two bytes are a number.
	var halves []bool
	for _, e := range f.Metadata().Schema {
		if e.Type.Valid {
			_, half := e.LogicalType.Value.(*format.Float16Type)
			halves = append(halves, half)
		}
	}
	leaves := 0
	for _, c := range f.Root().Columns() {
		n, err := newNode(c, halves, &leaves, 0, 0)
		if err != nil {
			return nil, err
		}
		r.root.children = append(r.root.children, n)
	}
	r.root.last = leaves
	r.values = make([][]parquet.Value, leaves)
	return r, nil
}

// newNode makes a node of a column; halves says which leaves of the file are 16-bit numbers.
func newNode(c *parquet.Column, halves []bool, leaves *int, def, rep int) (node, error) {
	n := node{name: c.Name(), def: def, rep: rep, first: *leaves, optional: c.Optional()}
	if c.Optional() || c.Repeated() {
		n.def++
	}
	if c.Repeated() {
		n.rep++
	}
	var err error
	add := func(c *parquet.Column, def, rep int) {
		var child node
		if err == nil {
			child, err = newNode(c, halves, leaves, def, rep)
			n.children = append(n.children, child)
		}
	}
	if c.Leaf() {
		if err = n.setLeaf(c.Type()); *leaves < len(halves) && halves[*leaves] {
			n.logical = &format.Float16Type{}
		}
		*leaves++
	} else {
		n.kind = group
		var logical format.LogicalTypeValue
		if t := c.Type().LogicalType(); t != nil {
			logical = t.Value
		}
		columns := c.Columns()
		inner := len(columns) == 1 && columns[0].Repeated()
		switch logical.(type) {
		case *format.ListType:
			if inner {
				n.kind = list
				add(columns[0], n.def, n.rep)
				break
			}
			return n, fmt.Errorf("column %s is a list of an unknown layout", c.Name())
		case *format.MapType:
			if inner && len(columns[0].Columns()) == 2 {
				n.kind = dict
				add(columns[0], n.def, n.rep)
				break
			}
			return n, fmt.Errorf("column %s is a map of an unknown layout", c.Name())
		default:
			for _, child := range columns {
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
	case c.Repeated():
		element := n
		n = node{name: n.name, kind: list, def: n.def - 1, rep: n.rep, first: n.first, last: n.last, children: []node{element}}
	}
	return n, nil
}

func (n *node) setLeaf(t parquet.Type) error {
	n.leaf = t.Kind()
	l := t.LogicalType()
	if l == nil {
		return nil
	}
	n.logical = l.Value
	switch l := l.Value.(type) {
	case *format.TimestampType:
		n.unit, n.local = l.Unit.Value.Duration(), !l.IsAdjustedToUTC
	case *format.TimeType:
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

// Next appends the following row to dst as a JSON object with the columns in
// the file's order. At the end it returns io.EOF.
func (r *Reader) Next(dst []byte) (_ []byte, err error) {
	defer guard(&err)
	for len(r.have) == 0 {
		if err := r.fill(); err != nil {
			return dst, err
		}
	}
	row := r.have[0]
	r.have = r.have[1:]
	clear(r.values)
	start := 0
	for i := range row {
		if i+1 == len(row) || row[i+1].Column() != row[i].Column() {
			r.values[row[i].Column()] = row[start : i+1]
			start = i + 1
		}
	}
	return r.object(dst, &r.root)
}

// fill reads some more rows.
func (r *Reader) fill() error {
	if r.rows == nil {
		groups := r.file.RowGroups()
		if r.group == len(groups) {
			return io.EOF
		}
		r.rows = groups[r.group].Rows()
		r.group++
	}
	n, err := r.rows.ReadRows(r.batch[:])
	r.have = r.batch[:n]
	if err == io.EOF || n == 0 && err == nil {
		err = r.rows.Close()
		r.rows = nil
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return nil
}

// Close releases what the reader holds, but not the file.
func (r *Reader) Close() error {
	if r.rows == nil {
		return nil
	}
	rows := r.rows
	r.rows = nil
	return rows.Close()
}

// errLevels tells of values whose levels do not fit the schema.
var errLevels = fmt.Errorf("%w: its values do not fit its schema", ErrDamaged)

// peek is the next value of the node's first leaf, which tells whether the
// node is present.
func (r *Reader) peek(n *node) (parquet.Value, bool) {
	if n.first >= n.last || len(r.values[n.first]) == 0 {
		return parquet.Value{}, false
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
	if n.optional && v.DefinitionLevel() < n.def {
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
	if v.DefinitionLevel() <= n.def {
		return append(dst, end), r.skip(n)
	}
	for i := 0; ; i++ {
		if i > 0 {
			if v, ok := r.peek(n); !ok || v.RepetitionLevel() != n.rep {
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
func (n *node) append(dst []byte, v parquet.Value) []byte {
	if v.IsNull() {
		return append(dst, "null"...)
	}
	switch n.logical.(type) {
	case *format.DateType:
		return quoteTime(dst, time.Unix(int64(v.Int32())*86400, 0), "2006-01-02")
	case *format.TimestampType:
		per := int64(time.Second / n.unit)
		t := v.Int64()
		return quoteTime(dst, time.Unix(floorDiv(t, per), (t-floorDiv(t, per)*per)*int64(n.unit)), n.layout())
	case *format.TimeType:
		t := int64(v.Int32())
		if n.leaf == parquet.Int64 {
			t = v.Int64()
		}
		return quoteTime(dst, time.Unix(0, 0).Add(time.Duration(t)*n.unit), "15:04:05.999999999")
	case *format.DecimalType:
		return appendDecimal(dst, n.leaf, v, n.scale)
	case *format.UUIDType:
		if b := v.ByteArray(); len(b) == 16 {
			h := hex.EncodeToString(b)
			return data.AppendString(dst, h[:8]+"-"+h[8:12]+"-"+h[12:16]+"-"+h[16:20]+"-"+h[20:])
		}
	case *format.Float16Type:
		if b := v.ByteArray(); len(b) == 2 {
			return data.AppendFloat(dst, float16(binary.LittleEndian.Uint16(b)))
		}
	}
	switch n.leaf {
	case parquet.Boolean:
		return strconv.AppendBool(dst, v.Boolean())
	case parquet.Int32:
		if n.unsigned {
			return strconv.AppendUint(dst, uint64(v.Uint32()), 10)
		}
		return strconv.AppendInt(dst, int64(v.Int32()), 10)
	case parquet.Int64:
		if n.unsigned {
			return strconv.AppendUint(dst, v.Uint64(), 10)
		}
		return strconv.AppendInt(dst, v.Int64(), 10)
	case parquet.Int96:
		// Spark's and Hive's timestamps: nanoseconds of a Julian day.
		t := v.Int96()
		ns := int64(t[0]) | int64(t[1])<<32
		return quoteTime(dst, time.Unix((int64(t[2])-2440588)*86400, ns), n.layout())
	case parquet.Float:
		return data.AppendFloat(dst, float64(v.Float())) // as pyarrow reads it
	case parquet.Double:
		return data.AppendFloat(dst, v.Double())
	}
	b := v.ByteArray()
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

func appendDecimal(dst []byte, kind parquet.Kind, v parquet.Value, scale int) []byte {
	var unscaled *big.Int
	switch kind {
	case parquet.Int32:
		unscaled = big.NewInt(int64(v.Int32()))
	case parquet.Int64:
		unscaled = big.NewInt(v.Int64())
	default:
		b := v.ByteArray()
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
