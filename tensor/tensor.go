package tensor

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"slices"
	"unsafe"
)

// Tensor is numbers of one dtype in row-major order, little-endian, with the
// last dimension varying fastest. Data may point into a file mapped read-only:
// treat it as such unless you made it.
type Tensor struct {
	DType DType
	Shape []int
	Data  []byte
}

// New checks that data is exactly as long as dtype and shape ask for.
func New(d DType, shape []int, data []byte) (Tensor, error) {
	t := Tensor{d, shape, data}
	return t, t.Check()
}

// Check reports a Data whose length does not fit DType and Shape.
func (t Tensor) Check() error {
	want, err := t.DType.Bytes(t.Shape)
	if err != nil {
		return err
	}
	if len(t.Data) != want {
		return fmt.Errorf("%v of shape %v takes %d bytes, not %d", t.DType, t.Shape, want, len(t.Data))
	}
	return nil
}

// Len returns the number of elements. The tensor must satisfy Check.
func (t Tensor) Len() int { return len(t.Data) / t.DType.Size() * t.DType.BlockSize() }

// littleEndian says whether this machine stores numbers as files do, so that a
// slice of bytes can be looked at as a slice of numbers.
var littleEndian = func() bool {
	x := uint16(1)
	return *(*byte)(unsafe.Pointer(&x)) == 1
}()

// view returns data as a slice of T without copying, and false where the
// machine is big-endian or data does not start at a multiple of T's size.
func view[T float32 | float64 | int32 | int64](data []byte) ([]T, bool) {
	var zero T
	size := unsafe.Sizeof(zero)
	p := unsafe.Pointer(unsafe.SliceData(data))
	if !littleEndian || uintptr(p)%size != 0 {
		return nil, false
	}
	return unsafe.Slice((*T)(p), len(data)/int(size)), true
}

// FromFloat32 makes an F32 tensor of v, which it does not copy on a
// little-endian machine. It panics when shape does not count len(v) elements.
func FromFloat32(shape []int, v []float32) Tensor {
	if n, err := Count(shape); err != nil || n != len(v) {
		panic(fmt.Sprintf("tensor: shape %v does not fit %d numbers", shape, len(v)))
	}
	t := Tensor{DType: F32, Shape: slices.Clone(shape)}
	if littleEndian {
		t.Data = unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), 4*len(v))
		return t
	}
	t.Data = make([]byte, 0, 4*len(v))
	for _, x := range v {
		t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(x))
	}
	return t
}

// FromInt64 makes an I64 tensor of a copy of v. It panics when shape does not
// count len(v) elements.
func FromInt64(shape []int, v []int64) Tensor {
	if n, err := Count(shape); err != nil || n != len(v) {
		panic(fmt.Sprintf("tensor: shape %v does not fit %d numbers", shape, len(v)))
	}
	t := Tensor{DType: I64, Shape: slices.Clone(shape), Data: make([]byte, 0, 8*len(v))}
	for _, x := range v {
		t.Data = binary.LittleEndian.AppendUint64(t.Data, uint64(x))
	}
	return t
}

// Float32s returns the elements as float32, widened, dequantised or (from F64
// and wide integers) rounded to nearest even. An aligned F32 tensor is not
// copied: what is returned may then be read-only memory.
func (t Tensor) Float32s() ([]float32, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	if t.DType == F32 {
		if v, ok := view[float32](t.Data); ok {
			return v, nil
		}
	}
	out := make([]float32, t.Len())
	n, size := t.DType.BlockSize(), t.DType.Size()
	parallel(len(out)/n, n, func(lo, hi int) {
		decodeFloat32(out[lo*n:hi*n], t.DType, t.Data[lo*size:hi*size])
	})
	return out, nil
}

// Pieces yields the elements as Float32s gives them, n at a time or a few more (whole
// blocks), so that looking through a tensor takes no memory of its size. A piece is valid
// until the next one.
func (t Tensor) Pieces(n int) iter.Seq2[[]float32, error] {
	return func(yield func([]float32, error) bool) {
		if err := t.Check(); err != nil {
			yield(nil, err)
			return
		}
		block, size := t.DType.BlockSize(), t.DType.Size()
		step := max((n+block-1)/block, 1) * size
		for at := 0; at < len(t.Data); at += step {
			data := t.Data[at:min(at+step, len(t.Data))]
			v, err := Tensor{t.DType, []int{len(data) / size * block}, data}.Float32s()
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// Float64s returns the elements as float64. An aligned F64 tensor is not
// copied: what is returned may then be read-only memory.
func (t Tensor) Float64s() ([]float64, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	switch t.DType {
	case F64:
		if v, ok := view[float64](t.Data); ok {
			return v, nil
		}
		out := make([]float64, t.Len())
		for i := range out {
			out[i] = math.Float64frombits(le.Uint64(t.Data[8*i:]))
		}
		return out, nil
	case I64, I32, U64, U32:
		out := make([]float64, t.Len())
		for i := range out {
			switch d := t.Data; t.DType {
			case I64:
				out[i] = float64(int64(le.Uint64(d[8*i:])))
			case U64:
				out[i] = float64(le.Uint64(d[8*i:]))
			case I32:
				out[i] = float64(int32(le.Uint32(d[4*i:])))
			default:
				out[i] = float64(le.Uint32(d[4*i:]))
			}
		}
		return out, nil
	}
	v, err := t.Float32s()
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out, nil
}

// Int64s returns the elements of an integer or BOOL tensor. A U64 element that
// an int64 cannot hold is an error. An aligned I64 tensor is not copied.
func (t Tensor) Int64s() ([]int64, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	if t.DType == I64 {
		if v, ok := view[int64](t.Data); ok {
			return v, nil
		}
	}
	out := make([]int64, t.Len())
	le, d := binary.LittleEndian, t.Data
	for i := range out {
		switch t.DType {
		case I64:
			out[i] = int64(le.Uint64(d[8*i:]))
		case U64:
			u := le.Uint64(d[8*i:])
			if u > math.MaxInt64 {
				return nil, fmt.Errorf("element %d is %d, more than an int64 holds", i, u)
			}
			out[i] = int64(u)
		case I32:
			out[i] = int64(int32(le.Uint32(d[4*i:])))
		case U32:
			out[i] = int64(le.Uint32(d[4*i:]))
		case I16:
			out[i] = int64(int16(le.Uint16(d[2*i:])))
		case U16:
			out[i] = int64(le.Uint16(d[2*i:]))
		case I8:
			out[i] = int64(int8(d[i]))
		case U8:
			out[i] = int64(d[i])
		case BOOL:
			out[i] = int64(min(d[i], 1))
		default:
			return nil, fmt.Errorf("a tensor of %v does not hold integers", t.DType)
		}
	}
	return out, nil
}

// Int32s is Int64s for elements that an int32 can hold, such as token ids; one
// that it cannot hold is an error. An aligned I32 tensor is not copied.
func (t Tensor) Int32s() ([]int32, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	if t.DType == I32 {
		if v, ok := view[int32](t.Data); ok {
			return v, nil
		}
	}
	wide, err := t.Int64s()
	if err != nil {
		return nil, err
	}
	out := make([]int32, len(wide))
	for i, x := range wide {
		if x < math.MinInt32 || x > math.MaxInt32 {
			return nil, fmt.Errorf("element %d is %d, more than an int32 holds", i, x)
		}
		out[i] = int32(x)
	}
	return out, nil
}

// Convert returns t in another floating-point or block dtype: widened through
// float32 and rounded to nearest even, or quantised as ggml's reference code
// does. Converting to t's own dtype returns t itself.
func (t Tensor) Convert(d DType) (Tensor, error) {
	if err := t.Check(); err != nil {
		return Tensor{}, err
	}
	if t.DType == d {
		return t, nil
	}
	n, err := d.Bytes(t.Shape)
	if err != nil {
		return Tensor{}, err
	}
	out := Tensor{DType: d, Shape: slices.Clone(t.Shape)}
	if d == F64 {
		v, err := t.Float64s()
		if err != nil {
			return Tensor{}, err
		}
		out.Data = make([]byte, 0, n)
		for _, x := range v {
			out.Data = binary.LittleEndian.AppendUint64(out.Data, math.Float64bits(x))
		}
		return out, nil
	}
	v, err := t.Float32s()
	if err != nil {
		return Tensor{}, err
	}
	if d == F32 {
		return FromFloat32(t.Shape, v), nil
	}
	out.Data = make([]byte, n)
	if !d.IsFloat() {
		err := quantize(out.Data, d, v)
		return out, err
	}
	parallel(len(v), 1, func(lo, hi int) {
		encodeFloat32(out.Data[lo*d.Size():hi*d.Size()], d, v[lo:hi])
	})
	return out, nil
}
