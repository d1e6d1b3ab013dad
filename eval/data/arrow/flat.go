package arrow

import "encoding/binary"

// flat is a message's description, a FlatBuffer: tables whose fields stand at offsets that a
// list before them gives, of which a field that has its default is missing. Whatever lies
// outside of the buffer reads as zero and is remembered.
type flat struct {
	b   []byte
	bad bool
}

// at is the n bytes at pos; nil when they are not there.
func (f *flat) at(pos, n int) []byte {
	if pos < 0 || n < 0 || pos > len(f.b)-n {
		f.bad = true
		return nil
	}
	return f.b[pos : pos+n]
}

func (f *flat) u16(pos int) int {
	if b := f.at(pos, 2); b != nil {
		return int(binary.LittleEndian.Uint16(b))
	}
	return 0
}

func (f *flat) i32(pos int) int {
	if b := f.at(pos, 4); b != nil {
		return int(int32(binary.LittleEndian.Uint32(b)))
	}
	return 0
}

func (f *flat) i64(pos int) int64 {
	if b := f.at(pos, 8); b != nil {
		return int64(binary.LittleEndian.Uint64(b))
	}
	return 0
}

// table is a table of a FlatBuffer.
type table struct {
	f   *flat
	pos int // 0 for one that is missing
}

// root is the table that the buffer is about.
func (f *flat) root() table { return f.table(0) }

// table is the one that the offset at pos points to.
func (f *flat) table(pos int) table { return table{f, pos + f.i32(pos)} }

// field is where field n stands; 0 where it has its default.
func (t table) field(n int) int {
	if t.pos == 0 {
		return 0
	}
	list := t.pos - t.f.i32(t.pos)
	if 4+2*n+2 > t.f.u16(list) {
		return 0
	}
	if off := t.f.u16(list + 4 + 2*n); off > 0 {
		return t.pos + off
	}
	return 0
}

func (t table) has(n int) bool { return t.field(n) > 0 }

func (t table) u8(n, otherwise int) int {
	if p := t.field(n); p > 0 {
		if b := t.f.at(p, 1); b != nil {
			return int(b[0])
		}
	}
	return otherwise
}

func (t table) i16(n, otherwise int) int {
	if p := t.field(n); p > 0 {
		return int(int16(t.f.u16(p)))
	}
	return otherwise
}

func (t table) i32(n int) int {
	if p := t.field(n); p > 0 {
		return t.f.i32(p)
	}
	return 0
}

func (t table) i64(n int) int64 {
	if p := t.field(n); p > 0 {
		return t.f.i64(p)
	}
	return 0
}

func (t table) table(n int) table {
	if p := t.field(n); p > 0 {
		return t.f.table(p)
	}
	return table{f: t.f}
}

// vector is where the elements of a list begin and how many there are of size bytes each.
func (t table) vector(n, size int) (pos, length int) {
	p := t.field(n)
	if p == 0 {
		return 0, 0
	}
	p += t.f.i32(p)
	length = t.f.i32(p)
	if length < 0 || length > len(t.f.b)/size || t.f.at(p+4, length*size) == nil {
		t.f.bad = true
		return 0, 0
	}
	return p + 4, length
}

func (t table) str(n int) string {
	pos, length := t.vector(n, 1)
	return string(t.f.at(pos, length))
}
