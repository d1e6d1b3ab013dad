package tokenizer

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestLongMerge merges long words of few letters in windows of all sizes, and as
// a whole.
func TestLongMerge(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	short, long := 0, 0
	for name, tok := range trained() {
		f := tok.fast
		for round := range 120 {
			letters := []string{"a", "th", "o", "the ", "漢字", "é", "\n", " ", "that's"}
			rng.Shuffle(len(letters), func(i, j int) { letters[i], letters[j] = letters[j], letters[i] })
			letters = letters[:1+rng.IntN(len(letters))]
			var b strings.Builder
			for n := rng.IntN(3000); b.Len() < n; {
				b.WriteString(strings.Repeat(letters[rng.IntN(len(letters))], 1+rng.IntN(1+round)))
			}
			s := b.String()
			list := f.symbols(nil, s)
			var want []int32
			for _, tk := range list[:f.model.merge(list)] {
				want = append(want, tk.id)
			}
			l := longMerge{m: f.model, symbols: f.symbols}
			size := 1 + rng.IntN(100)
			got := l.appendIDs(nil, s, size)
			if !slices.Equal(got, want) {
				t.Fatalf("%s: windows of %d bytes make %v of %q, want %v", name, size, got, s, want)
			}
			if _, ok := l.windows(nil, s, size); !ok {
				short++
			} else if len(s) > size {
				long++
			}
		}
	}
	if short == 0 || long < 100 {
		t.Errorf("windows were too short %d times and long enough %d times, want some and many", short, long)
	}
}
