package stats

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"
)

// reference is what SciPy and statsmodels say (testdata/reference.py).
type reference struct {
	Means []struct {
		X                       []float64
		Cluster                 []string
		Mean, StdErr, Clustered float64
		T, P                    float64
		CI, Percentiles         Interval
	}
	Wilson []struct {
		K, N int
		CI   Interval
	}
	McNemar []struct {
		A, B int
		P    float64
	}
	Holm   []struct{ P, Adjusted []float64 }
	Points []struct {
		Freedom, Point float64
	}
	Fisher []struct {
		Table [4]int
		P     float64
	}
	Welch []struct {
		X, Y          []float64
		T, Freedom, P float64
		CI            Interval
	}
	Power []struct {
		N          int
		Difference float64
	}
}

// TestReference compares within 1e-9, relatively: both sides sum in float64, in other orders.
func TestReference(t *testing.T) {
	var ref reference
	text, err := os.ReadFile("testdata/reference.json")
	if err == nil {
		err = json.Unmarshal(text, &ref)
	}
	if err != nil {
		t.Fatal(err)
	}
	near := func(what string, got, want float64) {
		t.Helper()
		if !(math.Abs(got-want) <= 1e-9*max(math.Abs(want), 1e-3)) && got != want {
			t.Errorf("%s = %.15g, want %.15g", what, got, want)
		}
	}
	for _, c := range ref.Means {
		near("Mean", Mean(c.X), c.Mean)
		near("StdErr", StdErr(c.X), c.StdErr)
		near("ClusteredStdErr", ClusteredStdErr(c.X, c.Cluster), c.Clustered)
		tt, p := PairedT(c.X)
		near("t", tt, c.T)
		near("p", p, c.P)
		ci := Around(c.Mean, c.StdErr, T95(float64(len(c.X)-1)))
		near("ci low", ci[0], c.CI[0])
		near("ci high", ci[1], c.CI[1])
		q := Percentiles95(c.X)
		near("2.5 %", q[0], c.Percentiles[0])
		near("97.5 %", q[1], c.Percentiles[1])
	}
	for _, c := range ref.Wilson {
		got := Wilson(float64(c.K)/float64(c.N), float64(c.N))
		near("Wilson low", got[0], c.CI[0])
		near("Wilson high", got[1], c.CI[1])
	}
	for _, c := range ref.McNemar {
		near("McNemar", McNemar(c.A, c.B), c.P)
		near("McNemar, the other way round", McNemar(c.B, c.A), c.P)
	}
	for _, c := range ref.Holm {
		for i, p := range Holm(c.P) {
			near("Holm", p, c.Adjusted[i])
		}
	}
	for _, c := range ref.Points {
		near("T95", T95(c.Freedom), c.Point)
	}
	for _, c := range ref.Fisher {
		near("Fisher", Fisher(c.Table[0], c.Table[1], c.Table[2], c.Table[3]), c.P)
		near("Fisher, the other way round", Fisher(c.Table[2], c.Table[3], c.Table[0], c.Table[1]), c.P)
	}
	for _, c := range ref.Welch {
		difference, e, freedom, p := Welch(c.X, c.Y)
		near("Welch's t", difference/e, c.T)
		near("Welch's freedom", freedom, c.Freedom)
		near("Welch's p", p, c.P)
		ci := Around(difference, e, T95(freedom))
		near("Welch's ci low", ci[0], c.CI[0])
		near("Welch's ci high", ci[1], c.CI[1])
	}
	for _, c := range ref.Power {
		// statsmodels searches, and stops at about 3e-5.
		got := LeastDifference(1 / math.Sqrt(float64(c.N)))
		if math.Abs(got-c.Difference) > 1e-4*c.Difference {
			t.Errorf("LeastDifference of %d = %.9g, want %.9g", c.N, got, c.Difference)
		}
		if n := Needed(got, 1/math.Sqrt(float64(c.N)), c.N, 1); math.Abs(n-float64(c.N)) > 1 {
			t.Errorf("Needed for the least difference of %d questions = %g", c.N, n)
		}
	}
}

func TestEdges(t *testing.T) {
	for name, got := range map[string]float64{
		"StdErr of one": StdErr([]float64{1}), "ClusteredStdErr of one cluster": ClusteredStdErr([]float64{1, 2}, []string{"a", "a"}),
	} {
		if !math.IsNaN(got) {
			t.Errorf("%s = %g, want NaN", name, got)
		}
	}
	if x := []float64{3, 1, 4, 1, 5}; math.Abs(ClusteredStdErr(x, []string{"a", "b", "c", "d", "e"})-StdErr(x)) > 1e-15 {
		t.Error("clusters of one: not the plain standard error")
	}
	for name, c := range map[string]struct {
		x    []float64
		want float64
	}{"no differences": {[]float64{0, 0, 0}, 1}, "always the same difference": {[]float64{2, 2, 2}, 0}} {
		if _, p := PairedT(c.x); p != c.want {
			t.Errorf("PairedT of %s: p = %g, want %g", name, p, c.want)
		}
	}
	if d, _, _, p := Welch([]float64{1}, []float64{2, 3}); d != 1.5 || !math.IsNaN(p) {
		t.Errorf("Welch of one number = %g, p %g, want 1.5, NaN", d, p)
	}
	if _, e, _, p := Welch([]float64{1, 1}, []float64{2, 2}); e != 0 || p != 0 {
		t.Errorf("Welch of numbers without spread: error %g, p %g, want 0, 0", e, p)
	}
	if got := Holm([]float64{0.01, math.NaN(), 0.04}); got[0] != 0.02 || !math.IsNaN(got[1]) || got[2] != 0.04 {
		t.Errorf("Holm with no test among them = %v", got)
	}
}

// TestBootstrap holds the resamples to the standard error that a formula gives, and to their seed.
func TestBootstrap(t *testing.T) {
	x := []float64{1, 4, 2, 8, 5, 7, 3, 9, 0, 6, 2, 2, 5}
	draw := func(seed uint64) []float64 {
		return Bootstrap(len(x), 4000, seed, func(picked []int) float64 {
			var sum float64
			for _, i := range picked {
				sum += x[i]
			}
			return sum / float64(len(picked))
		})
	}
	a := draw(1)
	// The bootstrap's variance is that of n, not n − 1; 4,000 resamples measure it within 5 %.
	n := float64(len(x))
	if got, want := Deviation(a), StdErr(x)*math.Sqrt((n-1)/n); math.Abs(got-want) > 0.05*want {
		t.Errorf("bootstrapped standard error %g, want about %g", got, want)
	}
	if !slices.Equal(a, draw(1)) || slices.Equal(a, draw(2)) {
		t.Error("the resamples are not a function of the seed")
	}
}
