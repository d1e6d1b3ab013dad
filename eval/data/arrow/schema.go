package arrow

import (
	"errors"
	"fmt"
)

// field is a column, or a part of one.
type field struct {
	name     string
	kind     kind
	wide     bool // offsets of 8 bytes
	bits     int  // of a number
	signed   bool
	unit     int64 // of a time: how many make a second; of a date: 0 for days
	zone     bool  // a time has a zone, so that it is one of UTC
	size     int   // of a list or of bytes whose length is fixed
	children []field
	// A column of a dictionary has indices (bits and signed are theirs) into the values that a
	// message of its own brings.
	dictionary bool
	id         int64
	values     *field
}

type kind string

const (
	nullKind      kind = "null"
	integerKind   kind = "integer"
	floatKind     kind = "float"
	boolKind      kind = "bool"
	textKind      kind = "utf8"
	bytesKind     kind = "binary"
	fixedKind     kind = "fixed size binary"
	dateKind      kind = "date"
	clockKind     kind = "time"
	timestampKind kind = "timestamp"
	listKind      kind = "list"
	fixedListKind kind = "fixed size list"
	structKind    kind = "struct"
	mapKind       kind = "map"
)

// The numbers of types in format/Schema.fbs that are not read.
var unread = map[int]string{
	7: "decimal", 11: "interval", 14: "union", 18: "duration", 22: "run-end encoded", 23: "binary view",
	24: "utf8 view", 25: "list view", 26: "large list view",
}

const (
	maxFields = 10_000
	maxDepth  = 64
)

// schema reads the columns from the table Schema.
func schema(t table) ([]field, error) {
	if t.i16(0, 0) != 0 {
		return nil, errors.New("its numbers are big-endian, which is not read")
	}
	left := maxFields
	return fields(t, 1, &left, 0)
}

// fields reads the list n of tables Field; left is how many more there may be.
func fields(t table, n int, left *int, depth int) ([]field, error) {
	pos, length := t.vector(n, 4)
	if *left -= length; *left < 0 || depth > maxDepth {
		return nil, fmt.Errorf("%w: its schema has no end", ErrDamaged)
	}
	out := make([]field, 0, length)
	for i := range length {
		f, err := newField(t.f.table(pos+4*i), left, depth)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

func newField(t table, left *int, depth int) (field, error) {
	f := field{name: t.str(0)}
	children, err := fields(t, 5, left, depth+1)
	if err != nil {
		return f, err
	}
	f.children = children
	number, of := t.u8(2, 0), t.table(3)
	want := 0 // children
	switch number {
	case 1:
		f.kind = nullKind
	case 2:
		f.integer(of)
	case 3:
		f.kind, f.bits = floatKind, 16<<uint(of.i16(0, 0)&3)
	case 4:
		f.kind = bytesKind
	case 5:
		f.kind = textKind
	case 6:
		f.kind = boolKind
	case 8:
		if f.kind, f.bits = dateKind, 32; of.i16(0, 1) == 1 {
			f.bits, f.unit = 64, 1000
		}
	case 9:
		f.kind, f.bits, f.unit = clockKind, 32, second(of.i16(0, 1))
		if of.has(1) {
			f.bits = of.i32(1)
		}
	case 10:
		f.kind, f.bits, f.unit, f.zone = timestampKind, 64, second(of.i16(0, 0)), of.str(1) != ""
	case 12:
		f.kind, want = listKind, 1
	case 13:
		f.kind, want = structKind, len(f.children)
	case 15:
		f.kind, f.size = fixedKind, of.i32(0)
	case 16:
		f.kind, f.size, want = fixedListKind, of.i32(0), 1
	case 17:
		f.kind, want = mapKind, 1
	case 19:
		f.kind, f.wide = bytesKind, true
	case 20:
		f.kind, f.wide = textKind, true
	case 21:
		f.kind, f.wide, want = listKind, true, 1
	default:
		name := unread[number]
		if name == "" {
			name = fmt.Sprintf("number %d", number)
		}
		return f, fmt.Errorf("column %s: the type %s is not read", f.name, name)
	}
	bits := f.bits == 0 || f.bits == 8 || f.bits == 16 || f.bits == 32 || f.bits == 64
	if len(f.children) != want || f.size < 0 || !bits || f.kind == clockKind && f.bits < 32 ||
		f.kind == mapKind && (f.children[0].kind != structKind || len(f.children[0].children) != 2) {
		return f, fmt.Errorf("%w: column %s is no %s", ErrDamaged, f.name, f.kind)
	}
	if d := t.table(4); d.pos > 0 {
		values := f
		f = field{name: f.name, dictionary: true, id: d.i64(0), values: &values, kind: integerKind, bits: 32, signed: true}
		if d.has(1) {
			f.integer(d.table(1))
		}
	}
	return f, nil
}

// integer reads the table Int.
func (f *field) integer(t table) {
	f.kind, f.bits, f.signed = integerKind, t.i32(0), t.u8(1, 0) != 0
	if f.bits == 0 {
		f.bits = -1
	}
}

// second is how many of a unit of time make one.
func second(unit int) int64 {
	switch unit {
	case 1:
		return 1e3
	case 2:
		return 1e6
	case 3:
		return 1e9
	}
	return 1
}

// dictionaries collects the fields below whose values come in messages of their own.
func dictionaries(fields []field, out map[int64][]*field) {
	for i := range fields {
		f := &fields[i]
		if f.dictionary {
			out[f.id] = append(out[f.id], f.values)
			dictionaries(f.values.children, out)
		}
		dictionaries(f.children, out)
	}
}
