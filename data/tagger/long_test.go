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

// matchesOf finds what (.+?)(\s?\1){3,} matches as an engine does that tries everything.
func matchesOf(x []rune) (found [][3]int) {
	for p := 0; p < len(x); {
		end, piece := 0, 0
		for n := 1; p+4*n <= len(x) && x[p+n-1] != '\n' && end == 0; n++ {
			is := func(q int) bool { return q+n <= len(x) && slices.Equal(x[q:q+n], x[p:p+n]) }
			var loop func(q, times int) bool
			loop = func(q, times int) bool {
				if q < len(x) && isSpace(x[q]) && is(q+1) && loop(q+1+n, times+1) || is(q) && loop(q+n, times+1) {
					return true
				}
				if times >= 3 {
					end, piece = q, n
				}
				return times >= 3
			}
			loop(p+n, 0)
		}
		if end == 0 {
			p++
			continue
		}
		found = append(found, [3]int{p, end, strings.Count(string(x[p:end]), string(x[p:p+piece]))})
		p = end
	}
	return found
}

// Repetitions of a text that does not fit a window, and of pieces that do not fit one
// either, are those of the expression.
func TestRepetitionsInWindows(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	defer func(w, p int) { windowRunes, windowPiece = w, p }(windowRunes, windowPiece)
	alphabets := [][]string{{"a", "b"}, {"a", "b", "c", " "}, {"a", "é", "\u2003", " ", "\n"}, {"a", "b", "c", "d", "e", "f", "g", "\u3000", "中"}}
	gaps := []string{"", "", "", " ", "\n", "\u2003", "\u00a0", "  "}
	long := 0
	for i := range rounds(400) {
		alphabet := alphabets[r.IntN(len(alphabets))]
		text := ""
		for range 1 + r.IntN(4) {
			text += randomText(r, alphabet, 40)
			piece, gap := randomText(r, alphabet, 71), gaps[r.IntN(len(gaps))]
			for range r.IntN(7) {
				text += piece
				if r.IntN(4) > 0 {
					text += gap
				}
			}
		}
		var rp repetitions
		x := []rune(text)
		want := matchesOf(x)
		for _, w := range [][2]int{{1 << 17, 1 << 13}, {64, 8}, {40, 8}, {20, 4}} {
			windowRunes, windowPiece = w[0], w[1]
			var got [][3]int
			rp.find(text, func(start, end, count int) { got = append(got, [3]int{start, end, count}) })
			if !slices.Equal(got, want) {
				t.Fatalf("text %d, windows of %v: %v, want %v, for %q", i, w, got, want, text)
			}
			long += len(rp.longRepeats(text))
		}
	}
	if long < rounds(130) {
		t.Errorf("only %d texts have long pieces", long)
	}
}
