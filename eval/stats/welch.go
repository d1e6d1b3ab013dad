package stats

import "math"

// Welch is the two-sided test of whether two independent samples have the same mean, whose spreads
// may differ: the difference of the means y − x, its standard error, the degrees of freedom, and
// the p-value. A sample of fewer than two numbers has no spread, and all but the difference
// are NaN then.
//
// Welch 1947, with Satterthwaite's degrees of freedom.
func Welch(x, y []float64) (difference, stderr, freedom, p float64) {
	difference = Mean(y) - Mean(x)
	ex, ey := StdErr(x), StdErr(y)
	vx, vy := ex*ex, ey*ey
	stderr = math.Sqrt(vx + vy)
	switch {
	case stderr != stderr:
		return difference, stderr, math.NaN(), math.NaN()
	case stderr == 0:
		return difference, 0, float64(len(x) + len(y) - 2), is(difference == 0)
	}
	freedom = (vx + vy) * (vx + vy) / (vx*vx/float64(len(x)-1) + vy*vy/float64(len(y)-1))
	return difference, stderr, freedom, studentTail(difference/stderr, freedom)
}

func is(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}
