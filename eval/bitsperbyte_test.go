package eval

import (
	"math"
	"slices"
	"testing"
)

// TestWords: what stands between runs of Python's white space.
func TestWords(t *testing.T) {
	for text, want := range map[string]int{
		"":                               1,
		"a":                              1,
		"a b\tc\n\nd":                    4,
		" a ":                            3,
		"a\u00a0b\u3000c\u2028d":         4,
		"a\x1cb\x1dc\x1ed\x1fe":          5, // Python's \s has the separators of ASCII
		"a\x1bb\x20\x1c\x85c\u200bd\x7f": 2,
	} {
		if got := words(text); got != want {
			t.Errorf("words(%q) = %d, want %d", text, got, want)
		}
	}
}

// TestPalomaWindows compares where catwalk cuts documents for Paloma, and the figures
// that it makes of the sums.
func TestPalomaWindows(t *testing.T) {
	want := readOLMES(t).Paloma
	var total Perplexity
	for n, d := range want.Documents {
		ids := make([]int32, d.Tokens+1)
		for i := range ids {
			ids[i] = int32(i)
		}
		var got [][2]int
		next := int32(1)
		for _, q := range windows(ids, want.Size, true) {
			context := slices.IndexFunc(q.Targets, func(x int32) bool { return x >= 0 }) + 1
			got = append(got, [2]int{context, len(q.IDs) - context + 1})
			for _, target := range q.Targets[context-1:] {
				if target != next {
					t.Fatalf("document %d: token %d is predicted where %d should be", n, target, next)
				}
				next++
			}
		}
		if !slices.Equal(got, d.Windows) || int(next) != len(ids) {
			t.Errorf("document %d of %d tokens: windows %v, want %v", n, d.Tokens, got, d.Windows)
		}
		total.Add(DocumentScore{Bytes: d.Bytes, Chars: d.Chars, Words: d.Words, Tokens: d.Tokens, Nats: -d.Sum})
	}
	for name, got := range map[string]float64{
		"bits_per_byte": total.BitsPerByte, "ppl_token": total.PerToken, "ppl_char": total.PerChar, "ppl_word": total.PerWord, "ppl_byte": total.PerByte,
	} {
		if w := want.Overall[name]; w == 0 || math.Abs(got-w) > 1e-9*w {
			t.Errorf("%s = %v, want %v", name, got, w)
		}
	}
}

// TestDisjointWindows: without overlap the last window is as long as is left.
func TestDisjointWindows(t *testing.T) {
	var got [][]int32
	for _, q := range windows([]int32{9, 1, 2, 3, 4, 5}, 2, false) {
		got = append(got, q.IDs, q.Targets)
	}
	want := [][]int32{{9, 1}, {1, 2}, {2, 3}, {3, 4}, {4}, {5}}
	if len(got) != len(want) || !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("ids and targets %v, want %v", got, want)
	}
}
