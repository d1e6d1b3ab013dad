package stats

import "math"

// Interval is a range that holds the true figure with the probability that it was asked for.
type Interval [2]float64

// Z95 is the normal distribution's 97.5 % point: 95 % lie within it on both sides.
const Z95 = 1.959963984540054

// Wilson is the 95 % interval of a share p of n draws. Unlike p ± z·error it stays within 0 and
// 1 and has a width at both ends. Wilson 1927.
func Wilson(p float64, n int) Interval {
	if n == 0 {
		return Interval{0, 1}
	}
	k := float64(n)
	z2 := Z95 * Z95
	middle := p + z2/(2*k)
	half := Z95 * math.Sqrt(p*(1-p)/k+z2/(4*k*k))
	d := 1 + z2/k
	return Interval{max(0, (middle-half)/d), min(1, (middle+half)/d)}
}

// Around is the interval of a figure with a standard error, at z errors on either side.
func Around(x, stderr, z float64) Interval { return Interval{x - z*stderr, x + z*stderr} }
