package score

import (
	"strings"

	"olmo/eval/python"
)

// SQuAD (Rajpurkar et al. 2016, 2018) by the data set's own measures, as evaluate's squad_v2 and
// Transformers' squad_metrics.py have them: whether the words are those of a right answer, and
// the F1 of the words, both from 0 to 1. Answers are a list of texts, or Hugging Face's object
// with the list text; where there are none, an empty response is right.
var _ = define(Scorer{
	Name: "squad", Source: "Transformers 4.57, data/metrics/squad_metrics.py, compute_exact and compute_f1",
	Gives:    []string{"exact", "f1"},
	Verdicts: []string{"exact"},
	Each: func(r *Row) (Values, error) {
		var answers []string
		if r.field("answers", &answers) != nil {
			var nested struct{ Text []string }
			if err := r.field("answers", &nested); err != nil {
				return nil, err
			}
			if err := r.field("answers.text", &answers); err != nil {
				return nil, err
			}
		}
		response, err := r.Response()
		if err != nil {
			return nil, err
		}
		var exact, f1 float64
		asked := false
		for _, a := range answers {
			if len(squadWords(a)) == 0 {
				continue
			}
			asked = true
			exact, f1 = max(exact, squadExact(a, response)), max(f1, squadF1(a, response))
		}
		if !asked {
			exact, f1 = squadExact("", response), squadF1("", response)
		}
		return Values{"exact": exact, "f1": f1}, nil
	},
	Answers: func(response string) (map[string]string, error) {
		return map[string]string{"exact": strings.Join(squadWords(response), " ")}, nil
	},
})

// squadWords are a text's words in lower case, without punctuation and articles.
func squadWords(s string) []string {
	return python.Fields(withoutArticles(without(python.Lower(s), punctuation)))
}

var articles = pattern(`\b(a|an|the)\b`)

// withoutArticles writes a space for each article.
func withoutArticles(s string) string {
	if !strings.ContainsAny(s, "a") && !strings.Contains(s, "the") {
		return s
	}
	out, err := articles().Sub(" ", s, 0)
	if err != nil {
		return s // the pattern takes no time that grows
	}
	return out
}

func squadExact(gold, response string) float64 {
	return number(strings.Join(squadWords(gold), " ") == strings.Join(squadWords(response), " "))
}

// squadF1 counts words that both have; texts without words agree with each other alone.
func squadF1(gold, response string) float64 {
	a, b := squadWords(gold), squadWords(response)
	if len(a) == 0 || len(b) == 0 {
		return number(len(a) == len(b))
	}
	count := map[string]int{}
	for _, w := range a {
		count[w]++
	}
	same := 0.0
	for _, w := range b {
		if count[w] > 0 {
			count[w]--
			same++
		}
	}
	return harmonic(same/float64(len(b)), same/float64(len(a)))
}

// harmonic is F1 of precision and recall.
func harmonic(precision, recall float64) float64 {
	if precision == 0 && recall == 0 {
		return 0
	}
	return 2 * precision * recall / (precision + recall)
}
