package tensor_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"runtime"
	"testing"

	"olmo/tensor"
)

var blockTypes = []tensor.DType{tensor.Q8_0, tensor.Q4_0, tensor.Q4_1, tensor.Q5_0, tensor.Q5_1, tensor.Q4_K, tensor.Q5_K, tensor.Q6_K}

// weights are numbers as a trained matrix has them (16, 512), and an importance of columns that differs by
// three magnitudes.
func weights() (v, importance []float32) {
	s := uint64(7)
	uniform := func() float64 {
		s = s*6364136223846793005 + 1442695040888963407
		return float64(s>>11) / (1 << 53)
	}
	v, importance = make([]float32, 16*512), make([]float32, 512)
	for i := range v {
		// Logistic, with a column in fifty six times as large.
		u := uniform()*0.998 + 0.001
		v[i] = float32(0.02 * math.Log(u/(1-u)))
		if i%512%50 == 3 {
			v[i] *= 6
		}
	}
	for i := range importance {
		importance[i] = float32(math.Exp(3.5 * (uniform() + uniform() - 1)))
	}
	return v, importance
}

// loss sums the squared errors of a matrix by importance.
func loss(t *testing.T, q tensor.Tensor, v, importance []float32) (sum float64) {
	t.Helper()
	back, err := q.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range v {
		e := float64(back[i]) - float64(x)
		sum += e * e * float64(importance[i%len(importance)])
	}
	return sum
}

// TestConvertWeighted: errors by importance are smaller than those of Convert, of each type by about what it
// was when this was written; and the blocks are the same on every machine.
func TestConvertWeighted(t *testing.T) {
	v, importance := weights()
	x := tensor.FromFloat32([]int{16, 512}, v)
	h := sha256.New()
	for _, c := range []struct {
		d    tensor.DType
		most float64 // of Convert's loss
	}{
		{tensor.Q8_0, 1}, {tensor.Q4_0, 0.87}, {tensor.Q4_1, 0.63}, {tensor.Q5_0, 0.84}, {tensor.Q5_1, 0.63}, {tensor.Q4_K, 0.72}, {tensor.Q5_K, 0.7}, {tensor.Q6_K, 0.77},
	} {
		plain, err := x.Convert(c.d)
		if err != nil {
			t.Fatal(err)
		}
		q, err := x.ConvertWeighted(c.d, func(int) []float32 { return importance })
		if err != nil {
			t.Fatal(err)
		}
		h.Write(q.Data)
		share := loss(t, q, v, importance) / loss(t, plain, v, importance)
		t.Logf("%v: %.3f", c.d, share)
		if !(share <= c.most) {
			t.Errorf("%v: %.3f of the plain loss, want at most %v", c.d, share, c.most)
		}
	}
	const want = "53267890704098c6ac8c2cf54c3e5c6935c24958ce8fa7da2db3bad231a97d14"
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		t.Errorf("SHA-256 of all blocks is %s, want %s", got, want)
	}
}

// TestConvertWeightedKnows: rows of which nothing is known, and blocks that do not count, are those of Convert;
// the number of threads changes nothing.
func TestConvertWeightedKnows(t *testing.T) {
	v, importance := weights()
	x := tensor.FromFloat32([]int{16, 512}, v)
	half := append(make([]float32, 256), importance[256:]...)
	of := func(row int) []float32 {
		switch row % 3 {
		case 0:
			return nil
		case 1:
			return half
		}
		return importance
	}
	for _, d := range blockTypes {
		plain, err := x.Convert(d)
		if err != nil {
			t.Fatal(err)
		}
		q, err := x.ConvertWeighted(d, of)
		if err != nil {
			t.Fatal(err)
		}
		size := len(q.Data) / 16
		for r := range 16 {
			a, b := q.Data[r*size:(r+1)*size], plain.Data[r*size:(r+1)*size]
			switch {
			case r%3 == 0 && !bytes.Equal(a, b), r%3 == 1 && !bytes.Equal(a[:size/2], b[:size/2]):
				t.Errorf("%v: row %d is not Convert's where nothing is known", d, r)
			case r%3 > 0 && d != tensor.Q8_0 && bytes.Equal(a, b):
				t.Errorf("%v: row %d is Convert's", d, r)
			}
		}
		before := runtime.GOMAXPROCS(1)
		one, err := x.ConvertWeighted(d, of)
		runtime.GOMAXPROCS(before)
		if err != nil || !bytes.Equal(one.Data, q.Data) {
			t.Errorf("%v: one thread gives other blocks (%v)", d, err)
		}
	}
}

// TestConvertWeightedEdges: blocks of one sign, of equal numbers, of zeros, of numbers at the ends of what a
// scale holds: what is read is no worse than
// Convert's, by columns whose importance alone is near that of their errors.
func TestConvertWeightedEdges(t *testing.T) {
	importance := make([]float32, 256)
	for i := range importance {
		importance[i] = float32(1 + i%7)
	}
	for name, f := range map[string]func(i int) float64{
		"zeros":      func(int) float64 { return 0 },
		"equal":      func(int) float64 { return 0.25 },
		"negative":   func(int) float64 { return -3 },
		"one":        func(i int) float64 { return map[bool]float64{true: -1}[i == 77] },
		"positive":   func(i int) float64 { return 1 + float64(i%32)/32 },
		"ramp":       func(i int) float64 { return float64(i) - 128 },
		"large":      func(i int) float64 { return 60000 * math.Sin(float64(i)) },
		"small":      func(i int) float64 { return 1e-6 * math.Sin(float64(i)) },
		"tiny":       func(i int) float64 { return 1e-30 * math.Sin(float64(i)) },
		"denormal":   func(i int) float64 { return 1e-44 * float64(i%5) },
		"magnitudes": func(i int) float64 { return math.Ldexp(math.Sin(float64(i)), -i/10) },
	} {
		v := make([]float32, 256)
		for i := range v {
			v[i] = float32(f(i))
		}
		x := tensor.FromFloat32([]int{1, 256}, v)
		for _, d := range blockTypes {
			plain, err := x.Convert(d)
			if err != nil {
				t.Fatal(err)
			}
			q, err := x.ConvertWeighted(d, func(int) []float32 { return importance })
			if err != nil {
				t.Fatal(err)
			}
			a, b := loss(t, q, v, importance), loss(t, plain, v, importance)
			if !(a <= 1.1*b) {
				t.Errorf("%s as %v: loss %g, Convert's %g", name, d, a, b)
			}
		}
	}
	v := make([]float32, 256)
	v[9] = float32(math.NaN())
	if _, err := tensor.FromFloat32([]int{256}, v).ConvertWeighted(tensor.Q4_K, func(int) []float32 { return importance }); err == nil {
		t.Error("a NaN is taken")
	}
}

func BenchmarkConvertWeighted(b *testing.B) {
	v, importance := weights()
	x := tensor.FromFloat32([]int{16, 512}, v)
	for _, d := range []tensor.DType{tensor.Q4_0, tensor.Q4_K, tensor.Q6_K} {
		b.Run(d.String(), func(b *testing.B) {
			for b.Loop() {
				if _, err := x.ConvertWeighted(d, func(int) []float32 { return importance }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(v))*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mnumbers/s")
		})
	}
}
