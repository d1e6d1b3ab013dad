package weights

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"olmo/store"
	"olmo/tensor"
)

// KV is one entry of a GGUF file's metadata. Value is a uint8, int8, uint16,
// int16, uint32, int32, uint64, int64, float32, float64, bool or string, or a
// slice of one of these.
type KV struct {
	Key   string
	Value any
}

// GGUF is an open GGUF file: its tensors, with ggml's names, and its metadata,
// which also carries the tokenizer.
type GGUF struct {
	*Set
	Version uint32
	KV      []KV // in the file's order
}

// OpenGGUF maps a GGUF file of version 2 or 3. Shapes are row-major, so the
// reverse of ggml's. A damaged file gives a *FileError.
//
// Format: docs/gguf.md of ggml.
func OpenGGUF(path string) (*GGUF, error) {
	m, err := openMapped(path)
	if err != nil {
		return nil, err
	}
	g, err := parseGGUF(path, m.data)
	if err != nil {
		return nil, errors.Join(err, m.close())
	}
	g.files = []*mapping{m}
	return g, nil
}

// Get returns the value of a metadata key.
func (g *GGUF) Get(key string) (any, bool) {
	for _, kv := range g.KV {
		if kv.Key == key {
			return kv.Value, true
		}
	}
	return nil, false
}

// Int returns the value of a key of any integer type that fits an int.
func (g *GGUF) Int(key string) (int, bool) {
	v, _ := g.Get(key)
	switch v := v.(type) {
	case uint8:
		return int(v), true
	case int8:
		return int(v), true
	case uint16:
		return int(v), true
	case int16:
		return int(v), true
	case uint32:
		return int(v), uint64(v) <= math.MaxInt
	case int32:
		return int(v), true
	case uint64:
		return int(v), v <= math.MaxInt
	case int64:
		return int(v), int64(int(v)) == v
	}
	return 0, false
}

// Float returns the value of a key of either floating-point type.
func (g *GGUF) Float(key string) (float64, bool) {
	v, _ := g.Get(key)
	switch v := v.(type) {
	case float32:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// The numbers of value types in a file.
const (
	ggufUint8 = iota
	ggufInt8
	ggufUint16
	ggufInt16
	ggufUint32
	ggufInt32
	ggufFloat32
	ggufBool
	ggufString
	ggufArray
	ggufUint64
	ggufInt64
	ggufFloat64
)

// ggmlTypes are the numbers of tensor types in a file.
var ggmlTypes = map[uint32]tensor.DType{
	0: tensor.F32, 1: tensor.F16, 2: tensor.Q4_0, 3: tensor.Q4_1, 6: tensor.Q5_0, 7: tensor.Q5_1, 8: tensor.Q8_0,
	12: tensor.Q4_K, 13: tensor.Q5_K, 14: tensor.Q6_K,
	24: tensor.I8, 25: tensor.I16, 26: tensor.I32, 27: tensor.I64, 28: tensor.F64, 30: tensor.BF16,
}

// ggufDefaultAlignment is that of a file without general.alignment.
const ggufDefaultAlignment = 32

// ggufMaxDims and ggufMaxName are GGML_MAX_DIMS and GGML_MAX_NAME less the NUL.
const (
	ggufMaxDims = 4
	ggufMaxName = 63
)

// ggufReader takes little-endian values off data. The first failure sticks.
type ggufReader struct {
	path string
	data []byte
	pos  int
	err  error
}

func (r *ggufReader) fail(at int, format string, args ...any) {
	if r.err == nil {
		r.err = &FileError{r.path, int64(at), fmt.Errorf(format, args...)}
	}
}

func (r *ggufReader) take(n uint64) []byte {
	if r.err != nil {
		return nil
	}
	if n > uint64(len(r.data)-r.pos) {
		r.fail(r.pos, "%d bytes are wanted, %d are left; the file is cut short or damaged", n, len(r.data)-r.pos)
		return nil
	}
	b := r.data[r.pos : r.pos+int(n)]
	r.pos += int(n)
	return b
}

// number reads an unsigned integer of size bytes; 0 after a failure.
func (r *ggufReader) number(size uint64) uint64 {
	var n [8]byte
	copy(n[:], r.take(size))
	return binary.LittleEndian.Uint64(n[:])
}

func (r *ggufReader) string() string { return string(r.take(r.number(8))) }

// count reads a number of things that take at least size bytes each, and fails
// where the file has no room for them.
func (r *ggufReader) count(what string, size uint64) int {
	at := r.pos
	n := r.number(8)
	if r.err == nil && n > uint64(len(r.data)-r.pos)/size {
		r.fail(at, "%d %s cannot be in the %d bytes left", n, what, len(r.data)-r.pos)
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

// slice reads n elements with read.
func slice[T any](r *ggufReader, n int, read func() T) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = read()
	}
	return out
}

// value reads one value of a type, or an array of n of them.
func (r *ggufReader) value(kind uint32, n int, array bool) any {
	at := r.pos
	switch kind {
	case ggufUint8:
		return ggufValue(r, n, array, func() uint8 { return uint8(r.number(1)) })
	case ggufInt8:
		return ggufValue(r, n, array, func() int8 { return int8(r.number(1)) })
	case ggufUint16:
		return ggufValue(r, n, array, func() uint16 { return uint16(r.number(2)) })
	case ggufInt16:
		return ggufValue(r, n, array, func() int16 { return int16(r.number(2)) })
	case ggufUint32:
		return ggufValue(r, n, array, func() uint32 { return uint32(r.number(4)) })
	case ggufInt32:
		return ggufValue(r, n, array, func() int32 { return int32(r.number(4)) })
	case ggufUint64:
		return ggufValue(r, n, array, func() uint64 { return r.number(8) })
	case ggufInt64:
		return ggufValue(r, n, array, func() int64 { return int64(r.number(8)) })
	case ggufFloat32:
		return ggufValue(r, n, array, func() float32 { return math.Float32frombits(uint32(r.number(4))) })
	case ggufFloat64:
		return ggufValue(r, n, array, func() float64 { return math.Float64frombits(r.number(8)) })
	case ggufBool:
		return ggufValue(r, n, array, func() bool { return r.number(1) != 0 })
	case ggufString:
		return ggufValue(r, n, array, r.string)
	case ggufArray:
		if array {
			r.fail(at, "arrays of arrays are not supported")
			return nil
		}
		kind := uint32(r.number(4))
		if kind > ggufFloat64 {
			r.fail(at, "value type %d is not known", kind)
			return nil
		}
		return r.value(kind, r.count("elements", ggufSizes[kind]), true)
	}
	r.fail(at, "value type %d is not known", kind)
	return nil
}

func ggufValue[T any](r *ggufReader, n int, array bool, read func() T) any {
	if array {
		return slice(r, n, read)
	}
	return read()
}

// ggufSizes are the least bytes that a value of each type takes.
var ggufSizes = [...]uint64{
	ggufUint8: 1, ggufInt8: 1, ggufUint16: 2, ggufInt16: 2, ggufUint32: 4, ggufInt32: 4, ggufFloat32: 4,
	ggufBool: 1, ggufString: 8, ggufArray: 12, ggufUint64: 8, ggufInt64: 8, ggufFloat64: 8,
}

// parseGGUF reads header, metadata and the list of tensors, whose bytes stay in
// data.
func parseGGUF(path string, data []byte) (*GGUF, error) {
	r := &ggufReader{path: path, data: data}
	if !bytes.HasPrefix(data, []byte("GGUF")) {
		if err := store.Mistaken(data); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	if magic := r.take(4); r.err == nil && string(magic) != "GGUF" {
		r.fail(0, "the file starts with %q, not with GGUF", magic)
	}
	g := &GGUF{Set: &Set{path: path, tensors: map[string]Named{}, metadata: map[string]string{}}}
	switch g.Version = uint32(r.number(4)); g.Version {
	case 2, 3:
	case 2 << 24, 3 << 24:
		r.fail(4, "the file is big-endian, which is not supported")
	default:
		r.fail(4, "GGUF version %d is not supported (2 and 3 are); convert the model again", g.Version)
	}
	// The least bytes of a tensor's entry (name, dimensions, type, offset) and of a
	// pair: a count that the file has no room for must not make us allocate.
	tensors := r.count("tensors", 24)
	pairs := r.count("metadata entries", 13)
	align := g.readPairs(r, pairs)
	infos := r.tensorInfos(tensors, align)
	if r.err == nil {
		g.place(r, infos, align)
	}
	if r.err != nil {
		return nil, r.err
	}
	g.sort()
	return g, nil
}

// readPairs reads n entries of metadata and returns the alignment of tensors, of
// which one may speak.
func (g *GGUF) readPairs(r *ggufReader, n int) (align uint64) {
	align = ggufDefaultAlignment
	seen := map[string]bool{}
	for i := 0; i < n && r.err == nil; i++ {
		at := r.pos
		key := r.string()
		v := r.value(uint32(r.number(4)), 0, false)
		if r.err != nil {
			break
		}
		if seen[key] {
			r.fail(at, "metadata key %.200q appears twice", key)
		}
		seen[key] = true
		if key == "general.alignment" {
			a, ok := v.(uint32)
			if !ok || a == 0 || a&(a-1) != 0 {
				r.fail(at, "general.alignment is %v, not a power of two", v)
			}
			align = uint64(a)
		}
		g.KV = append(g.KV, KV{key, v})
		switch v := v.(type) {
		case string:
			g.metadata[key] = v
		case bool, uint8, int8, uint16, int16, uint32, int32, uint64, int64, float32, float64:
			g.metadata[key] = fmt.Sprint(v)
		}
	}
	return align
}

// ggufInfo is what the file's list says of a tensor.
type ggufInfo struct {
	Named
	at           int    // of the entry in the file, for errors
	offset, size uint64 // of the tensor's bytes, from the start of all tensors
}

// tensorInfos reads n entries of the list of tensors.
func (r *ggufReader) tensorInfos(n int, align uint64) []ggufInfo {
	infos := make([]ggufInfo, 0, n)
	for i := 0; i < n && r.err == nil; i++ {
		in := ggufInfo{at: r.pos}
		in.Name = r.string()
		nd := r.number(4)
		if nd > ggufMaxDims {
			r.fail(in.at, "tensor %.200q has %d dimensions, more than %d", in.Name, nd, ggufMaxDims)
			break
		}
		in.Shape = make([]int, nd)
		for j := range in.Shape {
			d := r.number(8)
			if d > math.MaxInt {
				r.fail(in.at, "tensor %.200q has a dimension of %d", in.Name, d)
			}
			in.Shape[int(nd)-1-j] = int(d) // ggml counts from the fastest one
		}
		kind := uint32(r.number(4))
		in.offset = r.number(8)
		if r.err != nil {
			break
		}
		d, ok := ggmlTypes[kind]
		if !ok {
			r.fail(in.at, "tensor %.200q has ggml type %d, which is not supported; quantise to Q8_0, Q6_K, Q5_K, Q4_K, Q5_0, Q5_1, Q4_0 or Q4_1", in.Name, kind)
			break
		}
		in.DType = d
		size, err := d.Bytes(in.Shape)
		if err != nil {
			r.fail(in.at, "tensor %.200q: %w", in.Name, err)
			break
		}
		in.size = uint64(size)
		if in.offset%align != 0 {
			r.fail(in.at, "tensor %.200q starts at %d, not at a multiple of %d", in.Name, in.offset, align)
		}
		infos = append(infos, in)
	}
	return infos
}

// place gives each tensor its bytes in the file. Every tensor must lie within the
// file, have a name of its own and share no byte with another.
func (g *GGUF) place(r *ggufReader, infos []ggufInfo, align uint64) {
	start := alignUp(uint64(r.pos), align)
	var room uint64
	if start <= uint64(len(r.data)) {
		room = uint64(len(r.data)) - start
	}
	for _, in := range infos {
		// Not in.offset+in.size > room: the sum of two numbers of the file may wrap.
		if in.offset > room || in.size > room-in.offset {
			r.fail(in.at, "tensor %.200q takes %d bytes at %d of the %d bytes of data; the file is cut short or damaged", in.Name, in.size, in.offset, room)
			return
		}
		if _, ok := g.tensors[in.Name]; ok {
			r.fail(in.at, "tensor %.200q appears twice", in.Name)
			return
		}
		in.Data = []byte{} // an empty tensor may start in padding that is missing
		if in.size > 0 {
			at := start + in.offset
			in.Data = r.data[at : at+in.size : at+in.size]
		}
		g.tensors[in.Name] = in.Named
	}
	slices.SortFunc(infos, func(a, b ggufInfo) int {
		return cmp.Or(cmp.Compare(a.offset, b.offset), cmp.Compare(a.size, b.size))
	})
	for i := 1; i < len(infos); i++ {
		if a, b := infos[i-1], infos[i]; a.offset+a.size > b.offset {
			r.fail(b.at, "tensor %.200q at %d overlaps %.200q, which ends at %d", b.Name, b.offset, a.Name, a.offset+a.size)
			return
		}
	}
}

// alignUp rounds n up to a multiple of align, a power of two.
func alignUp(n, align uint64) uint64 { return (n + align - 1) &^ (align - 1) }

// appendGGUFValue appends the type and bytes of a metadata value.
func appendGGUFValue(b []byte, v any) ([]byte, error) {
	le := binary.LittleEndian
	str := func(b []byte, s string) []byte { return append(le.AppendUint64(b, uint64(len(s))), s...) }
	switch v := v.(type) {
	case uint8:
		return append(le.AppendUint32(b, ggufUint8), v), nil
	case int8:
		return append(le.AppendUint32(b, ggufInt8), byte(v)), nil
	case uint16:
		return le.AppendUint16(le.AppendUint32(b, ggufUint16), v), nil
	case int16:
		return le.AppendUint16(le.AppendUint32(b, ggufInt16), uint16(v)), nil
	case uint32:
		return le.AppendUint32(le.AppendUint32(b, ggufUint32), v), nil
	case int32:
		return le.AppendUint32(le.AppendUint32(b, ggufInt32), uint32(v)), nil
	case uint64:
		return le.AppendUint64(le.AppendUint32(b, ggufUint64), v), nil
	case int64:
		return le.AppendUint64(le.AppendUint32(b, ggufInt64), uint64(v)), nil
	case float32:
		return le.AppendUint32(le.AppendUint32(b, ggufFloat32), math.Float32bits(v)), nil
	case float64:
		return le.AppendUint64(le.AppendUint32(b, ggufFloat64), math.Float64bits(v)), nil
	case bool:
		n := byte(0)
		if v {
			n = 1
		}
		return append(le.AppendUint32(b, ggufBool), n), nil
	case string:
		return str(le.AppendUint32(b, ggufString), v), nil
	case []uint8:
		return appendGGUFArray(b, v)
	case []int8:
		return appendGGUFArray(b, v)
	case []uint16:
		return appendGGUFArray(b, v)
	case []int16:
		return appendGGUFArray(b, v)
	case []uint32:
		return appendGGUFArray(b, v)
	case []int32:
		return appendGGUFArray(b, v)
	case []uint64:
		return appendGGUFArray(b, v)
	case []int64:
		return appendGGUFArray(b, v)
	case []float32:
		return appendGGUFArray(b, v)
	case []float64:
		return appendGGUFArray(b, v)
	case []bool:
		return appendGGUFArray(b, v)
	case []string:
		return appendGGUFArray(b, v)
	}
	return nil, fmt.Errorf("GGUF metadata cannot hold a %T", v)
}

// appendGGUFArray appends an array. Its elements have the form of single
// values without their type.
func appendGGUFArray[T any](b []byte, v []T) ([]byte, error) {
	var zero T
	kind, err := appendGGUFValue(nil, zero)
	if err != nil {
		return nil, err
	}
	b = binary.LittleEndian.AppendUint32(b, ggufArray)
	b = append(b, kind[:4]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(v)))
	for _, x := range v {
		at := len(b)
		if b, err = appendGGUFValue(b, x); err != nil {
			return nil, err
		}
		b = append(b[:at], b[at+4:]...)
	}
	return b, nil
}

// WriteGGUF writes a GGUF file of version 3 to path, as WriteSafetensors does:
// atomically, one tensor in memory at a time. Metadata and tensors keep their
// order, which for tensors should be that of the layers; a general.alignment
// among the metadata is obeyed.
func WriteGGUF(path string, kv []KV, tensors []Named) error {
	header, offsets, align, err := ggufHeader(kv, tensors)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	err = writeWhole(path, func(f io.Writer) error {
		w := bufio.NewWriterSize(f, 1<<16)
		if _, err := w.Write(header); err != nil {
			return err
		}
		var at uint64
		pad := make([]byte, align)
		for i, n := range tensors {
			t, err := n.Value()
			if err != nil {
				return err
			}
			if _, err := w.Write(pad[:offsets[i]-at]); err != nil {
				return err
			}
			if _, err := w.Write(t.Data); err != nil {
				return err
			}
			at = offsets[i] + uint64(len(t.Data))
		}
		// ggml expects the last tensor padded too.
		if _, err := w.Write(pad[:alignUp(at, align)-at]); err != nil {
			return err
		}
		return w.Flush()
	})
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// ggufHeader returns everything before the tensors' bytes, padding included,
// where each tensor starts after it, and the alignment.
func ggufHeader(kv []KV, tensors []Named) (header []byte, offsets []uint64, align uint64, err error) {
	le := binary.LittleEndian
	str := func(s string) { header = append(le.AppendUint64(header, uint64(len(s))), s...) }
	align = ggufDefaultAlignment
	header = append(header, "GGUF\x03\x00\x00\x00"...)
	header = le.AppendUint64(header, uint64(len(tensors)))
	header = le.AppendUint64(header, uint64(len(kv)))
	keys := map[string]bool{}
	for _, p := range kv {
		if keys[p.Key] || p.Key == "" || len(p.Key) > math.MaxUint16 {
			return nil, nil, 0, fmt.Errorf("metadata key %.200q is empty, too long or given twice", p.Key)
		}
		keys[p.Key] = true
		if p.Key == "general.alignment" {
			a, ok := p.Value.(uint32)
			if !ok || a < 8 || a&(a-1) != 0 {
				return nil, nil, 0, fmt.Errorf("general.alignment is %v (%T), not a uint32 power of two of at least 8", p.Value, p.Value)
			}
			align = uint64(a)
		}
		str(p.Key)
		if header, err = appendGGUFValue(header, p.Value); err != nil {
			return nil, nil, 0, fmt.Errorf("metadata key %s: %w", p.Key, err)
		}
	}
	if _, err := sorted(tensors); err != nil {
		return nil, nil, 0, err
	}
	var end uint64
	for _, t := range tensors {
		if len(t.Name) > ggufMaxName || t.Name == "" {
			return nil, nil, 0, fmt.Errorf("the tensor name %q has %d bytes; ggml takes 1 to %d", t.Name, len(t.Name), ggufMaxName)
		}
		if len(t.Shape) > ggufMaxDims {
			return nil, nil, 0, fmt.Errorf("tensor %s has %d dimensions; ggml takes at most %d", t.Name, len(t.Shape), ggufMaxDims)
		}
		kind, ok := ggmlType(t.DType)
		if !ok {
			return nil, nil, 0, fmt.Errorf("tensor %s: ggml has no type %v; convert it first", t.Name, t.DType)
		}
		size, err := t.DType.Bytes(t.Shape)
		if err != nil {
			return nil, nil, 0, fmt.Errorf("tensor %s: %w", t.Name, err)
		}
		str(t.Name)
		header = le.AppendUint32(header, uint32(len(t.Shape)))
		for _, d := range slices.Backward(t.Shape) {
			header = le.AppendUint64(header, uint64(d))
		}
		header = le.AppendUint32(header, kind)
		offset := alignUp(end, align)
		header = le.AppendUint64(header, offset)
		offsets = append(offsets, offset)
		end = offset + uint64(size)
	}
	return append(header, make([]byte, alignUp(uint64(len(header)), align)-uint64(len(header)))...), offsets, align, nil
}

func ggmlType(d tensor.DType) (uint32, bool) {
	for n, t := range ggmlTypes {
		if t == d {
			return n, true
		}
	}
	return 0, false
}
