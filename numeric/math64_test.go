package numeric

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestMath64(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	worst := map[string]float64{}
	note := func(name string, got, want, scale float64) {
		if e := math.Abs(got-want) / scale; e > worst[name] {
			worst[name] = e
		}
	}
	for range 20000 {
		x := (r.Float64() - 0.5) * 100
		note("exp", Exp(x), math.Exp(x), math.Exp(x))
		note("expm1", Expm1(x/50), math.Expm1(x/50), math.Abs(math.Expm1(x/50)))
		y := math.Exp(x)
		note("log", Log(y), math.Log(y), max(1e-300, math.Abs(math.Log(y))))
		a := r.Float64() * 70000
		s, c := SinCos(a)
		ws, wc := math.Sincos(a)
		note("sin", s, ws, 1)
		note("cos", c, wc, 1)
	}
	for name, e := range worst {
		if e > 1e-15 {
			t.Errorf("%s: error %.2g, want at most 1e-15", name, e)
		}
	}
}
