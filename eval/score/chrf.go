package score

import (
	"strings"
	"unicode/utf8"

	"olmo/eval/python"
)

// chrF (Popović 2015) and chrF++ (2017) of a corpus, from 0 to 100, as sacrebleu 2.6.0 computes
// them by default (metrics/chrf.py): F2 of sequences of up to six characters, spaces left out, for
// chrF++ also of up to two words, averaged over the orders that both sides have; of several right
// answers the best counts.
var (
	ChrF   = defineCorpus("sacrebleu 2.6.0, metrics/chrf.py, corpus_score", newChrF("chrf", 0))
	ChrFPP = defineCorpus("sacrebleu 2.6.0, metrics/chrf.py, corpus_score with word_order 2", newChrF("chrf++", 2))
)

const chrFCharacters = 6

func newChrF(name string, wordOrder int) *Corpus {
	grams := func(s string) []counter {
		var out []counter
		letters := strings.Join(python.Fields(s), "")
		for n := 1; n <= chrFCharacters; n++ {
			out = append(out, characterGrams(letters, n))
		}
		for n := 1; n <= wordOrder; n++ {
			out = append(out, wordGrams(chrFWords(s), n))
		}
		return out
	}
	return &Corpus{
		Name: name,
		Of: func(response string, answers []string) []float64 {
			own := grams(response)
			var best []float64
			top := -1.0
			for _, a := range answers {
				var stats []float64
				for i, right := range grams(a) {
					n := own[i].total()
					if len(right) == 0 {
						n = 0 // nothing is asked of this order
					}
					stats = append(stats, n, right.total(), own[i].common(right))
				}
				if f := chrF(stats); f > top {
					best, top = stats, f
				}
			}
			return best
		},
		Figure: func(sums []float64, _ bool) float64 { return chrF(sums) },
	}
}

// chrF is F2 of the mean precision and the mean recall of the orders.
func chrF(stats []float64) float64 {
	var precision, recall, orders float64
	for i := 0; i < len(stats); i += 3 {
		own, right, common := stats[i], stats[i+1], stats[i+2]
		if own > 0 && right > 0 {
			precision += common / own
			recall += common / right
			orders++
		}
	}
	if precision+recall == 0 {
		return 0
	}
	precision, recall = precision/orders, recall/orders
	return 100 * (5 * precision * recall / (float64(4*precision) + recall))
}

// characterGrams counts the sequences of n characters.
func characterGrams(s string, n int) counter {
	c := counter{}
	end := 0 // of the sequence that begins at the character
	for range n {
		if end == len(s) {
			return c
		}
		_, size := utf8.DecodeRuneInString(s[end:])
		end += size
	}
	for at := 0; ; {
		c[s[at:end]]++
		if end == len(s) {
			return c
		}
		_, first := utf8.DecodeRuneInString(s[at:])
		_, last := utf8.DecodeRuneInString(s[end:])
		at, end = at+first, end+last
	}
}

// chrFWords are words with one sign of punctuation at the end, or else at the beginning, apart.
func chrFWords(s string) []string {
	var out []string
	for _, w := range python.Fields(s) {
		n := len(w) - 1
		switch {
		case utf8.RuneCountInString(w) == 1:
			out = append(out, w)
		case strings.IndexByte(punctuation, w[n]) >= 0:
			out = append(out, w[:n], w[n:])
		case strings.IndexByte(punctuation, w[0]) >= 0:
			out = append(out, w[:1], w[1:])
		default:
			out = append(out, w)
		}
	}
	return out
}
