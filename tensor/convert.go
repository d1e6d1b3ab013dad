package tensor

import (
	"encoding/binary"
	"fmt"
	"math"
)

// decodeFloat32 writes the numbers of data, which has exactly len(out) of
// them, to out.
func decodeFloat32(out []float32, d DType, data []byte) {
	le := binary.LittleEndian
	switch d {
	case F64:
		for i := range out {
			out[i] = float32(math.Float64frombits(le.Uint64(data[8*i:])))
		}
	case F32:
		for i := range out {
			out[i] = math.Float32frombits(le.Uint32(data[4*i:]))
		}
	case F16:
		for i := range out {
			out[i] = F16ToFloat32(le.Uint16(data[2*i:]))
		}
	case BF16:
		for i := range out {
			out[i] = math.Float32frombits(uint32(le.Uint16(data[2*i:])) << 16)
		}
	case F8_E4M3:
		for i := range out {
			out[i] = f8E4M3Values[data[i]]
		}
	case F8_E5M2:
		for i := range out { // the upper byte of an F16
			out[i] = F16ToFloat32(uint16(data[i]) << 8)
		}
	case I64:
		for i := range out {
			out[i] = float32(int64(le.Uint64(data[8*i:])))
		}
	case U64:
		for i := range out {
			out[i] = float32(le.Uint64(data[8*i:]))
		}
	case I32:
		for i := range out {
			out[i] = float32(int32(le.Uint32(data[4*i:])))
		}
	case U32:
		for i := range out {
			out[i] = float32(le.Uint32(data[4*i:]))
		}
	case I16:
		for i := range out {
			out[i] = float32(int16(le.Uint16(data[2*i:])))
		}
	case U16:
		for i := range out {
			out[i] = float32(le.Uint16(data[2*i:]))
		}
	case I8:
		for i := range out {
			out[i] = float32(int8(data[i]))
		}
	case U8:
		for i := range out {
			out[i] = float32(data[i])
		}
	case BOOL:
		for i := range out {
			out[i] = float32(min(data[i], 1))
		}
	default:
		dequantize(out, d, data)
	}
}

// encodeFloat32 rounds v to d, one of the floating-point dtypes below F32, in
// out, which is exactly as long as that needs.
func encodeFloat32(out []byte, d DType, v []float32) {
	le := binary.LittleEndian
	switch d {
	case F16:
		for i, x := range v {
			le.PutUint16(out[2*i:], F16FromFloat32(x))
		}
	case BF16:
		for i, x := range v {
			le.PutUint16(out[2*i:], BF16FromFloat32(x))
		}
	case F8_E4M3:
		for i, x := range v {
			out[i] = f8E4M3FromFloat32(x)
		}
	case F8_E5M2:
		for i, x := range v {
			out[i] = f8E5M2FromFloat32(x)
		}
	default:
		panic(fmt.Sprintf("tensor: no encoder for %v", d))
	}
}

// F16ToFloat32 widens an IEEE half. It is exact; a NaN keeps its payload.
func F16ToFloat32(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	switch abs := uint32(h & 0x7fff); {
	case abs < 0x400: // zero and denormals, units of 2^-24
		return math.Float32frombits(sign | math.Float32bits(float32(abs)*0x1p-24))
	case abs < 0x7c00:
		return math.Float32frombits(sign | (abs<<13 + 112<<23))
	default:
		return math.Float32frombits(sign | 0x7f800000 | abs<<13)
	}
}

// roundTo rounds the float32 with these absolute bits to a float of expBits
// and manBits below a sign, to nearest even, denormals included. The result
// may have the exponent all ones; the caller says what that means.
func roundTo(abs uint32, expBits, manBits uint32) uint32 {
	bias := uint32(1)<<(expBits-1) - 1
	drop := 23 - manBits
	exp := abs >> 23
	m := abs & 0x7fffff
	low := 127 - bias // float32 exponent whose numbers are the largest denormals
	if exp > low {
		m |= (exp - low) << 23
	} else {
		if exp == 0 {
			return 0 // float32 denormals are far below half of any smallest number here
		}
		m |= 0x800000
		drop += low + 1 - exp
		if drop > 24 {
			return 0
		}
	}
	half := uint32(1) << (drop - 1)
	q, rest := m>>drop, m&(half<<1-1)
	if rest > half || rest == half && q&1 == 1 {
		q++
	}
	return q
}

// F16FromFloat32 rounds to nearest even. What is too large becomes infinite;
// a NaN stays one, quiet, with the upper bits of its payload.
func F16FromFloat32(x float32) uint16 {
	b := math.Float32bits(x)
	sign, abs := uint16(b>>16)&0x8000, b&0x7fffffff
	switch {
	case abs > 0x7f800000:
		return sign | 0x7e00 | uint16(abs>>13)&0x3ff
	case abs >= 0x47800000: // 65536 and more, infinity included
		return sign | 0x7c00
	}
	return sign | uint16(roundTo(abs, 5, 10))
}

// BF16FromFloat32 rounds to nearest even. A NaN stays one, quiet.
func BF16FromFloat32(x float32) uint16 {
	b := math.Float32bits(x)
	if b&0x7fffffff > 0x7f800000 {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// f8E4M3FromFloat32 rounds to nearest even. The format has no infinity: what
// rounds above 448 becomes a NaN, as in PyTorch's float8_e4m3fn.
func f8E4M3FromFloat32(x float32) byte {
	b := math.Float32bits(x)
	sign, abs := byte(b>>24)&0x80, b&0x7fffffff
	if abs >= 0x43f00000 { // 480 and more, infinity, NaN
		return sign | 0x7f
	}
	return sign | byte(roundTo(abs, 4, 3))
}

// f8E5M2FromFloat32 rounds to nearest even. What is too large becomes
// infinite; a NaN stays one, quiet.
func f8E5M2FromFloat32(x float32) byte {
	b := math.Float32bits(x)
	sign, abs := byte(b>>24)&0x80, b&0x7fffffff
	switch {
	case abs > 0x7f800000:
		return sign | 0x7e | byte(abs>>21)&3
	case abs >= 0x47800000:
		return sign | 0x7c
	}
	return sign | byte(roundTo(abs, 5, 2))
}

// f8E4M3Values holds the value of every F8_E4M3 byte.
var f8E4M3Values = func() (v [256]float32) {
	for i := range v {
		exp, man := i>>3&15, i&7
		x := math.Ldexp(float64(man), -9)
		switch {
		case exp == 15 && man == 7:
			x = math.NaN()
		case exp > 0:
			x = math.Ldexp(float64(8+man), exp-10)
		}
		v[i] = float32(x)
		if i >= 128 {
			v[i] = -v[i]
		}
	}
	return v
}()
