package generate

import (
	"slices"
	"testing"
)

func TestLookup(t *testing.T) {
	for _, c := range []struct {
		name  string
		ids   []int32
		match int
		want  []int32 // the first of what is guessed
	}{
		{"nothing came before", []int32{1, 2, 3}, 0, nil},
		{"one id", []int32{1}, 0, nil},
		{"the longest match", []int32{1, 2, 3, 4, 9, 3, 5, 2, 3}, 2, []int32{4, 9, 3, 5, 2, 3, 4, 9}},
		{"of equal ones the newest", []int32{3, 4, 3, 5, 3}, 1, []int32{5, 3, 5, 3}},
		{"a text that goes round", []int32{9, 1, 2, 1, 2}, 2, []int32{1, 2, 1, 2, 1}},
		{"one id over and over", []int32{7, 7, 7}, 2, []int32{7, 7, 7}},
		{"a whole text twice", slices.Concat(count(40), count(20)), longestMatch, []int32{20, 21, 22}},
	} {
		var l lookup
		l.look(c.ids)
		if l.match != c.match || len(l.ids) < len(c.want) || !slices.Equal(l.ids[:len(c.want)], c.want) || c.want == nil && len(l.ids) > 0 {
			t.Errorf("%s: match %d, %v; want %d, %v", c.name, l.match, l.ids, c.match, c.want)
		}
	}
}

func count(n int) (ids []int32) {
	for i := range n {
		ids = append(ids, int32(i))
	}
	return ids
}

// TestLookupRates counts guesses that come true and those that do not, whether they are run or not.
func TestLookupRates(t *testing.T) {
	var repeats, differs lookup
	twice := slices.Concat(count(40), count(40))
	for n := 40; n <= len(twice); n++ {
		repeats.look(twice[:n])
	}
	text := []int32{1, 2}
	for i := range int32(20) { // behind 1, 2 there is always another id
		text = append(text, 10+i, 1, 2)
		differs.look(text)
	}
	if p := repeats.likely(longestMatch); p < 0.95 {
		t.Errorf("a text that comes twice: %.2f of the guesses are expected to come true", p)
	}
	if p := differs.likely(2); p > 0.1 {
		t.Errorf("a text that always goes on in another way: %.2f of the guesses are expected to come true", p)
	}
}

// TestPace takes no more guesses than pay.
func TestPace(t *testing.T) {
	var sure lookup
	sure.look(slices.Concat(count(40), count(20)))
	for c := range sure.rates {
		sure.rates[c] = rate{100, 100}
	}
	unsure := sure
	for c := range unsure.rates {
		unsure.rates[c] = rate{5, 100}
	}
	for _, c := range []struct {
		name    string
		seconds func(rows int) float64
		guesses *lookup
		ok      func(n int) bool
	}{
		{"rows cost nothing", func(int) float64 { return 1 }, &sure, func(n int) bool { return n == longestGuess }},
		{"a row costs what a token does", func(rows int) float64 { return float64(rows) }, &sure, func(n int) bool { return n == 0 }},
		{"several rows have a price", func(rows int) float64 { return min(float64(rows)*8, 8) + float64(rows)/4 }, &unsure, func(n int) bool { return n == 0 }},
		{"rows are cheap, guesses bad", func(rows int) float64 { return 1 + float64(rows)/4 }, &unsure, func(n int) bool { return n == 0 }},
		{"rows are cheap, guesses good", func(rows int) float64 { return 1 + float64(rows)/4 }, &sure, func(n int) bool { return n > 8 }},
	} {
		var p pace
		likely := func(k int) float64 { return c.guesses.likely(c.guesses.match + k) }
		if n := p.worthwhile(longestGuess, likely, 0, &plan{width: 1, expected: 1}); n != 0 {
			t.Errorf("%d guesses before anything was measured", n)
		}
		for range 40 {
			for _, rows := range []int{1, 2, 8, 32} {
				p.add(rows, c.seconds(rows))
			}
		}
		if n := p.worthwhile(longestGuess, likely, 0, &plan{width: 1, expected: 1}); !c.ok(n) {
			t.Errorf("%s: %d guesses", c.name, n)
		}
	}
}
