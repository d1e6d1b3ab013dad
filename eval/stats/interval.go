package stats

import "math"

// Interval is a range that holds the true figure with the probability that it was asked for.
type Interval [2]float64

// Z95 is the normal distribution's 97.5 % point: 95 % lie within it on both sides.
const Z95 = 1.959963984540054

// Wilson is the 95 % interval of a share p of n draws. Unlike p ± z·error it stays within 0 and
// 1 and has a width at both ends. n may be what dependent draws are worth. Wilson 1927.
func Wilson(p, n float64) Interval {
	if n == 0 {
		return Interval{0, 1}
	}
	z2 := Z95 * Z95
	middle := p + z2/(2*n)
	half := Z95 * math.Sqrt(p*(1-p)/n+z2/(4*n*n))
	d := 1 + z2/n
	return Interval{max(0, (middle-half)/d), min(1, (middle+half)/d)}
}

// Around is the interval of a figure with a standard error, at z errors on either side.
func Around(x, stderr, z float64) Interval {
	return Interval{x - float64(z*stderr), x + float64(z*stderr)}
}
