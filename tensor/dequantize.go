package tensor

import (
	"encoding/binary"
	"fmt"
)

// The block layouts are those of ggml (ggml-common.h and ggml-quants.c, as
// GGUF v3 stores them). A scale is an IEEE half; products and sums are single
// float32 operations, unfused.

// dequantize writes the numbers of whole blocks of d to out.
func dequantize(out []float32, d DType, data []byte) {
	n, size := d.BlockSize(), d.Size()
	var block func(out []float32, b []byte)
	switch d {
	case Q8_0:
		block = dequantizeQ8_0
	case Q4_0:
		block = dequantizeQ4_0
	case Q4_1:
		block = dequantizeQ4_1
	case Q5_0:
		block = dequantizeQ5_0
	case Q5_1:
		block = dequantizeQ5_1
	case Q4_K:
		block = dequantizeQ4_K
	case Q5_K:
		block = dequantizeQ5_K
	case Q6_K:
		block = dequantizeQ6_K
	default:
		panic(fmt.Sprintf("tensor: no decoder for %v", d))
	}
	for ; len(out) > 0; out, data = out[n:], data[size:] {
		block(out[:n:n], data[:size:size])
	}
}

func half(b []byte) float32 { return F16ToFloat32(binary.LittleEndian.Uint16(b)) }

// Q8_0: scale, 32 int8.
func dequantizeQ8_0(out []float32, b []byte) {
	d := half(b)
	for i, q := range b[2:34] {
		out[i] = float32(int8(q)) * d
	}
}

// Q4_0: scale, 32 nibbles less 8; the low nibbles are the first half.
func dequantizeQ4_0(out []float32, b []byte) {
	d := half(b)
	for i, q := range b[2:18] {
		out[i] = float32(int(q&15)-8) * d
		out[i+16] = float32(int(q>>4)-8) * d
	}
}

// Q4_1: scale, minimum, 32 nibbles.
func dequantizeQ4_1(out []float32, b []byte) {
	d, m := half(b), half(b[2:])
	for i, q := range b[4:20] {
		out[i] = float32(float32(q&15)*d) + m
		out[i+16] = float32(float32(q>>4)*d) + m
	}
}

// Q5_0: scale, the 32 fifth bits, 32 nibbles; the value less 16.
func dequantizeQ5_0(out []float32, b []byte) {
	d, high := half(b), binary.LittleEndian.Uint32(b[2:])
	for i, q := range b[6:22] {
		lo := int(q&15) | int(high>>i&1)<<4
		hi := int(q>>4) | int(high>>(i+16)&1)<<4
		out[i] = float32(lo-16) * d
		out[i+16] = float32(hi-16) * d
	}
}

// Q5_1: scale, minimum, the 32 fifth bits, 32 nibbles.
func dequantizeQ5_1(out []float32, b []byte) {
	d, m, high := half(b), half(b[2:]), binary.LittleEndian.Uint32(b[4:])
	for i, q := range b[8:24] {
		lo := int(q&15) | int(high>>i&1)<<4
		hi := int(q>>4) | int(high>>(i+16)&1)<<4
		out[i] = float32(float32(lo)*d) + m
		out[i+16] = float32(float32(hi)*d) + m
	}
}

// scaleMin returns the 6-bit scale and minimum of group j (of 8, 32 numbers
// each) from the 12 bytes in which Q4_K and Q5_K pack them.
func scaleMin(j int, s []byte) (scale, minimum byte) {
	if j < 4 {
		return s[j] & 63, s[j+4] & 63
	}
	return s[j+4]&15 | s[j-4]>>6<<4, s[j+4]>>4 | s[j]>>6<<4
}

// Q4_K: scale of scales, scale of minima, 12 bytes of both, 256 nibbles. In
// each 32 bytes of nibbles the low ones are one group, the high ones the next.
func dequantizeQ4_K(out []float32, b []byte) {
	d, dmin, scales, qs := half(b), half(b[2:]), b[4:16], b[16:144]
	for j := range 8 {
		s, m := scaleMin(j, scales)
		ds, dm := d*float32(s), dmin*float32(m)
		for i, q := range qs[j/2*32:][:32] {
			out[32*j+i] = float32(ds*float32(q>>(j%2*4)&15)) - dm
		}
	}
}

// Q5_K: as Q4_K, with 32 bytes of fifth bits between scales and nibbles: bit j
// of byte i belongs to number i of group j.
func dequantizeQ5_K(out []float32, b []byte) {
	d, dmin, scales, qh, qs := half(b), half(b[2:]), b[4:16], b[16:48], b[48:176]
	for j := range 8 {
		s, m := scaleMin(j, scales)
		ds, dm := d*float32(s), dmin*float32(m)
		for i, q := range qs[j/2*32:][:32] {
			v := q>>(j%2*4)&15 | qh[i]>>j&1<<4
			out[32*j+i] = float32(ds*float32(v)) - dm
		}
	}
}

// Q6_K: 256 low nibbles, 256 upper pairs of bits, 16 int8 scales, the scale of
// scales; the value less 32. Each half of 128 numbers has four rows of 32,
// whose two upper bits share a byte and whose nibbles lie in two rows of bytes.
func dequantizeQ6_K(out []float32, b []byte) {
	ql, qh, scales, d := b[:128], b[128:192], b[192:208], half(b[208:])
	for h := range 2 {
		for row := range 4 {
			for i := range 32 {
				lo := ql[64*h+row%2*32+i] >> (row / 2 * 4) & 15
				hi := qh[32*h+i] >> (2 * row) & 3
				s := float32(int8(scales[8*h+2*row+i/16]))
				out[128*h+32*row+i] = float32(d*s) * float32(int(lo|hi<<4)-32)
			}
		}
	}
}
