package tensor_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"

	"olmo/tensor"
)

func TestParse(t *testing.T) {
	for d := tensor.F64; d.Valid(); d++ {
		got, err := tensor.Parse(d.String())
		if err != nil || got != d {
			t.Errorf("Parse(%q) = %v, %v", d.String(), got, err)
		}
	}
	if d, err := tensor.Parse("bf16"); d != tensor.BF16 || err != nil {
		t.Errorf("Parse(bf16) = %v, %v", d, err)
	}
	for _, s := range []string{"", "invalid", "F33", "DType(99)"} {
		if d, err := tensor.Parse(s); err == nil {
			t.Errorf("Parse(%q) = %v, want an error", s, d)
		}
	}
}

func TestBytes(t *testing.T) {
	const huge = math.MaxInt/2 + 1 // a power of two
	for _, c := range []struct {
		d     tensor.DType
		shape []int
		want  int // -1: an error
	}{
		{tensor.F32, nil, 4},
		{tensor.F32, []int{3, 5}, 60},
		{tensor.BOOL, []int{7}, 7},
		{tensor.F64, []int{0, huge, huge}, 0},
		{tensor.F32, []int{0, -1}, -1},
		{tensor.F32, []int{-1}, -1},
		{tensor.U8, []int{huge, 2}, -1},
		{tensor.U8, []int{huge, 4}, -1},
		{tensor.U8, []int{huge, huge, huge, 64}, -1},
		{tensor.F64, []int{huge / 4}, -1},
		{tensor.Q4_K, []int{2, 256}, 288},
		{tensor.Q4_K, []int{256, 2}, -1},
		{tensor.Q8_0, nil, -1},
		{tensor.Q8_0, []int{3, 64}, 204},
		{tensor.Invalid, []int{1}, -1},
	} {
		got, err := c.d.Bytes(c.shape)
		if err != nil {
			got = -1
		}
		if got != c.want {
			t.Errorf("%v.Bytes(%v) = %d, %v, want %d", c.d, c.shape, got, err, c.want)
		}
	}
}

// Every value of a 16-bit format survives a trip through float32.
func TestHalfRoundTrip(t *testing.T) {
	for i := range 1 << 16 {
		h := uint16(i)
		x := tensor.F16ToFloat32(h)
		want := h
		if x != x {
			want |= 0x200 // quiet
		}
		if got := tensor.F16FromFloat32(x); got != want {
			t.Fatalf("F16 %04x is %g, back %04x, want %04x", h, x, got, want)
		}
		x = math.Float32frombits(uint32(h) << 16)
		want = h
		if x != x {
			want |= 0x40
		}
		if got := tensor.BF16FromFloat32(x); got != want {
			t.Fatalf("BF16 %04x is %g, back %04x, want %04x", h, x, got, want)
		}
	}
}

func convert(t *testing.T, d tensor.DType, x float32) uint16 {
	t.Helper()
	out, err := tensor.FromFloat32([]int{1}, []float32{x}).Convert(d)
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Data) == 1 {
		return uint16(out.Data[0])
	}
	return binary.LittleEndian.Uint16(out.Data)
}

// Rounding against the definition: the nearest of two neighbours, and of two
// equally near ones the even.
func TestRoundToNearestEven(t *testing.T) {
	for _, d := range []tensor.DType{tensor.F16, tensor.BF16, tensor.F8_E4M3, tensor.F8_E5M2} {
		finite := map[tensor.DType]int{tensor.F16: 0x7c00, tensor.BF16: 0x7f80, tensor.F8_E4M3: 0x7f, tensor.F8_E5M2: 0x7c}[d]
		value := func(bits int) float64 {
			data := []byte{byte(bits), byte(bits >> 8)}[:d.Size()]
			v, err := tensor.Tensor{DType: d, Shape: []int{1}, Data: data}.Float32s()
			if err != nil {
				t.Fatal(err)
			}
			return float64(v[0])
		}
		step := 1
		if d.Size() == 2 {
			step = 7
		}
		for i := 0; i+1 < finite; i += step {
			lo, hi := value(i), value(i+1)
			mid := float32((lo + hi) / 2)
			even := i + i&1
			want := []int{i, even, i + 1}
			got := []uint16{
				convert(t, d, math.Nextafter32(mid, 0)),
				convert(t, d, mid),
				convert(t, d, math.Nextafter32(mid, float32(math.Inf(1)))),
			}
			if mid == 0 || float64(mid) != (lo+hi)/2 {
				continue // the smallest BF16 denormals have no midpoint in float32
			}
			for j := range got {
				if int(got[j]) != want[j] {
					t.Fatalf("%v: around %g, between %x and %x: got %x, want %x (case %d)", d, mid, i, i+1, got[j], want[j], j)
				}
			}
			if neg := convert(t, d, -mid); int(neg) != even|1<<(8*d.Size()-1) {
				t.Fatalf("%v: %g gave %x", d, -mid, neg)
			}
		}
	}
}

func TestRoundSpecial(t *testing.T) {
	inf, nan := float32(math.Inf(1)), math.Float32frombits(0x7f800001)
	for _, c := range []struct {
		d    tensor.DType
		x    float32
		want uint16
	}{
		{tensor.F16, 65519, 0x7bff},
		{tensor.F16, 65520, 0x7c00},
		{tensor.F16, -1e30, 0xfc00},
		{tensor.F16, inf, 0x7c00},
		{tensor.F16, nan, 0x7e00},
		{tensor.F16, math.Float32frombits(1), 0},
		{tensor.BF16, math.MaxFloat32, 0x7f80},
		{tensor.BF16, -inf, 0xff80},
		{tensor.BF16, nan, 0x7fc0},
		{tensor.F8_E4M3, 448, 0x7e},
		{tensor.F8_E4M3, 464, 0x7e},
		{tensor.F8_E4M3, 464.1, 0x7f},
		{tensor.F8_E4M3, 1e10, 0x7f},
		{tensor.F8_E4M3, -inf, 0xff},
		{tensor.F8_E4M3, nan, 0x7f},
		{tensor.F8_E4M3, 1.0 / 1024, 0},
		{tensor.F8_E5M2, 57344, 0x7b},
		{tensor.F8_E5M2, 61440, 0x7c},
		{tensor.F8_E5M2, inf, 0x7c},
		{tensor.F8_E5M2, nan, 0x7e},
	} {
		if got := convert(t, c.d, c.x); got != c.want {
			t.Errorf("%v(%g) = %x, want %x", c.d, c.x, got, c.want)
		}
	}
}

func TestIntegers(t *testing.T) {
	le := binary.LittleEndian
	for _, c := range []struct {
		d    tensor.DType
		data []byte
		want int64
	}{
		{tensor.I64, le.AppendUint64(nil, 1<<64-5), -5},
		{tensor.U64, le.AppendUint64(nil, 5), 5},
		{tensor.I32, le.AppendUint32(nil, 1<<32-5), -5},
		{tensor.U32, le.AppendUint32(nil, 1<<31-1), 1<<31 - 1},
		{tensor.I16, le.AppendUint16(nil, 1<<16-5), -5},
		{tensor.U16, le.AppendUint16(nil, 1<<16-5), 1<<16 - 5},
		{tensor.I8, []byte{251}, -5},
		{tensor.U8, []byte{251}, 251},
		{tensor.BOOL, []byte{7}, 1},
	} {
		x := tensor.Tensor{DType: c.d, Data: c.data}
		i64, err := x.Int64s()
		if err != nil || len(i64) != 1 || i64[0] != c.want {
			t.Errorf("%v: Int64s = %v, %v, want %d", c.d, i64, err, c.want)
		}
		i32, err := x.Int32s()
		if err != nil || int64(i32[0]) != c.want {
			t.Errorf("%v: Int32s = %v, %v, want %d", c.d, i32, err, c.want)
		}
		f32, err := x.Float32s()
		if err != nil || f32[0] != float32(c.want) {
			t.Errorf("%v: Float32s = %v, %v, want %d", c.d, f32, err, c.want)
		}
		f64, err := x.Float64s()
		if err != nil || f64[0] != float64(c.want) {
			t.Errorf("%v: Float64s = %v, %v, want %d", c.d, f64, err, c.want)
		}
	}
	big := tensor.Tensor{DType: tensor.U64, Data: le.AppendUint64(nil, 1<<63)}
	if v, err := big.Int64s(); err == nil {
		t.Errorf("2^63 as int64: %v", v)
	}
	if v, err := tensor.FromInt64(nil, []int64{1 << 31}).Int32s(); err == nil {
		t.Errorf("2^31 as int32: %v", v)
	}
	if v, err := tensor.FromFloat32(nil, []float32{1}).Int32s(); err == nil {
		t.Errorf("an F32 as int32: %v", v)
	}
}

// A tensor whose bytes start at an odd address gives the same numbers.
func TestUnaligned(t *testing.T) {
	f := tensor.FromFloat32([]int{3}, []float32{1, -2, 3.5})
	f64, err := f.Convert(tensor.F64)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []tensor.Tensor{f, f64} {
		x.Data = append([]byte{0}, x.Data...)[1:]
		a, err := x.Float32s()
		if err != nil || fmt.Sprint(a) != "[1 -2 3.5]" {
			t.Errorf("%v: Float32s = %v, %v", x.DType, a, err)
		}
		b, err := x.Float64s()
		if err != nil || fmt.Sprint(b) != "[1 -2 3.5]" {
			t.Errorf("%v: Float64s = %v, %v", x.DType, b, err)
		}
	}
}

func TestFloat32sDoesNotCopy(t *testing.T) {
	v := []float32{1, 2}
	got, err := tensor.FromFloat32([]int{2}, v).Float32s()
	if err != nil || &got[0] != &v[0] {
		t.Errorf("an aligned F32 tensor was copied (%v)", err)
	}
}

func TestCheck(t *testing.T) {
	if _, err := tensor.New(tensor.F32, []int{2}, make([]byte, 7)); err == nil {
		t.Error("7 bytes for two float32")
	}
	if _, err := (tensor.Tensor{DType: tensor.Q6_K, Shape: []int{256}, Data: make([]byte, 209)}).Float32s(); err == nil {
		t.Error("209 bytes for a Q6_K block")
	}
}

func ExampleTensor_Convert() {
	t := tensor.FromFloat32([]int{2}, []float32{1, 3.14159})
	b, err := t.Convert(tensor.BF16)
	if err != nil {
		fmt.Println(err)
		return
	}
	v, _ := b.Float32s()
	fmt.Println(b.DType, b.Shape, len(b.Data), v)
	// Output: BF16 [2] 4 [1 3.140625]
}

func BenchmarkFloat32s(b *testing.B) {
	x := tensor.FromFloat32([]int{1 << 11, 256}, ggmlInput())
	for _, d := range []tensor.DType{tensor.BF16, tensor.F16, tensor.Q8_0, tensor.Q4_1, tensor.Q4_K, tensor.Q6_K} {
		y, err := x.Convert(d)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(d.String(), func(b *testing.B) {
			for b.Loop() {
				if _, err := y.Float32s(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(x.Data))*float64(b.N)/b.Elapsed().Seconds()/1e9, "GB/s")
		})
	}
}

// TestPieces: the pieces are the whole, in order, whatever their size and the dtype.
func TestPieces(t *testing.T) {
	v := make([]float32, 512)
	for i := range v {
		v[i] = float32(i%37) - 17
	}
	for _, d := range []tensor.DType{tensor.F32, tensor.BF16, tensor.Q8_0, tensor.Q4_K} {
		whole, err := tensor.FromFloat32([]int{2, 256}, v).Convert(d)
		if err != nil {
			t.Fatal(err)
		}
		want, err := whole.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{1, 100, 256, 511, 512, 10_000} {
			var got []float32
			most := 0
			for piece, err := range whole.Pieces(n) {
				if err != nil {
					t.Fatal(err)
				}
				got, most = append(got, piece...), max(most, len(piece))
			}
			if !slices.Equal(got, want) {
				t.Errorf("%v in pieces of %d: other numbers", d, n)
			}
			if most >= n+d.BlockSize() {
				t.Errorf("%v: a piece of %d, %d were asked for", d, most, n)
			}
		}
	}
	for _, err := range (tensor.Tensor{DType: tensor.F32, Shape: []int{3}, Data: make([]byte, 8)}).Pieces(1) {
		if err == nil {
			t.Error("a tensor without enough bytes gave numbers")
		}
	}
}
