package stats

import (
	"math"

	"olmo/numeric"
)

// McNemar is the exact two-sided p-value of two models that answer the same questions alike: of
// the questions that one alone answers rightly, a are the one's and b the other's.
//
// McNemar 1947, the binomial test of a of a + b at a half.
func McNemar(a, b int) float64 {
	n, k := a+b, min(a, b)
	if n == 0 {
		return 1
	}
	// The terms are added from the greatest one down, as multiples of it.
	sum, term := 1.0, 1.0
	for i := k; i > 0 && term > 1e-20*sum; i-- {
		term *= float64(i) / float64(n-i+1)
		sum += term
	}
	top, _ := math.Lgamma(float64(n + 1))
	x, _ := math.Lgamma(float64(k + 1))
	y, _ := math.Lgamma(float64(n - k + 1))
	return min(1, 2*sum*numeric.Exp(top-x-y-float64(float64(n)*math.Ln2)))
}
