package kernel

import (
	"testing"

	"olmo/numeric"
)

func TestPeak(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second")
	}
	p := MeasurePeak()
	t.Logf("%.0f GFLOP/s, pairs %.0f GFLOP/s, %.1f GB/s", p.FMA, p.Pairs, p.Read)
	if !(p.FMA > 0.1) || p.Pairs < 0 || !(p.Read > 0.05) {
		t.Errorf("%+v is no machine's peak", p)
	}
	// A product cannot beat the peak by more than the noise of a busy machine.
	const n = 256
	a, b, c := Dense(make([]float32, n*n), n, n), Dense(make([]float32, n*n), n, n), Dense(make([]float32, n*n), n, n)
	if got := 2 * n * n * n / best(5, func() { MatMulNN(c, a, b, nil, numeric.FP32) }) / 1e9; got > 1.5*p.FMA {
		t.Errorf("a product of %d×%d does %.0f GFLOP/s, more than the peak of %.0f", n, n, got, p.FMA)
	}
}
