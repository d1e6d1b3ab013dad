package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"olmo/numeric"
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
	}
	withTables(t, func(t *testing.T) {
		for _, c := range cases {
			for _, precision := range numeric.Precisions() {
				for _, size := range []int{numeric.Cut, 64} {
					t.Run(fmt.Sprint(c.name, precision, size), func(t *testing.T) { testPages(t, c.a, c.parts, precision, size) })
				}
			}
		}
	})
}

func testPages(t *testing.T, a Attention, parts []int, precision numeric.Precision, size int) {
	a.Scale, a.Precision = 0.3, precision
	r := rand.New(rand.NewPCG(21, 22))
	total := 0
	for _, n := range parts {
		total += n
	}
	const heap = 12
	width := a.KV * a.D
	pages := func(values bool) *Pages {
		p, err := NewPages(heap, size, a.KV, a.D, values, precision, func(n int) ([]float32, error) { return make([]float32, n), nil })
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
	need := spans(total, size)
	table := all[:need:need]
	k, v := Dense(values(r, total*width, false), total, width), Dense(values(r, total*width, false), total, width)
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
		keys.Put(table, pos, k.Slice(pos, n))
		vals.Put(table, pos, v.Slice(pos, n))
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
	keys.Put(other, copied, k.Slice(copied, total-copied))
	vals.Put(other, copied, v.Slice(copied, total-copied))
	run(total-1, 1, other)
	if precision == numeric.FP32 {
		for i, p := range []*Pages{keys, vals} {
			got := p.All()[int(other[0])*size*width:][:copied*width]
			if err := sameBits(got, []Matrix{k, v}[i].Data[:len(got)]); err != nil {
				t.Error("read back: ", err)
			}
		}
	}
}
