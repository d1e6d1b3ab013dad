package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"olmo/numeric"
)

// TestCache feeds a sequence to attention in parts, from a packed cache and from plain
// keys and values: the same bits, whatever the slot held before.
func TestCache(t *testing.T) {
	cases := []struct {
		name  string
		a     Attention
		parts []int
	}{
		{"token by token", Attention{H: 2, KV: 1, D: 8}, []int{1, 1, 1, 1, 1}},
		{"a prompt, then tokens", Attention{H: 4, KV: 2, D: 10}, []int{37, 1, 1, 1}},
		{"across a cut", Attention{H: 2, KV: 2, D: 16}, []int{251, 3, 1, 1, 1, 1, 40}},
		{"head size above a cut", Attention{H: 1, KV: 1, D: 262}, []int{5, 1, 1}},
		{"window", Attention{H: 2, KV: 1, D: 8, Window: 20}, []int{60, 1, 1, 7}},
	}
	withTables(t, func(t *testing.T) {
		for _, c := range cases {
			for _, precision := range numeric.Precisions() {
				t.Run(fmt.Sprint(c.name, precision), func(t *testing.T) {
					a := c.a
					a.Scale, a.Precision = 0.3, precision
					r := rand.New(rand.NewPCG(21, 22))
					total := 0
					for _, n := range c.parts {
						total += n
					}
					const slot = 1
					cache := NewCache(2, total+3, a.KV, a.D, precision)
					garbage := Dense(values(r, (total+3)*a.KV*a.D, false), total+3, a.KV*a.D)
					for i := range garbage.Data {
						if i%7 == 0 {
							garbage.Data[i] = float32(math.Inf(1))
						}
					}
					cache.Fill(slot, 0, garbage, garbage)
					k, v := Dense(values(r, total*a.KV*a.D, false), total, a.KV*a.D), Dense(values(r, total*a.KV*a.D, false), total, a.KV*a.D)
					pos := 0
					for _, n := range c.parts {
						g := Segment{
							Q: Dense(values(r, n*a.H*a.D, false), n, a.H*a.D), O: Dense(make([]float32, n*a.H*a.D), n, a.H*a.D),
							K: k.Slice(0, pos+n), V: v.Slice(0, pos+n), Pos: pos, Stats: Dense(make([]float32, n*2*a.H), n, 2*a.H),
						}
						a.Forward([]Segment{g})
						want := g.O
						g.O = Dense(make([]float32, n*a.H*a.D), n, a.H*a.D)
						cache.Fill(slot, pos, g.K, g.V)
						g.Cache, g.Slot = cache, slot
						a.Forward([]Segment{g})
						if err := sameBits(g.O.Data, want.Data); err != nil {
							t.Fatalf("%d tokens at %d: %v", n, pos, err)
						}
						pos += n
					}
					// A shorter beginning, and after Reset positions that were given long ago.
					cache.Reset()
					g := Segment{
						Q: Dense(values(r, a.H*a.D, false), 1, a.H*a.D), O: Dense(make([]float32, a.H*a.D), 1, a.H*a.D),
						K: k.Slice(0, 3), V: v.Slice(0, 3), Pos: 2, Stats: Dense(make([]float32, 2*a.H), 1, 2*a.H),
					}
					a.Forward([]Segment{g})
					want := g.O
					g.O = Dense(make([]float32, a.H*a.D), 1, a.H*a.D)
					cache.Fill(slot, 2, g.K, g.V)
					g.Cache, g.Slot = cache, slot
					a.Forward([]Segment{g})
					if err := sameBits(g.O.Data, want.Data); err != nil {
						t.Fatal("after Reset: ", err)
					}
				})
			}
		}
	})
}
