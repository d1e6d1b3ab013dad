package eval

import (
	"math"

	"olmo/eval/stats"
)

// Metric makes a value of each document's answers, and a figure of the values.
type Metric struct {
	Name string // as results.json has it
	// Lower says that smaller is better.
	Lower bool
	// Of is a document's value: a number, or what Figure can make one of. nil leaves the
	// document out.
	Of func(e *Evidence) (any, error)
	// Figure is what the values come to; the zero value is their mean.
	Figure Aggregation
}

// Evidence is what a document is judged by.
type Evidence struct {
	*Document
	Answers   []Answer // one for each of the document's requests
	Responses []string // of a text: what a filter made of the answers
	Passed    []bool   // of programs: which of the responses did what they should
}

// Filter makes of a document's responses what metrics judge.
type Filter struct {
	Name  string
	Apply func(d *Document, responses []string) ([]string, error)
}

// Aggregation makes a figure of documents' values.
type Aggregation struct {
	Name string
	Of   func(values []any) float64
	// StdErr is the figure's standard error where there is a formula; nil: it is bootstrapped.
	StdErr func(values []any) float64
	// Resamples are what the bootstrap draws; 0: 1,000. A negative number: no standard error is
	// given.
	Resamples int
}

// NoFigure is the aggregation of values that are kept for their documents alone.
var NoFigure = Aggregation{Name: "none"}

// resamples measure a standard error within 2 %.
const (
	resamples     = 1000
	bootstrapSeed = 1234
)

// stdErr is the figure's standard error, NaN where there is none. clusters, when there are any,
// name each value's: what is drawn are then whole clusters.
func (a *Aggregation) stdErr(values []any, clusters []string) float64 {
	switch {
	case a.Resamples < 0 || len(values) < 2:
		return math.NaN()
	case clusters == nil && a.StdErr != nil:
		return a.StdErr(values)
	case clusters != nil && a.Name == Mean.Name:
		x := make([]float64, len(values))
		for i, v := range values {
			x[i] = v.(float64)
		}
		return stats.ClusteredStdErr(x, clusters)
	}
	parts := make([][]any, 0, len(values))
	place := map[string]int{}
	for i, v := range values {
		if clusters == nil {
			parts = append(parts, values[i:i+1])
			continue
		}
		at, ok := place[clusters[i]]
		if !ok {
			at = len(parts)
			place[clusters[i]], parts = at, append(parts, nil)
		}
		parts[at] = append(parts[at], v)
	}
	if len(parts) < 2 {
		return math.NaN()
	}
	n := a.Resamples
	if n == 0 {
		n = resamples
	}
	drawn := make([]any, 0, len(values))
	return stats.Deviation(stats.Bootstrap(len(parts), n, bootstrapSeed, func(picked []int) float64 {
		drawn = drawn[:0]
		for _, i := range picked {
			drawn = append(drawn, parts[i]...)
		}
		return a.Of(drawn)
	}))
}

// Mean is the mean of numbers, with the standard error of a sample (n − 1), as lm-eval
// has it (api/metrics.py, mean_stderr).
var Mean = Aggregation{Name: "mean", Of: mean, StdErr: meanStdErr}

func mean(values []any) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	var sum float64
	for _, v := range values {
		sum += v.(float64)
	}
	return sum / float64(len(values))
}

func meanStdErr(values []any) float64 {
	m, n := mean(values), float64(len(values))
	var sum float64
	for _, v := range values {
		d := v.(float64) - m
		sum += float64(d * d)
	}
	return math.Sqrt(sum / max(n-1, 1) / n)
}

// number is 1 for what holds.
func number(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}

// best returns the index of the highest score, the first one of equals.
func best(n int, score func(i int) float64) int {
	top := 0
	for i := range n {
		if score(i) > score(top) {
			top = i
		}
	}
	return top
}
