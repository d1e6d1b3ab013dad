package score

import (
	"math"

	"olmo/eval/stats"
)

// Corpus makes one figure of many responses: each has statistics, of whose sums the figure is
// made.
type Corpus struct {
	Name string
	// Lower says that smaller is better.
	Lower bool
	// Of makes the statistics of a response beside its right answers, at least one.
	Of func(response string, answers []string) []float64
	// Figure is what sums of statistics come to; alone says that they are of one response.
	Figure func(sums []float64, alone bool) float64
}

// Sum adds statistics of several responses.
func (c *Corpus) Sum(all [][]float64) []float64 {
	var sums []float64
	for _, s := range all {
		if sums == nil {
			sums = make([]float64, len(s))
		}
		for i, x := range s {
			sums[i] += x
		}
	}
	return sums
}

// StdErr is the standard error of the figure, bootstrapped with a fixed seed; NaN of fewer than two
// responses.
func (c *Corpus) StdErr(all [][]float64) float64 {
	if len(all) < 2 {
		return math.NaN()
	}
	const resamples, seed = 1000, 1234
	drawn := make([][]float64, len(all))
	return stats.Deviation(stats.Bootstrap(len(all), resamples, seed, func(picked []int) float64 {
		for i, n := range picked {
			drawn[i] = all[n]
		}
		return c.Figure(c.Sum(drawn), false)
	}))
}

// statistics are those of a row's first response.
func (c *Corpus) statistics(r *Row) ([]float64, error) {
	response, err := r.Response()
	if err != nil {
		return nil, err
	}
	answers, err := r.answers()
	if err != nil {
		return nil, err
	}
	return c.Of(response, answers), nil
}

// defineCorpus adds the scorer of a corpus measure. Its values of rows alone are in no summary.
func defineCorpus(source string, c *Corpus) *Corpus {
	define(Scorer{
		Name: c.Name, Source: source, Corpus: c, Gives: []string{c.Name},
		Each: func(r *Row) (Values, error) {
			s, err := c.statistics(r)
			if err != nil {
				return nil, err
			}
			return Values{c.Name: c.Figure(s, true)}, nil
		},
	})
	return c
}

// counter counts what is equal.
type counter map[string]float64

// common counts what both have.
func (a counter) common(b counter) float64 {
	var n float64
	for x, k := range a {
		n += min(k, b[x])
	}
	return n
}

func (a counter) total() float64 {
	var n float64
	for _, k := range a {
		n += k
	}
	return n
}
