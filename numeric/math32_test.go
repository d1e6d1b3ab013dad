package numeric

import (
	"math"
	"testing"
)

func TestExp32(t *testing.T) {
	var worst float64
	for x := float32(-87.3); x < 88.7; x += 0.00317 {
		want := math.Exp(float64(x))
		ulp := float64(math.Nextafter32(float32(want), math.MaxFloat32)) - float64(float32(want))
		worst = max(worst, math.Abs(float64(Exp32(x))-want)/ulp)
	}
	if worst > 1.01 {
		t.Errorf("Exp32 is off by %.2f units in the last place", worst)
	}
	inf := float32(math.Inf(1))
	for _, c := range []struct{ x, want float32 }{{-inf, 0}, {-87.34, 0}, {0, 1}, {inf, inf}, {89, inf}} {
		if got := Exp32(c.x); got != c.want {
			t.Errorf("Exp32(%v) = %v, want %v", c.x, got, c.want)
		}
	}
}
