package parquet

import "encoding/binary"

// thrift writes structures in Thrift's compact protocol (thrift-compact-protocol.md of apache/thrift),
// as far as a Parquet file has them. The fields of a structure come in ascending order.
type thrift struct {
	b     []byte
	field int   // the last of the structure in work
	outer []int // those of the structures around it
}

// The types of fields and of the members of lists.
const (
	ints     = 5
	longs    = 6
	binaries = 8
	lists    = 9
	structs  = 12
)

// header begins field id, of at most 15 more than the one before.
func (t *thrift) header(id, kind int) {
	t.b = append(t.b, byte((id-t.field)<<4|kind))
	t.field = id
}

// int writes a number of a list.
func (t *thrift) int(v int64) { t.b = binary.AppendVarint(t.b, v) }

// bytes writes a member of a list of texts.
func (t *thrift) bytes(v []byte) {
	t.b = append(binary.AppendUvarint(t.b, uint64(len(v))), v...)
}

func (t *thrift) i32(id int, v int64) {
	t.header(id, ints)
	t.int(v)
}

func (t *thrift) i64(id int, v int64) {
	t.header(id, longs)
	t.int(v)
}

func (t *thrift) binary(id int, v []byte) {
	t.header(id, binaries)
	t.bytes(v)
}

// list begins a list of n members, which follow.
func (t *thrift) list(id, kind, n int) {
	t.header(id, lists)
	if n < 15 {
		t.b = append(t.b, byte(n<<4|kind))
		return
	}
	t.b = binary.AppendUvarint(append(t.b, byte(0xf0|kind)), uint64(n))
}

// begin begins a field that is a structure, open a member of a list; end ends either.
func (t *thrift) begin(id int) {
	t.header(id, structs)
	t.open()
}

func (t *thrift) open() {
	t.outer = append(t.outer, t.field)
	t.field = 0
}

func (t *thrift) end() {
	t.b = append(t.b, 0)
	if n := len(t.outer); n > 0 {
		t.field, t.outer = t.outer[n-1], t.outer[:n-1]
	}
}
