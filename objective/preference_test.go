package objective

import (
	"math"
	"testing"
)

// TestPair compares slopes with finite differences, and losses with the plain formulas.
func TestPair(t *testing.T) {
	chosen, rejected := Answer{Sum: -11.25, Reference: -12, Tokens: 7}, Answer{Sum: -9.5, Reference: -8.75, Tokens: 4}
	for _, p := range []Preference{
		{Loss: DPO, Beta: 0.1},
		{Loss: DPONorm, Beta: 5},
		{Loss: DPO, Beta: 0.1, LabelSmoothing: 0.1},
		{Loss: SimPO, Beta: 2, GammaBetaRatio: 0.3},
		{Loss: IPO, Beta: 0.2},
		{Loss: DPO, Beta: 40},
		{Loss: DPO, Beta: 400},
	} {
		if err := p.Check(); err != nil {
			t.Fatal(err)
		}
		got := p.Pair(chosen, rejected)
		const h = 1e-4
		shifted := func(c, r float64) float64 {
			a, b := chosen, rejected
			a.Sum, b.Sum = a.Sum+c, b.Sum+r
			return p.Pair(a, b).Loss
		}
		for name, d := range map[string][2]float64{"chosen": {got.SlopeOfChosen, (shifted(h, 0) - shifted(-h, 0)) / (2 * h)}, "rejected": {got.SlopeOfRejected, (shifted(0, h) - shifted(0, -h)) / (2 * h)}} {
			if math.Abs(d[0]-d[1]) > 1e-5*(1+math.Abs(d[1])) {
				t.Errorf("%+v: slope of the %s answer %v, finite difference %v", p, name, d[0], d[1])
			}
		}
	}
	// A margin of 1.5.
	p := Preference{Loss: DPO, Beta: 1}
	if got, want := p.Pair(chosen, rejected).Loss, math.Log1p(math.Exp(-1.5)); math.Abs(got-want) > 1e-15 {
		t.Errorf("loss %v, want %v", got, want)
	}
	w := Preference{Loss: WPO, Beta: 1}
	weight := math.Exp(-11.25/7 - 9.5/4)
	if got, want := w.Pair(chosen, rejected), p.Pair(chosen, rejected); math.Abs(got.Loss-weight*want.Loss) > 1e-15 || math.Abs(got.SlopeOfChosen-weight*want.SlopeOfChosen) > 1e-15 {
		t.Errorf("wpo %+v, dpo %+v, weight %v", got, want, weight)
	}
}

// TestSoftplus: small and large values lose nothing.
func TestSoftplus(t *testing.T) {
	for _, x := range []float64{-700, -40, -20, -1e-9, 0, 0.3, 5, 40, 800} {
		want := math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x)))
		if got := softplus(x); math.Abs(got-want) > 4e-16*want {
			t.Errorf("softplus(%v) = %v, want %v", x, got, want)
		}
	}
}
