package stats

import (
	"math"

	"olmo/numeric"
)

// PairedT is Student's two-sided test of whether the mean of paired differences is 0, with n − 1
// degrees of freedom. Differences that are all 0 have p = 1; fewer than two have none (NaN).
func PairedT(differences []float64) (t, p float64) {
	if len(differences) < 2 {
		return math.NaN(), math.NaN()
	}
	mean, e := Mean(differences), StdErr(differences)
	if e == 0 {
		if mean == 0 {
			return 0, 1
		}
		return math.Copysign(math.Inf(1), mean), 0
	}
	t = mean / e
	return t, studentTail(t, float64(len(differences)-1))
}

// studentTail is the probability that Student's t is as far from 0 as t, on either side.
// Abramowitz and Stegun 26.7.1 and 26.5.27.
func studentTail(t, freedom float64) float64 {
	return betaShare(freedom/(freedom+float64(t*t)), t*t/(freedom+float64(t*t)), freedom/2, 0.5)
}

// T95 is the point that Student's t stays within, on both sides, with a probability of 95 %.
func T95(freedom float64) float64 {
	// The tail falls with t: halving finds the point to the last digits.
	low, high := 0.0, 2.0
	for studentTail(high, freedom) > 0.05 {
		high *= 2
	}
	for range 200 {
		mid := (low + high) / 2
		if mid == low || mid == high {
			break
		}
		if studentTail(mid, freedom) > 0.05 {
			low = mid
		} else {
			high = mid
		}
	}
	return high
}

// betaShare is the regularised incomplete beta function I_x(a, b); y is 1 − x, given apart
// because it may be lost in x.
func betaShare(x, y, a, b float64) float64 {
	switch {
	case x <= 0:
		return 0
	case y <= 0:
		return 1
	case x > (a+1)/(a+b+2): // where the fraction converges slowly
		return 1 - betaShare(y, x, b, a)
	}
	both, _ := math.Lgamma(a + b)
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	logY := numeric.Log(y)
	if y > 0.5 {
		logY = math.Log1p(-x)
	}
	logX := numeric.Log(x)
	if x > 0.5 {
		logX = math.Log1p(-y)
	}
	return numeric.Exp(both-la-lb+float64(a*logX)+float64(b*logY)) * betaFraction(x, a, b) / a
}

// betaFraction is the continued fraction of the incomplete beta function, by the method of
// Lentz. Abramowitz and Stegun 26.5.8.
func betaFraction(x, a, b float64) float64 {
	const tiny = 1e-300
	whole := func(v float64) float64 {
		if math.Abs(v) < tiny {
			return tiny
		}
		return v
	}
	c, d := 1.0, 1/whole(1-(a+b)*x/(a+1))
	f := d
	for m := 1.0; m < 10_000; m++ {
		even := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		d, c = 1/whole(1+float64(even*d)), whole(1+even/c)
		f *= d * c
		odd := -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		d, c = 1/whole(1+float64(odd*d)), whole(1+odd/c)
		f *= d * c
		if math.Abs(float64(d*c)-1) < 1e-16 {
			break
		}
	}
	return f
}
