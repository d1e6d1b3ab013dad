package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"olmo/numeric"
	"olmo/tensor"
)

// TestPages feeds a sequence to attention in parts, from pages and from plain keys and values: the same bits,
// whatever the pages held before, and when a part of what they hold is copied to others.
func TestPages(t *testing.T) {
	cases := []struct {
		name  string
		a     Attention
		parts []int
	}{
		{"token by token", Attention{H: 2, KV: 1, D: 8}, []int{1, 1, 1, 1, 1}},
		{"a prompt, then tokens", Attention{H: 4, KV: 2, D: 10}, []int{37, 1, 1, 1}},
		{"across a cut", Attention{H: 2, KV: 2, D: 16}, []int{251, 3, 1, 1, 1, 1, 40}},
		{"head size above a cut", Attention{H: 1, KV: 1, D: 262}, []int{5, 1, 1}},
		{"window", Attention{H: 2, KV: 1, D: 8, Window: 20}, []int{60, 1, 1, 7, 150}},
		{"heads of blocks", Attention{H: 2, KV: 1, D: 64}, []int{35, 1, 223, 1}},
		{"heads of blocks above a cut", Attention{H: 1, KV: 1, D: 288, Window: 20}, []int{36, 1, 3}},
	}
	withTables(t, func(t *testing.T) {
		for _, c := range cases {
			for _, precision := range numeric.Precisions() {
				for _, size := range []int{numeric.Cut, 64} {
					for _, dtype := range []tensor.DType{tensor.F32, tensor.F16, tensor.Q8_0} {
						if dtype != tensor.F32 && (precision.Rounds() || c.a.D%dtype.BlockSize() != 0) {
							continue
						}
						t.Run(fmt.Sprint(c.name, precision, size, dtype), func(t *testing.T) { testPages(t, c.a, c.parts, precision, size, dtype) })
					}
				}
			}
		}
	})
}

func testPages(t *testing.T, a Attention, parts []int, precision numeric.Precision, size int, dtype tensor.DType) {
	a.Scale, a.Precision = 0.3, precision
	r := rand.New(rand.NewPCG(21, 22))
	total := 0
	for _, n := range parts {
		total += n
	}
	need := spans(total, size)
	heap := need + 2
	width := a.KV * a.D
	pages := func(values bool) *Pages {
		p, err := NewPages(heap, size, a.KV, a.D, values, precision, dtype, func(n int) ([]float32, error) { return make([]float32, n), nil })
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	keys, vals := pages(false), pages(true)
	garbage := Dense(values(r, size*width, false), size, width)
	for i := range garbage.Data {
		if i%7 == 0 {
			garbage.Data[i] = float32(math.Inf(1))
		}
	}
	var all []int32
	for _, page := range r.Perm(heap) {
		all = append(all, int32(page))
		keys.Put([]int32{int32(page)}, 0, garbage)
		vals.Put([]int32{int32(page)}, 0, garbage)
	}
	table := all[:need:need]
	k, v := Dense(values(r, total*width, false), total, width), Dense(values(r, total*width, false), total, width)
	// What attention reads are the numbers that the dtype has of those that are given.
	given := [2]Matrix{k, v}
	k, v = kept(t, k, dtype), kept(t, v, dtype)
	// run compares queries from a position on.
	run := func(pos, n int, table []int32) {
		t.Helper()
		q := Dense(values(r, n*a.H*a.D, false), n, a.H*a.D)
		segment := func() Segment {
			return Segment{Q: q, O: Dense(make([]float32, n*a.H*a.D), n, a.H*a.D), Pos: pos, Stats: Dense(make([]float32, n*2*a.H), n, 2*a.H)}
		}
		want, got := segment(), segment()
		want.K, want.V = k.Slice(0, pos+n), v.Slice(0, pos+n)
		got.Keys, got.Values, got.Table = keys, vals, table
		a.Forward([]Segment{want})
		a.Forward([]Segment{got})
		if err := sameBits(got.O.Data, want.O.Data); err != nil {
			t.Fatalf("%d tokens at %d: %v", n, pos, err)
		}
	}
	pos := 0
	for _, n := range parts {
		keys.Put(table, pos, given[0].Slice(pos, n))
		vals.Put(table, pos, given[1].Slice(pos, n))
		seen := append([]int32(nil), table...)
		for i := range max(pos-a.Window+1, 0) / size {
			if a.Window > 0 {
				seen[i] = -1
			}
		}
		run(pos, n, seen)
		pos += n
	}
	// Others get copies of some rows, and go on by themselves.
	copied := min(total-1, size-1)
	other := append([]int32{all[need]}, table[1:]...)
	keys.Copy(other[0], table[0], copied)
	vals.Copy(other[0], table[0], copied)
	keys.Put(other, copied, given[0].Slice(copied, total-copied))
	vals.Put(other, copied, given[1].Slice(copied, total-copied))
	run(total-1, 1, other)
	if !precision.Rounds() {
		for i, p := range []*Pages{keys, vals} {
			got := p.All()[int(other[0])*size*width:][:copied*width]
			if err := sameBits(got, []Matrix{k, v}[i].Data[:len(got)]); err != nil {
				t.Error("read back: ", err)
			}
		}
	}
}

// kept returns the numbers of a matrix as a dtype has them.
func kept(t *testing.T, m Matrix, dtype tensor.DType) Matrix {
	t.Helper()
	packed, err := tensor.FromFloat32([]int{len(m.Data)}, slices.Clone(m.Data)).Convert(dtype)
	if err != nil {
		t.Fatal(err)
	}
	numbers, err := packed.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	return Dense(numbers, m.Rows, m.Cols)
}

// TestNarrowNumbers reads back numbers at the ends of what halves and blocks have.
func TestNarrowNumbers(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	row := func(x ...float32) []float32 { return append(x, make([]float32, 32-len(x))...) }
	cases := []struct {
		dtype    tensor.DType
		in, want []float32
	}{
		{tensor.F16, row(65519, 65520, -1e9, inf, 0x1p-25, 0x1.8p-25, 1+0x1p-11, 1+0x1.8p-10), row(65504, inf, -inf, inf, 0, 0x1p-24, 1, 1+0x1p-9)},
		{tensor.Q8_0, row(127, -0.5, 0.5, 1.49, -126.6), row(127, -1, 1, 1, -127)},
		{tensor.Q8_0, row(8e6, 1), row(tensor.F16ToFloat32(tensor.F16FromFloat32(8e6/127))*127, 0)},
		{tensor.Q8_0, row(65520*127, 1), []float32{nan}},
		{tensor.Q8_0, row(1, inf), []float32{nan}},
		{tensor.Q8_0, row(1, nan), []float32{nan}},
	}
	withTables(t, func(t *testing.T) {
		for _, c := range cases {
			for _, vals := range []bool{false, true} {
				p, err := NewPages(1, 32, 1, 32, vals, numeric.FP32, c.dtype, func(n int) ([]float32, error) { return make([]float32, n), nil })
				if err != nil {
					t.Fatal(err)
				}
				p.Put([]int32{0}, 5, Dense(c.in, 1, 32))
				for i, x := range p.All()[5*32 : 6*32] {
					want := c.want[min(i, len(c.want)-1)]
					if x != want && (x == x || want == want) {
						t.Errorf("%v, values %v: %v is kept as %v, want %v", c.dtype, vals, c.in[i], x, want)
					}
				}
			}
		}
	})
}
