package score

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"olmo/eval/python"
)

// DROP (Dua et al. 2019) as lm-eval 0.4.13 judges it (tasks/drop/utils.py): the words of the
// response against the spans of each answer; em where they are the same, f1 of the span that
// fits best, by the number of spans, to two decimals; a span with numbers fits none without.
var _ = define(Scorer{
	Name: "drop", Source: "lm-eval 0.4.13, tasks/drop/utils.py, process_results",
	Gives:    []string{"em", "f1"},
	Verdicts: []string{"em"},
	Each: func(r *Row) (Values, error) {
		answers, err := dropAnswers(r)
		if err != nil {
			return nil, err
		}
		response, err := r.Response()
		if err != nil {
			return nil, err
		}
		em, f1 := dropScore(answers, response)
		return Values{"em": em, "f1": f1}, nil
	},
	Answers: func(response string) (map[string]string, error) {
		return map[string]string{"em": dropNormal(response)}, nil
	},
})

// dropScore is the best of the answers, each a list of spans.
func dropScore(answers [][]string, response string) (em, f1 float64) {
	text := dropNormal(response)
	bag := dropBag(text)
	for _, spans := range answers {
		if len(spans) == 0 || python.Strip(spans[0]) == "" {
			continue
		}
		var best float64
		for _, span := range spans {
			best = max(best, dropF1(dropBag(dropNormal(span)), bag))
		}
		em = max(em, number(len(spans) == 1 && dropNormal(spans[0]) == text))
		f1 = max(f1, math.RoundToEven(best/float64(len(spans))*100)/100)
	}
	return em, f1
}

// dropAnswer is an answer as the data set has it: a number, spans, or a date.
type dropAnswer struct {
	Number json.RawMessage
	Spans  []string
	Date   struct{ Day, Month, Year string }
}

func (a *dropAnswer) texts() ([]string, error) {
	if len(a.Number) > 0 && string(a.Number) != `""` && string(a.Number) != "null" {
		return texts(a.Number)
	}
	if len(a.Spans) > 0 {
		return a.Spans, nil
	}
	return []string{python.Strip(a.Date.Day + " " + a.Date.Month + " " + a.Date.Year)}, nil
}

// dropAnswers are a document's answers, each a list of spans; lm-eval's own files have them so.
func dropAnswers(r *Row) (all [][]string, err error) {
	var first dropAnswer
	if err := r.field("answer", &first); err != nil {
		if r.field("answers", &all) == nil {
			return all, nil
		}
		return nil, err
	}
	answers := []dropAnswer{first}
	var more struct {
		Number []json.RawMessage
		Spans  [][]string
		Date   []struct{ Day, Month, Year string }
	}
	var raw json.RawMessage
	if r.field("validated_answers", &raw) == nil {
		if err := json.Unmarshal(raw, &more); err != nil {
			return nil, fmt.Errorf("validated_answers: %w", err)
		}
		if len(more.Spans) != len(more.Number) || len(more.Date) != len(more.Number) {
			return nil, fmt.Errorf("validated_answers has %d numbers, %d spans and %d dates", len(more.Number), len(more.Spans), len(more.Date))
		}
		for i := range more.Number {
			answers = append(answers, dropAnswer{more.Number[i], more.Spans[i], more.Date[i]})
		}
	}
	for _, a := range answers {
		spans, err := a.texts()
		if err != nil {
			return nil, fmt.Errorf("answer: %w", err)
		}
		if !slices.ContainsFunc(all, func(b []string) bool { return slices.Equal(b, spans) }) {
			all = append(all, spans)
		}
	}
	return all, nil
}

// dropNormal writes words in lower case without punctuation and articles, numbers as floats.
func dropNormal(s string) string {
	var words []string
	for _, w := range strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '-' }) {
		w = python.Lower(w)
		if _, ok := python.ParseFloat(w); !ok {
			w = without(w, punctuation)
		}
		if f, ok := python.ParseFloat(w); ok {
			w = python.Float(f)
		}
		if w = strings.Join(python.Fields(withoutArticles(w)), " "); w != "" {
			words = append(words, w)
		}
	}
	return strings.Join(words, " ")
}

// dropBag is the set of a text's words, in their order.
func dropBag(s string) []string {
	var bag []string
	for _, w := range python.Fields(s) {
		if !slices.Contains(bag, w) {
			bag = append(bag, w)
		}
	}
	return bag
}

// dropF1 is F1 of two sets of words, 0 where the first has numbers and the second none of them.
func dropF1(gold, bag []string) float64 {
	var same float64
	numbers, shared := false, false
	for _, w := range gold {
		in := slices.Contains(bag, w)
		same += number(in)
		if _, ok := python.ParseFloat(w); ok {
			numbers, shared = true, shared || in
		}
	}
	if numbers && !shared {
		return 0
	}
	precision, recall := 1.0, 1.0
	if len(bag) > 0 {
		precision = same / float64(len(bag))
	}
	if len(gold) > 0 {
		recall = same / float64(len(gold))
	}
	return harmonic(precision, recall)
}
