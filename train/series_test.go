package train

import (
	"slices"
	"testing"
)

func TestSeries(t *testing.T) {
	for _, c := range []struct {
		name  string
		there series
		step  int
		kind  kind
		keep  map[kind]int
		given []int
		left  []int
	}{
		{"all are kept", series{kept: {10, 20}}, 30, kept, map[kind]int{kept: -1, permanent: -1}, nil, []int{10, 20, 30}},
		{"the last two", series{kept: {10, 20}}, 30, kept, map[kind]int{kept: 2}, []int{10}, []int{20, 30}},
		{"of each kind", series{permanent: {10, 30}, kept: {20}}, 40, kept, map[kind]int{kept: 1, permanent: 1}, []int{10, 20}, []int{30, 40}},
		{"none but the newest", series{kept: {10}}, 20, permanent, map[kind]int{kept: 0, permanent: -1}, []int{10}, []int{20}},
		{"an ephemeral one goes with the next", series{kept: {10}, ephemeral: {15}}, 20, kept, map[kind]int{kept: -1}, []int{15}, []int{10, 20}},
		{"the newest stays, though ephemeral", series{}, 5, ephemeral, nil, nil, []int{5}},
		{"later ones are another run's", series{kept: {10, 50}, ephemeral: {60}}, 20, kept, map[kind]int{kept: 1}, []int{10}, []int{20, 50, 60}},
		{"a step that is written again", series{kept: {10, 30}, ephemeral: {20}}, 20, kept, map[kind]int{kept: 2}, nil, []int{10, 20, 30}},
	} {
		t.Run(c.name, func(t *testing.T) {
			given := c.there.add(c.step, c.kind, c.keep)
			var left []int
			for _, steps := range c.there {
				left = append(left, steps...)
			}
			slices.Sort(left)
			if !slices.Equal(given, c.given) || !slices.Equal(left, c.left) {
				t.Errorf("given up %v, left %v; want %v and %v", given, left, c.given, c.left)
			}
		})
	}
}

// TestSaveIsConstant: a save costs the same however many checkpoints are kept.
func TestSaveIsConstant(t *testing.T) {
	cost := func(n int) float64 {
		s := series{}
		keep := map[kind]int{kept: -1, permanent: -1}
		for i := range n {
			s.add(10*i, kept, keep)
		}
		s[kept] = slices.Grow(s[kept], 200)
		step := 10 * n
		return testing.AllocsPerRun(100, func() {
			s.add(step, kept, keep)
			step += 10
		})
	}
	if few, many := cost(5), cost(5000); few != many {
		t.Errorf("%g allocations with 5 checkpoints, %g with 5000", few, many)
	}
}

func BenchmarkSaveAmong500(b *testing.B) {
	s := series{}
	keep := map[kind]int{kept: 500, permanent: -1}
	step := 0
	for ; step < 500; step++ {
		s.add(step, kept, keep)
	}
	for b.Loop() {
		s.add(step, kept, keep)
		step++
	}
}
