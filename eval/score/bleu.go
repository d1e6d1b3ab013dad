package score

import (
	"math"
	"strings"

	"olmo/eval/python"
	"olmo/numeric"
)

// BLEU (Papineni et al. 2002) of a corpus with n-grams of up to four words, from 0 to 100, as
// sacrebleu 2.6.0 computes it by default (metrics/bleu.py): tokens of mteval-v13a, case kept,
// orders without a match smoothed exponentially, of several right answers the length that is
// closest. A row alone is measured by the orders that it has (sentence_bleu).
var BLEU = defineCorpus("sacrebleu 2.6.0, metrics/bleu.py, corpus_score", &Corpus{
	Name: "bleu",
	Of: func(response string, answers []string) []float64 {
		own := words13a(response)
		length := float64(len(own))
		closest := math.Inf(1)
		var right [bleuOrder]counter
		for _, a := range answers {
			w := words13a(a)
			if n, d := float64(len(w)), math.Abs(float64(len(w))-length); d < math.Abs(closest-length) || d == math.Abs(closest-length) && n < closest {
				closest = n
			}
			for i := range right {
				grams := wordGrams(w, i+1)
				if right[i] == nil {
					right[i] = grams
					continue
				}
				for g, k := range grams {
					right[i][g] = max(right[i][g], k)
				}
			}
		}
		stats := make([]float64, 2+2*bleuOrder)
		stats[0], stats[1] = length, closest
		for i := range right {
			stats[2+i] = wordGrams(own, i+1).common(right[i])
			stats[2+bleuOrder+i] = max(0, length-float64(i))
		}
		return stats
	},
	Figure: func(s []float64, alone bool) float64 {
		length, want, correct, total := s[0], s[1], s[2:2+bleuOrder], s[2+bleuOrder:]
		if correct[0]+correct[1]+correct[2]+correct[3] == 0 {
			return 0
		}
		var sum float64
		order, smooth := bleuOrder, 1.0
		for i := range bleuOrder {
			switch {
			case total[i] == 0 && alone:
				order = min(order, i)
			case total[i] == 0:
				return 0
			case correct[i] == 0:
				smooth *= 2
				sum += numeric.Log(100 / (smooth * total[i]))
			default:
				sum += numeric.Log(100 * correct[i] / total[i])
			}
		}
		brevity := 1.0
		if length < want {
			brevity = numeric.Exp(1 - want/length)
		}
		return brevity * numeric.Exp(sum/float64(order))
	},
})

const bleuOrder = 4

// wordGrams counts the sequences of n words.
func wordGrams(words []string, n int) counter {
	c := counter{}
	for i := 0; i+n <= len(words); i++ {
		c[strings.Join(words[i:i+n], " ")]++
	}
	return c
}

// words13a are the words of mteval-v13a: punctuation apart, points and commas only outside of
// numbers.
func words13a(s string) []string {
	s = strings.TrimRightFunc(s, python.IsSpace)
	for _, x := range [][2]string{{"<skipped>", ""}, {"-\n", ""}, {"\n", " "}, {"&quot;", `"`}, {"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}} {
		s = strings.ReplaceAll(s, x[0], x[1])
	}
	var marked []byte
	for _, c := range []byte(" " + s + " ") {
		if c != '\'' && c != ',' && c != '-' && c != '.' && (c >= ' ' && c <= '/' || c >= ':' && c <= '@' || c >= '[' && c <= '`' || c >= '{' && c <= '~') {
			marked = append(marked, ' ', c, ' ')
		} else {
			marked = append(marked, c)
		}
	}
	// A point or comma after no digit, then one before no digit, then a dash after a digit; each
	// rule sees the spaces of the one before.
	point := func(c byte) bool { return c == '.' || c == ',' }
	digit := func(c byte) bool { return c >= '0' && c <= '9' }
	marked = pairs(marked, func(a, b byte) bool { return !digit(a) && point(b) }, false, true)
	marked = pairs(marked, func(a, b byte) bool { return point(a) && !digit(b) }, true, false)
	marked = pairs(marked, func(a, b byte) bool { return digit(a) && b == '-' }, false, true)
	return python.Fields(string(marked))
}

// pairs puts a space between two bytes that belong to a rule, and one before or after them. Pairs
// do not overlap.
func pairs(s []byte, rule func(a, b byte) bool, before, after bool) []byte {
	out := make([]byte, 0, len(s)+len(s)/4)
	for i := 0; i < len(s); i++ {
		if i+1 == len(s) || !rule(s[i], s[i+1]) {
			out = append(out, s[i])
			continue
		}
		if before {
			out = append(out, ' ')
		}
		out = append(out, s[i], ' ', s[i+1])
		if after {
			out = append(out, ' ')
		}
		i++
	}
	return out
}
