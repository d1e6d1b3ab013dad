// Package stats holds the statistics that say what a score is worth: standard errors, intervals
// and tests of numbers.
package stats

import (
	"math"
	"slices"
)

// Mean is the mean of numbers; NaN of none.
func Mean(x []float64) float64 {
	var sum float64
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// Deviation is the standard deviation of a sample (n − 1); NaN of fewer than two numbers.
func Deviation(x []float64) float64 {
	if len(x) < 2 {
		return math.NaN()
	}
	m := Mean(x)
	var sum float64
	for _, v := range x {
		d := v - m
		sum += float64(d * d)
	}
	return math.Sqrt(sum / float64(len(x)-1))
}

// StdErr is the standard error of a mean (n − 1); NaN of fewer than two numbers.
func StdErr(x []float64) float64 { return Deviation(x) / math.Sqrt(float64(len(x))) }

// ClusteredStdErr is the standard error of the mean of numbers of which those of one cluster are
// not independent of each other: questions of one passage. cluster names each number's. With
// clusters of one it is StdErr; of fewer than two clusters it is NaN.
//
// Liang and Zeger 1986, with the correction C/(C − 1) that statsmodels and inspect have.
func ClusteredStdErr(x []float64, cluster []string) float64 {
	m := Mean(x)
	sums := map[string]float64{}
	for i, v := range x {
		sums[cluster[i]] += v - m
	}
	c := float64(len(sums))
	if c < 2 {
		return math.NaN()
	}
	// Squares are added in the order of size: a map's differs from call to call, and so would bits.
	squares := make([]float64, 0, len(sums))
	for _, s := range sums {
		squares = append(squares, s*s)
	}
	slices.Sort(squares)
	var sum float64
	for _, s := range squares {
		sum += s
	}
	return math.Sqrt(sum*c/(c-1)) / float64(len(x))
}
