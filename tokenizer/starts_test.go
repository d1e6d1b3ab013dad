package tokenizer

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// wordsByWindow cuts s as Encoder.segment does; it also counts the windows that
// masks were computed for.
func wordsByWindow(k kind, s string) (ends []int, windows int) {
	var w window
	for i := 0; i < len(s); {
		stop := min(i+windowBytes, len(s))
		for stop < len(s) && !utf8.RuneStart(s[stop]) {
			stop--
		}
		limit := w.find(k, s, i, stop, stop == len(s))
		from := i
		for at := 1; at <= limit; at++ {
			if w.start[at/blockBytes]>>(at%blockBytes)&1 != 0 {
				i = from + at
				ends = append(ends, i)
			}
		}
		if i > from {
			windows++
			continue
		}
		i = k.scan(s, i)
		ends = append(ends, i)
	}
	return ends, windows
}

func wordsByScan(k kind, s string) (ends []int) {
	for i := 0; i < len(s); {
		i = k.scan(s, i)
		ends = append(ends, i)
	}
	return ends
}

var allKinds = []kind{kindGPT2, kindNeoX, kindDigits, kindCL100K}

// randomText gives text of the pieces that make cutting hard.
func randomText(rng *rand.Rand, n int) string {
	alphabets := [][]string{
		{"a", "b", " ", "'", "s", "ll", "!", "\n"},
		{" ", " ", "\n", "\t", "\r", "x", "("},
		{"1", "2", "345", " ", "a", "."},
		{"é", "Ж", "ü", " ", "x", "'", "ſ", "«", "…", "\n"},
		{"漢", "字", "。", "、", " ", "\n", "한", "ن", "े", "्"},
		{"\u00a0", "\u3000", "\u2028", " ", "a", "\n", "…"},
		{"²", "٣", "Ⅷ", "7", "a", " ", "\U00011de1"},
		{"😀", "👩\u200d👧", "a", " ", "\n", "…", "\u0301"},
		{"'s", "'LL", "'Re", "'t ", " '", "''", "d", "x"},
		{"                         ", "   ", " ", "a", "\n"},
	}
	var b strings.Builder
	for b.Len() < n {
		list := alphabets[rng.IntN(len(alphabets))]
		for range 1 + rng.IntN(40) {
			b.WriteString(list[rng.IntN(len(list))])
		}
		if rng.IntN(8) == 0 {
			b.WriteString(strings.Repeat(list[rng.IntN(len(list))], rng.IntN(300)))
		}
	}
	return b.String()
}

// TestWindow compares the words of the masks with those of the scanners.
func TestWindow(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	rounds := 1000
	if testing.Short() {
		rounds = 100
	}
	for _, k := range allKinds {
		windows := 0
		for range rounds {
			s := randomText(rng, rng.IntN(1500))
			got, n := wordsByWindow(k, s)
			windows += n
			want := wordsByScan(k, s)
			if !slices.Equal(got, want) {
				i := 0
				for i < min(len(got), len(want)) && got[i] == want[i] {
					i++
				}
				from := 0
				if i > 0 {
					from = want[i-1]
				}
				t.Fatalf("kind %d: from %q the word ends %d behind, want %d", k, s[from:min(from+60, len(s))], append(got, -1)[i]-from, append(want, -1)[i]-from)
			}
		}
		if windows < rounds/4 {
			t.Errorf("kind %d: masks were computed for %d windows of %d texts only", k, windows, rounds)
		}
	}
}

// TestScanners compares the scanners with the regular expressions that they
// stand for.
func TestScanners(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for k, expr := range map[kind]string{kindGPT2: gpt2Pattern, kindCL100K: cl100kPattern} {
		p, err := parsePattern(expr)
		if err != nil {
			t.Fatal(err)
		}
		for range 60 {
			s := randomText(rng, rng.IntN(600))
			var want []int
			last := 0
			eachMatch(p, s, func(start, end int) {
				if start != last {
					t.Fatalf("kind %d: the matches in %q leave %d to %d out", k, s, last, start)
				}
				last = end
				want = append(want, end)
			})
			if got := wordsByScan(k, s); !slices.Equal(got, want) {
				t.Fatalf("kind %d: words of %q end at %v, want %v", k, s, got, want)
			}
		}
	}
}
