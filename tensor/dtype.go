// Package tensor holds numbers with a dtype and a shape, as files store them,
// and the conversions between dtypes.
package tensor

import (
	"fmt"
	"math"
	"math/bits"
	"strings"
)

// DType says how the numbers of a Tensor are stored. The zero value is no
// dtype at all, so that a forgotten field is noticed.
type DType uint8

// The dtypes of safetensors that language models use, and the block types of
// GGUF (ggml's quantisations, 32 or 256 numbers sharing scales).
const (
	Invalid DType = iota
	F64
	F32
	F16
	BF16
	F8_E4M3 // OCP FP8 E4M3: no infinities, largest finite value 448
	F8_E5M2 // OCP FP8 E5M2: IEEE-like, largest finite value 57344
	I64
	I32
	I16
	I8
	U64
	U32
	U16
	U8
	BOOL
	Q8_0
	Q4_0
	Q4_1
	Q5_0
	Q5_1
	Q4_K
	Q5_K
	Q6_K
	numDTypes
)

// dtypes gives each dtype's spelling, and the numbers and bytes of one block.
// A plain dtype is a block of one number.
var dtypes = [numDTypes]struct {
	name         string
	block, bytes int
}{
	Invalid: {"invalid", 1, 1},
	F64:     {"F64", 1, 8},
	F32:     {"F32", 1, 4},
	F16:     {"F16", 1, 2},
	BF16:    {"BF16", 1, 2},
	F8_E4M3: {"F8_E4M3", 1, 1},
	F8_E5M2: {"F8_E5M2", 1, 1},
	I64:     {"I64", 1, 8},
	I32:     {"I32", 1, 4},
	I16:     {"I16", 1, 2},
	I8:      {"I8", 1, 1},
	U64:     {"U64", 1, 8},
	U32:     {"U32", 1, 4},
	U16:     {"U16", 1, 2},
	U8:      {"U8", 1, 1},
	BOOL:    {"BOOL", 1, 1},
	Q8_0:    {"Q8_0", 32, 34},
	Q4_0:    {"Q4_0", 32, 18},
	Q4_1:    {"Q4_1", 32, 20},
	Q5_0:    {"Q5_0", 32, 22},
	Q5_1:    {"Q5_1", 32, 24},
	Q4_K:    {"Q4_K", 256, 144},
	Q5_K:    {"Q5_K", 256, 176},
	Q6_K:    {"Q6_K", 256, 210},
}

// String returns the spelling of safetensors, or ggml's for a block type.
func (d DType) String() string {
	if d >= numDTypes {
		return fmt.Sprintf("DType(%d)", uint8(d))
	}
	return dtypes[d].name
}

// Parse is the inverse of String; it takes either case.
func Parse(s string) (DType, error) {
	up := strings.ToUpper(s)
	for d := F64; d < numDTypes; d++ {
		if dtypes[d].name == up {
			return d, nil
		}
	}
	return Invalid, fmt.Errorf("unknown dtype %.40q", s)
}

// Valid reports whether d is one of the dtypes above.
func (d DType) Valid() bool { return d > Invalid && d < numDTypes }

// Size returns the bytes of one block: of one number, for a plain dtype.
func (d DType) Size() int { return dtypes[d].bytes }

// BlockSize returns how many numbers one block holds: 1 for a plain dtype, 32
// or 256 for GGUF's.
func (d DType) BlockSize() int { return dtypes[d].block }

// IsFloat reports whether d is a plain floating-point dtype.
func (d DType) IsFloat() bool { return d >= F64 && d <= F8_E5M2 }

// IsQuantized reports whether d is one of GGUF's block types.
func (d DType) IsQuantized() bool { return d >= Q8_0 && d < numDTypes }

// Count returns the number of elements of a shape: 1 for no dimensions. A
// negative dimension, or a product that overflows an int, is an error.
func Count(shape []int) (int, error) {
	n := uint64(1)
	overflow := false
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("shape %v has a negative dimension", shape)
		}
		hi, lo := bits.Mul64(n, uint64(d))
		overflow = overflow || hi != 0 || lo > math.MaxInt
		n = lo
		if d == 0 {
			return 0, nonNegative(shape)
		}
	}
	if overflow {
		return 0, fmt.Errorf("shape %v has more elements than an int can count", shape)
	}
	return int(n), nil
}

func nonNegative(shape []int) error {
	for _, d := range shape {
		if d < 0 {
			return fmt.Errorf("shape %v has a negative dimension", shape)
		}
	}
	return nil
}

// Bytes returns how many bytes a tensor of this dtype and shape takes. The
// last dimension must be a whole number of blocks.
func (d DType) Bytes(shape []int) (int, error) {
	if !d.Valid() {
		return 0, fmt.Errorf("%v is not a dtype", d)
	}
	n, err := Count(shape)
	if err != nil {
		return 0, err
	}
	if b := d.BlockSize(); b > 1 {
		if len(shape) == 0 || shape[len(shape)-1]%b != 0 {
			return 0, fmt.Errorf("shape %v cannot be stored as %v: the last dimension must be a multiple of %d", shape, d, b)
		}
		n /= b
	}
	hi, lo := bits.Mul64(uint64(n), uint64(d.Size()))
	if hi != 0 || lo > math.MaxInt {
		return 0, fmt.Errorf("shape %v of %v takes more bytes than an int can count", shape, d)
	}
	return int(lo), nil
}
