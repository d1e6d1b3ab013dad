package tensor

import (
	"math/rand/v2"
	"testing"
)

// TestFeedback: a block is read as the numbers less what is lost, and each number is nearest to what it should be with
// its part of what was lost before.
func TestFeedback(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, d := range []DType{Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K} {
		n := d.BlockSize()
		v, aims, importance, share, lost := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n*n), make([]float32, n)
		for i := range v {
			v[i] = float32(r.NormFloat64())
			aims[i] = v[i] + 0.1*float32(r.NormFloat64())
			importance[i] = float32(r.ExpFloat64())
			for j := range i {
				share[i*n+j] = 0.3 * float32(r.NormFloat64())
			}
		}
		order := r.Perm(n)
		b := make([]byte, d.Size())
		if err := NewFeedback(d).Block(b, v, aims, importance, order, share, lost); err != nil {
			t.Fatal(err)
		}
		read := make([]float32, n)
		dequantize(read, d, b)
		moved := 0
		for i, at := range order {
			if v[at]-read[at] != lost[at] {
				t.Errorf("%v: %v is read as %v, lost is %v", d, v[at], read[at], lost[at])
			}
			aim := aims[at]
			for j, before := range order[:i] {
				aim += float32(share[i*n+j] * lost[before])
			}
			if abs32(aim-aims[at]) > 0.01 {
				moved++
			}
			var g grid
			g.of(d, b)
			scale, less := g.scale[at/g.part], g.less[at/g.part]
			for l := g.lo; l <= g.hi; l++ {
				if other := float32(scale*float32(l)) - less; abs32(other-aim) < abs32(read[at]-aim)-1e-6 {
					t.Errorf("%v: %v stands for %v, and %v is nearer", d, read[at], aim, other)
				}
			}
		}
		if moved < n/2 {
			t.Errorf("%v: feedback moved %d numbers of %d", d, moved, n)
		}
		// Without shares it is the nearest levels of the scales of ConvertWeighted.
		if err := NewFeedback(d).Block(b, v, v, importance, order, make([]float32, n*n), lost); err != nil {
			t.Fatal(err)
		}
		want, err := FromFloat32([]int{1, n}, v).ConvertWeighted(d, func(int) []float32 { return importance })
		if err != nil {
			t.Fatal(err)
		}
		dequantize(read, d, b)
		best := make([]float32, n)
		dequantize(best, d, want.Data)
		for i := range v {
			if abs32(v[i]-read[i]) > abs32(v[i]-best[i])+1e-6 {
				t.Errorf("%v: %v is read as %v, with the same scales as %v", d, v[i], read[i], best[i])
			}
		}
	}
}
