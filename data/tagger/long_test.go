package tagger

import (
	"bytes"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"olmo/data"
)

// Words, n-grams and lines of a very long document are counted in parts; the signals
// are those of one table.
func TestGopherInParts(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	texts := []string{strings.Repeat("a ", 300), strings.Repeat("\n", 99), strings.Repeat("a b c d\n", 40)}
	for range 30 {
		texts = append(texts, randomText(r, []string{"a", "b", "é", "\u2003", " ", " ", "\n", "- ", "…", "longer than eight "}, 3000))
	}
	signals := func(s string) []data.Span {
		var x Text
		x.Reset(&data.Document{Text: s})
		var out Spans
		for _, g := range []*gopher{{}, {mergeNewlines: true}} {
			if err := g.Tag(&x, &out); err != nil {
				t.Fatal(err)
			}
		}
		var all []data.Span
		for _, kind := range out.Types() {
			all = append(all, out.Of(kind)...)
		}
		return all
	}
	defer func(n int) { mostKeys = n }(mostKeys)
	for _, s := range texts {
		mostKeys = 1 << 19
		want := signals(s)
		for _, mostKeys = range []int{3, 20, 100} {
			if got := signals(s); !reflect.DeepEqual(got, want) {
				t.Fatalf("%d keys at a time: %v, want %v, for %q", mostKeys, got, want, s)
			}
		}
	}
}

func TestPairTableGrows(t *testing.T) {
	var g gopher
	g.table.reset(0)
	for i := range 1000 {
		key := uint64(i) * 0x1_0001
		slot := g.table.slot(key)
		for g.table.entries[slot].age == g.table.age {
			slot = (slot + 1) & g.table.mask
		}
		g.add(slot, key, i)
	}
	for i := range 1000 {
		key := uint64(i) * 0x1_0001
		slot := g.table.slot(key)
		for g.table.entries[slot].key != key {
			slot = (slot + 1) & g.table.mask
		}
		if e := g.table.entries[slot]; int(e.id) != i || e.age != g.table.age {
			t.Fatalf("key %d has the entry %v", i, e)
		}
	}
}

// A text may have a span for every character: a list keeps them in few bytes, and a row
// that would be too long is never made.
func TestManySpans(t *testing.T) {
	var s Spans
	r := rand.New(rand.NewPCG(5, 6))
	for range 2 { // the second time in the memory of the first
		s.Reset()
		want := map[string][]data.Span{}
		add := func(kind string, span data.Span) {
			s.Add(kind, span.Start, span.End, span.Score)
			want[kind] = append(want[kind], span)
		}
		for i := range 400_000 {
			add("line", data.Span{Start: i, End: i + 1, Score: 1})
			if i%100 == 0 {
				at := r.IntN(1 << 26)
				add("any", data.Span{Start: at, End: at - 5 + r.IntN(1000), Score: []float64{r.Float64(), -1, 0, math.Copysign(0, -1), math.Inf(1)}[r.IntN(5)]})
			}
		}
		for kind, spans := range want {
			got := s.Of(kind)
			if !slices.EqualFunc(got, spans, func(a, b data.Span) bool {
				return a.Start == b.Start && a.End == b.End && math.Float64bits(a.Score) == math.Float64bits(b.Score)
			}) {
				t.Fatalf("%s: the spans are not those that were added", kind)
			}
		}
		list := &s.spans[0]
		if n := len(list.packed) + len(list.full)*spanBytes; n > 3*list.n {
			t.Errorf("%d spans take %d bytes", list.n, n)
		}
		if row := appendRounded(nil, list); len(row) != roundedBytes(list) || !bytes.HasPrefix(row, []byte("[[0,1,1.0],[1,2,1.0],")) {
			t.Errorf("a row of %d bytes, expected %d: %.40s", len(row), roundedBytes(list), row)
		}
	}
}
