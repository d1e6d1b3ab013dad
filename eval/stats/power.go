package stats

import "math"

// z80 is the normal distribution's 80 % point.
const z80 = 0.8416212335729143

// LeastDifference is the smallest true difference that a test at 5 % finds in 80 % of all cases,
// when a difference is measured with this standard error.
func LeastDifference(stderr float64) float64 { return (Z95 + z80) * stderr }

// Needed is how many questions it takes until a difference of this size is found in 80 % of all
// cases at 5 %, when n questions give a standard error and so many tests are made at once. It
// is infinite for a difference of 0.
func Needed(difference, stderr float64, n, tests int) float64 {
	z := math.Sqrt2 * math.Erfinv(1-0.05/float64(tests))
	r := (z + z80) * stderr / math.Abs(difference)
	return math.Ceil(float64(n) * r * r)
}
