package kernel

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"olmo/internal/parallel"
	"olmo/numeric"
	"olmo/tensor"
)

// storedMatrix makes a matrix of rows stored in the given dtypes in turn, each so many rows
// long, and the numbers that package tensor makes of them.
func storedMatrix(t testing.TB, r *rand.Rand, rows, cols, run int, types ...tensor.DType) (*Stored, Matrix) {
	t.Helper()
	wide := Dense(make([]float32, rows*cols), rows, cols)
	stored := make([]tensor.Tensor, rows)
	for i := range rows {
		v := make([]float32, cols)
		for k := range v {
			v[k] = float32(r.NormFloat64())
		}
		d := types[i/run%len(types)]
		x, err := tensor.FromFloat32([]int{cols}, v).Convert(d)
		if err == nil {
			stored[i] = x
			v, err = x.Float32s()
		}
		if err != nil {
			t.Fatal(err)
		}
		copy(wide.Row(i), v)
	}
	row := func(r int) (tensor.DType, []byte) { return stored[r].DType, stored[r].Data }
	s, size := NewStored(rows, cols, row)
	if err := s.Fill(make([]byte, size), row); err != nil {
		t.Fatal(err)
	}
	return s, wide
}

// Products with stored numbers, rows of them and all of them have the bits of what package tensor widens,
// on every instruction set: forward, by the transposed matrix, and packed; also where dtypes meet inside
// a panel.
func TestStored(t *testing.T) {
	mixed := []tensor.DType{tensor.Q4_1, tensor.Q8_0, tensor.F16}
	cases := map[string][]tensor.DType{"mixed": mixed}
	for _, d := range []tensor.DType{tensor.F32, tensor.F16, tensor.BF16, tensor.Q8_0, tensor.Q4_0, tensor.Q4_1, tensor.Q5_0, tensor.Q5_1, tensor.Q4_K, tensor.Q5_K, tensor.Q6_K, tensor.F8_E4M3} {
		cases[d.String()] = []tensor.DType{d}
	}
	withTables(t, func(t *testing.T) {
		for name, types := range cases {
			t.Run(name, func(t *testing.T) {
				same := func(what string, got, want []float32) {
					t.Helper()
					if err := sameBits(got, want); err != nil {
						t.Fatalf("%s: %v", what, err)
					}
				}
				r := rand.New(rand.NewPCG(1, 2))
				block := types[0].BlockSize()
				shapes := [][3]int{{1, 70, 544}, {19, 333, 544}, {5, 64, 32}, {2, 1, 288}}
				if block == 1 && name != "mixed" {
					shapes = append(shapes, [3]int{3, 37, 301})
				}
				for _, z := range shapes {
					m, n, k := z[0], z[1], spans(z[2], block)*block
					s, wide := storedMatrix(t, r, n, k, 48, types...)
					all := make([]float32, n*k)
					s.Widen(all)
					same("widened", all, wide.Data)
					for i := range n {
						s.Row(all[:k], i)
						same(fmt.Sprintf("row %d", i), all[:k], wide.Row(i))
					}
					x, dy := Dense(values(r, m*k, true), m, k), Dense(values(r, m*n, true), m, n)
					for _, precision := range numeric.Precisions() {
						got, want := Dense(make([]float32, m*n), m, n), Dense(make([]float32, m*n), m, n)
						MatMulNT(want, x, wide, &dy, precision)
						MatMulNT(got, x, s.Matrix(), &dy, precision)
						same(fmt.Sprintf("x·Wᵀ of %v, %v", z, precision), got.Data, want.Data)
						MatMulPacked(got, x, Pack(s.Matrix(), true, precision), &dy)
						same("x·Wᵀ packed", got.Data, want.Data)
						got, want = Dense(make([]float32, m*k), m, k), Dense(make([]float32, m*k), m, k)
						MatMulNN(want, dy, wide, nil, precision)
						MatMulNN(got, dy, s.Matrix(), nil, precision)
						same(fmt.Sprintf("dy·W of %v, %v", z, precision), got.Data, want.Data)
					}
				}
			})
		}
	})
}

// A block whose scale or minimum is no number is an error that says where.
func TestStoredNotFinite(t *testing.T) {
	for _, d := range []tensor.DType{tensor.Q8_0, tensor.Q4_1, tensor.Q4_K, tensor.Q6_K} {
		data := make([]byte, 2*d.Size()*256/d.BlockSize())
		at := len(data)/2 + 1 // the upper half of the second row's first half
		if d == tensor.Q6_K {
			at = len(data) - 1
		}
		data[at] = 0xfc
		row := func(r int) (tensor.DType, []byte) { return d, data[r*len(data)/2:][:len(data)/2] }
		s, size := NewStored(2, 256, row)
		if err := s.Fill(make([]byte, size), row); err == nil || !strings.Contains(err.Error(), "row 1: the scale or the minimum of block 0 is not finite") {
			t.Errorf("%v: %v", d, err)
		}
	}
}

// fastest returns the shortest time, on a machine that does other things, too.
func fastest(b *testing.B, f func()) time.Duration {
	best := time.Hour
	for b.Loop() {
		start := time.Now()
		f()
		best = min(best, time.Since(start))
	}
	return best
}

// BenchmarkStored multiplies rows by a matrix as it is stored, and by float32 panels.
func BenchmarkStored(b *testing.B) {
	defer parallel.SetThreads(parallel.SetThreads(1))
	r := rand.New(rand.NewPCG(1, 2))
	const n, k = 1024, 1536
	for _, d := range []tensor.DType{tensor.F32, tensor.BF16, tensor.Q8_0, tensor.Q4_0, tensor.Q4_1, tensor.Q4_K, tensor.Q6_K} {
		s, _ := storedMatrix(b, r, n, k, n, d)
		for _, m := range []int{1, 2, 3, 4, 16, 64, 256} {
			x, y := Dense(values(r, m*k, false), m, k), Dense(make([]float32, m*n), m, n)
			run := func(name string, product func()) {
				b.Run(fmt.Sprintf("%v/%s/%d", d, name, m), func(b *testing.B) {
					best := fastest(b, product)
					b.ReportMetric(float64(best.Nanoseconds())/(n*k), "ns/weight")
				})
			}
			for _, precision := range []numeric.Precision{numeric.FP32, numeric.AMPBF16} {
				packed := Pack(s.Matrix(), true, precision)
				run(precision.String(), func() { MatMulNT(y, x, s.Matrix(), nil, precision) })
				run("packed,"+precision.String(), func() { MatMulPacked(y, x, packed, nil) })
			}
		}
	}
}

// BenchmarkStoredFill packs what a file has.
func BenchmarkStoredFill(b *testing.B) {
	defer parallel.SetThreads(parallel.SetThreads(1))
	r := rand.New(rand.NewPCG(1, 2))
	const n, k = 512, 1536
	for _, d := range []tensor.DType{tensor.F32, tensor.BF16, tensor.Q8_0, tensor.Q4_0, tensor.Q4_1, tensor.Q4_K, tensor.Q6_K} {
		v := values(r, n*k, false)
		x, err := tensor.FromFloat32([]int{n, k}, v).Convert(d)
		if err != nil {
			b.Fatal(err)
		}
		row := func(r int) (tensor.DType, []byte) { return d, x.Data[r*len(x.Data)/n:][:len(x.Data)/n] }
		b.Run(d.String(), func(b *testing.B) {
			best := time.Hour
			s, size := NewStored(n, k, row)
			memory := make([]byte, size)
			for b.Loop() {
				clear(memory)
				start := time.Now()
				if err := s.Fill(memory, row); err != nil {
					b.Fatal(err)
				}
				best = min(best, time.Since(start))
			}
			b.ReportMetric(float64(best.Nanoseconds())/(n*k), "ns/weight")
		})
	}
}
