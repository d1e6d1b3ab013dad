package stats

import (
	"slices"

	"olmo/numeric"
)

// Bootstrap draws n of n items with replacement, resamples times, and returns the figure of each
// draw. The numbers are functions of seed, resample and place, so that the result is the same on
// every machine. picked is used again for the next draw.
//
// Efron 1979.
func Bootstrap(n, resamples int, seed uint64, figure func(picked []int) float64) []float64 {
	stream := numeric.NewStream(seed, "bootstrap")
	picked := make([]int, n)
	out := make([]float64, resamples)
	for r := range out {
		for i := range picked {
			picked[i] = min(int(stream.Uniform(uint64(r), uint64(i))*float64(n)), n-1) // a draw may round to 1
		}
		out[r] = figure(picked)
	}
	return out
}

// Percentiles95 is the range that holds the middle 95 % of figures, between neighbours as NumPy's
// percentile has it.
func Percentiles95(figures []float64) Interval {
	x := slices.Sorted(slices.Values(figures))
	at := func(share float64) float64 {
		place := share * float64(len(x)-1)
		i := min(int(place), len(x)-2)
		return x[i] + float64((place-float64(i))*(x[i+1]-x[i]))
	}
	return Interval{at(0.025), at(0.975)}
}
