package stats

import (
	"math"

	"olmo/numeric"
)

// Fisher is the exact two-sided p-value of two groups that answer different questions alike: of
// the one a are right and b wrong, of the other c and d. It adds up the tables with the same
// margins that are no more probable than this one.
//
// Fisher 1935; SciPy's fisher_exact, with its tolerance of 1e-7 for equally probable tables.
func Fisher(a, b, c, d int) float64 {
	logFactorial := func(n int) float64 {
		x, _ := math.Lgamma(float64(n + 1))
		return x
	}
	rows := [2]int{a + b, c + d}
	right, n := a+c, a+b+c+d
	margins := logFactorial(rows[0]) + logFactorial(rows[1]) + logFactorial(right) + logFactorial(n-right) - logFactorial(n)
	log := func(k int) float64 { // of the table with k in the place of a
		return margins - logFactorial(k) - logFactorial(rows[0]-k) - logFactorial(right-k) - logFactorial(rows[1]-right+k)
	}
	most := log(a) + 1e-7
	var sum float64
	for k := max(0, right-rows[1]); k <= min(right, rows[0]); k++ {
		if l := log(k); l <= most {
			sum += numeric.Exp(l)
		}
	}
	return min(1, sum)
}
