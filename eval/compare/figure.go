// Package compare tells what runs of evaluation have in common and where they differ: two runs
// with the probability that a difference is luck, and any number side by side.
package compare

import (
	"math"
	"slices"
	"strings"

	"olmo/numeric"
)

// figure is how values of documents become a figure: by sums over documents of a few terms that
// each document has. So a figure without some documents, or of documents drawn anew, costs no
// more than sums.
type figure struct {
	terms int
	// of writes a document's terms; false for a value that is not of this kind.
	of func(v any, terms []float64) bool
	at func(sums []float64) float64
	// mean: the figure is the mean of numbers. power: it is e to a mean, above 0 whatever the mean.
	mean, power bool
}

var meanFigure = figure{
	terms: 2, mean: true,
	of: func(v any, t []float64) bool {
		x, ok := v.(float64)
		t[0], t[1] = x, 1
		return ok
	},
	at: func(s []float64) float64 { return s[0] / s[1] },
}

func twoTerms(v any, t []float64) bool {
	pair, ok := v.([]any)
	if !ok || len(pair) != 2 {
		return false
	}
	a, isA := pair[0].(float64)
	b, isB := pair[1].(float64)
	t[0], t[1] = a, b
	return isA && isB
}

// perUnit is a perplexity by words or bytes.
var perUnit = figure{terms: 2, power: true, of: twoTerms, at: func(s []float64) float64 { return numeric.Exp(-s[0] / s[1]) }}

// figures are those that are not means of numbers, by metric: lm-eval's (api/metrics.py), and
// the sums that documents of bpb and paloma have.
var figures = map[string]figure{
	"perplexity": {terms: 2, power: true, of: meanFigure.of, at: func(s []float64) float64 { return numeric.Exp(-s[0] / s[1]) }},

	"word_perplexity": perUnit,
	"byte_perplexity": perUnit,
	"bits_per_byte":   {terms: 2, of: twoTerms, at: func(s []float64) float64 { return -s[0] / s[1] / math.Ln2 }},

	// F1 of the class 1: pairs of the right one and the chosen one.
	"f1": {terms: 3, of: func(v any, t []float64) bool {
		pair := [2]float64{}
		if !twoTerms(v, pair[:]) {
			return false
		}
		t[0], t[1], t[2] = is(pair[0] == 1), is(pair[1] == 1), is(pair[0] == 1 && pair[1] == 1)
		return true
	}, at: func(s []float64) float64 {
		if s[0]+s[1] == 0 {
			return 0
		}
		return 2 * s[2] / (s[0] + s[1])
	}},
}

func is(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}

// classes are the most that Matthews' correlation is computed for.
const classes = 64

// matthews is Matthews' correlation of classes (Gorodkin 2004).
var matthews = figure{terms: 2*classes + 2, of: func(v any, t []float64) bool {
	pair := [2]float64{}
	if !twoTerms(v, pair[:]) || min(pair[0], pair[1]) < 0 || max(pair[0], pair[1]) >= classes {
		return false
	}
	clear(t)
	t[0], t[1] = 1, is(pair[0] == pair[1])
	t[2+int(pair[0])] = 1
	t[2+classes+int(pair[1])] = 1
	return true
}, at: func(s []float64) float64 {
	n, right := s[0], s[1]
	var both, gold, picked float64
	for c := range classes {
		g, p := s[2+c], s[2+classes+c]
		both += g * p
		gold += g * g
		picked += p * p
	}
	d := math.Sqrt(n*n-gold) * math.Sqrt(n*n-picked)
	if d == 0 {
		return 0
	}
	return (right*n - both) / d
}}

// all is the share of true values in lists, as of the instructions of IFEval.
var all = figure{terms: 2, of: func(v any, t []float64) bool {
	list, ok := v.([]any)
	t[0], t[1] = 0, float64(len(list))
	for _, x := range list {
		n, isNumber := x.(float64)
		ok = ok && isNumber && (n == 0 || n == 1)
		t[0] += n
	}
	return ok
}, at: meanFigure.at}

// figureOf finds how the values of a metric become its figure; false where it is none of the
// known ones.
func figureOf(name string, values []any) (figure, bool) {
	metric, _, _ := strings.Cut(name, ",")
	var known []figure
	if f, ok := figures[metric]; ok {
		known = append(known, f)
	}
	if metric == "mcc" {
		known = append(known, matthews)
	}
	known = append(known, meanFigure)
	if strings.HasPrefix(metric, "inst_level_") {
		known = append(known, all)
	}
	for _, f := range known {
		t := make([]float64, f.terms)
		if !slices.ContainsFunc(values, func(v any) bool { return !f.of(v, t) }) {
			return f, true
		}
	}
	return figure{}, false
}

// sums are the terms of all values, one after the other, and their sums.
func (f *figure) sums(values []any) (terms, sums []float64) {
	terms, sums = make([]float64, len(values)*f.terms), make([]float64, f.terms)
	for i, v := range values {
		own := terms[i*f.terms : (i+1)*f.terms]
		f.of(v, own)
		for k, x := range own {
			sums[k] += x
		}
	}
	return terms, sums
}
