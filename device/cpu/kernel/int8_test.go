package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"olmo/internal/parallel"
	"olmo/numeric"
	"olmo/tensor"
)

// extremeBlocks makes a row of blocks of any bits, but for scales and minima: these are finite, and often
// denormal, zero or the largest.
func extremeBlocks(r *rand.Rand, d tensor.DType, cols int) []byte {
	data := make([]byte, cols/d.BlockSize()*d.Size())
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	heads := map[tensor.DType][]int{
		tensor.Q8_0: {0}, tensor.Q4_0: {0}, tensor.Q5_0: {0}, tensor.Q6_K: {208},
		tensor.Q4_1: {0, 2}, tensor.Q5_1: {0, 2}, tensor.Q4_K: {0, 2}, tensor.Q5_K: {0, 2},
	}[d]
	for b := 0; b < len(data); b += d.Size() {
		for _, at := range heads {
			h := uint16(r.Uint32())
			switch r.IntN(6) {
			case 0:
				h &= 0x83ff // denormal
			case 1:
				h &= 0x8000
			case 2:
				h = h&0x8000 | 0x7bff
			}
			if h&0x7c00 == 0x7c00 {
				h ^= 0x4000
			}
			data[b+at], data[b+at+1] = byte(h), byte(h>>8)
		}
	}
	return data
}

// int8Ref is the product of a row with blocks as docs/numerics.md says it, from the blocks of the file.
func int8Ref(x []float32, d tensor.DType, data []byte) float32 {
	f := forms[d]
	var total, acc float32
	levels, size := make([]byte, maxBlock), f.groups*f.terms
	for k := 0; k < len(x); k += 32 {
		if k%256 == 0 {
			total, acc = total+acc, 0
		}
		block := data[k/size*d.Size():][:d.Size()]
		if k%size == 0 {
			f.levels(levels, block)
		}
		half, least := f.scales(block)
		var most float32
		for _, v := range x[k : k+32] {
			if a := float32(math.Abs(float64(v))); most == most && !(a <= most) {
				most = a
			}
		}
		scale := float32(most / 127)
		if math.IsInf(float64(most), 0) || most != most {
			scale = float32(math.NaN())
		}
		var s, t int64
		for i, v := range x[k : k+32] {
			var q int64
			if scale > 0 {
				q = int64(max(-127, min(127, math.RoundToEven(float64(float32(v/scale))))))
			}
			w := int64(int8(levels[(k+i)%size])) - int64(f.offset)
			if f.nested {
				integer, _ := f.integers(block, (k+i)%size/f.terms)
				w *= int64(int8(integer))
			}
			s, t = s+w*q, t+q
		}
		if max(s, -s) > 16_646_144 {
			panic("a sum that float32 does not hold")
		}
		acc = numeric.FMA(float32(s), float32(tensor.F16ToFloat32(half)*scale), acc)
		if f.minimum {
			if f.nested {
				_, integer := f.integers(block, k%size/f.terms)
				t *= int64(integer)
			}
			acc = numeric.FMA(tensor.F16ToFloat32(least), float32(scale*float32(t)), acc)
		}
	}
	return total + acc
}

// Products under int8 are those of the definition for every form of blocks, on every instruction set, for any
// number of rows and threads: with extreme blocks, activations that are zero, denormal, infinite or no
// numbers, and where dtypes meet in a panel.
func TestInt8(t *testing.T) {
	cases := map[string][]tensor.DType{"mixed": {tensor.Q5_0, tensor.Q8_0, tensor.F16, tensor.Q4_1}}
	for _, d := range []tensor.DType{tensor.Q8_0, tensor.Q4_0, tensor.Q4_1, tensor.Q5_0, tensor.Q5_1, tensor.Q4_K, tensor.Q5_K, tensor.Q6_K} {
		cases[d.String()] = []tensor.DType{d}
	}
	defer parallel.SetThreads(parallel.Threads())
	withTables(t, func(t *testing.T) {
		for name, types := range cases {
			t.Run(name, func(t *testing.T) {
				r := rand.New(rand.NewPCG(5, 6))
				shapes := [][3]int{{1, 70, 544}, {13, 67, 288}, {6, 64, 32}, {2, 1, 512}, {3, 32, 800}, {4, 40, 256}, {5, 33, 320}}
				if isa == generic {
					shapes = [][3]int{{1, 35, 288}, {7, 20, 64}}
				}
				for _, z := range shapes {
					block := types[0].BlockSize()
					m, n, k := z[0], z[1], spans(z[2], block)*block
					data := make([][]byte, n)
					dtype := func(i int) tensor.DType { return types[i/12%len(types)] }
					for i := range data {
						if dtype(i) == tensor.F16 {
							x, _ := tensor.FromFloat32([]int{k}, values(r, k, false)).Convert(tensor.F16)
							data[i] = x.Data
							continue
						}
						data[i] = extremeBlocks(r, dtype(i), k)
					}
					row := func(i int) (tensor.DType, []byte) { return dtype(i), data[i] }
					s, size := NewStored(n, k, row)
					if err := s.Fill(make([]byte, size), row); err != nil {
						t.Fatal(err)
					}
					x, dy := Dense(values(r, m*k, true), m, k), Dense(values(r, m*n, true), m, n)
					clear(x.Row(0)[:32])
					for i := range m { // ties, and the largest level
						copy(x.Row(i)[k-32:], []float32{127, -127, 0.5, 1.5, -2.5, 63.5, -126.5})
					}
					if m > 2 {
						x.Row(1)[k/2], x.Row(2)[3] = float32(math.NaN()), float32(math.Inf(-1))
						for c := range 32 {
							x.Row(m - 1)[c] = math.Float32frombits(r.Uint32() & 0x800001ff)
						}
					}
					want := Dense(make([]float32, m*n), m, n)
					for i := range m {
						for j := range n {
							if dtype(j) == tensor.F16 {
								w, _ := tensor.Tensor{DType: tensor.F16, Shape: []int{k}, Data: data[j]}.Float32s()
								MatMulNT(want.Slice(i, 1).Columns(j, 1), x.Slice(i, 1), Dense(w, 1, k), nil, numeric.FP32)
							} else {
								want.Row(i)[j] = int8Ref(x.Row(i), dtype(j), data[j])
							}
							want.Row(i)[j] += dy.Row(i)[j]
						}
					}
					for threads := range 3 {
						parallel.SetThreads(threads + 1)
						got := Dense(make([]float32, m*n), m, n)
						MatMulNT(got, x, s.Matrix(), &dy, numeric.Int8)
						if err := sameBits(got.Data, want.Data); err != nil {
							t.Fatalf("%v, %d threads: %v", z, threads+1, err)
						}
						for i := range m {
							MatMulNT(got.Slice(i, 1), x.Slice(i, 1), s.Matrix(), nil, numeric.Int8)
							MatMulNT(got.Slice(i, 1), x.Slice(i, 1), s.Matrix(), &Matrix{Data: dy.Row(i), Rows: 1, Cols: n, Stride: n}, numeric.Int8)
						}
						if err := sameBits(got.Data, want.Data); err != nil {
							t.Fatalf("%v row by row, %d threads: %v", z, threads+1, err)
						}
					}
				}
			})
		}
	})
}

// BenchmarkInt8 multiplies rows by a matrix of blocks.
func BenchmarkInt8(b *testing.B) {
	defer parallel.SetThreads(parallel.SetThreads(1))
	r := rand.New(rand.NewPCG(1, 2))
	const n, k = 1536, 1536
	for _, d := range []tensor.DType{tensor.Q8_0, tensor.Q4_0, tensor.Q4_1, tensor.Q5_0, tensor.Q4_K, tensor.Q5_K, tensor.Q6_K} {
		s, _ := storedMatrix(b, r, n, k, n, d)
		for _, m := range []int{1, 4, 16, 64, 256} {
			x, y := Dense(values(r, m*k, false), m, k), Dense(make([]float32, m*n), m, n)
			b.Run(fmt.Sprintf("%v/%d", d, m), func(b *testing.B) {
				best := fastest(b, func() { MatMulNT(y, x, s.Matrix(), nil, numeric.Int8) })
				b.ReportMetric(float64(best.Nanoseconds())/(n*k), "ns/weight")
				b.ReportMetric(float64(m*n*k)/float64(best.Nanoseconds()), "Gmac/s")
			})
		}
	}
}
