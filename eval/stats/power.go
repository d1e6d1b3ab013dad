package stats

import "math"

// z80 is the normal distribution's 80 % point.
const z80 = 0.8416212335729143

// LeastDifference is the smallest true difference that a test at 5 % finds in 80 % of all cases,
// when a difference is measured with this standard error.
func LeastDifference(stderr float64) float64 { return (Z95 + z80) * stderr }

// Needed is how many questions it takes until the least difference is this one, when n questions
// give a standard error. It is infinite for a difference of 0.
func Needed(difference, stderr float64, n int) float64 {
	r := LeastDifference(stderr) / math.Abs(difference)
	return math.Ceil(float64(n) * r * r)
}
